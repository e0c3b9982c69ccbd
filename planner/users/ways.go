package users

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// bar is what keeps an active user from logging in. barNone: it can.
type bar uint8

// The bars, in the order in which they are judged. All but barTenant are of users without a password that lets them in.
const (
	barNone bar = iota
	barTenant
	barLink
	barPerson
	barExpired
	barCredential
	barGroup
	barScope
	bars
)

// codes are the findings that say which bar it is.
var codes = [bars]state.Code{
	barTenant: state.CodeBarTenant, barLink: state.CodeBarLink, barPerson: state.CodeBarPerson,
	barExpired: state.CodeBarExpired, barCredential: state.CodeBarCredential, barGroup: state.CodeBarGroup,
	barScope: state.CodeBarScope,
}

// account is how a user would come in through Self-auth.
type account struct {
	linked, there, awake, enrolled bool // the row, the person
	home, admitted                 bool // by its groups: mapped to the tenant, let in by a client
}

func (a account) bar() bar {
	switch {
	case !a.linked:
		return barLink
	case !a.there:
		return barPerson
	case !a.awake:
		return barExpired
	case !a.enrolled:
		return barCredential
	case !a.home:
		return barGroup
	case !a.admitted:
		return barScope
	}
	return barNone
}

// byPassword reports whether the application lets a row in by its password.
func byPassword(usable bool, method state.Method) bool {
	return usable && method != state.MethodSelfAuth
}

// ways counts users who cannot log in once a plan is carried out.
type ways struct {
	lost    map[lostWay]int64 // who could before
	without [bars]int64       // who could not before either, by what keeps them out then
}

// lostWay is what will keep users of a tenant out.
type lostWay struct {
	tenant string // slug
	bar    bar
}

func (w *ways) lose(tenant string, b bar) {
	if w.lost == nil {
		w.lost = map[lostWay]int64{}
	}
	w.lost[lostWay{tenant, b}]++
}

func (w *ways) add(o *ways) {
	for k, n := range o.lost {
		if w.lost == nil {
			w.lost = map[lostWay]int64{}
		}
		w.lost[k] += n
	}
	for i, n := range o.without {
		w.without[i] += n
	}
}

// raise raises the hazard of those who lose their last way to log in.
func (w *ways) raise(r *plan.Risk) {
	order := func(a, b lostWay) int { return cmp.Or(strings.Compare(a.tenant, b.tenant), cmp.Compare(a.bar, b.bar)) }
	for _, k := range slices.SortedFunc(maps.Keys(w.lost), order) {
		r.Raise(plan.LocksOut, w.lost[k], state.About(state.CodeLockedOut, state.OfTenant(k.tenant),
			state.Because(state.KeyWhy, state.Found(codes[k.bar]))).Times(w.lost[k]))
	}
}

// note is about those who cannot log in as it is; none where there are none.
func (w *ways) note() []state.Finding {
	var n int64
	var why []state.Finding
	for b, of := range w.without {
		if of > 0 {
			n, why = n+of, append(why, state.Found(codes[b]).Times(of))
		}
	}
	return counted(state.Found(state.CodeNoWayIn, state.Because(state.KeyWhy, why...)).Times(n))
}

// ways are those of all users, where the waves move that moves names.
func (d *Decided) waysOf(moves func(wave string) bool) *ways {
	var sum ways
	sum.add(&d.stay)
	for i := range d.Waves {
		if w := &d.Waves[i]; moves(w.Name) {
			sum.add(&w.Said.ways)
		} else {
			sum.add(&w.stay)
		}
	}
	return &sum
}

// LockedOut raises the hazard of users who lose their last way to log in, where the waves move that moves names.
func (d *Decided) LockedOut(r *plan.Risk, moves func(wave string) bool) { d.waysOf(moves).raise(r) }

// WithoutWay is the note about users who can log in neither before the plan nor after it.
func (d *Decided) WithoutWay(moves func(wave string) bool) []state.Finding {
	return d.waysOf(moves).note()
}

// LockedOut raises the hazard of users who lose their last way to log in by being taken back.
func (t *TakenBack) LockedOut(r *plan.Risk) { t.ways.raise(r) }

// doors are the clients by which users come in, and the tenants that this plan shuts.
type doors struct {
	was, will plan.Doors
	alone     plan.Doors   // of will: those by which who has no password left comes into the application
	judged    bool         // somebody comes in by one, now or then
	shuts     map[int]bool // by index: their users are a hazard of their own
}

func newDoors(j *world.Joined, o *objects.Plan) doors {
	d := doors{was: o.DoorsNow, will: o.Doors, alone: o.Doors.OfApplication(), judged: o.DoorsNow.Open() || o.Doors.Open(), shuts: map[int]bool{}}
	for _, t := range j.Declared {
		if t.Place >= 0 && t.Live != nil && t.Live.Live() && !j.Tenants[t.Place].Live() {
			d.shuts[t.Place] = true
		}
	}
	return d
}

