package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

var cases = flag.Int("cases", 4, "how many random sequences TestRandomSequences tries, TestPartsInTurn at most 8, and TestRandomWaysBack a tenth and at least 4")

// wish is a configuration that grows and shrinks.
type wish struct {
	suffix, description    string
	full, staff, newco     bool
	acmeName, newcoPlan    string
	client                 string // "", confidential, public
	display                string
	urls, claims, switches int
	legacy                 bool
	policy                 int // 0: none
}

func (d wish) text() string {
	var b strings.Builder
	manage := "additive"
	if d.full {
		manage = "full"
	}
	fmt.Fprintf(&b, `
schema { level = "dual" }
data "tenants" "active" { status = ["active"] }
group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 40)}_admins%[1]s"
  role     = "admin"
  members { roles = ["admin", "super_admin"] }
}
group "users" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 40)}_users%[1]s"
  description = %[2]q
  role        = "member"
  members {
    all    = true
    manage = %[3]q
  }
}
auth_policy "dual" { method = "dual" }
identity { adopt = "mail" }
guard {
  max_users_changed_percent = 100
  max_removed_percent       = 100
  keep_admins               = 0
}
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
}
`, d.suffix, d.description, manage)
	if d.staff {
		fmt.Fprintf(&b, "group \"staff\" {\n  tenant = \"acme\"\n  name = \"staff\"\n  role = \"viewer\"\n  description = %q\n  adopt = true\n  members {\n    roles = [\"manager\", \"user\"]\n    manage = %q\n  }\n}\n", d.description+" staff", manage)
	}
	if d.newco {
		fmt.Fprintf(&b, "tenant \"newco\" {\n  name = \"New Co\"\n  plan = %q\n  settings = { seats = 3 }\n}\n", d.newcoPlan)
	}
	if d.acmeName != "" {
		fmt.Fprintf(&b, "tenant \"acme\" {\n  name = %q\n  adopt = true\n}\n", d.acmeName)
	}
	if d.client != "" {
		fmt.Fprintf(&b, "oauth2_client \"inventory\" {\n  type = %q\n  display_name = %q\n  landing_url = \"https://app.example.com\"\n  prefer_short_names = %v\n  legacy_crypto = %v\n  redirect_urls = [", d.client, d.display, d.switches&1 != 0, d.switches&2 != 0)
		for i := range d.urls {
			fmt.Fprintf(&b, "%q, ", fmt.Sprintf("https://app.example.com/cb/%d", i))
		}
		b.WriteString("]\n  scope_map {\n    groups = group.users\n    scopes = [\"openid\", \"groups\"]\n  }\n")
		if d.claims > 0 {
			fmt.Fprintf(&b, "  sup_scope_map {\n    groups = group.admins\n    scopes = [\"admin\"]\n  }\n  claim_map {\n    claim = \"role\"\n    groups = group.admins\n    values = [\"a%d\", \"b\"]\n    join = \"csv\"\n  }\n", d.claims)
		}
		b.WriteString("}\n")
	}
	if d.legacy {
		fmt.Fprintf(&b, "oauth2_client \"legacy\" {\n  adopt = true\n  display_name = %q\n  landing_url = \"https://old.example.com/\"\n  redirect_urls = [\"https://old.example.com/cb\"]\n  scope_map {\n    groups = [group.admins[\"acme\"]]\n    scopes = [\"openid\"]\n  }\n}\n", d.display)
	}
	if d.policy > 0 {
		fmt.Fprintf(&b, "account_policy \"admins\" {\n  groups = group.admins\n  session_expiry = \"%dh\"\n%s}\n", d.policy, map[bool]string{true: "  credential_minimum = \"passkey\"\n"}[d.policy%2 == 0])
	}
	return b.String()
}

