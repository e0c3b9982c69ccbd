package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/state"
)

// login is what the application writes to a row when its user comes in through Self-auth (domain: the first login is kept).
const login = `update users set {idp}_synced_at = clock_timestamp(),
	auth_method = case when password_hash is null then '{value}' else 'dual' end,
	migration_completed_at = coalesce(migration_completed_at, clock_timestamp()) where email = any($1)`

// synced is the same by an application that keeps no time of completion.
const synced = `update users set {idp}_synced_at = clock_timestamp() where email = any($1)`

// statusOfWaves are the waves of `anthill status -json` by their names.
func (w *world) statusOfWaves() map[string]struct {
	State   string            `json:"state"`
	Moved   int64             `json:"moved"`
	Reasons []state.Finding   `json:"reasons"`
	Figures state.WaveFigures `json:"figures"`
} {
	w.t.Helper()
	type wave = struct {
		State   string            `json:"state"`
		Moved   int64             `json:"moved"`
		Reasons []state.Finding   `json:"reasons"`
		Figures state.WaveFigures `json:"figures"`
	}
	var status struct {
		Error string
		Waves []struct {
			Name string
			wave
		}
	}
	out, _ := w.run(0, "status", "-json")
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Error != "" {
		w.t.Fatal(err, status.Error)
	}
	waves := map[string]wave{}
	for _, one := range status.Waves {
		waves[one.Name] = one.wave
	}
	return waves
}

// figuresOf are those of a wave, with an enrolled that can be compared.
func (w *world) figuresOf(wave string) state.WaveFigures {
	w.t.Helper()
	f := w.statusOfWaves()[wave].Figures
	if f.Enrolled == nil {
		w.t.Fatal("who has enrolled is not known")
	}
	return f
}

// sqlFigures are the figures of a wave by what the tables say, written by hand. Where nobody has enrolled.
func (w *world) sqlFigures(wave string) state.WaveFigures {
	w.t.Helper()
	live := `from anthill_state.users r join users u on u.user_id = r.user_id join tenants t on t.tenant_id = u.tenant_id
		where r.standing = 'moved' and r.wave = $1 and u.status = 'active' and u.deleted_at is null
			and t.status = 'active' and t.deleted_at is null`
	count := func(also string) int64 { return int64(w.number("select count(*) "+live+also, wave)) }
	none := int64(0)
	return state.WaveFigures{
		Moved: count(""), Invited: count(" and u.migration_invited_at is not null"), Enrolled: &none,
		Completed: count(` and (u.{idp}_synced_at <> r.synced
			or u.migration_completed_at is not null and u.migration_completed_at <> r.synced)`),
	}
}

func (w *world) idOfPlan() string {
	w.t.Helper()
	var p struct {
		PlanID string `json:"plan_id"`
	}
	out, _ := w.run(0, "plan", "-json", "-detailed-exitcode")
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.PlanID == "" {
		w.t.Fatal(err, out)
	}
	return p.PlanID
}

// mailsOf are addresses of moved users with a password, sorted.
func (w *world) mailsOf(n int) (mails []string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), w.spell(`select email from users u join anthill_state.users r on r.user_id = u.user_id
		where u.password_hash is not null and r.wrote_link and u.status = 'active' order by 1`))
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var mail string
		if err := rows.Scan(&mail); err != nil {
			w.t.Fatal(err)
		}
		mails = append(mails, mail)
	}
	if len(mails) < n {
		w.t.Fatalf("%d users, %d needed", len(mails), n)
	}
	return mails[:n]
}

