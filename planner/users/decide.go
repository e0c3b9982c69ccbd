package users

import (
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/world"
	"anthill/state"
)

// Decided is what Decide found out about all users. Their changes are in the sink.
type Decided struct {
	Release   int // segment of those whose persons give an address up; -1: there is none
	Follow    int // segment of those who were moved before; -1: there is none
	Withdraw  int // segment of those who are neither moved nor due; -1: there is none
	Waves     []Wave
	Moved     int64                     // users recorded as moved
	MovedOf   map[uuid.UUID]int64       // of them, of each tenant
	Duals     map[string]int64          // of them, by policy, those whose password goes on working by what is recorded
	Admins    []Admins                  // of each tenant, by index of the world's tenants; but for those whom waves move
	Strangers map[uuid.UUID][]uuid.UUID // persons who do not belong in groups that are managed in full, by group
	Outside   []state.Finding           // changed outside Anthill
	Notes     []state.Finding
	// Why the user of Writing gets no mail; "": it gets one, or is not moved under a wave that writes.
	NotWritten state.Code
	plan.Risk
	readdressed int64                   // users moved before who get an address that they never confirmed
	nameless    map[state.Subject]int64 // users moved before, of clients that this plan changes: see said
	lesser      map[lesser]int64        // users moved before, by groups that they join now: see said
	refused     map[refusal]int64       // users moved before, of clients that this plan changes: see said
	stay        ways                    // of all users, but those who are due
}

// Wave is a declared wave with the figures of its users.
type Wave struct {
	config.Wave
	Segment  int // -1: nobody is due
	Withdraw int // segment of those due, as it is where the wave does not move; -1: there is none
	Mail     int // segment of those moved before who are written to; -1: there is none

	Announced Announced
	Tally     rollout.Tally
	Matched   int64 // belong to the wave
	Skipped   int64 // of them, for good
	NotMoved  map[plan.SkipReason]int64
	Said      said // what is to be said of its users where they are moved
	stay      ways // of those due, as it is where the wave does not move
	unwritten
	waiting  perTenant // until their tenants have opened a gate
	released perTenant // due, and held by a gate of before that each tenant opened
}

// lesser is a group of a tenant by which users come in who are in a stronger one as well.
type lesser struct{ tenant, group string }

// said counts what is noted about users who are moved.
type said struct {
	unverified, groupless int64
	enrolled              int64                   // who have a credential in Self-auth already
	dualAgain             int64                   // who log in through Self-auth alone, and whose rows have a hash
	unnamed               map[string]int64        // by role: whose role no group of the tenant names
	lesser                map[lesser]int64        // who come in with less than their role
	nameless              map[state.Subject]int64 // by client: whose tokens have no name of a group that the application knows
	refused               map[refusal]int64       // whom Self-auth refuses at a client
	nowhere               map[string]int64        // by tenant: whom no client lets in
	ways                  ways
}

// Scope is whom a plan of a part changes. Who is outside is looked at all the same, and counts as it stays. The zero Scope
// is everybody.
type Scope struct {
	// Has says whether users belong to the part, by the tenant and the wave that they belong to or were moved under; "": none.
	Has func(tenant uuid.UUID, wave string) bool
	// Of says whether a tenant has such users, or may have: what is noted of its groups is noted then.
	Of func(tenant uuid.UUID) bool
	// Writes says to whom mails are due; nil: to nobody.
	Writes *Writing
	// Expels says whether a group of the part is one that strangers may be put out of.
	Expels func(state.Address) bool
	// Held are the waves whose gates must be open again before whom an edit of their selection adds is moved.
	Held map[string]bool
}

func (s Scope) has(tenant uuid.UUID, wave string) bool { return s.Has == nil || s.Has(tenant, wave) }

func (s Scope) of(tenant uuid.UUID) bool { return s.Of == nil || s.Of(tenant) }

func (s Scope) expels(at state.Address) bool { return s.Expels == nil || s.Expels(at) }

