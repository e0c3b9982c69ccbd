package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/internal/migration"
	"anthill/providers"
	"anthill/state"
)

// The application's own tool notes in a table which migrations it has run. A plan goes by that alone to say which of them would fail
// on what Anthill makes, so whatever is wrong with such a table is said, and stops nothing.

// tool is a tool by its table. A table is a tool's where it has these columns, of these types.
type tool struct {
	name, table string
	version     string
	columns     map[string]string // besides: type; "": any
	from        string            // instead of the table
	where       string            // clause for what was run; "": all
	upTo        bool
}

// tools are those that are known by their tables. Of those with one name the first that fits is meant.
func tools() []tool {
	const done = "bool"
	return []tool{
		{name: "sqlx", table: "_sqlx_migrations", version: "version",
			columns: map[string]string{"description": "", "success": done, "checksum": "bytea"}, where: "where success"},
		{name: "golang-migrate", table: "schema_migrations", version: "version", columns: map[string]string{"dirty": done}, upTo: true},
		{name: "Rails, dbmate or Ecto", table: "schema_migrations", version: "version"},
		{name: "goose", table: "goose_db_version", version: "version_id", columns: map[string]string{"id": "", "is_applied": done},
			from: "select distinct on (version_id) version_id, is_applied from %s order by version_id, id desc", where: "where is_applied"},
		{name: "Flyway", table: "flyway_schema_history", version: "version",
			columns: map[string]string{"installed_rank": "", "script": "", "success": done}, where: "where success"},
		{name: "Atlas", table: "atlas_schema_revisions", version: "version", columns: map[string]string{"description": "", "total": ""}},
		{name: "Diesel", table: "__diesel_schema_migrations", version: "version", columns: map[string]string{"run_on": ""}},
		{name: "Refinery", table: "refinery_schema_history", version: "version", columns: map[string]string{"name": "", "checksum": ""}},
		{name: "Alembic", table: "alembic_version", version: "version_num"},
		{name: "Django", table: "django_migrations", version: "name", columns: map[string]string{"app": "", "applied": ""}},
		{name: "Prisma", table: "_prisma_migrations", version: "migration_name",
			columns: map[string]string{"finished_at": "", "rolled_back_at": ""}, where: "where finished_at is not null and rolled_back_at is null"},
		{name: "Knex", table: "knex_migrations", version: "name", columns: map[string]string{"batch": "", "migration_time": ""}},
		{name: "TypeORM", table: "migrations", version: "name", columns: map[string]string{"timestamp": ""}},
		{name: "Laravel", table: "migrations", version: "migration", columns: map[string]string{"batch": ""}},
		{name: "Sequelize", table: "SequelizeMeta", version: "name"},
	}
}

// notedSchema is the schema of its own that Atlas keeps its table in.
const notedSchema = "atlas_schema_revisions"

// What is read of such a table, and for how long it is waited.
const (
	mostNoted  = 20_000
	notedWaits = "2s"
	mostTables = 20
)

// notedTable is a table of such a name.
type notedTable struct {
	schema, name string
	columns      map[string]string // type
	open         []string          // columns that the role may read
	closed       bool              // it may not use the schema
	shielded     bool              // row level security would hide rows
}

// reads are the columns that are read of the tool's table.
func (of tool) reads() []string {
	list := []string{of.version}
	for _, c := range slices.Sorted(maps.Keys(of.columns)) {
		if strings.Contains(of.where+of.from, c) {
			list = append(list, c)
		}
	}
	return list
}

// hidden reports whether the role may not read what is read of a table.
func (t notedTable) hidden(of tool) bool {
	return t.closed || t.shielded || slices.ContainsFunc(of.reads(), func(c string) bool { return !slices.Contains(t.open, c) })
}

