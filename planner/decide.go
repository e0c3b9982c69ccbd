package planner

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// decision turns the spooled entries into user changes and figures.
type decision struct {
	*world
	sink       Sink
	waves      []config.Wave
	before     [][]bool // waves[i] comes before waves[j]
	policies   map[string]config.Policy
	segment    []int // of each wave in the sink; -1: none opened
	follow     int   // segment of follow-ups
	tallies    []rollout.Tally
	views      []waveFigures
	followed   effects
	dupName    map[uint64]bool
	dupMail    map[uint64]bool
	first      map[uint64]bool // shared addresses met already (shared_email = "first_tenant")
	unordered  map[[2]int]int64
	skipped    map[SkipReason]int64
	pauses     map[pauseKey]bool
	counts     struct{ moved, nowhere, groupless, unverified, adopted, mailStuck, homeless int64 }
	lastGroup  map[uuid.UUID]int64 // groups to be deleted -> users who would lose the last mapped group
	lostScope  map[string]int64    // clients -> users who would lose a scope of it
	adopting   map[uuid.UUID]bool
	scopes     []scopeChange
	shared     int64
	unselected map[string]int64 // moved users whom no wave selects any more, by the wave that moved them (L4)
	members    []int64          // users who belong there in each group, by the directory's index
	moved      map[string]int64 // users moved, by policy
}

type pauseKey struct {
	wave   string
	tenant uuid.UUID
}

// waveFigures are the figures of one wave for its view.
type waveFigures struct {
	matched, moved, skipped, waiting int64
	due                              effects
}

// effects counts effects by tenant.
type effects map[int]*TenantEffect

func (e effects) of(w *world, t int) *TenantEffect {
	f, ok := e[t]
	if !ok {
		f = &TenantEffect{}
		if t >= 0 {
			f.Tenant, f.Slug = w.tenants[t].ID, w.tenants[t].Slug
		}
		e[t] = f
	}
	return f
}

// user decides one entry.
func (d *decision) user(e *entry) error {
	if e.Rec && e.Standing == state.Moved {
		d.counts.moved++
		d.moved[d.world.policies.list[e.Policy]]++
		d.tallyMoved(e)
		return d.followUp(e)
	}
	if !e.Row || e.Deleted || e.Tenant < 0 || d.tenants[e.Tenant].Deleted {
		return nil
	}
	return d.candidate(e)
}

// matching returns the waves that select an entry, in the order of after.
func (d *decision) matching(e *entry) (waves []int) {
	role := d.roles.list[e.Role]
	for i := range d.waves {
		if d.waves[i].Enabled && d.tenants[e.Tenant].match[i].has(e.User, role) {
			waves = append(waves, i)
		}
	}
	return waves
}

// tallyMoved counts a moved user for the waves that would select it (L17) and for the one it was moved under.
func (d *decision) tallyMoved(e *entry) {
	name := d.world.waves.list[e.Wave]
	if e.Row && !e.Deleted && e.Tenant >= 0 && !d.tenants[e.Tenant].Deleted {
		matching := d.matching(e)
		for _, i := range matching {
			d.tallies[i].Match++
		}
		if len(matching) == 0 || e.Status == SkipExcluded {
			d.unselected[name]++
		}
	}
	if i := slices.IndexFunc(d.waves, func(w config.Wave) bool { return w.Name == name }); i >= 0 {
		d.tallies[i].Moved++
		d.views[i].moved++
		d.views[i].matched++
	}
}

func (d *decision) candidate(e *entry) error {
	d.belongs(e.Link, e)
	waves := d.matching(e)
	if len(waves) == 0 {
		d.counts.nowhere++
		return nil
	}
	own := waves[0]
	reason := d.skipReason(e)
	for _, i := range waves {
		d.tallies[i].Match++
		if reason != 0 && reason != SkipOpenRun {
			d.tallies[i].MatchSkip++
		}
	}
	if reason == 0 {
		for _, i := range waves[1:] {
			if !d.before[own][i] {
				d.unordered[[2]int{own, i}]++
			}
		}
	}
	v := &d.views[own]
	v.matched++
	if reason == SkipOpenRun {
		v.waiting++
		d.tallies[own].Waiting++
		return d.skip(e, reason)
	}
	if reason != 0 {
		v.skipped++
		return d.skip(e, reason)
	}
	if d.tenants[e.Tenant].paused || d.pauses[pauseKey{d.waves[own].Name, uuid.Nil}] || d.pauses[pauseKey{d.waves[own].Name, d.tenants[e.Tenant].ID}] {
		v.waiting++
		d.tallies[own].Waiting++
		return d.skip(e, SkipPaused)
	}
	d.tallies[own].Due++
	return d.move(e, own)
}

