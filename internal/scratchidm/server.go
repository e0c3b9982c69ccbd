package scratchidm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"anthill/internal/selfauthd"
	"anthill/internal/subprocess"
)

const (
	// startLimit bounds the wait for the first answer, which takes a second or two on an idle machine.
	startLimit = 90 * time.Second
	// ports are how many are tried where another program takes one between our choice and the server's start.
	ports = 3
)

// Options are the choices of Start. The zero value is a good default.
type Options struct {
	// Dir keeps the server's data, certificate and address; a later Start finds them there again. Nobody else may use it
	// meanwhile. "" means a temporary directory that Close removes.
	Dir string
	// Env looks up ANTHILL_KANIDMD, PATH, HOME and TMPDIR. nil means os.Getenv.
	Env func(string) string
	// Prepare fills a new server; nil leaves it with its operator. A directory counts as kept when it is done.
	Prepare func(*Server) error
	// Log gets a line when the server is ready. nil means nobody listens. It is called by Start only.
	Log func(string)
}

// Server is a running one. Kill and Restart must not be called at the same time as other methods.
type Server struct {
	program     string
	env         func(string) string
	data        string // Options.Dir, or run
	run         string // temporary: home, socket, log and process id
	pages       bool   // for browsers
	ca          []byte
	kept        bool
	access      access
	client      *client
	process     *subprocess.Process // nil: not running
	watch       *subprocess.Watcher
	description string
	close       func() error
}

// Start finds the server's program, starts it on a free port of loopback and returns once it answers and its operator
// can work. ctx bounds the start only, not the server's life.
//
// On error nothing runs and no temporary directory is left. The error wraps ErrNone where this machine has no program.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	program, err := Find(o.Env)
	if err != nil {
		return nil, err
	}
	s := &Server{program: program, env: o.Env}
	s.close = sync.OnceValue(s.end)
	if err := s.start(ctx, o); err != nil {
		return nil, fmt.Errorf("start the Self-auth server %s: %w", program, errors.Join(err, s.close()))
	}
	if o.Log != nil {
		o.Log(s.description)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) (err error) {
	if err := s.makeDirectories(o.Dir); err != nil {
		return err
	}
	s.watch, err = subprocess.Watch(subprocess.Watched{PIDFile: s.pidFile(), Signal: "TERM", Remove: []string{s.run}},
		subprocess.Attributes(), s.environment())
	if err != nil {
		return err
	}
	if s.kept {
		err = s.serveAsItCan(ctx)
	} else {
		err = s.setUp(ctx, o.Prepare)
	}
	if err != nil {
		return err
	}
	version, err := s.client.version(ctx, s.access.ReadWrite)
	s.description = fmt.Sprintf("Kanidm %s, %s", version, s.program)
	if !s.pages {
		s.description += ", without pages for browsers"
	}
	return err
}

// setUp starts a server on an empty directory, lets the operator in and has it filled.
func (s *Server) setUp(ctx context.Context, prepare func(*Server) error) error {
	certificate, key, ca, err := selfauthd.NewCertificate()
	if err != nil {
		return err
	}
	s.ca = ca
	if err := errors.Join(os.WriteFile(s.chainFile(), bytes.Join([][]byte{certificate, ca}, nil), 0o600),
		os.WriteFile(s.keyFile(), key, 0o600), os.WriteFile(s.CAFile(), ca, 0o600)); err != nil {
		return err
	}
	for try := 1; ; try++ {
		if s.access.Port, err = freePort(); err != nil {
			return err
		}
		err = s.serveAsItCan(ctx)
		if err == nil {
			break
		}
		if try == ports || isFree(s.access.Port) {
			return err
		}
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(s); err != nil {
			return err
		}
	}
	text, err := json.Marshal(s.access)
	if err != nil {
		return err
	}
	return os.WriteFile(s.keptFile(), text, 0o600)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}

// serveAsItCan is serve, without pages where the server ends by itself with them.
func (s *Server) serveAsItCan(ctx context.Context) error {
	err := s.serve(ctx)
	if err == nil || !s.pages || s.process != nil || !isFree(s.access.Port) {
		return err
	}
	s.pages = false
	return s.serve(ctx)
}