// TestCompleted: a user is completed by what the application writes at a login, which changes no plan; the next apply, which
// has nothing else to do, fills in the time of completion where the application keeps none, and a rollback takes that back
// with the rest.
func TestCompleted(t *testing.T) {
	t.Parallel()
	for _, naming := range []string{"self_auth", "kanidm"} {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Naming: naming, Level: "dual"}, emulator(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(0, "apply", "-auto-approve")
			if f := w.figuresOf("everyone"); f.Completed != 0 || f.Moved == 0 {
				t.Fatalf("before anybody has logged in: %+v", f)
			}
			id := w.idOfPlan()
			mails := w.mailsOf(4)
			w.exec(login, mails[0:1])
			w.exec(synced, mails[1:2])
			w.exec("update users set migration_invited_at = now() where email = any($1)", mails[1:3])
			if now := w.idOfPlan(); now != id {
				t.Errorf("a login changes the plan: %s, before %s", now, id)
			}
			f, want := w.figuresOf("everyone"), w.sqlFigures("everyone")
			if f.Completed != 2 || f.Invited != 2 {
				t.Errorf("figures %+v", f)
			}
			want.Selected, want.Skipped = f.Selected, f.Skipped
			if diff := cmp.Diff(want, f); diff != "" {
				t.Errorf("figures (-by hand +status):\n%s", diff)
			}
			out, _ := w.run(0, "plan", "-detailed-exitcode")
			if !strings.Contains(out, "2 invited, 2 completed") {
				t.Errorf("the plan does not say who has completed:\n%s", out)
			}
			if n := w.number("select count(*) from users where email = $1 and migration_completed_at is null", mails[1]); n != 1 {
				t.Error("planning has written")
			}
			runs := w.number("select count(*) from anthill_state.runs")
			out, _ = w.run(0, "apply", "-auto-approve")
			if !strings.Contains(out, "1 user has logged in through Self-auth") {
				t.Errorf("apply does not say what it noted:\n%s", out)
			}
			if n := w.number("select count(*) from users where email = $1 and migration_completed_at = {idp}_synced_at", mails[1]); n != 1 {
				t.Error("the synced time is not the time of completion")
			}
			if n := w.number("select count(*) from users where migration_completed_at is not null and email = any($1)", mails); n != 2 {
				t.Errorf("%d rows are completed", n)
			}
			if out, _ = w.run(0, "apply", "-auto-approve"); strings.Contains(out, "logged in") {
				t.Errorf("it is noted again:\n%s", out)
			}
			if n := w.number("select count(*) from anthill_state.runs"); n != runs {
				t.Errorf("%d runs, before %d", n, runs)
			}
			// A later login is none that changes anything.
			w.exec(login, mails[1:2])
			if f := w.figuresOf("everyone"); f.Completed != 2 {
				t.Errorf("after another login: %+v", f)
			}
			// Whoever is suspended is in no figure, and neither is a tenant.
			w.exec("update users set status = 'suspended' where email = $1", mails[1])
			if f := w.figuresOf("everyone"); f.Completed != 1 || f.Moved != want.Moved-1 {
				t.Errorf("with one of them suspended: %+v, before %+v", f, want)
			}
			w.exec("update users set status = 'active' where email = $1", mails[1])
			w.exec("update users set migration_invited_at = null")
			w.run(0, "rollback", "-auto-approve", "-allow", "LAST_ADMIN=1")
			if diff := cmp.Diff(before, w.fingerprint()); diff != "" {
				t.Errorf("after the rollback (-before +after):\n%s", diff)
			}
			if f := w.figuresOf("everyone"); f.Moved != 0 || f.Completed != 0 {
				t.Errorf("after the rollback: %+v", f)
			}
		})
	}
}

// TestOwnWritesCompleteNobody: linking, completing on link, following, rolling back and moving again, and finding what a lost
// state had done are our own writes.
func TestOwnWritesCompleteNobody(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"first_login", "link"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
			w.config(strings.Replace(everyone, `method = "dual" }`, "\n  method = \"dual\"\n  complete_on = \""+on+"\"\n}", 1) + waveEveryone)
			nobody := func(when string, moved bool) {
				t.Helper()
				if f := w.figuresOf("everyone"); f.Completed != 0 || (f.Moved > 0) != moved {
					t.Errorf("%s: %+v", when, f)
				}
			}
			w.run(0, "apply", "-auto-approve")
			nobody("after the move", true)
			mails := w.mailsOf(3)
			w.exec("update users set role = 'admin' where email = $1", mails[0])
			w.exec("update users set status = 'suspended' where email = $1", mails[1])
			w.run(0, "apply", "-auto-approve")
			w.exec("update users set status = 'active' where email = $1", mails[1])
			w.run(0, "apply", "-auto-approve")
			nobody("after following", true)
			w.run(0, "rollback", "-auto-approve", "-run", w.runID(1))
			nobody("after the rollback", false)
			w.run(0, "rollback", "-auto-approve", "-run", w.runID(0))
			nobody("after the rollback of the rollback", true)
			w.run(0, "rollback", "-auto-approve", "-run", w.runID(1))
			w.run(0, "wave", "resume", "everyone")
			w.run(0, "apply", "-auto-approve")
			nobody("moved again", true)
			w.exec(synced, mails[2:3])
			if n := w.figuresOf("everyone").Completed; n != 1 {
				t.Errorf("a login completes %d", n)
			}
			// Without what is recorded of it, the login is one by a time of completion that is no longer the synced one.
			w.exec("update users set migration_completed_at = null where email = $1", mails[2])
			w.exec("drop schema anthill_state cascade")
			w.run(0, "apply", "-auto-approve")
			nobody("after the state was lost", true)
		})
	}
}

// runID is a run by its number from the first (1), or the last one (0).
func (w *world) runID(n int) (id string) {
	w.t.Helper()
	sql := "select id from anthill_state.runs where n = $1 or $1 = 0 order by n desc limit 1"
	if err := w.connect().QueryRow(w.t.Context(), sql, n).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return id
}
