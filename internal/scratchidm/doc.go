// Package scratchidm runs a throw-away Self-auth server, the real one (Kanidm on the wire), where this machine has its
// program: for `anthill dev -selfauth real`, measurements and tests. Nothing needs it; where there is none,
// internal/selfauthd speaks the same API.
//
// Its rules, in order of importance:
//
//   - Nothing is left behind. The server and its files go when Close is called, and also when this process dies
//     without calling it, see internal/subprocess.
//   - It listens on loopback only, over TLS, with a certificate that was made for it.
//   - It is what it would be elsewhere: its own defaults, its own built-in entries, and one service account with the
//     rights that Anthill needs.
//   - Its pages for browsers are served where they can be. The place of their files is compiled into each build: one
//     made in a source tree looks for them beside its working directory, where they are put; a package's has its own.
//     A server that does not find them is started without.
//
// The files: program (which server), home (its files), server (start and end), operator (accounts and rights), client
// (its API).
package scratchidm
