package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
	"anthill/state"
)

// step is one step from the baseline to dual. Each may be repeated; the checks come last, so that a schema counts as
// dual only when the back-fill is through.
type step struct {
	name, text string
	run        func(*Provider, context.Context, func(done, total int64)) error
}

func (n *names) steps() []step {
	u, s := n.tables["users"], n.tables["sessions"]
	col := func(table, c string) string { return table + "." + n.columns[c] }
	list := []step{
		{"users.password_hash.nullable", col(u, "password_hash") + " becomes nullable",
			ddl(`alter table {users} alter column {password_hash} drop not null`)},
		{"users.columns", fmt.Sprintf("new columns %s, %s, %s", col(u, "method"), col(u, "invited_at"), col(u, "completed_at")),
			(*Provider).addUserColumns},
		{"sessions.columns", fmt.Sprintf("new columns %s, %s; %s and %s become nullable", col(s, "session_link"), col(s, "method"), col(s, "access_token_hash"), col(s, "refresh_token_hash")),
			ddl(`alter table {sessions} add column if not exists {session_link} uuid,
				add column if not exists {method} varchar(50) not null default {value.jwt},
				alter column {access_token_hash} drop not null, alter column {refresh_token_hash} drop not null`)},
		{"users.method.backfill", fmt.Sprintf("%s of rows that are linked already: %s with a password, %s without", col(u, "method"), n.methods[state.MethodDual], n.methods[state.MethodSelfAuth]),
			(*Provider).backfill},
	}
	for _, i := range n.indexes() {
		list = append(list, step{"index." + i.key, "index " + i.name, i.make})
	}
	return append(list,
		step{"users.method.check", "check of the three values of " + col(u, "method"), check("users", u+"_"+n.columns["method"]+"_check", "{value.password}")},
		step{"sessions.method.check", "check of the three values of " + col(s, "method"), check("sessions", s+"_"+n.columns["method"]+"_check", "{value.jwt}")})
}

// Upgrade carries out one schema step. It is idempotent: what is in effect already is left alone, what a kill left half
// is made again.
func (p *Provider) Upgrade(ctx context.Context, s providers.SchemaStep, progress func(done, total int64)) error {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	for _, known := range p.names.steps() {
		if known.name == s.Name {
			return known.run(p, ctx, progress)
		}
	}
	return &state.Error{Kind: state.ErrorInternal, Side: side, Doing: "change the schema", Reason: fmt.Sprintf("this version knows no step %q; use the version that made the plan", s.Name)}
}

const (
	lockWait = "2s" // how long the application's writers may queue behind us at a time
	ddlTries = 30
)

// ddl is a step of one short statement.
func ddl(sql string) func(*Provider, context.Context, func(int64, int64)) error {
	return func(p *Provider, ctx context.Context, _ func(int64, int64)) error { return p.short(ctx, sql) }
}

// short runs a statement that needs its lock for a moment only. It waits briefly, steps aside, and tries again: a
// statement in the queue for ACCESS EXCLUSIVE makes everybody behind it wait.
func (p *Provider) short(ctx context.Context, sql string) error {
	const doing = "change the schema"
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local lock_timeout = "+literal(lockWait)); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, p.names.sql(sql))
			return err
		})
		var pg *pgconn.PgError
		if err == nil || !errors.As(err, &pg) || pg.Code != "55P03" || try == ddlTries {
			return fail(doing, err)
		}
		pause := time.NewTimer(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

func (p *Provider) addUserColumns(ctx context.Context, _ func(int64, int64)) error {
	err := p.short(ctx, `alter table {users} add column if not exists {method} varchar(50) not null default {value.password},
		add column if not exists {invited_at} timestamptz, add column if not exists {completed_at} timestamptz`)
	if err == nil {
		p.dual.Store(true)
	}
	return err
}

// check adds a CHECK without looking at the rows, then looks at them while others go on writing.
func check(table, constraint, first string) func(*Provider, context.Context, func(int64, int64)) error {
	return func(p *Provider, ctx context.Context, _ func(int64, int64)) error {
		var there, valid bool
		var def string
		err := p.pool.QueryRow(ctx, "select true, convalidated, pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::regclass and conname = $2",
			p.names.sql("{"+table+"}"), constraint).Scan(&there, &valid, &def)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fail("look at a constraint", err)
		}
		if there && len(literals(def)) != 3 {
			return &state.Error{Kind: state.ErrorMissing, Side: side, Doing: "add the check of the three values",
				Reason: fmt.Sprintf("there is a constraint %s already, and it is another one", constraint), Cure: "Rename it, then go on with:\n\n    anthill apply"}
		}
		name := pgx.Identifier{constraint}.Sanitize()
		if !there {
			if err := p.short(ctx, "alter table {"+table+"} add constraint "+name+" check ({method} in ("+first+", {value.self_auth}, {value.dual})) not valid"); err != nil {
				return err
			}
		}
		if valid {
			return nil
		}
		return p.short(ctx, "alter table {"+table+"} validate constraint "+name)
	}
}

