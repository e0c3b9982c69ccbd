package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames: what is called otherwise is known by its logical name; what cannot be is told with its line.
func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 32)
	for name, c := range map[string]struct {
		names string
		want  map[string]string
		said  string
	}{
		"odd": {`{
			users = "App-Users"
			"users.user_id" = "User \"Id\""
			"values.dual" = "both"
		}`, map[string]string{"users": "App-Users", "users.user_id": `User "Id"`, "values.dual": "both"}, ""},
		"unknown column":   {`{ "users.e_mail" = "x" }`, nil, `Did you mean "users.email"?`},
		"unknown table":    {`{ user = "x" }`, nil, `Did you mean "users"?`},
		"two tables":       {`{ users = "tenants" }`, nil, `"tenants" and "users" would both be "tenants"`},
		"two columns":      {`{ "users.status" = "role" }`, nil, `"users.role" and "users.status" would both be "role"`},
		"one of each":      {`{ "users.status" = "slug" }`, map[string]string{"users.status": "slug"}, ""},
		"two values":       {`{ "values.dual" = "password" }`, nil, `"values.password" and "values.dual" would both be "password"`},
		"swapped":          {`{ "users.status" = "role", "users.role" = "status" }`, map[string]string{"users.status": "role", "users.role": "status"}, ""},
		"empty":            {`{ users = "" }`, nil, "is empty"},
		"too long":         {`{ users = "` + long + `" }`, nil, "has 64 bytes, and Postgres cuts names at 63"},
		"long value":       {`{ "values.dual" = "` + strings.Repeat("x", 51) + `" }`, nil, "has 51 characters"},
		"NUL":              {`{ users = "a\u0000b" }`, nil, "NUL"},
		"control":          {`{ users = "a\u001bb" }`, nil, "control character"},
		"a number":         {`{ users = [1] }`, nil, "has to be a text"},
		"no map":           {`"users"`, nil, "a map of names is needed"},
		"given twice":      {"{\n users = \"a\"\n users = \"b\"\n}", nil, `"users" has a name in line 4 already`},
		"the same as ours": {`{ users = "users" }`, map[string]string{"users": "users"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			text := "provider \"postgres\" {\n\n  names = " + c.names + "\n}\n"
			if err := os.WriteFile(filepath.Join(dir, "a.anthill.hcl"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			m, diags := Load(dir, Vars{})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			s, diags := m.Settings()
			if c.said == "" {
				if diff := cmp.Diff(c.want, s.Names); diff != "" || diags.HasErrors() {
					t.Errorf("(-want +got):\n%s%s", diff, diags)
				}
				return
			}
			if len(diags) != 1 || !strings.Contains(diags[0].Detail, c.said) {
				t.Fatalf("want one of %q, got %s", c.said, diags)
			}
			if at := diags[0].Subject; at == nil || at.Filename != "a.anthill.hcl" || at.Start.Line < 3 {
				t.Errorf("stands at %v", at)
			}
		})
	}
}
