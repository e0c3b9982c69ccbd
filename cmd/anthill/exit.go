package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/planner/planfile"
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

// diagError is diagnostics with the files they are about.
type diagError struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

func (e *diagError) Error() string { return e.diags.Error() }

// finish says what is to be said of an error, on stderr, and returns its exit status.
func (p *program) finish(err error) int {
	if err == nil {
		return exitDone
	}
	var status *statusError
	if errors.As(err, &status) && status.err == nil {
		return status.status
	}
	var d *diagError
	if errors.As(err, &d) {
		if err := report.Diagnostics(p.stderr, d.diags, d.files, report.Options{Width: p.width}); err != nil {
			return exitError
		}
		return statusOf(err)
	}
	if errors.Is(err, context.Canceled) {
		err = &statusError{statusOf(err), errors.New("interrupted before the work was done. Run the same command again; anthill status shows what stands")}
	}
	fmt.Fprintln(p.stderr, "Error: "+safe(err.Error()))
	return statusOf(err)
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
		target   *state.TargetError
		denied   *state.DeniedError
		stale    *apply.StaleError
		blocked  *apply.BlockedError
		openRun  *apply.OpenRunError
		format   *planfile.FormatError
		approval *approvalError
	)
	switch {
	case errors.As(err, &status):
		return status.status
	case errors.As(err, &locked):
		return exitLocked
	case errors.As(err, &target), errors.As(err, &stale), errors.As(err, &format) && format.Newer:
		return exitStale
	case errors.As(err, &blocked), errors.As(err, &openRun), errors.As(err, &approval):
		return exitBlocked
	case errors.As(err, &denied):
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
