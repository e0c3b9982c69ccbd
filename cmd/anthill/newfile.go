package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// vacant refuses a path at which something stands, or that has no directory.
func vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return occupied(path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s to write the file in", filepath.Dir(path))
	}
	return nil
}

func occupied(path string) error {
	return fmt.Errorf("%s is there already, and is not overwritten: name another file with -out", path)
}

// newFile writes a file that nobody else may read, whole or not at all. What stands at its path by then is left alone.
func newFile(path string, write func(io.Writer) error) (err error) {
	// Beside its place, as a name can be given within a file system alone. The mode is 0600.
	f, err := os.CreateTemp(filepath.Dir(path), ".anthill-*.part")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(f.Name()); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	err = write(f)
	// It must be there after a crash, if its name is.
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return putAt(path, f.Name())
}

// putAt gives a file its name. Renaming would overwrite what came to stand there meanwhile.
func putAt(path, from string) error {
	switch err := os.Link(from, path); {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return occupied(path)
	}
	// A file system without links: the name is taken first, and what it names is replaced.
	claim, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return occupied(path)
	}
	if err == nil {
		err = claim.Close()
	}
	if err != nil {
		return err
	}
	if err := os.Rename(from, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
