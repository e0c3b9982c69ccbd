//go:build unix && !linux

package scratchpg

import "syscall"

// processAttributes cannot have the kernel stop a child here; the watcher alone does it.
func processAttributes(a account, _ bool) *syscall.SysProcAttr { return attributes(a) }