const backfillBatch = 5000

// backfill sets the method of rows that were linked before there was one. Rows that have another method by now are
// left: the application wrote it.
func (p *Provider) backfill(ctx context.Context, progress func(done, total int64)) error {
	const doing = "back-fill the method of linked users"
	var total, done int64
	if err := p.pool.QueryRow(ctx, p.names.sql("select count(*) from {users} where {link_id} is not null and {method} = {value.password}")).Scan(&total); err != nil {
		return fail(doing, err)
	}
	last := uuid.Nil
	for {
		var n, written int64
		err := p.pool.QueryRow(ctx, p.names.sql(fmt.Sprintf(`with batch as materialized (
				select {user_id} as id from {users} where {link_id} is not null and {method} = {value.password} and ({user_id} > $1 or $1 = '00000000-0000-0000-0000-000000000000')
				order by {user_id} limit %d for update),
			written as (update {users} u set {method} = case when {password_hash} is null then {value.self_auth} else {value.dual} end,
				{completed_at} = coalesce({completed_at}, {linked_at}) from batch where u.{user_id} = batch.id returning 1)
			select (select count(*) from batch), coalesce((select id from batch order by id desc limit 1), $1), (select count(*) from written)`, backfillBatch)), last).Scan(&n, &last, &written)
		if err != nil {
			return fail(doing, err)
		}
		if n == 0 {
			return nil
		}
		done += written
		progress(done, max(total, done))
	}
}

// index is a shipped index.
type index struct{ key, name, sql string }

func (n *names) indexes() []index {
	return []index{
		{"users.method", "idx_users_auth_method", `{users} ({method}) where {deleted_at} is null`},
		{"users.status", "idx_users_migration_status", `{users} ({tenant_id}, {method}, {completed_at}) where {deleted_at} is null`},
		{"users.pending", "idx_users_pending_migration", `{users} ({tenant_id}, {last_login_at}) where {deleted_at} is null and {method} = {value.password} and {link_id} is null`},
		{"sessions.link", "idx_sessions_" + n.idp + "_session", `{sessions} ({session_link}) where not {revoked} and {session_link} is not null`},
		{"sessions.method", "idx_sessions_auth_method", `{sessions} ({method}, {created_at}) where not {revoked}`},
		{"sessions.user", "idx_sessions_user_auth", `{sessions} ({user_id}, {method}, {created_at}) where not {revoked}`},
	}
}

// make builds an index while others write. An invalid one of the name is what a kill left: it is dropped first.
func (i index) make(p *Provider, ctx context.Context, _ func(int64, int64)) error {
	doing := "build index " + i.name
	var there, valid bool
	err := p.pool.QueryRow(ctx, `select true, x.indisvalid from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_index x on x.indexrelid = c.oid
		where n.nspname = $1 and c.relname = $2`, tablesSchema, i.name).Scan(&there, &valid)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fail(doing, err)
	}
	if valid {
		return nil
	}
	if there {
		if _, err := p.pool.Exec(ctx, "drop index concurrently if exists "+pgx.Identifier{tablesSchema, i.name}.Sanitize()); err != nil {
			return fail(doing, err)
		}
	}
	_, err = p.pool.Exec(ctx, p.names.sql("create index concurrently if not exists "+pgx.Identifier{i.name}.Sanitize()+" on "+i.sql))
	return fail(doing, err)
}
