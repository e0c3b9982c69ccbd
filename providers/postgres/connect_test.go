package postgres

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// refuser is a server that answers every connection with one error.
func refuser(t *testing.T, e pgproto3.ErrorResponse) (address string) {
	t.Helper()
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
			client := pgproto3.NewBackend(c, c)
			if m, err := client.ReceiveStartupMessage(); err == nil {
				if _, tls := m.(*pgproto3.SSLRequest); tls {
					_, _ = c.Write([]byte("N"))
					_, _ = client.ReceiveStartupMessage()
				}
				client.Send(&e)
				_ = client.Flush()
			}
			c.Close()
		}
	})
	return l.Addr().String()
}

// TestRefusals: each reason not to let us in has its words, and none repeats what the server says, which may repeat the password.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, routine, message, want string
		kind                         state.ErrorKind
	}{
		{"28P01", "auth_failed", `password authentication failed for user "app"`, "wrong password for role app, or there is no such role", state.ErrorUnauthenticated},
		{"28000", "InitializeSessionUserId", `role "app" does not exist`, "there is no such role, or it may not log in: role app", state.ErrorUnauthenticated},
		{"28000", "InitializeSessionUserId", `role "app" is not permitted to log in`, "or it may not log in", state.ErrorUnauthenticated},
		{"28000", "ClientAuthentication", `no pg_hba.conf entry for host "10.0.0.1", user "app", database "db", no encryption`, "pg_hba.conf of the server does not let in role app to database db", state.ErrorUnauthenticated},
		{"28000", "ClientAuthentication", `kein pg_hba.conf-Eintrag`, "pg_hba.conf of the server does not let in", state.ErrorUnauthenticated},
		{"28000", "ClientAuthentication", `connection requires a valid client certificate`, "wants a certificate of role app", state.ErrorUnauthenticated},
		{"28000", "auth_failed", `Peer authentication failed for user "app"`, "does not take role app for who it says it is", state.ErrorUnauthenticated},
		{"3D000", "InitPostgres", `database "db" does not exist`, "there is no such database: database db", state.ErrorUnreachable},
		{"42501", "CheckMyDatabase", `permission denied for database "db"`, "GRANT CONNECT ON DATABASE \"db\" TO \"app\";", state.ErrorDenied},
		{"55000", "CheckMyDatabase", `database "db" is not currently accepting connections`, "database db lets nobody in", state.ErrorUnreachable},
		{"53300", "InitProcess", `sorry, too many clients already`, "no connection left", state.ErrorUnreachable},
		{"53300", "InitializeSessionUserId", `too many connections for role "app"`, "no connection left", state.ErrorUnreachable},
		{"57P03", "ProcessStartupPacket", `the database system is starting up`, "is starting, stopping or recovering", state.ErrorUnreachable},
		{"57P03", "ProcessStartupPacket", `the database system is in recovery mode`, "is starting, stopping or recovering", state.ErrorUnreachable},
		{"57P01", "ProcessInterrupts", `terminating connection due to administrator command`, "ended the connection", state.ErrorUnreachable},
		{"08P01", "", `no such database: db`, "the pooler there knows no such database: database db", state.ErrorUnreachable},
		{"08P01", "", `no such user: app`, "or the pooler there does not know it", state.ErrorUnauthenticated},
		{"08P01", "", `query_wait_timeout`, "no session of the server left", state.ErrorUnreachable},
		{"08P01", "", `no more connections allowed (max_client_conn)`, "takes no more connections", state.ErrorUnreachable},
		{"08P01", "", `transaction blocks not allowed in statement pooling mode`, "pool_mode = session", state.ErrorMissing},
		{"08P01", "", `SSL required`, "wants TLS", state.ErrorUnreachable},
		{"08P01", "", `unsupported startup parameter: search_path`, `does not pass on the option "search_path" of DATABASE_URL`, state.ErrorMissing},
		{"08P01", "", `something else`, "SQLSTATE 08P01", state.ErrorUnreachable},
		{"42704", "", `unrecognized configuration parameter "search_path"`, `the option "search_path" of DATABASE_URL is no setting of Postgres`, state.ErrorMissing},
		{"22023", "", `invalid value for parameter "search_path": "x"`, `does not take the value of the option "search_path"`, state.ErrorMissing},
		{"42704", "", `unrecognized configuration parameter "nothing of ours"`, "the server does not know a setting that DATABASE_URL names", state.ErrorMissing},
		{"XX000", "", `internal`, "SQLSTATE XX000", state.ErrorUnreachable},
		{"0A000", "", `not supported`, "SQLSTATE 0A000", state.ErrorUnreachable},
	} {
		t.Run(c.message, func(t *testing.T) {
			t.Parallel()
			at := refuser(t, pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: c.code, Routine: c.routine,
				Message: c.message, Detail: "secretTail", Hint: "secretTail"})
			for _, mode := range []string{"", "&sslmode=disable"} {
				_, err := Open(t.Context(), Options{URL: "postgres://app:secretTail@" + at + "/db?search_path=secretTail" + mode, Naming: "self_auth"})
				if state.ErrorKindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secretTail") {
					t.Errorf("%v, want %q", err, c.want)
				}
				var e *state.Error
				if errors.As(err, &e) && (e.Cure == "" || e.Err != nil) {
					t.Errorf("cure %q, cause %v", e.Cure, e.Err)
				}
			}
		})
	}
	// A message that repeats what it was sent shows nothing of it.
	for i, message := range []string{`unsupported startup parameter: secretTail`, `unrecognized configuration parameter "secretTail"`,
		`database "secretTail" does not exist`, `no such database: secretTail`, `no pg_hba.conf entry for host "secretTail"`} {
		code := []string{"08P01", "42704", "3D000", "08P01", "28000"}[i]
		at := refuser(t, pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
		host, port, _ := net.SplitHostPort(at)
		_, err := Open(t.Context(), Options{URL: fmt.Sprintf("host=%s port=%s user=app dbname=db password=my secretTail=x", host, port), Naming: "self_auth"})
		if err == nil || strings.Contains(err.Error(), "secretTail") {
			t.Error(err)
		}
	}
}

// TestLaterConnections: what is said of a connection that is lost later is ours as well.
func TestLaterConnections(t *testing.T) {
	t.Parallel()
	config, _, err := parse("postgres://app:secretTail@db.invalid/db")
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgconn.ConnectConfig(t.Context(), &config.ConnConfig.Config)
	got := fail("read tenants", err)
	if state.ErrorKindOf(got) != state.ErrorUnreachable || !strings.Contains(got.Error(), "connect to db.invalid:5432: no such host is known") {
		t.Error(got)
	}
}

// TestOnlyReads: where nothing can be written, it is enough to plan, and what is in the way is named.
func TestOnlyReads(t *testing.T) {
	t.Parallel()
	at := pgtest.Database(t)
	if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), Options{URL: at + "&default_transaction_read_only=on", Naming: "self_auth"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reads(t, p, 5)
	err = p.MayWrite(t.Context())
	if state.ErrorKindOf(err) != state.ErrorDenied || !strings.Contains(err.Error(), "role anthill only reads here: default_transaction_read_only is on") {
		t.Error(err)
	}
}