// Decide decides about every user of the world, in the order of tenant id, user id. Changes of those in the scope go to
// sink, and the sets of groups that they name to table. Diagnostics with an error mean that there is no plan; an error is one of the sink or
// of the spool.
func Decide(
	j *world.Joined, o *objects.Plan, scope Scope, table *plan.Table, sink plan.Sink,
) (*Decided, hcl.Diagnostics, error) {
	d := newDecider(j, o, table, sink)
	d.scope, d.given.scope = scope, scope
	if err := d.given.find(d.addRelease); err != nil {
		return nil, nil, err
	}
	if err := j.Entries.Each(d.user); err != nil {
		return nil, nil, err
	}
	if err := d.tellAdmins(-1); err != nil {
		return nil, nil, err
	}
	d.noteWithdraws()
	for i := range d.Waves {
		d.figures(&d.Waves[i])
	}
	diags := d.problems()
	d.Outside = d.outside()
	d.Notes = d.notes()
	d.raise()
	d.Strangers = d.strangersOfFull()
	d.admins.expel(d.Strangers)
	d.Admins = d.admins.tenants
	return &d.Decided, diags, nil
}

// decider turns entries into user changes and figures.
type decider struct {
	Decided
	*world.Joined
	objects   *objects.Plan
	scope     Scope
	left      bool // the user in hand is not in the scope
	table     *plan.Table
	sink      plan.Sink
	cohorts   *rollout.Cohorts
	policies  map[string]config.Policy
	pauses    map[pause]bool
	optIn     optIn
	widening  rollout.Widening
	late      []bool                   // by wave: it is done, and leaves who comes late
	wanted    map[[2]int][]uuid.UUID   // by tenant and role: the groups that such a user belongs in, sorted
	rules     map[uuid.UUID]plan.Group // groups of ours with a members' rule, dormant ones too
	withdraws map[string]int           // segments of SegmentWithdraw, by the wave that makes them needless; "": none
	names     nameBook
	given     released
	released  int64 // persons that give an address up
	counts    counts
	losses    losses
	doors     doors
	admins    adminCount
	belongs   []bool         // by place in Index.Members: whether the membership is no stranger's
	matching  []int          // reused
	index     map[string]int // of declared waves, by name

	started    map[string]bool // waves
	announcing announcing
	raises     bool  // a policy raises users who were moved under another
	raising    []int // reused
	last       lastSpan
	rowBack    rowBack
}

type pause struct {
	wave   string
	tenant uuid.UUID // zero: the whole wave
}

// nameBook is what is known of names and addresses that more than one user wants.
type nameBook struct {
	names, mails map[uint64]bool // hashes that stand more than once
	taken        map[uint64]bool // hashes of the names that declared objects have or will have
	first        map[uint64]bool // shared addresses met already (shared_email = "first_tenant")
	shared       int64
	adopting     map[uuid.UUID]bool
}

// counts are the figures that become findings.
type counts struct {
	drift

	unselected map[string]int64 // moved users whom no wave selects any more, by the wave that moved them (L4)
	sleeping   map[string]int64 // moved users who are asleep though their rows are active, as nothing is given to them, by that wave
	policies   map[string]int64 // users moved, by policy
	unordered  map[[2]int]int64 // users whom two waves in no order select
}

// drift are the counts that one user adds to.
type drift struct {
	nowhere, mailStuck            int64
	link, person, expired, method int64 // changed by others
	dual                          int64 // raised before, and set back by the application
}

