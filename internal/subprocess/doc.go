// Package subprocess runs servers as child processes that do not outlive their parent: what internal/scratchpg and
// internal/scratchidm share. It knows nothing of what the servers do.
//
//   - A Process is started so that, on Linux, the kernel interrupts it when its parent dies.
//   - A Watcher is a second child that sees the parent die, however that happens, ends the server and removes its files.
//
// A parent that lives stops its servers itself, with Process.Stop, and lets the watcher go.
package subprocess
