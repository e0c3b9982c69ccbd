package users

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// counted are the findings that count at least one.
func counted(all ...state.Finding) (list []state.Finding) {
	for _, f := range all {
		if f.Count > 0 {
			list = append(list, f)
		}
	}
	return list
}

// outside are the findings about what others changed.
func (d *decider) outside() []state.Finding {
	c := d.counts
	drift := counted(
		state.Found(state.CodeDriftLink).Times(c.link),
		state.Found(state.CodeDriftPerson).Times(c.person),
		state.Found(state.CodeDriftExpired).Times(c.expired),
		state.Found(state.CodeDriftMethod).Times(c.method),
		state.Found(state.CodeDriftDual).Times(c.dual),
	)
	return append(drift, d.strangersLeft()...)
}

// notes are about all users, but for those of waves that move (Changing).
func (d *decider) notes() (list []state.Finding) {
	c := d.counts
	for _, w := range slices.Sorted(maps.Keys(c.unselected)) {
		list = append(list, state.About(state.CodeUnselected, state.OfWave(w)).Times(c.unselected[w]))
	}
	for _, w := range slices.Sorted(maps.Keys(c.sleeping)) {
		list = append(list, state.About(state.CodeAsleepHeld, state.OfWave(w)).Times(c.sleeping[w]))
	}
	list = append(list, counted(
		state.Found(state.CodeMailReleased).Times(d.released),
		state.Found(state.CodeMailAstray).Times(d.given.kept),
		state.Found(state.CodeMailStuck).Times(c.mailStuck),
		state.Found(state.CodeInNoWave).Times(c.nowhere),
	)...)
	for i, a := range d.admins.tenants {
		if a.Mapped > 0 {
			list = append(list, state.About(state.CodeAdminByMapping, state.OfTenant(d.Tenants[i].Slug)).Times(a.Mapped))
		}
	}
	list = append(d.leftAlone(), list...)
	for _, p := range d.Config.Policies {
		if p.CompleteOnLink {
			list = append(list, state.About(state.CodeCompletesOnLink, state.Of(state.Address("auth_policy."+p.Name))))
		}
	}
	return list
}

// Changing are the notes about the users whom a plan changes: those of the waves that moves names, and those who were moved
// before.
func (d *Decided) Changing(moves func(wave string) bool) []state.Finding {
	sum, unnamed, all := said{unverified: d.readdressed, nowhere: map[string]int64{}}, map[string]int64{}, int64(0)
	for _, w := range d.Waves {
		if moves(w.Name) {
			sum.unverified += w.Said.unverified
			sum.groupless += w.Said.groupless
			sum.enrolled += w.Said.enrolled
			sum.dualAgain += w.Said.dualAgain
			for slug, n := range w.Said.nowhere {
				sum.nowhere[slug] += n
			}
			for role, n := range w.Said.unnamed {
				unnamed[role] += n
				all += n
			}
		}
	}
	list := counted(
		state.Found(state.CodeUnverified).Times(sum.unverified),
		state.Found(state.CodeGroupless).Times(sum.groupless),
		state.Found(state.CodeEnrolledBefore).Times(sum.enrolled),
		state.Found(state.CodeDualAgain).Times(sum.dualAgain),
		state.Found(state.CodeRolesUnnamed, state.Because(state.KeyWhy, byRole(unnamed)...)).Times(all),
	)
	for _, slug := range slices.Sorted(maps.Keys(sum.nowhere)) {
		list = append(list, state.About(state.CodeLetInNowhere, state.OfTenant(slug)).Times(sum.nowhere[slug]))
	}
	return list
}

// Misled raises the hazards of users whom the application would not place as it should by the tokens that they come in with:
// those of the waves that moves names, and those who were moved before, where this plan makes it so.
func (d *Decided) Misled(r *plan.Risk, moves func(wave string) bool) {
	nameless, less, refused := map[state.Subject]int64{}, map[lesser]int64{}, map[refusal]int64{}
	add := func(s said) {
		for of, n := range s.nameless {
			nameless[of] += n
		}
		for of, n := range s.lesser {
			less[of] += n
		}
		for of, n := range s.refused {
			refused[of] += n
		}
	}
	add(said{nameless: d.nameless, lesser: d.lesser, refused: d.refused})
	for _, w := range d.Waves {
		if moves(w.Name) {
			add(w.Said)
		}
	}
	byClient := func(a, b refusal) int {
		return cmp.Or(compareSubjects(a.client, b.client), strings.Compare(a.lacks, b.lacks))
	}
	for _, of := range slices.SortedFunc(maps.Keys(refused), byClient) {
		r.Raise(plan.LoginRefused, refused[of], state.About(state.CodeLoginRefused, of.client,
			state.List(state.KeyScopes, strings.Fields(of.lacks)...)).Times(refused[of]))
	}
	for _, of := range sortedSubjects(nameless) {
		r.Raise(plan.LoginWithoutTenant, nameless[of], state.About(state.CodeNameless, of).Times(nameless[of]))
	}
	byTenant := func(a, b lesser) int {
		return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.group, b.group))
	}
	for _, of := range slices.SortedFunc(maps.Keys(less), byTenant) {
		r.Raise(plan.AdminsAsMembers, less[of], state.About(state.CodeLesser, state.OfTenant(of.tenant),
			state.Text(state.KeyGroup, of.group)).Times(less[of]))
	}
}