// newDecider prepares the look-ups by which each user is decided.
func newDecider(j *world.Joined, o *objects.Plan, table *plan.Table, sink plan.Sink) *decider {
	c := j.Config
	slugs := make([]string, len(j.Tenants))
	for i, t := range j.Tenants {
		slugs[i] = t.Slug
	}
	d := &decider{
		Joined:    j,
		given:     released{Joined: j},
		objects:   o,
		table:     table,
		sink:      sink,
		cohorts:   rollout.NewCohorts(c.Waves, slugs),
		policies:  map[string]config.Policy{},
		pauses:    map[pause]bool{},
		optIn:     newOptIn(c.Waves, j.State),
		widening:  rollout.NewWidening(c.Waves, j.State, slugs),
		late:      rollout.LeavesLate(c.Waves, j.State.Waves),
		wanted:    map[[2]int][]uuid.UUID{},
		rules:     rules(j, o),
		withdraws: map[string]int{},
		losses:    newLosses(o),
		doors:     newDoors(j, o),
		rowBack:   rowBack{linked: map[string]int64{}},
		belongs:   make([]bool, len(j.Index.Members)),
		index:     map[string]int{},
		started:   map[string]bool{},
		admins:    newAdminCount(j.Observed, o.Changes),
	}
	d.Decided = Decided{Release: -1, Follow: -1, Withdraw: -1, MovedOf: map[uuid.UUID]int64{}, Duals: map[string]int64{}}
	d.names = nameBook{
		names:    world.Repeated(j.Names),
		mails:    world.Repeated(j.Mails),
		taken:    map[uint64]bool{},
		first:    map[uint64]bool{},
		adopting: map[uuid.UUID]bool{},
	}
	// Names of groups and clients that this plan makes are not in the directory yet, and must not go to a person.
	for _, n := range o.Names {
		d.names.taken[j.Index.Hash(n)] = true
	}
	d.counts = counts{unselected: map[string]int64{}, sleeping: map[string]int64{}, policies: map[string]int64{}, unordered: map[[2]int]int64{}}
	for i, w := range c.Waves {
		d.index[w.Name] = i
		d.Waves = append(d.Waves, Wave{Wave: w, Segment: -1, Withdraw: -1, Mail: -1, Announced: Announced{Segment: -1}, NotMoved: map[plan.SkipReason]int64{}})
		d.announcing.toAdmins = d.announcing.toAdmins || w.Announcement != nil && w.Announcement.ToAdmins
		if j.EnrolledKnown {
			d.Waves[len(d.Waves)-1].Tally.Figures.Enrolled = new(int64)
		}
	}
	d.announcing.tenant, d.announcing.waves = -1, map[int]stage{}
	for _, w := range j.State.Waves {
		d.started[w.Name] = !w.Started.IsZero()
	}
	for _, p := range c.Policies {
		d.policies[p.Name] = p
		d.raises = d.raises || p.From != ""
	}
	for _, p := range j.State.Pauses {
		d.pauses[pause{p.Wave, p.Tenant}] = true
	}
	return d
}

// user decides one entry.
func (d *decider) user(e *world.Entry) error {
	counts, readdressed := d.counts.drift, d.readdressed
	if err := d.tellAdmins(e.Tenant); err != nil {
		return err
	}
	d.left = !d.scope.has(e.TenantNow(d.Observed), e.Recorded.Wave)
	err := d.decide(e)
	d.noteAdmin(e)
	if d.left {
		// What is noted is about the users of the plan.
		d.counts.drift, d.readdressed = counts, readdressed
	}
	return err
}

func (d *decider) decide(e *world.Entry) error {
	if e.Moved() {
		d.Moved++
		d.MovedOf[e.TenantNow(d.Observed)]++
		d.counts.policies[e.Recorded.Policy]++
		if e.Is(world.RecordedDual) {
			d.Duals[e.Recorded.Policy]++
		}
		d.tally(e)
		if !e.Is(world.HasRow) {
			d.noteBelonging(e.Person, e) // what we added leaves as ours, not as a stranger's
		}
		d.admins.changed, d.losses.met = false, false
		if err := d.followUp(e); err != nil {
			return err
		}
		d.countAdmin(e)
		s := &d.admins.change
		if !d.admins.changed {
			s = nil
		}
		d.countWay(&d.stay, e, s, e.Recorded.Person)
		if err := d.write(e); err != nil {
			return err
		}
		return d.raiseMoved(e)
	}
	d.losses.met = false
	if !d.isLive(e) {
		return d.withdraw(e, "")
	}
	return d.candidate(e)
}

// noteWithdraws notes the segments of SegmentWithdraw where they are looked for.
func (d *decider) noteWithdraws() {
	if n, there := d.withdraws[""]; there {
		d.Withdraw = n
	}
	for i := range d.Waves {
		if n, there := d.withdraws[d.Waves[i].Name]; there {
			d.Waves[i].Withdraw = n
		}
	}
}

// rules are the groups of ours of which it is known who belongs in them: as declared, else as recorded.
func rules(j *world.Joined, o *objects.Plan) map[uuid.UUID]plan.Group {
	known := recordedRules(j)
	for id := range o.Deleting {
		delete(known, id)
	}
	for i, t := range o.Tenants {
		for _, g := range t.Groups {
			delete(known, g.ID)
			if g.Members.Declared() {
				known[g.ID] = plan.Group{ID: g.ID, Tenant: j.Tenants[i].ID, Members: g.Members}
			}
		}
	}
	return known
}

