package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rooms that make facts; words are internal/report's.
var factRooms = []string{"planner", "internal/apply", "internal/survey", "providers/postgres", "providers/selfauth", "providers/mail", "state"}

// Four words in a row, or the end of one sentence and the beginning of another.
var prose = regexp.MustCompile(`[A-Za-z']+ [a-z']+ [a-z']+ [a-z']+|\. `)

// The rooms that speak SQL. Elsewhere nothing is excused as SQL.
var sqlRoom = regexp.MustCompile(`(^|/)(providers/postgres|state/pg)/[^/]+\.go$`)

// A statement in SQL, each by what must follow its verb, or a part of one that begins with a name to be filled in, with a
// column of a table or with a clause.
var sqlForm = regexp.MustCompile(`(?is)^\s*(select\b.*\bfrom\b.*|select\b.*\(.*\).*|insert into \S+\s+\(.*|update \S+( \w+)? set\s.*=.*|` +
	`delete from \S+( \w+)?( using .*)?( where .*=.*)?|create (table|(unique )?index|schema|sequence) .*[({"].*|` +
	`create (unique )?index concurrently if not exists |create schema if not exists |` +
	`alter table .*[{"].*|drop (table|index|schema) (concurrently )?(if exists )?\S*|lock table [{"].*|` +
	`set (local |session )?\w+ = .*|set transaction snapshot .*|set constraints \w+ (immediate|deferred)|with (recursive )?\w+( \(.*?\))? as .*\(.*)$|` +
	`^[\s,()]*(\{[a-z_.]+\}|\w+\.\w+ |\w+\.\{\w+\}|coalesce\(|from unnest\(|(from|where|set|on|add|add constraint|join|left join|order by|and|case|case when) [({]*\w+[._}])`)

// The words of SQL itself: they stand between names, and no sentence has three words in a row without one of them.
var sqlWords = regexp.MustCompile(`(?i)\b(select|insert|into|update|delete|from|where|and|or|not|null|is|in|any|all|as|on|by|` +
	`order|group|having|set|values|with|recursive|join|left|lateral|cross|using|union|except|case|when|then|else|end|exists|` +
	`if|for|of|create|alter|drop|table|index|unique|schema|constraint|validate|check|default|column|add|primary|key|` +
	`concurrently|returning|conflict|do|nothing|limit|offset|desc|asc|distinct|filter|over|between|cascade|only|local|` +
	`transaction|snapshot|lock|mode|share|skip locked|row|exclusive|interval|array|ordinality|false|true|materialized|coalesce)\b|'[^']*'`)

var threeWords = regexp.MustCompile(`[A-Za-z']+ [a-z']+ [a-z']+`)

// isSQL says whether a text has the form of SQL and holds no sentence besides.
func isSQL(text string) bool {
	return sqlForm.MatchString(text) && !threeWords.MatchString(sqlWords.ReplaceAllString(text, ","))
}

// A file in which a provider turns what the other side says into errors: what a function there returns as an error, or as
// the kind and the words of one.
var errorFile = regexp.MustCompile(`/providers/[a-z]+/errors\.go$`)

// Files that hold nothing but the words of errors: why there is no connection, and what is wrong with an address. They are tables of
// such words, and compare the driver's own. And one with a block of PL/pgSQL, whose words are errors of one function.
var wordFiles = regexp.MustCompile(`/providers/postgres/(connect|options|encoding)\.go$`)

