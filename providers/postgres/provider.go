package postgres

import (
	"cmp"
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/state"
)

// Options say where the database is and how it is spelled.
type Options struct {
	URL         string            // as pgx takes it, URL or keywords. Secret.
	Naming      string            // "self_auth" or "kanidm"
	Names       map[string]string // what is called otherwise, as of config.Settings
	Application string            // application_name
	Archive     string            // schema of what dropped columns held, that of the recorded state; "" is "anthill_state"
	Migrations  []string          // tables in which a tool notes the application's migrations, besides those of known tools; as of config.Settings
}

// Provider is the application's database. Safe for concurrent use.
type Provider struct {
	pool    *pgxpool.Pool
	names   *names
	host    string      // for people
	dual    atomic.Bool // the columns of the dual schema are there; set by Inspect, Upgrade and Downgrade
	methods atomic.Bool // sessions say their method; set by Inspect
	fence   func(context.Context, state.Tx) error
	ours    sessions
	archive pgx.Identifier // table of what dropped columns held
	noted   []string       // Options.Migrations
}

// Open connects and finds the tables by the connection's search path. *state.Error when nobody answers or the role is
// refused; what is wrong with the tables is told by Inspect.
func Open(ctx context.Context, o Options) (*Provider, error) {
	n, err := spell(o.Naming, o.Names)
	if err != nil {
		return nil, err
	}
	config, w, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	c.RuntimeParams["application_name"] = o.Application
	// Settings are made by statements, and not as parameters of the connection: a pooler may refuse those.
	p := &Provider{names: n, host: where(&c.Config), noted: o.Migrations,
		archive: pgx.Identifier{cmp.Or(o.Archive, "anthill_state"), "archive"}}
	config.AfterConnect, config.BeforeClose = p.ours.connected, p.ours.closes
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fail("connect to "+p.host, err)
	}
	p.ours.door.second = p.pool.Acquire
	// The pool connects when it is first used: a wrong address or password is better found now.
	if err := p.pool.Ping(ctx); err != nil {
		p.pool.Close()
		return nil, w.refused(&c.Config, err)
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
	return UsersTable{
		Table: p.names.table("users"), ID: p.names.col("users", "user_id"), Tenant: p.names.col("users", "tenant_id"), Link: p.names.col("users", "link_id"),
		LinkedAt: p.names.col("users", "linked_at"), CompletedAt: p.names.col("users", "completed_at"), InvitedAt: p.names.col("users", "invited_at"),
	}
}

// LinkKey is how an export names whether a row is linked: the seed's own word, which follows the naming.
func (p *Provider) LinkKey() string {
	return "has_" + state.PhysicalNames(p.names.preset)["values.self_auth"]
}
