package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/state"
)

// directory writes files, each "-- name --" and its text, and returns where.
func directory(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// plainDiags writes diagnostics as lines "file:line: Summary: detail".
func plainDiags(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		if d.Subject != nil {
			fmt.Fprintf(&b, "%s:%d: ", d.Subject.Filename, d.Subject.Start.Line)
		}
		if d.Severity == hcl.DiagWarning {
			b.WriteString("warning: ")
		}
		fmt.Fprintf(&b, "%s: %s\n", d.Summary, d.Detail)
	}
	return b.String()
}

func sampleData() Data {
	return Data{Tenants: []TenantData{
		{ID: uuid.UUID{3}, Slug: "globex", Name: "Globex", Plan: "professional", Status: "active"},
		{ID: uuid.UUID{1}, Slug: "anthill", Name: "Anthill", Plan: "enterprise", Status: "active"},
		{ID: uuid.UUID{2}, Slug: "acme", Name: "Acme Corporation", Plan: "enterprise", Status: "active"},
		{ID: uuid.UUID{4}, Slug: "hooli", Name: "Hooli", Plan: "professional", Status: "suspended"},
		{ID: uuid.UUID{5}, Slug: "umbrella", Name: "Umbrella", Plan: "free", Status: "active", Deleted: true},
	}}
}

// evaluate does all there is to do with a configuration, and returns what was said.
func evaluate(t testing.TB, files map[string]string, vars Vars, data Data) (*Config, hcl.Diagnostics) {
	t.Helper()
	m, diags := Load(directory(t, files), vars)
	if diags.HasErrors() {
		return nil, diags
	}
	if _, diags := m.Settings(); diags.HasErrors() {
		return nil, diags
	}
	return m.Evaluate(data)
}

var compareConfigs = cmp.Options{
	cmp.Comparer(func(a, b Template) bool { return a.Source() == b.Source() && a.IsZero() == b.IsZero() }),
}

const wholeExample = `
anthill {
  required_version = ">= 0.1"
  environment      = var.environment
  state "postgres" { schema = "anthill_prod" }
}
variable "environment" { type = string }
variable "host" { default = "idm.example.com" }
variable "pilots" {
  type    = set(string)
  default = ["globex", "acme", "acme"]
}
locals {
  prefix = "tenant"
  url    = "https://${var.host}"
}
provider "postgres" {
  url    = "postgres://anthill:secret@db/app"
  naming = "kanidm"
}
provider "selfauth" {
  url     = local.url
  ca_file = "${path.root}/ca.pem"
}
schema { level = "dual" }
data "tenants" "active" { status = ["active"] }
data "tenants" "large" {
  plans = ["enterprise", "professional"]
  slugs = ["acme", "hooli"]
}
group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "${local.prefix}_${slug(each.value.slug, 50)}_Admins"
  role     = "admin"
  members { roles = ["super_admin", "admin"] }
}
group "staff" {
  tenant      = "anthill"
  name        = "staff"
  role        = "member"
  description = "Not ${group.admins["acme"].name}"
  members { all = true }
}
group "watchers" {
  for_each = toset(["hooli"])
  tenant   = each.value
  name     = "watch-${each.key}"
  role     = "viewer"
}
group "none" {
  for_each = {}
  tenant   = each.key
  name     = each.key
  role     = "viewer"
}
auth_policy "dual" { method = "dual" }
auth_policy "quick" {
  method      = "dual"
  complete_on = "link"
}
identity {
  name         = "${local.prefix}-${lower(user.email_local)}"
  display_name = user.full_name
  shared_email = "first_tenant"
  unverified   = "skip"
}
exclude {
  emails   = ["System@anthill.local", "system@anthill.local", "robot@acme.example"]
  user_ids = ["00000000-0000-0000-0000-000000000002"]
}
gate "support" { manual = true }
gate "legal" { manual = true }
wave "z-internal" {
  auth_policy = auth_policy.dual
  users { roles = ["super_admin"] }
  users { tenants = ["anthill"] }
  finish { soak = "7d" }
}
wave "pilot" {
  auth_policy = auth_policy.quick
  enabled     = false
  users {
    tenants = var.pilots
    percent = 12.5
  }
  start {
    after = [wave.z-internal]
    at    = "2026-12-07T10:00:00+01:00"
    gates = [gate.support, gate.legal]
  }
  finish {
    soak  = "90s"
    gates = [gate.legal]
  }
  max_failures = 3
  allow_empty  = true
}
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.pilot, wave.z-internal] }
}
wave "alone" {
  auth_policy = auth_policy.dual
  users { tenants = [] }
}
guard {
  max_users_changed_percent = 12
  max_removed_percent       = 7.5
  min_population            = 5
  keep_admins               = 2
}
`