// TestProse: no room that computes makes a sentence for people. Go errors and diagnostics are the exceptions.
func TestProse(t *testing.T) {
	t.Parallel()
	read := 0
	for _, room := range factRooms {
		err := filepath.WalkDir(filepath.Join("..", "..", room), func(dir string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() || d.Name() == "statetest" {
				return err
			}
			files := map[string]string{}
			names, err := filepath.Glob(filepath.Join(dir, "*.go"))
			for _, name := range names {
				if strings.HasSuffix(name, "_test.go") || wordFiles.MatchString(filepath.ToSlash(name)) {
					continue
				}
				b, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				files[name] = string(b)
			}
			read += len(files)
			for _, at := range proseIn(t, files) {
				t.Error(at)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 80 {
		t.Errorf("only %d files were read", read)
	}
}

// TestProseIsFound: a sentence is found wherever it is made, and not where it is an error's or a diagnostic's.
func TestProseIsFound(t *testing.T) {
	t.Parallel()
	const head = "package a\n\ntype LostError struct{ Reason string }\n\n" +
		"func (e *LostError) Error() string { return \"nobody knows where it is\" }\n\n" +
		"func lose(why string) *LostError { return &LostError{why} }\n\n" +
		"func wrap(doing string, err error) error { return err }\n\n"
	const pgFile, errorsFile = "x/providers/postgres/a.go", "x/providers/selfauth/errors.go"
	for name, c := range map[string]struct {
		code  string
		found bool
		file  string // "": one of planner/plan
	}{
		"four words":        {`var a = "nobody is left behind"`, true, ""},
		"two sentences":     {`var a = "Stop. Go"`, true, ""},
		"a raw string":      {"var a = `nobody is left behind`", true, ""},
		"an argument":       {`var a = say("nobody is left behind")`, true, ""},
		"a field":           {`var a = note{Text: "nobody is left behind"}`, true, ""},
		"a format":          {`var a = fmt.Sprintf("%d users are left behind", 3)`, true, ""},
		"not a statement":   {`var a = "selected by nobody at all"`, true, ""},
		"three words":       {`var a = "left behind, by us"`, false, ""},
		"a code":            {`var a = "left_behind"`, false, ""},
		"errors.New":        {`var a = errors.New("nobody is left behind")`, false, ""},
		"fmt.Errorf":        {`var a = fmt.Errorf("nobody is left behind by %s", b)`, false, ""},
		"panic":             {`func a() { panic("nobody is left behind") }`, false, ""},
		"an error's field":  {`var a = &LostError{Reason: "nobody is left behind"}`, false, ""},
		"a foreign error":   {`var a = &state.Error{Reason: "nobody is left behind"}`, false, ""},
		"its constructor":   {`var a = lose("nobody is left behind")`, false, ""},
		"what was done":     {`var a = wrap("look who is left behind", err)`, false, ""},
		"a local function":  {`func a() { bad := func(reason string) error { return b }; bad("nobody is left behind") }`, false, ""},
		"config.Problem":    {`var a = config.Problem(at, "Left", "Nobody is left behind.")`, false, ""},
		"a diagnostic":      {`var a = hcl.Diagnostic{Detail: "Nobody is left behind."}`, false, ""},
		"a statement":       {`var a = "select who from all of them"`, false, pgFile},
		"a tag":             {"type a struct {\n\tB int `nobody is left behind`\n}", false, ""},
		"with":              {`var a = "with nobody left behind at all, whoever asks"`, true, ""},
		"with, as SQL":      {`var a = "with nobody left behind at all, whoever asks"`, true, pgFile},
		"set back":          {`var a = "set back to logging in by password today"`, true, ""},
		"set back, as SQL":  {`var a = "set back to logging in by password today"`, true, pgFile},
		"where":             {`var a = "where nobody would look for it"`, true, pgFile},
		"where is":          {`var a = "where everybody is looking for nobody else"`, true, pgFile},
		"drop":              {`var a = "drop whatever you are doing now"`, true, pgFile},
		"drop table":        {`var a = "drop table manners when nobody looks"`, true, pgFile},
		"lock":              {`var a = "lock the door before you go"`, true, pgFile},
		"select":            {`var a = "select nobody from the list you see below"`, true, pgFile},
		"update":            {`var a = "update the client, or log in again (by password)"`, true, pgFile},
		"create":            {`var a = "create a person by hand first"`, true, pgFile},
		"a name to fill in": {`var a = "nobody is left behind in {users}"`, true, pgFile},
		"a parameter":       {`var a = "nobody is left behind by $1"`, true, pgFile},
		"SQL elsewhere":     {`var a = "select id from all of them where id = $1"`, true, ""},
		"a long statement": {"var a = `with x as (select id from {users} where id = any($1))\n\t" +
			"update {mapping} m set role = x.role from x where m.id = x.id and not m.gone`", false, pgFile},
		"a part":            {`var a = "r.verdict in ('changed', 'failed') and {tenant_id} is not null"`, false, pgFile},
		"not an error":      {`func tell(reason string) string { return reason }; var a = tell("nobody is left behind")`, true, ""},
		"no error's doing":  {`func tell(doing string) {}; func a() { tell("nobody is left behind") }`, true, ""},
		"a summary":         {`func b(summary string) hcl.Diagnostics { return nil }; var a = b("nobody is left behind")`, false, ""},
		"another New":       {`var a = state.New("nobody is left behind")`, true, ""},
		"another Errorf":    {`func a() { log.Errorf("nobody is left behind") }`, true, ""},
		"errors.go, values": {`var a = "nobody is left behind"`, true, errorsFile},
		"errors.go, words":  {`func a() string { return "nobody is left behind" }`, true, errorsFile},
		"errors.go, error":  {`func a() error { s := "nobody is left behind"; return lose(s) }`, false, errorsFile},
		"errors.go, kind":   {`func a() (state.ErrorKind, string) { return 1, "nobody is left behind" }`, false, errorsFile},
		"errors.go, cure":   {`const b = "nobody is left behind"; func a(e *state.Error) { e.Cure = b }`, false, errorsFile},
		"reported": {`func (p *a) say(summary string) { p.add(hcl.Diagnostic{Summary: summary}) }; ` +
			`func b(p *a) { p.say("nobody is left behind") }`, false, ""},
		"another errors.go": {`func a() error { s := "nobody is left behind"; return lose(s) }`, true, ""},
		"after the excused": {"var a, b = lose(\"nobody is left behind\"), \"nobody is left behind\"", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := cmp.Or(c.file, "planner/plan/a.go")
			if got := proseIn(t, map[string]string{file: head + c.code + "\n"}); (len(got) > 0) != c.found {
				t.Errorf("%s: found %q", c.code, got)
			}
		})
	}
}

// proseIn finds prose in the files of one package, which are given by name.
func proseIn(t *testing.T, sources map[string]string) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for name, source := range sources {
		f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *ast.File) int {
		return cmp.Compare(set.Position(a.Pos()).Filename, set.Position(b.Pos()).Filename)
	})
	errs := errorMakers(files)
	words := errorWords(files, errs)
	for _, f := range files {
		file := filepath.ToSlash(set.Position(f.Pos()).Filename)
		ofErrors, ofSQL := errorFile.MatchString(file), sqlRoom.MatchString(file)
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil || isExcused(n, errs) || ofErrors && isOfError(n, words) {
				return false
			}
			literal, is := n.(*ast.BasicLit)
			if !is || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if prose.MatchString(text) && (!ofSQL || !isSQL(text)) {
				found = append(found, fmt.Sprintf("%s: prose: %q", set.Position(n.Pos()), text))
			}
			return true
		})
	}
	return found
}

