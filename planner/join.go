package planner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// tenant is a tenant as the planner counts and judges it.
type tenant struct {
	providers.Tenant
	groups  []wantedGroup // desired, with the ids that they have or will have
	paused  bool          // a group of it was taken back, and waits for its wave to go on
	taken   bool          // a wanted group name is held by an entry that is not ours
	blocked bool          // its isolation does not hold
	live    int64
	refers  int64         // rows of users, deleted ones too
	match   []tenantMatch // by selector, in the order of waves
}

// declares says whether a group is one of the tenant's declared ones.
func (t *tenant) declares(group uuid.UUID) bool {
	return slices.ContainsFunc(t.groups, func(g wantedGroup) bool { return g.id == group })
}

type wantedGroup struct {
	id      uuid.UUID
	address state.Address
	members config.Members
}

// world is what one planning knows besides the streams.
type world struct {
	in          Input
	lineage     uuid.UUID
	dir         *directory
	groupIDs    []uuid.UUID // by the directory's index
	tenants     []tenant    // sorted by id
	roles       interner
	waves       interner // names of recorded waves
	policies    interner
	namer       Namer
	excludeMail map[string]bool
	excludeID   map[uuid.UUID]bool
	openUsers   []uuid.UUID         // sorted
	mapped      map[uuid.UUID][]int // group -> tenants that it is mapped to
	foreign     map[[2]int]int64    // isolation: tenant of the row, tenant of the group -> persons
	links       []linkOf            // of all linked rows
	twice       map[uuid.UUID]bool  // persons that more than one row is linked to
	names       []uint64            // hashes of names to be made
	mails       []uint64            // hashes of live users' addresses
	live        int64
	drift       outsideCounts
	tenantPlans []tenantPlan
	liveClients []providers.Client
	rows        map[[2]uuid.UUID]providers.Mapping // of the mapping table, by tenant and group
	adminGroups map[uuid.UUID]bool                 // groups that are or will be mapped as admin
	claimed     []uuid.UUID                        // persons that belong to a user, sorted; kept where persons are adopted
	deleting    map[uuid.UUID]state.Address        // groups that this plan deletes
}

// outsideCounts are changes that somebody else made to moved users.
type outsideCounts struct {
	link    int64 // the row's link is not the one recorded
	person  int64 // the person is gone
	expired int64 // a person of ours was expired
	method  int64 // the row's method was set back
}

// linkOf is a linked row: to whom, and of which tenant.
type linkOf struct {
	person uuid.UUID
	tenant int32
}

// tenantsOf are the tenants of the rows that are linked to a person, once sharedLinks has sorted them.
func (w *world) tenantsOf(person uuid.UUID) (list []int) {
	i, _ := slices.BinarySearchFunc(w.links, person, func(l linkOf, id uuid.UUID) int { return compareID(l.person, id) })
	for ; i < len(w.links) && w.links[i].person == person; i++ {
		list = append(list, int(w.links[i].tenant))
	}
	return list
}

// interner numbers strings.
type interner struct {
	index map[string]int
	list  []string
}

func (i *interner) of(s string) int {
	n, ok := i.index[s]
	if !ok {
		if i.index == nil {
			i.index = map[string]int{}
		}
		n = len(i.list)
		i.index[s] = n
		i.list = append(i.list, s)
	}
	return n
}

func (w *world) tenantIndex(id uuid.UUID) int {
	i, ok := slices.BinarySearchFunc(w.tenants, id, func(t tenant, id uuid.UUID) int { return compareID(t.ID, id) })
	if !ok {
		return -1
	}
	return i
}

