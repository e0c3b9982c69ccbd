package config

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

const boundsDir = "ANTHILL_TEST_BOUNDS_DIR"

// TestBoundsChild loads and checks a configuration in a process of its own, which TestBounds limits.
func TestBoundsChild(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv(boundsDir))
	if len(dirs) == 0 {
		t.Skip("it is started by TestBounds")
	}
	debug.SetMemoryLimit(MemoryGoal) // as the program does
	for _, dir := range dirs {
		m, diags := Load(dir, Vars{})
		if !diags.HasErrors() {
			diags = m.Validate()
		}
		fmt.Print("SAID " + plainDiags(diags))
	}
	// What the process that starts it has taken counts in the resource usage of a child, but not in this.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println("PEAK " + strings.Fields(peak)[0])
}

// doubled are local values each of which uses the one before it, many times over; the last is x.
func doubled(levels int, first, next string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "l0 = %s\n", first)
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(b, "l%d = %s\n", i, strings.ReplaceAll(next, "L", fmt.Sprintf("local.l%d", i-1)))
	}
	fmt.Fprintf(b, "x = local.l%d\n", levels)
	return b.String()
}

const (
	thousand = `range(1000)`
	long     = `format("%3000000s", "")`
	million  = `setproduct(range(1000), range(1000))`
)

// endless are expressions that would take hours, or all memory.
var endless = map[string]string{
	"an exponent":                   `"${1e100000000}"`,
	"a negative exponent":           `"${1e-100000000}"`,
	"a number times a number":       `"${1e999999999 * 1e999999999}"`,
	"numbers that square":           `[for i in [1e2000] : "${i * i * i * i * i * i * i * i}"]`,
	"a number of a text":            `tostring(tonumber("1e100000000"))`,
	"a number of a text, by sign":   `"${-"1e100000000"}"`,
	"an exponent in JSON":           `jsondecode("[1e100000000]")`,
	"an exponent written as JSON":   `jsonencode(1e100000000)`,
	"an exponent as a key":          `{ (1e100000000) = 1 }`,
	"an exponent as a for's key":    `{ for i in [1] : 1e100000000 => i }`,
	"an exponent in a list of text": `join(",", [1e100000000])`,
	"an exponent formatted":         `format("%d", 1e100000000)`,
	"an exponent rounded":           `"${floor(1e100000000)}"`,
	"an exponent in try":            `try("${1e100000000}", "x")`,
	"an exponent in can":            `can("${1e100000000}")`,
	"digits without end":            `tonumber(replace(format("%10000s", ""), " ", "7"))`,
	"digits without end, added":     `replace(format("%10000s", ""), " ", "7") + 1`,
	"digits without end, parsed":    `parseint(replace(` + long + `, " ", "7"), 10)`,
	"a pad":                         `indent(1000000000, "a")`,
	"a pad of many lines":           `indent(100000, join("\n", ` + thousand + `))`,
	"a width":                       `format("%1000000000d", 1)`,
	"a width of a text":             `format("%1000000000s", "a")`,
	"a precision":                   `format("%.1000000000f", 1)`,
	"many widths":                   `format(replace(format("%1000s", ""), " ", "%1000000d"), ` + thousand + `...)`,
	"a width, many times":           `formatlist("%10000000s", ` + thousand + `)`,
	"an argument, many times":       `format(replace(format("%1000s", ""), " ", "%[1]s"), ` + long + `)`,
	"a product of sets":             `setproduct(range(1000), range(1000), range(1000))`,
	"a product of many sets":        `setproduct([1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2])`,
	"a large range":                 `range(1e9)`,
	"a small step":                  `range(0, 1, 1e-9)`,
	"a for in a for in a for":       `[for a in ` + thousand + ` : [for b in ` + thousand + ` : [for c in ` + thousand + ` : 1]]]`,
	"fors that count nothing":       `[for a in ` + thousand + ` : [for b in ` + thousand + ` : [for c in ` + thousand + ` : 1 if false]]]`,
	"fors of which nothing is left": `length([for a in ` + thousand + ` : length([for b in ` + thousand + ` : length([for c in ` + thousand + ` : c])])])`,
	"a for that groups":             `{ for a in ` + thousand + ` : "k" => [for b in ` + thousand + ` : [for c in ` + thousand + ` : c]]... }`,
	"a for over a product":          `[for p in ` + million + ` : join("", p)]`,
	"fors in a template":            `"%{ for a in ` + thousand + ` }%{ for b in ` + thousand + ` }%{ for c in ` + thousand + ` }x%{ endfor }%{ endfor }%{ endfor }"`,
	"a splat of many":               `[for a in ` + thousand + ` : [for b in ` + thousand + ` : ` + thousand + `][*]]`,
	"a join of a long separator":    `join(` + long + `, ` + thousand + `)`,
	"a replacement of nothing":      `replace(` + long + `, "", ` + long + `)`,
	"a replacement of each sign":    `replace(` + long + `, "/./", ` + long + `)`,
	"a replacement by all":          `replace(` + long + `, "/.*/", replace(` + long + `, " ", "$0"))`,
	"a large expression":            `regexall("((((((((a{10}){10}){10}){2}){2}){2}){2}){2})*", ` + long + `)`,
	"a long expression":             `regex(join("|", [for i in ` + thousand + ` : "(${i}){500}"]), "a")`,
	"many classes":                  `regexall(replace(format("%1000s", ""), " ", "\\pL?"), ` + long + `)`,
	"many groups":                   `regexall(replace(format("%400s", ""), " ", "(a?)"), ` + long + `)`,
	"many pieces":                   `split("", ` + long + `)`,
	"different ones of many":        `distinct([for p in setproduct(range(300), range(300)) : join("-", p)])`,
	"nested JSON":                   `jsondecode(replace(format("%10000s", ""), " ", "["))`,
	"much JSON":                     `jsondecode("[1${replace(` + long + `, " ", ",1")}]")`,
	"much CSV":                      `csvdecode("a,b\n${replace(` + long + `, " ", "1,2\n")}")`,
	"JSON in JSON in JSON":          strings.Repeat("jsonencode(", 30) + `[for i in ` + thousand + ` : ["\"", "\\", "<"]]` + strings.Repeat(")", 30),
	"flattened":                     `flatten([for a in ` + thousand + ` : [for b in ` + thousand + ` : ` + thousand + `]])`,
}

