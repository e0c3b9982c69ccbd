package scratchpg

import "syscall"

// endWithParent has the kernel send SIGINT (a fast stop) when the thread that started the child ends, whatever ended
// it. That thread must therefore live as long as the child.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }
