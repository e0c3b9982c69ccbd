package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
	"anthill/state"
)

// back is how one step of the schema is taken back. Each may be repeated.
type back struct {
	name string
	does state.Finding
	run  func(p *Provider, ctx context.Context, since time.Time) error
}

// backs are in the order in which steps are taken back.
func (n *names) backs() []back {
	gone := func(table string) state.Finding {
		return state.Found(state.CodeCheckGoes, state.Text(state.KeyColumn, n.qualified(table, "method")))
	}
	list := []back{
		{"sessions.method.check", gone("sessions"), uncheck("sessions")},
		{"users.method.check", gone("users"), uncheck("users")},
	}
	for _, i := range slices.Backward(n.indexes()) {
		goes := state.Found(state.CodeIndexGoes, state.Text(state.KeyIndex, i.name))
		list = append(list, back{"index." + i.key, goes, i.drop})
	}
	sessions, users := n.leaving("sessions"), n.leaving("users")
	return append(list,
		back{providers.SchemaSessionColumns, state.Found(state.CodeColumnsGo,
			state.List(state.KeyColumns, n.qualifiedAll(sessions.name, sessions.columns)...),
			state.List(state.KeyRequired, n.qualifiedAll(sessions.name, sessions.required)...)), sessions.take},
		back{providers.SchemaUserColumns, state.Found(state.CodeColumnsGo,
			state.List(state.KeyColumns, n.qualifiedAll(users.name, users.columns)...)), users.take},
		back{"users.password_hash.nullable", state.Found(state.CodeColumnsRequired,
			state.List(state.KeyColumns, n.qualifiedAll(users.name, users.required)...)),
			func(p *Provider, ctx context.Context, since time.Time) error { return p.require(ctx, users, since) }})
}

// Downgrade takes the schema step of a name back. It is idempotent: what is gone already is left, what a kill left half
// is finished. since is as of providers.NeedsSchema.
//
// Errors: *providers.SchemaNeededError, and the step stands.
func (p *Provider) Downgrade(ctx context.Context, name string, since time.Time) error {
	for _, b := range p.names.backs() {
		if b.name == name {
			return b.run(p, ctx, since)
		}
	}
	return &state.Error{
		Kind: state.ErrorInternal, Side: side, Doing: changing,
		Reason: fmt.Sprintf("this version cannot take back a step %q; use the version that made the plan", name),
	}
}

const changing = "change the schema"

// leaving is a table whose columns of the dual schema go.
type leaving struct {
	name     string
	id       string
	columns  []string
	required []string          // that are to hold a value again
	values   map[string]string // column -> condition: it holds another value than a new row does
	held     string            // rows whose values are archived
	archived []string          // the columns that are
	needs    string            // rows that keep the columns; $1 is since
	marked   string            // no others are held or need; an index finds them
}

func (n *names) leaving(table string) leaving {
	if table == "users" {
		return leaving{
			name:     "users",
			id:       "user_id",
			columns:  []string{"method", "invited_at", "completed_at"},
			required: []string{"password_hash"},
			values: map[string]string{"method": "{method} <> {value.password}",
				"invited_at": "{invited_at} is not null", "completed_at": "{completed_at} is not null"},
			// The method of a row that needs no column is the one that the back-fill makes of it again.
			held:     "({invited_at} is not null or {completed_at} is not null)",
			archived: []string{"invited_at", "completed_at"},
			// As providers.NeedsSchema.
			needs: `({password_hash} is null or {link_id} is null and {method} <> {value.password}
				or {link_id} is not null and ({method} <> {value.dual}
					or {completed_at}::timestamptz is distinct from {linked_at}::timestamptz
					or {linked_at}::timestamptz >= $1))`,
			marked: `({password_hash} is null or {link_id} is not null or {method} <> {value.password}
				or {invited_at} is not null or {completed_at} is not null)`,
		}
	}
	const held = "({session_link} is not null or {sessions.method} <> {value.jwt})"
	return leaving{
		name:     "sessions",
		id:       "session_id",
		columns:  []string{"session_link", "method"},
		required: []string{"access_token_hash", "refresh_token_hash"},
		values:   map[string]string{"session_link": "{session_link} is not null", "method": "{sessions.method} <> {value.jwt}"},
		held:     held,
		archived: []string{"session_link", "method"},
		needs:    "({access_token_hash} is null or {refresh_token_hash} is null or not {revoked} and " + held + ")",
		marked:   "({access_token_hash} is null or {refresh_token_hash} is null or " + held + ")",
	}
}

// in puts the table's name into a statement.
func (l leaving) in(sql string) string { return strings.ReplaceAll(sql, "{table}", "{"+l.name+"}") }

