package world

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/internal/spool"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// MaxGeneration is up to which generation an entry of ours is looked for where nothing is recorded of it.
const MaxGeneration = 16

// Streams are the streams of users from which Join makes the world, besides the rows.
type Streams struct {
	Recorded  func(context.Context) iter.Seq2[state.User, error] // state.Store.Users
	OpenUsers func(context.Context) iter.Seq2[uuid.UUID, error]  // of the open run's plan; nil: no run is open
	Temp      string                                             // directory for the spool; "" = the system's
	Enrolled  bool                                               // figures are asked for that need to know who has a credential
	Links     map[uuid.UUID]uuid.UUID                            // user -> person that somebody has made for it by hand
	Mails     func(context.Context) iter.Seq2[state.Mail, error] // state.Store.Mails; nil: nobody is written to
	Progress  func(done int64)                                   // may be nil; called every 10,000 users
}

// Joined is the world with its users.
type Joined struct {
	*Observed
	Entries    *Entries
	Roles      []string           // users.role, by Entry.Role
	Live       []int64            // live users of each tenant
	AllLive    int64              // of all tenants
	Names      []uint64           // hashes of the names to be made, sorted
	Mails      []uint64           // of live users' addresses, sorted
	Twice      map[uuid.UUID]bool // persons that more than one row is linked to
	Violations []state.Finding    // of tenant isolation (L40)
	Blocked    map[int]bool       // the tenants concerned, by index
	// EnrolledKnown: who has a credential in Self-auth was asked, or nobody is moved. Else no figure of it is known.
	EnrolledKnown bool
	// Astray are the addresses of persons that live rows of other users hold and may be given, each once, sorted: whether the
	// person's own row holds it as well is not looked at.
	Astray   []Address
	NamedFor map[uuid.UUID]uuid.UUID // person -> the user whom somebody has made it for by hand

	open    []uuid.UUID // users of the open run, sorted
	claimed []uuid.UUID // persons that belong to a user, sorted; kept where persons are adopted
	links   []link      // of all linked rows, sorted by person
}

// Address is an address of a person, by its hash.
type Address struct {
	Person uuid.UUID
	Mail   uint64
}

// CompareAddress orders addresses by person, and then by hash.
func CompareAddress(a, b Address) int {
	return cmp.Or(CompareID(a.Person, b.Person), cmp.Compare(a.Mail, b.Mail))
}

// link is a linked row that is not deleted: to whom, and what says where that person belongs.
type link struct {
	person uuid.UUID
	tenant int32
	role   uint16 // index into Roles
	active bool
}

// InOpenRun reports whether the plan of the open run has a change for a user.
func (j *Joined) InOpenRun(user uuid.UUID) bool {
	_, open := slices.BinarySearchFunc(j.open, user, CompareID)
	return open
}

// Claimed reports whether a person belongs to a user, so that no other may take it over. It is known only where persons may be
// taken over: by the configuration, or because somebody has named some.
func (j *Joined) Claimed(person uuid.UUID) bool {
	_, theirs := slices.BinarySearchFunc(j.claimed, person, CompareID)
	return theirs
}

// TenantsOf are the tenants of the rows that are linked to a person, by index.
func (j *Joined) TenantsOf(person uuid.UUID) (list []int) {
	for _, h := range j.Holders(person) {
		list = append(list, h.Tenant)
	}
	return list
}

// Holder is a row that is linked to a person.
type Holder struct {
	Tenant int // by index
	Role   string
	Active bool
}

// Holders are the rows that are linked to a person and are not deleted.
func (j *Joined) Holders(person uuid.UUID) (list []Holder) {
	i, _ := slices.BinarySearchFunc(j.links, person, func(l link, id uuid.UUID) int { return CompareID(l.person, id) })
	for ; i < len(j.links) && j.links[i].person == person; i++ {
		l := j.links[i]
		list = append(list, Holder{int(l.tenant), j.Roles[l.role], l.active})
	}
	return list
}

// joiner is a Joined in the making.
type joiner struct {
	Joined
	config  *config.Config
	namer   plan.Namer
	roles   words
	tenant  int              // the place of the last row's tenant
	foreign map[[2]int]int64 // tenant of the row, tenant of the group -> persons
	asks    bool             // for somebody it matters who has a credential in Self-auth
	onLink  map[string]bool  // policies that complete users when they are linked
	moved   bool             // somebody is moved
	named   map[uuid.UUID]uuid.UUID
	writes  map[string]bool // waves, by their whole names, that write to their users
	mailing bool            // there are such waves, or such that are announced
	writing bool            // and they have moved users
	tells   bool            // waves are announced
}