// byRole counts users of roles, sorted by role.
func byRole(counts map[string]int64) (list []state.Finding) {
	for _, role := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, state.Found(state.CodeRoleUnnamed, state.Text(state.KeyRole, role)).Times(counts[role]))
	}
	return list
}

// plainRole is the role that rows have by default: it means nothing but being a user, which groups for all are for.
const plainRole = "user"

// countUnnamed counts a user, by its role, where that is more or less than being a user, and no group of the tenant says so.
func (d *decider) countUnnamed(to *map[string]int64, e *world.Entry) {
	role := d.Roles[e.Role]
	names := func(g objects.Wanted) bool { return slices.Contains(g.Members.Roles, role) }
	if role == plainRole || slices.ContainsFunc(d.objects.Tenants[e.Tenant].Groups, names) {
		return
	}
	if *to == nil {
		*to = map[string]int64{}
	}
	(*to)[role]++
}

// countLesser counts a user who will be in some groups where the first of them gives less than another one.
func (d *decider) countLesser(to *map[lesser]int64, e *world.Entry, groups []uuid.UUID) {
	first, is := d.objects.Tenants[e.Tenant].Lesser(groups)
	if !is {
		return
	}
	if *to == nil {
		*to = map[lesser]int64{}
	}
	(*to)[lesser{d.Tenants[e.Tenant].Slug, first.Name}]++
}

// countNameless counts a user who will be in some groups for each client whose tokens do not name them as mapping rows do.
// onlyNew: only where that is this plan's doing.
func (d *decider) countNameless(to *map[state.Subject]int64, groups []uuid.UUID, onlyNew bool) {
	for i := range d.objects.Tokens {
		t := &d.objects.Tokens[i]
		if onlyNew && !t.Changed {
			continue
		}
		nameless, fresh := t.Nameless(groups)
		if !nameless || onlyNew && !fresh {
			continue
		}
		if *to == nil {
			*to = map[state.Subject]int64{}
		}
		(*to)[t.Of]++
	}
}

// refusal is a client with the scopes, joined by blanks, that it asks for and that users are not given.
type refusal struct {
	client state.Subject
	lacks  string
}

// countDoors counts a user who will be in some groups where Self-auth refuses it at a client, or else no client lets it in.
func (d *decider) countDoors(to *said, e *world.Entry, groups []uuid.UUID) {
	refused := d.countRefused(&to.refused, groups, false)
	if refused || d.admits(d.doors.will, groups) {
		return
	}
	if to.nowhere == nil {
		to.nowhere = map[string]int64{}
	}
	to.nowhere[d.Tenants[e.Tenant].Slug]++
}

// countRefused counts a user who will be in some groups for each client that asks for more than it is given. onlyNew: only
// where that is this plan's doing.
func (d *decider) countRefused(to *map[refusal]int64, groups []uuid.UUID, onlyNew bool) (refused bool) {
	for i := range d.objects.Tokens {
		t := &d.objects.Tokens[i]
		if onlyNew && !t.Changed {
			continue
		}
		lacks, fresh := t.Refuses(groups)
		if len(lacks) == 0 || onlyNew && !fresh {
			continue
		}
		if *to == nil {
			*to = map[refusal]int64{}
		}
		(*to)[refusal{t.Of, strings.Join(lacks, " ")}]++
		refused = true
	}
	return refused
}

// raise raises the hazards of what was decided.
func (d *decider) raise() {
	for _, of := range d.scopesLost() {
		n := d.losses.scopes[of]
		d.Raise(plan.LocksOut, n, state.About(state.CodeScopeLost, of).Times(n))
	}
	if n := d.losses.homeless; n > 0 {
		d.Raise(plan.LocksOut, n, state.Found(state.CodeHomeLost).Times(n))
	}
	// They are counted by now.
	if n := d.losses.bare; n > 0 {
		d.Raise(plan.LocksOut, 0, state.Found(state.CodeNoFallback).Times(n))
	}
}

// scopesLost are the clients of which somebody loses a scope, sorted by name.
func (d *decider) scopesLost() []state.Subject {
	return sortedSubjects(d.losses.scopes)
}

func sortedSubjects(counts map[state.Subject]int64) []state.Subject {
	return slices.SortedFunc(maps.Keys(counts), compareSubjects)
}