// errorMakers are the functions of a package that make errors and diagnostics, methods by their bare names: those that
// give an error's type, and those that return or report an error or diagnostics and want the words of one by a parameter.
func errorMakers(files []*ast.File) map[string]bool {
	makers := map[string]bool{}
	add := func(name string, f *ast.FuncType, body *ast.BlockStmt) {
		if returns(f, isErrorType) ||
			slices.ContainsFunc(f.Params.List, takesWords) && (returns(f, isFailure) || makesDiagnostic(body)) {
			makers[name] = true
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.FuncDecl:
				add(x.Name.Name, x.Type, x.Body)
			case *ast.AssignStmt:
				if fn, is := x.Rhs[0].(*ast.FuncLit); is {
					add(nameOf(x.Lhs[0]), fn.Type, fn.Body)
				}
			}
			return true
		})
	}
	return makers
}

// makesErrors says whether a call makes an error or a diagnostic by a function of the language, of a library or of
// another package of ours.
func makesErrors(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "panic"
	case *ast.SelectorExpr:
		full := nameOf(f.X) + "." + f.Sel.Name
		return slices.Contains([]string{"fmt.Errorf", "errors.New", "config.Problem"}, full)
	}
	return false
}

// takesWords says whether a parameter is the words of an error (doing, reason) or of a diagnostic (summary).
func takesWords(f *ast.Field) bool {
	return slices.ContainsFunc(f.Names, func(name *ast.Ident) bool {
		return slices.Contains([]string{"doing", "reason", "summary"}, name.Name)
	})
}

