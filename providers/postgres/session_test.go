package postgres

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// hostile are settings that an administrator may have good reasons for, in the application's sessions.
var hostile = map[string]string{
	"row_security":                        "on",
	"client_encoding":                     "LATIN1",
	"DateStyle":                           "German, DMY",
	"standard_conforming_strings":         "off",
	"default_transaction_isolation":       "serializable",
	"statement_timeout":                   "1s",
	"idle_in_transaction_session_timeout": "1s",
	"idle_session_timeout":                "1s",
	"lock_timeout":                        "10ms",
	"TimeZone":                            "Asia/Kathmandu",
	"search_path":                         "public, nowhere",
}

// settled is what our sessions have of them. The order of dates, the time zone and the search path are the
// application's.
var settled = map[string]string{
	"row_security":                        "off",
	"client_encoding":                     "UTF8",
	"DateStyle":                           "ISO, DMY",
	"standard_conforming_strings":         "on",
	"default_transaction_isolation":       "read committed",
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	"lock_timeout":                        lockTimeout,
	"TimeZone":                            "Asia/Kathmandu",
	"search_path":                         "public, nowhere",
}

// TestSettings: whatever role, database or URL say, each connection of the pool has the settings that we rely on.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, hostileURL := range map[string]func(t *testing.T, exec func(string), at string) string{
		"role": func(t *testing.T, exec func(string), at string) string {
			role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			exec("create role " + role + " superuser login")
			t.Cleanup(func() { exec("drop role " + role) })
			for k, v := range hostile {
				if k != "search_path" {
					v = literal(v)
				}
				exec("alter role " + role + " set " + k + " = " + v)
			}
			return strings.Replace(at, "anthill@", role+"@", 1)
		},
		"database": func(_ *testing.T, exec func(string), at string) string {
			for k, v := range hostile {
				if k != "search_path" {
					v = literal(v)
				}
				exec("do $$ begin execute format('alter database %I set " + k + " = " + strings.ReplaceAll(v, "'", "''") +
					"', current_database()); end $$")
			}
			return at
		},
		"URL": func(_ *testing.T, _ func(string), at string) string {
			for k, v := range hostile {
				at += "&" + k + "=" + strings.ReplaceAll(url.QueryEscape(v), "+", "%20")
			}
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.Database(t)
			if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5, Level: "dual"}); err != nil {
				t.Fatal(err)
			}
			exec := func(sql string) {
				c, err := pgx.Connect(context.Background(), at)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(context.Background())
				if _, err := c.Exec(context.Background(), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			p, err := Open(t.Context(), Options{URL: hostileURL(t, exec, at), Naming: "self_auth", Application: "anthill test"})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range maxConns {
				conn, err := p.pool.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Release()
				got := map[string]string{}
				for k := range settled {
					var v string
					if err := conn.QueryRow(t.Context(), "select current_setting($1)", k).Scan(&v); err != nil {
						t.Fatal(err)
					}
					got[k] = v
				}
				if diff := cmp.Diff(settled, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

func TestMajor(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{"15.18 (Debian 15.18-0+deb12u1)": 15, "18beta1": 18, "9.6.24": 9, "": 0} {
		if got := major(version); got != want {
			t.Errorf("%q: %d, want %d", version, got, want)
		}
	}
	for version, want := range map[int]int{13: 8, 14: 9, 17: 10} {
		if got := strings.Count(settings(version), "set "); got != want {
			t.Errorf("version %d: %d settings, want %d", version, got, want)
		}
	}
}

// TestPooler refuses a pooler that gives each transaction another session, before a setting has reached the session of
// somebody else; one that keeps a session for each connection is as good as the server.
func TestPooler(t *testing.T) {
	t.Parallel()
	for name, sessions := range map[string]bool{"of transactions": false, "of sessions": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.Database(t)
			if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
				t.Fatal(err)
			}
			b := startPooler(t, at, sessions)
			p, err := Open(t.Context(), Options{URL: b.url, Naming: "self_auth", Application: "anthill test"})
			if sessions {
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if _, err := p.Inspect(t.Context()); err != nil {
					t.Fatal(err)
				}
				return
			}
			if state.ErrorKindOf(err) != state.ErrorMissing || !strings.Contains(err.Error(), "pool_mode = session") {
				t.Fatal(err)
			}
			results, err := b.shared.Exec(t.Context(), "show row_security").ReadAll()
			if err != nil || string(results[0].Rows[0][0]) != "on" {
				t.Errorf("a setting reached a session of others: %v, %v", results, err)
			}
		})
	}
}

// pooler stands between, as pgbouncer does: connections are told a number of the pooler's own.
type pooler struct {
	t      *testing.T
	at     string // of the server
	url    string
	turn   sync.Mutex     // who has the shared session
	shared *pgconn.PgConn // of all connections; nil: each has its own
}

func startPooler(t *testing.T, at string, sessions bool) *pooler {
	t.Helper()
	b := &pooler{t: t, at: at}
	if !sessions {
		b.shared = b.session()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		clients.Wait()
	})
	clients.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer c.Close()
				b.serve(c)
			})
		}
	})
	b.url = fmt.Sprintf("postgres://anthill@%s/pooled?sslmode=disable", l.Addr())
	return b
}

// session is a session of the server. It ends with the test.
func (b *pooler) session() *pgconn.PgConn {
	s, err := pgconn.Connect(context.Background(), b.at)
	if err != nil {
		b.t.Error(err)
		return nil
	}
	b.t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// serve passes on what a connection sends, a transaction at a time where the session is shared.
func (b *pooler) serve(c net.Conn) {
	client := pgproto3.NewBackend(c, c)
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "15.0"})
	client.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	client.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() != nil {
		return
	}
	server := b.shared
	if server == nil {
		server = b.session()
	}
	mine := false
	for {
		m, err := client.Receive()
		if _, ends := m.(*pgproto3.Terminate); err != nil || ends {
			break
		}
		if !mine {
			b.turn.Lock()
			mine = true
		}
		server.Frontend().Send(m)
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		idle, err := pass(server.Frontend(), client)
		if err != nil {
			break
		}
		if idle {
			mine = false
			b.turn.Unlock()
		}
	}
	if mine {
		b.turn.Unlock()
	}
}

// pass passes on the answers up to the end of a statement, and says whether a transaction has ended with it.
func pass(server *pgproto3.Frontend, client *pgproto3.Backend) (idle bool, err error) {
	if err := server.Flush(); err != nil {
		return false, err
	}
	for {
		m, err := server.Receive()
		if err != nil {
			return false, err
		}
		client.Send(m)
		if r, ready := m.(*pgproto3.ReadyForQuery); ready {
			return r.TxStatus == 'I', client.Flush()
		}
	}
}