// recordedRules are the groups of ours with the rules that are recorded of them.
func recordedRules(j *world.Joined) map[uuid.UUID]plan.Group {
	known := map[uuid.UUID]plan.Group{}
	for _, rec := range j.State.Objects {
		if rec.Kind == state.KindGroup && !rec.Deleted && rec.Members.Declared() {
			known[rec.ID] = plan.Group{ID: rec.ID, Tenant: rec.Tenant, Members: rec.Members}
		}
	}
	return known
}

// isLive says whether neither the row nor its tenant is deleted.
func (d *decider) isLive(e *world.Entry) bool {
	return e.Is(world.HasRow) && !e.Is(world.IsDeleted) && e.Tenant >= 0 && !d.Tenants[e.Tenant].Deleted
}

// matches returns the waves that select an entry, in the order of after. The slice is good until the next call.
func (d *decider) matches(e *world.Entry) []int {
	d.matching = d.cohorts.Matching(d.matching[:0], e.Tenant, e.User, d.Roles[e.Role])
	return d.matching
}

// tally counts a moved user for the waves that would select it (L17) and for the one it was moved under.
func (d *decider) tally(e *world.Entry) {
	name := e.Recorded.Wave
	if d.isLive(e) {
		waves := d.matches(e)
		for _, i := range waves {
			// A wave that raises users selects only those of its own (raiseMoved).
			if d.from(i) == "" || d.Waves[i].Policy == e.Recorded.Policy {
				d.Waves[i].Tally.Match++
			}
		}
		if len(waves) == 0 || e.Status == plan.SkipExcluded {
			d.counts.unselected[name]++
		}
	}
	if i := d.countedIn(e); i >= 0 {
		w := &d.Waves[i]
		w.Tally.Moved++
		w.Matched++
		if d.isLive(e) && !e.Is(world.IsInactive) && d.Tenants[e.Tenant].Live() {
			d.countFigures(&w.Tally.Figures, e)
		}
	}
}

// countedIn is the wave in whose figures a moved user counts: the one that it was moved under. Where that was a step
// that is no longer one, or a wave that has steps now or had some, it is the step that would select it, or else the
// last one. -1: no declared wave.
func (d *decider) countedIn(e *world.Entry) int {
	name := e.Recorded.Wave
	i, known := d.index[name]
	if known {
		return i
	}
	i = -1
	for k := range d.Waves {
		if state.WholeWave(d.Waves[k].Name) == state.WholeWave(name) {
			i = k
		}
	}
	if i < 0 || !d.isLive(e) {
		return i
	}
	for _, k := range d.matches(e) {
		if state.WholeWave(d.Waves[k].Name) == state.WholeWave(name) {
			return k
		}
	}
	return i
}

// countFigures counts a moved user who is active in the figures of the wave that moved it.
func (d *decider) countFigures(f *state.WaveFigures, e *world.Entry) {
	count := func(n *int64, holds bool) {
		if holds {
			*n++
		}
	}
	count(&f.Moved, true)
	count(&f.Invited, e.Is(world.IsInvited))
	count(&f.Completed, e.Is(world.IsCompleted))
	if d.EnrolledKnown {
		p, _ := d.Index.Person(e.Recorded.Person)
		count(f.Enrolled, p.Enrolled && e.Link == e.Recorded.Person)
	}
}

// figures fills in those that follow from the other figures of a wave, and which tenants it waits for.
func (d *decider) figures(w *Wave) {
	t := &w.Tally
	slug := func(tenant int) string { return d.Tenants[tenant].Slug }
	t.Unconfirmed, t.Released = w.waiting.list(slug), w.released.list(slug)
	f := &t.Figures
	f.Skipped = w.Skipped
	f.Selected = w.Matched - (t.Moved - f.Moved)
	for _, rec := range d.State.Waves {
		if rec.Name == w.Name {
			// Some of them may have been moved since, or be due no more.
			f.Failed = min(rec.Failed, t.Due-t.AddedDue)
		}
	}
}

