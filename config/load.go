package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"anthill/internal/regex"
	"anthill/state"
)

const (
	hclSuffix  = ".anthill.hcl"
	jsonSuffix = ".anthill.json"
	maxFile    = 1 << 20 // bytes; nobody writes a larger configuration file by hand
	maxWords   = 650_000 // words and signs in it: the parser takes some hundred bytes for each
)

// Vars are where variables get their values from, besides their defaults and the files of the directory that are read of
// themselves.
type Vars struct {
	Given   []Given             // in the order of the command line: the last one that gives a value counts
	Env     func(string) string // ANTHILL_VAR_name, the weakest; nil: there are none
	Version string              // of Anthill, for required_version; "": not checked
	Done    <-chan struct{}     // closed when nobody waits for the configuration any more: evaluation ends then; nil: never
}

// Given is one -var or -var-file of the command line.
type Given struct {
	Name, Value string // -var
	File        string // -var-file: a path of HCL or JSON (by the name's end) of name = value; "": it is a -var
}

// The files of variables that are read without being named, in the order of their names.
const (
	autoSuffix     = ".auto.anthillvars"
	autoJSONSuffix = autoSuffix + ".json"
	envPrefix      = "ANTHILL_VAR_"
)

// IsFile reports whether a file of this name in a configuration's directory is read with it.
func IsFile(name string) bool {
	return slices.ContainsFunc([]string{hclSuffix, jsonSuffix, autoSuffix, autoJSONSuffix}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

// Module is a loaded configuration: parsed and checked against the language, not yet evaluated. It is immutable.
type Module struct {
	dir   string
	files map[string]*hcl.File
	nodes []*node // top-level blocks, by file and line
	vars  map[string]cty.Value
	// why variables have no value: none was given, or what gives one without being asked for (files of the directory, the
	// environment) is wrong. It is said where the value is needed: a way back must not depend on it.
	lacks map[string]*hcl.Diagnostic
	stray hcl.Diagnostics  // what else is wrong in those files
	given map[string]bool  // names of files of variables: what they hold is not shown
	index map[string]*node // "wave.pilot", "data.tenants.active", "var.x"
	local map[string]*hcl.Attribute
	level string // version of Anthill
	done  <-chan struct{}
	meter *meter     // of values that variables are given
	whole state.Hash // of the configuration's files, without those of variables
}

// Load reads all *.anthill.hcl and *.anthill.json of a directory, but not of those below it. The Module is never nil:
// with errors it serves for Files alone. Diagnostics name files by their base name.
func Load(dir string, vars Vars) (*Module, hcl.Diagnostics) {
	m := &Module{
		dir:   dir,
		files: map[string]*hcl.File{}, index: map[string]*node{}, local: map[string]*hcl.Attribute{},
		vars: map[string]cty.Value{}, lacks: map[string]*hcl.Diagnostic{}, given: map[string]bool{}, level: vars.Version, done: vars.Done, meter: newMeter(vars.Done),
	}
	// Every step goes on with what is sound, so that one look shows all mistakes; but none starts on what does not parse,
	// or its diagnostics would be about the consequences.
	names, diags := configFiles(dir)
	var bodies []hcl.Body
	var sources parts
	for _, name := range names {
		f, moreDiags := m.parse(filepath.Join(dir, name), name, strings.HasSuffix(name, jsonSuffix))
		diags = append(diags, moreDiags...)
		if f != nil && !moreDiags.HasErrors() {
			bodies = append(bodies, f.Body)
			sources.add([]byte(name), f.Bytes)
		}
	}
	m.whole = sources.hash()
	if diags.HasErrors() {
		return m, tidy(diags)
	}
	for _, b := range bodies {
		n, moreDiags := readBody(&node{spec: &Block{Blocks: blocks()}}, b)
		diags = append(diags, moreDiags...)
		m.nodes = append(m.nodes, n.blocks...)
	}
	diags = append(diags, m.declare()...)
	if !diags.HasErrors() {
		diags = append(diags, m.checkVersion()...)
		diags = append(diags, m.setVariables(dir, vars)...)
	}
	return m, tidy(diags)
}

// Files are the sources by the names that diagnostics use, to show snippets from. Passwords in URLs and connection
// strings are covered with asterisks.
func (m *Module) Files() map[string]*hcl.File {
	files := make(map[string]*hcl.File, len(m.files))
	for name, f := range m.files {
		if m.given[name] {
			continue
		}
		c := *f
		c.Bytes = coverPasswords(f.Bytes)
		files[name] = &c
	}
	return files
}

var passwords = regex.Lazy(`(://[^/\s:@"]*:)([^@\s"]+)@|(?i)(password\s*=\s*)([^\s"'&]+)`)

// coverPasswords keeps the length of the text: diagnostics point into it.
func coverPasswords(src []byte) []byte {
	covered := bytes.Clone(src)
	for _, at := range passwords().FindAllSubmatchIndex(src, -1) {
		for _, g := range []int{4, 8} {
			for i := at[g]; i >= 0 && i < at[g+1]; i++ {
				covered[i] = '*'
			}
		}
	}
	return covered
}

// configFiles lists the files of the configuration in a directory, sorted.
func configFiles(dir string) (names []string, diags hcl.Diagnostics) {
	names, err := filesOf(dir, hclSuffix, jsonSuffix)
	if err != nil {
		return nil, diags.Append(problem(hcl.Range{}, "Configuration not readable",
			"The directory %q cannot be read: %s. Name the one with your *%s files with -chdir.", dir, cause(err),
			hclSuffix))
	}
	if len(names) == 0 {
		diags = diags.Append(problem(hcl.Range{}, "No configuration",
			"There is no *%s or *%s file in %q. Name the directory that holds your configuration:\n\n    anthill "+
				"-chdir=DIRECTORY plan\n\nor begin with a copy of examples/quickstart.", hclSuffix, jsonSuffix, dir))
	}
	return names, diags
}

// filesOf lists the files of a directory whose names end so, sorted.
func filesOf(dir string, suffixes ...string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		n := e.Name()
		// A leading dot is an editor's lock or backup.
		if !strings.HasPrefix(n, ".") && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(n, s) }) {
			names = append(names, n)
		}
	}
	return names, err
}

