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
	shown    string // the same as the server writes it
	base     string // its type by the name in pg_type; of a domain what it is made of
	made     string // the same as the server writes it, with its length
	enum     bool   // that is an enumeration
	filled   bool   // always by the database itself
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
	oid     uint32
	table   string
	columns []string // expressions are left out
	valid   bool
}

// keyNow is a unique key of the mapping table.
type keyNow struct {
	name    string
	columns []string // sorted, each once
	primary bool
	late    bool // rows may break it for a while (DEFERRABLE)
}

// constraintNow is a constraint as the catalogue has it.
type constraintNow struct {
	table, name string
	check       bool
	columns     []string
	more        bool   // besides it reads what is no column: the whole row, the table's number
	text        string // of a check of one column, and of what has the name of one of ours
	valid       bool
}

// catalogue is what matters of the tables.
type catalogue struct {
	tables      map[string]map[string]column // table -> column
	indexes     map[string]indexNow          // of users and sessions, by name; with the table before it what has the name of an index of the other
	keys        []keyNow                     // of the mapping table
	constraints []constraintNow              // the oldest first
	namesakes   []namesake
}

// namesake is whatever has the name of something that is looked for, in any schema.
type namesake struct {
	oid                uint32
	name, schema, kind string // kind: relkind of pg_class
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
	if err := p.fit(ctx, c); err != nil {
		return i, err
	}
	p.judge(c, &i)
	i.Things, i.Shipped = p.names.things(c), p.names.migrations()
	if i.Extras, err = p.extras(ctx, c); err != nil {
		return i, err
	}
	if i.Noted, err = p.migrationTables(ctx, c, i.Role); err != nil {
		return i, err
	}
	if err := p.unhidden(ctx, i.Role); err != nil {
		return i, err
	}
	i.Rows, _, err = p.count(ctx, p.pool, "users")
	return i, fail("look at the size of the tables", err)
}

// A session's first look at each table of the catalogue costs more than what it finds there, so these are few and plain
// queries, of which more is made here.

func (p *Provider) catalogue(ctx context.Context) (catalogue, error) {
	r := catalogueReader{p: p, tables: map[uint32]string{}, columns: map[uint32]map[int16]string{}}
	r.c.tables = map[string]map[string]column{}
	for _, f := range p.names.places.tables {
		r.tables[f.oid] = f.name
	}
	for _, read := range []func(context.Context) error{r.readColumns, r.readConstraints, r.readIndexes, r.readNamesakes} {
		if err := read(ctx); err != nil {
			return r.c, fail("read the catalogue", err)
		}
	}
	return r.c, nil
}

// catalogueReader makes a catalogue of what queries say of tables and columns by number.
type catalogueReader struct {
	p       *Provider
	tables  map[uint32]string
	columns map[uint32]map[int16]string
	c       catalogue
}

// named are columns by their numbers; what is none, such as an expression, is left out.
func (r *catalogueReader) named(table uint32, numbers []int16) (list []string) {
	for _, n := range numbers {
		if name, ok := r.columns[table][n]; ok {
			list = append(list, name)
		}
	}
	return list
}

func (r *catalogueReader) readColumns(ctx context.Context) error {
	rows, err := r.p.pool.Query(ctx, `select a.attrelid, a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod),
			replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'), t.oid, t.typname::text, t.typtype::text,
			a.attnotnull, a.attgenerated <> '' or a.attidentity = 'a', coalesce(pg_get_expr(d.adbin, d.adrelid), '')
		from pg_attribute a join pg_type t on t.oid = a.atttypid
			left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
		where a.attrelid = any($1) and a.attnum > 0 and not a.attisdropped`, r.p.names.places.all())
	if err != nil {
		return err
	}
	var table, kind uint32
	var number int16
	var name, form string
	var col column
	domains := map[uint32]bool{}
	kinds := map[string]map[string]uint32{}
	into := []any{&table, &number, &name, &col.shown, &col.kind, &kind, &col.base, &form, &col.notNull, &col.filled, &col.fallback}
	_, err = pgx.ForEachRow(rows, into, func() error {
		of := r.tables[table]
		if r.c.tables[of] == nil {
			r.c.tables[of], r.columns[table], kinds[of] = map[string]column{}, map[int16]string{}, map[string]uint32{}
		}
		col.enum, col.made = form == "e", col.shown
		if form == "d" {
			domains[kind], kinds[of][name] = true, kind
		}
		r.c.tables[of][name], r.columns[table][number] = col, name
		return nil
	})
	if err != nil || len(domains) == 0 {
		return err
	}
	return r.readDomains(ctx, slices.Collect(maps.Keys(domains)), kinds)
}