// candidate finds the wave that a user who is not moved belongs to, and moves the user or says why not.
func (d *decider) candidate(e *world.Entry) error {
	// Also where it is skipped: nobody is put out of a group for not being moved yet.
	d.noteBelonging(e.Link, e)
	if d.InOpenRun(e.User) {
		d.noteAll(e)
	}
	waves := slices.DeleteFunc(d.matches(e), func(i int) bool { return d.raises && d.from(i) != "" })
	if len(waves) == 0 {
		d.counts.nowhere++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return d.withdraw(e, "")
	}
	reason := d.skipReason(e)
	for _, i := range waves {
		d.Waves[i].Tally.Match++
		if reason != plan.SkipNone && reason != plan.SkipOpenRun {
			d.Waves[i].Tally.MatchSkip++
		}
	}
	// The first in the order of after moves it (L2).
	own := waves[0]
	w := &d.Waves[own]
	w.Matched++
	d.left = !d.scope.has(e.TenantNow(d.Observed), w.Name)
	switch {
	case reason == plan.SkipNone && d.late[own] && !wasOf(e, w):
		w.Skipped++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return errors.Join(d.skip(e, w, plan.SkipLate), d.withdraw(e, ""))
	case reason == plan.SkipOpenRun:
		// Not skipped for good: the wave is not moved before the open run has decided about this user (L15).
		w.Tally.Waiting++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return d.skip(e, w, reason)
	case reason != plan.SkipNone:
		w.Skipped++
		if d.left && d.objects.Tenants[e.Tenant].Left {
			w.Tally.Later++ // it is skipped by how its tenant will be, and that is left out as well
		}
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return errors.Join(d.skip(e, w, reason), d.withdraw(e, ""))
	}
	for _, i := range waves[1:] {
		if !d.cohorts.Before(own, i) {
			d.counts.unordered[[2]int{own, i}]++
		}
	}
	added := d.widening.Adds(own, e.Tenant, e.User, d.Roles[e.Role]) && !wasOf(e, w)
	if added {
		w.Tally.Added++
	}
	if d.objects.Tenants[e.Tenant].Paused || d.isPaused(w.Name, d.Tenants[e.Tenant].ID) {
		w.Tally.Waiting++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return errors.Join(d.skip(e, w, plan.SkipPaused), d.withdraw(e, ""))
	}
	if d.waitsForTenant(own, e.Tenant) {
		w.Tally.Waiting++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return errors.Join(d.skip(e, w, plan.SkipUnconfirmed), d.withdraw(e, ""), d.announce(e, w, whenOpen))
	}
	if added && d.scope.Held[w.Name] {
		w.Tally.Waiting++
		w.Tally.Widened++
		d.countWay(&d.stay, e, nil, uuid.Nil)
		return errors.Join(d.skip(e, w, plan.SkipWidened), d.withdraw(e, ""), d.announce(e, w, whenOpen))
	}
	if added {
		w.Tally.AddedDue++
	}
	w.Tally.Due++
	stay := &w.stay
	if d.left { // it stays as it is, whatever becomes of the wave
		w.Tally.Left++
		stay = &d.stay
	} else {
		d.isReleased(own, e.Tenant)
	}
	d.countWay(stay, e, nil, uuid.Nil)
	if err := errors.Join(d.withdraw(e, w.Name), d.announce(e, w, whenStarts)); err != nil {
		return err
	}
	return d.move(e, w)
}

// wasOf reports whether a user who is not moved is recorded under a wave, or a step of it: it is neither late nor added.
func wasOf(e *world.Entry, w *Wave) bool {
	return e.Is(world.IsRecorded) && state.InWave(e.Recorded.Wave, state.WholeWave(w.Name))
}

func (d *decider) isPaused(wave string, tenant uuid.UUID) bool {
	if len(d.pauses) == 0 {
		return false
	}
	whole := state.WholeWave(wave)
	return d.pauses[pause{wave, uuid.Nil}] || d.pauses[pause{wave, tenant}] || d.pauses[pause{whole, uuid.Nil}] || d.pauses[pause{whole, tenant}]
}

func (d *decider) skip(e *world.Entry, w *Wave, reason plan.SkipReason) error {
	if d.left {
		return nil
	}
	w.NotMoved[reason]++
	t := &d.Tenants[e.Tenant]
	return d.sink.Skip(plan.SkippedUser{
		User: e.User, Tenant: plan.Tenant{ID: t.ID, Slug: t.Slug}, Wave: w.Name, Reason: reason,
	})
}