// col stands for a column of the table in a statement.
func (l leaving) col(column string) string { return "{" + l.name + "." + column + "}" }

// needsNow is what keeps a row in the table as far as the columns are there.
func (l leaving) needsNow(there bool) string {
	if there {
		return l.needs
	}
	list := make([]string, len(l.required))
	for i, c := range l.required {
		list[i] = l.col(c) + " is null"
	}
	return "(" + strings.Join(list, " or ") + ")"
}

// uncheck drops the check of a column of methods, which nobody waits for.
func uncheck(table string) func(*Provider, context.Context, time.Time) error {
	return func(p *Provider, ctx context.Context, _ time.Time) error {
		name := pgx.Identifier{p.names.checkName(table)}.Sanitize()
		return p.short(ctx, fmt.Sprintf("alter table {%s} drop constraint if exists %s", table, name))
	}
}

// drop drops an index while others read and write, if it is one of the columns that go: another one of the name was there
// before us.
func (i index) drop(p *Provider, ctx context.Context, _ time.Time) error {
	doing := "drop index " + i.name
	var schema string
	err := p.pool.QueryRow(ctx, `select n.nspname from pg_class c
			join pg_namespace n on n.oid = c.relnamespace join pg_index x on x.indexrelid = c.oid
		where x.indrelid = any($1) and c.relname = $2 and exists (`+dependents+` and d.objid = c.oid)`,
		p.names.oids(i.table), i.name, p.names.leavingOids(), p.names.leavingColumns()).Scan(&schema)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fail(doing, err)
	case p.names.partitioned(i.table):
		return fail(doing, i.dropParts(ctx, p, schema))
	}
	return fail(doing, p.alone(ctx, "drop index concurrently if exists "+pgx.Identifier{schema, i.name}.Sanitize()))
}

// dependents are what depends on columns that go: $3 and $4 are the tables and the columns, side by side.
const dependents = `select from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
		join unnest($3::oid[], $4::text[]) go (relation, name) on a.attrelid = go.relation and a.attname = go.name
	where d.refclassid = 'pg_class'::regclass`

func (n *names) leavingOids() (list []uint32) {
	for _, table := range []string{"users", "sessions"} {
		for range n.leaving(table).columns {
			list = append(list, n.tree(table)...)
		}
	}
	return list
}

func (n *names) leavingColumns() (list []string) {
	for _, table := range []string{"users", "sessions"} {
		for _, c := range n.leaving(table).columns {
			for range n.tree(table) {
				list = append(list, n.col(table, c))
			}
		}
	}
	return list
}

// helper is the index by which rows are found that matter, while nobody can write: a look at the whole table would keep
// the application waiting.
func (l leaving) helper() index {
	return index{key: l.name, name: "anthill_leaving_" + l.name, table: l.name, columns: []string{l.id}, where: l.marked}
}

// guard is the check by which Postgres knows that no row lacks a value, without looking while nobody can write. One that a
// way back has left that was cut off goes when the step is made again.
func guard(table string) string { return "anthill_required_" + table }

