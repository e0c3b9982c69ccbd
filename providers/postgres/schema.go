package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
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
	name string
	does state.Finding
	run  runner
}

// runner carries a step out.
type runner func(p *Provider, ctx context.Context, progress func(done, total int64)) error

func (n *names) steps() []step {
	list := []step{
		{"users.password_hash.nullable", n.nullable("users", "password_hash"),
			ddl("alter table {users} alter column {password_hash} drop not null, drop constraint if exists " + guard("users"))},
		{providers.SchemaUserColumns, n.added("users", []string{"method", "invited_at", "completed_at"}, nil),
			(*Provider).addUserColumns},
		{providers.SchemaSessionColumns,
			n.added("sessions", []string{"session_link", "method"},
				[]string{"access_token_hash", "refresh_token_hash"}),
			(*Provider).addSessionColumns},
		{providers.SchemaFilled,
			state.Found(state.CodeMethodFilled, state.Text(state.KeyColumn, n.qualified("users", "method")),
				state.Text(state.KeyWith, n.methods[state.MethodDual]),
				state.Text(state.KeyWithout, n.methods[state.MethodSelfAuth])),
			(*Provider).backfill},
	}
	for _, i := range n.indexes() {
		made := state.Found(state.CodeIndexMade, state.Text(state.KeyIndex, i.name))
		list = append(list, step{"index." + i.key, made, i.build})
	}
	return append(list,
		step{"users.method.check", n.checked("users"), check("users", n.checkName("users"), "{value.password}")},
		step{"sessions.method.check", n.checked("sessions"), check("sessions", n.checkName("sessions"), "{value.jwt}")})
}

// qualified is a column with its table, as people read it.
func (n *names) qualified(table, column string) string {
	return n.tables[table] + "." + n.col(table, column)
}

func (n *names) qualifiedAll(table string, columns []string) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = n.qualified(table, c)
	}
	return list
}

// checkName is the name that the check of a table's method has where it was shipped. It is the same whatever the table is called,
// as a constraint keeps its name when its table gets another one.
func (n *names) checkName(table string) string { return table + "_auth_method_check" }

func (n *names) nullable(table, column string) state.Finding {
	return state.Found(state.CodeColumnNullable, state.List(state.KeyColumns, n.qualified(table, column)))
}

// added are new columns, and old ones that become nullable.
func (n *names) added(table string, columns, nullable []string) state.Finding {
	args := []state.Arg{state.List(state.KeyColumns, n.qualifiedAll(table, columns)...)}
	if len(nullable) > 0 {
		args = append(args, state.List(state.KeyNullable, n.qualifiedAll(table, nullable)...))
	}
	return state.Found(state.CodeColumnsAdded, args...)
}

func (n *names) checked(table string) state.Finding {
	return state.Found(state.CodeCheckMade, state.Text(state.KeyColumn, n.qualified(table, "method")))
}

// Upgrade carries out the schema step of a name. It is idempotent: what is in effect already is left alone, what a kill
// left half is made again. progress, which may be nil, is called now and then with rows.
func (p *Provider) Upgrade(ctx context.Context, name string, progress func(done, total int64)) error {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	for _, s := range p.names.steps() {
		if s.name == name {
			return s.run(p, ctx, progress)
		}
	}
	return &state.Error{
		Kind: state.ErrorInternal, Side: side, Doing: "change the schema",
		Reason: fmt.Sprintf("this version knows no step %q; use the version that made the plan", name),
	}
}

const (
	lockWait = "2s" // how long the application's writers may queue behind us at a time
	ddlTries = 30
)

// ddl is a step of one short statement.
func ddl(sql string) runner {
	return func(p *Provider, ctx context.Context, _ func(int64, int64)) error { return p.short(ctx, sql) }
}

// short runs a statement that needs its lock for a moment only. It waits briefly, steps aside, and tries again: a
// statement in the queue for ACCESS EXCLUSIVE makes everybody behind it wait.
func (p *Provider) short(ctx context.Context, sql string) error {
	return p.brief(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, p.names.sql(sql))
		return err
	})
}

// brief is short for a transaction of more than one statement.
func (p *Provider) brief(ctx context.Context, f func(pgx.Tx) error) error {
	const doing = "change the schema"
	for try := 1; ; try++ {
		err := p.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local lock_timeout = "+literal(lockWait)); err != nil {
				return err
			}
			return f(tx)
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
	err := p.short(ctx, `alter table {users}
		add column if not exists {method} varchar(50) not null default {value.password},
		add column if not exists {invited_at} timestamptz, add column if not exists {completed_at} timestamptz,
		alter column {method} set default {value.password}`)
	if err != nil {
		return err
	}
	if err := p.filled(ctx, "users"); err != nil {
		return err
	}
	p.dual.Store(true)
	return p.unarchive(ctx, "users")
}

