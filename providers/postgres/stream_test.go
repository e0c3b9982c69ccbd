package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestUsersAhead reads the same rows as without, of the snapshot's moment, while the snapshot reads other things.
func TestUsersAhead(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 3, Users: 3000, Level: "dual"})
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := c.Exec(t.Context(), "update users set full_name = 'changed since'"); err != nil {
		t.Fatal(err)
	}
	s.Ahead(t.Context())
	s.Ahead(t.Context())
	if _, err := s.Tenants(t.Context()); err != nil {
		t.Fatal(err)
	}
	ahead := rowsOf(t, s)
	if len(ahead) != 3000 || ahead[0].FullName == "changed since" {
		t.Fatalf("%d rows, the first: %+v", len(ahead), ahead[0])
	}
	if diff := cmp.Diff(rowsOf(t, s), ahead); diff != "" {
		t.Errorf("ahead they are others (-want +got):\n%s", diff)
	}
}

func rowsOf(t *testing.T, s *Snapshot) (list []providers.User) {
	t.Helper()
	for u, err := range s.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	return list
}

// TestUsersCutShort: whoever misses rows believes that they are gone. What ends in the middle ends with an error, whichever
// context it was that ended.
func TestUsersCutShort(t *testing.T) {
	t.Parallel()
	p, _, _ := opened(t, sandbox.Options{Tenants: 3, Users: 3000, Level: "dual"})
	for name, ahead := range map[string]bool{"read when asked for": false, "begun ahead": true} {
		for _, which := range []string{"of the reading", "of all"} {
			t.Run(name+", "+which, func(t *testing.T) {
				s, err := p.Snapshot(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				all, cancel := context.WithCancel(t.Context())
				defer cancel()
				asked, end := all, cancel
				if which == "of the reading" {
					asked, end = context.WithCancel(all)
					defer end()
				}
				if ahead {
					s.Ahead(all)
				}
				n := 0
				var last error
				for _, err := range s.Users(asked) {
					if n++; n == 1 {
						end()
					}
					last = err
				}
				if whole := n == 3000 && last == nil; !whole && !errors.Is(last, context.Canceled) {
					t.Errorf("%d rows, and then: %v", n, last)
				}
			})
		}
	}
	// What nobody has asked for ends with the snapshot, and gives its connection back.
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Ahead(t.Context())
	s.Close()
	for range maxConns {
		conn, err := p.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
}

// TestSessionOfASnapshotEnds: whoever ends the session that a plan reads by has ended the connection, on every way to the rows.
func TestSessionOfASnapshotEnds(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 2, Users: 20, Level: "dual"})
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := c.Exec(t.Context(), "select pg_terminate_backend($1, 10000)", s.conn.Conn().PgConn().PID()); err != nil {
		t.Fatal(err)
	}
	s.Ahead(t.Context())
	for _, err := range s.Users(t.Context()) {
		if state.ErrorKindOf(err) != state.ErrorUnreachable {
			t.Errorf("error %v", err)
		}
	}
}
