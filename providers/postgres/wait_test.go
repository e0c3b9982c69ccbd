package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// waited is what the provider waits for, once it waits for something.
func waited(t *testing.T, p *Provider, queries bool) state.Finding {
	t.Helper()
	for {
		list, err := p.Waits(t.Context(), queries)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			return list[0]
		}
	}
}

// TestWaits: what our sessions wait for is told, with who has it: a table, and old transactions before an index is built. What
// a session runs is told where it is asked for.
func TestWaits(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{})
	if list, err := p.Waits(t.Context(), true); err != nil || len(list) > 0 {
		t.Fatalf("nobody waits: %+v, %v", list, err)
	}
	step := ""
	for _, s := range p.names.steps() {
		if s.name == "index.users.method" {
			step = s.name
		}
		if s.name == providers.SchemaUserColumns {
			if err := p.Upgrade(t.Context(), s.name, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, w := range map[string]struct{ sql, kind, table, index, step string }{
		"table":        {"lock table users in row exclusive mode", state.WaitOnTable, "users", "", "users.password_hash.nullable"},
		"transactions": {"select count(*) from casbin_rule", state.WaitOnTransactions, "", "idx_users_auth_method", step},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		holder, err := pgx.Connect(ctx, c.Config().ConnString())
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"set application_name = 'billing'", "begin isolation level repeatable read", w.sql} {
			if _, err := holder.Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- p.Upgrade(ctx, w.step, nil) }()
		f := waited(t, p, false)
		if f.Text(state.KeyKind) != w.kind || f.Text(state.KeyTable) != w.table || f.Text(state.KeyIndex) != w.index || f.Count != 1 {
			t.Errorf("%s: %+v", name, f)
		}
		who := f.Arg(state.KeyWhy).Findings[0]
		if who.Code != state.CodeSessionHolds || who.Arg(state.KeySession).Number != int64(holder.PgConn().PID()) ||
			who.Text(state.KeyApplication) != "billing" || who.Text(state.KeyRole) == "" || who.Arg(state.KeySpan).Span <= 0 ||
			who.Text(state.KeyStatus) != "idle in transaction" || who.Text(state.KeyQuery) != "" {
			t.Errorf("%s is held by %+v", name, who)
		}
		if got := waited(t, p, true).Arg(state.KeyWhy).Findings[0].Text(state.KeyQuery); got != w.sql {
			t.Errorf("%s: the statement is %q", name, got)
		}
		if err := holder.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestWaitsUnseen: a role that may not see what other roles' sessions do is told so, with what it may see.
func TestWaitsUnseen(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{})
	upgrade(t, p, i.Steps)
	const reader = "waits_reader"
	for _, sql := range []string{"create role " + reader + " login", "grant usage on schema public to " + reader,
		"grant select on all tables in schema public to " + reader} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = c.Exec(context.Background(), "drop owned by "+reader+"; drop role "+reader) })
	url := strings.Replace(c.Config().ConnString(), c.Config().User+"@", reader+"@", 1)
	theirs, err := Open(t.Context(), Options{URL: url, Naming: "self_auth", Application: "anthill test"})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	tx, err := c.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), "lock table users")
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := theirs.Fetch(t.Context(), nil); done <- err }()
	who := waited(t, theirs, true).Arg(state.KeyWhy).Findings[0]
	if who.Code != state.CodeSessionHidden || who.Text(state.KeyTo) != reader || who.Text(state.KeyRole) != c.Config().User ||
		who.Arg(state.KeySession).Number != int64(c.PgConn().PID()) || who.Text(state.KeyQuery) != "" {
		t.Errorf("%+v", who)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