// endlessFiles are configurations that would do the same in other ways.
func endlessFiles() map[string]map[string]string {
	const file = "main.anthill.hcl"
	one := func(text string) map[string]string { return map[string]string{file: text} }
	locals := func(text string) map[string]string { return one("locals {\n" + text + "}\n") }
	encoded := func(v any) map[string]string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return map[string]string{"main.anthill.json": string(b)}
	}
	const half = 300_000
	return map[string]map[string]string{
		"a text that doubles":             locals(doubled(64, `"a"`, `"${L}${L}"`)),
		"a text that grows a thousand":    locals(doubled(4, `"abcdefghij"`, `"`+strings.Repeat("${L}", 1000)+`"`)),
		"a list that doubles":             locals(doubled(64, `[1]`, `[L, L]`)),
		"a list that is joined to itself": locals(doubled(64, `tolist(["a"])`, `concat(L, L)`)),
		"an object that doubles":          locals(doubled(64, `{ a = 1 }`, `{ a = L, b = L }`)),
		"a map that doubles":              locals(doubled(64, `{ a = 1 }`, `merge({ for k, v in L : "${k}a" => v }, { for k, v in L : "${k}b" => v })`)),
		"a number that squares":           locals(doubled(64, `9`, `L * L`)),
		"a text of JSON that doubles":     locals(doubled(64, `"\""`, `jsonencode([L, L])`)),
		"many long texts":                 locals(doubled(1000, `format("%3000000s", "")`, `"${substr(L, 1, -1)}x"`)),
		"doubled and compared":            locals(doubled(24, `[1]`, `[L, L]`) + "y = local.x == local.x\n"),
		"many instances":                  one("locals { k = toset([for p in setproduct(range(600), range(600)) : join(\"-\", p)]) }\ntenant \"t\" {\n  for_each = local.k\n  slug = each.key\n  name = each.key\n}\n"),
		"a count of many digits":          one("guard { min_population = 1e100000000 }\n"),
		"a default of many digits":        one("variable \"v\" { default = 1e100000000 }\nlocals { x = \"${var.v}\" }\n"),
		"a default that goes on":          one("variable \"v\" { default = " + strings.Repeat("[for a in ["+strings.Repeat("1,", 200)+"] : ", 6) + "1" + strings.Repeat("]", 6) + " }\n"),
		"a version that goes on":          one("anthill { required_version = \"${1e100000000}\" }\n"),
		"a name of a user":                one("identity { name = \"${indent(1000000000, \"a\")}${user.email_local}\" }\n"),
		"a name of a number":              one("identity { name = \"${1e100000000}${user.email_local}\" }\n"),
		"brackets":                        one("locals { x = " + strings.Repeat("[", 100_000) + " }\n"),
		"parentheses":                     one("locals { x = " + strings.Repeat("(", 100_000) + "1 }\n"),
		"nots":                            one("locals { x = " + strings.Repeat("!", 100_000) + "true }\n"),
		"nots with tabs":                  one("locals { x = " + strings.Repeat("!\t", 300_000) + "true }\n"),
		"signs with comments":             one("locals { x = " + strings.Repeat("-/**/", 150_000) + "1 }\n"),
		"a long sum":                      one("locals { x = 1" + strings.Repeat("+1", half) + " }\n"),
		"a long sum in parentheses":       one("locals { x = (1" + strings.Repeat("\n+1", half) + ") }\n"),
		"conditions in conditions":        one("locals { x = " + strings.Repeat("true?1:", half/3) + "1 }\n"),
		"index upon index":                one("locals {\n y = 1\n x = local.y" + strings.Repeat("[local.y]", half/9) + " }\n"),
		"splat upon splat":                one("locals {\n y = 1\n x = local.y" + strings.Repeat("[*]", half) + " }\n"),
		"ifs in ifs":                      one("locals { x = \"" + strings.Repeat("%{if true}", 50_000) + strings.Repeat("%{endif}", 50_000) + "\" }\n"),
		"fors in fors":                    one("locals { x = <<EOT\n" + strings.Repeat("%{for a in [1]}\n", 30_000) + strings.Repeat("%{endfor}", 30_000) + "\nEOT\n}\n"),
		"blocks in blocks":                one(strings.Repeat("a {\n", 100_000)),
		"brackets in a text of JSON":      {"main.anthill.json": `{"locals": {"x": "${` + strings.Repeat(`\u005b`, 100_000) + `}"}}`},
		"nots in a text of JSON":          {"main.anthill.json": `{"locals": {"x": "${` + strings.Repeat(`\u0021`, 100_000) + `true}"}}`},
		"a condition of JSON":             encoded(map[string]any{"gate": map[string]any{"g": map[string]any{"condition": "1 < 2" + strings.Repeat(" && 1 < 2", 50_000)}}}),
		"brackets in JSON":                {"main.anthill.json": `{"locals": {"x": ` + strings.Repeat("[", 200_000)},
		"a number in JSON":                {"main.anthill.json": `{"locals": {"y": 1e100000000, "x": "${local.y}"}}`},
		"a key of JSON":                   {"main.anthill.json": `{"locals": {"x": {"${1e100000000}": 1}}}`},
		"a default of JSON":               {"main.anthill.json": `{"variable": {"v": {"default": 1e100000000}}, "locals": {"x": "${var.v}"}}`},
		"a large file":                    one("locals { x = \"" + strings.Repeat("x", 2<<20) + "\" }\n"),
		"names that are nearly alike":     one("locals {\n " + strings.Repeat("a", half) + "b = 1\n x = local." + strings.Repeat("a", half) + "\n}\n"),
		"a JSON file of elements":         {"main.anthill.json": `{"bad": 1, "locals": {"x": [` + strings.Repeat("1,", half) + `1]}}`},
		"a file of nothing but signs":     one("locals { x = [" + strings.Repeat("[],", half) + "] }\n"),
		"a file of elements":              one("locals { x = [" + strings.Repeat("1,", half) + "] }\nbad = 1\n"),
	}
}

