package scratchpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"anthill/internal/subprocess"
)

const (
	childCommand  = "__pg"
	childVariable = "ANTHILL_PG_CHILD" // set in the child's environment; see Start

	// downloadLimit bounds download, unpacking and start together: 15 MB over a bad line.
	downloadLimit = 10 * time.Minute
)

// The child tells its parent one thing a line, "KEY QUOTED" on standard output:
//
//	note "a line for Options.Log"
//	bin "directory of the programs"      version "17.9"      url "postgres://..."   (the last: it answers)
//	error "why it ends"
const (
	sayNote    = "note"
	sayBin     = "bin"
	sayVersion = "version"
	sayURL     = "url"
	sayError   = "error"
)

// Child is the hidden command `anthill __pg DIR CACHE REPOSITORY`: as an unprivileged user it downloads Postgres into
// CACHE unless it is there, runs it in DIR, says its address on stdout, and stops it when stdin ends. args are the
// three words after `__pg`. Start runs it; for people it has no use. The error has been told on stdout already.
func Child(args []string, stdin io.Reader, stdout io.Writer) error {
	return child(args, stdin, stdout, pinned())
}

func child(args []string, stdin io.Reader, stdout io.Writer, pins map[string]archive) error {
	err := serve(args, stdin, stdout, pins)
	if err != nil {
		// A parent that is gone does not read it; then the caller has it still.
		_ = say(stdout, sayError, err.Error())
	}
	return err
}

func serve(args []string, stdin io.Reader, stdout io.Writer, pins map[string]archive) error {
	if len(args) != 3 {
		return fmt.Errorf("%s wants DIR CACHE REPOSITORY; Anthill runs it by itself, use `anthill dev` instead", childCommand)
	}
	if os.Geteuid() == 0 {
		return fmt.Errorf("%s must not run as root; Anthill runs it by itself, use `anthill dev` instead", childCommand)
	}
	dir, cache, repository := args[0], args[1], args[2]
	who, err := chooseAccount()
	if err != nil {
		return err
	}

	// The parent never writes: the end of stdin is its own.
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel(errors.New("the parent process has ended"))
	}()

	bin, err := fetch(ctx, cache, repository, pins, func(line string) { _ = say(stdout, sayNote, line) })
	if err != nil {
		return err
	}
	in, err := finder{look: who.look}.examine(ctx, bin)
	if err != nil {
		return fmt.Errorf("the downloaded Postgres does not work here: %w", err)
	}
	h, err := openHome(dir, os.Getenv, who)
	if err != nil {
		return err
	}
	p, err := runPostgres(ctx, h, in, who, childEnv(os.Getenv, h.run))
	if err != nil {
		return errors.Join(err, h.close())
	}
	err = errors.Join(say(stdout, sayBin, in.bin), say(stdout, sayVersion, in.version),
		say(stdout, sayURL, withDatabase(p.base, "postgres")))
	if err == nil {
		select {
		case <-ctx.Done():
		case <-p.Done():
		}
	}
	return errors.Join(err, p.stop(), h.close())
}

func say(w io.Writer, key, text string) error {
	_, err := fmt.Fprintf(w, "%s %s\n", key, strconv.Quote(text))
	return err
}

// childProcess is the parent's view of a running Child.
type childProcess struct {
	cmd          *exec.Cmd
	stdin        io.Closer
	base         url.URL
	bin, version string
	done         chan struct{} // closed when it has ended
	err          error         // how it ended; to be read after done
}

// runChild starts Child as the account and returns once its Postgres answers. On error it has ended.
func runChild(ctx context.Context, h *home, o Options, who account) (*childProcess, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadLimit, fmt.Errorf("no Postgres within %s", downloadLimit))
	defer cancel()
	cache, err := openCache(o, h, who)
	if err != nil {
		return nil, err
	}
	self, err := reachableSelf(o.Self, h, who)
	if err != nil {
		return nil, err
	}
	repository := strings.TrimRight(o.Repository, "/")
	if repository == "" {
		repository = defaultRepository
	}

	cmd := exec.Command(self, childCommand, h.dir, cache, repository)
	cmd.Dir, cmd.Env = h.run, downloadEnv(o.Env, h.run)
	// The pipe tells it; a signal would keep it from stopping its server.
	cmd.SysProcAttr = attributes(who)
	cmd.WaitDelay = time.Second
	complaints := &lastBytes{}
	cmd.Stderr = complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", self, err)
	}

	c := &childProcess{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	heard := make(chan [2]string)
	// Closed when nobody takes from heard any more.
	listening := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			key, quoted, _ := strings.Cut(lines.Text(), " ")
			text, err := strconv.Unquote(quoted)
			if err != nil {
				// Not from Child: a test binary's "PASS", say.
				continue
			}
			select {
			case heard <- [2]string{key, text}:
			case <-listening:
			}
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	err = c.awaitReady(ctx, heard, o.Log, complaints)
	close(listening)
	if err != nil {
		_ = c.stop() // the error at hand says more
		return nil, err
	}
	return c, nil
}

