package subprocess

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a server that we started. Its methods may be called concurrently.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// Start starts cmd with its output going to a new file at log. name is what errors call it. cmd.SysProcAttr must be set,
// such as to Attributes.
func Start(name string, cmd *exec.Cmd, log string) (*Process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the server has its own handle
	cmd.Stdout, cmd.Stderr = file, file
	DieWithThread(cmd.SysProcAttr)

	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's signal is tied to the thread: it must not go to other work or end before the server does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is its process id, also when it has ended.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended describes one that is gone though nobody stopped it, with the end of what it said. It must be done.
func (p *Process) Ended() error {
	said, _ := os.ReadFile(p.cmd.Stdout.(*os.File).Name()) // without it the error is shorter, no more
	how := "status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended by itself (%s): %s", p.name, how, Tail(said))
}

// Step is a signal, and how long to wait for its effect.
type Step struct {
	Signal   syscall.Signal
	Patience time.Duration
}

// Stop takes one step after the other until the process has ended. It is an error if it had ended before.
func (p *Process) Stop(steps ...Step) error {
	select {
	case <-p.done:
		return p.Ended()
	default:
	}
	for _, step := range steps {
		if err := p.cmd.Process.Signal(step.Signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(step.Patience):
		}
	}
	return fmt.Errorf("process %d does not end; end it by hand", p.PID())
}

// Tail returns the last lines of what a program said, for an error: at most about 1,500 bytes.
func Tail(said []byte) string {
	const most = 1500
	text := strings.TrimSpace(string(said))
	if len(text) > most {
		text = text[len(text)-most:]
		if _, rest, cut := strings.Cut(text, "\n"); cut {
			text = rest
		}
	}
	if text == "" {
		return "(it said nothing)"
	}
	return text
}
