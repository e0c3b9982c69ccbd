package main

import (
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// The application's own migrations that take away what users were moved by.
const (
	removesProvider = `drop index if exists idx_users_{idp}_id, idx_users_pending_migration, idx_sessions_{idp}_session;
		alter table sessions drop column {idp}_session_id;
		alter table users drop column {idp}_user_id cascade, drop column {idp}_synced_at cascade;
		alter table users drop constraint users_auth_method_check; update users set auth_method = 'password';
		alter table users add constraint users_auth_method_check check (auth_method = 'password');
		drop table {idp}_tenant_groups;`
	removesPasswords = `alter table users drop column password_hash, drop column password_changed_at, drop column failed_login_attempts,
		drop column locked_until, drop column auth_method, drop column migration_invited_at, drop column migration_completed_at`
)

// TestGoneSaid: after the application's own clean-up status and plan say what is gone, and nothing of that is written.
// The plan says what can be done still; where no run has been, the columns were never there.
func TestGoneSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, gone string }{
		"the provider": {removesProvider, "users.self_auth_user_id"},
		"passwords":    {removesPasswords, "users.password_hash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			if name == "passwords" {
				w.exec(c.sql[:strings.Index(c.sql, ", drop column auth_method")]) // before any run
				_, errs := w.run(exitError, "plan")
				wants(t, errs, "there is no column users.password_hash")
				return
			}
			w.run(exitDone, "apply", "-auto-approve")
			w.exec(c.sql)
			out, _ := w.run(exitDone, "status")
			wants(t, out, "Somebody has taken away", c.gone, "everyone 29 29")
			for _, verb := range []string{"plan", "apply"} {
				_, errs := w.run(exitError, verb)
				wants(t, errs, "Columns are gone", c.gone, "self_auth_tenant_groups", "anthill rollback -delete-persons", "CREATE TABLE")
			}
		})
	}
}

// TestGoneTakenBack: after the application has removed the identity provider from its tables the persons are still taken
// back in Self-auth, expired or deleted; then nothing is left to take back.
func TestGoneTakenBack(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"-delete-persons"}} {
		t.Run(strings.Join(append([]string{"rollback"}, flags...), " "), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			persons := len(w.directory().persons)
			w.exec(removesProvider)
			rows := w.number("select count(*) from users where migration_completed_at is not null")
			args := append([]string{"rollback", "-out", "back"}, flags...)
			status, out, errs := w.try(args...)
			if m := deletesData.FindStringSubmatch(out); status == exitBlocked && m != nil {
				status, out, errs = w.try(append(args, "-allow", m[1])...)
			}
			if status != exitDone {
				t.Fatalf("rollback: exit %d\n%s%s", status, out, errs)
			}
			w.run(exitDone, "apply", "back")
			left := w.directory().persons
			for _, p := range left {
				if !p.Expired {
					t.Errorf("person %s may still log in", p.Name)
				}
			}
			if len(flags) > 0 && len(left) != 0 || len(flags) == 0 && len(left) != persons {
				t.Errorf("%d persons are left of %d", len(left), persons)
			}
			if n := w.number("select count(*) from users where migration_completed_at is not null"); n != rows {
				t.Errorf("%d rows are completed, of %d before: rows were written", n, rows)
			}
			w.run(exitDone, "status")
			out, _ = w.run(exitDone, "rollback", "-auto-approve")
			wants(t, out, "Nothing to take back")
		})
	}
}

// TestGonePasswords: where passwords are gone nobody has a way back, so whoever has enrolled keeps the person, and no
// rollback locks anybody out unasked.
func TestGonePasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec(removesPasswords)
	out, _ := w.run(exitDone, "status")
	wants(t, out, "Somebody has taken away users.password_hash")
	_, errs := w.run(exitError, "plan")
	wants(t, errs, "Columns are gone", "users.password_hash")
	status, out, errs := w.try("rollback", "-auto-approve")
	if status != exitDone && status != exitRemainder && status != exitBlocked {
		t.Errorf("rollback: exit %d\n%s%s", status, out, errs)
	}
	for _, p := range w.directory().persons {
		if p.Expired {
			t.Fatalf("person %s was expired, and there is no password to go back to\n%s", p.Name, out)
		}
	}
}
