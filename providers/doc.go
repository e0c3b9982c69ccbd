// Package providers holds the small interfaces by which the planner reads and apply writes the two sides, and the
// plain values that cross them. A provider turns its driver's errors into *state.Error, and what else it has to say
// into state.Finding: it makes no sentence for people.
//
// The planner gets only the reading interfaces: a plan cannot write. providers/postgres and providers/selfauth
// implement them, in files of the same names.
package providers
