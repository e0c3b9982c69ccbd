package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
	"anthill/providers"
)

// refuser is an emulator that refuses what a test names as "METHOD part-of-the-path", some of them with a comma between, as
// Self-auth refuses a value.
type refuser struct {
	server
	what atomic.Pointer[string]
}

func newRefuser(t *testing.T) *refuser {
	t.Helper()
	r := &refuser{}
	r.server = emulatorWith(t, selfauthd.Options{Intercept: func(w http.ResponseWriter, q *http.Request) bool {
		if !slices.ContainsFunc(strings.Split(*r.what.Load(), ","), func(what string) bool {
			method, path, _ := strings.Cut(what, " ")
			return q.Method == method && strings.Contains(q.URL.Path, path)
		}) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-KANIDM-VERSION", "1.10.5")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"invalidattribute":"it is refused"}`)
		return true
	}})
	r.refuse("NOTHING /")
	return r
}

func (r *refuser) refuse(what string) { r.what.Store(&what) }

func (w *world) clients() []providers.Client {
	w.t.Helper()
	list, err := w.api.Directory().Clients(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

const oneClient = `
oauth2_client "app" {
  type          = %q
  display_name  = "App"
  landing_url   = "https://app.example.com/"
  redirect_urls = ["https://app.example.com/cb"]
  scope_map {
    groups = group.users
    scopes = ["openid"]
  }
  claim_map {
    claim  = "role"
    join   = "array"
    groups = group.admins
    values = ["admin"]
  }
}
`

// TestRefusedInPart: of a change of which Self-auth refuses one part nothing is left, and the next apply of the same
// configuration does it whole.
func TestRefusedInPart(t *testing.T) {
	t.Parallel()
	confidential, public := fmt.Sprintf(oneClient, "confidential"), fmt.Sprintf(oneClient, "public")
	const policy = `
account_policy "strict" {
  groups         = group.admins
  session_expiry = "1h"
}
`
	for name, c := range map[string]struct {
		before, after string
		refuse        string
		allow         string
		failed        string
	}{
		"a client is made":          {"", confidential, "POST /_claimmap/role/", "", "oauth2_client.app"},
		"a client is changed":       {confidential, strings.ReplaceAll(strings.ReplaceAll(confidential, `"App"`, `"Application"`), `["admin"]`, `["boss"]`), "POST /_claimmap/role/", "", "oauth2_client.app"},
		"a client is made again":    {confidential, public, "POST /_claimmap/role/", "ENDS_SESSIONS=1", "oauth2_client.app"},
		"making again fails early":  {confidential, public, "POST /_public", "ENDS_SESSIONS=1", "oauth2_client.app"},
		"a policy is set":           {"", policy, "PATCH /v1/group/", "", "account_policy.strict"},
		"a policy goes":             {policy, "", "DELETE /_attr/class", "", "account_policy.strict"},
		"groups come":               {"", viewers, "POST /v1/group,POST /v1/raw/create", "", "group.viewers"},
		"groups go":                 {viewers, "", "DELETE /v1/group/,POST /v1/raw/delete", "", "group.viewers"},
		"a group gets another name": {viewers, strings.ReplaceAll(viewers, "_viewers", "_readers"), "PATCH /v1/group/", "LOGIN_GAP=3", "group.viewers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRefuser(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, r.server)
			w.config(everyone + waveEveryone + c.before)
			w.run(exitDone, "apply", "-auto-approve")
			clients, rows, groups := w.clients(), w.fingerprint(), w.directory().groups

			w.config(everyone + waveEveryone + c.after)
			apply := []string{"plan", "-out", "p"}
			if c.allow != "" {
				apply = append(apply, "-allow", c.allow)
			}
			w.run(exitDone, apply...)
			r.refuse(c.refuse)
			out, _ := w.run(exitRemainder, "apply", "p")
			wants(t, out, "failed", c.failed, "Nothing was done twice or half. Plan again")
			if strings.Contains(out, "anthill rollback") {
				t.Errorf("a rollback is offered where nothing can be taken back:\n%s", out)
			}
			if diff := cmp.Diff(clients, w.clients()); diff != "" {
				t.Errorf("clients (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(rows, w.fingerprint()); diff != "" {
				t.Errorf("rows (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(groups, w.directory().groups); diff != "" {
				t.Errorf("groups (-before +after):\n%s", diff)
			}

			r.refuse("NOTHING /")
			w.run(exitDone, apply...)
			w.run(exitDone, "apply", "p")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.run(exitDone, "rollback", "-auto-approve")
			if diff := cmp.Diff(clients, w.clients()); diff != "" {
				t.Errorf("clients after the rollback (-before +after):\n%s", diff)
			}
		})
	}
}

// TestOneGroupOfMany: a group whose name somebody has taken since the plan keeps no other group from being made, and nobody
// but those who would join it from being moved.
func TestOneGroupOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	w.run(exitDone, "plan", "-out", "p")
	theirs := uuid.New()
	if err := w.api.Accounts().CreateGroups(t.Context(), []providers.NewGroup{{ID: theirs, Name: "tenant_acme_users"}}); err != nil {
		t.Fatal(err)
	}
	out, _ := w.run(exitRemainder, "apply", "p")
	wants(t, out, "13 failed", `group.users["acme"]: an entry with this name exists already`) // the group, and the 12 of its tenant
	w.someone("user", "globex").is("its group was made", "enabled", "tenant_globex_users")
	if n := w.number("select count(*) from users join tenants using (tenant_id) where slug = 'acme' and {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d users of acme are linked", n)
	}
	if err := w.api.Accounts().DeleteGroups(t.Context(), []uuid.UUID{theirs}); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
	w.nothing()
}

// TestRollbackOfAnOlderRun: what the rollback of an older run has taken back with it is not brought back by the next
// rollback.
func TestRollbackOfAnOlderRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	before, clients, groups := w.fingerprint(), w.clients(), w.directory().groups
	const newco = "\ntenant \"newco\" {\n  slug = \"newco\"\n  name = %q\n}\n"
	text := everyone + waveEveryone + fmt.Sprintf(newco, "Newco") + fmt.Sprintf(oneClient, "confidential")
	w.config(text)
	w.run(exitDone, "apply", "-auto-approve")
	text = strings.NewReplacer(`"Newco"`, `"New Company"`, `["admin"]`, `["boss"]`, "${each.key} Users", "Users of ${each.key}").Replace(text)
	w.config(text)
	w.run(exitDone, "apply", "-auto-approve")
	runs := w.runs()

	out, _ := w.run(exitBlocked, "rollback", "-run", runs[0], "-delete-persons")
	w.run(exitDone, "rollback", "-run", runs[0], "-delete-persons", "-allow", "DELETES_DATA="+countOf(out, "DELETES_DATA="), "-auto-approve")
	same := func(when string) {
		t.Helper()
		w.checkRolledBack(before)
		if diff := cmp.Diff(clients, w.clients()); diff != "" {
			t.Errorf("clients %s (-before +after):\n%s", when, diff)
		}
		if diff := cmp.Diff(groups, w.directory().groups); diff != "" {
			t.Errorf("groups %s (-before +after):\n%s", when, diff)
		}
	}
	same("after the rollback of the first run")
	w.run(exitDone, "rollback", "-auto-approve")
	same("after another rollback")
	w.run(exitDone, "rollback", "-auto-approve")
	same("after a third")
}

