// Package pg keeps recorded state in the application's own database, in a schema of its own, so that the outcome of a
// user commits with its row.
//
// Every name is qualified: the search path of a connection is not ours. A schema that is not there, or holds none of
// our tables, reads as an empty state, so that a role that may only read can plan; the first writing call makes it,
// under the lock. The journal holds ids, before-images and reasons, and nothing personal.
//
// The lock is the database's (lock.go), and an epoch keeps out who has lost it without noticing (epoch.go). A database
// has one state: one in another schema is refused.
//
// Here is only SQL: the bytes of a journal record, the progress and the digest of a run are of state/book.
package pg
