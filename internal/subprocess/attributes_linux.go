package subprocess

import "syscall"

// DieWithThread has the kernel interrupt the child when the *thread* that started it ends: the caller must hold on to
// that thread. Elsewhere than on Linux it does nothing, and the watcher alone ends a child.
func DieWithThread(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
