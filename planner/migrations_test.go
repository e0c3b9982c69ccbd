package planner_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/migration"
	"anthill/providers"
	"anthill/state"
)

// thing is one that a step makes.
func thing(step string, kind migration.Kind, name string, there bool, of ...string) providers.SchemaThing {
	return providers.SchemaThing{Thing: migration.Thing{Kind: kind, Schema: "app", Table: "users", Name: name}, Step: step, There: there, Of: of}
}

// file is a migration of a version that makes what its SQL says.
func file(t *testing.T, version, sql string) migration.File {
	t.Helper()
	steps, err := migration.Steps(sql)
	if err != nil {
		t.Fatal(err)
	}
	return migration.File{Name: version + "_x.sql", Keys: []string{version}, Steps: steps}
}

// TestMigrationsThatFail: which of the application's migrations a plan says to fail, and when it says nothing.
func TestMigrationsThatFail(t *testing.T) {
	t.Parallel()
	const columns, index = providers.SchemaUserColumns, "index.users.method"
	const adds = "alter table users add column auth_method text;"
	sqlx := providers.MigrationTable{Tool: "sqlx", Name: "app._sqlx_migrations", Applied: []string{"13"}}
	goose := providers.MigrationTable{Tool: "goose", Name: "app.goose_db_version", Applied: []string{"13"}}
	other := providers.MigrationTable{Tool: "golang-migrate", Name: "app.schema_migrations", Applied: []string{"20990101000000"}, UpTo: true}
	unread := providers.MigrationTable{Tool: "sqlx", Name: "app._sqlx_migrations", Unread: state.Found(state.CodeTableUnread), Grant: "GRANT"}
	shipped := []providers.Migration{{Version: "14", Name: "a"}, {Version: "15", Name: "b", Steps: []string{columns}}}
	for name, c := range map[string]struct {
		due, ours, there bool // of both steps
		noted            []providers.MigrationTable
		folder           bool
		files            []migration.File
		want             []state.Code
		names            []string // of files
	}{
		"nothing is made":                          {there: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "15", adds)}},
		"no tool, no folder":                       {due: true},
		"a plan makes it":                          {due: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "13", adds), file(t, "15", adds), file(t, "16", "select 1")}, want: []state.Code{state.CodeFilesLater}, names: []string{"15_x.sql"}},
		"it is made":                               {ours: true, there: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "15", adds)}, want: []state.Code{state.CodeFilesStop}, names: []string{"15_x.sql"}},
		"it is made, and gone again":               {ours: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "15", adds)}},
		"others have made it":                      {there: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "15", adds)}},
		"no table":                                 {due: true, folder: true, files: []migration.File{file(t, "13", adds)}, want: []state.Code{state.CodeFilesLater}, names: []string{"13_x.sql"}},
		"every file is run":                        {due: true, noted: []providers.MigrationTable{goose, {Tool: "x", Name: "b", Applied: []string{"15"}}}, folder: true, files: []migration.File{file(t, "13", adds), file(t, "15", adds)}},
		"an earlier file that was not run":         {due: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "9", adds)}, want: []state.Code{state.CodeFilesLater}, names: []string{"9_x.sql"}},
		"run up to a version":                      {due: true, noted: []providers.MigrationTable{{Name: "a", Applied: []string{"13"}, UpTo: true}}, folder: true, files: []migration.File{file(t, "9", adds), file(t, "13", adds)}},
		"the tables of other applications":         {due: true, noted: []providers.MigrationTable{sqlx, other, {Name: "old.m", Applied: []string{"7"}}}, folder: true, files: []migration.File{file(t, "13", adds), file(t, "15", adds)}, want: []state.Code{state.CodeFilesLater}, names: []string{"15_x.sql"}},
		"the table of another application alone":   {due: true, noted: []providers.MigrationTable{other}, folder: true, files: []migration.File{file(t, "15", adds)}, want: []state.Code{state.CodeFilesLater}, names: []string{"15_x.sql"}},
		"no folder, and another application":       {ours: true, there: true, noted: []providers.MigrationTable{sqlx, other}, want: []state.Code{state.CodeToolStops}},
		"one that drops it first":                  {due: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{file(t, "15", "alter table users drop column auth_method;"+adds), file(t, "16", "create index idx on users (role)")}},
		"an index that went with its column":       {due: true, folder: true, files: []migration.File{file(t, "15", "alter table users drop column auth_method"), file(t, "16", "create index idx on users (auth_method)")}},
		"an index that did not":                    {due: true, folder: true, files: []migration.File{file(t, "15", "alter table users drop column role"), file(t, "16", "create index idx on users (auth_method)")}, want: []state.Code{state.CodeFilesLater}, names: []string{"16_x.sql"}},
		"a table that went":                        {due: true, folder: true, files: []migration.File{file(t, "15", "alter table users rename to people"), file(t, "16", adds)}},
		"both files":                               {due: true, folder: true, files: []migration.File{file(t, "15", adds), file(t, "16", adds)}, want: []state.Code{state.CodeFilesLater}, names: []string{"15_x.sql", "16_x.sql"}},
		"another schema":                           {due: true, folder: true, files: []migration.File{file(t, "15", "alter table old.users add column auth_method text")}},
		"a file that cannot be read":               {due: true, folder: true, files: []migration.File{{Name: "15_x.sql", Keys: []string{"15"}, Unread: true}}, want: []state.Code{state.CodeFilesUnread}},
		"one that was run":                         {due: true, noted: []providers.MigrationTable{sqlx}, folder: true, files: []migration.File{{Name: "13_x.sql", Keys: []string{"13"}, Unread: true}}},
		"a table that cannot be read":              {due: true, noted: []providers.MigrationTable{unread}, folder: true, files: []migration.File{file(t, "13", adds)}, want: []state.Code{state.CodeFilesLater, state.CodeTableUnread}, names: []string{"13_x.sql"}},
		"a table that cannot be read, for nothing": {due: true, noted: []providers.MigrationTable{unread}, folder: true, files: []migration.File{file(t, "13", "select 1")}},
		"no folder":                                {due: true, noted: []providers.MigrationTable{sqlx}, want: []state.Code{state.CodeToolLater}},
		"no folder, made":                          {ours: true, there: true, noted: []providers.MigrationTable{sqlx}, want: []state.Code{state.CodeToolStops}},
		"no folder, made and run as shipped":       {ours: true, there: true, noted: []providers.MigrationTable{{Tool: "sqlx", Name: "a", Applied: []string{"13", "15"}}}},
		"no folder, of another tool":               {due: true, noted: []providers.MigrationTable{goose}, want: []state.Code{state.CodeToolLater}},
		"no folder, of another tool, made":         {ours: true, there: true, noted: []providers.MigrationTable{goose}},
		"no folder, unread":                        {due: true, noted: []providers.MigrationTable{unread}, want: []state.Code{state.CodeToolLater, state.CodeTableUnread}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.inspection = providers.Inspection{Level: providers.LevelDual, Noted: c.noted, Shipped: shipped, Things: []providers.SchemaThing{
				thing(columns, migration.Column, "auth_method", c.there), thing(index, migration.Index, "idx", c.there, "auth_method")}}
			if c.due {
				f.inspection.Level = providers.LevelBaseline
				f.inspection.Steps = []providers.SchemaStep{{Name: columns}, {Name: index}}
			}
			if c.ours {
				f.state.Schema = []state.SchemaRecord{{Run: "r", Step: columns, Settled: true}, {Run: "r", Step: index, Settled: true}}
			}
			if c.folder {
				f.config.Schema.Folder, f.config.Schema.Migrations = "sql", c.files
			}
			var got []state.Code
			var names []string
			for _, n := range f.must(t).context.Notes {
				if slices.Contains([]state.Code{state.CodeFilesLater, state.CodeFilesStop, state.CodeFilesUnread, state.CodeToolLater,
					state.CodeToolStops, state.CodeTableUnread}, n.Code) {
					got = append(got, n.Code)
				}
				for _, w := range n.Arg(state.KeyWhy).Findings {
					if w.Code == state.CodeFileFails {
						names = append(names, w.Text(state.KeyName))
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.names, names); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}