func (p *Provider) addSessionColumns(ctx context.Context, _ func(int64, int64)) error {
	err := p.short(ctx, `alter table {sessions} add column if not exists {session_link} uuid,
		add column if not exists {sessions.method} varchar(50) not null default {value.jwt},
		alter column {access_token_hash} drop not null, alter column {refresh_token_hash} drop not null,
		alter column {sessions.method} set default {value.jwt},
		drop constraint if exists `+guard("sessions"))
	if err != nil {
		return err
	}
	if err := p.filled(ctx, "sessions"); err != nil {
		return err
	}
	return p.unarchive(ctx, "sessions")
}

// filledGuard is the check by which Postgres knows that no row lacks a method.
func filledGuard(table string) string { return "anthill_filled_" + table }

// filled makes a column of methods not null again where somebody has changed that, by a check that is validated while
// others go on writing. What a row without a method would log in by is not ours to say.
func (p *Provider) filled(ctx context.Context, table string) error {
	var nullable, left bool
	name := filledGuard(table)
	err := p.pool.QueryRow(ctx, `select not a.attnotnull,
			exists (select from pg_constraint k where k.conrelid = a.attrelid and k.conname = $3)
		from pg_attribute a where a.attrelid = $1::regclass and a.attname = $2`,
		p.names.sql("{"+table+"}"), p.names.col(table, "method"), name).Scan(&nullable, &left)
	alter := "alter table {" + table + "} "
	unguard := fmt.Sprintf("alter table {%s} drop constraint if exists %s", table, name)
	switch {
	case err != nil:
		return fail("look at a column", err)
	case !nullable && left:
		return p.short(ctx, unguard)
	case !nullable:
		return nil
	}
	err = p.short(ctx, unguard+", add constraint "+name+" check ({"+table+".method} is not null) not valid")
	if err != nil {
		return err
	}
	err = p.short(ctx, alter+"validate constraint "+name)
	if err == nil {
		return p.short(ctx, alter+"alter column {"+table+".method} set not null, drop constraint "+name)
	}
	if state.ErrorKindOf(err) == state.ErrorConflict {
		column := p.names.qualified(table, "method")
		err = &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "make " + column + " not null again",
			Reason: "rows of " + p.names.tables[table] + " have no value there",
			Cure:   "Give them the one that they log in by, then go on with:\n\n    anthill apply",
		}
	}
	return cmp.Or(p.short(context.WithoutCancel(ctx), unguard), err)
}

// check adds a CHECK without looking at the rows, then looks at them while others go on writing.
func check(table, constraint, first string) runner {
	return func(p *Provider, ctx context.Context, _ func(int64, int64)) error {
		var there, valid bool
		var def string
		err := p.pool.QueryRow(ctx, `select true, convalidated, pg_get_constraintdef(oid) from pg_constraint
			where conrelid = $1::regclass and conname = $2`,
			p.names.sql("{"+table+"}"), constraint).Scan(&there, &valid, &def)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fail("look at a constraint", err)
		}
		if there && !wide(def, p.names.methodValues(literals(p.names.sql(first))[0])) {
			return &state.Error{
				Kind: state.ErrorMissing, Side: side, Doing: "add the check of the three values",
				Reason: fmt.Sprintf("there is a constraint %s already, and it is another one", constraint),
				Cure:   "Rename it, then go on with:\n\n    anthill apply",
			}
		}
		name := pgx.Identifier{constraint}.Sanitize()
		if !there {
			values := "(" + first + ", {value.self_auth}, {value.dual})"
			sql := "alter table {" + table + "} add constraint " + name + " check ({" + table + ".method} in " + values +
				") not valid"
			if err := p.short(ctx, sql); err != nil {
				return err
			}
		}
		// Validating reads the whole table, but under a lock that lets others read and write it.
		if valid {
			return nil
		}
		return p.short(ctx, "alter table {"+table+"} validate constraint "+name)
	}
}

// backfillBatch is few enough that the application's sessions do not wait for long for rows that are filled in.
const backfillBatch = 1000

// backfillSQL fills in a batch of the rows that come after an id (from the first row, if that is zero). It returns how
// many rows it looked at, the last of their ids, and how many it wrote.
const backfillSQL = `with batch as materialized (
		select {user_id} as id from {users}
		where {link_id} is not null and {method} = {value.password}
			and ({user_id} > $1 or $1 = '00000000-0000-0000-0000-000000000000')
		order by {user_id} limit %d for update %s),
	written as (
		update {users} u
		set {method} = case when u.{password_hash} is null then {value.self_auth} else {value.dual} end,
			{completed_at} = coalesce(u.{completed_at}, u.{linked_at})
		from batch where u.{user_id} = batch.id returning 1)
	select (select count(*) from batch), coalesce((select id from batch order by id desc limit 1), $1),
		(select count(*) from written)`

