package subprocess

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// watchScript waits for the end of its standard input, sends signal $2 to the process that the first line of file $1
// names until the file or the process is gone, and removes the other arguments. Its patience is 15 seconds. A negative
// number is of an initdb, which the kernel stops.
const watchScript = `
cat >/dev/null
file=$1
signal=$2
shift 2
n=0
while [ $n -lt 150 ] && [ -f "$file" ]; do
	pid=
	read -r pid <"$file"
	if [ "${pid:-0}" -gt 1 ] 2>/dev/null; then
		kill -s "$signal" "$pid" 2>/dev/null || break
	fi
	sleep 0.1
	n=$((n + 1))
done
n=0
for dir in "$@"; do
	while ! rm -rf -- "$dir" 2>/dev/null && [ $n -lt 20 ]; do
		sleep 0.1
		n=$((n + 1))
	done
done
`

// Watched is what a watcher takes care of.
type Watched struct {
	PIDFile string   // its first line is the process id of the server; it need not be there yet
	Signal  string   // that ends the server, as kill(1) spells it: "INT"
	Remove  []string // directories that go with the parent
}

// Watcher is a process that outlives us by as long as it takes to clean up. It is a shell, since that needs neither a
// copy of our program nor a program that knows of it.
type Watcher struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // its other end sees us die, however that happens
}

// Watch starts one with the attributes and the environment given.
func Watch(w Watched, attr *syscall.SysProcAttr, env []string) (*Watcher, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchScript, "anthill-watch", w.PIDFile, w.Signal}, w.Remove...)...)
	cmd.Dir = "/" // it must not sit in what it removes
	cmd.Env = env
	cmd.SysProcAttr = attr
	cmd.WaitDelay = time.Second
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the process that cleans up: %w", err)
	}
	return &Watcher{cmd: cmd, pipe: pipe}, nil
}

// Release lets it end. Everything must have been stopped and removed already, so that it finds nothing to do.
func (w *Watcher) Release() error {
	_ = w.pipe.Close() // nothing is written to it, so nothing can be lost
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("the process that cleans up: %w", err)
	}
	return nil
}