func wholeConfig() *Config {
	admins := state.Members{Roles: []string{"admin", "super_admin"}}
	return &Config{
		Settings: Settings{
			Environment: "production", StateSchema: "anthill_prod", PostgresURL: "postgres://anthill:secret@db/app",
			Naming: "kanidm", SelfAuthURL: "https://idm.example.com", CAFile: "./ca.pem", MaxWrite: time.Second,
		},
		Schema: &Schema{Level: "dual"},
		Groups: []Group{
			{
				Address: `group.admins["acme"]`, Block: "group.admins", Tenant: "acme", Name: "tenant_acme_admins",
				Role: state.RoleAdmin, Members: admins,
			},
			{
				Address: `group.admins["anthill"]`, Block: "group.admins", Tenant: "anthill",
				Name: "tenant_anthill_admins", Role: state.RoleAdmin, Members: admins,
			},
			{
				Address: `group.admins["globex"]`, Block: "group.admins", Tenant: "globex",
				Name: "tenant_globex_admins", Role: state.RoleAdmin, Members: admins,
			},
			{
				Address: "group.staff", Block: "group.staff", Tenant: "anthill", Name: "staff",
				Description: "Not tenant_acme_admins", Described: true, Role: state.RoleMember,
				Members: state.Members{All: true},
			},
			{
				Address: `group.watchers["hooli"]`, Block: "group.watchers", Tenant: "hooli", Name: "watch-hooli",
				Role: state.RoleViewer,
			},
		},
		Blocks:     []string{"group.admins", "group.none", "group.staff", "group.watchers"},
		DataBlocks: []string{"group.admins"},
		Policies: []Policy{{Name: "dual", Method: state.MethodDual},
			{Name: "quick", Method: state.MethodDual, CompleteOnLink: true}},
		Identity: Identity{
			Name: mustTemplate("tenant-${lower(user.email_local)}"), Display: mustTemplate("${user.full_name}"),
			SharedEmail: "first_tenant", Unverified: "skip", FollowMail: true, FollowState: true,
			Text: "tenant-${lower(user.email_local)}\n${user.full_name}",
		},
		Exclude: Exclude{
			Emails:  []string{"robot@acme.example", "system@anthill.local"},
			UserIDs: []uuid.UUID{uuid.MustParse("00000000-0000-0000-0000-000000000002")},
		},
		Gates: []Gate{{Name: "legal"}, {Name: "support"}},
		Waves: []Wave{
			{Name: "alone", Policy: "dual", Enabled: true, Users: []Selector{{Tenants: []string{}}}},
			{
				Name: "z-internal", Policy: "dual", Enabled: true,
				Users: []Selector{{Tenants: []string{"anthill"}}, {Roles: []string{"super_admin"}}},
				Soak:  7 * 24 * time.Hour,
			},
			{
				Name: "pilot", Policy: "quick",
				Users: []Selector{{Tenants: []string{"acme", "globex"}, Percent: 12.5, HasPercent: true}},
				After: []string{"z-internal"}, At: time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC),
				StartGates: []string{"legal", "support"}, Soak: 90 * time.Second, FinishGates: []string{"legal"}, Gates: []Gate{{Name: "legal"}, {Name: "support"}},
				MaxFailures: 3, AllowEmpty: true,
			},
			{
				Name: "everyone", Policy: "dual", Enabled: true, Users: []Selector{{All: true}},
				After: []string{"pilot", "z-internal"},
			},
		},
		Guard: Guard{MaxUsersChangedPercent: 12, MaxRemovedPercent: 7.5, MinPopulation: 5, KeepAdmins: 2},
		Awake: Awake{Groups: []Group{
			{
				Address: `group.admins["hooli"]`, Block: "group.admins", Tenant: "hooli", Name: "tenant_hooli_admins",
				Role: state.RoleAdmin, Members: admins,
			},
			{
				Address: `group.watchers["hooli"]`, Block: "group.watchers", Tenant: "hooli", Name: "watch-hooli",
				Role: state.RoleViewer,
			},
		}},
	}
}

