package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestKeysOfMapping: what is taken for the key of the mapping table is what its rows can be written by, and nothing else is.
func TestKeysOfMapping(t *testing.T) {
	t.Parallel()
	const table = "self_auth_tenant_groups"
	for name, c := range map[string]struct {
		key    string
		serves bool
	}{
		"as shipped":             {"alter table " + table + " add primary key (tenant_id, self_auth_group_uuid)", true},
		"turned":                 {"create unique index on " + table + " (self_auth_group_uuid, tenant_id)", true},
		"a column twice":         {"create unique index on " + table + " (tenant_id, self_auth_group_uuid, tenant_id)", true},
		"with others beside":     {"create unique index on " + table + " (tenant_id, self_auth_group_uuid) include (role)", true},
		"a column twice, alone":  {"create unique index on " + table + " (self_auth_group_uuid, self_auth_group_uuid)", false},
		"one beside":             {"create unique index on " + table + " (tenant_id) include (self_auth_group_uuid)", false},
		"of some rows":           {"create unique index on " + table + " (tenant_id, self_auth_group_uuid) where role <> 'viewer'", false},
		"of an expression":       {"create unique index on " + table + " (tenant_id, self_auth_group_uuid, lower(role))", false},
		"of three":               {"create unique index on " + table + " (tenant_id, self_auth_group_uuid, role)", false},
		"looked at later":        {"alter table " + table + " add unique (tenant_id, self_auth_group_uuid) deferrable", false},
		"looked at at the end":   {"alter table " + table + " add unique (tenant_id, self_auth_group_uuid) deferrable initially deferred", false},
		"primary, and later":     {"alter table " + table + " add primary key (tenant_id, self_auth_group_uuid) deferrable", false},
		"one that is not unique": {"create index on " + table + " (tenant_id, self_auth_group_uuid)", false},
		"later, and one at once": {"alter table " + table + " add unique (tenant_id, self_auth_group_uuid) deferrable, add unique (self_auth_group_uuid, tenant_id)", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, _ := opened(t, sandbox.Options{Tenants: 2, Users: 5})
			execute(t, db, "alter table "+table+" drop constraint "+table+"_pkey; "+c.key)
			var tenant uuid.UUID
			if err := db.QueryRow(t.Context(), "select tenant_id from tenants limit 1").Scan(&tenant); err != nil {
				t.Fatal(err)
			}
			mapping := providers.Mapping{Tenant: tenant, Group: uuid.New(), GroupName: "g", Role: state.RoleMember}
			written := p.Map(t.Context(), []providers.Mapping{mapping})
			if (written == nil) != c.serves {
				t.Errorf("written: %v", written)
			}
			_, err := p.Inspect(t.Context())
			if (err == nil) != c.serves {
				t.Fatalf("looked at: %v", err)
			}
			if c.serves {
				return
			}
			// What is said to do does.
			_, cure, _ := strings.Cut(err.Error(), "can live with it:\n")
			execute(t, db, cure)
			if _, err := p.Inspect(t.Context()); err != nil {
				t.Errorf("cured: %v", err)
			}
			if err := p.Map(t.Context(), []providers.Mapping{mapping}); err != nil {
				t.Errorf("cured, and written: %v", err)
			}
		})
	}
}

// TestChecksOfMore: a check that reads the whole row, or what is no column, is none of the methods: where it has the name of that check
// it is refused, as the step could not make ours.
func TestChecksOfMore(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]string{
		"the row":                       "check (users is distinct from null)",
		"the number of the table":       "check (tableoid <> 0)",
		"nothing":                       "check (true)",
		"the methods, and the row":      "check (auth_method in ('password', 'self-auth', 'dual') or users is null)",
		"the methods, and the number":   "check (auth_method in ('password', 'self-auth', 'dual') or tableoid = 0)",
		"the methods, and their status": "check (auth_method in ('password', 'self-auth', 'dual') or status = '')",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, _ := upgraded(t)
			execute(t, db, "alter table users drop constraint users_auth_method_check, add constraint users_auth_method_check "+check)
			if _, err := p.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "the name users_auth_method_check") {
				t.Errorf("error %v", err)
			}
			// Under another name it says nothing of the methods.
			execute(t, db, "alter table users rename constraint users_auth_method_check to theirs")
			i := level(t, p)
			upgrade(t, p, i.Steps)
			if got := stepNames(i); !slices.Equal(got, []string{"users.method.check"}) || level(t, p).Level != providers.LevelDual {
				t.Errorf("steps %v, then %v", got, level(t, p).Level)
			}
		})
	}
}

// TestFreshBesideTheirs: rows that were linked before there was a method get theirs, whatever checks of more than that column there are.
func TestFreshBesideTheirs(t *testing.T) {
	t.Parallel()
	for _, theirs := range []string{"tableoid <> 0", "users is not null or true", "status <> 'x'"} {
		t.Run(theirs, func(t *testing.T) {
			t.Parallel()
			p, db, i := opened(t, sandbox.Options{Tenants: 2, Users: 5})
			upgrade(t, p, i.Steps[:slices.Index(stepNames(i), "users.method.backfill")])
			execute(t, db, "alter table users add constraint theirs check (auth_method <> '' or "+theirs+")")
			if got := stepNames(level(t, p)); !slices.Contains(got, "users.method.backfill") {
				t.Errorf("steps %v", got)
			}
		})
	}
}

func stepNames(i providers.Inspection) (list []string) {
	for _, s := range i.Steps {
		list = append(list, s.Name)
	}
	return list
}