// TestDriftTwice: the same drift is repaired as often as it comes.
func TestDriftTwice(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	group := w.directory().groups["tenant_acme_users"]
	for range 3 {
		if err := w.api.Accounts().RemoveMembers(t.Context(), membersOf(group.ID, group.Members[:2]...)); err != nil {
			t.Fatal(err)
		}
		out, _ := w.run(exitChanges, "plan", "-detailed-exitcode", "-out", "p")
		out2, _ := w.run(exitDone, "apply", "p")
		wants(t, out2, "2 users done")
		w.run(exitDone, "plan", "-detailed-exitcode")
		if out2, _ = w.run(exitDone, "apply", "p"); !strings.Contains(out2, "Nothing to do: run") {
			t.Errorf("the same plan file again:\n%s\n%s", out, out2)
		}
	}
}

// TestRollbackSaysWhatLoginsMeet: what is a hazard of a plan is said by a rollback, and does not stop it (L44); a client that
// is declared under another address stays away with the wave.
func TestRollbackSaysWhatLoginsMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	before := w.clients()
	text := everyone + waveEveryone + fmt.Sprintf(oneClient, "confidential")
	w.config(text)
	w.run(exitDone, "apply", "-auto-approve")
	step := func(old, next string, allow ...string) {
		t.Helper()
		text = strings.ReplaceAll(text, old, next)
		w.config(text)
		plan := []string{"plan", "-out", "p"}
		for _, a := range allow {
			plan = append(plan, "-allow", a)
		}
		w.run(exitDone, plan...)
		w.run(exitDone, "apply", "p")
	}
	back := func(says ...string) {
		t.Helper()
		out, _ := w.run(exitDone, "rollback", "-auto-approve")
		wants(t, out, says...)
		wants(t, out, "No hazards.")
	}
	step(`["https://app.example.com/cb"]`, `["https://app.example.com/cb", "https://app.example.com/more"]`)
	back("logins that lead to https://app.example.com/more are refused")
	step(`"confidential"`, `"public"`, "ENDS_SESSIONS=1")
	back("client app becomes confidential again")
	text = strings.ReplaceAll(text, `"public"`, `"confidential"`)
	step("_users\"", "_everybody\"", "LOGIN_GAP=29")
	back("becomes tenant_acme_users: its")
	text = strings.ReplaceAll(text, "_everybody\"", "_users\"")
	step(`oauth2_client "app" {`, "moved {\n from = oauth2_client.app\n to = oauth2_client.portal\n}\noauth2_client \"portal\" {", "ENDS_SESSIONS=1")
	back("client portal becomes app")

	w.run(exitDone, "rollback", "-auto-approve") // of the first run
	if diff := cmp.Diff(before, w.clients()); diff != "" {
		t.Errorf("clients (-before +after):\n%s", diff)
	}
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "oauth2_client.portal: taken back by run")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	if list := w.clients(); len(list) != len(before)+1 || list[0].Name != "portal" {
		t.Errorf("clients %+v", list)
	}
}