func (d *decision) skip(e *entry, reason SkipReason) error {
	d.skipped[reason]++
	return d.sink.Skip(e.User, reason)
}

// skipReason judges in the order of the reasons.
func (d *decision) skipReason(e *entry) SkipReason {
	t := &d.tenants[e.Tenant]
	switch {
	case e.Status != 0:
		return e.Status
	case t.Status == "suspended":
		return SkipTenantSuspended
	case t.Status != "active":
		return SkipTenantCancelled
	case t.blocked:
		return SkipTenantBlocked
	case t.taken:
		return SkipGroupTaken
	case d.isOpen(e.User):
		return SkipOpenRun
	case d.twice[e.Link]:
		return SkipPersonTwice
	case e.Link != uuid.Nil && !e.Own:
		return SkipLinkUnknown
	case e.Link != uuid.Nil:
		return SkipInvalid // found: nothing is made of the address
	case e.Problem != 0:
		return e.Problem
	case d.dupMail[e.Mail] && !d.firstOf(e):
		return SkipShared
	case d.dir.mailTaken(e.Mail, e.Person):
		return d.adoptReason(e)
	}
	return SkipInvalid
}

// adoptReason says why the person who holds a user's address is not taken over; 0: it is.
func (d *decision) adoptReason(e *entry) SkipReason {
	if e.Adopt == uuid.Nil || e.Own {
		return SkipEmailTaken
	}
	if _, theirs := slices.BinarySearchFunc(d.claimed, e.Adopt, compareID); theirs {
		return SkipHolderForeign
	}
	for _, m := range d.dir.memberOf(e.Adopt) {
		if of := d.mapped[d.groupIDs[m.group]]; len(of) > 0 && !slices.Contains(of, e.Tenant) {
			return SkipHolderForeign
		}
	}
	if p, _ := d.dir.person(e.Adopt); p.expired {
		return SkipHolderAway
	}
	if d.adopting[e.Adopt] {
		return SkipHolderForeign
	}
	return SkipInvalid
}

// firstOf says whether a user may have a shared address: the first in order, where the configuration wants that.
func (d *decision) firstOf(e *entry) bool {
	d.shared++
	if d.in.Config.Identity.SharedEmail != "first_tenant" || d.first[e.Mail] {
		return false
	}
	d.first[e.Mail] = true
	return true
}

func (d *decision) isOpen(user uuid.UUID) bool {
	_, open := slices.BinarySearchFunc(d.openUsers, user, compareID)
	return open
}

// wanted are the groups that a user of the role belongs in, sorted.
func (d *decision) wanted(e *entry) (ids []uuid.UUID) {
	role := d.roles.list[e.Role]
	for _, g := range d.tenants[e.Tenant].groups {
		if g.members.Has(role) {
			ids = append(ids, g.id)
		}
	}
	slices.SortFunc(ids, compareID)
	return ids
}

