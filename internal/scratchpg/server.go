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
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options say how to start a server; the zero value is a temporary one.
type Options struct {
	Dir        string              // keep data and socket there; "" = a new temporary directory that Stop removes
	Env        func(string) string // nil = os.Getenv; ANTHILL_PG_BIN names the directory of the programs, "download" forces a download
	Log        func(string)        // one plain line per noteworthy event; may be nil
	Self       string              // program to run again for the download child; "" = os.Executable()
	Repository string              // base URL of the download; "" = the one that embedded-postgres uses
	Cache      string              // where downloads are kept; "" = the cache folder of the user, /var/cache/anthill for root
}

// Server is a running throw-away Postgres. Safe for concurrent use.
type Server struct {
	dir      string
	temp     bool
	base     *url.URL // of the database postgres
	describe string
	stop     func() error
	once     sync.Once
	stopErr  error
}

const startTimeout = 60 * time.Second

// Start starts a server and returns when it answers a query.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	id, err := pick()
	if err != nil {
		return nil, err
	}
	dir, temp, err := makeDir(o.Dir, id)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, temp: temp}
	bin, err := find(o.Env)
	if errors.Is(err, errNoBinaries) {
		err = s.startDownloaded(ctx, o, id)
	} else if err == nil {
		err = s.startLocal(ctx, bin, id)
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("start a throw-away PostgreSQL: %w", err)
	}
	o.Log(s.describe)
	return s, nil
}

// makeDir makes a directory that the children's user can reach: below /tmp for root, since every parent must be
// traversable, and short, since a socket's path has 107 bytes.
func makeDir(dir string, id *identity) (string, bool, error) {
	temp := dir == ""
	var err error
	if temp {
		base := ""
		if id != nil {
			base = "/tmp"
		}
		dir, err = os.MkdirTemp(base, "anthill-pg-")
	} else {
		if dir, err = filepath.Abs(dir); err == nil {
			err = os.MkdirAll(dir, 0o700)
		}
	}
	if err == nil {
		err = id.own(dir)
	}
	if err != nil {
		return "", false, fmt.Errorf("directory for a throw-away PostgreSQL: %w", err)
	}
	return dir, temp, nil
}

func (s *Server) startLocal(ctx context.Context, bin string, id *identity) error {
	data := filepath.Join(s.dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err != nil {
		if err := s.initdb(ctx, bin, data, id); err != nil {
			return err
		}
	}
	cmd := s.command(bin, id, "postgres", "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-F",
		"-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=60", "-c", "logging_collector=off")
	var log tail
	cmd.Stdout, cmd.Stderr = &log, &log
	ended, err := startLocked(cmd)
	if err != nil {
		return reach(err, bin)
	}
	s.stop = func() error {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		return nil
	}
	s.base = &url.URL{Scheme: "postgres", User: url.User("anthill"), Path: "/postgres", RawQuery: url.Values{"host": {s.dir}}.Encode()}
	v, err := s.await(ctx, ended, &log)
	if err != nil {
		return err
	}
	s.describe = fmt.Sprintf("PostgreSQL %s from %s, as %s", v, bin, id)
	return nil
}

func (s *Server) initdb(ctx context.Context, bin, data string, id *identity) error {
	cmd := s.command(bin, id, "initdb", "-D", data, "-U", "anthill", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := startLocked(cmd)
	if err != nil {
		return reach(err, bin)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-ended
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("initdb: %s: %s", cmd.ProcessState, out.last())
	}
	return nil
}

// command is a child with a short environment: whatever PG* variables the caller has must not reach it.
func (s *Server) command(bin string, id *identity, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "HOME=" + s.dir, "PATH=" + bin + ":/usr/bin:/bin"}
	id.apply(cmd)
	return cmd
}

// startLocked starts a command from a thread that stays until the command has ended: the death of that thread is what
// ends the child (endWithParent). The channel is closed when the child has been waited for.
func startLocked(cmd *exec.Cmd) (<-chan struct{}, error) {
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	return ended, <-started
}

// reach explains a start that fails although the program is there: a parent directory that the other user may not
// enter.
func reach(err error, bin string) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w (can the user that it runs as enter %s and the directory for its data?)", err, bin)
	}
	return err
}

// await retries a query until it is answered, and returns the server's version.
func (s *Server) await(ctx context.Context, ended <-chan struct{}, log *tail) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := s.version(ctx)
		if err == nil {
			return v, nil
		}
		select {
		case <-ended:
			return "", fmt.Errorf("it ended at once: %s", log.last())
		case <-ctx.Done():
			return "", fmt.Errorf("it does not answer: %w: %s", err, log.last())
		case <-tick.C:
		}
	}
}

func (s *Server) version(ctx context.Context) (v string, err error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, "show server_version").Scan(&v)
	v, _, _ = strings.Cut(v, " ")
	return v, err
}

// URL is the address of a database, for pgx and psql alike.
func (s *Server) URL(database string) string {
	u := *s.base
	u.Path = "/" + database
	return u.String()
}

// Describe says which server this is and as whom it runs, for people.
func (s *Server) Describe() string { return s.describe }

// CreateDatabase creates a database, as a copy of template unless that is "".
func (s *Server) CreateDatabase(ctx context.Context, name, template string) error {
	sql := "create database " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " template " + pgx.Identifier{template}.Sanitize()
	}
	return s.exec(ctx, sql)
}

// DropDatabase drops a database and ends its sessions.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
}

func (s *Server) exec(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	return err
}

// Stop ends the server, fast, and removes its directory if that is temporary. It may be called again.
func (s *Server) Stop() error {
	s.once.Do(func() {
		if s.stop != nil {
			s.stopErr = s.stop()
		}
		if s.temp {
			s.stopErr = errors.Join(s.stopErr, os.RemoveAll(s.dir))
		}
	})
	return s.stopErr
}

// tail keeps the last few kilobytes of what a child prints.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - 8192; n > 0 {
		t.buf = t.buf[n:]
	}
	return len(p), nil
}

// last are the last three lines.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.buf), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-3):], []byte(" / ")))
}
