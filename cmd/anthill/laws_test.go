package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The two documents that number what they say, and the letter of each.
var laws = map[string]string{"L": "docs/rules.md", "F": "docs/selfauth-facts.md"}

var (
	// A rule or a fact: the letter and a number as a word of their own, not a part of a key or of base64.
	cited = regexp.MustCompile("(?m)(?:^|[\\s(\\[\"'`#*-])([LF])([0-9]+)\\b")
	// A file of docs/, wherever it is named, and a page of docs/decisions by its number.
	docFile  = regexp.MustCompile(`(?:^|[^\w/])(docs/[\w./-]*\w)`)
	decision = regexp.MustCompile(`\bdecision ([0-9]{4})\b`)
	// Where a link of Markdown leads to in this repository: the file, and the place in it.
	link = regexp.MustCompile(`\]\(([^():#\s{]*)(?:#([^()\s]*))?\)`)

	lawHead = regexp.MustCompile(`(?m)^### ([LF][0-9]+)$`)
	anyHead = regexp.MustCompile(`(?m)^#+ `)
	proof   = regexp.MustCompile("`([a-z][a-z/]*)\\.((?:Test|Fuzz)\\w+)((?:/[^`]+)?)`")
)

// TestLaws: comments and documents cite no rule, fact or document that is not there. Each rule and fact has a text, and
// names a test or says that it has none; each test that is named exists.
func TestLaws(t *testing.T) {
	t.Parallel()
	r := readRepository(t, filepath.Join("..", ".."))
	for _, problem := range r.lawProblems() {
		t.Error(problem)
	}
}

// TestLawsAreWatched breaks a small repository in every way that TestLaws looks for.
func TestLawsAreWatched(t *testing.T) {
	t.Parallel()
	sound := repository{
		"docs/rules.md": "# Rules\n\n### L1\n\nA rule.\n\nProof: `a.TestA/one/two`, `a.TestA/with: a/slash`\n\n" +
			"### L2\n\nAnother, see [L1](#l1).\n\nNot in this version: it.\n",
		"docs/selfauth-facts.md":    "# Facts\n\n### F1\n\nA fact.\n\nNo test of its own yet.\n",
		"docs/decisions/0001-so.md": "[the rule](../rules.md#l2)\n",
		"a/a_test.go":               "package a\n\nfunc TestA(t *testing.T) { _ = []string{\"one\", \"with: a/slash\"} }\n",
		"a/testdata/x.txtar":        "-- two --\n",
		"a/a.go":                    "// A obeys L1-L2, docs/selfauth-facts.md F1, decision 0001, not x.test/docs/y or +L9=.\n",
	}
	if problems := sound.lawProblems(); len(problems) > 0 {
		t.Errorf("nothing is wrong, and it finds %q", problems)
	}
	for name, c := range map[string]struct{ file, old, next, want string }{
		"a rule that is not there": {"a/a.go", "L1-L2", "L1-L3",
			"a/a.go:1: L3 is cited, and docs/rules.md has no L3"},
		"a rule at the end of a line": {"a/a.go", "L1-L2", "L40\nL1-L2",
			"a/a.go:1: L40 is cited, and docs/rules.md has no L40"},
		"a fact that is not there": {"a/a.go", "F1", "F2",
			"a/a.go:1: F2 is cited, and docs/selfauth-facts.md has no F2"},
		"a document that is not there": {"a/a.go", "docs/selfauth-facts.md", "docs/facts.md",
			"a/a.go:1: there is no docs/facts.md"},
		"a decision that is not there": {"a/a.go", "decision 0001", "decision 0009",
			"a/a.go:1: there is no decision 0009"},
		"a link to nothing": {"docs/decisions/0001-so.md", "../rules.md", "../rule.md",
			"docs/decisions/0001-so.md:1: a link leads to docs/rule.md, which is not there"},
		"a link to no heading": {"docs/decisions/0001-so.md", "#l2", "#l7",
			"docs/decisions/0001-so.md:1: a link leads to #l7 of docs/rules.md, which is not there"},
		"a rule without a text": {"docs/rules.md", "A rule.\n\n", "",
			"docs/rules.md: L1 has no text"},
		"a fact without a text": {"docs/selfauth-facts.md", "A fact.\n\n", "",
			"docs/selfauth-facts.md: F1 has no text"},
		"a fact without a word of tests": {"docs/selfauth-facts.md", "No test of its own yet.", "That is all.",
			"docs/selfauth-facts.md: F1 names no test and does not say that it has none"},
		"a number left out": {"docs/rules.md", "### L2", "### L3",
			"docs/rules.md: L3 stands where L2 should"},
		"a test that is gone": {"a/a_test.go", "TestA(", "TestB(",
			"docs/rules.md names a.TestA/one/two: there is none"},
		"a test in another folder": {"docs/rules.md", "`a.TestA/one", "`b.TestA/one",
			"docs/rules.md names b.TestA/one/two: there is none; a test of that name is in a"},
		"a case that is gone": {"a/a_test.go", `"one"`, `"won"`,
			`docs/rules.md names a.TestA/one/two: it has no case "one"`},
		"a case of a file that is gone": {"a/testdata/x.txtar", "two", "three",
			`docs/rules.md names a.TestA/one/two: it has no case "two"`},
		"no rules at all": {"docs/selfauth-facts.md", "###", "##",
			"docs/selfauth-facts.md numbers nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := maps.Clone(sound)
			r[c.file] = strings.ReplaceAll(r[c.file], c.old, c.next)
			if problems := r.lawProblems(); !slices.Contains(problems, c.want) {
				t.Errorf("it finds %q, want %q among them", problems, c.want)
			}
		})
	}
}

