//go:build !linux

package scratchpg

import "syscall"

// endWithParent can do nothing here: there the server ends by Stop.
func endWithParent(*syscall.SysProcAttr) {}
