package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"anthill/providers"
)

// column is a column as the catalogue has it.
type column struct {
	kind     string // its type
	notNull  bool
	fallback string     // default expression; "" none
	checks   []checkNow // of that column alone
}

// checkNow is a check as the catalogue has it.
type checkNow struct {
	name, text string
	valid      bool
}

// indexNow is an index as the catalogue has it.
type indexNow struct {
	table   string
	columns []string // expressions are left out
	valid   bool
}

// catalogue is what matters of the tables.
type catalogue struct {
	tables  map[string]map[string]column // table -> column
	indexes map[string]indexNow          // of users and sessions
	left    []string                     // checks of theirs that steps make for a while
}

// Inspect looks at the catalogue: where this is, and how far the schema is. Views, functions, comments and indexes
// never count for the level, and neither do the names of migrations. *state.Error of kind Missing when a table or column of the
// baseline is not there, and of kind Denied when rows of it would be hidden from the role.
func (p *Provider) Inspect(ctx context.Context) (providers.Inspection, error) {
	i := providers.Inspection{Host: p.host}
	err := p.pool.QueryRow(ctx, `select current_database(), current_setting('server_version'), current_user`).
		Scan(&i.Database, &i.Version, &i.Role)
	if err != nil {
		return i, fail("look at the server", err)
	}
	err = p.pool.QueryRow(ctx, `select system_identifier::text from pg_control_system()`).Scan(&i.System)
	if err != nil {
		return i, fail("read the server's identity", err)
	}
	if err := p.usable(); err != nil {
		return i, err
	}
	c, err := p.catalogue(ctx)
	if err != nil {
		return i, err
	}
	p.names.gone, p.names.unmapped = nil, false
	if err := p.missing(ctx, c, &i); err != nil {
		return i, err
	}
	if err := p.fit(ctx); err != nil {
		return i, err
	}
	p.judge(c, &i)
	i.Things, i.Shipped = p.names.things(c), p.names.migrations()
	if i.Extras, err = p.extras(ctx, c); err != nil {
		return i, err
	}
	if i.Noted, err = p.migrationTables(ctx, i.Role); err != nil {
		return i, err
	}
	if err := p.unhidden(ctx, i.Role); err != nil {
		return i, err
	}
	i.Rows, _, err = p.count(ctx, p.pool, "users")
	return i, fail("look at the size of the tables", err)
}

func (p *Provider) catalogue(ctx context.Context) (catalogue, error) {
	const doing = "read the catalogue"
	c := catalogue{tables: map[string]map[string]column{}}
	rows, err := p.pool.Query(ctx, `
		select t.relname, a.attname, replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
			a.attnotnull,
			coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
			array(select k.conname::text`+checksOf+`), array(select pg_get_constraintdef(k.oid)`+checksOf+`),
			array(select k.convalidated`+checksOf+`)
		from pg_class t join pg_attribute a on a.attrelid = t.oid
			left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
		where t.oid = any($1) and a.attnum > 0 and not a.attisdropped`, p.names.places.all())
	if err != nil {
		return c, fail(doing, err)
	}
	var table, name string
	var col column
	var checks, texts []string
	var valid []bool
	into := []any{&table, &name, &col.kind, &col.notNull, &col.fallback, &checks, &texts, &valid}
	_, err = pgx.ForEachRow(rows, into, func() error {
		if c.tables[table] == nil {
			c.tables[table] = map[string]column{}
		}
		col.checks = nil
		for i := range checks {
			col.checks = append(col.checks, checkNow{checks[i], texts[i], valid[i]})
		}
		c.tables[table][name] = col
		return nil
	})
	if err != nil {
		return c, fail(doing, err)
	}
	if c.indexes, err = p.indexesNow(ctx); err != nil {
		return c, fail(doing, err)
	}
	rows, err = p.pool.Query(ctx, "select conname::text from pg_constraint where conrelid = any($1) and conname = any($2)",
		p.names.oids("users", "sessions"), slices.Collect(maps.Keys(p.names.passing())))
	if err != nil {
		return c, fail(doing, err)
	}
	c.left, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return c, fail(doing, err)
}

const checksOf = ` from pg_constraint k
	where k.conrelid = t.oid and k.contype = 'c' and k.conkey = array[a.attnum] order by k.oid`

func (p *Provider) indexesNow(ctx context.Context) (map[string]indexNow, error) {
	rows, err := p.pool.Query(ctx, `select c.relname, t.relname, x.indisvalid,
			array(select a.attname::text from unnest(x.indkey::int[]) with ordinality as k (n, place)
				join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.n order by k.place)
		from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
		where x.indrelid = any($1)`, p.names.oids("users", "sessions"))
	if err != nil {
		return nil, err
	}
	indexes := map[string]indexNow{}
	var name string
	var i indexNow
	_, err = pgx.ForEachRow(rows, []any{&name, &i.table, &i.valid, &i.columns}, func() error {
		indexes[name] = i
		i.columns = nil
		return nil
	})
	return indexes, err
}

// baseline are the columns that must be there, by logical names.
func baseline() map[string][]string {
	return map[string][]string{
		"tenants": {"tenant_id", "slug", "name", "plan", "status", "deleted_at"},
		"users": {"user_id", "tenant_id", "email", "password_hash", "full_name", "role", "status", "email_verified",
			"deleted_at", "link_id", "linked_at"},
		"sessions": {"user_id", "access_token_hash", "refresh_token_hash", "created_at", "revoked"},
		"mapping":  {"tenant_id", "group_id", "group_name", "role"},
	}
}

// absent lists tables and columns of the baseline that are not there.
func (n *names) absent(c catalogue) (tables, columns []string) {
	for logical, cols := range baseline() {
		table := n.tables[logical]
		if c.tables[table] == nil {
			tables = append(tables, table)
			continue
		}
		for _, col := range cols {
			if _, ok := c.tables[table][n.col(logical, col)]; !ok {
				columns = append(columns, n.qualified(logical, col))
			}
		}
	}
	slices.Sort(tables)
	slices.Sort(columns)
	return tables, columns
}

func (p *Provider) missing(ctx context.Context, c catalogue, i *providers.Inspection) error {
	tables, columns := p.names.absent(c)
	if len(tables)+len(columns) == 0 {
		return nil
	}
	// The usual mistake is the wrong naming, which is told by trying the others.
	fits := ""
	for _, other := range Namings() {
		n, err := spell(other, p.names.own)
		if err != nil || other == p.names.preset {
			continue
		}
		if t, col := n.absent(c); len(t)+len(col) == 0 {
			fits = other
		}
	}
	wanting := p.names.wanting(tables, columns)
	if fits != "" {
		return p.names.noTables(tables, columns, fits, nil, wanting)
	}
	var elsewhere []string
	if len(tables) > 0 {
		var err error
		if elsewhere, err = p.elsewhere(ctx, tables); err != nil {
			return err
		}
	}
	err := p.names.noTables(tables, columns, fits, elsewhere, wanting)
	if p.noteGone(tables, columns, wanting, i, err) {
		return nil
	}
	return err
}