// repository is the text files of a source tree, by their slashed paths.
type repository map[string]string

func readRepository(t *testing.T, root string) repository {
	t.Helper()
	r := repository{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci":
			return filepath.SkipDir
		case d.IsDir() && d.Name() == "node_modules": // others' programs and their documents
			return filepath.SkipDir
		case d.IsDir() || !isText(file):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		r[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func isText(file string) bool {
	return slices.Contains([]string{".go", ".md", ".sql", ".hcl", ".txtar", ".jsonl", ".json"}, filepath.Ext(file)) ||
		slices.Contains([]string{"Makefile", "run"}, filepath.Base(file))
}

// lawProblems are the sentences for people, in the order of the files.
func (r repository) lawProblems() (problems []string) {
	numbered := map[string]bool{}
	for _, letter := range []string{"L", "F"} {
		names, more := r.readLaw(letter)
		problems = append(problems, more...)
		for _, n := range names {
			numbered[n] = true
		}
	}
	for _, file := range r.files() {
		if path.Ext(file) == ".jsonl" || file == "cmd/anthill/laws_test.go" {
			continue // recordings of a server; and the examples below
		}
		problems = append(problems, r.citations(file, numbered)...)
	}
	return problems
}

func (r repository) files() []string { return slices.Sorted(maps.Keys(r)) }

// readLaw returns the names that a document numbers, and what is wrong with it.
func (r repository) readLaw(letter string) (names, problems []string) {
	file := laws[letter]
	text := r[file]
	for _, at := range lawHead.FindAllStringSubmatchIndex(text, -1) {
		name, body := text[at[2]:at[3]], text[at[1]:]
		if next := anyHead.FindStringIndex(body); next != nil {
			body = body[:next[0]]
		}
		names = append(names, name)
		if want := fmt.Sprint(letter, len(names)); name != want {
			problems = append(problems, fmt.Sprintf("%s: %s stands where %s should", file, name, want))
		}
		first, rest, _ := strings.Cut(strings.TrimSpace(body), "\n\n")
		if first == "" || isStatus(first) {
			problems = append(problems, fmt.Sprintf("%s: %s has no text", file, name))
		}
		if !slices.ContainsFunc(strings.Split(rest, "\n\n"), isStatus) {
			problems = append(problems, file+": "+name+" names no test and does not say that it has none")
		}
	}
	if len(names) == 0 {
		problems = append(problems, file+" numbers nothing")
	}
	for _, m := range proof.FindAllStringSubmatch(text, -1) {
		if why := r.missingTest(m[1], m[2], strings.TrimPrefix(m[3], "/")); why != "" {
			problems = append(problems, fmt.Sprintf("%s names %s.%s%s: %s", file, m[1], m[2], m[3], why))
		}
	}
	return names, problems
}

// isStatus says whether a paragraph is about how a law is proved, or why it is not.
func isStatus(paragraph string) bool {
	for _, start := range []string{"Proof: `", "Pinned by: `", "Not in this version: ", "No test of its own yet"} {
		if strings.HasPrefix(paragraph, start) {
			return true
		}
	}
	return false
}

// missingTest says why there is no such test; "": there is. A case is a text in the test's own folder or in a suite that
// it runs, or a file of test data, or a part of one.
func (r repository) missingTest(folder, test, name string) string {
	declared := "func " + test + "("
	var found bool
	var elsewhere []string
	for _, file := range r.files() {
		if !strings.HasSuffix(file, "_test.go") || !strings.Contains(r[file], "\n"+declared) {
			continue
		}
		if path.Dir(file) == folder {
			found = true
		} else {
			elsewhere = append(elsewhere, path.Dir(file))
		}
	}
	switch {
	case !found && len(elsewhere) > 0:
		return "there is none; a test of that name is in " + strings.Join(elsewhere, ", ")
	case !found:
		return "there is none"
	case name == "":
		return ""
	}
	if r.hasCase(folder, name) {
		return ""
	}
	for part := range strings.SplitSeq(name, "/") {
		if !r.hasCase(folder, part) {
			return fmt.Sprintf("it has no case %q", part)
		}
	}
	return ""
}

func (r repository) hasCase(folder, name string) bool {
	suites := []string{folder, "providers/providertest", "state/statetest"}
	for file, text := range r {
		within := slices.ContainsFunc(suites, func(s string) bool {
			return path.Dir(file) == s || strings.HasPrefix(file, s+"/testdata/")
		})
		switch ext := path.Ext(file); {
		case !within:
		case ext == ".go" && strings.Contains(text, fmt.Sprintf("%q", name)),
			ext == ".txtar" && strings.Contains("\n"+text, "\n-- "+name+" --\n"),
			strings.Contains(file, "/testdata/") && strings.TrimSuffix(path.Base(file), ext) == name:
			return true
		}
	}
	return false
}

// citations finds what a file cites that is not there.
func (r repository) citations(file string, numbered map[string]bool) (problems []string) {
	text := r[file]
	wrong := func(at int, format string, args ...any) {
		line := 1 + strings.Count(text[:at], "\n")
		problems = append(problems, fmt.Sprintf("%s:%d: ", file, line)+fmt.Sprintf(format, args...))
	}
	for _, at := range cited.FindAllStringSubmatchIndex(text, -1) {
		if letter, name := text[at[2]:at[3]], text[at[2]:at[5]]; !numbered[name] {
			wrong(at[2], "%s is cited, and %s has no %s", name, laws[letter], name)
		}
	}
	for _, at := range docFile.FindAllStringSubmatchIndex(text, -1) {
		if name := text[at[2]:at[3]]; !r.has(name) {
			wrong(at[2], "there is no %s", name)
		}
	}
	for _, at := range decision.FindAllStringSubmatchIndex(text, -1) {
		if number := text[at[2]:at[3]]; !r.hasPrefix("docs/decisions/" + number + "-") {
			wrong(at[0], "there is no decision %s", number)
		}
	}
	if path.Ext(file) != ".md" {
		return problems
	}
	for _, at := range link.FindAllStringSubmatchIndex(text, -1) {
		to := cmp.Or(text[at[2]:at[3]], path.Base(file))
		if to = path.Join(path.Dir(file), to); !r.has(to) {
			wrong(at[0], "a link leads to %s, which is not there", to)
		} else if at[4] >= 0 && !r.hasHead(to, text[at[4]:at[5]]) {
			wrong(at[0], "a link leads to #%s of %s, which is not there", text[at[4]:at[5]], to)
		}
	}
	return problems
}

// has says whether there is a file or a folder of that name.
func (r repository) has(name string) bool {
	_, is := r[name]
	return is || r.hasPrefix(name+"/")
}

func (r repository) hasPrefix(prefix string) bool {
	for file := range r {
		if strings.HasPrefix(file, prefix) {
			return true
		}
	}
	return false
}

// hasHead says whether a document has a heading with that anchor: its words in small letters, without other signs.
func (r repository) hasHead(file, anchor string) bool {
	other := regexp.MustCompile(`[^a-z0-9_ -]`)
	for line := range strings.Lines(r[file]) {
		head := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		if strings.HasPrefix(line, "#") && strings.ReplaceAll(other.ReplaceAllString(head, ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
