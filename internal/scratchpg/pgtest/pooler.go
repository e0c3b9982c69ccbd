package pgtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Pooling says how a pooler gives the sessions of the server to its connections.
type Pooling struct {
	Sessions   int  // that all connections share, a transaction at a time; 0: each connection has one of its own
	Rested     bool // the session that has rested longest is the next, not the one that was used last
	Statements bool // no transaction is begun by a connection (pool_mode = statement)
	Tells      bool // connections are told the number of a session of the server, and not one of the pooler's own

	Password string      // that a connection must say; "": none
	TLS      *tls.Config // nil: there is no TLS
}

// Pooler stands between connections and the server, as pgbouncer does.
type Pooler struct {
	Pooling
	URL string // where it listens

	t      testing.TB
	at     string // URL of the server
	given  *sync.Cond
	idle   []*pgconn.PgConn
	shared []*pgconn.PgConn
}

// StartPooler starts one that ends with the test.
func StartPooler(t testing.TB, at string, how Pooling) *Pooler {
	t.Helper()
	p := &Pooler{Pooling: how, t: t, at: at, given: sync.NewCond(&sync.Mutex{})}
	for range how.Sessions {
		s := p.session()
		if s == nil {
			t.FailNow()
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		p.shared = append(p.shared, s)
	}
	p.idle = append(p.idle, p.shared...)
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
				p.serve(c)
			})
		}
	})
	p.URL = fmt.Sprintf("postgres://anthill@%s/pooled?sslmode=disable", l.Addr())
	return p
}

// Show is what a statement with one value says in each session that is shared.
func (p *Pooler) Show(sql string) (list []string) {
	p.t.Helper()
	for range p.shared {
		s := p.take()
		defer p.give(s)
		results, err := s.Exec(context.Background(), sql).ReadAll()
		if err != nil {
			p.t.Fatal(err)
		}
		list = append(list, string(results[0].Rows[0][0]))
	}
	return list
}

// session is a session of the server, which the caller closes; nil: there is none, and the test has failed.
func (p *Pooler) session() *pgconn.PgConn {
	s, err := pgconn.Connect(context.Background(), p.at)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	return s
}

func (p *Pooler) take() *pgconn.PgConn {
	p.given.L.Lock()
	defer p.given.L.Unlock()
	for len(p.idle) == 0 {
		p.given.Wait()
	}
	next := len(p.idle) - 1
	if p.Rested {
		next = 0
	}
	s := p.idle[next]
	p.idle = append(p.idle[:next:next], p.idle[next+1:]...)
	return s
}

func (p *Pooler) give(s *pgconn.PgConn) {
	p.given.L.Lock()
	defer p.given.L.Unlock()
	p.idle = append(p.idle, s)
	p.given.Signal()
}

// serve passes on what a connection sends, a transaction at a time where sessions are shared.
func (p *Pooler) serve(c net.Conn) {
	client, err := p.greet(c)
	if err != nil {
		return
	}
	var server *pgconn.PgConn // while a transaction lasts, or the connection
	if p.Sessions == 0 {
		if server = p.session(); server == nil {
			return
		}
		defer server.Close(context.Background())
	}
	pid := uint32(1)
	switch {
	case p.Tells && server != nil:
		pid = server.PID()
	case p.Tells:
		s := p.take()
		pid = s.PID()
		p.give(s)
	}
	for _, m := range []pgproto3.BackendMessage{
		&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "15.0"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.BackendKeyData{ProcessID: pid, SecretKey: []byte{0, 0, 0, 1}}, &pgproto3.ReadyForQuery{TxStatus: 'I'},
	} {
		client.Send(m)
	}
	if client.Flush() != nil {
		return
	}
	for {
		m, err := client.Receive()
		if _, ends := m.(*pgproto3.Terminate); err != nil || ends {
			break
		}
		if server == nil {
			server = p.take()
		}
		server.Frontend().Send(m)
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync, *pgproto3.CopyDone, *pgproto3.CopyFail:
		default:
			continue
		}
		status, err := pass(server.Frontend(), client)
		if err != nil {
			break
		}
		if p.Statements && status != 'I' {
			client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01",
				Message: "transaction blocks not allowed in statement pooling mode"})
			_ = client.Flush() // the connection ends anyway
			break
		}
		if p.Sessions > 0 && status == 'I' {
			p.give(server)
			server = nil
		}
	}
	if p.Sessions > 0 && server != nil {
		_, _ = server.Exec(context.Background(), "rollback").ReadAll() // where it was lost, the next will find out
		p.give(server)
	}
}

// greet takes a connection in, up to its password.
func (p *Pooler) greet(c net.Conn) (*pgproto3.Backend, error) {
	client := pgproto3.NewBackend(c, c)
	for {
		m, err := client.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		switch m.(type) {
		case *pgproto3.SSLRequest:
			if p.TLS == nil {
				_, err = c.Write([]byte("N"))
				break
			}
			if _, err = c.Write([]byte("S")); err == nil {
				c = tls.Server(c, p.TLS)
				client = pgproto3.NewBackend(c, c)
			}
		case *pgproto3.StartupMessage:
			if p.Password == "" {
				return client, nil
			}
			return client, p.password(client)
		default:
			return nil, fmt.Errorf("a connection begins with %T", m)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *Pooler) password(client *pgproto3.Backend) error {
	client.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := errors.Join(client.Flush(), client.SetAuthType(pgproto3.AuthTypeCleartextPassword)); err != nil {
		return err
	}
	m, err := client.Receive()
	if err != nil {
		return err
	}
	if said, ok := m.(*pgproto3.PasswordMessage); ok && said.Password == p.Password {
		return nil
	}
	client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "28P01", Message: "password authentication failed"})
	return errors.Join(client.Flush(), errors.New("a wrong password"))
}

// pass passes on the answers up to the end of a statement, or to where rows are copied in, and says how the transaction stands.
func pass(server *pgproto3.Frontend, client *pgproto3.Backend) (status byte, err error) {
	if err := server.Flush(); err != nil {
		return 0, err
	}
	for {
		m, err := server.Receive()
		if err != nil {
			return 0, err
		}
		client.Send(m)
		switch m := m.(type) {
		case *pgproto3.ReadyForQuery:
			return m.TxStatus, client.Flush()
		case *pgproto3.CopyInResponse: // the end comes after what the connection sends now
			return 'T', client.Flush()
		}
	}
}