// join merges rows and recorded users, both in the order of tenant id, user id, into the spool.
func (w *world) join(ctx context.Context, s *spool) error {
	next, stop := iter.Pull2(w.in.Recorded(ctx))
	defer stop()
	rec, err, more := next()
	flush := func(until func(state.User) bool) error {
		for ; more && err == nil && until(rec); rec, err, more = next() {
			e := w.entryGone(rec)
			if err := s.write(&e); err != nil {
				return err
			}
		}
		return err
	}
	var n int64
	for u, uerr := range w.in.Database.Users(ctx) {
		if uerr != nil {
			return uerr
		}
		if err := flush(func(r state.User) bool { return before(r, u) }); err != nil {
			return err
		}
		var r *state.User
		if more && rec.User == u.ID {
			held := rec
			r = &held
			if rec, err, more = next(); more && err != nil {
				return err
			}
		}
		e := w.entryRow(u, r)
		if err := s.write(&e); err != nil {
			return err
		}
		if n++; n%10000 == 0 && w.in.Progress != nil {
			w.in.Progress("read users", n, w.in.Inspection.Rows)
		}
	}
	return flush(func(state.User) bool { return true })
}

func before(r state.User, u providers.User) bool {
	if c := compareID(r.TenantNow, u.Tenant); c != 0 {
		return c < 0
	}
	return compareID(r.User, u.ID) < 0
}

func (w *world) entryGone(r state.User) entry {
	e := entry{User: r.User, Tenant: w.tenantIndex(r.TenantNow), Rec: true}
	w.setRecord(&e, r)
	w.claim(r.Person)
	e.Person, e.Generation = r.Person, r.Generation
	_, e.Own = w.dir.person(r.Person)
	return e
}

func (w *world) setRecord(e *entry, r state.User) {
	e.Rec = true
	e.Standing, e.RecPerson, e.RecTenant = r.Standing, r.Person, r.Tenant
	e.Ours, e.LinkOurs, e.Groups, e.Away = r.Ours, r.LinkOurs, r.Groups, r.Away
	e.Wave, e.Policy = w.waves.of(r.Wave), w.policies.of(r.Policy)
}

func (w *world) entryRow(u providers.User, r *state.User) entry {
	e := entry{User: u.ID, Row: true, Tenant: w.tenantIndex(u.Tenant), Role: w.roles.of(u.Role), Deleted: u.Deleted,
		Password: u.HasPassword, Completed: u.Completed, Verified: u.Verified, Link: u.Link, Method: u.Method}
	u.TenantLive = e.Tenant >= 0 && w.tenants[e.Tenant].Live()
	relies := providers.ReliesAll
	if r != nil {
		w.setRecord(&e, *r)
		if r.Standing == state.Moved || r.Ours { // who was taken over and given back is nobody's
			w.claim(r.Person)
		}
		if r.Standing == state.Moved {
			relies = providers.ReliesMember
		}
	}
	w.claim(u.Link)
	w.setPerson(&e, r)
	e.Inactive = u.Deleted || u.Status != "active"
	if e.Rec && e.Standing == state.Moved && e.Ours && e.Own && !e.Inactive && w.in.Config.Identity.FollowMail {
		if p, _ := w.dir.person(e.Person); p.mail != w.dir.hash(u.Email) {
			e.Differs, relies = true, providers.ReliesAll
			e.Problem = mailProblem(u.Email)
		}
	}
	e.Digest = providers.DigestUser(u, relies)
	if u.Deleted || e.Tenant < 0 || w.tenants[e.Tenant].Deleted {
		return e
	}
	t := &w.tenants[e.Tenant]
	t.live++
	w.live++
	e.Status = w.status(u)
	e.Mail = w.dir.hash(u.Email)
	w.mails = append(w.mails, e.Mail)
	if e.Link != uuid.Nil {
		w.links = append(w.links, linkOf{e.Link, int32(e.Tenant)})
	}
	if e.Own {
		w.checkIsolation(&e)
	} else if e.Problem = mailProblem(u.Email); e.Problem == 0 && !u.Verified && w.in.Config.Identity.Unverified == "skip" {
		e.Problem = SkipUnverified
	} else if e.Problem == 0 && u.Verified && e.Link == uuid.Nil && w.in.Config.Identity.AdoptMail {
		e.Adopt = w.dir.holder(e.Mail)
	}
	w.setName(&e, u, t.Slug)
	return e
}