// migrationTables finds the tables of tools, and reads what they say.
func (p *Provider) migrationTables(ctx context.Context, c catalogue, role string) (list []providers.MigrationTable, err error) {
	if !slices.ContainsFunc(c.namesakes, func(n namesake) bool { return n.kind == "r" || n.kind == "p" }) {
		return nil, nil
	}
	tables, err := p.notedTables(ctx)
	if err != nil {
		return nil, fail(looking, err)
	}
	for _, t := range tables[:min(len(tables), mostTables)] {
		of, ok := p.toolOf(t)
		if !ok {
			continue
		}
		quoted := pgx.Identifier{t.schema, t.name}.Sanitize()
		one := providers.MigrationTable{Tool: of.name, Name: t.schema + "." + t.name, Quoted: quoted, UpTo: of.upTo}
		if t.hidden(of) {
			one.Unread = state.Found(state.CodeTableUnread, state.Text(state.KeyTable, one.Name), state.Text(state.KeyRole, role))
			if !t.shielded {
				one.Grant = t.grant(of, role)
			}
		} else if one.Applied, err = p.applied(ctx, of, quoted); err != nil {
			if !ofStatement(err) {
				return nil, fail(looking, err)
			}
			one.Unread = state.Found(state.CodeTableUnread, state.Text(state.KeyTable, one.Name), state.Text(state.KeySaid, saidOf(err)))
		}
		list = append(list, one)
	}
	return list, nil
}

// grant gives a role the right to read what is read of a table.
func (t notedTable) grant(of tool, role string) string {
	columns := of.reads()
	for i, c := range columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	schema, to := pgx.Identifier{t.schema}.Sanitize(), " TO "+pgx.Identifier{role}.Sanitize()+";"
	return "GRANT USAGE ON SCHEMA " + schema + to + " GRANT SELECT (" + strings.Join(columns, ", ") + ") ON " +
		pgx.Identifier{t.schema, t.name}.Sanitize() + to
}

var errTooManyNoted = errors.New("too many rows")

// ofStatement reports whether a statement failed, and not the connection.
func ofStatement(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) || errors.Is(err, errTooManyNoted)
}

func saidOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Message
	}
	return err.Error()
}

// notedTables are the tables of the names that tools give theirs, and those that the configuration names, along the search path and
// then in the schema of users.
func (p *Provider) notedTables(ctx context.Context) (list []notedTable, err error) {
	path := append(slices.Clone(p.names.places.path), p.names.table("users")[0])
	names, schemas := p.notedNames()
	rows, err := p.pool.Query(ctx, `
		select n.nspname::text, c.relname::text, array_agg(a.attname::text), array_agg(t.typname::text),
			array_agg(a.attname::text) filter (where has_column_privilege(c.oid, a.attnum, 'SELECT')),
			not has_schema_privilege(n.oid, 'USAGE'), row_security_active(c.oid)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
			join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped join pg_type t on t.oid = a.atttypid
		where c.relname = any($1) and c.relkind in ('r', 'p') and exists (select from unnest($1::text[], $2::text[]) as w (name, space)
			where w.name = c.relname and (w.space = n.nspname or w.space = '' and (n.nspname = any($3) or c.relname = $4 and n.nspname = $4)))
		group by n.oid, n.nspname, c.oid, c.relname
		order by array_position($3, n.nspname::text), n.nspname, c.relname`, names, schemas, path, notedSchema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t notedTable, err error) {
		var columns, types []string
		err = row.Scan(&t.schema, &t.name, &columns, &types, &t.open, &t.closed, &t.shielded)
		t.columns = map[string]string{}
		for i, c := range columns {
			t.columns[c] = types[i]
		}
		return t, err
	})
}

// notedNames are the names of tables that are looked for, each with its schema; "": along the search path.
func (p *Provider) notedNames() (names, schemas []string) {
	for _, t := range tools() {
		names, schemas = append(names, t.table), append(schemas, "")
	}
	for _, s := range p.noted {
		schema, name, dotted := strings.Cut(s, ".")
		if !dotted {
			schema, name = "", s
		}
		names, schemas = append(names, name), append(schemas, schema)
	}
	return names, schemas
}

