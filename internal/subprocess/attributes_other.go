//go:build !unix

package subprocess

import "syscall"

// Attributes are the system's own.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
