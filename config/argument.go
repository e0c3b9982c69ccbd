package config

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"anthill/internal/regex"
)

func reflectReference() reflect.Type { return reflect.TypeFor[reference]() }

// reader reads the arguments of one block. What is wrong is reported to the evaluator; the zero value comes back
// then, and where an argument is not given and has no default, or is not known yet.
type reader struct {
	e  *evaluator
	n  *node
	sc scope
}

func (e *evaluator) reader(n *node, sc scope) reader { return reader{e, n, sc} }

// at is the place of an argument, or of the block where it is not given.
func (r reader) at(name string) hcl.Range {
	if a := r.n.args[name]; a != nil && !r.n.spec.argument(name).Secret {
		return a.Expr.Range()
	}
	return r.n.at
}

// get evaluates an argument or its default. given is false where there is neither, and where it is null.
func (r reader) get(name string) (val cty.Value, given bool) {
	spec := r.spec(name)
	a := r.n.args[name]
	if a == nil {
		return defaultOf(spec)
	}
	before := len(r.e.diags)
	val, ok := r.e.value(a.Expr, r.sc)
	if !ok {
		if spec.Secret {
			r.hide(before, name)
		}
		return cty.NilVal, false
	}
	if !val.IsNull() {
		return val, true
	}
	if spec.NotNull || spec.Required {
		r.e.fail(r.at(name), "Null value", "The argument %q%s is null. Give it a value%s.", name, r.n.spec.where(),
			orLeaveOut(spec))
		return cty.NilVal, false
	}
	return defaultOf(spec)
}

// spec is the description of an argument. It must be there, and of one of the types if any are given: otherwise the
// table of blocks and the code that reads them disagree.
func (r reader) spec(name string, types ...ArgumentType) *Argument {
	spec := r.n.spec.argument(name)
	if spec == nil || len(types) > 0 && !slices.Contains(types, spec.Type) {
		panic(fmt.Sprintf("config: the argument %s of %s is read in another way than it is described", name,
			r.n.spec.Type))
	}
	return spec
}

// hide takes the details of errors away that were reported since: they may quote a secret. That a variable has no value
// quotes nothing.
func (r reader) hide(since int, name string) {
	for i, d := range r.e.diags[since:] {
		if r.e.m.isLacking(d) {
			continue
		}
		c := *d
		c.Detail = fmt.Sprintf("The argument %q%s cannot be worked out. It may hold a secret, so no more is shown.",
			name, r.n.spec.where())
		c.Subject, c.Context, c.Expression, c.EvalContext = &r.n.at, nil, nil, nil
		r.e.diags[since+i] = &c
	}
}

func orLeaveOut(spec *Argument) string {
	if spec.Required {
		return ""
	}
	return " or leave it out"
}

func defaultOf(spec *Argument) (cty.Value, bool) {
	if spec.Default == "" {
		return cty.NilVal, false
	}
	expr, diags := hclsyntax.ParseExpression([]byte(spec.Default), "default", hcl.InitialPos)
	if diags.HasErrors() {
		panic("config: default of " + spec.Name + ": " + diags.Error())
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		panic("config: default of " + spec.Name + ": " + diags.Error())
	}
	return v, true
}

// primitive converts an argument to a primitive type. known is false for what is not given, wrong or unknown.
func (r reader) primitive(name string, t cty.Type, needed string) (val cty.Value, known bool) {
	v, given := r.get(name)
	if !given {
		return cty.NilVal, false
	}
	if t == cty.Number && !r.e.meter.asNumber(r.at(name), v) {
		r.e.diags = append(r.e.diags, r.e.meter.over)
		return cty.NilVal, false
	}
	c, err := convert.Convert(v, t)
	if err != nil {
		// describe and not err: an error of conversion may quote the value.
		r.wrong(name, "%s is needed, not %s", needed, describe(v))
		return cty.NilVal, false
	}
	if r.sc.static && !c.IsKnown() {
		r.e.fail(r.at(name), "Value not known",
			"The argument %q%s must be known before anything is read, and it depends on data.", name, r.n.spec.where())
	}
	return c, c.IsKnown()
}

func (r reader) wrong(name, format string, args ...any) {
	r.e.fail(r.at(name), "Invalid value", "The argument %q%s: %s.", name, r.n.spec.where(),
		fmt.Sprintf(format, args...))
}

func (r reader) text(name string) string {
	s, _ := r.optionalText(name)
	return s
}

// optionalText tells an argument that was given from one that was not.
func (r reader) optionalText(name string) (s string, known bool) {
	r.spec(name, String, Duration, Time, Date)
	v, known := r.primitive(name, cty.String, "a text")
	if !known {
		return "", false
	}
	s = v.AsString()
	if strings.ContainsRune(s, 0) {
		r.wrong(name, "it holds a NUL, which no database keeps")
		return "", false
	}
	return s, r.allowed(name, s)
}

// allowed checks a value against the set of values of the argument.
func (r reader) allowed(name, s string) bool {
	spec := r.n.spec.argument(name)
	if spec.OneOf != nil && !slices.Contains(spec.OneOf, s) {
		r.wrong(name, "%s is needed, not %q", quoteList(spec.OneOf), s)
		return false
	}
	return true
}

// nonEmpty is text that must not be empty where it is given.
func (r reader) nonEmpty(name string) string {
	s, known := r.optionalText(name)
	if known && strings.TrimSpace(s) == "" {
		r.wrong(name, "it is empty")
	}
	return s
}

func (r reader) bool(name string) bool {
	r.spec(name, Bool)
	v, known := r.primitive(name, cty.Bool, "true or false")
	return known && v.True()
}

