package scratchpg

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// identity is the user that the children run as; nil: ourselves.
type identity struct {
	name     string
	uid, gid int
}

// pick returns whom the children run as: ourselves, or for root the first unprivileged user of the user database. An
// id without an entry there will not do: initdb looks it up.
func pick() (*identity, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return &identity{name: name, uid: uid, gid: gid}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is none of the users postgres, _postgres, nobody to run it as: run as another user")
}

func (id *identity) String() string {
	if id == nil {
		return "yourself"
	}
	return "user " + id.name
}

// own gives a directory to the user.
func (id *identity) own(path string) error {
	if id == nil {
		return nil
	}
	return os.Chown(path, id.uid, id.gid)
}

// apply makes a command run as the user, in a process group of its own, ended with its parent.
func (id *identity) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	if id != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid), Groups: []uint32{}}
	}
}
