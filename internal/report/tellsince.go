package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// contrast is what two plans do differently, in words for one form.
type contrast struct {
	*planfile.Diff
	old, new *telling
}

// compared puts a comparison into words; each plan has a voice of its own, as each names its own groups.
func compared(old, new *view, d *planfile.Diff, voice func() *voice) *contrast {
	return &contrast{d, old.tell(voice(), ""), new.tell(voice(), "")}
}

func alikeTargets(old, new *planfile.File) bool { return old.Effects().Target == new.Effects().Target }

// verdict says whether the plans do the same, and what follows for an approval.
func (c *contrast) verdict() (verdict, follows string) {
	if c.Same {
		return "Both plans do the same", ": they have one plan ID, and an approval of the one is one of the other."
	}
	return "The plans do not do the same", ": an approval of the old one is none of the new one."
}

// approval says whether an approval of the old plan stands.
func (c *contrast) approval() string {
	old := c.new.words.escape(c.old.id.Short())
	if c.Same {
		return "Does the same as the plan approved before (" + old + "): the approval stands."
	}
	return "Since the plan approved before (" + old + "): " + strings.Join(c.counts(), "; ") +
		". The approval does not hold for this one."
}

// changeOf is what the new plan does with an object, or else the old one; of a step of the schema its address alone.
func changeOf(o planfile.ObjectDiff) plan.ObjectChange {
	if c := cmp.Or(o.New, o.Old); c != nil {
		return *c
	}
	return plan.ObjectChange{Address: o.Address}
}

// counts say how many users, objects and steps of the schema there are, by what became of them.
func (c *contrast) counts() (list []string) {
	for _, one := range []struct {
		what string
		n    planfile.DiffCounts
	}{{"users", c.Users}, {"objects", c.Objects}, {"schema steps", c.Steps}} {
		var all int64
		for _, k := range one.n {
			all += k
		}
		if all > 0 {
			list = append(list, one.what+": "+diffCounts(one.n))
		}
	}
	if len(list) == 0 {
		list = append(list, "neither changes a user or an object")
	}
	return list
}

func diffCounts(n planfile.DiffCounts) string {
	s := fmt.Sprintf("%s new, %s gone, %s otherwise, %s the same", count(n[planfile.DiffNew]), count(n[planfile.DiffGone]),
		count(n[planfile.DiffChanged]), count(n[planfile.DiffSame]+n[planfile.DiffRebased]))
	if r := n[planfile.DiffRebased]; r > 0 {
		s += " (of " + plural(r, "one", count(r)) + " of these the row has changed since)"
	}
	return s
}

// differing are the waves and tenants in which something differs, most first.
func (c *contrast) differing() []planfile.TenantDiff {
	differ := func(t planfile.TenantDiff) int64 {
		return t.Users[planfile.DiffNew] + t.Users[planfile.DiffGone] + t.Users[planfile.DiffChanged] +
			t.Users[planfile.DiffRebased]
	}
	list := slices.DeleteFunc(slices.Clone(c.Tenants), func(t planfile.TenantDiff) bool { return differ(t) == 0 })
	slices.SortStableFunc(list, func(a, b planfile.TenantDiff) int { return cmp.Compare(differ(b), differ(a)) })
	return list
}

// diffKinds are the columns of a table of users, in their order.
func diffKinds() []planfile.DiffKind {
	return []planfile.DiffKind{planfile.DiffNew, planfile.DiffGone, planfile.DiffChanged, planfile.DiffRebased,
		planfile.DiffSame}
}

func diffColumns() (list []string) {
	for _, k := range diffKinds() {
		list = append(list, diffSigns[k])
	}
	return list
}

func diffCells(t planfile.TenantDiff) (list []string) {
	for _, k := range diffKinds() {
		list = append(list, count(t.Users[k]))
	}
	return list
}

var diffSigns = map[planfile.DiffKind]string{
	planfile.DiffNew: "new", planfile.DiffGone: "gone", planfile.DiffChanged: "otherwise",
	planfile.DiffRebased: "row changed", planfile.DiffSame: "same",
}

// sortOf names the users of a sort of segment.
func (v *voice) sortOf(kind plan.SegmentKind, wave string) string {
	switch kind {
	case plan.SegmentRelease:
		return "addresses given up"
	case plan.SegmentFollow:
		return "moved before"
	case plan.SegmentMail:
		return "mails of wave." + v.escape(wave)
	case plan.SegmentAnnounce:
		return "announcements of wave." + v.escape(wave)
	case plan.SegmentWithdraw:
		return "not moved"
	case plan.SegmentRestore:
		return "taken back from " + v.escape(wave)
	}
	return "wave." + v.escape(wave)
}

// object says what a plan does with an object, or where both do something, what of it is not the same.
func (c *contrast) object(o planfile.ObjectDiff) []string {
	by := func(t *telling, o *plan.ObjectChange) []string { return t.object(*o).texts }
	switch {
	case o.Old == nil:
		return by(c.new, o.New)
	case o.New == nil:
		return by(c.old, o.Old)
	case o.Old.Action == o.New.Action:
		if list := c.new.words.values(o.Old.Will, o.New.Will, o.New.Will.Sorted()...); len(list) > 0 {
			return list
		}
	}
	is, was := strings.Join(by(c.new, o.New), "; "), strings.Join(by(c.old, o.Old), "; ")
	if is == was {
		return []string{"what it relies on has changed"}
	}
	return []string{is, "was: " + signs[o.Old.Action] + " " + was}
}

// besides says what else differs: hazards, and what is under the plan ID besides.
func (c *contrast) besides() (list []string) {
	for _, h := range c.Hazards {
		list = append(list, fmt.Sprintf("hazard %s: %s, was %s", c.new.words.hazard(h.Code), noneOr(h.New),
			noneOr(h.Old)))
	}
	for _, name := range c.Other {
		list = append(list, c.new.words.effectName(name))
	}
	return list
}

// effectName says what else of the effects differs, by its name in JSON.
func (v *voice) effectName(name string) string {
	switch name {
	case "kind":
		return "what they are: a plan, a rollback, a refresh of what is recorded, mails alone, or another target for what is recorded"
	case "target":
		return "the target: servers, database or environment"
	case "was":
		return "the target that what is recorded belongs to so far"
	case "lineage":
		return "the recorded state that they belong to"
	case "not_before":
		return "the time before which apply refuses the plan"
	case "after":
		return "the last run that the rollback knows"
	case "waves":
		return "what becomes of a wave as a whole: its selection, order or limit of failures, or whether it is done then"
	case "brakes":
		return "what holds a wave back: what it waits for, its date, soak or gates, or whether it is enabled or may be empty"
	case "doors":
		return "the clients by which users come in whose password goes, or what their applications ask for"
	case "braked":
		return "what was recorded of that, and of policies, when the plan was made"
	case "policies":
		return "a policy: its method, whom it raises, or until when it promises passwords"
	case "identity":
		return "how names of persons are made, or whether persons follow the status of their rows"
	case "undo":
		return "what the rollback takes back and leaves paused"
	case "wishes":
		return "which brakes of waves are let go once, as somebody wished"
	case "mailings":
		return "which mails go out, how often, and what stands in them"
	case "allowed":
		return "what was allowed"
	case "hazards":
		return "what a hazard is made of"
	case "tenants":
		return "what a tenant is called"
	case "tables":
		return "tenants or groups that the plan names"
	case "groups":
		return "who belongs in a group, or what it is mapped as"
	}
	return v.escape(name)
}
