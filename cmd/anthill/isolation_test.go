package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// breach is one way in which the isolation of tenants does not hold, and a world that is just short of it.
type breach struct {
	code    state.Code
	reason  string // why users of the tenants are not moved; "": isolation
	text    string // the configuration that is planned; "": the one that was applied
	near    func(*isolated)
	breaks  func(*isolated)
	tenants []string // that are left out, sorted
	count   func(*isolated) int
}

// isolated is a world whose users are moved, with one more in each tenant who is not.
type isolated struct {
	*world
	guarded
}

func (w *isolated) member(group string, member string) {
	w.t.Helper()
	w.as(w.t, "idm_admin")("POST", "/v1/group/"+group+"/_attr/member", []string{member})
}

// mapping adds a mapping row of a group to a tenant.
func (w *isolated) mapping(slug, group string) {
	w.t.Helper()
	w.exec("insert into {idp}_tenant_groups (tenant_id, {idp}_group_uuid, {idp}_group_name, role) select tenant_id, $2, $3, 'viewer' from tenants where slug = $1",
		slug, w.groupOf(group), group)
}

// theirs makes a group that is nobody's, with members.
func (w *isolated) theirs(name string, members ...uuid.UUID) {
	w.t.Helper()
	g := providers.NewGroup{ID: uuid.New(), Name: name}
	must(w.t, w.api.Accounts().CreateGroups(w.t.Context(), []providers.NewGroup{g}))
	if len(members) > 0 {
		must(w.t, w.api.Accounts().AddMembers(w.t.Context(), g.ID, members))
	}
}

func breaches() map[string]breach {
	acme := allMoving + "group \"old\" {\n  tenant = \"acme\"\n  name   = \"old\"\n  role   = \"viewer\"\n  adopt  = true\n  members { roles = [\"viewer\"] }\n}\n"
	return map[string]breach{
		"a group is mapped to two tenants": {code: state.CodeGroupShared, tenants: []string{"acme", "globex"},
			near:   func(w *isolated) { w.theirs("old"); w.mapping("globex", "old") },
			breaks: func(w *isolated) { w.mapping("acme", "old") }},
		"a group has one of Self-auth's own inside": {code: state.CodeGroupHoldsBuiltin, tenants: []string{"acme"},
			near: func(w *isolated) {
				w.theirs("old")
				w.member("tenant_acme_users", "old")
				w.member("old", w.nobody("near").String())
			},
			breaks: func(w *isolated) { w.member("tenant_acme_users", "idm_all_persons") }},
		"a group is inside one of Self-auth's own": {code: state.CodeGroupInsideBuiltin, tenants: []string{"acme"},
			near:   func(w *isolated) { w.theirs("old"); w.member("old", "tenant_acme_users") },
			breaks: func(w *isolated) { w.member("idm_mail_servers", "tenant_acme_users") }},
		"users are in another tenant's group": {code: state.CodeForeignMembers, tenants: []string{"acme", "globex"},
			near: func(w *isolated) { w.intrude("tenant_globex_users", "stranger") },
			breaks: func(w *isolated) {
				w.member("tenant_globex_users", w.someone("user", "acme").person.String())
				w.member("tenant_globex_users", w.someone("viewer", "acme").person.String())
			},
			count: func(w *isolated) int {
				return w.number(`select count(*) from users join tenants t using (tenant_id) where t.slug = 'acme' and {idp}_user_id = any($1)`,
					w.directory().groups["tenant_globex_users"].Members)
			}},
		"two rows are linked to one person": {code: state.CodePersonShared, tenants: []string{"acme", "globex"},
			near: func(w *isolated) {
				w.newcomer("globex", "fresh.too@globex.example", "active")
				w.exec("alter table users drop constraint users_{idp}_user_id_key")
				w.exec("update users set {idp}_user_id = $1, {idp}_synced_at = now() where email = 'fresh@globex.example'", w.nobody("near"))
			},
			breaks: func(w *isolated) {
				w.exec(`update users set {idp}_user_id = (select {idp}_user_id from users where email = 'fresh@globex.example')
					where email = 'fresh@acme.example'`)
			}},
		"a group that is to be taken over is another tenant's": {code: state.CodeAdoptMapped, tenants: []string{"acme"}, text: acme,
			near: func(w *isolated) { w.theirs("old") }, breaks: func(w *isolated) { w.mapping("globex", "old") }},
		"a group that is to be taken over has another tenant's users": {code: state.CodeAdoptMembers, tenants: []string{"acme"}, text: acme,
			near: func(w *isolated) { w.theirs("old", w.someone("viewer", "acme").person) },
			breaks: func(w *isolated) {
				w.member("old", w.someone("user", "globex").person.String())
			}},
		"nobody can see who is in a group": {code: state.CodeGroupHidden, reason: "group_hidden", tenants: []string{"acme"},
			near:   func(w *isolated) { w.theirs("old"); w.protect(w.t, w.groupOf("old"), true) },
			breaks: func(w *isolated) { w.protect(w.t, w.groupOf("tenant_acme_admins"), true) }},
	}
}

