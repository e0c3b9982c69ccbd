package scratchpg

import "syscall"

// processAttributes lets, with die, the kernel stop the child when the *thread* that started it ends: the caller must hold on to that thread.
func processAttributes(a account, die bool) *syscall.SysProcAttr {
	attr := attributes(a)
	if die {
		attr.Pdeathsig = syscall.SIGINT
	}
	return attr
}
