// Package planfile is a plan on disk: a Writer is the sink of a plan in the making, and Open reads and verifies what it
// wrote. internal/apply gets a Reader, which holds the effects; whoever shows plans gets a File, which holds the rest
// too. The format is described in format.go and docs/plan-file.md.
//
// Its rules: nothing of a file is used before all of it is verified; what has no bound in size (users, skipped users)
// is streamed and never kept in memory.
package planfile