// Join merges rows and recorded users, both in the order of tenant id, user id, into the spool. The caller closes the
// Entries. An error is one of a stream or of the spool; there are no Entries to close then.
func (o *Observed) Join(ctx context.Context, s Streams) (_ *Joined, err error) {
	c := o.Config
	j := &joiner{
		config:  c,
		namer:   plan.Namer{Name: c.Identity.Name, Display: c.Identity.Display},
		foreign: map[[2]int]int64{},
		onLink:  map[string]bool{},
		named:   s.Links,
		writes:  map[string]bool{},
	}
	j.NamedFor = make(map[uuid.UUID]uuid.UUID, len(s.Links))
	for user, person := range s.Links {
		j.NamedFor[person] = user
	}
	for _, w := range c.Waves {
		j.writes[state.WholeWave(w.Name)] = w.Invitation != nil // all steps of a wave do alike
		j.tells = j.tells || w.Announcement != nil
		j.mailing = j.mailing || w.Invitation != nil || j.tells
	}
	for _, p := range c.Policies {
		j.onLink[p.Name] = p.CompleteOnLink
	}
	j.asks = slices.ContainsFunc(c.Policies, func(p config.Policy) bool { return p.From != "" })
	j.Observed, j.Live = o, make([]int64, len(o.Tenants))
	if err := j.readOpen(ctx, s); err != nil {
		return nil, err
	}
	file, err := spool.New(s.Temp)
	if err != nil {
		return nil, err
	}
	j.Entries = &Entries{file: file}
	defer func() {
		if err != nil {
			_ = j.Entries.Close() // the error at hand says more
		}
	}()
	if err := j.merge(ctx, s); err != nil {
		return nil, err
	}
	switch {
	case j.Directory == nil:
	case j.asks:
		if err := j.Index.enrol(ctx, j.Directory); err != nil {
			return nil, err
		}
		j.EnrolledKnown = true
	case !j.moved && !j.writing:
		j.EnrolledKnown = true // of nobody
	case s.Enrolled, j.writing:
		// For figures, and for mails to those who have none: where the account may not see it, they are not known, and what goes by them waits.
		err := j.Index.enrol(ctx, j.Directory)
		if err != nil && state.ErrorKindOf(err) != state.ErrorDenied {
			return nil, err
		}
		j.EnrolledKnown = err == nil
	}
	j.Roles = j.roles.list
	slices.Sort(j.Names)
	slices.Sort(j.Mails)
	slices.SortFunc(j.claimed, CompareID)
	slices.SortFunc(j.Astray, CompareAddress)
	j.Astray = slices.Compact(j.Astray)
	j.isolate()
	return &j.Joined, nil
}

func (j *joiner) readOpen(ctx context.Context, s Streams) error {
	if s.OpenUsers == nil {
		return nil
	}
	for id, err := range s.OpenUsers(ctx) {
		if err != nil {
			return err
		}
		j.open = append(j.open, id)
	}
	slices.SortFunc(j.open, CompareID)
	return nil
}

// merge meets each row with what is recorded of its user, so that every user gets one entry.
func (j *joiner) merge(ctx context.Context, s Streams) error {
	// Recorded users whose row is gone come between the rows, in the place that they were recorded for.
	next, stop := iter.Pull2(s.Recorded(ctx))
	defer stop()
	mails := mailStream{next: func() (m state.Mail, err error, more bool) { return m, nil, false }}
	if s.Mails != nil {
		of, done := iter.Pull2(s.Mails(ctx))
		defer done()
		mails.next = of
	}
	if err := mails.advance(); err != nil {
		return err
	}
	rec, err, more := next()
	flush := func(until func(state.User) bool) error {
		for ; more && err == nil && until(rec); rec, err, more = next() {
			e := j.gone(rec)
			if _, err := mails.of(rec.User); err != nil {
				return err
			}
			if err := j.Entries.write(&e); err != nil {
				return err
			}
		}
		return err
	}
	var n int64
	for u, uerr := range j.Database.Users(ctx) {
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
		e := j.row(u, r)
		if e.Mailed, err = mails.of(u.ID); err != nil {
			return err
		}
		e.note(WasMailed, !e.Mailed.IsZero())
		if err := j.Entries.write(&e); err != nil {
			return err
		}
		if n++; n%10000 == 0 && s.Progress != nil {
			s.Progress(n)
		}
	}
	return flush(func(state.User) bool { return true })
}

