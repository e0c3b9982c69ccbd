package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// Columns that are there under the right name can still be none that a run could read or write. That is said when a plan
// is made: an apply would stop at the first row.

// family are types that serve one purpose, by their names in pg_type; a domain counts as what it is made of.
type family struct {
	types []string
	enums bool // an enumeration will do as well
	words string
	to    string // the type to change a column to
}

func families() map[string]family {
	text := []string{"text", "varchar", "citext"}
	times := []string{"timestamptz", "timestamp"}
	return map[string]family{
		"id":     {types: []string{"uuid"}, words: "a uuid", to: "uuid"},
		"text":   {types: text, words: "a text", to: "text"},
		"word":   {types: text, enums: true, words: "a word", to: "varchar(50)"},
		"flag":   {types: []string{"bool"}, words: "a boolean", to: "boolean"},
		"moment": {types: times, words: "a time", to: "timestamptz"},
		"date":   {types: append(slices.Clone(times), "date"), words: "a time", to: "timestamptz"},
	}
}

// need is a column with what it must be.
type need struct {
	table, column, family string
	written               bool
}

func needs() []need {
	return []need{
		{"tenants", "tenant_id", "id", false}, {"tenants", "slug", "text", true}, {"tenants", "name", "text", true},
		{"tenants", "status", "word", true}, {"tenants", "deleted_at", "date", true},
		{"users", "user_id", "id", false}, {"users", "tenant_id", "id", false}, {"users", "email", "text", false},
		{"users", "full_name", "text", false}, {"users", "role", "word", false}, {"users", "status", "word", false},
		{"users", "email_verified", "flag", false}, {"users", "deleted_at", "date", false},
		{"users", "link_id", "id", true}, {"users", "linked_at", "moment", true},
		{"users", "method", "word", true}, {"users", "invited_at", "date", true}, {"users", "completed_at", "moment", true},
		{"sessions", "user_id", "id", false}, {"sessions", "created_at", "date", false}, {"sessions", "revoked", "flag", false},
		{"sessions", "method", "word", false},
		{"mapping", "tenant_id", "id", true}, {"mapping", "group_id", "id", true}, {"mapping", "group_name", "text", true},
		{"mapping", "role", "word", true},
	}
}

// fit refuses columns that cannot be read or written, and names that are taken.
func (p *Provider) fit(ctx context.Context) error {
	wrong, cures, err := p.unfit(ctx)
	if err != nil {
		return fail(looking, err)
	}
	for _, more := range []func(context.Context) ([]error, []string, error){p.keyless, p.taken, p.named} {
		texts, statements, err := more(ctx)
		if err != nil {
			return fail(looking, err)
		}
		wrong, cures = append(wrong, texts...), append(cures, statements...)
	}
	if len(wrong) == 0 {
		return nil
	}
	reasons := make([]string, len(wrong))
	for i, w := range wrong {
		reasons[i] = w.Error()
	}
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: looking, Reason: strings.Join(reasons, "; "),
		Cure: "Nothing was changed. What would do, if the application can live with it:\n\n    " +
			strings.Join(cures, "\n    "),
	}
}

// unfit lists columns of a type that does not serve, and such as the database fills in itself though we would write them.
func (p *Provider) unfit(ctx context.Context) (wrong []error, cures []string, err error) {
	list := needs()
	tables, columns := make([]uint32, len(list)), make([]string, len(list))
	for i, n := range list {
		if oids := p.names.oids(n.table); len(oids) > 0 {
			tables[i] = oids[0]
		}
		columns[i] = p.names.col(n.table, n.column)
	}
	rows, err := p.pool.Query(ctx, `
		select * from (with recursive kinds as (
			select c.place, t.oid, t.typname::text as name, t.typtype::text as type, t.typbasetype as base,
				format_type(a.atttypid, a.atttypmod) as shown, a.attgenerated <> '' as generated, a.attidentity = 'a' as identity
			from unnest($1::oid[], $2::text[]) with ordinality as c (relation, name, place)
				join pg_attribute a on a.attrelid = c.relation and a.attname = c.name and not a.attisdropped
				join pg_type t on t.oid = a.atttypid
			union all select k.place, t.oid, t.typname::text, t.typtype::text, t.typbasetype, k.shown, k.generated, k.identity
			from kinds k join pg_type t on t.oid = k.base where k.type = 'd')
		select place::int - 1, name, type = 'e', shown, generated or identity,
			shown ~ '^character varying' and substring(shown from '[0-9]+')::int < $3 from kinds where type <> 'd') k order by 1`,
		tables, columns, p.names.longest())
	if err != nil {
		return nil, nil, err
	}
	var place int
	var name, shown string
	var enum, filled, short bool
	_, err = pgx.ForEachRow(rows, []any{&place, &name, &enum, &shown, &filled, &short}, func() error {
		n := list[place]
		f := families()[n.family]
		what := p.names.qualified(n.table, n.column)
		alter := "ALTER TABLE " + p.names.table(n.table).Sanitize() + " ALTER COLUMN " +
			pgx.Identifier{p.names.col(n.table, n.column)}.Sanitize()
		if !slices.Contains(f.types, name) && (!enum || !f.enums) || short && n.column == "method" {
			wrong = append(wrong, fmt.Errorf("%s is of type %s, and has to be %s", what, shown, f.words))
			cures = append(cures, retype(alter, pgx.Identifier{p.names.col(n.table, n.column)}.Sanitize(), f.to, shown))
		}
		if filled && n.written {
			wrong = append(wrong, fmt.Errorf("%s is generated by the database, and has to be written", what))
			cures = append(cures, alter+" DROP EXPRESSION;")
		}
		return nil
	})
	return wrong, cures, err
}

