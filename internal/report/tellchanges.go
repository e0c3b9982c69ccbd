package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

var signs = map[state.Action]string{
	state.ActionCreate: "+", state.ActionUpdate: "~", state.ActionRecover: "~", state.ActionDelete: "-",
	state.ActionReplace: "-+", state.ActionAdopt: "~", state.ActionForget: ".", state.ActionRecord: ".",
}

// objectLine is what becomes of a declared object.
type objectLine struct {
	sign, address string
	texts         []string // what it is and what of it changes; empty where only its record does
	where         string   // the place of its block; "" where it has none
}

func (t *telling) object(o plan.ObjectChange) objectLine {
	l := objectLine{sign: signs[o.Action], address: t.words.escape(string(o.Address))}
	l.texts = t.words.object(o, t.context.Objects.Said[o.Address], t.isRollback())
	if at, known := t.context.Objects.Where[o.Address]; known {
		l.where = t.words.escape(fmt.Sprintf("%s:%d", at.File, at.Line))
	}
	return l
}

// alike counts objects of one block of which the same is said.
type alike map[string]int

// add counts one more and says how many there are.
func (a alike) add(o plan.ObjectChange, what string) int {
	key := o.Address.Block() + " " + what
	a[key]++
	return a[key]
}

// blocks names the blocks of some objects.
func (v *voice) blocks(list []plan.ObjectChange) (names []string) {
	there := map[string]bool{}
	for _, o := range list {
		if name := o.Address.Block(); !there[name] {
			there[name] = true
			names = append(names, v.escape(name))
		}
	}
	return names
}

// part says whom a part of the plan is about.
func (v *voice) part(p part) string {
	switch p.Kind {
	case plan.SegmentRelease:
		return "users whose person has the address that another user has now"
	case plan.SegmentFollow:
		return "users moved before, whose row changed"
	case plan.SegmentWithdraw:
		return "users who are not moved and got in all the same"
	case plan.SegmentRestore:
		return "users moved under wave " + v.escape(p.Wave)
	}
	return "wave." + v.escape(p.Wave)
}

// figureTable is what happens to the users of a part: one line a figure that it has, in the order of figures.
type figureTable struct {
	tenants []string // whose figures stand in columns of their own, those with most users first
	others  int      // tenants that share a column behind them
	all     bool     // the last column is the sum, as there is more than one tenant
	lines   []figureCounts
}

type figureCounts struct {
	label   string
	tenants []int64
	others  int64
	all     int64
}

// figures are what happens to the users of a part by tenant, so many of them in columns of their own.
func (v *voice) figures(one part, most int) figureTable {
	list := bySize(one.Tenants)
	shown := list
	if len(list) > most+1 {
		shown = list[:most]
	}
	t := figureTable{others: len(list) - len(shown), all: len(list) > 1}
	for _, tenant := range shown {
		t.tenants = append(t.tenants, v.tenant(tenant))
	}
	for _, f := range figures() {
		all := one.All[f.Figure]
		if all == 0 || one.repeats(f.Figure) {
			continue
		}
		c := figureCounts{label: f.label, all: all, others: all}
		for _, tenant := range shown {
			n := tenant.Figures[f.Figure]
			c.tenants, c.others = append(c.tenants, n), c.others-n
		}
		t.lines = append(t.lines, c)
	}
	return t
}

// bySize sorts tenants by their users, most first; of the same size by slug.
func bySize(list []plan.TenantFigures) []plan.TenantFigures {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b plan.TenantFigures) int {
		return cmp.Or(cmp.Compare(b.Figures[plan.FigureUsers], a.Figures[plan.FigureUsers]),
			strings.Compare(a.Slug, b.Slug), bytes.Compare(a.Tenant[:], b.Tenant[:]))
	})
	return list
}

func (v *voice) tenant(t plan.TenantFigures) string {
	if t.Slug == "" {
		return "(tenant gone)"
	}
	return v.escape(t.Slug)
}