// mailStream is a stream of mails in the order of rows and recorded users.
type mailStream struct {
	next func() (state.Mail, error, bool)
	m    state.Mail
	more bool
}

func (s *mailStream) advance() (err error) {
	s.m, err, s.more = s.next()
	return err
}

// of takes in the mails of a user, whose turn it is.
func (s *mailStream) of(user uuid.UUID) (m state.Mailed, err error) {
	for s.more && s.m.User == user {
		m.Add(s.m)
		if err := s.advance(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// tenantOf is the place of a row's tenant; -1: there is none. Rows come tenant by tenant.
func (j *joiner) tenantOf(u providers.User) int {
	if j.tenant < 0 || j.tenant >= len(j.Tenants) || j.Tenants[j.tenant].ID != u.Tenant {
		j.tenant = j.TenantIndex(u.Tenant)
	}
	return j.tenant
}

func before(r state.User, u providers.User) bool {
	if c := CompareID(r.TenantNow, u.Tenant); c != 0 {
		return c < 0
	}
	return CompareID(r.User, u.ID) < 0
}

// gone is the entry of a recorded user whose row is gone.
func (j *joiner) gone(r state.User) Entry {
	e := Entry{User: r.User, Tenant: j.TenantIndex(r.TenantNow), Person: r.Person, Generation: r.Generation}
	e.remember(r)
	j.claim(r.Person)
	p, there := j.Index.Person(r.Person)
	e.note(PersonThere, there)
	e.note(PersonExpired, p.Expired)
	return e
}

// remember takes in what is recorded of the user.
func (e *Entry) remember(r state.User) {
	e.note(IsRecorded, true)
	e.note(RecordedDual, r.Method == state.MethodDual)
	e.Recorded = Recorded{UserState: r.UserState, Person: r.Person, Tenant: r.Tenant, Groups: r.Groups}
}

// row is the entry of a row; r is what is recorded of its user, nil: nothing. It also gathers what is known only when
// all rows are read: names, addresses, links and claims.
func (j *joiner) row(u providers.User, r *state.User) Entry {
	e := Entry{
		User:   u.ID,
		Tenant: j.tenantOf(u),
		Role:   j.roles.of(u.Role),
		Link:   u.Link,
		Method: u.Method,
		Facts:  HasRow,
	}
	e.note(IsDeleted, u.Deleted)
	e.note(HasPassword, u.HasPassword)
	e.note(CanPassword, u.CanPassword)
	e.note(HasCompleted, u.Completed)
	e.note(IsVerified, u.Verified)
	e.note(IsInvited, u.Invited)
	e.note(IsInactive, u.Deleted || u.Status != "active")
	u.TenantLive = e.Tenant >= 0 && j.Tenants[e.Tenant].Live()
	if r != nil {
		e.remember(*r)
		e.note(IsCompleted, e.Moved() && providers.Completed(u, *r, j.onLink[r.Policy]))
		j.moved = j.moved || e.Moved()
		// A person that was taken over and given back belongs to nobody.
		if r.Standing == state.Moved || r.MadePerson {
			j.claim(r.Person)
		}
	}
	j.claim(u.Link)
	if j.linkedToNobody(u, r) {
		e.Link = uuid.Nil
	}
	j.setPerson(&e, u, r)
	e.Digest = providers.DigestUser(u, j.relies(&e, u), r)
	writes := e.Moved() && j.writes[state.WholeWave(r.Wave)]
	j.writing = j.writing || writes
	if writes || j.tells && !u.Deleted {
		e.note(MayBeMailed, true)
		e.MailDigest = providers.DigestUser(u, providers.ReliesMail, r)
	}
	if r != nil && r.MadePerson && j.mailing {
		j.writing = true // who was taken back may have enrolled meanwhile
	}
	e.note(IsReachable, j.mailing && reachable(u.Email))
	// Of a deleted row no name or address stands in anybody's way. It is an entry all the same: what was done for its user
	// must be taken back.
	if u.Deleted || e.Tenant < 0 || j.Tenants[e.Tenant].Deleted {
		return e
	}
	j.Live[e.Tenant]++
	j.AllLive++
	e.Status = j.status(u)
	e.Mail = j.Index.Hash(u.Email)
	j.Mails = append(j.Mails, e.Mail)
	if e.Link != uuid.Nil {
		j.links = append(j.links, link{e.Link, int32(e.Tenant), uint16(e.Role), !e.Is(IsInactive)})
	}
	switch named := j.named[u.ID]; {
	case e.Is(PersonThere):
		j.lookForeign(&e)
	case named != uuid.Nil && e.Link == uuid.Nil:
		// Nobody is made from its address and name.
		e.Holder = named
		e.note(IsNamed, true)
	default:
		j.judgeMail(&e, u)
	}
	j.lookAstray(&e, u)
	if !e.Is(IsNamed) {
		j.setName(&e, u, j.Tenants[e.Tenant].Slug)
	}
	j.asks = j.asks || e.asksEnrolled()
	return e
}

// relies says which columns of the row a change of this user will rely on, and notes if its person has another address.
func (j *joiner) relies(e *Entry, u providers.User) providers.Relies {
	if !e.Moved() {
		return providers.ReliesAll
	}
	p, _ := j.Index.Person(e.Person)
	// Who has slept may have given its address up.
	follows := e.Recorded.MadePerson && e.Is(PersonThere) && !e.Is(IsInactive) &&
		(j.config.Identity.FollowMail || e.Recorded.Asleep && p.Mail == 0)
	if !follows || j.Index.Has(p, u.Email) {
		return providers.ReliesMember
	}
	problem := mailProblem(u.Email)
	if problem != plan.SkipNone && p.Mail == 0 && j.config.Identity.OmitMail {
		return providers.ReliesMember
	}
	e.note(MailDiffers, true)
	e.Problem = problem
	return providers.ReliesAll
}

// lookAstray notes who else holds the row's address, if the row may be given it: not where its own person is not ours, which
// keeps what it has.
func (j *joiner) lookAstray(e *Entry, u providers.User) {
	own, _ := j.Index.Person(e.Person)
	if own.Mail == e.Mail && !j.Index.alike {
		return
	}
	fixed := e.Is(IsNamed) || e.Moved() && !e.Recorded.MadePerson || e.Is(PersonThere) && !e.Is(PersonOurs) || !u.Verified && j.config.Identity.Unverified == "skip"
	for holder := range j.Index.MailHolders(e.Mail) {
		if holder != e.Person && !fixed && mailProblem(u.Email) == plan.SkipNone {
			j.Astray = append(j.Astray, Address{holder, e.Mail})
		}
	}
}

// judgeMail says why a person cannot be made from the row's address, or who holds it and may be taken over.
func (j *joiner) judgeMail(e *Entry, u providers.User) {
	e.Problem = mailProblem(u.Email)
	if e.Problem != plan.SkipNone && j.config.Identity.OmitMail {
		e.note(MailUnfit, true)
		e.Problem = plan.SkipNone
	}
	switch {
	case e.Problem != plan.SkipNone:
	case !u.Verified && j.config.Identity.Unverified == "skip":
		e.Problem = plan.SkipUnverified
	case u.Verified && e.Link == uuid.Nil && j.config.Identity.AdoptMail:
		e.Holder = j.Index.Holder(e.Mail)
	}
}

// setName gathers the name that the row's person has or would have. A user who already has a person of ours counts too:
// the others must find the collision that it was part of, or a run that was stopped would change their names.
func (j *joiner) setName(e *Entry, u providers.User, slug string) {
	if e.Is(PersonThere) && !e.Is(PersonOurs) {
		return
	}
	name, _, ok := j.namer.Person(u, slug, false)
	if !ok {
		if e.Problem == plan.SkipNone {
			e.Problem = plan.SkipName
		}
		return
	}
	e.Name = j.Index.Hash(name)
	j.Names = append(j.Names, e.Name)
}

// claim notes a person that belongs to a user.
func (j *joiner) claim(person uuid.UUID) {
	if (j.config.Identity.AdoptMail || len(j.named) > 0) && person != uuid.Nil {
		j.claimed = append(j.claimed, person)
	}
}

// linkedToNobody reports whether the row of a user who is not moved holds a link to a person of ours that is no more: as when it
// comes back from a backup after a rollback has deleted the person. It is moved like one without a link.
func (j *joiner) linkedToNobody(u providers.User, r *state.User) bool {
	if r == nil || r.Standing == state.Moved || r.Standing == state.RowBack {
		return false
	}
	_, there := j.Index.Person(u.Link)
	return !there && j.chose(u, r)
}

// chose reports whether a row is linked to a person whose id we chose, in this generation or in one before.
func (j *joiner) chose(u providers.User, r *state.User) bool {
	if u.Link == uuid.Nil || r == nil {
		return false
	}
	for gen := range r.Generation {
		if u.Link == state.PersonID(j.Lineage, u.ID, gen+1) {
			return true
		}
	}
	return false
}

// setPerson finds the user's own person: the linked one, else the one that is ours by its id (recorded, or recovered
// where the state is lost), else the id of the one to be made.
func (j *joiner) setPerson(e *Entry, u providers.User, r *state.User) {
	// The generation of a person that would be made now: the recorded one, or the next if that id is used up.
	gen := 1
	if r != nil && r.Generation > 0 {
		gen = r.Generation
		if _, there := j.Index.Person(r.Person); !there && r.Standing != state.Moved {
			// The person was deleted, or its id was found burnt: Self-auth takes neither id again for days.
			gen++
		}
	}
	ours := state.PersonID(j.Lineage, e.User, gen)
	e.Person, e.Generation = ours, gen
	if e.Link != uuid.Nil {
		e.Person = e.Link
		// If the state is lost, the linked person may be one of ours of a later generation. The link proves it: nobody else
		// could have chosen such an id.
		for ; r == nil && e.Link != ours && gen < MaxGeneration; gen++ {
			ours = state.PersonID(j.Lineage, e.User, gen+1)
		}
		e.Generation = gen
		e.note(PersonOurs, e.Link == ours || r != nil && r.MadePerson && r.Person == e.Link || j.chose(u, r))
		if !e.Is(PersonOurs) {
			e.Generation = 0
		}
	}
	p, there := j.Index.Person(e.Person)
	e.note(PersonThere, there)
	e.note(PersonExpired, p.Expired)
	// Then it was found by an id that we choose.
	if there && e.Link == uuid.Nil {
		e.note(PersonOurs, true)
		e.note(MailDiffers, !e.Moved() && !j.Index.Has(p, u.Email))
	}
}

// status says why a user is left out by what its row alone says; SkipNone: it is not.
func (j *joiner) status(u providers.User) plan.SkipReason {
	switch {
	case j.config.Exclude.Has(u.ID, u.Email):
		return plan.SkipExcluded
	case u.Status == "suspended":
		return plan.SkipSuspended
	case u.Status != "active":
		return plan.SkipInactive
	}
	return plan.SkipNone
}

// lookForeign counts a person who is in a group that is mapped only to other tenants (L40). A membership that we added
// before the user changed tenant is no violation: it will follow the row.
func (j *joiner) lookForeign(e *Entry) {
	if e.Link == uuid.Nil {
		return
	}
	for _, m := range j.Index.MemberOf(e.Person) {
		group := j.Index.IDs[m.Group]
		of := j.MappedTo(group)
		if len(of) == 0 || slices.Contains(of, e.Tenant) || slices.Contains(e.Recorded.Groups, group) {
			continue
		}
		for _, t := range of {
			j.foreign[[2]int{e.Tenant, t}]++
		}
	}
}

// isolate blocks the tenants between which isolation does not hold (L40): whose users are in foreign groups, or whose
// rows share a person.
func (j *joiner) isolate() {
	j.Blocked, j.Twice = map[int]bool{}, map[uuid.UUID]bool{}
	for t := range j.Sharers {
		j.Blocked[t] = true
	}
	block := func(code state.Code, a, b int, n int64) state.Finding {
		j.Blocked[a], j.Blocked[b] = true, true
		return state.About(code, state.OfTenant(j.Tenants[a].Slug), state.Text(state.KeyOther, j.Tenants[b].Slug)).Times(n)
	}
	var foreign, shared []state.Finding
	for pair, n := range j.foreign {
		foreign = append(foreign, block(state.CodeForeignMembers, pair[0], pair[1], n))
	}
	// Two rows of one person stand side by side once sorted. Even in one tenant that is wrong: one login, two users.
	slices.SortFunc(j.links, func(a, b link) int { return CompareID(a.person, b.person) })
	for i := 1; i < len(j.links); i++ {
		a, b := j.links[i-1], j.links[i]
		if a.person == b.person {
			j.Twice[a.person] = true
			shared = append(shared, block(state.CodePersonShared, int(a.tenant), int(b.tenant), 0))
		}
	}
	j.Violations = slices.Concat(j.Shared, Sorted(foreign), Sorted(shared))
}

// Repeated returns the hashes that occur more than once in a sorted list.
func Repeated(sorted []uint64) map[uint64]bool {
	d := map[uint64]bool{}
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			d[sorted[i]] = true
		}
	}
	return d
}
