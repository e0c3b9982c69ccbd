// Package world is what a plan is made from, observed once and indexed: the directory, tenants with the declared ones
// laid over them, mapping rows and whose groups they are (Observed), and then the users, joined with what is recorded
// of them, in a spool of compact entries (Joined).
//
// It stands below planner/objects and planner/users, which decide by it. Each step is a value of its own type, made
// from the one before and not changed afterwards. Memory grows with tenants and groups, by 16 bytes a user and 20 a
// linked row, never with the content of rows.
package world
