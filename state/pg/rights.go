package pg

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// keeps are the tables of the state, with what is done to each: by whoever reads it, and by whoever writes it besides.
var keeps = []struct {
	name        string
	read, write []string
}{
	{"batches", reads, []string{"INSERT", "UPDATE"}},
	{"brakes", reads, []string{"INSERT", "DELETE"}},
	{"calls", nil, []string{"INSERT"}},
	{"confirmations", reads, []string{"INSERT", "DELETE"}},
	{"epoch", nil, []string{"SELECT", "INSERT", "UPDATE"}},
	{"forgotten", reads, []string{"INSERT"}},
	{"mails", reads, []string{"INSERT", "UPDATE"}},
	{"meta", reads, []string{"INSERT", "UPDATE"}},
	{"migrations", reads, nil},
	{"object_records", reads, []string{"INSERT", "UPDATE"}},
	{"objects", reads, []string{"INSERT", "UPDATE", "DELETE"}},
	{"pauses", reads, []string{"INSERT", "DELETE"}},
	{"plans", reads, []string{"INSERT"}},
	{"policies", reads, []string{"INSERT", "DELETE"}},
	{"records", reads, []string{"INSERT", "UPDATE"}},
	{"runs", reads, []string{"INSERT", "UPDATE"}},
	{"users", reads, []string{"INSERT", "UPDATE", "DELETE"}},
	{"wave_events", reads, []string{"INSERT"}},
	{"waves", reads, []string{"INSERT", "UPDATE"}},
	{"wishes", reads, []string{"INSERT", "UPDATE", "DELETE"}},
}

var reads = []string{"SELECT"}

// idsName is the sequence of the journal's records.
const idsName = "record_ids"

// Standing says how far the tables of a state are.
type Standing struct {
	Schema   bool // there is one of the name
	Tables   bool // with our tables in it
	Outdated bool // a writing command will change them
}

// Rights are those that a role needs to read what is recorded or, with writes, to record it: to make the tables where there are none.
func (s *Store) Rights(ctx context.Context, writes bool) (list []state.Right, is Standing, err error) {
	rows, err := s.pool.Query(ctx, `select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind in ('r', 'p', 'S')`, s.schema)
	if err != nil {
		return nil, is, s.unread(err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, is, s.unread(err)
	}
	p, err := s.look(ctx, s.pool)
	if err != nil {
		return nil, is, s.unread(err)
	}
	is = Standing{Schema: p.schema, Tables: slices.Contains(there, "meta")}
	switch {
	case !is.Tables && !writes:
		return nil, is, nil // it reads as an empty state
	case !is.Schema:
		return []state.Right{{On: state.OnDatabase, Name: p.database, Privilege: "CREATE"}}, is, nil
	case !is.Tables:
		return []state.Right{s.onSchema("USAGE"), s.onSchema("CREATE")}, is, nil
	}
	is.Outdated = s.outdated(ctx)
	return s.rights(there, is, writes), is, nil
}

// RightsOffline are those that a role needs of a state that is there, without a look.
func RightsOffline(schema string, writes bool) []state.Right {
	s := &Store{schema: schema}
	there := []string{idsName}
	for _, t := range keeps {
		there = append(there, t.name)
	}
	return s.rights(there, Standing{Schema: true, Tables: true}, writes)
}

// DeskRights are what the support desk records, besides what it reads.
func DeskRights(schema string) []state.Right {
	s := &Store{schema: schema}
	return append(s.columnRights(toShow, ""), s.columnRights(toMail, idsName)...)
}

// DeskRights are those of this state.
func (s *Store) DeskRights() []state.Right { return DeskRights(s.schema) }

func (s *Store) onSchema(privilege string) state.Right {
	return state.Right{On: state.OnSchema, Name: s.schema, Privilege: privilege}
}

func (s *Store) rights(there []string, is Standing, writes bool) []state.Right {
	list := []state.Right{s.onSchema("USAGE")}
	if writes && is.Outdated {
		list = append(list, s.onSchema("CREATE"))
	}
	for _, t := range keeps {
		if !slices.Contains(there, t.name) {
			continue // an older state: whoever changes it makes the table
		}
		privileges := t.read
		if writes {
			privileges = slices.Concat(t.read, t.write)
		}
		for _, p := range privileges {
			list = append(list, state.Right{On: state.OnTable, Schema: s.schema, Name: t.name, Privilege: p})
		}
		if writes && is.Outdated {
			list = append(list, state.Right{On: state.OnOwner, Schema: s.schema, Name: t.name})
		}
	}
	if writes && slices.Contains(there, idsName) {
		list = append(list, state.Right{On: state.OnSequence, Schema: s.schema, Name: idsName, Privilege: "USAGE"})
	}
	return list
}

// outdated says whether the state is one of an earlier version. Where the role may not read that, it lacks a right to read, which is
// told then.
func (s *Store) outdated(ctx context.Context) bool {
	var n int
	err := s.pool.QueryRow(ctx, s.sql("select count(*) from {schema}.migrations")).Scan(&n)
	list, listErr := allMigrations()
	return err == nil && listErr == nil && n < len(list)
}
