package session_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/config"
	"anthill/internal/apply"
	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/internal/selfauthd"
	"anthill/internal/session"
	"anthill/planner/plan"
	"anthill/state"
)

func TestMain(m *testing.M) { pgtest.Main(m, nil) }

// pilot moves the users of one tenant, once somebody has confirmed that the desk is staffed.
const pilot = `
schema { level = "dual" }
group "users" {
  tenant = "acme"
  name   = "tenant_acme_users"
  role   = "member"
  members { all = true }
}
auth_policy "dual" { method = "dual" }
guard {
  max_users_changed_percent = 100
}
wave "pilot" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
  start { gates = [gate.desk] }
}
gate "desk" { manual = true }
`

// settings are those of a configuration, a database with sample users, and a Self-auth server of the test's own.
func settings(t *testing.T, configuration string) session.Settings {
	t.Helper()
	url := pgtest.Database(t)
	if err := sandbox.Load(t.Context(), url, sandbox.Options{}); err != nil {
		t.Fatal(err)
	}
	server, err := selfauthd.Start(selfauthd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.anthill.hcl"), configuration)
	write(t, filepath.Join(dir, "ca.pem"), string(server.CA()))
	token, _ := server.Operator()
	env := map[string]string{
		"DATABASE_URL":          url,
		"SELF_AUTH_URL":         server.URL(),
		"SELF_AUTH_CA_FILE":     filepath.Join(dir, "ca.pem"),
		"SELF_AUTH_ADMIN_TOKEN": token,
	}
	return session.Settings{
		Dir:         dir,
		Version:     "0.1.0",
		Application: "anthill test",
		Who:         "ana@laptop",
		Env:         func(name string) string { return env[name] },
		Now:         time.Now,
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, s session.Settings) *session.Session {
	t.Helper()
	opened, err := session.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

func now() session.Request { return session.Request{AsOf: time.Now().UTC()} }

// planned makes a plan that ends with the test.
func planned(t *testing.T, s *session.Session, r session.Request) *session.Plan {
	t.Helper()
	made, err := s.Plan(t.Context(), r)
	return kept(t, made, err)
}

func kept(t *testing.T, made *session.Plan, err error) *session.Plan {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	return made
}

func carriedOut(t *testing.T, s *session.Session, made *session.Plan) apply.Result {
	t.Helper()
	result, err := s.CarryOut(t.Context(), &made.Reader, session.Approval{By: "ana"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestThereAndBack is the whole life of a wave: held by its gate, confirmed, planned, carried out, taken back, resumed.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	s := open(t, settings(t, pilot))
	if err := s.MayWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := planned(t, s, now()).Effects().Users(); n != 0 {
		t.Fatalf("%d users are due before the gate is open", n)
	}
	if err := s.Confirm(t.Context(), "pilot", "desk", "", "two people", ""); err != nil {
		t.Fatal(err)
	}

	out := filepath.Join(t.TempDir(), "pilot.plan")
	r := now()
	r.Out = out
	made := planned(t, s, r)
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
	due := made.Effects().Users()
	result := carriedOut(t, s, made)
	if due == 0 || result.Run.Counts.Done != due || result.Run.ApprovedBy != "ana" || result.Run.Who != "ana@laptop" {
		t.Errorf("%d users were due; the run is %+v", due, result.Run)
	}
	if !planned(t, s, now()).Effects().Empty() {
		t.Error("a plan after the run is not empty")
	}

	undo, err := s.Rollback(t.Context(), now(), session.Undo{Waves: []string{"pilot"}, Tenants: []string{"acme"}})
	undo = kept(t, undo, err)
	if diff := cmp.Diff([]string{result.Run.ID}, undo.Effects().Undo.Runs); diff != "" {
		t.Errorf("runs that are taken back (-want +got):\n%s", diff)
	}
	if back := carriedOut(t, s, undo); back.Run.Counts.Done != due {
		t.Errorf("%d of %d users came back", back.Run.Counts.Done, due)
	}

	status, err := s.Waves(t.Context(), now())
	if err != nil || status.NoPlan != nil {
		t.Fatal(err, status.NoPlan)
	}
	defer status.Close()
	if len(status.State.Runs) != 2 || len(status.State.Pauses) != 1 || status.Plan.Effects().Users() != 0 {
		t.Errorf("%d runs, %d pauses, %d users due", len(status.State.Runs), len(status.State.Pauses), status.Plan.Effects().Users())
	}
	if slug := status.Tenants[status.State.Pauses[0].Tenant]; slug != "acme" {
		t.Errorf("the pause is of tenant %q", slug)
	}
	for _, want := range []int{1, 0} {
		if r, err := s.Resume(t.Context(), "pilot", "acme", ""); err != nil || len(r.Lifted) != want {
			t.Errorf("%d pauses were lifted, %v; want %d", len(r.Lifted), err, want)
		}
	}
	if n := planned(t, s, now()).Effects().Users(); n != due {
		t.Errorf("%d users are due again, want %d", n, due)
	}
}

// TestStoppedRun stops a run from outside: it stays open, and its stored plan finishes it.
func TestStoppedRun(t *testing.T) {
	t.Parallel()
	s := open(t, settings(t, strings.Replace(pilot, "  start { gates = [gate.desk] }\n", "", 1)))
	made := planned(t, s, now())
	ctx, stop := context.WithCancel(t.Context())
	result, err := s.CarryOut(ctx, &made.Reader, session.Approval{}, func(e apply.Event) { stop() })
	if !result.Stopped || err == nil {
		t.Fatalf("stopped %v, %v", result.Stopped, err)
	}
	run, err := s.OpenRun(t.Context())
	if err != nil || run == nil {
		t.Fatal(run, err)
	}
	if n := planned(t, s, now()).Effects().Users(); n != 0 {
		t.Errorf("a plan has %d users of the open run", n)
	}
	stored, err := s.StoredPlan(t.Context(), run.ID)
	stored = kept(t, stored, err)
	if stored.ID() != made.ID() {
		t.Errorf("the run keeps plan %s, not %s", stored.ID().Short(), made.ID().Short())
	}
	if done := carriedOut(t, s, stored).Run; done.ID != run.ID || done.Counts.Done != made.Effects().Users() {
		t.Errorf("the run ended as %+v", done)
	}
	if run, err := s.OpenRun(t.Context()); run != nil || err != nil {
		t.Errorf("a run is open: %v, %v", run, err)
	}
}

// TestMistakes has mistakes of a configuration come with file, line and source, wherever they are found.
func TestMistakes(t *testing.T) {
	t.Parallel()
	found := func(err error) session.Diagnostics {
		t.Helper()
		var d *session.DiagnosticsError
		if !errors.As(err, &d) {
			t.Fatalf("%v is no *DiagnosticsError", err)
		}
		return d.Diagnostics
	}
	check := func(d session.Diagnostics) {
		t.Helper()
		if len(d.List) != 1 || d.List[0].Subject == nil {
			t.Fatalf("found %v", d.List)
		}
		if at := d.List[0].Subject; at.Filename != "main.anthill.hcl" || d.Files[at.Filename] == nil {
			t.Errorf("found at %s", at)
		}
	}
	unknown := settings(t, pilot+"wavelet {}\n")
	check(session.Validate(t.Context(), unknown))
	_, err := session.Open(t.Context(), unknown)
	check(found(err))

	// A tenant that is not there is found over the live tenants alone.
	absent := settings(t, strings.ReplaceAll(pilot, `"acme"`, `"acmee"`))
	if list := session.Validate(t.Context(), absent).List; len(list) > 0 {
		t.Errorf("found without a server: %v", list)
	}
	s := open(t, absent)
	_, err = s.Plan(t.Context(), now())
	if at := found(err).List[0].Subject; at == nil {
		t.Errorf("%v has no place", err)
	}
	status, err := s.Waves(t.Context(), now())
	if err != nil || status.Plan != nil {
		t.Errorf("status: %v, plan %v", err, status.Plan)
	}
	found(status.NoPlan)
}

// TestStopped: whoever interrupts a command while a configuration is evaluated is told that, and no mistake of the configuration.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	long := settings(t, pilot+"locals { x = [for a in range(1000) : [for b in range(1000) : a]] }\n")
	if d := session.Validate(ctx, long); !config.Stopped(d.List) {
		t.Errorf("it was not stopped: %v", d.List)
	}
}

// TestOut: a plan takes the place of an ordinary file alone, and what stands there stays as it is otherwise.
func TestOut(t *testing.T) {
	t.Parallel()
	s := open(t, settings(t, pilot))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(syscall.Mkfifo(at("pipe"), 0o600), os.WriteFile(at("old"), []byte("old"), 0o600),
		os.Symlink("old", at("link")), os.Symlink("pipe", at("to a pipe")), os.Symlink("nowhere", at("dangling"))); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{
		at("pipe"):           "is no ordinary file",
		at("to a pipe"):      "is no ordinary file",
		at("dangling"):       "a link to a file that is not there",
		at("nowhere/a plan"): "there is no directory " + at("nowhere") + " to save",
		dir:                  "is a directory",
	} {
		r := now()
		r.Out = out
		_, planErr := s.Plan(t.Context(), r)
		_, backErr := s.Rollback(t.Context(), r, session.Undo{})
		for _, err := range []error{planErr, backErr} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ".anthill-") {
				t.Errorf("%s: %v", out, err)
			}
		}
	}
	if info, err := os.Lstat(at("pipe")); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v: %v", info, err)
	}
	r := now()
	r.Out = at("link")
	made, err := s.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	info, err := os.Lstat(at("link"))
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v: %v", info, err)
	}
	if b, err := os.ReadFile(at("old")); err != nil || !strings.HasPrefix(string(b), "ANTHILL-PLAN ") {
		t.Errorf("behind the link: %.20q, %v", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 5 {
		t.Errorf("in the directory: %v, %v", left, err)
	}
}

// TestRefusals are what a session says before anything is changed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	set := settings(t, pilot)
	s := open(t, set)
	folder := now()
	folder.Out = t.TempDir()
	for name, c := range map[string]struct {
		do   func(context.Context) error
		want string
	}{
		"out is a directory": {func(ctx context.Context) error { _, err := s.Plan(ctx, folder); return err }, "is a directory"},
		"no such wave":       {func(ctx context.Context) error { return s.Confirm(ctx, "pilto", "desk", "", "", "") }, "there are pilot"},
		"no such gate":       {func(ctx context.Context) error { return s.Confirm(ctx, "pilot", "dusk", "", "", "") }, "it has desk"},
		"nobody moved": {func(ctx context.Context) error {
			_, err := s.Rollback(ctx, now(), session.Undo{Waves: []string{"pilot"}})
			return err
		}, "has moved anybody"},
		"no such tenant":       {func(ctx context.Context) error { _, err := s.Resume(ctx, "pilot", "nobody", ""); return err }, `"nobody"`},
		"pause no such tenant": {func(ctx context.Context) error { _, err := s.Pause(ctx, "pilot", "nobody", "r"); return err }, `"nobody"`},
		"pause no such wave":   {func(ctx context.Context) error { _, err := s.Pause(ctx, "pilto", "", "r"); return err }, "there are pilot"},
		"nothing set": {func(ctx context.Context) error {
			bare := set
			bare.Env = func(string) string { return "" }
			_, err := session.Open(ctx, bare)
			return err
		}, "set DATABASE_URL or write provider"},
	} {
		if err := c.do(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if st, err := s.Waves(t.Context(), now()); err != nil || st.State.Exists {
		t.Errorf("a state was made, %v", err)
	}
}

// TestBlocked carries out nothing that was not allowed, and allows by code and count.
func TestBlocked(t *testing.T) {
	t.Parallel()
	narrow := strings.Replace(pilot, "max_users_changed_percent = 100", "max_users_changed_percent = 1\n  min_population = 1", 1)
	s := open(t, settings(t, strings.Replace(narrow, "  start { gates = [gate.desk] }\n", "", 1)))
	blocked := planned(t, s, now())
	var refused *apply.BlockedError
	if _, err := s.CarryOut(t.Context(), &blocked.Reader, session.Approval{}, nil); !errors.As(err, &refused) {
		t.Fatalf("carried out: %v", err)
	}
	r := now()
	for _, h := range blocked.Effects().Hazards {
		r.Allowed = append(r.Allowed, plan.Allowance{Code: h.Code, Count: h.Count})
	}
	if run := carriedOut(t, s, planned(t, s, r)).Run; run.Kind != state.RunApply || run.Counts.Done == 0 {
		t.Errorf("the run is %+v", run)
	}
}

// TestGlance: what a session plans by and what a glance counts are the same users; without Self-auth, or a configuration, the database
// is enough.
func TestGlance(t *testing.T) {
	t.Parallel()
	set := settings(t, strings.Replace(pilot, "  start { gates = [gate.desk] }\n", "", 1))
	s := open(t, set)
	made := planned(t, s, now())
	look := func(set session.Settings) session.Status {
		t.Helper()
		g, err := session.OpenGlance(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		status, err := g.Status(t.Context(), session.StatusRequest{AsOf: now().AsOf, Days: true, Sessions: true})
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	before := look(set)
	if before.Holder != nil || before.State.Exists || before.Mistakes != nil || before.Away != nil {
		t.Errorf("nothing has run: %+v", before)
	}
	ctx, stop := context.WithCancel(t.Context())
	if result, err := s.CarryOut(ctx, &made.Reader, session.Approval{}, func(e apply.Event) { stop() }); !result.Stopped || err == nil {
		t.Fatal(result, err)
	}
	if stopped := look(set); stopped.Total != made.Effects().Users() || stopped.Holder != nil || stopped.State.OpenRun() == nil {
		t.Errorf("stopped: total %d of %d, holder %v", stopped.Total, made.Effects().Users(), stopped.Holder)
	}
	run, err := s.OpenRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.StoredPlan(t.Context(), run.ID)
	carriedOut(t, s, kept(t, stored, err))
	after := look(set)
	again := planned(t, s, now())
	for i, w := range again.Context().Waves {
		got := after.Survey.Waves[i].WaveView
		if diff := cmp.Diff([]any{w.Name, w.State, w.Matched, w.Moved, w.Due, w.Waiting, w.Skipped, w.Figures.Moved, w.Figures.Completed, w.Figures.Skipped, w.Figures.Selected},
			[]any{got.Name, got.State, got.Matched, got.Moved, got.Due, got.Waiting, got.Skipped, got.Figures.Moved, got.Figures.Completed, got.Figures.Skipped,
				got.Figures.Selected}); diff != "" {
			t.Errorf("wave %s (-planned +counted):\n%s", w.Name, diff)
		}
	}
	if live := again.Context().Population.Live; after.Survey.Totals.Users != live || after.Survey.Totals.Linked <= before.Survey.Totals.Linked {
		t.Errorf("%d users, %d by the plan; %d linked, %d before", after.Survey.Totals.Users, live, after.Survey.Totals.Linked, before.Survey.Totals.Linked)
	}

	env := set.Env
	for name, c := range map[string]struct {
		change func(*session.Settings)
		holds  func(session.Status) bool
	}{
		"no token": {func(s *session.Settings) {
			s.Env = func(k string) string {
				if k == "SELF_AUTH_ADMIN_TOKEN" {
					return ""
				}
				return env(k)
			}
		}, func(s session.Status) bool {
			return s.Away != nil && s.Mistakes == nil && len(s.Survey.Waves) == len(after.Survey.Waves)
		}},
		"a wrong token": {func(s *session.Settings) {
			s.Env = func(k string) string {
				if k == "SELF_AUTH_ADMIN_TOKEN" {
					return "none"
				}
				return env(k)
			}
		}, func(s session.Status) bool { return s.Away != nil && s.Mistakes == nil }},
		"no configuration": {func(s *session.Settings) { s.Dir = t.TempDir() }, func(s session.Status) bool { return s.Mistakes != nil && len(s.Survey.Waves) > 0 }},
		"a broken one": {func(s *session.Settings) {
			s.Dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(s.Dir, "main.anthill.hcl"), []byte("wave \"x\" {"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, func(s session.Status) bool { return s.Mistakes != nil && len(s.Survey.Waves) > 0 }},
	} {
		other := set
		c.change(&other)
		got := look(other)
		if !c.holds(got) || got.Survey.Totals.Users != after.Survey.Totals.Users || got.Survey.Totals.Linked != after.Survey.Totals.Linked || len(got.State.Runs) != 1 {
			t.Errorf("%s: away %v, mistakes %v, %d waves, totals %+v", name, got.Away, got.Mistakes, len(got.Survey.Waves), got.Survey.Totals)
		}
	}
}
