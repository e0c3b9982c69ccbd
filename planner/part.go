package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/planner/world"
	"anthill/state"
)

// TargetError is a target that names nothing. Its text says what was probably meant.
type TargetError struct {
	Target plan.Target
	Near   string // "": nothing is near
}

func (e *TargetError) Error() string {
	what := map[plan.TargetKind]string{
		plan.TargetWave: "no wave %q is declared", plan.TargetTenant: "there is no tenant %q",
		plan.TargetObject: "no object %s is declared or recorded",
	}[e.Target.Kind]
	text := fmt.Sprintf(what, e.Target.Name)
	if e.Near != "" {
		text += fmt.Sprintf("; did you mean %s?", e.Near)
	}
	return text
}

// NeededError is something that was excluded and that the rest of the part needs.
type NeededError struct {
	Address state.Address
	By      state.Subject // as of plan.Pulled
}

func (e *NeededError) Error() string {
	by, exclude := e.By.Name, e.By.Name
	if e.By.Kind == state.SubjectTenant {
		by, exclude = fmt.Sprintf("users of tenant %q", e.By.Name), "tenant="+e.By.Name
	}
	return fmt.Sprintf("-exclude leaves out %s, and %s in this part of the configuration cannot do without its change. Exclude that "+
		"as well (-exclude %s), or exclude neither", e.Address, by, quoted(exclude))
}