// TestBounds: what would never end, or take all memory, ends at once with a diagnostic that has the place and says what to do.
func TestBounds(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{}
	for name, files := range endlessFiles() {
		cases[name] = []string{directory(t, files)}
	}
	for name, expr := range endless {
		b, err := json.MarshalIndent(map[string]any{"locals": map[string]any{"x": "${" + expr + "}"}}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		cases[name] = []string{directory(t, map[string]string{"main.anthill.hcl": "locals {\n  x = " + expr + "\n}\n"}),
			directory(t, map[string]string{"main.anthill.json": string(b)})}
	}
	for name, dirs := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, rss := bounded(t, dirs)
			t.Logf("%d MiB: %.100q", rss>>20, said)
			for i := range dirs {
				place := ""
				if i < len(said) {
					place, _, _ = strings.Cut(said[i], ": ")
				}
				if !strings.HasPrefix(place, "main.anthill.") || !strings.Contains(place, ":") {
					t.Errorf("no place of a mistake in %.400q", said)
				}
			}
			if rss > 256<<20 {
				t.Errorf("it took %d MiB", rss>>20)
			}
		})
	}
}

// bounded is what the check of configurations, one after the other in one process, says, and the most memory that it took. The
// timeout is far above what any takes.
func bounded(t *testing.T, dirs []string) (said []string, rss int64) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "ulimit -v 2000000; exec \"$0\" \"$@\"", self, "-test.run=^TestBoundsChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), boundsDir+"="+strings.Join(dirs, string(filepath.ListSeparator)))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %.2000s", err, out)
	}
	text, peak, _ := strings.Cut(string(out), "PEAK ")
	if _, err := fmt.Sscan(peak, &rss); err != nil {
		t.Fatalf("it does not say what memory it took: %.2000s", out)
	}
	return strings.Split(text, "SAID ")[1:], rss << 10
}

