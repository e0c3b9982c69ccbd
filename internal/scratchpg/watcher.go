package scratchpg

import (
	"fmt"
	"io"
	"os/exec"
	"time"
)

// watchScript waits for the end of its standard input, stops the server of the cluster $1 and removes the other arguments. A
// negative number in postmaster.pid is initdb's, which the kernel stops. Its patience is 15 seconds.
const watchScript = `
cat >/dev/null
data=$1
shift
n=0
while [ $n -lt 150 ] && [ -f "$data/postmaster.pid" ]; do
	pid=
	read -r pid <"$data/postmaster.pid"
	if [ "${pid:-0}" -gt 1 ] 2>/dev/null; then
		kill -INT "$pid" 2>/dev/null || break
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

// watcher is a process that outlives us by as long as it takes to clean up. It is a shell, since that needs neither a copy of our program nor
// a program that knows of it, and runs as the account.
type watcher struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // its other end sees us die, however that happens
}

func startWatcher(h *home, who account, env []string) (*watcher, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchScript, "anthill-pg-watch", h.data}, h.temporary...)...)
	cmd.Dir = "/" // it must not sit in what it removes
	cmd.Env = env
	cmd.SysProcAttr = processAttributes(who, false)
	cmd.WaitDelay = time.Second
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the process that cleans up: %w", err)
	}
	return &watcher{cmd: cmd, pipe: pipe}, nil
}

// release lets it end. Everything has been removed already, so it finds nothing to do.
func (w *watcher) release() error {
	_ = w.pipe.Close() // nothing is written to it, so nothing can be lost
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("the process that cleans up: %w", err)
	}
	return nil
}