// cause is the innermost error, without the path that the sentence names already.
func cause(err error) string {
	if p, ok := err.(*os.PathError); ok { //nolint:errorlint // only the outermost is of interest
		return p.Err.Error()
	}
	return err.Error()
}

// parse reads one file and keeps it under name. A nil file could not be read at all.
func (m *Module) parse(path, name string, isJSON bool) (*hcl.File, hcl.Diagnostics) {
	whole := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	src, err := readSource(path)
	if err != nil {
		return nil, hcl.Diagnostics{problem(whole, "File not readable", "%s cannot be read: %s.", name, cause(err))}
	}
	m.files[name] = &hcl.File{Bytes: src}
	d := checkSource(src, whole)
	if d == nil && isJSON {
		d = checkJSONDepth(src, whole)
	} else if d == nil {
		d = checkDepth(src, whole, hclsyntax.LexConfig)
	}
	if d != nil {
		return nil, hcl.Diagnostics{d}
	}
	var f *hcl.File
	var diags hcl.Diagnostics
	if isJSON {
		f, diags = json.Parse(src, name)
	} else {
		f, diags = hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	}
	if f != nil {
		f.Bytes = src
		m.files[name] = f
	}
	if m.given[name] {
		diags = veiled(diags)
	}
	return f, diags
}

// readSource reads a regular file up to just over maxFile: the size that a file system tells may be a lie, and what is
// no regular file may never end.
func readSource(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return src, err
}

// checkSource finds what no parser should be given.
func checkSource(src []byte, whole hcl.Range) *hcl.Diagnostic {
	if len(src) > maxFile {
		return problem(whole, "File too large",
			"%s is larger than %d KiB, which no configuration needs. Is it another kind of file?", whole.Filename,
			maxFile>>10)
	}
	if bytes.HasPrefix(src, []byte("\ufeff")) {
		return problem(whole, "Byte order mark", "%s begins with a byte order mark. Save it as UTF-8 without one.",
			whole.Filename)
	}
	if words(src) > maxWords {
		return problem(whole, "File too large",
			"%s has more than %d words and signs, which no configuration needs. Make several files of it, or shorter lists.", whole.Filename, maxWords)
	}
	if !utf8.Valid(src) {
		return problem(badLine(src, whole), "Not UTF-8", "%s is not valid UTF-8. Save it in that encoding.",
			whole.Filename)
	}
	return nil
}

// words counts the words and signs of a source, at least as many as the parser makes of it.
func words(src []byte) (n int) {
	within := false
	for _, c := range src {
		is := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
		if is && !within || !is && c != ' ' && c != '\t' {
			n++
		}
		within = is
	}
	return n
}

// badLine is the line of the first byte that is not UTF-8.
func badLine(src []byte, whole hcl.Range) hcl.Range {
	pos := hcl.InitialPos
	for rest := src; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if pos.Column++; r == '\n' {
			pos.Line, pos.Column = pos.Line+1, 1
		}
		pos.Byte += n
		rest = rest[n:]
	}
	return hcl.Range{Filename: whole.Filename, Start: pos, End: pos}
}

// declare indexes the blocks by their names, and reports two of one name.
func (m *Module) declare() (diags hcl.Diagnostics) {
	slices.SortStableFunc(m.nodes, func(a, b *node) int { return compareRange(a.at, b.at) })
	for _, n := range m.nodes {
		if n.spec.Free {
			diags = append(diags, m.declareLocals(n)...)
			continue
		}
		if n.spec.Label != "" && n.label == "" {
			continue // reported already
		}
		if n.spec.Label == "" && !n.spec.Once {
			continue // it has no name
		}
		first, taken := m.index[n.address()]
		switch {
		case !taken:
			m.index[n.address()] = n
		case n.spec.Once:
			diags = diags.Append(problem(n.at, "Duplicate block",
				"There is one %s block in a configuration, over all its files. Another stands in %s: make them one.",
				n.spec.title(), place(first.at)))
		default:
			diags = diags.Append(problem(n.at, "Duplicate name",
				"%s is declared in %s already. Rename one of them, or remove it.", n.address(), place(first.at)))
		}
	}
	return diags
}

func (m *Module) declareLocals(n *node) (diags hcl.Diagnostics) {
	for _, a := range n.sortedArgs() {
		if first, taken := m.local[a.Name]; taken {
			diags = diags.Append(problem(a.NameRange, "Duplicate name",
				"local.%s is declared in %s already. Rename one of them, or remove it.", a.Name,
				place(first.NameRange)))
			continue
		}
		m.local[a.Name] = a
	}
	return diags
}

// all returns the blocks of a type, sorted by address.
func (m *Module) all(blockType string) (list []*node) {
	for _, n := range m.nodes {
		if n.spec.Type == blockType {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return strings.Compare(a.address(), b.address()) })
	return list
}

// single returns the only block of a type and kind, an empty one where there is none.
func (m *Module) single(blockType, kind string) *node {
	for _, n := range m.nodes {
		if n.spec.Type == blockType && n.spec.Kind == kind {
			return n
		}
	}
	for i := range blocks() {
		if b := &blocks()[i]; b.Type == blockType && b.Kind == kind {
			return &node{spec: b}
		}
	}
	panic("config: no block " + blockType)
}
