//go:build unix

package scratchpg

import (
	"io/fs"
	"os"
	"syscall"

	"anthill/internal/subprocess"
)

func supported() error { return nil }

// maySearch reads the permission bits alone; access lists are not looked at.
func (a account) maySearch(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case owner.Uid == a.uid:
		return mode&0o100 != 0
	case owner.Gid == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// tryLock locks a file until it is closed or the process ends. It does not wait.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// attributes are those of any child, and make it the account's.
func attributes(a account) *syscall.SysProcAttr {
	attr := subprocess.Attributes()
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: []uint32{}}
	}
	return attr
}
