//go:build !unix

package scratchpg

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func supported() error {
	return errors.New("a throw-away Postgres needs a Unix system; run Anthill under WSL, or set DATABASE_URL to a " +
		"Postgres of your own")
}

func (a account) maySearch(fs.FileInfo) bool { return true }

func tryLock(*os.File) error { return supported() }

func attributes(account) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
