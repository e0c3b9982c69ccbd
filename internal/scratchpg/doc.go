// Package scratchpg starts a throw-away Postgres from the machine's own binaries, or from downloaded ones where there
// are none: for demos, sandboxes and tests, never for data that matters (it does not fsync).
//
// The server listens on a unix socket in a directory that only its user can enter, so there is no port to race for and
// no password. Run as root, the children run as an unprivileged user. It ends with its parent, even after kill -9
// (Linux). Nothing is left behind.
package scratchpg