// longest is how many characters the longest method has.
func (n *names) longest() (most int) {
	for _, v := range append(n.methodValues(n.methods[state.MethodPassword]), n.session) {
		most = max(most, utf8.RuneCountInString(v))
	}
	return most
}

// retype changes a column's type, and loses nothing of what it says: where yes is to be a time it becomes the present one, and no none.
// Whoever was deleted must not come back.
func retype(alter, column, to, from string) string {
	if from == "boolean" && to == families()["moment"].to {
		return fmt.Sprintf("%s DROP DEFAULT, ALTER COLUMN %[2]s DROP NOT NULL, ALTER COLUMN %[2]s TYPE %[3]s USING CASE WHEN %[2]s THEN now() END;",
			alter, column, to)
	}
	return fmt.Sprintf("%s TYPE %s USING %s::text::%s;", alter, to, column, to)
}

// keyless refuses a mapping table in which one group can stand twice for a tenant: rows of it are written by that key.
func (p *Provider) keyless(ctx context.Context) (wrong []error, cures []string, err error) {
	oids := p.names.oids("mapping")
	if len(oids) == 0 {
		return nil, nil, nil
	}
	columns := []string{p.names.col("mapping", "tenant_id"), p.names.col("mapping", "group_id")}
	var there bool
	err = p.pool.QueryRow(ctx, `select exists (select from pg_index x
		where x.indrelid = $1 and x.indisunique and x.indisvalid and x.indpred is null and x.indexprs is null
			and (select array_agg(a.attname::text order by 1) from pg_attribute a where a.attrelid = $1
				and a.attnum = any((x.indkey::int2[])[0:x.indnkeyatts - 1]))
				= (select array_agg(name order by 1) from unnest($2::text[]) as name))`, oids[0], columns).Scan(&there)
	if err != nil || there {
		return nil, nil, err
	}
	table := p.names.table("mapping").Sanitize()
	return []error{fmt.Errorf("%s has no unique key of %s", p.names.tables["mapping"], strings.Join(columns, " and "))},
		[]string{"ALTER TABLE " + table + " ADD UNIQUE (" + p.names.sql("{mapping.tenant_id}, {group_id}") + ");"}, nil
}

// taken refuses names of indexes that something else has in the schema of their table: `if not exists` would pass over it.
func (p *Provider) taken(ctx context.Context) (wrong []error, cures []string, err error) {
	for _, i := range p.names.indexes() {
		oids := p.names.oids(i.table)
		if len(oids) == 0 {
			continue
		}
		rows, err := p.pool.Query(ctx, `select c.relkind in ('i', 'I'), n.nspname, coalesce(x.indrelid::regclass::text, '')
			from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index x on x.indexrelid = c.oid
			where c.relname = $2 and c.relnamespace = (select relnamespace from pg_class where oid = $1)
				and x.indrelid is distinct from $1`, oids[0], i.name)
		if err != nil {
			return nil, nil, err
		}
		var isIndex bool
		var schema, of string
		_, err = pgx.ForEachRow(rows, []any{&isIndex, &schema, &of}, func() error {
			what, alter := "something else", "ALTER TABLE"
			if isIndex {
				what, alter = "an index of "+of, "ALTER INDEX"
			}
			wrong = append(wrong, fmt.Errorf("the name %s, which an index of %s has to have, is that of %s", i.name,
				p.names.tables[i.table], what))
			cures = append(cures, fmt.Sprintf("%s %s RENAME TO %s;", alter, pgx.Identifier{schema, i.name}.Sanitize(),
				pgx.Identifier{i.name + "_other"}.Sanitize()))
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return wrong, cures, nil
}

// named refuses checks that have the names of those of methods, and are of something else.
func (p *Provider) named(ctx context.Context) (wrong []error, cures []string, err error) {
	for _, table := range []string{"users", "sessions"} {
		name := p.names.checkName(table)
		rows, err := p.pool.Query(ctx, `select pg_get_constraintdef(k.oid) from pg_constraint k
			where k.conrelid = any($1) and k.conname = $2 and (k.contype <> 'c' or not k.conkey <@ array(
				select a.attnum from pg_attribute a where a.attrelid = k.conrelid and a.attname = $3 and not a.attisdropped))`,
			p.names.oids(table), name, p.names.col(table, "method"))
		if err != nil {
			return nil, nil, err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, nil, err
		}
		for _, def := range list {
			wrong = append(wrong, fmt.Errorf("the name %s, which the check of methods has to have, is that of %s", name, def))
			cures = append(cures, fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s;", p.names.table(table).Sanitize(),
				pgx.Identifier{name}.Sanitize(), pgx.Identifier{name + "_other"}.Sanitize()))
		}
	}
	return wrong, cures, nil
}