// TestBoundsLeaveRoom: what a large configuration needs is within the bounds.
func TestBoundsLeaveRoom(t *testing.T) {
	t.Parallel()
	dir := directory(t, map[string]string{"main.anthill.hcl": `
locals {
  keys   = toset([for p in setproduct(range(50), range(100)) : "t-${p[0]}-${p[1]}"])
  names  = { for k in local.keys : k => upper(k) }
  merged = merge(local.names, { extra = "x" })
}
tenant "t" {
  for_each = local.keys
  slug     = each.key
  name     = "Tenant ${local.merged[each.key]} of ${length(each.key)}"
  plan     = lookup({ a = "basic" }, "b", "enterprise")
}
group "g" {
  for_each = local.keys
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_users"
  role     = "member"
  members { all = true }
}
`})
	m, diags := Load(dir, Vars{})
	if !diags.HasErrors() {
		var c *Config
		if c, diags = m.Evaluate(Data{}); c != nil && (len(c.Tenants) != 5_000 || len(c.Groups) != 5_000) {
			t.Errorf("%d tenants and %d groups", len(c.Tenants), len(c.Groups))
		}
	}
	if diags.HasErrors() {
		t.Error(plainDiags(diags))
	}
}

// TestStopped: an evaluation that nobody waits for any more ends before it is over.
func TestStopped(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	close(done)
	dir := directory(t, map[string]string{"main.anthill.hcl": "locals { x = [for a in range(1000) : [for b in range(1000) : a]] }\n"})
	m, diags := Load(dir, Vars{Done: done})
	if diags.HasErrors() {
		t.Fatal(plainDiags(diags))
	}
	if diags := m.Validate(); !Stopped(diags) {
		t.Errorf("it was not stopped: %s", plainDiags(diags))
	}
}
