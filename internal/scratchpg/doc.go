// Package scratchpg runs a throw-away Postgres: for `anthill demo`, `anthill dev` and tests, never for data that
// matters (fsync is off).
//
// It knows nothing of Anthill's tables; packages above it fill the databases. Its rules, in order of importance:
//
//   - Nothing is left behind. The server and its temporary directory go when Stop is called, and also when this
//     process dies without calling it, by whatever signal: a watcher process holds one end of a pipe and cleans up
//     when the other end closes. On Linux the kernel signals the server as well, should the watcher be gone too.
//   - No program of Postgres runs as root. As root, the first of the users postgres, _postgres and nobody owns the
//     directory and runs everything in it, the programs that were downloaded included.
//   - No port is opened. The server listens on a socket in a directory that only its user may enter, so it needs no
//     password.
//   - The machine's own binaries come first. Without any, an archive whose checksum is pinned in this package is
//     downloaded and kept.
//
// The files: binaries (which Postgres), account (which user), home (which directories), process (initdb, postgres),
// download and child (no binaries), database (what runs inside).
//
// Windows is not supported: Start says so.
package scratchpg
