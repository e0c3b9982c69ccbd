package scratchpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"anthill/internal/subprocess"
)

// account is the user that runs Postgres and owns its files.
type account struct {
	name     string
	uid, gid uint32
	switched bool // another than ourselves: we are root
}

// chooseAccount returns ourselves, or as root one who has an entry in the user database: initdb refuses both root and
// an unknown user id.
func chooseAccount() (account, error) {
	if os.Geteuid() != 0 {
		name := strconv.Itoa(os.Geteuid())
		if me, err := user.Current(); err == nil {
			name = me.Username
		}
		return account{name: name}, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID != nil || errGID != nil || uid == 0 {
			continue
		}
		return account{name: name, uid: uint32(uid), gid: uint32(gid), switched: true}, nil
	}
	return account{}, errors.New("Postgres refuses to run as root, and there is none of the users postgres, " +
		"_postgres and nobody to run it as; make one (useradd --system postgres) or run this as an ordinary user")
}

// give makes the account own path.
func (a account) give(path string) error {
	if !a.switched {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// mayEnter says whether the account gets to path, which exists, through every directory above it. A start that lacks
// this fails with a bare "permission denied" that names the program instead of the directory.
func (a account) mayEnter(path string) error {
	if !a.switched {
		return nil
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for at := resolved; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if !a.maySearch(info) {
			return &closedError{Path: at, User: a.name}
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// closedError is a path that the account may not go through.
type closedError struct{ Path, User string }

func (e *closedError) Error() string { return fmt.Sprintf("user %s may not enter %s", e.User, e.Path) }

// look runs a short-lived program as the account and returns its standard output. Programs that were found are foreign
// code: none runs as root.
func (a account) look(ctx context.Context, program string, args ...string) (string, error) {
	if err := a.mayEnter(program); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var said, complained bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.SysProcAttr = attributes(a)
	cmd.Stdout, cmd.Stderr = &said, &complained
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", program, err, subprocess.Tail(complained.Bytes()))
	}
	return said.String(), nil
}
