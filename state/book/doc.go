// Package book is what the backends of recorded state share: all of the book-keeping that does not depend on where the
// bytes end up. A backend (state/pg) adds reading and writing; it decides nothing that is decided here.
//
//   - Body, ReadBody: the bytes of a journal record of a user.
//   - Progress: how far an open run has come, where a settlement may be lost with somebody else's transaction.
//   - NextRunID, RunDigest, Changed: what the head of a run is made of.
//   - IsLeft, Remains: which outcomes the journal lists, and which of them are a run's remainder.
//
// Stable texts stand for everything that a later version may add to (kinds of effects, switches, methods): no order of
// Go constants and no position of a flag is ever written.
package book