// setName gathers the name that the row's person has or would have. Who has a person of ours already counts as well:
// the others must find the collision that it was part of, or a run that was stopped would change their names.
func (w *world) setName(e *entry, u providers.User, slug string) {
	if e.Own && !e.OwnOurs {
		return
	}
	name, _, ok := w.namer.Person(u, slug, false)
	if !ok {
		if e.Problem == 0 {
			e.Problem = SkipName
		}
		return
	}
	e.Name = w.dir.hash(name)
	w.names = append(w.names, e.Name)
}

// claim notes a person that belongs to a user: nobody else takes it over.
func (w *world) claim(person uuid.UUID) {
	if c := w.in.Config; c != nil && c.Identity.AdoptMail && person != uuid.Nil {
		w.claimed = append(w.claimed, person)
	}
}

// sharedLinks finds persons that more than one row is linked to, and blocks the tenants concerned (L40).
func (w *world) sharedLinks() (violations []string) {
	slices.SortFunc(w.links, func(a, b linkOf) int { return compareID(a.person, b.person) })
	w.twice = map[uuid.UUID]bool{}
	for i := 1; i < len(w.links); i++ {
		a, b := w.links[i-1], w.links[i]
		if a.person != b.person {
			continue
		}
		w.twice[a.person] = true
		w.tenants[a.tenant].blocked, w.tenants[b.tenant].blocked = true, true
		violations = append(violations, fmt.Sprintf("rows of tenants %s and %s are linked to one person", w.tenants[a.tenant].Slug, w.tenants[b.tenant].Slug))
	}
	slices.Sort(violations)
	return slices.Compact(violations)
}

// setPerson finds the user's own person: the linked one, else the one that is ours by its id (recorded, or
// recovered where the state is lost), else the id of the one to be made.
func (w *world) setPerson(e *entry, r *state.User) {
	gen := 1
	if r != nil && r.Generation > 0 {
		gen = r.Generation
		if _, there := w.dir.person(r.Person); !there && r.Standing != state.Moved {
			gen++ // deleted, or the id is burnt
		}
	}
	ours := state.PersonID(w.lineage, e.User, gen)
	e.Person, e.Generation = ours, gen
	if e.Link != uuid.Nil {
		e.Person = e.Link
		for ; r == nil && e.Link != ours && gen < maxGeneration; gen++ {
			ours = state.PersonID(w.lineage, e.User, gen+1) // the state may be lost, and this one not the first
		}
		e.Generation = gen
		e.OwnOurs = e.Link == ours || r != nil && r.Ours && r.Person == e.Link
		if !e.OwnOurs {
			e.Generation = 0
		}
	}
	p, there := w.dir.person(e.Person)
	e.Own, e.Expired = there, p.expired
	if there && e.Link == uuid.Nil {
		e.OwnOurs = true
	}
}

func (w *world) status(u providers.User) SkipReason {
	switch {
	case w.excludeID[u.ID] || w.excludeMail[strings.ToLower(u.Email)]:
		return SkipExcluded
	case u.Status == "suspended":
		return SkipSuspended
	case u.Status != "active":
		return SkipInactive
	}
	return SkipInvalid
}

// checkIsolation counts a person who is a member of a group that is mapped to another tenant only (L40). What we
// added ourselves before the user changed tenant is no violation: it follows.
func (w *world) checkIsolation(e *entry) {
	if e.Link == uuid.Nil {
		return
	}
	for _, m := range w.dir.memberOf(e.Person) {
		group := w.groupIDs[m.group]
		of := w.mapped[group]
		if len(of) == 0 || slices.Contains(of, e.Tenant) || slices.Contains(e.Groups, group) {
			continue
		}
		for _, t := range of {
			w.foreign[[2]int{e.Tenant, t}]++
		}
	}
}

// duplicates returns those hashes that occur more than once in list, which it sorts.
func duplicates(list []uint64) map[uint64]bool {
	slices.Sort(list)
	d := map[uint64]bool{}
	for i := 1; i < len(list); i++ {
		if list[i] == list[i-1] {
			d[list[i]] = true
		}
	}
	return d
}
