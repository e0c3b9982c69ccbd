// Package spool is a temporary file that is written once and then read once: what does not fit into memory waits there
// between two passes. It is unlinked at once where the system allows it, so that nothing is left behind even after
// kill -9.
package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

const buffer = 1 << 15

// Spool is a temporary file. Not safe for concurrent use.
type Spool struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

// New makes an empty spool in dir; "" is the system's directory for temporary files.
func New(dir string) (*Spool, error) {
	f, err := os.CreateTemp(dir, "anthill-spool-*")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	// Fails where an open file cannot be unlinked; Close tries again.
	_ = os.Remove(f.Name())
	return &Spool{f: f, w: bufio.NewWriterSize(f, buffer)}, nil
}

// Write appends b.
func (s *Spool) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.size += int64(n)
	return n, err
}

// Size is how many bytes have been written.
func (s *Spool) Size() int64 { return s.size }

// Reader ends writing and returns all that was written, from its start.
func (s *Spool) Reader() (*bufio.Reader, error) {
	if err := s.w.Flush(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return bufio.NewReaderSize(s.f, 1<<16), nil
}

// Close removes the file. It is safe to call twice, and on nil.
func (s *Spool) Close() error {
	if s == nil || s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	err := f.Close()
	if removeErr := os.Remove(f.Name()); !errors.Is(removeErr, os.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}
