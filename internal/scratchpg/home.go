package scratchpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"anthill/internal/subprocess"
)

// socketLimit is the longest path of a socket in bytes: 107 on Linux, 103 on macOS.
const socketLimit = 103

// home is the directories of one server. All but dir itself, when kept, belong to the account.
type home struct {
	dir       string
	data      string   // the cluster, made by initdb
	run       string   // working directory and HOME of the children, with the server's log
	sockets   string   // run, or a temporary directory where that path is too long
	temporary []string // what close removes
	watch     *subprocess.Watcher
	lock      *os.File // of a kept directory, held as long as it is in use; nil: none
}

// openHome makes the directories and sets a watcher over them. keep is Options.Dir.
func openHome(keep string, env func(string) string, who account) (_ *home, err error) {
	h := &home{dir: keep}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()

	if keep == "" {
		if h.dir, err = h.temporaryDir(env, who); err != nil {
			return nil, err
		}
	} else {
		if h.dir, err = filepath.Abs(keep); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(h.dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the directory for Postgres: %w; choose another", err)
		}
		if h.lock, err = os.OpenFile(filepath.Join(h.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return nil, fmt.Errorf("lock the directory for Postgres: %w; choose another", err)
		}
		// Before anything is touched: our watcher would stop the other one's server.
		if err := tryLock(h.lock); err != nil {
			return nil, fmt.Errorf("%s is in use by another process (%w); end that one, or choose another directory", h.dir, err)
		}
		if err := who.mayEnter(h.dir); err != nil {
			return nil, fmt.Errorf("%w, so Postgres cannot run in %s; choose a directory that every user may enter, for "+
				"example below /var/cache", err, h.dir)
		}
	}
	h.data, h.run = filepath.Join(h.dir, "data"), filepath.Join(h.dir, "run")
	for _, dir := range []string{h.data, h.run} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make the directory for Postgres: %w", err)
		}
		if err := who.give(dir); err != nil {
			return nil, fmt.Errorf("give %s to user %s: %w", dir, who.name, err)
		}
	}
	h.sockets = h.run
	if len(filepath.Join(h.run, ".s.PGSQL."+socketPort)) > socketLimit {
		if h.sockets, err = h.temporaryDir(env, who); err != nil {
			return nil, err
		}
	}
	h.watch, err = subprocess.Watch(subprocess.Watched{PIDFile: filepath.Join(h.data, "postmaster.pid"), Signal: "INT",
		Remove: h.temporary},
		attributes(who), childEnv(env, h.run))
	return h, err
}

// temporaryDir makes a directory of the account, below TMPDIR or, where the account may not go there, below /tmp.
func (h *home) temporaryDir(env func(string) string, who account) (string, error) {
	const common = "/tmp"
	var failed error
	for _, base := range []string{env("TMPDIR"), common} {
		if base == "" {
			continue
		}
		if failed = who.mayEnter(base); failed != nil {
			continue
		}
		var dir string
		if dir, failed = os.MkdirTemp(base, "anthill-pg-"); failed != nil {
			continue
		}
		h.temporary = append(h.temporary, dir)
		return dir, who.give(dir)
	}
	return "", fmt.Errorf("make a temporary directory: %w; set TMPDIR to one that every user may enter", failed)
}

// logFile is where the server writes to.
func (h *home) logFile() string { return filepath.Join(h.run, "postgres.log") }

// close removes what is temporary, latest first. The server must have stopped.
func (h *home) close() error {
	var errs []error
	for _, dir := range slices.Backward(h.temporary) {
		errs = append(errs, os.RemoveAll(dir))
	}
	if h.watch != nil {
		errs = append(errs, h.watch.Release())
	}
	if h.lock != nil {
		errs = append(errs, h.lock.Close())
	}
	return errors.Join(errs...)
}
