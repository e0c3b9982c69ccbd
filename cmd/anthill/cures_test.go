package main

import (
	"testing"

	"anthill/internal/sandbox"
)

// TestCuresLoseNothing: the statements that a plan gives to be pasted are accepted in the order in which they stand, and nothing that
// the application knows of its users is lost by them.
func TestCuresLoseNothing(t *testing.T) {
	t.Parallel()
	const yes = `drop view if exists v; alter table users alter column deleted_at drop default, alter column deleted_at type boolean using deleted_at is not null;
		update users set deleted_at = role = 'viewer';`
	for name, c := range map[string]struct{ sql, before, after string }{
		"deleted, yes or no":         {yes, "deleted_at", "deleted_at is not null"},
		"deleted, no unless yes":     {yes + "alter table users alter column deleted_at set default false, alter column deleted_at set not null", "deleted_at", "deleted_at is not null"},
		"a tenant deleted, or not":   {"alter table tenants alter column deleted_at type boolean using slug = 'acme'", "exists (select from tenants where deleted_at)", "exists (select from tenants where slug = 'acme' and deleted_at is not null)"},
		"a status that is yes or no": {dropChecks + "alter table users alter column status drop default, alter column status type boolean using role = 'viewer'", "status", "status::text = 'true'"},
		"methods missing, and a check that leaves theirs out": {migration14 + `alter table users add column auth_method varchar(50) default 'password',
			add column migration_invited_at timestamptz, add column migration_completed_at timestamptz;
			update users set {idp}_user_id = gen_random_uuid(), auth_method = null where role = 'viewer';
			alter table users add constraint users_auth_method_check check (auth_method in ('password', 'jumpcloud'));` + migration16,
			"role = 'viewer'", "auth_method = 'dual' or auth_method = '{value}'"},
		"a check of ours, and one that leaves a value out behind it": {migration14 + migration15 + migration16 +
			"alter table users add constraint ways check (auth_method in ('password', 'jumpcloud'))", "auth_method = 'password'", "auth_method = 'password'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(c.sql)
			before := w.number("select count(*) from users where " + c.before)
			if before == 0 {
				t.Fatal("there is nothing to lose")
			}
			_, errs := w.run(exitError, "plan")
			cures := cureLine.FindAllStringSubmatch(errs, -1)
			if len(cures) == 0 {
				t.Fatalf("no statements:\n%s", errs)
			}
			for _, m := range cures {
				if _, err := w.connect().Exec(t.Context(), m[1]); err != nil {
					t.Errorf("%s: %v\n%s", m[1], err, errs)
				}
			}
			if n := w.number("select count(*) from users where " + c.after); n != before {
				t.Errorf("%d users, and %d before", n, before)
			}
		})
	}
}
