package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/state"
)

// Options say where the database is and how it is spelled.
type Options struct {
	URL         string // as pgx takes it, URL or keywords. Secret.
	Naming      string // "self_auth" or "kanidm"
	Application string // application_name
	Archive     string // schema of what dropped columns held, that of the recorded state; "" is "anthill_state"
}

// Provider is the application's database. Safe for concurrent use.
type Provider struct {
	pool    *pgxpool.Pool
	names   *names
	host    string      // for people
	dual    atomic.Bool // the columns of the dual schema are there; set by Inspect, Upgrade and Downgrade
	methods atomic.Bool // sessions say their method; set by Inspect
	fence   func(context.Context, state.Tx) error
	archive pgx.Identifier // table of what dropped columns held
}

// Open connects and finds the tables by the connection's search path. *state.Error when nobody answers or the role is
// refused; what is wrong with the tables is told by Inspect.
func Open(ctx context.Context, o Options) (*Provider, error) {
	n, err := preset(o.Naming)
	if err != nil {
		return nil, err
	}
	if trimmed := strings.TrimSpace(o.URL); scheme.MatchString(trimmed) {
		o.URL = trimmed // a line of a file ends in a newline
	}
	character, known := misread(o.URL)
	switch {
	case !known:
		return nil, &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "read the database's URL",
			Reason: "it begins neither as a URL of Postgres nor as key=value",
			Cure: "DATABASE_URL begins with postgres:// or postgresql://, in small letters, without a driver's name and without " +
				"quotes around it.",
		}
	case character != "":
		return nil, &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "read the database's URL",
			Reason: fmt.Sprintf("a character of its password or role is not percent-encoded: %q is %%%02X", character, character),
			Cure:   "Nothing of it is shown here, as what comes behind that would count as the host.",
		}
	}
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// The parser's own text may repeat what it could not take apart, a password among it.
		return nil, &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "read the database's URL",
			Reason: "it is not a connection string",
			Cure: "DATABASE_URL looks like postgres://role:password@host:5432/database?sslmode=verify-full; " +
				"special characters in a password are percent-encoded.",
		}
	}
	config.MaxConns = maxConns
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.RuntimeParams["application_name"] = o.Application
	// By statements, and not as parameters of the connection: a pooler may refuse those.
	config.AfterConnect = prepare
	p := &Provider{names: n, host: hostOf(config.ConnConfig.Host, config.ConnConfig.Port),
		archive: pgx.Identifier{cmp.Or(o.Archive, "anthill_state"), "archive"}}
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fail("connect to "+p.host, err)
	}
	// The pool connects when it is first used: a wrong address or password is better found now.
	if err := p.pool.Ping(ctx); err != nil {
		p.pool.Close()
		return nil, unreachable(p.host, err)
	}
	if err := p.find(ctx); err != nil {
		p.pool.Close()
		return nil, err
	}
	return p, nil
}

// Close ends all connections.
func (p *Provider) Close() { p.pool.Close() }

// Pool is the pool of connections, for the recorded state in the same database. Close closes it.
func (p *Provider) Pool() *pgxpool.Pool { return p.pool }

// UsersTable is the table of users with its schema, and some of its columns.
type UsersTable struct {
	Table                                              []string
	ID, Tenant, Link, LinkedAt, CompletedAt, InvitedAt string
}

// UsersTable names the table of users.
func (p *Provider) UsersTable() UsersTable {
	c := p.names.columns
	return UsersTable{
		Table: p.names.table("users"), ID: c["user_id"], Tenant: c["tenant_id"], Link: c["link_id"],
		LinkedAt: c["linked_at"], CompletedAt: c["completed_at"], InvitedAt: c["invited_at"],
	}
}

// LinkKey is how an export names whether a row is linked: the seed's own word, which follows the naming.
func (p *Provider) LinkKey() string { return "has_" + p.names.methods[state.MethodSelfAuth] }