// skipReason says why a user is not moved, the first reason that holds; SkipNone: it is. A pause is judged only after
// all of these (candidate).
func (d *decider) skipReason(e *world.Entry) plan.SkipReason {
	t, served := &d.Tenants[e.Tenant], &d.objects.Tenants[e.Tenant]
	switch {
	case e.Status != plan.SkipNone:
		return e.Status
	case t.Status == "suspended":
		return plan.SkipTenantSuspended
	case t.Status != "active":
		return plan.SkipTenantCancelled
	case served.Hidden:
		return plan.SkipGroupHidden
	case served.Blocked:
		return plan.SkipTenantBlocked
	case served.Taken:
		return plan.SkipGroupTaken
	case d.InOpenRun(e.User):
		return plan.SkipOpenRun
	case d.Twice[e.Link], e.Link == uuid.Nil && e.Is(world.PersonThere) && len(d.Holders(e.Person)) > 0:
		return plan.SkipPersonTwice
	case e.Link != uuid.Nil && !e.Is(world.PersonThere):
		return plan.SkipLinkUnknown
	case e.Link != uuid.Nil:
		// Linked already: no person is made from its address or name.
		return plan.SkipNone
	case e.Is(world.PersonThere) && e.Is(world.PersonExpired) && !d.closedByUs(e.Person):
		return plan.SkipPersonExpired
	case e.Is(world.IsNamed):
		return d.adoptReason(e)
	case e.Problem != plan.SkipNone:
		return e.Problem
	case d.omitsMail(e):
		return plan.SkipNone
	case d.names.mails[e.Mail] && !d.takesShared(e):
		return plan.SkipShared
	case d.given.taken(e.Mail, e.Person):
		return d.adoptReason(e)
	}
	return plan.SkipNone
}

// omitsMail reports whether the person that is made for a user gets no address: it is shared, or none that Self-auth takes.
func (d *decider) omitsMail(e *world.Entry) bool {
	return d.Config.Identity.OmitMail && (e.Is(world.MailUnfit) || d.names.mails[e.Mail])
}

// closedByUs reports whether an expired person is so by our doing: what others have done they meant, and it stays.
func (d *decider) closedByUs(person uuid.UUID) bool {
	p, _ := d.Index.Person(person)
	return p.Closed
}

// adoptReason says why the person who holds a user's address, or is named for the user, is not taken over; SkipNone: it is.
func (d *decider) adoptReason(e *world.Entry) plan.SkipReason {
	if e.Holder == uuid.Nil || e.Is(world.PersonThere) {
		return plan.SkipEmailTaken
	}
	// To take over a person who is somebody of another tenant would let the user in there.
	foreign := func(m world.Member) bool {
		of := d.MappedTo(d.Index.IDs[m.Group])
		return len(of) > 0 && !slices.Contains(of, e.Tenant)
	}
	p, _ := d.Index.Person(e.Holder)
	switch {
	// The person may be in a hidden group of another tenant.
	case len(d.Hidden) > 0:
		return plan.SkipHolderForeign
	case d.Claimed(e.Holder), slices.ContainsFunc(d.Index.MemberOf(e.Holder), foreign):
		return plan.SkipHolderForeign
	case p.Expired:
		return plan.SkipHolderAway
	case d.names.adopting[e.Holder]:
		return plan.SkipHolderForeign
	case !e.Is(world.IsNamed) && d.NamedFor[e.Holder] != uuid.Nil:
		return plan.SkipHolderForeign
	}
	return plan.SkipNone
}

// takesShared counts a user whose address is shared, and reports whether it may have it: the first in order that asks
// takes it, if the configuration says so.
func (d *decider) takesShared(e *world.Entry) bool {
	d.names.shared++
	if d.Config.Identity.SharedEmail != "first_tenant" || d.names.first[e.Mail] {
		return false
	}
	d.names.first[e.Mail] = true
	return true
}

// wants are the groups that the user of an entry belongs in, sorted. The slice is shared.
func (d *decider) wants(e *world.Entry) []uuid.UUID {
	key := [2]int{e.Tenant, e.Role}
	ids, known := d.wanted[key]
	if !known {
		for _, g := range d.objects.Tenants[e.Tenant].Groups {
			if g.Members.Has(d.Roles[e.Role]) {
				ids = append(ids, g.ID)
			}
		}
		slices.SortFunc(ids, world.CompareID)
		d.wanted[key] = ids
	}
	return ids
}