// move adds the change that moves a user under a wave.
func (d *decision) move(e *entry, wave int) error {
	w := d.waves[wave]
	policy := d.policies[w.Policy]
	t := &d.tenants[e.Tenant]
	s := Shape{Tenant: t.ID, Relies: providers.ReliesAll, Act: state.PersonNone, Wave: w.Name, Policy: w.Policy, Standing: state.Moved,
		Generation: e.Generation, Ours: e.OwnOurs || !e.Own, Found: e.Link != uuid.Nil, LinkOurs: e.Link == uuid.Nil || e.OwnOurs}
	adopts := e.Link == uuid.Nil && !e.Own && d.dir.mailTaken(e.Mail, e.Person)
	person := e.Person
	if adopts {
		person = e.Adopt
	}
	for _, g := range d.wanted(e) {
		switch {
		case !e.Own && !adopts || !d.dir.isMember(person, g):
			s.Join = append(s.Join, g)
		case slices.Contains(e.Groups, g) || e.OwnOurs:
			s.Keep = append(s.Keep, g)
		}
	}
	d.belongs(person, e)
	f := d.views[wave].due.of(d.world, e.Tenant)
	c := UserChange{User: e.User, Before: e.Digest}
	switch {
	case adopts:
		s.Act, s.Link, s.Ours, s.LinkOurs, s.Generation = state.PersonAdopt, true, false, true, 0
		c.Person = e.Adopt
		d.adopting[e.Adopt] = true
		f.Adopt++
		f.Link++
		d.counts.adopted++
	case e.Link != uuid.Nil:
		f.Found++
		if e.OwnOurs && e.Expired {
			s.Act = state.PersonEnable
		}
	default:
		s.Act, s.Link, s.Exists, s.Slug = state.PersonCreate, true, e.Own, t.Slug
		f.Link++
		if e.Own {
			f.Enable++
		} else {
			f.Create++
			if !e.Verified {
				d.counts.unverified++
			}
			s.Suffix = d.dupName[e.Name] || d.dir.nameTaken(e.Name)
		}
		if p, _ := d.dir.person(e.Person); e.Own && p.mail != e.Mail && d.in.Config.Identity.FollowMail {
			s.Mail = true // it comes back, and its row has another address by now
			f.Mail++
		}
	}
	d.setMethod(&s, e, f)
	s.Complete = policy.CompleteOnLink && !e.Completed
	f.Users++
	f.Join += int64(len(s.Join))
	d.countAdmin(f, s.Join, nil)
	if isAdmin(d.roles.list[e.Role]) {
		f.Admins++
	}
	if len(s.Join)+len(s.Keep) == 0 {
		d.counts.groupless++
	}
	return d.sink.Add(d.open(wave), s, c)
}

// belongs notes which of a person's memberships are no stranger's: in groups that its row asks for, and those that we added and
// that are still to follow the row.
func (d *decision) belongs(person uuid.UUID, e *entry) {
	list := d.dir.memberOf(person)
	if len(list) == 0 {
		return
	}
	var want []uuid.UUID
	if e.Tenant >= 0 {
		want = d.wanted(e)
	}
	for i := range list {
		group := d.groupIDs[list[i].group]
		if m := &list[i]; !m.nested && !m.known && (slices.Contains(want, group) || slices.Contains(e.Groups, group)) {
			m.known = true
			d.members[list[i].group]++
		}
	}
}

// setMethod lifts the method to the policy's; without a password dual is written as self_auth (L6); none is
// lowered (L5).
func (d *decision) setMethod(s *Shape, e *entry, f *TenantEffect) {
	want := state.MethodDual
	if !e.Password {
		want = state.MethodSelfAuth
	}
	if e.Method >= want {
		return
	}
	s.Method = want
	if want == state.MethodDual {
		f.Dual++
	} else {
		f.SelfAuth++
	}
}

func (d *decision) open(wave int) int {
	if d.segment[wave] < 0 {
		d.segment[wave] = d.sink.Segment(SegmentMove, d.waves[wave].Name)
	}
	return d.segment[wave]
}

