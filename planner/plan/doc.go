// Package plan is a plan as data, in three parts: Effects, by which alone apply decides what it does; Basis, what the
// plan was made from; and Context, which only helps its reader. It stands between planner, which makes plans,
// planfile, which keeps them, internal/apply, which carries Effects out, and internal/report, which shows all three.
//
// The changes of users are no part of these types: they are streams of rows, one a segment, each row with an index
// into a table of shapes. Nothing here is a sentence, and nothing is personal.
package plan
