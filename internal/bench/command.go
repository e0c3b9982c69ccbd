package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

const (
	runVerb       = "__run"          // the hidden command that runs a program and measures it
	interruptWait = 30 * time.Second // for a run to finish its batch
)

// usage is what one run of a program took.
type usage struct {
	Seconds float64
	RSS     int64 // the largest resident set, in bytes
}

// command runs anthill once and measures it, from a small process between us and it: Linux counts the memory of whoever
// starts a program as the program's own, and we hold an emulator.
func command(ctx context.Context, program, dir string, env []string, args ...string) (u usage, err error) {
	self, err := os.Executable()
	if err != nil {
		return u, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return u, err
	}
	defer told.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{runVerb, program}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptWait
	cmd.ExtraFiles = []*os.File{tell}
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	err = cmd.Start()
	tell.Close()
	if err != nil {
		return u, err
	}
	text, readErr := io.ReadAll(told)
	if err := cmd.Wait(); err != nil {
		return u, fmt.Errorf("%s %q: %w: %s\n%s", program, args, err, complained.Bytes(), said.Bytes())
	}
	return u, errors.Join(readErr, json.Unmarshal(text, &u))
}

// runMeasured is the process between: it runs a program to its end, passes on an interruption, and tells its usage on
// file 3. It returns the exit status.
func runMeasured(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may have ended just now
		}
	}()
	_ = cmd.Wait() // its status is passed on
	u := usage{time.Since(began).Seconds(), peak(cmd.ProcessState)}
	if err := json.NewEncoder(os.NewFile(3, "usage")).Encode(u); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 1 // a signal
}