// backfill sets the method of rows that were linked before there was one. Rows that have another method by now are
// left: the application wrote it.
func (p *Provider) backfill(ctx context.Context, progress func(done, total int64)) error {
	const doing = "fill in methods"
	var total, done int64
	count := p.names.sql("select count(*) from {users} where {link_id} is not null and {method} = {value.password}")
	if err := p.pool.QueryRow(ctx, count).Scan(&total); err != nil {
		return fail(doing, err)
	}
	// Each batch is a transaction of its own, so that no row stays locked for long. A kill leaves the rest for next time:
	// rows that are filled in are not found again.
	// Rows that somebody holds come last, each alone: nobody waits for others meanwhile.
	for _, batch := range []string{fmt.Sprintf(backfillSQL, backfillBatch, "skip locked"), fmt.Sprintf(backfillSQL, 1, "")} {
		if err := p.backfillBy(ctx, p.names.sql(batch), func(written int64) {
			done += written
			progress(done, max(total, done))
		}); err != nil {
			return fail(doing, err)
		}
	}
	return nil
}

// backfillBy fills in by a statement until it finds no more rows.
func (p *Provider) backfillBy(ctx context.Context, batch string, filled func(written int64)) error {
	last := uuid.Nil
	for {
		var n, written int64
		err := p.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, roleSecurity); err != nil {
				return err
			}
			return tx.QueryRow(ctx, batch, last).Scan(&n, &last, &written)
		})
		if err != nil || n == 0 {
			return err
		}
		filled(written)
	}
}

// index is a shipped index.
type index struct {
	key, name, table string
	columns          []string
	where            string
}

func (n *names) indexes() []index {
	return []index{
		{"users.method", "idx_users_auth_method", "users", []string{"method"}, "{deleted_at} is null"},
		{"users.status", "idx_users_migration_status", "users", []string{"tenant_id", "method", "completed_at"},
			"{deleted_at} is null"},
		{"users.pending", "idx_users_pending_migration", "users", []string{"tenant_id", "last_login_at"},
			"{deleted_at} is null and {method} = {value.password} and {link_id} is null"},
		{"sessions.link", "idx_sessions_" + n.idp + "_session", "sessions", []string{"session_link"},
			"not {revoked} and {session_link} is not null"},
		{"sessions.method", "idx_sessions_auth_method", "sessions", []string{"method", "created_at"}, "not {revoked}"},
		{"sessions.user", "idx_sessions_user_auth", "sessions", []string{"user_id", "method", "created_at"}, "not {revoked}"},
	}
}

// ownIndexes are those, and the ones that are made for a while.
func (n *names) ownIndexes() []index {
	return append(n.indexes(), n.leaving("users").helper(), n.leaving("sessions").helper())
}

// on is what the index is of, in SQL.
func (i index) on() string { return "{" + i.table + "} (" + i.columnList() + ") where " + i.where }

func (i index) columnList() string {
	return "{" + i.table + "." + strings.Join(i.columns, "}, {"+i.table+".") + "}"
}

// build makes an index while others write. An invalid index of the name is what a killed process left: it is dropped
// first.
func (i index) build(p *Provider, ctx context.Context, _ func(int64, int64)) error {
	doing := "build index " + i.name
	var there, valid bool
	var schema string
	err := p.pool.QueryRow(ctx, `select true, x.indisvalid, n.nspname from pg_class c
			join pg_namespace n on n.oid = c.relnamespace join pg_index x on x.indexrelid = c.oid
		where x.indrelid = any($1) and c.relname = $2`, p.names.oids(i.table), i.name).
		Scan(&there, &valid, &schema)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fail(doing, err)
	}
	switch {
	case valid:
		return nil
	case p.names.partitioned(i.table):
		return fail(doing, i.buildParts(ctx, p))
	case there:
		half := pgx.Identifier{schema, i.name}.Sanitize()
		if err := p.alone(ctx, "drop index concurrently if exists "+half); err != nil {
			return fail(doing, err)
		}
	}
	err = p.alone(ctx, "create index concurrently if not exists "+pgx.Identifier{i.name}.Sanitize()+" on "+i.on())
	return fail(doing, err)
}

// patient runs a statement that waits for all transactions that are older, while nobody waits for it.
func (p *Provider) patient(ctx context.Context, sql string) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "set lock_timeout = 0"); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, p.names.sql(sql))
	if conn.Conn().IsClosed() {
		return err
	}
	_, resetErr := conn.Exec(context.WithoutCancel(ctx), "set lock_timeout = "+literal(lockTimeout))
	return cmp.Or(err, resetErr)
}