func compareSubjects(a, b state.Subject) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
}

// problems are what makes a plan impossible once all users are seen.
func (d *decider) problems() (diags hcl.Diagnostics) {
	diags = append(diags, d.overlap()...)
	for _, name := range slices.Sorted(maps.Keys(d.counts.policies)) {
		if _, declared := d.policies[name]; !declared {
			diags = append(diags, config.Problem(config.About{}, "Policy in use removed",
				"%d users have moved under auth_policy %q, which no configuration declares any more. Declare it again; "+
					"forgetting a policy in use is not in this version.",
				d.counts.policies[name], name))
		}
	}
	diags = append(diags, d.policiesChanged()...)
	diags = append(diags, d.groupsNeeded()...)
	if d.Config.Identity.SharedEmail == "error" && d.names.shared > 0 {
		diags = append(diags, config.Problem(config.About{Address: "identity"}, "Shared e-mail addresses",
			"%d users to be moved share their address with another live user, and identity has shared_email = \"error\". "+
				"Self-auth takes an address once. Change the addresses, or choose \"skip\" or \"first_tenant\".",
			d.names.shared))
	}
	return diags
}

// policiesChanged finds policies under which users are moved and that are declared to do something else by now (L8).
func (d *decider) policiesChanged() (diags hcl.Diagnostics) {
	recorded := map[string]state.Policy{}
	for _, p := range d.State.Policies {
		recorded[p.Name] = p
	}
	for _, p := range d.Config.Policies {
		was, now := recorded[p.Name], state.Policy{Name: p.Name, Method: p.Method, From: p.From}
		// A state of version 1 does not say. Whom a policy leaves the password it has moved by dual; who is recorded with self_auth may
		// have had none (L6), and says nothing.
		if was.Method == state.MethodInvalid && d.Duals[p.Name] > 0 {
			was.Method = state.MethodDual
		}
		n := d.counts.policies[p.Name]
		if n == 0 || was.Method == state.MethodInvalid || was.Does(now) {
			continue
		}
		what, next := "move others by", now
		if now.Method == state.MethodSelfAuth {
			what = "raise users by"
		}
		if was.Method == state.MethodDual {
			what, next.From = "raise them by", p.Name
		}
		diags = append(diags, config.Problem(config.About{Address: state.Address("auth_policy." + p.Name)}, "Policy in use changed",
			"%d users have moved under auth_policy %q as it was before:\n\n%s\n\nWhat users moved under stays as it is. Give that back, "+
				"and %s another policy:\n\n%s", n, p.Name, policyBlock(p.Name, was), what, policyBlock("NAME", next)))
	}
	return diags
}

// policyBlock is a policy as a configuration declares it.
func policyBlock(name string, p state.Policy) string {
	from := ""
	if p.From != "" {
		from = "\n      from   = auth_policy." + p.From
	}
	return fmt.Sprintf("    auth_policy %q {\n      method = %q%s\n    }", name, p.Method, from)
}

// overlap finds waves in no order that select the same user (L2).
func (d *decider) overlap() (diags hcl.Diagnostics) {
	pairs := slices.SortedFunc(maps.Keys(d.counts.unordered), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	for _, pair := range pairs {
		a, b := d.Waves[pair[0]].Name, d.Waves[pair[1]].Name
		diags = append(diags, config.Problem(config.About{Address: state.Address("wave." + b)}, "Waves in no order",
			"wave %q and wave %q both select %d users and neither comes after the other. Which of them moves a user must "+
				"not depend on file order: give one `start { after = [...] }`, or narrow it.",
			a, b, d.counts.unordered[pair]))
	}
	return diags
}

// groupsNeeded finds groups that are declared no more and that moved users need (L35).
func (d *decider) groupsNeeded() (diags hcl.Diagnostics) {
	for _, c := range d.objects.Changes {
		if n := d.losses.lastGroup[c.Object().ID]; c.Kind == state.KindGroup && n > 0 {
			diags = append(diags, config.Problem(config.About{Address: c.Address}, "Group still needed",
				"%s (group %q) is no longer declared, and %d moved users have no other group that is mapped to their tenant: "+
					"without it the application would not know where they belong. Declare another group for them first, or take "+
					"them back with a rollback.",
				c.Address, c.Before.Attributes.Text(state.AttrName), n))
		}
	}
	if len(d.objects.Deleting) == 0 {
		return diags
	}
	for _, of := range d.scopesLost() {
		// A client that is not declared cannot be mended by the configuration: raise makes it a hazard instead.
		if d.losses.changed[of] {
			diags = append(diags, config.Problem(config.About{Address: state.Address(of.Name)}, "Group still needed",
				"A group is no longer declared, and without it %d moved users would be refused by %s: no other group of theirs "+
					"has its scopes. Add one to its scope_map first.",
				d.losses.scopes[of], of.Name))
		}
	}
	return diags
}
