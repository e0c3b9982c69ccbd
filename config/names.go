package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"anthill/state"
)

const (
	maxIdentifier = 63 // bytes of a name in Postgres
	maxValue      = 50 // characters of a method
)

// names reads what is called otherwise in the database than in the naming, by logical names as of state.PhysicalNames; nil: not given,
// or wrong.
func (r reader) names(name, naming string) map[string]string {
	r.spec(name, Names)
	v, given := r.get(name)
	all := state.PhysicalNames(naming)
	if !given || all == nil { // which is told already
		return nil
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		r.wrong(name, "a map of names is needed, like { \"users.email\" = \"E-Mail\" }, not %s", describe(v))
		return nil
	}
	if !v.IsWhollyKnown() {
		r.wrong(name, "it must be known before anything is read, and it depends on data")
		return nil
	}
	at, before := r.places(name), len(r.e.diags)
	own := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(v.AsValueMap())) {
		text, err := textOf(v.AsValueMap()[key])
		if err != nil {
			r.misnamed(at(key), "the name of %q has to be a text, not %s", key, describe(v.AsValueMap()[key]))
			continue
		}
		if _, known := all[key]; !known {
			r.misnamed(at(key), "there is no logical name %q.%s%s", key, didYouMean(key, slices.Collect(maps.Keys(all))), columnsFor(key))
			continue
		}
		if problem := physicalProblem(key, text); problem != "" {
			r.misnamed(at(key), "the name of %q %s", key, problem)
			continue
		}
		own[key] = text
	}
	maps.Copy(all, own)
	r.distinct(all, own, at)
	if len(r.e.diags) > before {
		return nil
	}
	return own
}

func (r reader) misnamed(at hcl.Range, format string, args ...any) {
	r.e.fail(at, "Invalid name", "The argument \"names\"%s: %s.", r.n.spec.where(), strings.TrimSuffix(fmt.Sprintf(format, args...), "."))
}

// places returns where the name of a key stands, and says so of keys that are given twice: the last would win in silence.
func (r reader) places(name string) func(key string) hcl.Range {
	places := map[string]hcl.Range{}
	pairs, _ := hcl.ExprMap(r.n.args[name].Expr)
	for _, p := range pairs {
		key, diags := p.Key.Value(nil)
		if text, err := textOf(key); err == nil && !diags.HasErrors() {
			if first, twice := places[text]; twice {
				r.misnamed(p.Key.Range(), "%q has a name in line %d already", text, first.Start.Line)
			}
			places[text] = p.Value.Range()
		}
	}
	return func(key string) hcl.Range {
		if at, ok := places[key]; ok {
			return at
		}
		return r.at(name)
	}
}

// columnsFor lists what there is of a table, where a key begins with one.
func columnsFor(key string) string {
	table, _, _ := strings.Cut(key, ".")
	columns := state.LogicalColumns()[table]
	switch {
	case table == "values":
		return " There are values.password, values.dual, values.self_auth and values.jwt"
	case columns != nil:
		return " The columns of " + table + " are " + strings.Join(columns, ", ")
	}
	return " A table is " + quoteList(slices.Sorted(maps.Keys(state.LogicalColumns()))) + ", a column \"users.email\", a value \"values.dual\""
}

// physicalProblem says why a thing cannot be called so, "" where it can.
func physicalProblem(key, text string) string {
	value := strings.HasPrefix(key, "values.")
	switch {
	case text == "":
		return "is empty"
	case strings.ContainsRune(text, 0):
		return "holds a NUL, which no database keeps"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "holds a control character"
	case value && len([]rune(text)) > maxValue:
		return fmt.Sprintf("has %d characters, and a value of its column at most %d", len([]rune(text)), maxValue)
	case !value && len(text) > maxIdentifier:
		return fmt.Sprintf("has %d bytes, and Postgres cuts names at %d", len(text), maxIdentifier)
	}
	return ""
}

// distinct refuses two logical names of one thing: tables, columns of one table, values of one column. The places are those of
// what was given.
func (r reader) distinct(all, own map[string]string, at func(string) hcl.Range) {
	spaces := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		table, _, column := strings.Cut(key, ".")
		if !column {
			table = ""
		}
		spaces[table] = append(spaces[table], key)
	}
	for _, space := range slices.Sorted(maps.Keys(spaces)) {
		by := map[string]string{}
		for _, key := range spaces[space] {
			other, taken := by[all[key]]
			by[all[key]] = key
			if !taken {
				continue
			}
			if _, ours := own[key]; !ours {
				key, other = other, key
			}
			r.misnamed(at(key), "%q and %q would both be %q", other, key, all[key])
		}
	}
}