// quoted is a word as it is typed into a shell.
func quoted(word string) string {
	if strings.ContainsAny(word, ` "$*[]`) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// narrowing is a part of the configuration, and what that means for a plan of it. The zero narrowing is all.
type narrowing struct {
	part     *plan.Part // nil: all
	leave    map[state.Address]bool
	scope    users.Scope
	noSchema bool
	moves    map[string]int64 // users whom the plan of all would move, by the waves that it would
	waves    waves
	whole    plan.Left // what the plan of all would do
}

// waves are those that may be moved by a plan of a part.
type waves struct {
	named, excluded map[string]bool // named: nil where any may
	none            bool            // only objects were named
}

func (w waves) has(name string) bool {
	of := state.WholeWave(name)
	return !w.none && !w.excluded[name] && !w.excluded[of] && (w.named == nil || w.named[name] || w.named[of])
}

// narrow works out which part of the configuration a plan is of. It first makes the plan of all, whose changes go nowhere:
// what is part of the plan follows from what they need, and what is left out is counted by them.
func (in Input) narrow(j *world.Joined, steps int, held map[string]bool) (n narrowing, diags hcl.Diagnostics, err error) {
	n.scope.Held = held
	if len(in.Targets)+len(in.Exclude) == 0 {
		return n, nil, nil
	}
	s := selection{Joined: j}
	if err := s.resolve(in.Targets, in.Exclude); err != nil {
		return n, nil, err
	}
	declared, diags := objects.Forward(j, nil)
	if diags.HasErrors() {
		return n, diags, nil
	}
	var (
		table plan.Table
		to    counting
	)
	// What makes the plan of all impossible may well be left out of this one.
	decided, _, err := users.Decide(j, declared, users.Scope{Held: held}, &table, &to)
	if err != nil {
		return n, nil, err
	}
	c := closure{selection: &s, changes: map[state.Address]plan.ObjectChange{}, in: map[state.Address]bool{}}
	for _, o := range declared.Changes {
		c.changes[o.Address] = o
	}
	needed := c.users(in.whole(j, declared, decided, &to), steps)
	declared.Expel(j, decided.Strangers)
	c.named(declared.Changes)
	if err := c.close(needed); err != nil {
		return n, nil, err
	}
	n = narrowing{
		part:     &plan.Part{Targets: sorted(in.Targets), Exclude: sorted(in.Exclude), Pulled: c.pulledIn(declared.Changes)},
		leave:    map[state.Address]bool{},
		scope:    users.Scope{Has: s.hasUsers, Of: s.hasTenant, Expels: func(at state.Address) bool { return c.direct[at] }},
		noSchema: !c.schema,
		moves:    c.moves,
		waves:    s.waves,
		whole:    plan.Left{Objects: int64(len(declared.Changes)), Users: to.users(), Schema: steps},
	}
	for _, o := range declared.Changes {
		n.leave[o.Address] = !c.in[o.Address]
	}
	return n, nil, nil
}

// whole is the plan of all as far as its waves: those that it does not move are dropped from the sink.
func (in Input) whole(j *world.Joined, declared *objects.Plan, decided *users.Decided, to *counting) *maker {
	m := &maker{Input: in, world: j, declared: declared, decided: decided, sink: to}
	_ = m.addWaves(rollout.Judge(m.rollout())) // counting never fails
	return m
}

func sorted(list []plan.Target) []plan.Target {
	list = slices.SortedFunc(slices.Values(list), func(a, b plan.Target) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// selection is what was named and what was excluded.
type selection struct {
	*world.Joined
	objects, excluded []state.Address // addresses and blocks
	tenants           map[uuid.UUID]bool
	without           map[uuid.UUID]bool // tenants that are excluded
	schema            bool
	noSchema          bool
	waves             waves
	all               bool                    // nothing was named: all but what is excluded
	mapped            map[uuid.UUID]uuid.UUID // group -> its tenant
}

// resolve looks up what was named.
func (s *selection) resolve(targets, exclude []plan.Target) error {
	s.tenants, s.without = map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	s.waves.excluded = map[string]bool{}
	s.all = len(targets) == 0
	users := s.all
	for _, t := range targets {
		if err := s.check(t); err != nil {
			return err
		}
		switch t.Kind {
		case plan.TargetObject:
			s.objects = append(s.objects, state.Address(t.Name))
		case plan.TargetTenant:
			users, s.tenants[s.tenant(t.Name)] = true, true
		case plan.TargetWave:
			if s.waves.named == nil {
				s.waves.named = map[string]bool{}
			}
			users, s.waves.named[t.Name] = true, true
		case plan.TargetSchema:
			s.schema = true
		}
	}
	s.waves.none = !users
	for _, t := range exclude {
		if err := s.check(t); err != nil {
			return err
		}
		switch t.Kind {
		case plan.TargetObject:
			s.excluded = append(s.excluded, state.Address(t.Name))
		case plan.TargetTenant:
			s.without[s.tenant(t.Name)] = true
		case plan.TargetWave:
			s.waves.excluded[t.Name] = true
		case plan.TargetSchema:
			s.noSchema = true
		}
	}
	s.mapped = map[uuid.UUID]uuid.UUID{}
	for _, o := range s.State.Objects {
		if o.Kind == state.KindGroup {
			s.mapped[o.ID] = o.Tenant
		}
	}
	return nil
}

// check refuses a target that names nothing.
func (s *selection) check(t plan.Target) error {
	var known []string
	prefix := ""
	switch t.Kind {
	case plan.TargetWave:
		for _, w := range s.Config.Waves {
			known = append(known, w.Name, state.WholeWave(w.Name))
		}
		prefix = "wave="
	case plan.TargetTenant:
		if s.tenant(t.Name) != uuid.Nil {
			return nil
		}
		for _, x := range s.Tenants {
			known = append(known, x.Slug)
		}
		prefix = "tenant="
	case plan.TargetObject:
		known = s.addresses()
	case plan.TargetSchema:
		return nil
	}
	if slices.Contains(known, t.Name) {
		return nil
	}
	near := config.Nearest(t.Name, known)
	if near != "" {
		near = quoted(prefix + near)
	}
	return &TargetError{t, near}
}

// addresses are those of objects that are declared or recorded, and of their blocks.
func (s *selection) addresses() (list []string) {
	c := s.Config
	list = slices.Clone(c.Blocks)
	add := func(at state.Address) { list = append(list, string(at), at.Block()) }
	for _, o := range s.State.Objects {
		add(o.Address)
	}
	for _, t := range c.Tenants {
		add(t.Address)
	}
	for _, g := range c.Groups {
		add(g.Address)
	}
	for _, a := range c.Accounts {
		add(a.Address)
	}
	for _, x := range c.Clients {
		add(x.Address)
	}
	return list
}

// tenant is the id of a tenant by its slug, as it is or will be, or by its id; zero: there is none.
func (s *selection) tenant(name string) uuid.UUID {
	for _, t := range s.Tenants {
		if t.Slug == name || t.ID.String() == name {
			return t.ID
		}
	}
	for _, d := range s.Declared {
		if d.Live != nil && d.Live.Slug == name {
			return d.Live.ID
		}
	}
	for _, o := range s.State.Objects {
		if o.TenantSlug == name || o.Tenant != uuid.Nil && o.Tenant.String() == name {
			return o.Tenant
		}
	}
	return uuid.Nil
}

// hasUsers says whether users of a tenant, and of a wave, are part of the plan.
func (s *selection) hasUsers(tenant uuid.UUID, wave string) bool {
	return s.waves.has(wave) && s.hasTenant(tenant)
}

// hasTenant says whether users of a tenant are part of the plan, if any are.
func (s *selection) hasTenant(tenant uuid.UUID) bool {
	return !s.without[tenant] && (len(s.tenants) == 0 || s.tenants[tenant])
}

// of is the tenant that an object is of; zero: none.
func (s *selection) of(c plan.ObjectChange) uuid.UUID {
	o := c.Object()
	switch o.Kind {
	case state.KindPolicy:
		return s.mapped[o.ID]
	case state.KindTenant, state.KindGroup:
		return o.Tenant
	}
	return uuid.Nil
}

func (s *selection) isExcluded(c plan.ObjectChange) bool {
	return s.without[s.of(c)] || names(s.excluded, c)
}

// isNamed says whether an object is part of the plan whatever else is. With a wave, tenants say whose users are meant, and
// their objects are part of it only where these need them.
func (s *selection) isNamed(c plan.ObjectChange) bool {
	return !s.isExcluded(c) && (s.all || names(s.objects, c) || s.waves.named == nil && s.tenants[s.of(c)])
}

// names says whether a list of addresses and blocks has an object, under its address or the one that it moves from.
func names(list []state.Address, c plan.ObjectChange) bool {
	return slices.ContainsFunc(list, func(at state.Address) bool {
		return at == c.Address || at == c.From || string(at) == c.Address.Block() || c.From != "" && string(at) == c.From.Block()
	})
}

// closure is what is part of the plan: what was named, and what that needs.
type closure struct {
	*selection
	changes map[state.Address]plan.ObjectChange // of the plan of all, but for strangers who leave
	in      map[state.Address]bool
	direct  map[state.Address]bool // named
	by      map[state.Address]state.Subject
	schema  bool
	pulls   []plan.Pulled // the schema
	moves   map[string]int64
}

// need is a tenant whose users change.
type need struct {
	tenant uuid.UUID
	slug   string
}

// users finds the tenants whose users change by this plan, and whether the schema is needed for them. m is the plan of all.
func (c *closure) users(m *maker, steps int) (list []need) {
	c.moves = map[string]int64{}
	for _, w := range m.plan.Effects.Waves {
		c.moves[w.Name] = 0
	}
	to := m.sink.(*counting)
	tenants := map[uuid.UUID]bool{}
	note := func(segment int) {
		for shape := range to.shapesOf(segment) {
			if c.hasUsers(shape.Tenant, shape.After.Wave) {
				tenants[shape.Tenant] = true
			}
		}
	}
	note(m.decided.Follow)
	in := m.rollout()
	for i, w := range m.decided.Waves {
		for shape, users := range to.shapesOf(w.Segment) {
			c.moves[w.Name] += users
			if !c.hasUsers(shape.Tenant, w.Name) {
				in.Tallies[i].Left += users
			}
		}
	}
	for i, v := range rollout.Judge(in) {
		if w := m.decided.Waves[i]; v.Moves && c.waves.has(w.Name) {
			note(w.Segment)
		}
	}
	for id := range tenants {
		list = append(list, need{id, slugOf(m.world.Observed, id)})
	}
	slices.SortFunc(list, func(a, b need) int { return world.CompareID(a.tenant, b.tenant) })
	c.schema = steps > 0 && (c.all && !c.noSchema || c.selection.schema)
	if steps > 0 && len(list) > 0 && !c.schema {
		c.schema = true
		c.pulls = []plan.Pulled{{Address: schemaAddress, By: state.OfTenant(list[0].slug)}}
	}
	return list
}

const schemaAddress state.Address = "schema"

// named takes in what was named.
func (c *closure) named(changes []plan.ObjectChange) {
	c.direct, c.by = map[state.Address]bool{}, map[state.Address]state.Subject{}
	for _, o := range changes {
		if o.After != nil && o.Kind == state.KindGroup {
			c.mapped[o.After.ID] = o.After.Tenant
		}
	}
	for _, o := range changes {
		if c.isNamed(o) {
			c.direct[o.Address], c.in[o.Address] = true, true
		}
	}
}

// close takes in what is needed by what is taken in already, until nothing is missing. What is needed and excluded is an
// error.
func (c *closure) close(tenants []need) error {
	if len(c.pulls) > 0 && c.noSchema {
		return &NeededError{schemaAddress, c.pulls[0].By}
	}
	all := make([]plan.ObjectChange, 0, len(c.changes))
	for _, at := range slices.Sorted(maps.Keys(c.changes)) {
		all = append(all, c.changes[at])
	}
	g := newGraph(all)
	var todo []state.Address
	take := func(list []state.Address, by state.Subject) error {
		for _, at := range list {
			if c.in[at] {
				continue
			}
			if c.isExcluded(c.changes[at]) {
				return &NeededError{at, by}
			}
			c.in[at], c.by[at] = true, by
			todo = append(todo, at)
		}
		return nil
	}
	for _, t := range tenants {
		if err := take(g.ofTenant[t.tenant], state.OfTenant(t.slug)); err != nil {
			return err
		}
	}
	for _, o := range all {
		if c.direct[o.Address] {
			todo = append(todo, o.Address)
		}
	}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if err := take(g.needs(c.changes[at]), state.Of(at)); err != nil {
			return err
		}
	}
	return nil
}

// pulledIn lists what was not named, in the order of the plan.
func (c *closure) pulledIn(changes []plan.ObjectChange) []plan.Pulled {
	list := c.pulls
	for _, o := range changes {
		if by, pulled := c.by[o.Address]; pulled && !c.direct[o.Address] {
			list = append(list, plan.Pulled{Address: o.Address, By: by})
		}
	}
	return list
}