func mustTemplate(source string) Template {
	t, err := ParseTemplate(source)
	if err != nil {
		panic(err)
	}
	return t
}

func TestEvaluateWhole(t *testing.T) {
	t.Parallel()
	got, diags := evaluate(t, map[string]string{"main.anthill.hcl": wholeExample},
		Vars{Given: []Given{{Name: "environment", Value: "production"}}, Version: "0.1.0-dev"}, sampleData())
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	if d := cmp.Diff(wholeConfig(), got, compareConfigs, cmpopts.IgnoreTypes(Pos{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if want := (Pos{"main.anthill.hcl", 1 + strings.Count(wholeExample[:strings.Index(wholeExample,
		`group "watchers"`)], "\n")}); got.Groups[4].Pos != want {
		t.Errorf("group.watchers stands in %v, want %v", got.Groups[4].Pos, want)
	}
}

// Neither the names of files nor the order of blocks mean anything.
func TestEvaluateShuffled(t *testing.T) {
	t.Parallel()
	var chunks []string
	for _, line := range strings.SplitAfter(strings.TrimSpace(wholeExample)+"\n", "\n") {
		if begins := !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "}"); begins || len(chunks) == 0 {
			chunks = append(chunks, line)
			continue
		}
		chunks[len(chunks)-1] += line
	}
	files := map[string]string{}
	for i := range chunks {
		c := chunks[len(chunks)-1-i]
		files[fmt.Sprintf("f%d.anthill.hcl", i*7%5)] += c
	}
	got, diags := evaluate(t, files, Vars{Given: []Given{{Name: "environment", Value: "production"}}}, sampleData())
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	if d := cmp.Diff(wholeConfig(), got, compareConfigs, cmpopts.IgnoreTypes(Pos{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestEvaluateDefaults(t *testing.T) {
	t.Parallel()
	got, diags := evaluate(t, map[string]string{"main.anthill.hcl": ""}, Vars{}, Data{})
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	want := &Config{
		Settings: Settings{
			Environment: "default", StateSchema: "anthill_state", Naming: "self_auth", MaxWrite: time.Second,
		},
		Identity: Identity{
			Name: mustTemplate(defaultName), SharedEmail: "skip", Unverified: "allow", FollowMail: true,
			FollowState: true, Text: defaultName + "\n",
		},
		Guard: Guard{MaxUsersChangedPercent: 30, MaxRemovedPercent: 5, MinPopulation: 20, KeepAdmins: 1},
	}
	if d := cmp.Diff(want, got, compareConfigs); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestEvaluateJSON(t *testing.T) {
	t.Parallel()
	const text = `{
  "//": "The same in JSON.",
  "variable": {"prefix": {"type": "string", "default": "tenant"}},
  "locals": {"soak": "7d"},
  "anthill": {"environment": "json", "state": {"postgres": {"schema": "s"}}},
  "provider": {"postgres": {"naming": "kanidm"}, "selfauth": {"url": "https://idm.example.com"}},
  "schema": {"level": "dual"},
  "data": {"tenants": {"active": {"status": ["active"]}}},
  "group": {"users": {
    "for_each": "${data.tenants.active}", "tenant": "${each.key}", "role": "member",
    "name": "${var.prefix}_${slug(each.key, 50)}", "members": {"all": true}}},
  "auth_policy": {"dual": {"method": "dual"}},
  "identity": {"name": "${var.prefix}.${user.email_local}"},
  "gate": {"support": {"manual": true}},
  "wave": {
    "pilot": {"auth_policy": "auth_policy.dual", "users": [{"tenants": ["acme"]}, {"percent": 5}],
      "finish": {"soak": "${local.soak}"}},
    "rest": {"auth_policy": "${auth_policy.dual}", "users": {"all": true},
      "start": {"after": ["wave.pilot"], "gates": ["${gate.support}"]}}
  }
}`
	got, diags := evaluate(t, map[string]string{"main.anthill.json": text}, Vars{}, sampleData())
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	group := func(slug string) Group {
		return Group{
			Address: state.Address(fmt.Sprintf("group.users[%q]", slug)), Block: "group.users", Tenant: slug,
			Name: "tenant_" + slug, Role: state.RoleMember, Members: state.Members{All: true},
		}
	}
	want := &Config{
		Settings: Settings{
			Environment: "json", StateSchema: "s", Naming: "kanidm", MaxWrite: time.Second,
			SelfAuthURL: "https://idm.example.com",
		},
		Schema: &Schema{Level: "dual"}, Groups: []Group{group("acme"), group("anthill"), group("globex")},
		Blocks: []string{"group.users"}, DataBlocks: []string{"group.users"},
		Policies: []Policy{{Name: "dual", Method: state.MethodDual}}, Gates: []Gate{{Name: "support"}},
		Identity: Identity{
			Name: mustTemplate(`${"tenant"}.${user.email_local}`), SharedEmail: "skip", Unverified: "allow",
			FollowMail: true, FollowState: true, Text: `${"tenant"}.${user.email_local}` + "\n",
		},
		Waves: []Wave{
			{
				Name: "pilot", Policy: "dual", Enabled: true,
				Users: []Selector{{Tenants: []string{"acme"}}, {Percent: 5, HasPercent: true}},
				Soak:  7 * 24 * time.Hour,
			},
			{
				Name: "rest", Policy: "dual", Enabled: true, Users: []Selector{{All: true}},
				After: []string{"pilot"}, StartGates: []string{"support"}, Gates: []Gate{{Name: "support"}},
			},
		},
		Guard: Guard{MaxUsersChangedPercent: 30, MaxRemovedPercent: 5, MinPopulation: 20, KeepAdmins: 1},
		Awake: Awake{Groups: []Group{group("hooli")}},
	}
	if d := cmp.Diff(want, got, compareConfigs, cmpopts.IgnoreTypes(Pos{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What would be declared of tenants that are away: not of one whose slug another tenant has by now, nor of those that the
// configuration leaves out whatever their status is. A mistake in it stops no plan.
func TestAwake(t *testing.T) {
	t.Parallel()
	const text = `
data "tenants" "some" {
  status = ["active"]
  plans  = ["free"]
}
tenant "laid" {
  name   = "Laid"
  status = "suspended"
  plan   = "free"
}
group "users" {
  for_each = data.tenants.some
  tenant   = each.key
  name     = each.key == "wrong" ? "not a name" : "tenant_${each.key}"
  role     = "member"
  members { all = true }
}`
	row := func(slug, plan, status string, deleted bool) TenantData {
		return TenantData{ID: uuid.New(), Slug: slug, Plan: plan, Status: status, Deleted: deleted}
	}
	for name, c := range map[string]struct {
		row  TenantData
		want []string
	}{
		"suspended":         {row("away", "free", "suspended", false), []string{"away", "laid"}},
		"cancelled":         {row("away", "free", "cancelled", false), []string{"away", "laid"}},
		"deleted":           {row("away", "free", "active", true), []string{"laid"}},
		"active":            {row("here", "free", "active", false), []string{"laid"}},
		"its slug is taken": {row("acme", "free", "active", true), []string{"laid"}},
		"of another plan":   {row("away", "pro", "suspended", false), []string{"laid"}},
		"a mistake":         {row("wrong", "free", "suspended", false), []string{"laid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := Data{Tenants: []TenantData{row("acme", "free", "active", false), c.row}}
			got, diags := evaluate(t, map[string]string{"main.anthill.hcl": text}, Vars{}, data)
			if diags != nil {
				t.Fatal(plainDiags(diags))
			}
			var slugs []string
			for _, g := range got.Awake.Groups {
				slugs = append(slugs, g.Tenant)
			}
			if d := cmp.Diff(c.want, slugs); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// What an identity template says about variables and locals becomes part of it.
func TestIdentityFolds(t *testing.T) {
	t.Parallel()
	user := UserVars{
		TenantSlug: "acme", Email: "ann@acme.example", EmailLocal: "ann", FullName: "Ann", Role: "admin",
	}
	for name, test := range map[string]struct{ expr, source, want string }{
		"a template": {`"${user.tenant_slug}.${user.email_local}"`,
			"${user.tenant_slug}.${user.email_local}", "acme.ann"},
		"a reference":     {`user.role`, "${user.role}", "admin"},
		"a value between": {`"${var.v}-${user.role}"`, "x-${user.role}", "x-admin"},
		"a value with an opening": {`"${local.evil}${user.role}"`, `${"$"}{user.email}${"%"}{if x}${"$$"}${user.role}`,
			"${user.email}%{if x}$$admin"},
		"inside of a function": {`"${lower("${local.evil}-${user.role}")}"`,
			`${lower("${"$${user.email}%%{if x}$$"}-${user.role}")}`, "${user.email}%{if x}$$-admin"},
		"a set": {`contains(var.set, user.role) ? "boss" : "x"`,
			`${contains(toset(["admin", "owner"]), user.role) ? "boss" : "x"}`, "boss"},
		"a map by role": {`"${lookup(local.map, user.role, "none")}"`,
			`${lookup(({"admin" = "A \"b\""}), user.role, "none")}`, `A "b"`},
		"an index": {`local.map[user.role]`, `${({"admin" = "A \"b\""})[user.role]}`, `A "b"`},
		"a directive": {`"%{ if user.role == var.v }a\n%{ else }b%{ endif }-${user.role}"`,
			`${"%{ if user.role == "x" }a\n%{ else }b%{ endif }-${user.role}"}`, "b-admin"},
		"a shadowed name": {`join("", [for var in [user.role] : var])`,
			`${join("", [for var in [user.role] : var])}`, "admin"},
		"the same for everybody": {`"${var.v}-$${"`, `x-${"$"}{`, "x-${"},
		"an escape in quotes":    {`"a\"b\\${user.role}"`, `a"b\${user.role}`, `a"b\admin`},
		"a heredoc":              {"<<EOT\n${var.v}:${user.role}\nEOT", "x:${user.role}\n", "x:admin\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, diags := evaluate(t, map[string]string{"main.anthill.hcl": `
variable "v" { default = "x" }
variable "set" {
  type    = set(string)
  default = ["admin", "owner"]
}
locals {
  evil = "$${user.email}%%{if x}$$"
  map  = { admin = "A \"b\"" }
}
identity {
  display_name = ` + test.expr + `
}
`}, Vars{}, Data{})
			if diags != nil {
				t.Fatal(plainDiags(diags))
			}
			got, err := c.Identity.Display.Render(user)
			if err != nil || got != test.want || c.Identity.Display.Source() != test.source {
				t.Errorf("source %q, want %q; rendered %q, want %q; %v", c.Identity.Display.Source(), test.source, got,
					test.want, err)
			}
			again, err := ParseTemplate(c.Identity.Display.Source())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := again.Render(user); err != nil || got != test.want {
				t.Errorf("from its source: %q, %v; want %q", got, err, test.want)
			}
		})
	}
}