// others are the objects of the database that depend on columns that go, but for those that we have made. Many of them
// Postgres would drop without a word: an index, a check of one column.
func (p *Provider) others(ctx context.Context, q querier) ([]string, error) {
	var tables []uint32
	var ours []string
	add := func(table string, names ...string) {
		for _, oid := range p.names.tree(table) {
			for _, name := range names {
				tables, ours = append(tables, oid), append(ours, name)
			}
		}
	}
	for _, table := range []string{"users", "sessions"} {
		add(table, p.names.checkName(table), guard(table), filledGuard(table))
	}
	for _, i := range p.names.ownIndexes() {
		add(i.table, i.name)
	}
	rows, err := q.Query(ctx, `select distinct case when w.oid is null then pg_describe_object(d.classid, d.objid, 0)
			else pg_describe_object('pg_class'::regclass, w.ev_class, 0) end
		from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
			join unnest($1::oid[], $2::text[]) go (relation, name) on a.attrelid = go.relation and a.attname = go.name
			left join pg_class i on d.classid = 'pg_class'::regclass and i.oid = d.objid
			left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
			left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
			left join pg_attrdef f on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
			left join pg_class whole on whole.oid = pg_partition_root(i.oid)
		where d.refclassid = 'pg_class'::regclass and not exists (select from unnest($3::oid[], $4::text[]) ours (relation, name)
				where ours.relation = a.attrelid and ours.name = coalesce(whole.relname, i.relname, k.conname))
			and (f.oid is null or f.adrelid <> a.attrelid or f.adnum <> a.attnum)
			and (k.oid is null or k.contype <> 'n')
		order by 1`, p.names.leavingOids(), p.names.leavingColumns(), tables, ours)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// columnsThere says whether all columns of a table are there that go, or none. Some of them alone would be what somebody
// else has begun.
func (p *Provider) columnsThere(ctx context.Context, q querier, l leaving) (bool, error) {
	columns := make([]string, len(l.columns))
	for i, c := range l.columns {
		columns[i] = p.names.col(l.name, c)
	}
	rows, err := q.Query(ctx, `select attname::text from pg_attribute
		where attrelid = any($1) and attname = any($2) and not attisdropped order by 1`, p.names.oids(l.name), columns)
	if err != nil {
		return false, err
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(there) > 0 && len(there) < len(columns) {
		err = &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "look at the columns of " + p.names.tables[l.name],
			Reason: "somebody has dropped some of them: of " + strings.Join(columns, ", ") + " there is only " +
				strings.Join(there, ", "),
			Cure: "Drop the others too, or make the missing ones again. Nothing was changed.",
		}
	}
	return len(there) > 0, err
}

// SchemaUse says what the columns of the dual schema hold, in the snapshot; providers.SchemaReader.
func (s *Snapshot) SchemaUse(ctx context.Context) (u providers.SchemaUse, err error) {
	for _, b := range s.p.names.backs() {
		u.Steps = append(u.Steps, providers.SchemaStep{Name: b.name, Does: b.does})
	}
	for _, table := range []string{"users", "sessions"} {
		l := s.p.names.leaving(table)
		there, err := s.p.columnsThere(ctx, s.tx, l)
		if err != nil {
			return u, fail("look at the schema", err)
		}
		for _, c := range l.columns {
			if !there {
				break
			}
			column := providers.SchemaColumn{Key: table + "." + c, Name: s.p.names.qualified(table, c)}
			sql := s.p.names.sql(l.in("select count(*) from {table} where " + l.values[c]))
			if err := s.tx.QueryRow(ctx, sql).Scan(&column.Values); err != nil {
				return u, fail("count values", err)
			}
			u.Columns = append(u.Columns, column)
		}
	}
	u.Users.Table = s.p.names.tables["users"]
	if u.Sessions, err = s.p.needing(ctx, s.tx, s.p.names.leaving("sessions"), time.Time{}); err != nil {
		return u, err
	}
	u.Others, err = s.p.others(ctx, s.tx)
	return u, fail("look at the schema", err)
}

// needing are the rows of a table that need its columns.
func (p *Provider) needing(ctx context.Context, q querier, l leaving, since time.Time) (n providers.Needing, err error) {
	n.Table = p.names.tables[l.name]
	there, err := p.columnsThere(ctx, q, l)
	if err != nil {
		return n, fail("look at the schema", err)
	}
	rows, err := q.Query(ctx, p.names.sql(l.in(fmt.Sprintf(`with needing as (
			select %s as id from {table} where %s and $1::timestamptz is not null)
		select id, (select count(*) from needing) from needing order by id limit $2`, l.col(l.id), l.needsNow(there)))),
		since, providers.NeedingListed)
	if err != nil {
		return n, fail("look who needs the columns", err)
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &n.Count}, func() error {
		n.First = append(n.First, id)
		return nil
	})
	return n, fail("look who needs the columns", err)
}

// SchemaNeeded says what keeps steps of the schema from being taken back; nil: nothing does. since is as of
// providers.NeedsSchema.
func (p *Provider) SchemaNeeded(ctx context.Context, since time.Time) (why []state.Finding, err error) {
	var u providers.SchemaUse
	if u.Users, err = p.needing(ctx, p.pool, p.names.leaving("users"), since); err != nil {
		return nil, err
	}
	if u.Sessions, err = p.needing(ctx, p.pool, p.names.leaving("sessions"), since); err != nil {
		return nil, err
	}
	u.Others, err = p.others(ctx, p.pool)
	return u.Needed(), fail("look at the schema", err)
}

// mostLocked is how long the application's writers may wait for us once we have the lock.
const mostLocked = lockWait

