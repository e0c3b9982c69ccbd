// Package state holds the words that all other packages share (Target, Address, Digest, Method, ...) and
// says what Anthill remembers between runs: what it recorded of every user and object, the runs and their
// journal, waves, confirmations and pauses.
//
// The package itself touches nothing outside. A backend (state/pg) implements Store. The rule that carries
// recovery: an intent is durable before its effect, and the outcome of users is committed in the very
// transaction that changes their rows (Tx).
package state
