package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/internal/scratchidm"
	"anthill/internal/selfauthd"
)

// The server to measure, as tests name it, and the command that makes it fresh. Without a URL each part has one of its
// own: a real one where this machine has the program, else the emulator.
const (
	urlVariable     = "ANTHILL_TEST_SELFAUTH_URL"
	tokenVariable   = "ANTHILL_TEST_SELFAUTH_TOKEN"
	caVariable      = "ANTHILL_TEST_SELFAUTH_CA_FILE"
	restartVariable = "ANTHILL_TEST_SELFAUTH_RESTART"
)

const (
	cleanPatience   = 10 * time.Minute // for taking away what was made, also after an interruption
	restartPatience = 2 * time.Minute
	deleteBatch     = 500 // persons; deleting is the dearest call of all
)

// target is a Self-auth server that one part of the benchmark has for itself.
type target struct {
	kind  string // "emulator" or "real"
	url   string
	token string
	roots *x509.CertPool
	leave func(context.Context, []note) error // by what went through the proxy
}

func openTarget(ctx context.Context) (*target, error) {
	if os.Getenv(urlVariable) != "" {
		return openNamed()
	}
	s, err := scratchidm.Start(ctx, scratchidm.Options{})
	if errors.Is(err, scratchidm.ErrNone) {
		fmt.Fprintf(os.Stderr, "bench: %v; measured is the emulator with a server's costs\n", err)
		return openEmulator()
	} else if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench: measured is", s.Describe())
	t := &target{kind: "real", url: s.URL(), roots: x509.NewCertPool()}
	t.leave = func(context.Context, []note) error { return s.Close() }
	t.token, _ = s.Operator()
	t.roots.AppendCertsFromPEM(s.CA())
	return t, nil
}

func openNamed() (*target, error) {
	t := &target{kind: "real", url: os.Getenv(urlVariable), token: os.Getenv(tokenVariable), roots: x509.NewCertPool()}
	if err := loopbackOnly(t.url); err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(os.Getenv(caVariable))
	if err != nil {
		return nil, fmt.Errorf("read the file that %s names: %w", caVariable, err)
	}
	if t.token == "" || !t.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s wants a token in %s and a PEM file in %s beside it", urlVariable, tokenVariable,
			caVariable)
	}
	t.leave = t.takeAway
	if command := os.Getenv(restartVariable); command != "" {
		t.leave = func(ctx context.Context, _ []note) error { return t.restart(ctx, command) }
	}
	return t, nil
}

func openEmulator() (*target, error) {
	d, err := selfauthd.Start(selfauthd.Options{Cost: "real"})
	if err != nil {
		return nil, err
	}
	leave := func(context.Context, []note) error { return d.Close() }
	t := &target{kind: "emulator", url: d.URL(), roots: x509.NewCertPool(), leave: leave}
	t.token, _ = d.Operator()
	t.roots.AppendCertsFromPEM(d.CA())
	return t, nil
}

// loopbackOnly: the benchmark fills a directory and empties it, which is nothing to do to anybody's server.
func loopbackOnly(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("%s holds no URL", urlVariable)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s names %s: the benchmark makes and deletes thousands of persons, and works on loopback "+
			"only", urlVariable, u.Hostname())
	}
	return nil
}

// restart runs the command that gives a fresh server at the same address.
func (t *target) restart(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, restartPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // no pipe, which a server that it leaves behind would keep open
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", restartVariable, err)
	}
	c := newClient(t.url, t.token, t.roots)
	defer c.close()
	for {
		_, err := c.version(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer after %s: %w", restartVariable, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// takeAway deletes those of the entries made that are still there, persons first: groups are dear while they are full.
func (t *target) takeAway(ctx context.Context, notes []note) error {
	c := newClient(t.url, t.token, t.roots)
	defer c.close()
	persons, groups := created(notes)
	there, err := present(ctx, c, "person", persons)
	if err != nil {
		return err
	}
	var errs []error
	for some := range slices.Chunk(there, deleteBatch) {
		errs = append(errs, c.marked(ctx, "/v1/raw/delete", some, nil))
	}
	if there, err = present(ctx, c, "group", groups); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, id := range there {
		errs = append(errs, c.deleteGroup(ctx, id))
	}
	return errors.Join(errs...)
}

func present(ctx context.Context, c *client, class string, of []uuid.UUID) ([]uuid.UUID, error) {
	all, err := c.ids(ctx, class)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(of), func(id uuid.UUID) bool { return !all[id] }), nil
}
