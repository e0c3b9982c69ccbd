package postgres

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"anthill/providers"
)

//go:embed extras.sql
var extrasSQL string

// extra is a part of extras.sql.
type extra struct {
	kind, name string // name: of a column, the logical one with its table
	sql        string // statements, each ending with a semicolon at the end of its last line
}

func extras() (list []extra) {
	for _, part := range strings.Split(extrasSQL, "\n--- ")[1:] {
		head, sql, _ := strings.Cut(part, "\n")
		kind, name, _ := strings.Cut(head, " ")
		list = append(list, extra{kind, name, strings.TrimSpace(sql)})
	}
	return list
}

// needs are columns of sessions that parts read and that are no names of ours: without them the application is another one.
func (x extra) needs() (list []string) {
	for _, col := range []string{"access_token_expires_at", "last_used_at", "revoked_at"} {
		if strings.Contains(x.sql, col) {
			list = append(list, col)
		}
	}
	return list
}

// statements are those of a part under the names of the database, each on one line.
func (n *names) extra(x extra) (list []string) {
	schema := pgx.Identifier{n.table("users")[0]}.Sanitize()
	for _, sql := range strings.SplitAfter(x.sql, ";\n") {
		parts := strings.Split(strings.Join(strings.Fields(sql), " "), "<schema>")
		for i, p := range parts {
			parts[i] = n.sql(strings.ReplaceAll(p, "<idp>", n.idp))
		}
		list = append(list, strings.Join(parts, schema))
	}
	return list
}

// extras are the parts that are not there, whoever would have made them.
func (p *Provider) extras(ctx context.Context, c catalogue) (list []providers.SchemaExtra, err error) {
	var there []string // names of views and functions, and columns with a comment as table.column
	var names []string
	for _, x := range extras() {
		names = append(names, x.name)
	}
	schema := p.names.table("users")[0]
	rows, err := p.pool.Query(ctx, `select proname::text from pg_proc where proname = any($3) and pronamespace = $1::regnamespace
		union all select c.relname || '.' || a.attname from pg_description d join pg_class c on c.oid = d.objoid
			join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
			where d.classoid = 'pg_class'::regclass and d.objsubid > 0 and c.oid = any($2)`,
		pgx.Identifier{schema}.Sanitize(), p.names.oids("users", "sessions"), names)
	if err == nil {
		there, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fail(looking, err)
	}
	for _, n := range c.namesakes {
		if n.schema == schema && (n.kind == "v" || n.kind == "m") {
			there = append(there, n.name)
		}
	}
	for _, x := range extras() {
		one := providers.SchemaExtra{Kind: x.kind, Name: x.name}
		if table, col, ok := strings.Cut(x.name, "."); ok {
			one.Name = p.names.qualified(table, col)
		}
		lacks := slices.ContainsFunc(x.needs(), func(col string) bool {
			_, ok := c.tables[p.names.tables["sessions"]][col]
			return !ok
		})
		if lacks || slices.Contains(there, one.Name) {
			continue
		}
		one.Statements = p.names.extra(x)
		list = append(list, one)
	}
	return list, nil
}
