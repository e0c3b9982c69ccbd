package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

const schemaFile = "../../docs/plan.schema.json"

// TestPlanSchema: docs/plan.schema.json is what the types say that plan -json and show -json write, and what they write
// for each screen that is tested here is valid by it. -update writes it anew.
func TestPlanSchema(t *testing.T) {
	t.Parallel()
	published := publishedSchema(t, schemaFile, reflect.TypeFor[planJSON](), "A plan of Anthill", "What anthill plan -json and anthill show -json write.")
	valid := compiled(t, published)
	apply, back := pilot(), rollback()
	apply.Effects.Raise(plan.LocksOut, 4, state.Found(state.CodeHomeLost).Times(4))
	a, b := apply.save(t), back.save(t)
	d, err := planfile.Compare(a, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"plan":         func(w *bytes.Buffer) error { return PlanJSON(w, a, nil, nil) },
		"rollback":     func(w *bytes.Buffer) error { return PlanJSON(w, b, nil, nil) },
		"nothing":      func(w *bytes.Buffer) error { return PlanJSON(w, newMade(state.RunApply).save(t), nil, nil) },
		"a comparison": func(w *bytes.Buffer) error { return PlanJSON(w, b, a, d) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&out)
		if err == nil {
			err = valid.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It can say no.
	for name, wrong := range map[string]string{
		"nothing at all":     `{}`,
		"another version":    `{"format_version":"2"}`,
		"no list of figures": `{"format_version":"1","plan_id":"","seal":"","blocked":false,"empty":true,"figures":{}}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if valid.Validate(value) == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

// publishedSchema demands that a file of docs is the schema of a type, and returns it. -update writes it anew.
func publishedSchema(t *testing.T, file string, of reflect.Type, title, what string) []byte {
	t.Helper()
	s := &schemaMaker{defs: map[string]any{}, sources: sources(t)}
	root := s.of(of).(map[string]any)
	root = s.defs[strings.TrimPrefix(root["$ref"].(string), "#/$defs/")].(map[string]any)
	delete(s.defs, typeName(of))
	doc := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       title + ", format version " + FormatVersion,
		"description": what + " Within a format version fields may be added; none is removed or given another meaning.",
		"$defs":       s.defs,
	}
	for k, v := range root {
		doc[k] = v
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(published), string(text)); diff != "" {
		t.Fatalf("%s is not what the types say (-published +types); -update writes it:\n%s", file, diff)
	}
	return published
}

func compiled(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemaMaker makes a schema of types, with what their source says of them.
type schemaMaker struct {
	defs    map[string]any
	sources sourceTexts
}

func (s *schemaMaker) of(t reflect.Type) any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[uuid.UUID]():
		return map[string]any{"type": "string", "format": "uuid"}
	case reflect.TypeFor[state.Hash]():
		return map[string]any{"type": "string", "pattern": "^[0-9a-f]{64}$"}
	case reflect.TypeFor[state.Digest]():
		return map[string]any{"type": "string", "pattern": "^[0-9a-f]{32}$"}
	case reflect.TypeFor[state.Value]():
		// A text, a list of texts, or what groups, mapping rows and members are written as.
		return map[string]any{"type": []string{"string", "array", "object"}}
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		// Null where there is nothing and the field is written all the same.
		return map[string]any{"anyOf": []any{s.of(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		if list := s.sources.values[typeName(t)]; len(list) > 0 && !open(t) {
			return map[string]any{"type": "string", "enum": list}
		}
		return map[string]any{"type": "string"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": []string{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.ref(t)
	}
	panic("no such thing is in a plan: " + t.String())
}

// open reports whether a type's values are no closed list: codes of findings and names of figures are added.
func open(t reflect.Type) bool {
	return slices.Contains([]reflect.Type{
		reflect.TypeFor[state.Code](), reflect.TypeFor[state.Key](), reflect.TypeFor[plan.Figure](), reflect.TypeFor[state.SubjectKind](),
	}, t)
}

func typeName(t reflect.Type) string { return filepath.Base(t.PkgPath()) + "." + t.Name() }

func (s *schemaMaker) ref(t reflect.Type) any {
	name := typeName(t)
	ref := map[string]any{"$ref": "#/$defs/" + name}
	if _, begun := s.defs[name]; begun {
		return ref
	}
	s.defs[name] = nil
	properties, required := map[string]any{}, []string{}
	s.fields(t, properties, &required)
	slices.Sort(required)
	def := map[string]any{"type": "object", "properties": properties, "required": required}
	if text := s.sources.comments[name]; text != "" {
		def["description"] = text
	}
	s.defs[name] = def
	return ref
}

func (s *schemaMaker) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		if f.Anonymous && name == "" && embedded.Kind() == reflect.Struct {
			s.fields(embedded, properties, required)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			panic(t.String() + "." + f.Name + " has no name in JSON")
		}
		p := s.of(f.Type)
		if text := s.sources.comments[typeName(t)+"."+f.Name]; text != "" {
			p = described(p, text)
		}
		if name == "format_version" {
			p.(map[string]any)["const"] = FormatVersion
		}
		properties[name] = p
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

// described is a schema with a description.
func described(p any, text string) any {
	m := map[string]any{"description": text}
	for k, v := range p.(map[string]any) {
		m[k] = v
	}
	return m
}

// sourceTexts are what the source says: of types and fields, and the values that named texts have.
type sourceTexts struct {
	comments map[string]string // "plan.Effects", "plan.Effects.Kind"
	values   map[string][]string
}

// sources reads the packages of which types are in a plan.
func sources(t *testing.T) sourceTexts {
	t.Helper()
	s := sourceTexts{map[string]string{}, map[string][]string{}}
	for _, dir := range []string{"../../state", "../../providers", "../../planner/plan", "../../planner/planfile", "../survey", "."} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					s.take(f.Name.Name, g)
				}
			}
		}
	}
	for _, list := range s.values {
		slices.Sort(list)
	}
	return s
}

func (s *sourceTexts) take(pkg string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			name := pkg + "." + spec.Name.Name
			s.comments[name] = oneLine(g.Doc)
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, n := range f.Names {
						s.comments[name+"."+n.Name] = oneLine(f.Comment)
					}
				}
			}
		case *ast.ValueSpec:
			of, ok := spec.Type.(*ast.Ident)
			if g.Tok != token.CONST || !ok || len(spec.Values) != 1 {
				continue
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				v, err := strconv.Unquote(lit.Value)
				if err != nil {
					panic(fmt.Sprint(lit.Value, err))
				}
				s.values[pkg+"."+of.Name] = append(s.values[pkg+"."+of.Name], v)
			}
		}
	}
}

func oneLine(c *ast.CommentGroup) string {
	if c == nil {
		return ""
	}
	return strings.Join(strings.Fields(c.Text()), " ")
}
