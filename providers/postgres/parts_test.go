package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestLacks: what others have changed of what the steps make is found part by part, the steps that make it again are the only
// ones, and behind them nothing lacks but what no step mends.
func TestLacks(t *testing.T) {
	t.Parallel()
	const (
		check  = "check (users.auth_method in ('dual', 'password', 'self-auth'))"
		filled = "users.auth_method not null default 'password'"
		status = "index idx_users_migration_status on users (tenant_id, auth_method, migration_completed_at)"
		method = "index idx_users_auth_method on users (auth_method)"
	)
	part := func(step, made, live string) providers.SchemaPart {
		return providers.SchemaPart{Step: step, Made: made, Live: live}
	}
	for name, c := range map[string]struct {
		sql   string
		lacks []providers.SchemaPart
		steps []string
	}{
		"nothing":              {"select 1", nil, nil},
		"an index beside ours": {"create index mine on users (auth_method)", nil, nil},
		"a column": {"alter table users drop column migration_invited_at",
			[]providers.SchemaPart{part("users.columns", "users.migration_invited_at", "")}, []string{"users.columns"}},
		"the column of methods": {"alter table users drop column auth_method", []providers.SchemaPart{
			part("users.columns", filled, ""), part("users.method.check", check, ""), part("index.users.method", method, ""),
			part("index.users.status", status, ""), part("index.users.pending",
				"index idx_users_pending_migration on users (tenant_id, last_login_at)", "")},
			[]string{"users.columns", "users.method.backfill", "index.users.method", "index.users.status", "index.users.pending",
				"users.method.check"}},
		"a check": {"alter table users drop constraint users_auth_method_check",
			[]providers.SchemaPart{part("users.method.check", check, "")}, []string{"users.method.check"}},
		"a check under another name": {"alter table users rename constraint users_auth_method_check to theirs", nil, nil},
		"a check that was not validated": {"alter table users drop constraint users_auth_method_check, add constraint " +
			"users_auth_method_check check (auth_method in ('password', 'self-auth', 'dual')) not valid",
			[]providers.SchemaPart{part("users.method.check", check, check+" not valid")}, []string{"users.method.check"}},
		"a default": {"alter table users alter column auth_method drop default",
			[]providers.SchemaPart{part("users.columns", filled, "users.auth_method not null")}, []string{"users.columns"}},
		"another default": {"alter table sessions alter column auth_method set default 'dual'",
			[]providers.SchemaPart{part("sessions.columns", "sessions.auth_method not null default 'jwt'",
				"sessions.auth_method not null default 'dual'::character varying")}, []string{"sessions.columns"}},
		"not null": {"alter table users alter column auth_method drop not null",
			[]providers.SchemaPart{part("users.columns", filled, "users.auth_method null default 'password'")},
			[]string{"users.columns"}},
		"not null, set": {"alter table users alter column password_hash set not null",
			[]providers.SchemaPart{part("users.password_hash.nullable", "users.password_hash null", "users.password_hash not null")},
			[]string{"users.password_hash.nullable"}},
		"an index": {"drop index idx_users_migration_status",
			[]providers.SchemaPart{part("index.users.status", status, "")}, []string{"index.users.status"}},
		"an index that is not valid": {"update pg_index set indisvalid = false where indexrelid = 'idx_users_auth_method'::regclass",
			[]providers.SchemaPart{part("index.users.method", method, method+" not valid")}, []string{"index.users.method"}},
		"an index of other columns": {"drop index idx_users_auth_method; create index idx_users_auth_method on users (role)",
			[]providers.SchemaPart{{Step: "index.users.method", Made: method, Live: "index idx_users_auth_method on users (role)",
				Stays: true}}, nil},
		"a type": {"alter table users alter column migration_invited_at type date",
			[]providers.SchemaPart{{Step: "users.columns", Made: "users.migration_invited_at timestamptz",
				Live: "users.migration_invited_at date", Stays: true}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, db, before := upgraded(t)
			dual := shapeOf(t, db)
			execute(t, db, c.sql)
			i := level(t, p)
			if diff := cmp.Diff(c.lacks, i.Lacks); diff != "" {
				t.Errorf("what lacks (-want +got):\n%s", diff)
			}
			var steps []string
			for _, s := range i.Steps {
				steps = append(steps, s.Name)
			}
			if diff := cmp.Diff(c.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			upgrade(t, p, i.Steps)
			stays := slices.DeleteFunc(slices.Clone(c.lacks), func(p providers.SchemaPart) bool { return !p.Stays })
			if i := level(t, p); i.Level != providers.LevelDual || len(i.Steps) > 0 || len(i.Lacks) != len(stays) {
				t.Errorf("made again: level %s, steps %v, lacks %v", i.Level, i.Steps, i.Lacks)
			}
			if len(steps) > 0 && !strings.Contains(c.sql, "drop column") && shapeOf(t, db) != dual {
				t.Errorf("made again (-before +after):\n%s", cmp.Diff(strings.Split(dual, "\n"), strings.Split(shapeOf(t, db), "\n")))
			}
			// The way back does not mind.
			if name == "an index beside ours" || name == "a check under another name" || len(stays) > 0 {
				return
			}
			downgrade(t, p)
			if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(shapeOf(t, db), "\n")); diff != "" {
				t.Errorf("taken back (-before +after):\n%s", diff)
			}
		})
	}
}

// TestRowsWithoutMethod: what a row without a method logs in by is not made up, and nothing is left of the attempt.
func TestRowsWithoutMethod(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	execute(t, c, `alter table users alter column auth_method drop not null;
		update users set auth_method = null where user_id = (select user_id from users order by user_id limit 1)`)
	without := shapeOf(t, c)
	err := p.Upgrade(t.Context(), providers.SchemaUserColumns, nil)
	if state.ErrorKindOf(err) != state.ErrorMissing {
		t.Errorf("error %v", err)
	}
	if shapeOf(t, c) != without {
		t.Error("something is left of it")
	}
	execute(t, c, "update users set auth_method = 'password' where auth_method is null")
	upgrade(t, p, level(t, p).Steps)
	if i := level(t, p); len(i.Lacks) > 0 {
		t.Errorf("lacks %v", i.Lacks)
	}
}

// TestFilledHalfway: a kill between the check and the column leaves a check, which goes when the step is made again; a schema of
// which nothing is behind the back-fill has that before it.
func TestFilledHalfway(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	dual := shapeOf(t, c)
	execute(t, c, "alter table users add constraint anthill_filled_users check (auth_method is not null)")
	i := level(t, p)
	if len(i.Lacks) > 0 || len(i.Steps) != 1 || i.Steps[0].Name != providers.SchemaUserColumns {
		t.Errorf("lacks %v, steps %v", i.Lacks, i.Steps)
	}
	upgrade(t, p, i.Steps)
	if shapeOf(t, c) != dual {
		t.Error("the check stands")
	}
	fresh, _, first := opened(t, sandbox.Options{})
	for k := range first.Steps {
		upgrade(t, fresh, first.Steps[k:k+1])
		if k+1 == len(first.Steps) {
			break
		}
		var want, got []string
		from := k + 1
		// Whether it is through the journal knows.
		if first.Steps[k].Name == providers.SchemaFilled {
			from = k
		}
		for _, s := range first.Steps[from:] {
			want = append(want, s.Name)
		}
		for _, s := range level(t, fresh).Steps {
			got = append(got, s.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("behind %s (-want +got):\n%s", first.Steps[k].Name, diff)
		}
	}
}