// toolOf is the tool whose table this is, or how one is read that the configuration names; false: it is another table of the name, or
// none of its columns can be a version.
func (p *Provider) toolOf(t notedTable) (tool, bool) {
	for _, of := range tools() {
		if of.table == t.name && t.has(of.version, "") && !slices.ContainsFunc(slices.Collect(maps.Keys(of.columns)), func(c string) bool {
			return !t.has(c, of.columns[c])
		}) {
			return of, true
		}
	}
	if !slices.Contains(p.noted, t.name) && !slices.Contains(p.noted, t.schema+"."+t.name) {
		return tool{}, false
	}
	of := tool{table: t.name}
	for _, c := range []string{
		"version", "version_id", "version_num", "migration_name", "migration", "name", "filename", "file", "script", "id",
	} {
		if t.has(c, "") {
			of.version = c
			break
		}
	}
	for _, c := range []string{"success", "succeeded", "is_applied", "applied"} {
		if t.has(c, "bool") {
			of.where, of.columns = "where "+c, map[string]string{c: "bool"}
			break
		}
	}
	return of, of.version != ""
}

func (t notedTable) has(column, kind string) bool {
	is, there := t.columns[column]
	return there && (kind == "" || is == kind)
}

// applied is what a table says was run.
func (p *Provider) applied(ctx context.Context, of tool, quoted string) (list []string, err error) {
	from := quoted
	if of.from != "" {
		from = "(" + fmt.Sprintf(of.from, quoted) + ")"
	}
	version := pgx.Identifier{of.version}.Sanitize()
	sql := fmt.Sprintf("select %s::text from %s as noted %s limit $1", version, from, of.where)
	var versions []*string // Flyway notes what has none as well
	err = pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, setting := range []string{"lock_timeout", "statement_timeout"} {
			if _, err := tx.Exec(ctx, "set local "+setting+" = "+literal(notedWaits)); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, sql, mostNoted+1)
		if err == nil {
			versions, err = pgx.CollectRows(rows, pgx.RowTo[*string])
		}
		return err
	})
	if err == nil && len(versions) > mostNoted {
		err = errTooManyNoted
	}
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v != nil {
			list = append(list, migration.Key(*v))
		}
	}
	slices.SortFunc(list, migration.Compare)
	return list, nil
}

// things are what steps make under names of their own.
func (n *names) things(c catalogue) (list []providers.SchemaThing) {
	add := func(step, table string, kind migration.Kind, name string, there bool, of ...string) {
		list = append(list, providers.SchemaThing{
			Thing: migration.Thing{Kind: kind, Schema: n.table(table)[0], Table: n.tables[table], Name: name},
			Step:  step, Of: of, There: there,
		})
	}
	for _, t := range []struct {
		table, step string
		columns     []string
	}{
		{"users", providers.SchemaUserColumns, []string{"method", "invited_at", "completed_at"}},
		{"sessions", providers.SchemaSessionColumns, []string{"session_link", "method"}},
	} {
		for _, col := range t.columns {
			_, there := n.column(c, t.table, col)
			add(t.step, t.table, migration.Column, n.col(t.table, col), there)
		}
		method, _ := n.column(c, t.table, "method")
		name := n.checkName(t.table)
		there := slices.ContainsFunc(method.checks, func(k checkNow) bool { return k.name == name })
		add(t.table+".method.check", t.table, migration.Constraint, name, there, n.col(t.table, "method"))
	}
	for _, i := range n.indexes() {
		_, there := c.indexes[i.name]
		of := make([]string, len(i.columns))
		for k, col := range i.columns {
			of[k] = n.col(i.table, col)
		}
		add("index."+i.key, i.table, migration.Index, i.name, there, of...)
	}
	return list
}