func (c *childProcess) awaitReady(
	ctx context.Context, heard <-chan [2]string, log func(string), complaints *lastBytes,
) error {
	for {
		select {
		case line := <-heard:
			switch key, text := line[0], line[1]; key {
			case sayNote:
				log(text)
			case sayBin:
				c.bin = text
			case sayVersion:
				c.version = text
			case sayURL:
				base, err := url.Parse(text)
				if err != nil {
					return fmt.Errorf("read the child's address: %w", err)
				}
				c.base = *base
				return nil
			case sayError:
				return errors.New(text)
			}
		case <-c.done:
			how := "status 0"
			if c.err != nil {
				how = c.err.Error()
			}
			return fmt.Errorf("the child process %s %s ended (%s): %s", c.cmd.Path, childCommand, how,
				subprocess.Tail(complaints.bytes))
		case <-ctx.Done():
			return fmt.Errorf("wait for the download and start of Postgres: %w", context.Cause(ctx))
		}
	}
}

// stop tells the child to stop its server and waits for both.
func (c *childProcess) stop() error {
	early := false
	select {
	case <-c.done:
		early = true
	default:
	}
	// Nothing is written to it, so nothing can be lost.
	_ = c.stdin.Close()
	select {
	case <-c.done:
	case <-time.After(30 * time.Second): // longer than process.stop
		if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-c.done
	}
	switch {
	case early:
		return fmt.Errorf("the process that runs Postgres ended by itself: %w",
			errors.Join(c.err, errors.New("its databases are gone")))
	case c.err != nil:
		return fmt.Errorf("the process that runs Postgres: %w", c.err)
	}
	return nil
}

// openCache makes the directory for downloads, one for each user: nobody runs what another user could have put there.
func openCache(o Options, h *home, who account) (string, error) {
	base := o.Cache
	if base == "" {
		base = defaultCache(o.Env, h, who)
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	cache := filepath.Join(base, who.name)
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", fmt.Errorf("make the directory for downloads: %w", err)
	}
	if err := os.Mkdir(cache, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the directory for downloads: %w", err)
	}
	if err := who.give(cache); err != nil {
		return "", fmt.Errorf("give %s to user %s: %w", cache, who.name, err)
	}
	if err := who.mayEnter(cache); err != nil {
		return "", fmt.Errorf("%w, so it cannot keep downloads in %s", err, cache)
	}
	return cache, nil
}

// defaultCache falls back to the server's own directory where there is no lasting one; then every start downloads.
func defaultCache(env func(string) string, h *home, who account) string {
	switch {
	case who.switched:
		const system = "/var/cache"
		if info, err := os.Stat(system); err == nil && info.IsDir() {
			return filepath.Join(system, "anthill")
		}
	case env("XDG_CACHE_HOME") != "":
		return filepath.Join(env("XDG_CACHE_HOME"), "anthill")
	case env("HOME") != "":
		return filepath.Join(env("HOME"), ".cache", "anthill")
	}
	return filepath.Join(h.run, "cache")
}

// reachableSelf returns the program to run again, a copy of it where the account does not get to the original.
func reachableSelf(self string, h *home, who account) (string, error) {
	if self == "" {
		var err error
		if self, err = os.Executable(); err != nil {
			return "", fmt.Errorf("find the running program: %w", err)
		}
	}
	err := who.mayEnter(self)
	var closed *closedError
	if !errors.As(err, &closed) {
		return self, err
	}
	copied := filepath.Join(h.run, "anthill")
	if err := copyProgram(self, copied); err != nil {
		return "", fmt.Errorf("copy %s to where user %s gets to it: %w", self, who.name, err)
	}
	return copied, nil
}

func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // only read
	// Removed first: overwriting a program that still runs fails.
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// A process forked meanwhile would hold the copy open for writing for a moment, and nobody may run it then ("text
	// file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}

// downloadEnv is childEnv and what it takes to get to the repository.
func downloadEnv(env func(string) string, home string) []string {
	list := append(childEnv(env, home), childVariable+"=1")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"} {
		if value := env(name); value != "" {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ bytes []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	const most = 8 << 10
	l.bytes = append(l.bytes, p...)
	if len(l.bytes) > most {
		l.bytes = append([]byte(nil), l.bytes[len(l.bytes)-most:]...)
	}
	return len(p), nil
}
