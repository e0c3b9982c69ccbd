package migration

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// show is a step in short.
func show(s Step) string {
	how, kind := "+", map[Kind]string{Table: "table", Column: "column", Constraint: "constraint", Index: "index"}[s.Kind]
	if s.Drops {
		how = "-"
	}
	of := s.Table
	if s.Schema != "" {
		of = s.Schema + "." + of
	}
	return strings.TrimSuffix(how+kind+" "+of+"/"+s.Name, "/")
}

// TestSteps: what a file makes without looking is found wherever SQL makes it, and nothing is found that only looks like it.
func TestSteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"nothing":             {"", nil},
		"a column":            {"ALTER TABLE users ADD COLUMN auth_method varchar(50) NOT NULL DEFAULT 'password';", []string{"+column users/auth_method"}},
		"without COLUMN":      {"alter table users add auth_method text", []string{"+column users/auth_method"}},
		"several":             {"alter table users add column a int, add column b numeric(10, 2) default round(1, 2), drop c", []string{"+column users/a", "+column users/b", "-column users/c"}},
		"looks":               {"alter table users add column if not exists a int, add if not exists b int constraint k check (b > 0)", nil},
		"one of two looks":    {"alter table users add column if not exists a int, add column b int", []string{"+column users/b"}},
		"schema":              {`alter table if exists only "App"."Users" * add column "Auth-Method" text`, []string{"+column App.Users/Auth-Method"}},
		"with database":       {"alter table db.public.users add column a int", []string{"+column public.users/a"}},
		"quotes in a name":    {`alter table "a""b" add "c;d" int`, []string{`+column a"b/c;d`}},
		"words are folded":    {"ALTER TABLE Users ADD Auth_Method INT", []string{"+column users/auth_method"}},
		"named like a word":   {`alter table users add column check int, add "unique" int`, []string{"+column users/check", "+column users/unique"}},
		"a constraint":        {"alter table users add constraint c check (a in ('x', 'y')) not valid", []string{"+constraint users/c"}},
		"one of a column":     {"alter table users add column a int constraint k not null constraint l check (a > (1)), add b int", []string{"+column users/a", "+constraint users/k", "+constraint users/l", "+column users/b"}},
		"unnamed":             {"alter table users add check (a > 1), add unique (b), add primary key (c), add foreign key (d) references e, add exclude (f with =)", nil},
		"renames":             {"alter table users rename column a to b; alter table users rename c to d; alter table users rename constraint e to f", []string{"-column users/a", "+column users/b", "-column users/c", "+column users/d", "-constraint users/e", "+constraint users/f"}},
		"a table renamed":     {"alter table users rename to people; alter table users add a int", []string{"-table users", "+column users/a"}},
		"drops":               {"alter table users drop constraint if exists c, drop column if exists a cascade, drop b", []string{"-constraint users/c", "-column users/a", "-column users/b"}},
		"alter column":        {"alter table users alter column a drop not null, alter b add generated always as identity, alter c set default 'x'", nil},
		"an index":            {"create index i on users (a) where b is null; create unique index concurrently j on only app.users using btree (lower(a))", []string{"+index users/i", "+index app.users/j"}},
		"an index that looks": {"create index if not exists i on users (a); create index on users (b); create index concurrently on users (b)", nil},
		"an index goes":       {"drop index concurrently if exists i, app.j cascade", []string{"-index /i", "-index app./j"}},
		"an index renamed":    {"alter index if exists i rename to j", []string{"-index /i", "+index /j"}},
		"tables go":           {"drop table if exists a, b.c cascade", []string{"-table a", "-table b.c"}},
		"other statements":    {"create table users (a int); create view v as select 1; insert into users values (1); select 'alter table users add a int'; grant all on users to x", nil},
		"comments":            {"-- alter table users add a int;\n/* alter table users add b int; /* nested */ alter table users add c int; */ alter /* x */ table -- y\n users add d int", []string{"+column users/d"}},
		"strings":             {`comment on table users is 'alter; alter table users add a int; ''quoted'''; alter table users add b text default 'x;y'`, []string{"+column users/b"}},
		"backslashes":         {`select 'a\'; alter table users add a int; select E'b\'; alter table users add b int; '; select e'\\'; alter table users add c int`, []string{"+column users/a", "+column users/c"}},
		"other strings":       {`select U&'d\0061'';alter table x add y int', b'01', X'FF', N'n'; alter table users add a int`, []string{"+column users/a"}},
		"a unicode name":      {`alter table users add U&"a b" int`, []string{"+column users/a b"}},
		"dollar quotes":       {"do $$ begin alter table users add a int; end $$; do $x$ $$ ; alter table users add b int; $x$; create function f(int) returns int language sql as $_1$ select $1; $_1$; alter table users add c int", []string{"+column users/c"}},
		"dollars in names":    {"alter table users add a$b$c int; select $1; alter table users add d int", []string{"+column users/a$b$c", "+column users/d"}},
		"the way back":        {"-- migrate:up\nalter table users add a int;\n-- migrate:down\nalter table users drop a;", []string{"+column users/a"}},
		"goose":               {"-- +goose Up\n-- +goose StatementBegin\nalter table users add a int;\n-- +goose StatementEnd\n\n-- +goose Down\nalter table users drop a;", []string{"+column users/a"}},
		"a dump":              {"copy users (a, b) from stdin;\n1\tit's $$ /* \"\n2\talter table users add x int;\n\\.\nalter table users add a int;", []string{"+column users/a"}},
		"a dump with no end":  {"COPY users FROM STDIN;\n1\t'\n", nil},
		"psql":                {"\\set ON_ERROR_STOP 'on\n\\connect \"x\nalter table users add a int;", []string{"+column users/a"}},
		"no end":              {"alter table users add a int", []string{"+column users/a"}},
		"cut off":             {"alter table users add; alter table; alter; create index; create index i on; drop index; alter index i rename to; alter table users rename a to; alter table users add constraint", nil},
		"brackets":            {"alter table users add a int[] default array[1, 2], add b int check (b in (1, (2))), add c int)", []string{"+column users/a", "+column users/b", "+column users/c"}},
		"a mark in front":     {"\uFEFFalter table users add a int", []string{"+column users/a"}},
		"other letters":       {"alter table пользователи add column имя text", []string{"+column пользователи/имя"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps, err := Steps(c.sql)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range steps {
				got = append(got, show(s))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnsound: what cannot be SQL is said to be none.
func TestUnsound(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a string": "alter table users add a text default 'x", "a name": `alter table "users add a int`, "a comment": "/* /* */ alter table users add a int;",
		"dollars": "do $x$ begin $$;", "escapes": `select E'\'`, "no text": "alter table users add \xff int", "a NUL": "alter table users add a int;\x00",
	} {
		if steps, err := Steps(sql); err == nil {
			t.Errorf("%s: %v", name, steps)
		}
	}
}

// TestAnyText: no text makes it fail otherwise than by saying so, or go on for long.
func TestAnyText(t *testing.T) {
	t.Parallel()
	parts := []string{"alter", " ", "table", "users", "add", "drop", "column", "constraint", "if", "not", "exists", "rename", "to", "create", "index", "on", "copy", "stdin",
		";", ",", "(", ")", "[", "'", `"`, "$$", "$a$", "--", "\n", "/*", "*/", `\`, `\.`, "E'", "U&", ".", "*", "é", "\x00", "\xff", "1", "migrate:down"}
	r := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString(parts[r.IntN(len(parts))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		if steps, err := Steps(b.String()); err == nil {
			for _, s := range steps {
				if s.Kind == 0 || s.Kind != Table && s.Name == "" && !strings.Contains(b.String(), `""`) {
					t.Fatalf("%q: %+v", b.String(), s)
				}
			}
		}
	}
	began := time.Now()
	for _, one := range []string{"(", "$", "$a", "/*", "'", `"`, "alter table users add a int,", "a", "copy stdin;", "--\n", "\\\n", ",", ";", "$1$"} {
		_, _ = Steps("alter table users " + strings.Repeat(one, maxFile/len(one)))
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("texts of %d bytes took %s", maxFile, d)
	}
}

// TestTouches: a step is about a thing by table and name, in the schema that it names or in any.
func TestTouches(t *testing.T) {
	t.Parallel()
	column, index := Thing{Column, "app", "users", "a"}, Thing{Index, "app", "users", "i"}
	for name, c := range map[string]struct {
		step Step
		of   Thing
		want bool
	}{
		"the column":               {Step{Thing{Column, "", "users", "a"}, false}, column, true},
		"in its schema":            {Step{Thing{Column, "app", "users", "a"}, false}, column, true},
		"in another schema":        {Step{Thing{Column, "old", "users", "a"}, false}, column, false},
		"of another table":         {Step{Thing{Column, "", "people", "a"}, false}, column, false},
		"another column":           {Step{Thing{Column, "", "users", "b"}, false}, column, false},
		"a constraint of the name": {Step{Thing{Constraint, "", "users", "a"}, false}, column, false},
		"the table":                {Step{Thing{Kind: Table, Table: "users"}, true}, column, true},
		"another table":            {Step{Thing{Kind: Table, Table: "people"}, true}, column, false},
		"the index":                {Step{Thing{Index, "", "users", "i"}, false}, index, true},
		"of another table, too":    {Step{Thing{Index, "", "people", "i"}, false}, index, true},
		"dropped by its name":      {Step{Thing{Index, "app", "", "i"}, true}, index, true},
		"of another schema":        {Step{Thing{Index, "old", "", "i"}, true}, index, false},
	} {
		if got := c.step.Touches(c.of); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