func returns(f *ast.FuncType, is func(string) bool) bool {
	return f.Results != nil &&
		slices.ContainsFunc(f.Results.List, func(r *ast.Field) bool { return is(nameOf(r.Type)) })
}

// isErrorType says whether a type is one of errors by its name.
func isErrorType(name string) bool { return strings.HasSuffix(name, "Error") }

// isFailure says whether a type is one of errors or diagnostics.
func isFailure(name string) bool {
	return name == "error" || isErrorType(name) || name == "Diagnostic" || name == "Diagnostics"
}

// makesDiagnostic says whether a function makes one, to report it rather than to return it.
func makesDiagnostic(body *ast.BlockStmt) (makes bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.CompositeLit:
			makes = makes || nameOf(x.Type) == "Diagnostic"
		case *ast.CallExpr:
			f, is := x.Fun.(*ast.SelectorExpr)
			makes = makes || is && nameOf(f.X)+"."+f.Sel.Name == "config.Problem"
		}
		return true
	})
	return makes
}

// errorWords are the names of functions and constants that end in the reason or the cure of an error, or are handed to
// what makes one.
func errorWords(files []*ast.File, makers map[string]bool) map[string]bool {
	words := map[string]bool{}
	take := func(list ...ast.Expr) {
		for _, e := range list {
			ast.Inspect(e, func(n ast.Node) bool {
				if id, is := n.(*ast.Ident); is {
					words[id.Name] = true
				}
				return true
			})
		}
	}
	isWords := func(e ast.Expr) bool { return slices.Contains([]string{"Reason", "Cure"}, nameOf(e)) }
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.AssignStmt:
				if slices.ContainsFunc(x.Lhs, isWords) {
					take(x.Rhs...)
				}
			case *ast.CallExpr:
				if makers[nameOf(x.Fun)] {
					take(x.Args...)
				}
			case *ast.KeyValueExpr:
				if isWords(x.Key) {
					take(x.Value)
				}
			case *ast.FuncDecl:
				if !returns(x.Type, isKind) {
					return true
				}
				ast.Inspect(x, func(n ast.Node) bool {
					if r, is := n.(*ast.ReturnStmt); is {
						take(r.Results...)
					}
					return true
				})
			}
			return true
		})
	}
	return words
}

// isKind says whether a type is the kind of an error, which functions return with the words of one.
func isKind(name string) bool { return name == "ErrorKind" }

// isOfError says whether a node is a function that returns an error or the kind of one, or gives words of one.
func isOfError(n ast.Node, words map[string]bool) bool {
	switch x := n.(type) {
	case *ast.FuncDecl:
		return words[x.Name.Name] || returns(x.Type, func(name string) bool {
			return isFailure(name) || isKind(name) || name == "failure" // the error of a call, with what may be tried again
		})
	case *ast.ValueSpec:
		return slices.ContainsFunc(x.Names, func(name *ast.Ident) bool { return words[name.Name] })
	}
	return false
}

// nameOf is the last word of a name such as state.Error or *hcl.Diagnostic; "": it is none.
func nameOf(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.StarExpr:
		return nameOf(x.X)
	}
	return ""
}

// isExcused says whether the words in a node are those of an error or of a diagnostic, or no words at all.
func isExcused(n ast.Node, makers map[string]bool) bool {
	switch x := n.(type) {
	case *ast.ImportSpec:
		return true
	case *ast.Field:
		return x.Tag != nil
	case *ast.CallExpr:
		return makesErrors(x) || makers[nameOf(x.Fun)]
	case *ast.CompositeLit:
		name := nameOf(x.Type)
		return isErrorType(name) || strings.HasPrefix(name, "Diagnostic")
	case *ast.FuncDecl:
		return x.Name.Name == "Error" && x.Recv != nil
	}
	return false
}
