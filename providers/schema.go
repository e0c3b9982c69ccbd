package providers

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/migration"
	"anthill/state"
)

// SchemaStep is one step of the schema.
type SchemaStep struct {
	Name string        // stable, e.g. users.password_hash.nullable
	Does state.Finding // under the names that the database has
}

// SchemaSteps are the names of all steps from the baseline to dual, in their order.
func SchemaSteps() []string {
	return []string{
		"users.password_hash.nullable", SchemaUserColumns, SchemaSessionColumns, SchemaFilled,
		"index.users.method", "index.users.status", "index.users.pending",
		"index.sessions.link", "index.sessions.method", "index.sessions.user",
		"users.method.check", "sessions.method.check",
	}
}

// The steps that make the columns of users and of sessions, and the back-fill.
const (
	SchemaUserColumns    = "users.columns"
	SchemaSessionColumns = "sessions.columns"
	SchemaFilled         = "users.method.backfill"
)

// SchemaPart is a part of what steps of the schema make that is missing, or otherwise. The texts are in the manner of SQL.
type SchemaPart struct {
	Step  string // that makes it
	Made  string // as it is made
	Live  string // what is in its place; "": nothing
	Stays bool   // the step would leave it as it is
}

// Migration is a migration of the application as it was shipped, with the steps of ours whose parts it makes.
type Migration struct {
	Version, Name string
	Steps         []string
}

// SchemaThing is what a step makes under a name that nothing else may have.
type SchemaThing struct {
	migration.Thing
	Step string // that makes it
	// the columns that an index, or a check, is of: it goes with one of them
	Of    []string
	There bool // under its name, whoever has made it
}

// MigrationTable is a table in which a tool notes which of the application's migrations it has run.
type MigrationTable struct {
	Tool    string   // as it calls itself; "": the configuration names the table
	Name    string   // with its schema, as people read it
	Quoted  string   // the same, in quotes
	Applied []string // versions or names, as migration.Key has them; sorted by migration.Compare
	UpTo    bool     // of those that were run the table holds the last alone
	// why Applied is not known; zero: it is
	Unread state.Finding
	Grant  string // with Unread: the statement that gives the right to read it; "": that would not help
}

// Has reports whether a file was run, as far as the table says.
func (t MigrationTable) Has(f migration.File) bool {
	return slices.ContainsFunc(f.Keys, func(key string) bool {
		if t.UpTo && len(t.Applied) > 0 && key[0] >= '0' && key[0] <= '9' {
			return migration.Compare(key, t.Applied[len(t.Applied)-1]) <= 0
		}
		_, found := slices.BinarySearchFunc(t.Applied, key, migration.Compare)
		return found
	})
}

// Notes reports whether the table has a file by its own version or name, and not only by a later one.
func (t MigrationTable) Notes(f migration.File) bool {
	t.UpTo = false
	return t.Has(f)
}

// Last is the highest of what was run; "": nothing was, or it is not known.
func (t MigrationTable) Last() string {
	if len(t.Applied) == 0 {
		return ""
	}
	return t.Applied[len(t.Applied)-1]
}

// SchemaExtra is what the application's own migrations make besides what the dual schema needs, and no step makes.
type SchemaExtra struct {
	Kind       string   // view, function, or comment: of a column
	Name       string   // of a column with its table
	Statements []string // that make it, each on one line; the columns of the dual schema have to be there
}

// SchemaBack are the names of the steps that can be taken back, in the order in which they are. The back-fill is none of
// them: what it has written goes with its column.
func SchemaBack() []string {
	list := SchemaSteps()
	slices.Reverse(list)
	return slices.DeleteFunc(list, func(step string) bool { return step == SchemaFilled })
}

// SchemaReader is what a Database offers besides where steps of the schema can be taken back.
type SchemaReader interface {
	// UserRows are the rows of Database.Users, in its order, with the columns that a journal record keeps.
	UserRows(ctx context.Context) iter.Seq2[UserRow, error]
	// SchemaUse says what the columns of the dual schema hold. Who of the users needs them is not counted: NeedsSchema says
	// that of each row.
	SchemaUse(ctx context.Context) (SchemaUse, error)
}

// SchemaUse is what the columns hold that go with steps of the schema, and what needs them.
type SchemaUse struct {
	Steps    []SchemaStep   // what taking each of SchemaBack back does, in that order
	Columns  []SchemaColumn // those that are there
	Users    Needing
	Sessions Needing
	Others   []string // what else of the database depends on one of the columns, in Postgres' words; sorted
}

// SchemaColumn is a column that goes.
type SchemaColumn struct {
	Key    string // "users.method": table and column by their logical names
	Name   string // the same by those of the database
	Values int64  // rows that hold another value than a new row does
}

// Needing are rows that need columns of the dual schema.
type Needing struct {
	Table string // by its name in the database
	Count int64
	First []uuid.UUID // the first few, in the order of their table
}

// NeedingListed is how many rows Needing.First holds at most.
const NeedingListed = 5

// Add counts a row.
func (n *Needing) Add(id uuid.UUID) {
	n.Count++
	if len(n.First) < NeedingListed {
		n.First = append(n.First, id)
	}
}

// NeedsSchema reports whether a row of users needs what the dual schema has: it has no password, logs in otherwise than
// by it, or is linked. One that was linked before since, when the columns were made, and that is still as the back-fill
// left it does not: it was there without them.
func NeedsSchema(row UserRow, since time.Time) bool {
	i := row.Image
	switch {
	case !row.HasPassword:
		return true
	case i.Link == uuid.Nil:
		return i.Method != state.MethodPassword
	}
	return i.Method != state.MethodDual || !i.Completed.Equal(i.Synced) || !i.Synced.IsZero() && !i.Synced.Before(since)
}

// Needed says what keeps the columns: nothing where they can go.
func (u SchemaUse) Needed() (why []state.Finding) {
	for _, n := range []struct {
		code state.Code
		rows Needing
	}{{state.CodeUsersNeed, u.Users}, {state.CodeSessionsNeed, u.Sessions}} {
		if n.rows.Count == 0 {
			continue
		}
		ids := make([]string, len(n.rows.First))
		for i, id := range n.rows.First {
			ids[i] = id.String()
		}
		why = append(why, state.Found(n.code, state.Text(state.KeyTable, n.rows.Table),
			state.List(state.KeyRows, ids...)).Times(n.rows.Count))
	}
	if len(u.Others) > 0 {
		why = append(why, state.Found(state.CodeColumnsUsed, state.List(state.KeyObjects, u.Others...)))
	}
	return why
}

// SchemaNeededError says that steps of the schema cannot be taken back, as something needs them.
type SchemaNeededError struct{ Why []state.Finding }

// Error names the codes alone: internal/report has the words.
func (e *SchemaNeededError) Error() string {
	codes := make([]string, len(e.Why))
	for i, f := range e.Why {
		codes[i] = fmt.Sprintf("%s %d", f.Code, f.Count)
	}
	return "the schema is needed: " + strings.Join(codes, ", ")
}