// before is what is in Self-auth before Anthill comes: a group with a member and a policy, a client, a person who has the
// address of a user.
func (w *world) before() {
	w.t.Helper()
	a := w.api.Accounts()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var mail string
	must(w.connect().QueryRow(w.t.Context(), "select email from users join tenants t using (tenant_id) where users.status = 'active' and email_verified and users.deleted_at is null and email ~ '^[a-z0-9.]+@[a-z0-9.]+$' order by user_id limit 1").Scan(&mail))
	old, adopted, staff := uuid.New(), uuid.New(), uuid.New()
	must(a.Create(w.t.Context(), []providers.NewPerson{{ID: old, Name: "old-hand", Display: "Old Hand", Mail: "old@hand.example"}, {ID: adopted, Name: "adopted", Display: "Adopted", Mail: mail}}))
	must(a.CreateGroups(w.t.Context(), []providers.NewGroup{{ID: staff, Name: "staff", Description: "From before"}}))
	must(a.AddMembers(w.t.Context(), staff, []uuid.UUID{old}))
	legacy := state.Attributes{
		state.AttrName: state.TextValue("legacy"), state.AttrType: state.TextValue("confidential"), state.AttrDisplayName: state.TextValue("Legacy"),
		state.AttrLandingURL:   state.TextValue("https://old.example.com/"),
		state.AttrRedirectURLs: state.ListValue([]string{"https://old.example.com/a", "https://old.example.com/b"}),
		state.AttrScopeMaps:    state.GrantsValue([]state.Grant{{Group: staff, Values: []string{"openid"}}}), state.AttrPKCE: state.TextValue("false"),
	}
	_, err := a.CreateObject(w.t.Context(), state.KindClient, uuid.Nil, legacy)
	must(err)
	now, id, err := a.ReadObject(w.t.Context(), state.KindClient, uuid.Nil, "legacy")
	must(err)
	must(a.ChangeObject(w.t.Context(), state.KindClient, id, now, legacy))
}