// TestLengthOfMethods: a column that is too short for a method is refused, also where its type is a domain.
func TestLengthOfMethods(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		made string
		fits bool
	}{
		"varchar":     {"", true},
		"varchar(9)":  {"", true},
		"varchar(8)":  {"", false},
		"text":        {"", true},
		"word":        {"create domain word as varchar", true},
		"word9":       {"create domain word9 as varchar(9)", true},
		"word8":       {"create domain word8 as varchar(8)", false},
		"word_of8":    {"create domain of8 as varchar(8); create domain word_of8 as of8 check (value <> '')", false},
		"word_of9":    {"create domain of9 as varchar(9); create domain word_of9 as of9", true},
		"word_of_any": {"create domain of_any as text; create domain word_of_any as of_any", true},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p, db, _ := opened(t, sandbox.Options{Tenants: 2, Users: 5})
			execute(t, db, c.made)
			execute(t, db, "alter table users add column auth_method "+kind+" not null default 'password'")
			_, err := p.Inspect(t.Context())
			if (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "users.auth_method is of type ") {
				t.Fatalf("looked at: %v", err)
			}
			if _, err := db.Exec(t.Context(), "update users set auth_method = 'self-auth'"); (err == nil) != c.fits {
				t.Errorf("written: %v", err)
			}
			if c.fits {
				return
			}
			_, cure, _ := strings.Cut(err.Error(), "can live with it:\n")
			execute(t, db, cure)
			if _, err := p.Inspect(t.Context()); err != nil {
				t.Errorf("cured: %v", err)
			}
		})
	}
}

// TestIndexesOfOneName: where users and sessions are in two schemas each can have an index of a name of ours. That of the other table is
// neither taken for ours nor dropped.
func TestIndexesOfOneName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, index string }{
		"ours is there":       {"create index idx_users_auth_method on app.sessions (user_id)", "app.idx_users_auth_method"},
		"ours is gone":        {"drop index idx_users_auth_method; create index idx_users_auth_method on app.sessions (user_id)", "app.idx_users_auth_method"},
		"of the same columns": {"drop index idx_users_auth_method; create index idx_users_auth_method on app.sessions (auth_method)", "app.idx_users_auth_method"},
		"not valid": {`drop index idx_users_auth_method; create index idx_users_auth_method on app.sessions (user_id);
			update pg_index set indisvalid = false where indexrelid = 'app.idx_users_auth_method'::regclass`, "app.idx_users_auth_method"},
		"of users, not valid": {`drop index app.idx_sessions_auth_method; create index idx_sessions_auth_method on users (role);
			update pg_index set indisvalid = false where indexrelid = 'idx_sessions_auth_method'::regclass`, "idx_sessions_auth_method"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, db, _ := upgraded(t)
			execute(t, db, "create schema app; alter table sessions set schema app; "+c.sql)
			at := db.Config()
			p, err := Open(t.Context(), Options{Naming: "self_auth", URL: fmt.Sprintf("host=%s port=%d user=%s dbname=%s search_path=public,app",
				at.Host, at.Port, at.User, at.Database)})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			theirs := func() (oid uint32) {
				if err := db.QueryRow(t.Context(), "select coalesce(to_regclass($1)::oid, 0)", c.index).Scan(&oid); err != nil {
					t.Fatal(err)
				}
				return oid
			}
			before := theirs()
			upgrade(t, p, level(t, p).Steps)
			if i := level(t, p); len(i.Lacks) > 0 {
				t.Errorf("lacks %+v", i.Lacks)
			}
			var ours int
			if err := db.QueryRow(t.Context(), `select count(*) from pg_index x join pg_class c on c.oid = x.indexrelid where x.indisvalid and
				(x.indrelid, c.relname) in (('users'::regclass, 'idx_users_auth_method'), ('app.sessions'::regclass, 'idx_sessions_auth_method'))`).Scan(&ours); err != nil {
				t.Fatal(err)
			}
			if after := theirs(); ours != 2 || after != before || before == 0 {
				t.Errorf("%d of ours, theirs %d, then %d", ours, before, after)
			}
		})
	}
}

// TestOthersOfOurNames: what has the name of one of ours, and is of the other table, would go with a column without a word: it is told.
func TestOthersOfOurNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"ours alone":   {"select 1", ""},
		"a check":      {"alter table sessions add constraint users_auth_method_check check (auth_method <> 'x')", "constraint users_auth_method_check on table sessions"},
		"a guard":      {"alter table users add constraint anthill_filled_sessions check (auth_method is not null)", "constraint anthill_filled_sessions on table users"},
		"another one":  {"alter table users add constraint theirs check (auth_method <> 'x')", "constraint theirs on table users"},
		"an index":     {"drop index idx_users_auth_method; create index idx_users_auth_method on sessions (auth_method)", "index idx_users_auth_method"},
		"a helper":     {"create index anthill_leaving_users on sessions (auth_method)", "index anthill_leaving_users"},
		"our own ones": {"create index anthill_leaving_users on users (auth_method); alter table users add constraint anthill_required_users check (auth_method <> 'x')", ""},
		"a child's":    {"create table users_old () inherits (users)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, db, _ := upgraded(t)
			execute(t, db, c.sql)
			at := db.Config()
			p, err := Open(t.Context(), Options{Naming: "self_auth", URL: fmt.Sprintf("host=%s port=%d user=%s dbname=%s", at.Host, at.Port, at.User, at.Database)})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got, err := p.others(t.Context(), p.pool)
			if err != nil || strings.Join(got, "; ") != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}