// nobody is a person of nobody's.
func (w *isolated) nobody(name string) uuid.UUID {
	w.t.Helper()
	id := uuid.New()
	must(w.t, w.api.Accounts().Create(w.t.Context(), newPerson(id, name, name+"@elsewhere.example")))
	return id
}

// isolation is what a plan says of it.
type isolation struct {
	found   map[state.Code]int // what each finding counts, together
	skipped map[string]int     // users who are not moved, by the reasons of isolation
}

func (w *isolated) isolation(out string) (i isolation, screen string) {
	w.t.Helper()
	screen, _ = w.run(exitDone, "plan", "-out", out)
	text, _ := w.run(exitDone, "show", "-json", out)
	var p struct {
		Context struct {
			Isolation struct {
				Violations []struct {
					Code  state.Code
					Count int
				}
			}
			Waves []struct {
				NotMoved []notMoved `json:"not_moved"`
			}
		}
	}
	must(w.t, json.Unmarshal([]byte(text), &p))
	i = isolation{map[state.Code]int{}, map[string]int{}}
	for _, v := range p.Context.Isolation.Violations {
		i.found[v.Code] += v.Count
	}
	for _, wave := range p.Context.Waves {
		for _, s := range wave.NotMoved {
			if s.Reason == "isolation" || s.Reason == "group_hidden" {
				i.skipped[s.Reason] += s.Count
			}
		}
	}
	return i, screen
}

// TestIsolation breaks the isolation of tenants in every way that a plan looks at. Just short of it all are moved. Then the users
// of the tenants concerned, as SQL counts them, are not moved, neither is anything of theirs; and those of all others are (L40).
func TestIsolation(t *testing.T) {
	t.Parallel()
	for name, b := range breaches() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.try(t)
		})
	}
}

func (b breach) try(t *testing.T) {
	g := guardedEmulator(t)
	w := &isolated{newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, g.server), g}
	w.config(allMoving)
	w.run(exitDone, "apply", "-auto-approve")
	for _, slug := range []string{"acme", "globex", "anthill"} {
		w.newcomer(slug, "fresh@"+slug+".example", "active")
	}
	if b.text != "" {
		w.config(b.text)
	}
	b.near(w)
	if i, screen := w.isolation("near"); len(i.found)+len(i.skipped) > 0 {
		t.Fatalf("just short of it: %+v\n%s", i, screen)
	}
	b.breaks(w)
	if b.reason == "" {
		b.reason = "isolation"
	}
	const due = `select count(*) from users join tenants t using (tenant_id) where t.slug = any($1) and users.status = 'active' and users.deleted_at is null
		and email like 'fresh%' and not exists (select from anthill_state.users s where s.user_id = users.user_id)`
	want := isolation{map[state.Code]int{b.code: 0}, map[string]int{b.reason: w.number(due, b.tenants)}}
	if b.count != nil {
		want.found[b.code] = b.count(w)
	}
	got, screen := w.isolation("broken")
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(isolation{})); diff != "" {
		t.Fatalf("isolation (-counted by hand +planned):\n%s\n%s", diff, screen)
	}
	wants(t, screen, "The tenants concerned are left out:")
	w.run(exitDone, "apply", "broken")
	var moved []string
	for slug, n := range w.movedFresh() {
		if n > 0 {
			moved = append(moved, slug)
		}
	}
	slices.Sort(moved)
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(w.movedFresh())), func(slug string) bool { return slices.Contains(b.tenants, slug) })
	if diff := cmp.Diff(all, moved); diff != "" {
		t.Errorf("tenants whose users are moved (-want +got):\n%s", diff)
	}
}

// movedFresh counts, by tenant, the users of before who have been moved since.
func (w *isolated) movedFresh() map[string]int {
	w.t.Helper()
	m := map[string]int{}
	for _, slug := range strings.Fields("acme anthill globex") {
		m[slug] = w.number(`select count(*) from users where email = $1 and {idp}_user_id in (select person from anthill_state.users)`,
			fmt.Sprintf("fresh@%s.example", slug))
	}
	return m
}
