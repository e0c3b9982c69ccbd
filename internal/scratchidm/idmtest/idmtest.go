// Package idmtest gives tests a real Self-auth server where there is one: the one that the environment names, else one
// of the test's own where this machine has the program. Where there is neither, a test's part on a real server is not
// run, and its log says so.
package idmtest

import (
	"errors"
	"os"
	"testing"

	"anthill/internal/scratchidm"
)

// Server says how to reach a server. Tokens and passwords that are not known are "".
type Server struct {
	URL, CAFile         string
	ReadWrite, ReadOnly string // tokens of an account with all rights
	IDMAdmin, Admin     string // passwords of idm_admin and admin
}

// Real returns what gives a test its server, and false where there is none. The server that ANTHILL_TEST_SELFAUTH_URL
// names is one for all: tests on it must take turns. With _TOKEN and _CA_FILE it can be used; SELF_AUTH_READ_TOKEN and
// SELF_AUTH_IDM_ADMIN_PASSWORD let tests see more of it.
func Real(t testing.TB) (get func(testing.TB) Server, ok bool) {
	t.Helper()
	if url := os.Getenv("ANTHILL_TEST_SELFAUTH_URL"); url != "" {
		named := Server{
			URL:       url,
			CAFile:    os.Getenv("ANTHILL_TEST_SELFAUTH_CA_FILE"),
			ReadWrite: os.Getenv("ANTHILL_TEST_SELFAUTH_TOKEN"),
			ReadOnly:  os.Getenv("SELF_AUTH_READ_TOKEN"),
			IDMAdmin:  os.Getenv("SELF_AUTH_IDM_ADMIN_PASSWORD"),
			Admin:     os.Getenv("SELF_AUTH_ADMIN_PASSWORD"),
		}
		return func(testing.TB) Server { return named }, true
	}
	return func(t testing.TB) Server {
		t.Helper()
		s := Start(t)
		rw, ro := s.Operator()
		idmAdmin, admin := s.Passwords()
		return Server{URL: s.URL(), CAFile: s.CAFile(), ReadWrite: rw, ReadOnly: ro, IDMAdmin: idmAdmin, Admin: admin}
	}, Here(t)
}

// Here says whether this machine has the program of a real server; where not, the test's log says so.
func Here(t testing.TB) bool {
	t.Helper()
	_, err := scratchidm.Find(os.Getenv)
	if errors.Is(err, scratchidm.ErrNone) {
		t.Logf("nothing is proved on a real Self-auth server: %v", err)
		return false
	} else if err != nil {
		t.Fatal(err)
	}
	return true
}

// Start starts a server that the test has for itself. It ends with the test.
func Start(t testing.TB) *scratchidm.Server {
	t.Helper()
	s, err := scratchidm.Start(t.Context(), scratchidm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
