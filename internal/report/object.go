package report

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// object says what becomes of a declared object, in the plan of a rollback or in another: first what it is and what is
// done, then its values in the order of their names, then what was said of it besides, and where it was recorded
// before. Empty where only its record changes.
func (v *voice) object(c plan.ObjectChange, said []state.Finding, rollback bool) (list []string) {
	if c.Action == state.ActionRecord {
		return v.recordsAs(c)
	}
	if s := v.leading(c, said, rollback); s != "" {
		list = append(list, s)
	}
	switch {
	case c.Action == state.ActionCreate && c.Kind == state.KindClient:
		list = append(list, v.values(nil, c.Will, state.AttrRedirectURLs, state.AttrScopeMaps, state.AttrSupplementalScopes,
			state.AttrClaimMaps)...)
	case c.Action == state.ActionCreate && c.Kind == state.KindPolicy,
		c.Action == state.ActionUpdate, c.Action == state.ActionAdopt, c.Action == state.ActionReplace && rollback:
		list = append(list, v.values(c.Was, c.Will, c.Will.Sorted()...)...)
	}
	if c.Action == state.ActionReplace && !rollback { // of which the type is said already
		list = append(list, v.values(c.Was, c.Will, c.Will.Without(state.AttrType).Sorted()...)...)
	}
	if c.Action == state.ActionDelete && !rollback {
		list = append(list, "no longer declared")
	}
	for _, f := range said {
		if f.Code != state.CodeMembersLose {
			list = append(list, v.say(f))
		}
	}
	if rule := v.rule(c); rule != "" {
		list = append(list, rule)
	}
	if c.From != "" {
		list = append(list, "was "+v.escape(string(c.From)))
	}
	return list
}

// rule says what becomes of the rule by which users belong in a group that was ours before; "" where it stays.
func (v *voice) rule(c plan.ObjectChange) string {
	if c.Before == nil || c.After == nil || c.Before.Deleted || c.After.Deleted ||
		c.Before.Members.Equal(c.After.Members) {
		return ""
	}
	return "members: " + v.members(c.Before.Members) + " -> " + v.members(c.After.Members)
}

// members says which users belong in a group.
func (v *voice) members(m state.Members) (text string) {
	switch {
	case m.All:
		text = "all users"
	case len(m.Roles) > 0:
		text = "users who are " + v.escape(strings.Join(m.Roles, ", "))
	default:
		text = "nobody"
	}
	if m.Full {
		text += ", and nobody else"
	}
	return text
}

// find says the finding of a code; "" where there is none.
func (v *voice) find(said []state.Finding, code state.Code) string {
	i := slices.IndexFunc(said, func(f state.Finding) bool { return f.Code == code })
	if i < 0 {
		return ""
	}
	return v.say(said[i])
}

// leading says what is done with an object as a whole; "" where only values of it change.
func (v *voice) leading(c plan.ObjectChange, said []state.Finding, rollback bool) string {
	name := v.nameOf(c)
	role := ", mapped as " + roleOf(c).String()
	type of struct {
		action state.Action
		kind   state.Kind
	}
	if rollback && c.Action == state.ActionCreate {
		return v.whole(c) + ", made again"
	}
	switch (of{c.Action, c.Kind}) {
	case of{state.ActionCreate, state.KindTenant}:
		return "tenant " + name
	case of{state.ActionRecover, state.KindTenant}:
		if c.Before == nil {
			return "tenant " + name + " is ours already"
		}
	case of{state.ActionAdopt, state.KindTenant}:
		return "tenant " + name + " was there before: what is given here is ours now"
	case of{state.ActionForget, state.KindTenant}:
		return "tenant " + name + " is no longer declared: its row stays"

	case of{state.ActionCreate, state.KindGroup}:
		return "group " + name + role
	case of{state.ActionRecover, state.KindGroup}:
		return "group " + name + " is ours already" + role
	case of{state.ActionAdopt, state.KindGroup}:
		return "group " + name + " was there before: taken over" + role
	case of{state.ActionForget, state.KindGroup}:
		if _, there := c.Will[state.AttrMapping]; there {
			return "group " + name + " was there before us and stays; its mapping row goes"
		}
		return "group " + name + " is gone already; its mapping row goes"

	case of{state.ActionCreate, state.KindPolicy}:
		return "policy enabled"
	case of{state.ActionAdopt, state.KindPolicy}:
		return "the group has a policy already: taken over"

	case of{state.ActionCreate, state.KindClient}:
		return v.escape(c.Will.Text(state.AttrType)) + " client " + name
	case of{state.ActionAdopt, state.KindClient}:
		return "client " + name + " was there before: taken over"
	case of{state.ActionReplace, state.KindClient}:
		if !rollback {
			return v.escape(c.Was.Text(state.AttrType)) + " -> " + v.escape(c.Will.Text(state.AttrType)) +
				": deleted and made again, with a new id and without its secret"
		}

	case of{state.ActionForget, state.KindPolicy}, of{state.ActionForget, state.KindClient}:
		return "there before us or gone already: it stays as it is"
	case of{state.ActionDelete, state.KindPolicy}:
		if !rollback {
			return "policy off, values reset"
		}
		return v.whole(c)
	case of{state.ActionDelete, state.KindClient}:
		if !rollback {
			return "client " + name + " is deleted"
		}
		return v.whole(c)
	case of{state.ActionDelete, state.KindGroup}, of{state.ActionDelete, state.KindTenant}:
		if members := v.find(said, state.CodeMembersLose); members != "" {
			return v.whole(c) + ", " + members
		}
		return v.whole(c)
	}
	return ""
}