// countWay counts a user whose change is s in w, if it cannot log in afterwards; nil: nothing about it changes. person is
// the one that s is about.
func (d *decider) countWay(w *ways, e *world.Entry, s *plan.Shape, person uuid.UUID) {
	method := e.Method
	if s != nil && s.Effect.Method != state.MethodInvalid {
		method = s.Effect.Method
	}
	can := e.Is(world.CanPassword)
	if !d.isLive(e) || e.Is(world.IsInactive) || d.doors.shuts[e.Tenant] {
		return
	}
	t := &d.Tenants[e.Tenant]
	if t.Live() && byPassword(can, method) {
		return
	}
	after := d.accountAfter(e, s, person).bar()
	if !t.Live() {
		after = barTenant
	}
	switch {
	case after == barNone:
	case t.Live() && (byPassword(can, e.Method) || d.accountBefore(e).bar() == barNone):
		if d.losses.met {
			// It is counted for what it loses.
			d.losses.bare++
			return
		}
		w.lose(t.Slug, after)
	case e.Status != plan.SkipExcluded:
		w.without[after]++
	}
}

// accountBefore is how a user comes in now.
func (d *decider) accountBefore(e *world.Entry) account {
	p, there := d.Index.Person(e.Link)
	had, _ := d.groupsOf(e.Link, nil, nil)
	return account{
		linked:   e.Link != uuid.Nil,
		there:    there,
		awake:    !p.Expired,
		enrolled: p.Enrolled,
		home:     d.isHome(e.Tenant, had, func(uuid.UUID) bool { return false }),
		admitted: d.admits(d.doors.was, had),
	}
}

// accountAfter is how a user comes in once its change is made.
func (d *decider) accountAfter(e *world.Entry, s *plan.Shape, person uuid.UUID) account {
	link := e.Link
	if s != nil && s.Effect.Link {
		link = person
	}
	p, there := d.Index.Person(link)
	awake := there && !p.Expired
	var join, leave []uuid.UUID
	if s != nil && link == person {
		awake = awakeAfter(s.Effect.Act, awake)
		there = there || s.Effect.Act == state.PersonCreate
		join, leave = d.table.IDs(s.Join), d.table.IDs(s.Leave)
	}
	_, left := d.groupsOf(link, join, leave)
	return account{
		linked:   link != uuid.Nil,
		there:    there,
		awake:    awake,
		enrolled: p.Enrolled,
		home:     d.isHome(e.Tenant, left, func(g uuid.UUID) bool { return d.declares(e.Tenant, g) }),
		admitted: d.admits(d.doors.will, left),
	}
}

// isHome reports whether one of some groups is mapped to a tenant, or will be. Of a tenant with a hidden group nobody can
// say who is in none.
func (d *decider) isHome(tenant int, groups []uuid.UUID, will func(uuid.UUID) bool) bool {
	return d.Hidden[tenant] || slices.ContainsFunc(groups, func(g uuid.UUID) bool {
		return slices.Contains(d.MappedTo(g), tenant) || will(g)
	})
}

// admits reports whether a client lets in who is in some groups. Where no client lets anybody in, now or then, that is not
// judged.
func (d *decider) admits(lets plan.Doors, groups []uuid.UUID) bool {
	return !d.doors.judged || lets.Admit(groups)
}

// countWay counts a user whom a rollback takes back, if it cannot log in afterwards and can now. By groups it is judged as
// far as this user's own change goes.
func (t *taker) countWay(
	ctx context.Context, s *plan.Shape, before state.Image, person uuid.UUID, join, leave []uuid.UUID, row *providers.User,
) error {
	i := t.TenantIndex(row.Tenant)
	if i < 0 || !t.Tenants[i].Live() || row.Deleted || row.Status != "active" {
		return nil
	}
	link, method := row.Link, row.Method
	if s.Effect.Restore {
		link, method = before.Link, before.Method
	}
	if byPassword(row.CanPassword, method) {
		return nil
	}
	now, err := t.accountOf(ctx, row.Link, i)
	if err != nil {
		return err
	}
	// Linked again, it comes in as the person whose link comes back, whatever the row holds now.
	then, err := t.accountOf(ctx, link, i)
	if err != nil {
		return err
	}
	if link == person {
		then.awake = awakeAfter(s.Effect.Act, then.awake)
		then.there = then.there && s.Effect.Act != state.PersonDelete || s.Effect.Act == state.PersonRevive
		stays := slices.DeleteFunc(t.groupsIn(person), func(g uuid.UUID) bool { return slices.Contains(leave, g) })
		then.home = t.isHome(i, append(stays, join...))
	}
	if b := then.bar(); b != barNone && (byPassword(row.CanPassword, row.Method) || now.bar() == barNone) {
		t.ways.lose(t.Tenants[i].Slug, b)
	}
	return nil
}

// accountOf is how a row of a tenant with a link comes in as it is, but for scopes, which its own change does not touch.
func (t *taker) accountOf(ctx context.Context, link uuid.UUID, tenant int) (account, error) {
	if link == uuid.Nil {
		return account{}, nil
	}
	enrolled, err := t.hasEnrolled(ctx, link)
	p, there := t.Index.Person(link)
	return account{linked: true, there: there, awake: there && !p.Expired, enrolled: enrolled,
		home: t.isHome(tenant, t.groupsIn(link)), admitted: true}, err
}

// isHome reports whether one of some groups is mapped to a tenant. Of a tenant with a hidden group nobody can say who is in
// none.
func (t *taker) isHome(tenant int, groups []uuid.UUID) bool {
	return t.Hidden[tenant] || slices.ContainsFunc(groups, func(g uuid.UUID) bool {
		return slices.Contains(t.MappedTo(g), tenant)
	})
}

// groupsIn are the groups that a person is in.
func (t *taker) groupsIn(person uuid.UUID) (in []uuid.UUID) {
	for _, m := range t.Index.MemberOf(person) {
		in = append(in, t.Index.IDs[m.Group])
	}
	return in
}