// followUp adds what a moved user's row asks for since: groups by role and tenant, and the end of a person whose
// row is gone (L24, L25, L28, L30).
func (d *decision) followUp(e *entry) error {
	if d.isOpen(e.User) {
		return nil
	}
	if !e.Row {
		return d.gone(e)
	}
	if e.Link != e.RecPerson {
		d.drift.link++
		return nil
	}
	if !e.Own {
		d.drift.person++
		return nil
	}
	d.lookOutside(e)
	if e.Tenant < 0 {
		return nil
	}
	t := &d.tenants[e.Tenant]
	if !t.Live() {
		return nil
	}
	wave := d.world.waves.list[e.Wave]
	paused := d.pauses[pauseKey{wave, uuid.Nil}] || d.pauses[pauseKey{wave, t.ID}]
	s := Shape{Tenant: t.ID, Relies: providers.ReliesMember, Act: state.PersonNone, Wave: wave, Policy: d.world.policies.list[e.Policy],
		Standing: state.Moved, Generation: e.Generation, Ours: e.Ours, LinkOurs: e.LinkOurs, Found: true, Away: e.Away}
	f := d.followed.of(d.world, e.Tenant)
	switch follow := d.in.Config.Identity.FollowState; {
	case e.Inactive && (e.Away || !follow):
		return nil
	case e.Inactive:
		return d.sleep(e, s, f) // also where the tenant is left alone otherwise: it only takes away
	case t.blocked || t.taken:
		return nil
	case e.Away && (!follow || paused):
		return nil
	case e.Status != 0:
		return nil // excluded: it stays as it is (L4)
	case e.Away:
		s.Away = false
		if p, _ := d.dir.person(e.Person); e.Ours && e.Expired && p.closed { // who else has expired it since meant it
			s.Act = state.PersonEnable
		}
	}
	if e.Differs && !paused && d.mailMayFollow(e) {
		s.Mail, s.Relies = true, providers.ReliesAll
	} else if e.Differs {
		s.Relies = providers.ReliesAll // what the digest covers
	}
	want := d.wanted(e)
	for _, g := range want {
		if !paused && !d.dir.isMember(e.Person, g) {
			s.Join = append(s.Join, g)
		}
	}
	for _, g := range e.Groups {
		if _, there := d.dir.groups[g]; !there && !slices.Contains(want, g) {
			continue // deleted by somebody else: nothing to keep, nothing to leave
		}
		if slices.Contains(want, g) || !d.mayLeave(e, g) {
			s.Keep = append(s.Keep, g)
		} else {
			s.Leave = append(s.Leave, g)
		}
	}
	d.misses(e, s.Join, s.Leave)
	if len(s.Join)+len(s.Leave) == 0 && !s.Mail && s.Act == state.PersonNone && s.Away == e.Away {
		return nil
	}
	s.Keep = slices.DeleteFunc(s.Keep, func(g uuid.UUID) bool { return slices.Contains(s.Join, g) })
	f.Users++
	f.Join += int64(len(s.Join))
	f.Leave += int64(len(s.Leave))
	d.countAdmin(f, s.Join, s.Leave)
	if s.Mail {
		f.Mail++
	}
	if s.Act == state.PersonEnable {
		f.Enable++
	}
	return d.addFollow(s, UserChange{User: e.User, Before: e.Digest})
}

// countAdmin counts users who gain or lose a group that is mapped as admin.
func (d *decision) countAdmin(f *TenantEffect, join, leave []uuid.UUID) {
	admin := func(g uuid.UUID) bool { return d.adminGroups[g] }
	if slices.ContainsFunc(join, admin) {
		f.GainAdmin++
	}
	if slices.ContainsFunc(leave, admin) {
		f.LoseAdmin++
	}
}

// sleep adds what becomes of the person of a row that is not active any more: one that we made expires, of one that we
// took over only what we added goes (L27).
func (d *decision) sleep(e *entry, s Shape, f *TenantEffect) error {
	s.Away = true
	switch {
	case e.Ours && e.Expired:
		return nil // somebody else has expired it: it is not ours to enable again
	case e.Ours:
		s.Act, s.Keep = state.PersonExpire, slices.Clone(e.Groups)
		f.Expire++
	default:
		s.Leave = slices.Clone(e.Groups)
		f.Leave += int64(len(s.Leave))
	}
	f.Users++
	return d.addFollow(s, UserChange{User: e.User, Before: e.Digest})
}

// mailMayFollow says whether Self-auth would take the row's address for the person that has another.
func (d *decision) mailMayFollow(e *entry) bool {
	if e.Problem != 0 || d.dupMail[e.Mail] || d.dir.mailTaken(e.Mail, e.Person) || !e.Verified && d.in.Config.Identity.Unverified == "skip" {
		d.counts.mailStuck++
		return false
	}
	if !e.Verified {
		d.counts.unverified++
	}
	return true
}

// scopeChange is which scopes a client gives the members of groups, now and as planned.
type scopeChange struct {
	client    string
	changed   bool // the maps themselves
	was, will map[uuid.UUID][]string
}