// roleOf is the role that a group will be mapped as; where its mapping row is not written, as it is recorded.
func roleOf(c plan.ObjectChange) state.Role {
	if row, written := c.Will[state.AttrMapping]; written {
		return row.Mapping().Role
	}
	return recorded(c).Role()
}

// whole names an object with all that belongs to it.
func (v *voice) whole(c plan.ObjectChange) string {
	switch c.Kind {
	case state.KindGroup:
		return "group " + v.nameOf(c) + " and its mapping row"
	case state.KindPolicy:
		return "policy with its values"
	case state.KindClient:
		return "client " + v.nameOf(c)
	}
	return "tenant " + v.nameOf(c)
}

// recorded is the object as it will be recorded, or as it was; the zero Object where a file has neither.
func recorded(c plan.ObjectChange) state.Object {
	if c.After == nil && c.Before == nil {
		return state.Object{}
	}
	return c.Object()
}

// nameOf is what the other side calls an object: as it is where it goes, as it will be otherwise.
func (v *voice) nameOf(c plan.ObjectChange) string {
	attribute := state.AttrName
	if c.Kind == state.KindTenant {
		attribute = state.AttrSlug
	}
	sides := []state.Attributes{c.Will, recorded(c).Attributes, c.Was}
	if c.Will == nil {
		sides = []state.Attributes{c.Was, recorded(c).Attributes}
	}
	for _, side := range sides {
		if name := side.Text(attribute); name != "" {
			return v.escape(name)
		}
	}
	return v.escape(recorded(c).TenantSlug)
}

// values says what becomes of attributes, of those of the names that change.
func (v *voice) values(was, will state.Attributes, names ...state.Attribute) (list []string) {
	for _, k := range names {
		if !was[k].Equal(will[k]) {
			list = append(list, v.change(k, was[k], will[k]))
		}
	}
	return list
}

// change says what becomes of one attribute.
func (v *voice) change(name state.Attribute, was, will state.Value) string {
	label := v.label(string(name)) + ": "
	switch formOf(name, was, will) {
	case state.FormGrants:
		return label + v.grants(was, will)
	case state.FormList:
		return label + v.list(was, will)
	case state.FormMembers:
		if n := int64(len(will.Members())); n > 0 {
			return strangers(n) + plural(n, " comes back", " come back")
		}
		n := int64(len(was.Members()))
		return strangers(n) + plural(n, " leaves", " leave") + ` (manage = "full")`
	}
	switch {
	case !will.IsSet():
		return label + v.value(was) + " -> not set"
	case !was.IsSet():
		return label + v.value(will)
	}
	return label + v.value(was) + " -> " + v.value(will)
}

// drift says what somebody else made of a value that we wrote.
func (v *voice) drift(f state.Finding) string {
	label, _, live, parts := v.both(f)
	switch {
	case parts != "":
		return label + " were changed (" + parts + ")"
	case !live.IsSet():
		return label + " was taken away"
	}
	return label + " was changed to " + v.value(live)
}

// kept says that Self-auth holds another value than it was given.
func (v *voice) kept(f state.Finding) string {
	label, wrote, live, parts := v.both(f)
	if parts != "" {
		return "Self-auth keeps its " + label + " differently (" + parts + "): declare what it keeps"
	}
	return "Self-auth keeps its " + label + " as " + v.value(live) + " and not as " + v.value(wrote) +
		": declare what it keeps"
}

// both are what we wrote of the attribute that a finding is about, and what is there; parts says in what they differ
// where the value has parts.
func (v *voice) both(f state.Finding) (label string, wrote, live state.Value, parts string) {
	held := func(k state.Key) state.Value {
		if p := f.Arg(k).Value; p != nil {
			return *p
		}
		return state.Value{}
	}
	name := f.Text(state.KeyAttribute)
	wrote, live = held(state.KeyWrote), held(state.KeyLive)
	switch formOf(state.Attribute(name), wrote, live) {
	case state.FormGrants:
		parts = v.grants(wrote, live)
	case state.FormList:
		parts = v.list(wrote, live)
	}
	return v.label(name), wrote, live, parts
}