// take moves what the columns of a table hold to the archive and drops them, in one transaction. Nobody can write to the
// table meanwhile, so all that matters is found by an index that is made before.
func (l leaving) take(p *Provider, ctx context.Context, since time.Time) error {
	there, err := p.columnsThere(ctx, p.pool, l)
	if err != nil {
		return fail(changing, err)
	}
	// The passwords of users are a step of their own.
	nullable := false
	if l.name == "sessions" {
		if nullable, err = p.guarded(ctx, l, since); err != nil {
			return err
		}
	}
	var alter []string
	if nullable {
		alter = l.requiring()
	}
	if !there {
		if !nullable {
			return nil
		}
		return p.short(ctx, l.in("alter table {table} "+strings.Join(alter, ", ")))
	}
	for _, c := range l.columns {
		alter = append(alter, "drop column "+l.col(c))
	}
	helper := l.helper()
	if err := helper.build(p, ctx, nil); err != nil {
		return err
	}
	err = p.brief(ctx, func(tx pgx.Tx) error { return p.takeLocked(ctx, tx, l, since, alter) })
	if err == nil {
		if l.name == "users" {
			p.dual.Store(false)
		}
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	return cmp.Or(helper.drop(p, ctx, since), p.unguard(ctx, l), err)
}

func (p *Provider) takeLocked(
	ctx context.Context, tx pgx.Tx, l leaving, since time.Time, alter []string,
) error {
	// A table that inherits has no index of ours: without a scan in sight the server would think the query so dear that it
	// compiles it, which takes longer than running it.
	_, err := tx.Exec(ctx, p.names.sql(l.in("lock table {table} in access exclusive mode; "+
		"set local enable_seqscan = off; set local jit = off; set local statement_timeout = "+literal(mostLocked))))
	if err != nil {
		return err
	}
	others, err := p.others(ctx, tx)
	if err != nil {
		return err
	}
	needing := l
	needing.needs = l.marked + " and " + l.needs
	n, err := p.needing(ctx, tx, needing, since)
	if state.ErrorKindOf(err) == state.ErrorTransient { // nobody waits for a lock here
		return errTooMuch()
	}
	if err != nil {
		return err
	}
	u := providers.SchemaUse{Others: others}
	if l.name == "users" {
		u.Users = n
	} else {
		u.Sessions = n
	}
	if why := u.Needed(); len(why) > 0 {
		return &providers.SchemaNeededError{Why: why}
	}
	if err := p.archiveRows(ctx, tx, l); err != nil {
		return tooMuch(err)
	}
	_, err = tx.Exec(ctx, p.names.sql(l.in("alter table {table} "+strings.Join(alter, ", "))))
	return err
}

func tooMuch(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeCancelled {
		return errTooMuch()
	}
	return err
}

// errTooMuch says what to do where the columns hold so much that moving it would keep the application waiting.
func errTooMuch() error {
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: "move what the columns hold to the archive",
		Reason: "it did not go within " + mostLocked + ", for which the application's writers had to wait; the columns stand",
		Cure: "End the run, and where nobody needs the values set them to NULL, some rows at a time:\n\n" +
			"    anthill apply -close",
	}
}

// require makes columns not null again.
func (p *Provider) require(ctx context.Context, l leaving, since time.Time) error {
	nullable, err := p.guarded(ctx, l, since)
	if err != nil || !nullable {
		return err
	}
	return p.short(ctx, l.in("alter table {table} "+strings.Join(l.requiring(), ", ")))
}

// requiring are the parts of a statement that makes columns not null which are guarded.
func (l leaving) requiring() (parts []string) {
	for _, c := range l.required {
		parts = append(parts, "alter column "+l.col(c)+" set not null")
	}
	return append(parts, "drop constraint "+guard(l.name))
}

func (p *Provider) unguard(ctx context.Context, l leaving) error {
	return p.short(ctx, l.in("alter table {table} drop constraint if exists "+guard(l.name)))
}

// guarded says whether columns that are to be not null again can be null still, and if so makes a check that none is.
// Whether a row lacks a value is looked up while others go on writing.
func (p *Provider) guarded(ctx context.Context, l leaving, since time.Time) (nullable bool, err error) {
	var there bool
	columns, parts := make([]string, len(l.required)), make([]string, len(l.required))
	for i, c := range l.required {
		columns[i], parts[i] = p.names.col(l.name, c), l.col(c)+" is not null"
	}
	err = p.pool.QueryRow(ctx, `select exists (select from pg_attribute where attrelid = any($1) and attname = any($2)
			and not attnotnull), exists (select from pg_constraint where conrelid = any($1) and conname = $3)`,
		p.names.oids(l.name), columns, guard(l.name)).Scan(&nullable, &there)
	switch {
	case err != nil:
		return false, fail(changing, err)
	case !nullable && there:
		return false, p.unguard(ctx, l)
	case !nullable:
		return false, nil
	}
	if !there {
		err := p.short(ctx, l.in(fmt.Sprintf("alter table {table} add constraint %s check (%s) not valid", guard(l.name),
			strings.Join(parts, " and "))))
		if err != nil {
			return true, err
		}
	}
	err = p.short(ctx, l.in("alter table {table} validate constraint "+guard(l.name)))
	if err == nil {
		return true, nil
	}
	why, lookErr := p.SchemaNeeded(ctx, since)
	if len(why) > 0 {
		err = &providers.SchemaNeededError{Why: why}
	}
	return true, cmp.Or(p.unguard(context.WithoutCancel(ctx), l), lookErr, err)
}
