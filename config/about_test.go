package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// TestLocate finds the place of what a diagnostic is about, and leaves all else of it as it is.
func TestLocate(t *testing.T) {
	t.Parallel()
	m, diags := Load(directory(t, map[string]string{
		"a.anthill.hcl": `group "admins" {
  for_each = toset(["acme"])
  tenant   = each.key
  name     = "admins"
  role     = "admin"
  members {
    roles = ["admin"]
  }
}
provider "postgres" {
  url = "postgres://u:p@h/d"
}
moved {
  from = group.old["x"]
  to   = group.admins["acme"]
}
`,
		"b.anthill.json": `{"wave": {"pilot": {
  "auth_policy": "auth_policy.p",
  "users": [{"all": true},
            {"tenants": ["acme"]}],
  "start": {"at": "2027-03-01T09:00:00Z"}
}}, "auth_policy": {"p": {"method": "dual"}}}
`}), Vars{})
	if diags.HasErrors() {
		t.Fatal(plainDiags(diags))
	}
	argument := func(names ...string) (p cty.Path) {
		for _, n := range names {
			p = p.GetAttr(n)
		}
		return p
	}
	for name, test := range map[string]struct {
		address state.Address
		path    cty.Path
		file    string // "": nowhere
		line    int
	}{
		"block":              {"group.admins", nil, "a.anthill.hcl", 1},
		"instance":           {`group.admins["acme"]`, nil, "a.anthill.hcl", 1},
		"argument":           {`group.admins["acme"]`, argument("name"), "a.anthill.hcl", 4},
		"argument's value":   {"group.admins", argument("name", "x"), "a.anthill.hcl", 4},
		"argument not given": {"group.admins", argument("description"), "a.anthill.hcl", 1},
		"nested":             {"group.admins", argument("members", "roles"), "a.anthill.hcl", 7},
		"nested block":       {"group.admins", argument("members"), "a.anthill.hcl", 6},
		"secret":             {"provider.postgres", argument("url"), "a.anthill.hcl", 10},
		"moved":              {`group.old["x"]`, nil, "a.anthill.hcl", 13},
		"another instance":   {`group.old["y"]`, nil, "", 0},
		"JSON":               {"wave.pilot", argument("start", "at"), "b.anthill.json", 5},
		"one of many": {"wave.pilot", cty.GetAttrPath("users").IndexInt(1).GetAttr("tenants"), "b.anthill.json",
			4},
		"none of many": {"wave.pilot", cty.GetAttrPath("users").IndexInt(2), "b.anthill.json", 1},
		"not declared": {"wave.other", nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := Problem(About{test.address, test.path}, "Summary", "%s is wrong.", test.address)
			want := *before
			got := m.Locate(hcl.Diagnostics{before})[0]
			switch {
			case test.file == "" && got.Subject != nil:
				t.Errorf("found at %s, want nowhere", got.Subject)
			case test.file != "" && (got.Subject == nil || got.Subject.Filename != test.file ||
				got.Subject.Start.Line != test.line):
				t.Errorf("found at %v, want %s line %d", got.Subject, test.file, test.line)
			}
			if before.Subject != nil {
				t.Error("the diagnostic that was given has changed")
			}
			want.Subject = got.Subject
			if diff := cmp.Diff(want, *got, cmp.Comparer(func(a, b cty.Path) bool { return a.Equals(b) })); diff != "" {
				t.Errorf("all but the place (-want +got):\n%s", diff)
			}
		})
	}
	other := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "about nothing"}
	if got := m.Locate(hcl.Diagnostics{other}); len(got) != 1 || got[0] != other {
		t.Errorf("a diagnostic about nothing became %v", got)
	}
}
