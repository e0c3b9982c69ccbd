package config

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

const policyFile = "auth_policy \"dual\" { method = \"dual\" }\n"

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	const path = "testdata/diagnostics.txtar"
	golden, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(golden.Files)%2 != 0 {
		t.Fatalf("%s: a case has a configuration and what is said", path)
	}
	for i := 0; i < len(golden.Files); i += 2 {
		source, said := golden.Files[i], &golden.Files[i+1]
		t.Run(source.Name, func(t *testing.T) {
			_, diags := evaluate(t, map[string]string{"main.anthill.hcl": string(source.Data), "policy.anthill.hcl": policyFile}, Vars{Version: "0.1.0"}, sampleData())
			got := plainDiags(diags)
			if got == "" {
				t.Error("nothing was said")
			}
			if *update {
				said.Data = []byte(got)
				return
			}
			if d := cmp.Diff(string(said.Data), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret was shown")
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(golden), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a byte order mark": {map[string]string{"a.anthill.hcl": "\ufeffguard {}\n"},
			"a.anthill.hcl:1: Byte order mark: a.anthill.hcl begins with a byte order mark. Save it as UTF-8 without one.\n"},
		"another encoding": {map[string]string{"a.anthill.hcl": "guard {}\n# caf\xe9\n"},
			"a.anthill.hcl:2: Not UTF-8: a.anthill.hcl is not valid UTF-8. Save it in that encoding.\n"},
		"too large": {map[string]string{"a.anthill.hcl": strings.Repeat("#", maxFile+1)},
			"a.anthill.hcl:1: File too large: a.anthill.hcl is larger than 1024 KiB, which no configuration needs. Is it another kind of file?\n"},
		"too deep": {map[string]string{"a.anthill.hcl": "locals { a = " + strings.Repeat("[", 5000)},
			"a.anthill.hcl:1: Nested too deeply: a.anthill.hcl has more than 200 brackets open at once. Name parts of it in locals.\n"},
		"a duplicate in two files": {map[string]string{"a.anthill.hcl": "guard {}\n", "b.anthill.hcl": "\nguard {}\n"},
			"b.anthill.hcl:2: Duplicate block: There is one guard block in a configuration, over all its files. Another stands in a.anthill.hcl line 1: make them one.\n"},
		"unknown in JSON": {map[string]string{"a.anthill.json": "{\"gard\": {},\n\"guard\": {\"min\": 1},\n\"cleanup\": {},\n\"gate\": {\"g\": {\"manual\": true, \"sql\": \"x\"}}}"},
			"a.anthill.json:1: Unknown block: There is no block \"gard\". Did you mean \"guard\"? The blocks at the top of a file are anthill, " +
				"variable, locals, provider, schema, tenant, data, group, oauth2_client, account_policy, auth_policy, identity, exclude, wave, gate, guard, allow, moved.\n" +
				"a.anthill.json:2: Unknown argument: There is no argument \"min\" in a guard block. The block has the arguments " +
				"max_users_changed_percent, max_removed_percent, min_population, keep_admins.\n" +
				"a.anthill.json:3: Not in this version: The block \"cleanup\" belongs to the language, but this version of Anthill does not build it yet. Remove it.\n" +
				"a.anthill.json:4: Not in this version: The argument \"sql\" in a gate block belongs to the language, but this version of Anthill does not build it yet. Remove it.\n"},
		"files that are none of it": {map[string]string{"a.anthill.hcl": "", ".b.anthill.hcl": "{", "c.tf": "{", "d.hcl": "{"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := Load(directory(t, test.files), Vars{})
			if d := cmp.Diff(test.want, plainDiags(diags)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "a.anthill.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(empty, "missing")
	for name, test := range map[string]struct{ dir, want string }{
		"no file": {empty, "No configuration: There is no *.anthill.hcl or *.anthill.json file in \"" + empty + "\". Name the directory that holds your configuration:\n\n" +
			"    anthill -chdir=DIRECTORY plan\n\nor begin with a copy of examples/quickstart.\n"},
		"no directory": {missing, "Configuration not readable: The directory \"" + missing + "\" cannot be read: no such file or directory. Name the one with your *.anthill.hcl files with -chdir.\n"},
		"a folder":     {folder, "a.anthill.hcl:1: File not readable: a.anthill.hcl cannot be read: it is no regular file.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, diags := Load(test.dir, Vars{})
			if d := cmp.Diff(test.want, plainDiags(diags)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if m == nil {
				t.Error("no module")
			}
		})
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	const declared = `
variable "name" { type = string }
variable "count" {
  type    = number
  default = 20
}
variable "pilots" {
  type    = set(string)
  default = []
}
variable "any" { default = null }
variable "short" {
  type    = list
  default = [1]
}
anthill { environment = "${var.name}-${var.any == null ? "null" : var.any}-${join("+", var.pilots)}" }
guard { min_population = var.count }
`
	files := directory(t, map[string]string{
		"a.vars": "name = \"file\"\npilots = [\"x\"]\n", "b.json": `{"name": "json"}`, "undeclared.vars": "\nnames = 1\n", "refers.vars": "name = var.count\n",
		"block.vars": "a {}\n", "type.vars": "count = [1]\n",
	})
	in := func(name string) string { return filepath.Join(files, name) }
	env := func(list ...string) func(string) string {
		return func(name string) string {
			for _, v := range list {
				if value, found := strings.CutPrefix(v, name+"="); found {
					return value
				}
			}
			return ""
		}
	}
	for name, test := range map[string]struct {
		vars        Vars
		files       map[string]string // besides
		environment string
		population  int64
		said        string
	}{
		"defaults":        {vars: Vars{Given: []Given{{Name: "name", Value: "n"}}}, environment: "n-null-", population: 20},
		"of all types":    {vars: Vars{Given: []Given{{Name: "name", Value: "7"}, {Name: "count", Value: "5"}, {Name: "pilots", Value: `["b", "a"]`}, {Name: "any", Value: "[1]"}}}, environment: "7-[1]-a+b", population: 5},
		"a file":          {vars: Vars{Given: []Given{{File: in("a.vars")}}}, environment: "file-null-x", population: 20},
		"two files":       {vars: Vars{Given: []Given{{File: in("a.vars")}, {File: in("b.json")}}}, environment: "json-null-x", population: 20},
		"flag over files": {vars: Vars{Given: []Given{{File: in("a.vars")}, {Name: "name", Value: "flag"}}}, environment: "flag-null-x", population: 20},
		"file over flag":  {vars: Vars{Given: []Given{{Name: "name", Value: "flag"}, {File: in("a.vars")}}}, environment: "file-null-x", population: 20},
		"the environment": {vars: Vars{Env: env("ANTHILL_VAR_name=env", "ANTHILL_VAR_pilots=[\"p\"]", "ANTHILL_VAR_other=x")}, environment: "env-null-p", population: 20},
		"files of themselves over the environment": {vars: Vars{Env: env("ANTHILL_VAR_name=env", "ANTHILL_VAR_count=7")},
			files: map[string]string{"a.auto.anthillvars": "name = \"a\"", "b.auto.anthillvars.json": `{"name": "b"}`, ".c.auto.anthillvars": "name = \"c\""}, environment: "b-null-", population: 7},
		"a flag over files of themselves": {vars: Vars{Given: []Given{{Name: "name", Value: "flag"}}},
			files: map[string]string{"a.auto.anthillvars": "name = \"a\""}, environment: "flag-null-", population: 20},
		"a broken file of itself": {vars: Vars{Given: []Given{{Name: "pilots", Value: "[]"}}}, files: map[string]string{"a.auto.anthillvars": "name = \"prod\"\nhunter2 = \n"},
			said: "a.auto.anthillvars:2: Invalid expression: Here the file of variables cannot be read: it holds NAME = VALUE, in JSON one object of them. What is there is not shown.\n"},
		"a broken JSON file of itself": {files: map[string]string{"a.auto.anthillvars.json": `{"hunter2"}`},
			said: "a.auto.anthillvars.json:1: Root value must be object: Here the file of variables cannot be read: it holds NAME = VALUE, in JSON one object of them. What is there is not shown.\n" +
				"a.auto.anthillvars.json:1: Missing object value: Here the file of variables cannot be read: it holds NAME = VALUE, in JSON one object of them. What is there is not shown.\n"},
		"quotes forgotten": {files: map[string]string{"a.auto.anthillvars": "name = hunter2"},
			said: "a.auto.anthillvars:1: Invalid reference: The value of the variable must be a literal, a text in quotes: it cannot refer to anything. Use a local value for what is worked out.\n"},
		"a wrong file of itself": {files: map[string]string{"a.auto.anthillvars": "nam = \"a\""},
			said: "a.auto.anthillvars:1: Undeclared variable: There is no variable \"nam\" in this configuration. Did you mean \"name\"?\n" +
				"main.anthill.hcl:2: Missing variable: The variable \"name\" has no default, so a value must be given:\n\n    -var name=...\n"},
		"a wrong type in the environment": {vars: Vars{Env: env("ANTHILL_VAR_name=n", "ANTHILL_VAR_count=hunter2")},
			said: "main.anthill.hcl:3: Invalid value: The value of ANTHILL_VAR_count for the variable \"count\" is not of its type: it is a text, and number is needed.\n"},
		"missing": {said: "main.anthill.hcl:2: Missing variable: The variable \"name\" has no default, so a value must be given:\n\n    -var name=...\n"},
		"undeclared": {vars: Vars{Given: []Given{{Name: "name", Value: "n"}, {Name: "pilot", Value: "x"}}},
			said: "Undeclared variable: A value was given with -var for \"pilot\", but there is no such variable in this configuration. Did you mean \"pilots\"?\n"},
		"undeclared in a file": {vars: Vars{Given: []Given{{File: in("undeclared.vars")}, {Name: "name", Value: "n"}}},
			said: in("undeclared.vars") + ":2: Undeclared variable: There is no variable \"names\" in this configuration. Did you mean \"name\"?\n"},
		"a wrong type": {vars: Vars{Given: []Given{{Name: "name", Value: "n"}, {Name: "count", Value: "hunter2"}}},
			said: "main.anthill.hcl:3: Invalid value: The value given with -var for the variable \"count\" is not of its type: it is a text, and number is needed.\n"},
		"no expression": {vars: Vars{Given: []Given{{Name: "name", Value: "n"}, {Name: "pilots", Value: "hunter2"}}},
			said: "main.anthill.hcl:7: Invalid value: The value given with -var for the variable \"pilots\" cannot be read as set(string). Write it as in a file, in quotes for the shell:\n\n    -var 'pilots=[\"one\", \"two\"]'\n"},
		"a wrong type in a file": {vars: Vars{Given: []Given{{File: in("type.vars")}, {Name: "name", Value: "n"}}},
			said: in("type.vars") + ":1: Invalid value: The value of the variable is not of its type: it is a list, and number is needed.\n"},
		"a reference in a file": {vars: Vars{Given: []Given{{File: in("refers.vars")}}},
			said: in("refers.vars") + ":1: Invalid reference: The value of the variable must be a literal, a text in quotes: it cannot refer to anything. Use a local value for what is worked out.\n"},
		"a block in a file": {vars: Vars{Given: []Given{{File: in("block.vars")}, {Name: "name", Value: "n"}}},
			said: in("block.vars") + ":1: Unexpected block: A file of variables holds NAME = VALUE only.\n"},
		"no file": {vars: Vars{Given: []Given{{File: in("none.vars")}, {Name: "name", Value: "n"}}},
			said: in("none.vars") + ":1: File not readable: " + in("none.vars") + " cannot be read: no such file or directory.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := map[string]string{"main.anthill.hcl": declared}
			maps.Copy(all, test.files)
			c, diags := evaluate(t, all, test.vars, Data{})
			if d := cmp.Diff(test.said, plainDiags(diags)); d != "" {
				t.Fatalf("(-want +got)\n%s", d)
			}
			if c != nil && (c.Settings.Environment != test.environment || c.Guard.MinPopulation != test.population) {
				t.Errorf("got %q, %d; want %q, %d", c.Settings.Environment, c.Guard.MinPopulation, test.environment, test.population)
			}
		})
	}
}

func TestFilesCoverPasswords(t *testing.T) {
	t.Parallel()
	const text = "provider \"postgres\" { url = \"postgres://app:hunter2@db/app\" }\nprovider \"selfauth\" { url = \"host=db password=hunter2 x=y\" }\n"
	m, diags := Load(directory(t, map[string]string{"a.anthill.hcl": text}), Vars{})
	if diags.HasErrors() {
		t.Fatal(plainDiags(diags))
	}
	want := strings.ReplaceAll(text, "hunter2", "*******")
	if d := cmp.Diff(want, string(m.Files()["a.anthill.hcl"].Bytes)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	s, diags := m.Settings()
	if diags.HasErrors() || s.PostgresURL != "postgres://app:hunter2@db/app" {
		t.Errorf("the covered text reached the settings: %v", diags)
	}
}

// Slugs of the database need not be in the normal form that texts of expressions have.
func TestTenantsByBytes(t *testing.T) {
	t.Parallel()
	const decomposed, composed = "cafe\u0301", "caf\u00e9"
	const text = "data \"tenants\" \"all\" {}\ngroup \"g\" {\n  for_each = data.tenants.all\n  tenant = each.key\n  name = slug(each.key, 30)\n  role = \"member\"\n}\n" +
		"wave \"w\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"" + composed + "\"] }\n}\n" + policyFile
	c, diags := evaluate(t, map[string]string{"a.anthill.hcl": text}, Vars{}, Data{Tenants: []TenantData{{Slug: decomposed}}})
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	if c.Groups[0].Tenant != decomposed || c.Waves[0].Users[0].Tenants[0] != decomposed {
		t.Errorf("got %q and %q", c.Groups[0].Tenant, c.Waves[0].Users[0].Tenants)
	}
	_, diags = evaluate(t, map[string]string{"a.anthill.hcl": text}, Vars{}, Data{Tenants: []TenantData{{Slug: decomposed}, {Slug: composed}}})
	if got := plainDiags(diags); !strings.HasPrefix(got, "a.anthill.hcl:1: Tenants that look alike: ") {
		t.Errorf("got %s", got)
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long", 12)
	for in, want := range map[string]string{
		"acme": "acme", "blue_sky": "blue_sky", "42labs": "42labs", "soylent.corp": "soylent.corp", long + "-x": long + "-x",
		long + "-xy": "longlonglonglonglonglonglonglonglonglonglon-84fcf4", "ACME-Europe": "acme-europe-bcb4bc", "cà-phê": "ca-phe-fc97d6", "soylent corp": "soylent-corp-ce12be",
		"-x": "x-a42096", "": "e3b0c4", "日本": "cf2abf",
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			got := Slug(in, 50)
			if got != want || len(got) > 50 {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestNameProblem(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"tenant_a-b.c": "", strings.Repeat("x", 64): "", "": "is empty", "1a": "begins with '1', not with a letter from a to z",
		"a b": `holds ' ': only a-z, 0-9, "-", "_" and "." are allowed`, strings.Repeat("x", 65): "has 65 characters, at most 64 are allowed",
		"a190a1b2-0000-7000-8000-000000000001": "has the form of a UUID", "a190a1b200007000800000000000001": "", "root": "is reserved",
	} {
		if got := nameProblem(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// The table is what documentation is made from: everything in it that can be written says what it is for.
func TestBlocksAreDescribed(t *testing.T) {
	t.Parallel()
	var walk func(path string, list []Block)
	walk = func(path string, list []Block) {
		for _, b := range list {
			at := path + "/" + b.title()
			if b.Later {
				continue
			}
			if b.Text == "" {
				t.Errorf("%s has no text", at)
			}
			for _, a := range b.Arguments {
				if !a.Later && (a.Text == "" || a.Type.String() == "") {
					t.Errorf("%s %s has no text or type", at, a.Name)
				}
				if !a.Later && a.Default != "" && a.Type != TypeExpr && a.Type != UserText {
					defaultOf(&a)
				}
			}
			walk(at, b.Blocks)
		}
	}
	walk("", Blocks())
}

func FuzzLoad(f *testing.F) {
	golden, err := txtar.ParseFile("testdata/diagnostics.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(golden.Files); i += 2 {
		f.Add(string(golden.Files[i].Data), false)
	}
	f.Add(wholeExample, false)
	f.Add(`{"locals": {"a": "${b}"}, "gate": {"g": [{"manual": true}]}, "wave": [1, null, {"x": {}}]}`, true)
	f.Add(`{"provider": "x", "data": {"tenants": 3}, "anthill": {"state": {"postgres": null}}}`, true)
	f.Fuzz(func(t *testing.T, text string, isJSON bool) {
		name := "a" + hclSuffix
		if isJSON {
			name = "a" + jsonSuffix
		}
		m, diags := Load(directory(t, map[string]string{name: text}), Vars{Version: "0.1.0"})
		m.Files()
		if diags.HasErrors() {
			return
		}
		if _, diags := m.Settings(); diags.HasErrors() {
			return
		}
		if c, diags := m.Evaluate(sampleData()); (c == nil) != diags.HasErrors() {
			t.Errorf("a configuration and errors, or neither: %v", diags)
		}
	})
}