// misses counts moved users who would lose the last mapped group with one that this plan deletes (L35), or a scope of a
// client: then the client refuses them.
func (d *decision) misses(e *entry, join, leave []uuid.UUID) {
	if len(d.deleting) == 0 && len(leave) == 0 && !slices.ContainsFunc(d.scopes, func(c scopeChange) bool { return c.changed }) {
		return
	}
	var had, left []uuid.UUID
	for _, m := range d.dir.memberOf(e.Person) {
		g := d.groupIDs[m.group]
		had = append(had, g)
		if d.deleting[g] == "" && !slices.Contains(leave, g) {
			left = append(left, g)
		}
	}
	left = append(left, join...)
	for _, c := range d.scopes {
		was, will := scopesBy(c.was, had), scopesBy(c.will, left)
		// Losing a group loses the scopes that come with it; losing all of them is to be refused.
		if c.changed && !covers(will, was) || len(was) > 0 && len(will) == 0 {
			d.lostScope[c.client]++
		}
	}
	mapped := slices.ContainsFunc(left, func(g uuid.UUID) bool {
		return slices.Contains(d.mapped[g], e.Tenant) || d.tenants[e.Tenant].declares(g)
	})
	if mapped || len(had) == 0 {
		return
	}
	d.counts.homeless++
	for _, g := range had {
		if d.deleting[g] != "" {
			d.lastGroup[g]++
		}
	}
}

// scopesBy are the scopes that the members of some groups get.
func scopesBy(scopes map[uuid.UUID][]string, groups []uuid.UUID) map[string]bool {
	got := map[string]bool{}
	for _, g := range groups {
		for _, s := range scopes[g] {
			got[s] = true
		}
	}
	return got
}

func covers(a, b map[string]bool) bool {
	for s := range b {
		if !a[s] {
			return false
		}
	}
	return true
}

// lookOutside counts what others changed of a moved user, and its memberships.
func (d *decision) lookOutside(e *entry) {
	d.belongs(e.Person, e)
	if e.Inactive || e.Status != 0 || e.Away {
		return
	}
	if e.Ours && e.Expired {
		d.drift.expired++
	}
	if e.Method == state.MethodPassword {
		d.drift.method++
	}
}

// mayLeave says whether a membership that we added and that is not wanted goes: not where the group is merely
// dormant (L31), that is known to the tenant but not declared at present.
func (d *decision) mayLeave(e *entry, group uuid.UUID) bool {
	if d.deleting[group] != "" {
		return true
	}
	of := d.mapped[group]
	if !slices.Contains(of, e.Tenant) {
		return true // another tenant's (L25), or mapped to nobody any more
	}
	return d.tenants[e.Tenant].declares(group)
}

func (d *decision) gone(e *entry) error {
	s := Shape{Tenant: e.RecTenant, RowGone: true, Relies: providers.ReliesMember, Act: state.PersonNone, Wave: d.world.waves.list[e.Wave],
		Policy: d.world.policies.list[e.Policy], Standing: state.Gone, Generation: e.Generation, Ours: e.Ours, LinkOurs: e.LinkOurs,
		Leave: slices.Clone(e.Groups), Found: true}
	if e.RecPerson != state.PersonID(d.lineage, e.User, e.Generation) {
		s.Person = e.RecPerson
	}
	f := d.followed.of(d.world, d.tenantIndex(e.RecTenant))
	if e.Ours {
		s.Act = state.PersonExpire
		f.Expire++
	}
	f.Users++
	f.Leave += int64(len(s.Leave))
	return d.addFollow(s, UserChange{User: e.User})
}

func (d *decision) addFollow(s Shape, c UserChange) error {
	if d.follow < 0 {
		d.follow = d.sink.Segment(SegmentFollow, "")
	}
	return d.sink.Add(d.follow, s, c)
}

// tenantEffects sorts effects by slug and fills in what does not change from user to user.
func (d *decision) tenantEffects(e effects) []TenantEffect {
	list := make([]TenantEffect, 0, len(e))
	for t, f := range e {
		if f.Users == 0 {
			continue
		}
		if t >= 0 {
			f.Live = d.tenants[t].live
		}
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b TenantEffect) int {
		if a.Slug != b.Slug {
			if a.Slug < b.Slug {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.Tenant[:], b.Tenant[:])
	})
	return list
}

// overlap says which waves in no order select the same user (L2).
func (d *decision) overlap() []string {
	var s []string
	for pair, n := range d.unordered {
		a, b := d.waves[pair[0]].Name, d.waves[pair[1]].Name
		s = append(s, fmt.Sprintf("wave %q and wave %q both select %d users and neither comes after the other.", a, b, n))
	}
	slices.Sort(s)
	return s
}

func isAdmin(role string) bool { return role == "admin" || role == "super_admin" || role == "owner" }