// snapshot is all of the directory that is not built in, in words; ids are left out, as a group that comes back has
// another.
func (w *world) snapshot() string {
	w.t.Helper()
	var lines []string
	names := map[string]string{}
	for p, err := range w.api.Directory().Persons(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		names[p.ID.String()] = p.Name
		lines = append(lines, fmt.Sprintf("person %s %q %v expired %v", p.Name, p.Display, p.Mails, p.Expired))
	}
	groups, err := w.api.Directory().Groups(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range groups {
		names[g.ID.String()] = g.Name
	}
	for _, g := range groups {
		if g.Builtin || g.Name == "operator_svc" {
			continue
		}
		var members []string
		for _, m := range g.Members {
			members = append(members, names[m.String()])
		}
		slices.Sort(members)
		lines = append(lines, fmt.Sprintf("group %s %q %v policy %v", g.Name, g.Description, members, g.Policy))
	}
	clients, err := w.api.Directory().Clients(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range clients {
		for _, k := range c.Attributes.Sorted() {
			v := c.Attributes[k]
			var grants []string // by the group's name, not by its id
			for _, g := range v.Grants() {
				grants = append(grants, fmt.Sprint(names[g.Group.String()], g.Claim, g.Join, g.Values))
			}
			slices.Sort(grants)
			lines = append(lines, fmt.Sprint("client ", c.Name, " ", k, " ", v.Text, v.List(), grants))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var allowances = regexp.MustCompile(`-allow ([A-Z_]+=[0-9]+)`)

// allowing runs a command with the hazards allowed that it names.
func (w *world) allowing(args ...string) string {
	w.t.Helper()
	status, out, errs := w.try(args...)
	if status == exitBlocked {
		seen := map[string]bool{}
		for _, m := range allowances.FindAllStringSubmatch(out, -1) {
			if !seen[m[1]] {
				args = append(args, "-allow", m[1])
			}
			seen[m[1]] = true
		}
		status, out, errs = w.try(args...)
	}
	if status != exitDone {
		w.t.Fatalf("anthill %s: exit status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// settle plans, applies, and demands that nothing is left to do.
func (w *world) settle(what string) {
	w.t.Helper()
	w.allowing("plan", "-out", "p")
	if status, out, errs := w.try("apply", "p"); status != exitDone {
		w.t.Fatalf("after %s: apply: exit status %d\n%s%s", what, status, out, errs)
	}
	if status, out, errs := w.try("plan", "-detailed-exitcode"); status != exitDone {
		w.t.Fatalf("after %s: a second plan: exit status %d\n%s%s", what, status, out, errs)
	}
}

// step changes one thing: the configuration, a row, or something in Self-auth behind Anthill's back.
func (w *world) step(r *rand.Rand, d *wish) string {
	flip := func(b *bool) { *b = !*b }
	switch n := r.IntN(28); n {
	case 0:
		d.description = fmt.Sprintf("users %d", r.IntN(1000))
	case 1:
		d.suffix = map[string]string{"": "_x"}[d.suffix]
	case 2:
		flip(&d.full)
	case 3, 4:
		flip(&d.staff)
	case 5:
		flip(&d.newco)
		d.newcoPlan = "starter"
	case 6:
		d.newco, d.newcoPlan = true, []string{"free", "professional"}[r.IntN(2)]
	case 7:
		d.acmeName = []string{"", "Acme Ltd", "Acme & Söhne"}[r.IntN(3)]
	case 8, 9:
		d.client = []string{"", "confidential", "public"}[r.IntN(3)]
	case 10:
		d.display, d.urls = fmt.Sprintf("App %d", r.IntN(1000)), 1+r.IntN(3)
	case 11:
		d.claims, d.switches = r.IntN(3), r.IntN(4)
	case 12:
		flip(&d.legacy)
	case 13, 14:
		d.policy = r.IntN(4)
	case 15:
		w.exec("update users set role = case role when 'user' then 'admin' else 'user' end where user_id in (select user_id from users where role in ('user', 'admin') order by md5(user_id::text || $1) limit 4)", fmt.Sprint(r.IntN(100)))
		return "roles"
	case 16:
		w.exec("update users set email = 'new' || $1::text || '.' || email where user_id in (select user_id from users where status = 'active' order by md5(user_id::text || $1::text) limit 3)", fmt.Sprint(r.IntN(100)))
		return "addresses"
	case 17:
		w.exec("update users set status = case status when 'active' then 'suspended' else 'active' end where user_id in (select user_id from users where role <> 'admin' order by md5(user_id::text || $1::text) limit 3)", fmt.Sprint(r.IntN(100)))
		return "statuses"
	case 18:
		w.exec("delete from user_profiles") // their foreign key holds users to their tenant
		w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = (select user_id from users join tenants using (tenant_id) where slug = 'globex' order by md5(user_id::text || $1::text) limit 1)", fmt.Sprint(r.IntN(100)))
		return "a tenant"
	default:
		return w.meddle(r)
	}
	w.config(d.text())
	return fmt.Sprintf("%+v", *d)
}

// meddle changes something behind Anthill's back of what it owns.
func (w *world) meddle(r *rand.Rand) string {
	w.t.Helper()
	a := w.api.Accounts()
	dir := w.directory()
	var ours []providers.Group
	for name, g := range dir.groups {
		if strings.HasPrefix(name, "tenant_") {
			ours = append(ours, g)
		}
	}
	slices.SortFunc(ours, func(a, b providers.Group) int { return strings.Compare(a.Name, b.Name) })
	clients, err := w.api.Directory().Clients(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	what := "nothing"
	if len(ours) == 0 {
		return what
	}
	g := ours[r.IntN(len(ours))]
	switch n := r.IntN(10); {
	case n == 0:
		what, err = "description of "+g.Name, a.ChangeObject(w.t.Context(), state.KindGroup, g.ID, text(state.AttrDescription, g.Description), text(state.AttrDescription, "meddled"))
	case n == 1:
		what, err = "name of "+g.Name, a.ChangeObject(w.t.Context(), state.KindGroup, g.ID, text(state.AttrName, g.Name), text(state.AttrName, "meddled-"+g.ID.String()[:8]))
	case n == 2 && len(g.Members) > 1:
		what, err = "members of "+g.Name, a.RemoveMembers(w.t.Context(), membersOf(g.ID, g.Members[:len(g.Members)/2]...))
	case n == 3 && g.Policy != nil:
		what, err = "policy of "+g.Name, a.ChangeObject(w.t.Context(), state.KindPolicy, g.ID, g.Policy, text(state.AttrSessionExpiry, "77", state.AttrPrivilegeExpiry, "99"))
	case n == 4 && len(clients) > 1: // inventory, legacy
		c := clients[0]
		what, err = "client "+c.Name, a.ChangeObject(w.t.Context(), state.KindClient, c.ID, c.Attributes,
			state.Attributes{state.AttrDisplayName: state.TextValue("meddled"), state.AttrScopeMaps: {}, state.AttrRedirectURLs: state.ListValue([]string{"https://evil.example/"})})
	case n == 6:
		what, err = "group "+g.Name+", which is deleted", a.DeleteObject(w.t.Context(), state.KindGroup, g.ID, nil)
	case n == 7 && len(clients) > 1:
		what, err = "client "+clients[0].Name+", which is deleted", a.DeleteObject(w.t.Context(), state.KindClient, clients[0].ID, clients[0].Attributes)
	case n == 8 && g.Policy != nil:
		what, err = "policy of "+g.Name+", which is off", a.DeleteObject(w.t.Context(), state.KindPolicy, g.ID, g.Policy)
	case n == 9:
		for id, p := range dir.persons {
			if p.Name == "old-hand" {
				what, err = "members of "+g.Name+": a stranger", a.AddMembers(w.t.Context(), g.ID, []uuid.UUID{id})
			}
		}
	case n == 5:
		w.exec("delete from {idp}_tenant_groups where {idp}_group_uuid = $1", g.ID)
		what = "mapping row of " + g.Name
	}
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	return "meddling with the " + what
}

// TestRandomSequences: whatever is declared, edited, changed in rows and behind Anthill's back, each plan is carried out
// and the next one is empty; and when all runs are taken back, with the persons, the directory and the tenants are as in
// the beginning.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	for n := range *cases {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(9, uint64(n)))
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 15, Seed: int64(n)}, emulator(t))
			w.before()
			start, rows := w.snapshot(), w.tenantRows()
			d := wish{description: "users", display: "App", urls: 1}
			w.config(d.text())
			w.settle("the first configuration")
			var said []string
			for range 1 + r.IntN(5) {
				said = append(said, w.step(r, &d))
				if t.Failed() {
					break
				}
				w.settle(strings.Join(said, ", then "))
			}
			for i := 0; ; i++ {
				if i > 20 {
					t.Fatal("there is always something to take back")
				}
				if out := w.allowing("rollback", "-delete-persons", "-auto-approve"); strings.Contains(out, "Nothing to take back") {
					break
				}
			}
			if diff := cmp.Diff(strings.Split(start, "\n"), strings.Split(w.snapshot(), "\n")); diff != "" {
				t.Errorf("after %s and all rollbacks (-start +now):\n%s", strings.Join(said, ", then "), diff)
			}
			if diff := cmp.Diff(rows, w.tenantRows()); diff != "" {
				t.Errorf("tenants after %s and all rollbacks (-start +now):\n%s", strings.Join(said, ", then "), diff)
			}
			if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
				t.Errorf("%d rows are linked after %s and all rollbacks", n, strings.Join(said, ", then "))
			}
		})
	}
}

// tenantRows are the tenants that are not deleted, in words, and the mapping rows.
func (w *world) tenantRows() string {
	w.t.Helper()
	var text string
	err := w.connect().QueryRow(w.t.Context(), w.spell(`select coalesce((select string_agg(concat_ws(' ', slug, name, plan, status, settings), E'\n' order by slug) from tenants where deleted_at is null), '')
		|| coalesce((select string_agg(concat_ws(' ', {idp}_group_name, role), E'\n' order by 1) from {idp}_tenant_groups), '')`)).Scan(&text)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// text are attributes that hold texts, given as name and text in turns.
func text(name state.Attribute, value string, more ...any) state.Attributes {
	a := state.Attributes{name: state.TextValue(value)}
	for i := 0; i < len(more); i += 2 {
		a[more[i].(state.Attribute)] = state.TextValue(more[i+1].(string))
	}
	return a
}
