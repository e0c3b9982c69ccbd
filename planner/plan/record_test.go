package plan_test

import (
	"testing"

	"anthill/planner/plan"
	"anthill/state"
)

// TestSoundRefresh: a refresh records objects as they are, of what was written, and does nothing else; no other plan does that,
// but for a rollback of one.
func TestSoundRefresh(t *testing.T) {
	t.Parallel()
	text, set := state.TextValue, func(name, description string) state.Attributes {
		return state.Attributes{state.AttrName: state.TextValue(name), state.AttrDescription: state.TextValue(description)}
	}
	// changed is a group of which the description is recorded as it is found.
	changed := func(edit func(*plan.ObjectChange)) plan.ObjectChange {
		before := state.Object{Address: "group.a", Kind: state.KindGroup, ID: id(1), Generation: 1, Attributes: set("a", "ours")}
		after := before
		after.Attributes = set("a", "theirs")
		c := plan.ObjectChange{Address: "group.a", Kind: state.KindGroup, Action: state.ActionRecord, Before: &before, After: &after,
			Was:  state.Attributes{state.AttrDescription: text("theirs")},
			Will: state.Attributes{state.AttrDescription: text("theirs")}}
		edit(&c)
		return c
	}
	gone := func(edit func(*plan.ObjectChange)) plan.ObjectChange {
		c := changed(func(*plan.ObjectChange) {})
		c.Was, c.Will, c.After.Attributes, c.After.Deleted = nil, nil, c.Before.Attributes, true
		edit(&c)
		return c
	}
	as := func(*plan.ObjectChange) {}
	for name, c := range map[string]struct {
		change plan.ObjectChange
		sound  bool
	}{
		"changed": {changed(as), true},
		"gone":    {gone(as), true},
		"taken away": {changed(func(c *plan.ObjectChange) {
			c.Was[state.AttrDescription] = state.Value{}
			c.Will[state.AttrDescription] = state.Value{}
			c.After.Attributes = set("a", "")
		}), true},
		"written":            {changed(func(c *plan.ObjectChange) { c.Will = state.Attributes{state.AttrDescription: text("new")} }), false},
		"recorded otherwise": {changed(func(c *plan.ObjectChange) { c.After.Attributes = set("a", "new") }), false},
		"nothing": {changed(func(c *plan.ObjectChange) {
			c.Was, c.Will, c.After.Attributes = state.Attributes{}, state.Attributes{}, c.Before.Attributes
		}), false},
		"another one":        {changed(func(c *plan.ObjectChange) { c.After.ID = id(2) }), false},
		"ours no more":       {changed(func(c *plan.ObjectChange) { c.After.Adopted = true }), false},
		"another rule":       {changed(func(c *plan.ObjectChange) { c.After.Members.All = true }), false},
		"not ours":           {changed(func(c *plan.ObjectChange) { delete(c.Before.Attributes, state.AttrDescription) }), false},
		"was not recorded":   {changed(func(c *plan.ObjectChange) { c.Before = nil }), false},
		"forgotten":          {changed(func(c *plan.ObjectChange) { c.After = nil }), false},
		"moved":              {changed(func(c *plan.ObjectChange) { c.From = "group.b" }), false},
		"a mapping row goes": {changed(func(c *plan.ObjectChange) { c.Unmap = append(c.Unmap, id(1)) }), false},
		"back again":         {changed(func(c *plan.ObjectChange) { c.Before.Deleted = true }), false},
		"gone and there":     {gone(func(c *plan.ObjectChange) { c.Was, c.Will = state.Attributes{}, state.Attributes{} }), false},
		"gone and changed":   {gone(func(c *plan.ObjectChange) { c.After.Attributes = set("a", "theirs") }), false},
		"a tenant that is gone": {gone(func(c *plan.ObjectChange) {
			c.Address, c.Kind = "tenant.a", state.KindTenant
			c.Before.Address, c.After.Address = c.Address, c.Address
			c.Before.Kind, c.After.Kind = c.Kind, c.Kind
		}), false},
		"an update": {changed(func(c *plan.ObjectChange) { c.Action = state.ActionUpdate }), false},
	} {
		e := plan.Effects{Kind: state.RunRefresh, Objects: []plan.ObjectChange{c.change}}
		if e.Sound() != c.sound {
			t.Errorf("%s: sound is %v", name, !c.sound)
		}
		if e.Kind = state.RunApply; c.change.Action == state.ActionRecord && e.Sound() {
			t.Errorf("%s: another plan records", name)
		}
	}
	for name, e := range map[string]plan.Effects{
		"a wave":     {Waves: []plan.WaveEffect{{Name: "w"}}},
		"brakes":     {Brakes: []state.Brakes{{Wave: "w"}}},
		"braked":     {Braked: state.Digest{1}},
		"policies":   {Policies: []state.Policy{{Name: "p"}}},
		"users":      {Segments: []plan.Segment{{Kind: plan.SegmentFollow, Users: 1}}},
		"an undo":    {Undo: &plan.Undoing{}},
		"a moment":   {After: &plan.Moment{}},
		"the schema": {Schema: []string{"columns"}},
	} {
		if e.Kind = state.RunRefresh; e.Sound() {
			t.Errorf("a refresh with %s is sound", name)
		}
	}
	back := changed(func(c *plan.ObjectChange) {
		c.Before, c.After = c.After, c.Before
		c.Was, c.Will = state.Attributes{}, state.Attributes{}
	})
	e := plan.Effects{Kind: state.RunRollback, Undo: &plan.Undoing{}, After: &plan.Moment{}, Objects: []plan.ObjectChange{back}}
	if !e.Sound() {
		t.Error("a refresh cannot be taken back")
	}
	e.Objects[0].Will = state.Attributes{state.AttrDescription: text("ours")}
	if e.Sound() {
		t.Error("it writes")
	}
}
