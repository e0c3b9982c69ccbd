package scratchpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/internal/subprocess"
)

// startLimit bounds initdb, and then the wait for the first answer; both take well below a second on an idle machine.
const startLimit = 90 * time.Second

// process is a Postgres that we started.
type process struct {
	*subprocess.Process
	base url.URL
}

// runPostgres makes the cluster of h unless there is one, and starts its server. On error nothing is left running.
func runPostgres(ctx context.Context, h *home, in install, who account, env []string) (*process, error) {
	if err := prepareCluster(ctx, h, in, who, env); err != nil {
		return nil, err
	}
	p, err := startPostgres(h, in, who, env)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", in.bin, err)
	}
	if err := p.awaitReady(ctx); err != nil {
		_ = p.stop() // the error at hand says more
		return nil, err
	}
	return p, nil
}

func prepareCluster(ctx context.Context, h *home, in install, who account, env []string) error {
	version, err := os.ReadFile(filepath.Join(h.data, "PG_VERSION"))
	if err == nil {
		if made := strings.TrimSpace(string(version)); made != strconv.Itoa(in.major) {
			return fmt.Errorf("%s was made by Postgres %s, and %s is version %s; remove that directory (its databases go "+
				"with it) or set %s to a Postgres %s",
				h.data, made, in.bin, in.version, binVariable, made)
		}
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}

	// The kernel's signal is tied to this thread, so stay on it until initdb has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(in.bin, "initdb"),
		"-D", h.data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	cmd.Dir, cmd.Env = h.run, env
	cmd.SysProcAttr = attributes(who)
	subprocess.DieWithThread(cmd.SysProcAttr)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it removes what it has made
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("initdb: %w", cause)
		}
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, subprocess.Tail(said.Bytes()))
	}
	return nil
}

func startPostgres(h *home, in install, who account, env []string) (*process, error) {
	cmd := exec.Command(filepath.Join(in.bin, "postgres"), "-D", h.data, "-k", h.sockets, "-p", socketPort,
		"-c", "listen_addresses=",
		// Fast rather than durable: a crash of the machine may cost the cluster.
		"-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		// Many tests at a time, each with its own connections.
		"-c", "max_connections=300",
		// A failed statement shows its values; they stay out of the log.
		"-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse")
	cmd.Dir, cmd.Env = h.run, env
	cmd.SysProcAttr = attributes(who)
	started, err := subprocess.Start("Postgres", cmd, h.logFile())
	if err != nil {
		return nil, err
	}
	return &process{Process: started, base: socketURL(h.sockets)}, nil
}

func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("no answer within %s", startLimit))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, withDatabase(p.base, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.Done():
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("wait for Postgres to answer: %w; the last try: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// stop ends the server: at first after its connections have been cut, then at once, then by force.
func (p *process) stop() error {
	return p.Stop(subprocess.Step{Signal: syscall.SIGINT, Patience: 15 * time.Second},
		subprocess.Step{Signal: syscall.SIGQUIT, Patience: 5 * time.Second},
		subprocess.Step{Signal: syscall.SIGKILL, Patience: 5 * time.Second})
}
