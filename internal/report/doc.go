// Package report is everything that Anthill shows: plans, the end of runs, status, diagnostics and progress, as text for
// people and as JSON for programs.
//
// Its rules: the first screen is enough to decide; counts are exact and reasons stand beside them; the next command stands
// at the end; colour and symbols are never the message; whatever comes from files, databases or servers is escaped; no
// e-mail address and no secret is ever shown, as none is in what it gets.
package report
