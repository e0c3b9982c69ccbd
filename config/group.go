package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// groupValue is what an expression sees of a group block: an object, or a map of them by key with for_each.
func (e *evaluator) groupValue(n *node) (cty.Value, bool) {
	list, known, ok := e.instances(n)
	if !ok {
		return cty.NilVal, false
	}
	object := func(i instance) (cty.Value, bool) {
		attrs := map[string]cty.Value{"address": cty.StringVal(string(i.address(n)))}
		for _, name := range []string{"tenant", "name", "role", "description"} {
			v, ok := e.groupAttr(n, name, scope{each: i.each})
			if !ok {
				return cty.NilVal, false
			}
			attrs[name] = v
		}
		return cty.ObjectVal(attrs), true
	}
	if !known {
		return cty.DynamicVal, true
	}
	objects := map[string]cty.Value{}
	for _, i := range list {
		v, ok := object(i)
		if !ok {
			return cty.NilVal, false
		}
		if i.each == cty.NilVal {
			return v, true
		}
		objects[i.key] = v
	}
	if len(objects) == 0 {
		return cty.MapValEmpty(cty.Object(map[string]cty.Type{
			"address": cty.String, "tenant": cty.String, "name": cty.String, "role": cty.String,
			"description": cty.String,
		})), true
	}
	return cty.MapVal(objects), true
}

func (e *evaluator) groupAttr(n *node, name string, sc scope) (cty.Value, bool) {
	before := len(e.diags)
	v, known := e.reader(n, sc).primitive(name, cty.String, "a text")
	switch {
	case len(e.diags) > before:
		return cty.NilVal, false
	case !known && n.args[name] == nil:
		return cty.StringVal(""), true
	case !known:
		return cty.UnknownVal(cty.String), true
	case name == "name":
		return cty.StringVal(strings.ToLower(v.AsString())), true // as Self-auth keeps it
	}
	return v, true
}

// groups are all instances of all group blocks, checked one by one and against each other.
func (e *evaluator) groups() (groups []Group) {
	for _, n := range e.m.all("group") {
		list, known, ok := e.instances(n)
		if !ok {
			continue
		}
		for _, i := range list {
			before := len(e.diags)
			g := e.group(n, i, known)
			// With a mistake in it, a group that only a tenant that is away would have lets nobody in.
			if known && (!e.awake || !e.diags[before:].HasErrors()) {
				groups = append(groups, g)
			}
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(string(a.Address), string(b.Address)) })
	e.checkGroups(groups)
	return groups
}

// fromData says whether the instances of a block follow from live data: without it they are not known.
func fromData(m *Module, n *node) bool {
	_, known, ok := newEvaluator(m, nil).instances(n)
	return ok && !known
}

func (e *evaluator) group(n *node, i instance, known bool) Group {
	r := e.reader(n, scope{each: i.each})
	address := i.address(n)
	g := Group{
		Address: address,
		Block:   n.address(),
		Role:    state.ParseRole(r.text("role")),
		Pos:     posOf(n.at),
		Members: e.members(n, r.sc),
		Adopt:   r.bool("adopt"),
	}
	g.Description, g.Described = r.optionalText("description")
	if tenant, given := r.optionalText("tenant"); given {
		if found := e.tenantSlugs(r, "tenant", []string{tenant}); len(found) == 1 {
			g.Tenant = found[0]
		}
	}
	if name, given := r.optionalText("name"); given {
		g.Name = strings.ToLower(name)
		if why := nameProblem(g.Name); why != "" && known {
			e.fail(r.at("name"), "Invalid group name",
				"Self-auth would refuse the name of %s: %q %s. Make it of parts that fit with slug, for "+
					"example:\n\n    name = \"tenant_${slug(each.key, 50)}_admins\"", address, g.Name, why)
		}
	}
	// Self-auth takes no control characters. One row of data must not stop the plan for everybody.
	g.Description = strings.Map(func(c rune) rune {
		if isControl(c) {
			return ' '
		}
		return c
	}, g.Description)
	return g
}

func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

func (e *evaluator) members(n *node, sc scope) (m state.Members) {
	b := n.child("members")
	if !b.written() {
		return m
	}
	r := e.reader(b, sc)
	roles, _ := r.strings("roles")
	m = state.Members{All: r.bool("all"), Roles: roles, Full: r.text("manage") == "full"}
	_, hasAll := b.args["all"]
	_, hasRoles := b.args["roles"]
	switch {
	case !hasAll && !hasRoles:
		e.fail(b.at, "Empty block",
			"members says nothing. Give it all = true or roles, or leave the block out: then nobody belongs in %s.",
			n.title())
	case m.All && hasRoles:
		e.fail(b.at, "Conflicting arguments",
			"The members of %s are all users of the tenant already, so roles says nothing more. Keep one of the two.",
			n.title())
	}
	e.checkRoles(r, roles)
	return m
}

// roles that the application knows; a newer one may know more.
func knownRoles() []string {
	return []string{"super_admin", "admin", "manager", "user", "viewer", "owner"}
}

func (e *evaluator) checkRoles(r reader, roles []string) {
	for _, role := range roles {
		if !slices.Contains(knownRoles(), role) {
			d := problem(r.at("roles"), "Unknown role",
				"%q is none of the values of users.role that Anthill knows: %s. If the application has none like "+
					"it, this selects nobody.%s", role, quoteList(knownRoles()), didYouMean(role, knownRoles()))
			d.Severity = hcl.DiagWarning
			e.diags = append(e.diags, d)
		}
	}
}

// checkGroups finds groups that claim one object: Self-auth has one group of a name, and the application takes one
// group for a tenant and role.
func (e *evaluator) checkGroups(groups []Group) {
	names, roles := map[string]Group{}, map[string]Group{}
	for _, g := range groups {
		at := e.m.index[g.Block].at
		if first, taken := names[g.Name]; taken && g.Name != "" {
			e.fail(at, "Groups with one name",
				"%s and %s (%s line %d) have the same name %q. Self-auth takes a name once: give one of them another.",
				g.Address, first.Address, first.Pos.File, first.Pos.Line, g.Name)
		}
		names[g.Name] = g
		key := g.Tenant + "\x00" + g.Role.String()
		if first, taken := roles[key]; taken && g.Tenant != "" && g.Role != state.RoleInvalid {
			e.fail(at, "Groups with one tenant and role",
				"%s and %s (%s line %d) are both mapped to tenant %q with role %q. The application takes one group "+
					"for a tenant and role: remove one of them.", g.Address, first.Address, first.Pos.File,
				first.Pos.Line, g.Tenant, g.Role)
		}
		roles[key] = g
	}
}
