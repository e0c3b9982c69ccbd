package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// The exit statuses, as the help and the documents list them.
const (
	exitDone      = 0
	exitError     = 1
	exitChanges   = 2
	exitBlocked   = 3
	exitStale     = 4
	exitRemainder = 5
	exitHeld      = 6
	exitLocked    = 7
	exitRefused   = 8
	exitStopped   = 9
)

// statusError is an exit status with what to say about it; a nil err says nothing more.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// quietly ends with a status; everything has been said.
func quietly(status int) error {
	if status == exitDone {
		return nil
	}
	return &statusError{status: status}
}

// output is stdout; it keeps the first error of writing to it.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// effect is what a command line has changed: the exit status where it cannot be told, a sentence, and what to do next.
type effect struct {
	status int
	text   string
	next   []string // the words of a command: "plan"
}

// finish says what is to be said of an error, on stderr, and returns its exit status.
func (p *program) finish(err error) int {
	// A failed write comes first: whatever else went wrong, nobody has read the result.
	if p.out.err != nil {
		return p.unwritten(p.out.err)
	}
	if err == nil {
		return exitDone
	}
	var status *statusError
	if errors.As(err, &status) && status.err == nil {
		return status.status
	}
	o := report.Options{Width: p.width, Chdir: p.chdir}
	var d *session.DiagnosticsError
	if errors.As(err, &d) {
		if err := report.Diagnostics(p.stderr, told(d.List, o), d.Files, o); err != nil {
			return exitError
		}
		return statusOf(err)
	}
	if needed := (*providers.SchemaNeededError)(nil); errors.As(err, &needed) {
		err = &statusError{statusOf(err), errors.New(report.SchemaNeeded(needed.Why))}
	}
	if errors.Is(err, context.Canceled) {
		err = &statusError{statusOf(err), errors.New("interrupted before the work was done. Run the same command again; " +
			"anthill status shows what stands")}
	}
	fmt.Fprintln(p.stderr, "Error: "+report.Commands(o, safe(err.Error())))
	return statusOf(err)
}

// unwritten says what a command has done whose result could not be written. A reader who has seen enough and closed
// the pipe is no error that anybody must be told of, as long as nothing was changed.
func (p *program) unwritten(err error) int {
	if p.effect != nil {
		fmt.Fprintf(p.stderr, "Error: %s, but the result could not be written: %s.\nGo on with:\n\n    %s\n",
			p.effect.text, safe(err.Error()), p.command(p.effect.next...))
		return p.effect.status
	}
	if !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintf(p.stderr, "Error: the result could not be written: %s. No server was changed.\n", safe(err.Error()))
	}
	return exitError
}

// told puts -chdir into the commands that diagnostics tell.
func told(diags hcl.Diagnostics, o report.Options) hcl.Diagnostics {
	list := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Detail = report.Commands(o, d.Detail)
		list[i] = &c
	}
	return list
}

// safe escapes what comes from outside and keeps the lines of a message.
func safe(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = report.Escape(lines[i])
	}
	return strings.Join(lines, "\n")
}

// statusOf is the exit status of an error by its kind.
func statusOf(err error) int {
	var (
		status   *statusError
		locked   *state.LockedError
		leftover *state.LeftoverError
		lost     *state.LockLostError
		second   *state.SecondStateError
		target   *state.TargetError
		denied   *state.DeniedError
		stale    *apply.StaleError
		blocked  *apply.BlockedError
		openRun  *apply.OpenRunError
		format   *planfile.FormatError
		approval *approvalError
		needed   *providers.SchemaNeededError
	)
	switch {
	case errors.As(err, &status):
		return status.status
	case errors.As(err, &locked), errors.As(err, &leftover), errors.As(err, &lost) && lost.Taken:
		return exitLocked
	case errors.As(err, &target), errors.As(err, &second), errors.As(err, &stale), errors.As(err, &format) && format.Newer:
		return exitStale
	case errors.As(err, &blocked), errors.As(err, &openRun), errors.As(err, &approval),
		errors.As(err, &needed):
		return exitBlocked
	case errors.As(err, &denied), errors.As(err, &lost):
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitError
	}
	switch state.ErrorKindOf(err) {
	case state.ErrorUnreachable, state.ErrorUnauthenticated, state.ErrorDenied:
		return exitRefused
	}
	return exitError
}