// formOf is the form of an attribute by the table of kinds; of one that no kind has, by what the values hold.
func formOf(name state.Attribute, values ...state.Value) state.Form {
	for _, k := range state.Kinds() {
		if form := k.Attribute(name).Form; form != state.FormInvalid {
			return form
		}
	}
	for _, v := range values {
		switch {
		case len(v.Grants()) > 0:
			return state.FormGrants
		case len(v.List()) > 0:
			return state.FormList
		case len(v.Members()) > 0:
			return state.FormMembers
		}
	}
	return state.FormText
}

// label is what people call an attribute.
func (v *voice) label(name string) string {
	switch state.Attribute(name) {
	case state.AttrMapping:
		return "mapping row"
	case state.AttrStrangers:
		return "members who do not belong"
	}
	own := slices.ContainsFunc(state.Kinds(), func(k state.KindSpec) bool {
		return k.Attribute(state.Attribute(name)).Form != state.FormInvalid
	})
	label := strings.ReplaceAll(name, "_", " ")
	if own {
		return label
	}
	return v.escape(label)
}

const shownText = 120

// value is a text, JSON or a mapping row as people read it; long JSON is cut.
func (v *voice) value(x state.Value) string {
	switch {
	case x.Mapping() != state.Mapping{}:
		return x.Mapping().Role.String() + " " + v.escape(x.Mapping().Name)
	case len(x.Members()) > 0:
		return strconv.Itoa(len(x.Members()))
	case x.Text == "":
		return "not set"
	}
	if r := []rune(x.Text); len(r) > shownText && strings.Contains("[{", x.Text[:1]) {
		// Two that begin alike are told apart.
		sum := sha256.Sum256([]byte(x.Text))
		return fmt.Sprintf("%s… (%d bytes, SHA-256 %x…)", v.escape(string(r[:shownText])), len(x.Text), sum[:4])
	}
	return v.escape(x.Text)
}

// list says what becomes of a list, and leaves nothing out: the place where an attacker's address stands is as good as
// any.
func (v *voice) list(was, will state.Value) string {
	come := without(will.List(), was.List())
	if !was.IsSet() {
		return v.names(come)
	}
	var parts []string
	for _, s := range come {
		parts = append(parts, "+ "+v.escape(s))
	}
	for _, s := range without(was.List(), will.List()) {
		parts = append(parts, "- "+v.escape(s))
	}
	return strings.Join(v.fewOf(parts), ", ")
}

// without are the texts of a list that another does not have.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

const shownGrants = 4

// grants says what becomes of what the members of groups get. What becomes of several groups alike is said once, so
// that what differs from the rest stands out.
func (v *voice) grants(was, will state.Value) string {
	before, after := v.granted(was), v.granted(will)
	var keys []grantKey
	for k := range before {
		keys = append(keys, k)
	}
	for k := range after {
		if _, both := before[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b grantKey) int { return strings.Compare(a.order(), b.order()) })
	// A hundred tenants have a hundred groups with the same scopes. Each line says one change and the groups it is for; a
	// change that differs, perhaps somebody's mistake, gets a line of its own.
	alike := map[string][]string{} // what becomes of it -> of which groups
	var order []string
	for _, k := range keys {
		a, had := before[k]
		b, has := after[k]
		what := a + " -> " + b
		switch {
		case had && has && a == b:
			continue
		case !had:
			what = "+ " + b
		case !has:
			what = "- " + a
		}
		if alike[what] == nil {
			order = append(order, what)
		}
		alike[what] = append(alike[what], v.place(k))
	}
	slices.Sort(order)
	for i, what := range order {
		groups := alike[what]
		if len(groups) > shownGrants+1 {
			groups = append(groups[:shownGrants:shownGrants], fmt.Sprintf("%d more", len(groups)-shownGrants))
		}
		order[i] = what + " for " + strings.Join(groups, ", ")
	}
	return strings.Join(v.fewOf(order), "; ")
}

// grantKey is where a grant stands: a group, and the claim of a claim map.
type grantKey struct {
	group uuid.UUID
	claim string
}

func (k grantKey) order() string { return k.group.String() + " in " + k.claim }

// place names the group of a grant; by its id where the plan knows no name.
func (v *voice) place(k grantKey) string {
	name := v.groups[k.group]
	if name == "" {
		name = k.group.String()
	}
	if k.claim != "" {
		return v.escape(name) + " in " + v.escape(k.claim)
	}
	return v.escape(name)
}

// granted are scopes, or values of a claim with how they are joined, by where they stand.
func (v *voice) granted(x state.Value) map[grantKey]string {
	out := map[grantKey]string{}
	for _, g := range x.Grants() {
		s := strings.Join(v.fewNames(g.Values), " ")
		if g.Claim != "" {
			s += " as " + v.escape(g.Join)
		}
		out[grantKey{g.Group, g.Claim}] = "(" + s + ")"
	}
	return out
}
