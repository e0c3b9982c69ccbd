package objects

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"anthill/planner/plan"
	"anthill/state"
)

// strengths are the attributes of an account policy by which one is stronger than another, and how Self-auth folds the
// values of all groups that an account is in (F37 in docs/selfauth-facts.md): the strongest holds.
func strengths() []strength {
	return []strength{
		{state.AttrCredentialMinimum, func(s string) int64 { return int64(slices.Index(credentials(), s)) }},
		{state.AttrPasswordMinimum, number},
		{state.AttrSessionExpiry, func(s string) int64 { return -number(s) }},
		{state.AttrPrivilegeExpiry, func(s string) int64 { return -number(s) }},
	}
}

type strength struct {
	name state.Attribute
	of   func(value string) int64 // more is stronger; of a value that is set
}

// credentials are the kinds of credentials that can be demanded, the weakest first.
func credentials() []string {
	return []string{"any", "external", "mfa", "passkey", "attested_passkey", "attested_residentkey", "invalid"}
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // as Self-auth writes it
	return n
}

// compare compares two values; one that is not set demands nothing.
func (s strength) compare(a, b state.Value) int {
	switch {
	case !a.IsSet() && !b.IsSet():
		return 0
	case !a.IsSet():
		return -1
	case !b.IsSet():
		return 1
	}
	return cmp.Compare(s.of(a.Text), s.of(b.Text))
}

// policyNotes says which account policies demand less than before, and which change and demand what all persons must do
// anyway, by the policies of the groups that everybody is in. What the token is not shown of those says nothing.
func (p *forward) policyNotes() (notes []state.Finding) {
	for _, c := range p.out.Changes {
		if c.Kind != state.KindPolicy || c.Action == state.ActionForget {
			continue
		}
		if less := weaker(c); len(less) > 0 {
			notes = append(notes, state.About(state.CodePolicyWeaker, state.Of(c.Address), state.List(state.KeyAttributes, less...)))
		}
		for _, s := range strengths() {
			if s.name == state.AttrCredentialMinimum && p.raised(s, c) {
				notes = append(notes, state.About(state.CodeMinimumRaised, state.Of(c.Address)))
			}
			if group := p.coveredBy(s, c.Will[s.name]); group != "" {
				notes = append(notes, state.About(state.CodePolicyNoEffect, state.Of(c.Address),
					state.Text(state.KeyAttribute, string(s.name)), state.Text(state.KeyGroup, group)))
			}
		}
	}
	return foldInstances(notes)
}

// foldInstances says once, with their number, what notes say of several instances of a block.
func foldInstances(notes []state.Finding) (list []state.Finding) {
	for len(notes) > 0 {
		first := notes[0]
		block := state.Of(state.Address(state.Address(first.Subject.Name).Block()))
		alike := func(f state.Finding) bool {
			return f.Code == first.Code && state.Address(f.Subject.Name).Block() == block.Name && reflect.DeepEqual(f.Args, first.Args)
		}
		before := len(notes)
		notes = slices.DeleteFunc(notes, alike)
		if n := before - len(notes); n > 1 {
			first.Subject = block
			first = first.Times(int64(n))
		}
		list = append(list, first)
	}
	return list
}

// weaker are the attributes of which a change leaves less. What was not there was no weaker.
func weaker(c plan.ObjectChange) (less []string) {
	for _, s := range strengths() {
		// Will has what is written: an attribute that it does not name stays, unless all of it goes.
		will, written := c.Will[s.name]
		if (written || c.Will == nil) && s.compare(will, c.Was[s.name]) < 0 {
			less = append(less, string(s.name))
		}
	}
	return less
}

// raised reports whether a policy demands more of credentials than before, and than everybody must have anyway.
func (p *forward) raised(s strength, c plan.ObjectChange) bool {
	will, was := c.Will[s.name], c.Was[s.name]
	if !was.IsSet() {
		was = state.TextValue(credentials()[0]) // anything will do
	}
	return s.compare(will, was) > 0 && p.coveredBy(s, will) == ""
}

// coveredBy is a group that everybody is in and that demands as much as a value; "" where none does.
func (p *forward) coveredBy(s strength, v state.Value) string {
	if !v.IsSet() {
		return ""
	}
	for _, name := range []string{"idm_all_persons", "idm_all_accounts"} {
		all := p.Index.Groups[p.Index.ByName[name]]
		if all.Builtin && s.compare(all.Policy[s.name], v) >= 0 {
			return name
		}
	}
	return ""
}