// readDomains looks what domains are made of. kinds: table -> column -> its domain.
func (r *catalogueReader) readDomains(ctx context.Context, domains []uint32, kinds map[string]map[string]uint32) error {
	rows, err := r.p.pool.Query(ctx, `with recursive made as (
			select oid as domain, typname::text as name, typtype::text as form, typbasetype as base, typtypmod as length, '' as shown
				from pg_type where oid = any($1)
			union all select m.domain, t.typname::text, t.typtype::text, t.typbasetype, t.typtypmod, format_type(t.oid, m.length)
				from made m join pg_type t on t.oid = m.base where m.form = 'd')
		select domain, name, form = 'e', shown from made where form <> 'd'`, domains)
	if err != nil {
		return err
	}
	var domain uint32
	var base, made string
	var enum bool
	_, err = pgx.ForEachRow(rows, []any{&domain, &base, &enum, &made}, func() error {
		for table, columns := range kinds {
			for name, of := range columns {
				if of == domain {
					col := r.c.tables[table][name]
					col.base, col.enum, col.made = base, enum, made
					r.c.tables[table][name] = col
				}
			}
		}
		return nil
	})
	return err
}

func (r *catalogueReader) readConstraints(ctx context.Context) error {
	names := r.p.names
	ours := append(slices.Collect(maps.Keys(names.passing())), names.checkName("users"), names.checkName("sessions"))
	rows, err := r.p.pool.Query(ctx, `select conrelid, conname::text, contype = 'c', coalesce(conkey, '{}'), convalidated,
			case when contype = 'c' and cardinality(conkey) = 1 or conname = any($2) then pg_get_constraintdef(oid) else '' end
		from pg_constraint where conrelid = any($1) order by oid`, names.places.all(), ours)
	if err != nil {
		return err
	}
	var table uint32
	var key []int16
	var k constraintNow
	_, err = pgx.ForEachRow(rows, []any{&table, &k.name, &k.check, &key, &k.valid, &k.text}, func() error {
		k.table, k.columns = r.tables[table], r.named(table, key)
		k.more = len(k.columns) < len(key)
		r.c.constraints = append(r.c.constraints, k)
		if k.check && len(k.columns) == 1 && !k.more {
			col := r.c.tables[k.table][k.columns[0]]
			col.checks = append(col.checks, checkNow{k.name, k.text, k.valid})
			r.c.tables[k.table][k.columns[0]] = col
		}
		return nil
	})
	return err
}

func (r *catalogueReader) readIndexes(ctx context.Context) error {
	rows, err := r.p.pool.Query(ctx, `select c.oid, c.relname::text, x.indrelid, x.indisvalid,
			x.indisunique and x.indpred is null and x.indexprs is null, x.indisprimary, not x.indimmediate, x.indkey::int2[], x.indnkeyatts
		from pg_index x join pg_class c on c.oid = x.indexrelid where x.indrelid = any($1)`, r.p.names.oids("users", "sessions", "mapping"))
	if err != nil {
		return err
	}
	r.c.indexes = map[string]indexNow{}
	ours := map[string]string{} // table
	for _, i := range r.p.names.ownIndexes() {
		ours[i.name] = r.p.names.tables[i.table]
	}
	mapping := r.p.names.tables["mapping"]
	var name string
	var oid, table uint32
	var valid, unique, primary, late bool
	var numbers []int16
	var keys int16
	_, err = pgx.ForEachRow(rows, []any{&oid, &name, &table, &valid, &unique, &primary, &late, &numbers, &keys}, func() error {
		of := r.tables[table]
		switch {
		case of != mapping && ours[name] != "" && ours[name] != of: // there can be both, in two schemas
			r.c.indexes[of+"."+name] = indexNow{oid, of, r.named(table, numbers), valid}
		case of != mapping:
			r.c.indexes[name] = indexNow{oid, of, r.named(table, numbers), valid}
		case unique && valid:
			// An index may have a column twice.
			columns := slices.Compact(slices.Sorted(slices.Values(r.named(table, numbers[:keys]))))
			r.c.keys = append(r.c.keys, keyNow{name, columns, primary, late})
		}
		return nil
	})
	return err
}

func (r *catalogueReader) readNamesakes(ctx context.Context) error {
	names, _ := r.p.notedNames()
	for _, i := range r.p.names.indexes() {
		names = append(names, i.name)
	}
	for _, x := range extras() {
		names = append(names, x.name)
	}
	rows, err := r.p.pool.Query(ctx, `select c.oid, c.relname::text, n.nspname::text, c.relkind::text
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relname = any($1)`, names)
	if err != nil {
		return err
	}
	r.c.namesakes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n namesake, err error) {
		return n, row.Scan(&n.oid, &n.name, &n.schema, &n.kind)
	})
	return err
}

// has reports whether users or sessions have a constraint of a name.
func (n *names) has(c catalogue, constraint string) bool {
	return slices.ContainsFunc(c.constraints, func(k constraintNow) bool {
		return k.name == constraint && (k.table == n.tables["users"] || k.table == n.tables["sessions"])
	})
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
