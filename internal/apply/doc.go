// Package apply carries out the effects of a plan. It is the only package that causes change.
//
// It stands between planner/planfile, from which it reads what to do, and the providers and the state, by whose
// interfaces it does it. Its rules, in order: nothing is done that the plan's ID does not cover; every effect has a
// durable intent before it and an outcome that is committed together with the rows; a row that is not as planned is
// left alone; what was done for such a row in Self-auth is taken back at once; one failing user stops nobody else; a
// server that goes away stops the run and leaves it open, and the same plan finishes it.
//
// It decides nothing about who is moved or how. What it has to say are findings and events.
package apply
