package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// place is where the search path finds a table, or whatever else has its name.
type place struct {
	schema, name string
	oid          uint32
	kind         string   // relkind of pg_class
	foreign      bool     // rows of it are on another server
	above        string   // the table that it is a partition of; "" none
	below        []uint32 // partitions and inheriting tables, of all levels
}

// places are the tables by their names, as the search path of the first connection found them: with their schema from
// then on, so that no later setting and no new table leads elsewhere.
type places struct {
	path   []string
	tables map[string]place
}

// find looks for the tables of all namings along the search path, as Postgres does, but for one thing: a schema that
// the role may not use counts. Postgres passes over it in silence, to a table that is another one.
func (p *Provider) find(ctx context.Context) error {
	var path, role string
	err := p.pool.QueryRow(ctx, "select current_setting('search_path'), current_user").Scan(&path, &role)
	if err != nil {
		return fail(finding, err)
	}
	p.names.places = places{path: searchPath(path, role), tables: map[string]place{}}
	rows, err := p.pool.Query(ctx, `
		select n.nspname, c.relname, c.oid, c.relkind::text, c.relkind = 'f' or c.relhassubclass or c.relispartition
		from unnest($1::text[]) with ordinality as s (name, rank)
			join pg_namespace n on n.nspname = s.name join pg_class c on c.relnamespace = n.oid
		where c.relname = any($2) and c.relkind in ('r', 'p', 'v', 'm', 'f')
		order by s.rank`, p.names.places.path, p.names.allTables())
	if err != nil {
		return fail(finding, err)
	}
	var related []uint32
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f place, err error) {
		var kin bool
		err = row.Scan(&f.schema, &f.name, &f.oid, &f.kind, &kin)
		if kin {
			related = append(related, f.oid)
		}
		return f, err
	})
	if err == nil && len(related) > 0 {
		err = p.relate(ctx, related, list)
	}
	for _, f := range list {
		if _, earlier := p.names.places.tables[f.name]; !earlier {
			p.names.places.tables[f.name] = f
		}
	}
	return fail(finding, err)
}

// relate looks what is above and below those of some tables that may have partitions, inherit, or be foreign.
func (p *Provider) relate(ctx context.Context, related []uint32, list []place) error {
	rows, err := p.pool.Query(ctx, `
		select c.oid, exists (
			with recursive tree as (select c.oid as id
				union all select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.id)
			select from tree join pg_class f on f.oid = tree.id where f.relkind = 'f'),
			coalesce((select inhparent::regclass::text from pg_inherits where inhrelid = c.oid and c.relispartition), ''),
			array(with recursive tree as (select inhrelid as id from pg_inherits where inhparent = c.oid
				union select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.id)
			select id from tree)
		from pg_class c where c.oid = any($1)`, related)
	if err != nil {
		return err
	}
	var is place
	_, err = pgx.ForEachRow(rows, []any{&is.oid, &is.foreign, &is.above, &is.below}, func() error {
		for i, f := range list {
			if f.oid == is.oid {
				list[i].foreign, list[i].above, list[i].below = is.foreign, is.above, is.below
			}
		}
		is.below = nil
		return nil
	})
	return err
}

// elsewhere are the schemas that have all tables of some names. Those of the recorded state, which has users of its
// own, know no tenant_id.
func (p *Provider) elsewhere(ctx context.Context, tables []string) ([]string, error) {
	rows, err := p.pool.Query(ctx, `
		select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relname = any($1) and c.relkind in ('r', 'p') and c.relpersistence <> 't' and exists (select from pg_attribute a
			where a.attrelid = c.oid and a.attname = any($2) and not a.attisdropped)
		group by 1 having count(*) = cardinality($1) order by 1`,
		tables, []string{p.names.col("users", "tenant_id"), p.names.col("tenants", "tenant_id"), p.names.col("mapping", "tenant_id"),
			p.names.col("sessions", "access_token_hash")})
	if err != nil {
		return nil, fail(finding, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, fail(finding, err)
}

// all are the tables that were found.
func (x places) all() (list []uint32) {
	for _, f := range x.tables {
		list = append(list, f.oid)
	}
	return list
}

// allTables are the names of the tables in all namings, as the wrong naming is told by trying the others.
func (n *names) allTables() (list []string) {
	for _, name := range Namings() {
		if n, err := spell(name, n.own); err == nil {
			for _, table := range n.tables {
				list = append(list, table)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// oids are those of some tables; ones that are not there are left out.
func (n *names) oids(logical ...string) (list []uint32) {
	for _, l := range logical {
		if f, ok := n.places.tables[n.tables[l]]; ok {
			list = append(list, f.oid)
		}
	}
	return list
}

// tree is a table with its partitions, or those that inherit from it.
func (n *names) tree(logical string) []uint32 {
	return append(n.oids(logical), n.places.tables[n.tables[logical]].below...)
}

func (n *names) partitioned(logical string) bool {
	return n.places.tables[n.tables[logical]].kind == "p"
}

// table names a table with its schema.
func (n *names) table(logical string) pgx.Identifier {
	name := n.tables[logical]
	if f, ok := n.places.tables[name]; ok {
		return pgx.Identifier{f.schema, name}
	}
	return pgx.Identifier{name}
}

// usable refuses what the search path finds where it is no table of ours to read: its rows are chosen by somebody else.
func (p *Provider) usable() error {
	for _, logical := range []string{"users", "tenants", "mapping", "sessions"} {
		f, ok := p.names.places.tables[p.names.tables[logical]]
		switch {
		case !ok:
		case f.foreign, f.kind != "r" && f.kind != "p":
			return noTable(f, p.names.places.path)
		case f.above != "":
			return onlyPart(f, p.names.places.path)
		}
	}
	return nil
}

// searchPath takes the setting search_path apart (varlena.c, SplitIdentifierString): names in double quotes as they
// are, others in lower case.
func searchPath(setting, role string) (path []string) {
	for rest := setting; ; {
		rest = strings.TrimLeft(rest, ", \t\r\n\f\v")
		if rest == "" {
			return path
		}
		var name string
		if rest[0] == '"' {
			name, rest = quotedName(rest[1:])
		} else {
			end := strings.IndexAny(rest+",", ", \t\r\n\f\v")
			name, rest = strings.ToLower(rest[:end]), rest[end:]
		}
		if name == "$user" {
			name = role
		}
		path = append(path, name)
	}
}

// quotedName reads up to the closing quote; two quotes are one of the name.
func quotedName(text string) (name, rest string) {
	for {
		part, after, closed := strings.Cut(text, `"`)
		name += part
		if !closed || !strings.HasPrefix(after, `"`) {
			return name, after
		}
		name, text = name+`"`, after[1:]
	}
}
