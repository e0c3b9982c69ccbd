// Command anthill moves the users of a multi-tenant application from its own passwords to the identity provider
// Self-auth, wave by wave: configuration files say what should be, plan shows what would change, apply does exactly
// that, rollback takes it back.
package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"anthill/config"
	"anthill/internal/scratchpg"
)

func main() { os.Exit(run()) }

// run is the program in this process. Its other self, __pg, watches over a throw-away Postgres and ends it.
func run() int {
	if len(os.Args) > 1 && os.Args[1] == "__pg" {
		if err := scratchpg.Child(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			return exitError
		}
		return exitDone
	}
	// A closed pipe is an error of the write: what was done must still be said on stderr.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p := &program{
		stdin:       os.Stdin,
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		env:         os.Getenv,
		environ:     os.Environ,
		now:         time.Now,
		who:         whoAmI(),
		underWay:    &atomic.Pointer[string]{},
		frugal:      frugal,
		asks:        term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		terminal:    term.IsTerminal(int(os.Stderr.Fd())),
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())),
	}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		p.width = w
	}
	ctx, stop := interruptible(p.halted)
	defer stop()
	return p.run(ctx, os.Args)
}

// frugal has garbage collected sooner than it would be: what a hostile configuration takes then stays below what is promised (decision
// 0019), and nothing else needs as much.
func frugal() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(config.MemoryGoal)
	}
}

// interruptible returns a context that the first ^C (or SIGTERM) ends: what is in hand is finished. The second one
// ends the process at once, as a kill would, but for the last words.
func interruptible(last func()) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; ok {
			cancel()
		}
		if _, ok := <-signals; ok {
			said := make(chan struct{})
			go func() { last(); close(said) }()
			select {
			case <-said:
			case <-time.After(time.Second): // stderr takes nothing
			}
			os.Exit(exitStopped)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel() }
}

// whoAmI is user@host, as runs and locks record it.
func whoAmI() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}
