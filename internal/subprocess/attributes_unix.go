//go:build unix

package subprocess

import "syscall"

// Attributes put a child into a process group of its own, so that ^C in a terminal reaches us alone. The caller owns
// what is returned.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