func (r reader) percent(name string) (float64, bool) {
	r.spec(name, Percent)
	v, known := r.primitive(name, cty.Number, "a number from 0 to 100")
	if !known {
		return 0, false
	}
	f, _ := v.AsBigFloat().Float64()
	if f < 0 || f > 100 {
		r.wrong(name, "a number from 0 to 100 is needed, not %s", shortNumber(v))
		return 0, false
	}
	return f, true
}

func (r reader) count(name string) int64 {
	r.spec(name, Count)
	v, known := r.primitive(name, cty.Number, "a whole number, 0 or more,")
	if !known {
		return 0
	}
	n, acc := v.AsBigFloat().Int64()
	if acc != big.Exact || n < 0 {
		r.wrong(name, "a whole number, 0 or more, is needed, not %s", shortNumber(v))
		return 0
	}
	return n
}

// shortNumber writes a number of any size in few characters.
func shortNumber(v cty.Value) string { return v.AsBigFloat().Text('g', 10) }

// strings reads a set of texts, sorted. nil: not given; empty and not nil: an empty set. known is false where it is not
// given, wrong or not known yet.
func (r reader) strings(name string) (list []string, known bool) {
	r.spec(name, Strings)
	v, given := r.get(name)
	if !given {
		return nil, false
	}
	if t := v.Type(); !t.IsListType() && !t.IsSetType() && !t.IsTupleType() && t != cty.DynamicPseudoType {
		r.wrong(name, "a list or set of texts is needed, not %s", describe(v))
		return nil, false
	}
	if !v.IsWhollyKnown() {
		return nil, false
	}
	list = []string{}
	for _, item := range v.AsValueSlice() {
		s, err := textOf(item)
		if err != nil {
			r.wrong(name, "a list or set of texts is needed, and one of its elements is %s", describe(item))
			return nil, false
		}
		if !r.allowed(name, s) {
			return nil, false
		}
		list = append(list, s)
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

var durationForm = regex.Lazy(`^([0-9]{1,7})([smhd])$`)

func (r reader) duration(name string) time.Duration {
	d, _ := r.span(name)
	return d
}

// span tells a duration from one that is not given, wrong or not known yet.
func (r reader) span(name string) (d time.Duration, known bool) {
	r.spec(name, Duration)
	s, known := r.optionalText(name)
	if !known {
		return 0, false
	}
	d, ok := ParseDuration(s)
	if meant := MeantDuration(s); !ok && meant != "" {
		r.wrong(name, "%q is no duration: write %q", s, meant)
	} else if !ok {
		r.wrong(name, "a duration is needed, like \"90s\", \"15m\", \"8h\" or \"7d\", not %q", s)
	}
	return d, ok
}

// wordedDuration is a number that may have a fraction, with a unit that may be written out.
var wordedDuration = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`(?i)^([0-9]{1,7}(?:\.[0-9]{1,7})?) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)$`)
})

// MeantDuration is what was probably meant by a text that is no duration, as ParseDuration takes it: "36h" for "1.5
// days". "" where nothing comes near, or no whole number of seconds.
func MeantDuration(s string) string {
	part := wordedDuration().FindStringSubmatch(s)
	if part == nil {
		return ""
	}
	n, err := strconv.ParseFloat(part[1], 64)
	units := []string{"1d", "1h", "1m", "1s"}
	at := slices.Index(units, "1"+strings.ToLower(part[2][:1]))
	unit, _ := ParseDuration(units[at])
	// A fraction of a day has no exact form, and neither have its seconds.
	total := time.Duration(math.Round(n*unit.Seconds())) * time.Second
	if err != nil || math.Abs(n*unit.Seconds()-total.Seconds()) > 1e-3 {
		return ""
	}
	for _, u := range units[at:] {
		if unit, _ := ParseDuration(u); total%unit == 0 {
			meant := strconv.FormatInt(int64(total/unit), 10) + u[1:]
			if _, ok := ParseDuration(meant); ok {
				return meant
			}
		}
	}
	return ""
}

// ParseDuration reads a duration as a configuration writes it: a whole number of s, m, h or d (24 hours). ok is false,
// and the duration 0, for anything else.
func ParseDuration(s string) (_ time.Duration, ok bool) {
	part := durationForm().FindStringSubmatch(s)
	if part == nil {
		return 0, false
	}
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	n, err := strconv.ParseInt(part[1], 10, 64)
	if unit := units[part[2]]; err == nil && n <= math.MaxInt64/int64(unit) {
		return time.Duration(n) * unit, true
	}
	return 0, false
}

func (r reader) time(name string) time.Time {
	r.spec(name, Time)
	s, known := r.optionalText(name)
	if !known {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.IsZero() {
		r.wrong(name, "a time is needed as in RFC 3339, like \"2027-03-01T09:00:00Z\", not %q", s)
		return time.Time{}
	}
	return t.UTC()
}

// date is a day, which begins at midnight in UTC, or a time.
func (r reader) date(name string) time.Time {
	r.spec(name, Date)
	s, known := r.optionalText(name)
	if !known {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && !t.IsZero() {
			return t.UTC()
		}
	}
	r.wrong(name, "a day is needed, like \"2027-03-01\", or a time as in RFC 3339, not %q", s)
	return time.Time{}
}

// one and several read references; nil where they are wrong or not given.
func (r reader) one(name string) string {
	if list := r.refs(name, false); len(list) == 1 {
		return list[0]
	}
	return ""
}

func (r reader) several(name string) []string { return r.refs(name, true) }

func (r reader) refs(name string, list bool) []string {
	a := r.n.args[name]
	if a == nil {
		return nil
	}
	names, _ := r.e.references(a.Expr, r.spec(name, Reference, References).Refers, list)
	return names
}