// serve starts the server on the directory and the port, and returns once it answers.
func (s *Server) serve(ctx context.Context) (err error) {
	if err := os.WriteFile(s.configFile(), []byte(s.configuration()), 0o600); err != nil {
		return err
	}
	if s.client != nil {
		s.client.close()
	}
	s.client = newClient(s.URL(), s.ca)
	cmd := s.command(context.WithoutCancel(ctx), "server", "-c", s.configFile())
	cmd.SysProcAttr = subprocess.Attributes()
	if s.process, err = subprocess.Start("the Self-auth server", cmd, filepath.Join(s.run, "log")); err != nil {
		return err
	}
	if err := os.WriteFile(s.pidFile(), []byte(strconv.Itoa(s.process.PID())+"\n"), 0o600); err != nil {
		return err
	}
	return s.awaitReady(ctx)
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("no answer within %s", startLimit))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.client.call(ctx, http.MethodGet, "/status", "", nil, nil)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			ended := s.process.Ended()
			s.process = nil
			return errors.Join(ended, os.Remove(s.pidFile()))
		case <-ctx.Done():
			return fmt.Errorf("wait for it to answer: %w; the last try: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// command is the server's program. It must not see our environment, where KANIDM_ variables would change what it does.
func (s *Server) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Dir, cmd.Env = s.workDir(), s.environment()
	return cmd
}

func (s *Server) environment() []string {
	return []string{"LC_ALL=C", "TZ=UTC", "HOME=" + s.run, "PATH=" + s.env("PATH")}
}

// URL is the server's address.
func (s *Server) URL() string { return fmt.Sprintf("https://localhost:%d", s.access.Port) }

// CA is the PEM of the authority that clients must trust.
func (s *Server) CA() []byte { return s.ca }

// CAFile holds CA, until Close unless the directory is kept.
func (s *Server) CAFile() string { return filepath.Join(s.data, "ca.pem") }

// Passwords are those of the two built-in accounts.
func (s *Server) Passwords() (idmAdmin, admin string) { return s.access.IDMAdmin, s.access.Admin }

// Operator returns the read-write and the read-only token of the service account operator_svc, which has every right
// that Anthill needs.
func (s *Server) Operator() (readWrite, readOnly string) {
	return s.access.ReadWrite, s.access.ReadOnly
}

// Kept says whether the data was found in Options.Dir.
func (s *Server) Kept() bool { return s.kept }

// Describe returns version and program in one line without a full stop.
func (s *Server) Describe() string { return s.description }

// Kill ends the server at once, as a crash would. Restart brings it back.
func (s *Server) Kill() error {
	return s.stop(subprocess.Step{Signal: syscall.SIGKILL, Patience: 5 * time.Second})
}

// Restart starts a killed server with the data and at the address that it had, and returns once it answers.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.serve(ctx); err != nil {
		return fmt.Errorf("restart the Self-auth server: %w", err)
	}
	return nil
}

// Close ends the server and removes what is temporary. It is safe to call twice, and reports a server that had ended by
// itself, too.
func (s *Server) Close() error { return s.close() }

func (s *Server) end() error {
	var errs []error
	if s.process != nil {
		errs = append(errs, s.stop(subprocess.Step{Signal: syscall.SIGTERM, Patience: 10 * time.Second},
			subprocess.Step{Signal: syscall.SIGKILL, Patience: 5 * time.Second}))
	}
	if s.client != nil {
		s.client.close()
	}
	if s.run != "" {
		errs = append(errs, os.RemoveAll(s.run))
	}
	if s.watch != nil {
		errs = append(errs, s.watch.Release())
	}
	return errors.Join(errs...)
}

// stop ends the process and takes its id out of the watcher's sight: it may soon be another's.
func (s *Server) stop(steps ...subprocess.Step) error {
	err := s.process.Stop(steps...)
	s.process = nil
	return errors.Join(err, os.Remove(s.pidFile()))
}
