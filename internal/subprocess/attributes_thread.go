//go:build !linux

package subprocess

import "syscall"

// DieWithThread cannot have the kernel end a child here; the watcher alone does it.
func DieWithThread(*syscall.SysProcAttr) {}
