package config

import "testing"

// TestDigests: that of the files follows their names and bytes alone, that of the variables the values alone.
func TestDigests(t *testing.T) {
	t.Parallel()
	const (
		declared = `variable "a" { default = ["x"] }
variable "b" { type = number }
`
		waves = `auth_policy "p" { method = "dual" }
`
	)
	load := func(t *testing.T, vars Vars, files map[string]string) *Module {
		t.Helper()
		m, diags := Load(directory(t, files), vars)
		if diags.HasErrors() {
			t.Fatal(plainDiags(diags))
		}
		return m
	}
	b := func(value string) Vars { return Vars{Given: []Given{{Name: "b", Value: value}}} }
	files := map[string]string{"a.anthill.hcl": declared, "b.anthill.hcl": waves}
	first := load(t, b("1"), files)

	for name, test := range map[string]struct {
		vars        Vars
		files       map[string]string
		same, equal bool // files, variables
	}{
		"another directory":           {b("1"), files, true, true},
		"a value spelled another way": {b("1.0"), files, true, true},
		"another value":               {b("2"), files, true, false},
		"a value from a file": {
			Vars{Given: []Given{{File: directory(t, map[string]string{"v": "b = 1"}) + "/v"}}}, files, true, true,
		},
		"a comment": {b("1"), map[string]string{"a.anthill.hcl": declared, "b.anthill.hcl": waves + "# more"}, false,
			true},
		"a name":   {b("1"), map[string]string{"a.anthill.hcl": declared, "c.anthill.hcl": waves}, false, true},
		"one file": {b("1"), map[string]string{"a.anthill.hcl": declared + waves}, false, true},
		"another type": {b("1"), map[string]string{
			"a.anthill.hcl": `variable "a" {
  type    = set(string)
  default = ["x"]
}
variable "b" { type = number }
`, "b.anthill.hcl": waves,
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := load(t, test.vars, test.files)
			if got := m.FilesDigest() == first.FilesDigest(); got != test.same {
				t.Errorf("the digest of files is the same: %v, want %v", got, test.same)
			}
			if got := m.VariablesDigest() == first.VariablesDigest(); got != test.equal {
				t.Errorf("the digest of variables is the same: %v, want %v", got, test.equal)
			}
		})
	}
	if none := load(t, Vars{},
		map[string]string{"a.anthill.hcl": waves}); none.VariablesDigest() == first.VariablesDigest() {
		t.Error("no variables have the digest of some")
	}
	null := map[string]string{"a.anthill.hcl": "variable \"n\" { default = null }\n"}
	if load(t, Vars{}, null).VariablesDigest() == load(t, Vars{Given: []Given{{Name: "n", Value: ""}}},
		null).VariablesDigest() {
		t.Error("null has the digest of an empty text")
	}
}
