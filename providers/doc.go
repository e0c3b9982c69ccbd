// Package providers holds the small interfaces by which the planner reads and apply writes the two sides, the
// plain values that cross them, and the kinds of error that a provider turns its driver's errors into.
//
// The planner gets only the reading interfaces: a plan cannot write. providers/postgres and providers/selfauth
// implement them.
package providers
