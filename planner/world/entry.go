package world

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"anthill/internal/spool"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// Entry is what the join keeps of one user until all names and addresses are known: about 80 bytes in the spool, and
// nothing personal.
type Entry struct {
	User       uuid.UUID
	Tenant     int // index into the tenants; -1: unknown
	Facts      Fact
	Status     plan.SkipReason // excluded, inactive, suspended, or SkipNone
	Problem    plan.SkipReason // of address or name, or SkipNone
	Role       int             // index into Joined.Roles
	Link       uuid.UUID       // of the row
	Method     state.Method    // of the row
	Person     uuid.UUID       // the user's own person: linked, recorded or to be made
	Generation int             // of Person where it is ours or to be made
	Name       uint64          // hash of the name to be made; 0 where none is
	Mail       uint64          // hash of the row's address
	Digest     state.Digest
	Holder     uuid.UUID // a person who holds the verified address, or with IsNamed is named, and may be taken over
	Recorded   Recorded  // with IsRecorded
	MailDigest state.Digest
	Mailed     state.Mailed
}

// Recorded is what is recorded of a user.
type Recorded struct {
	state.UserState
	Person uuid.UUID
	Tenant uuid.UUID
	Groups []uuid.UUID // memberships that we added
}

// Fact is something that an entry says of its user.
type Fact uint32

// The facts. HasRow is false where the row is gone; then the user is recorded.
const (
	HasRow Fact = 1 << iota
	IsRecorded
	IsDeleted // the row is marked so
	HasPassword
	CanPassword // and it has the form of a hash that some password matches
	HasCompleted
	IsVerified    // the row's address
	IsInactive    // the row is suspended, inactive or deleted (L27)
	PersonThere   // Person is in the directory
	PersonOurs    // and its id, or what is recorded, says that it is ours
	PersonExpired // and it is expired
	MailDiffers   // the address of the user's own person is not the row's, letter by letter (L26)
	RecordedDual  // it was moved so that its password goes on working
	IsInvited     // the row holds a time of invitation
	IsCompleted   // it is moved, and has logged in through Self-auth (providers.Completed)
	IsNamed       // Holder is the person that somebody has made by hand for this user
	IsReachable   // the row's address is one to which a mail can be sent
	MayBeMailed   // it is moved under a wave that writes to its users, or a wave may be announced to it: MailDigest is known
	WasMailed     // Mailed says something
	MailUnfit     // the row has no address that Self-auth takes, and its person gets none (identity.mail = "omit")
)

// Is reports whether a fact holds.
func (e *Entry) Is(f Fact) bool { return e.Facts&f != 0 }

// DigestGone is the before-state of a user whose row is gone.
func (e *Entry) DigestGone() state.Digest {
	return providers.DigestGone(state.User{User: e.User, UserState: e.Recorded.UserState, Person: e.Recorded.Person})
}

// asksEnrolled reports whether the user can only log in by a credential in Self-auth, and has a person, or may take one over.
func (e *Entry) asksEnrolled() bool {
	return (!e.Is(CanPassword) || e.Method == state.MethodSelfAuth) && (e.Is(PersonThere) || e.Holder != uuid.Nil)
}

// note makes a fact hold, or not.
func (e *Entry) note(f Fact, holds bool) {
	if holds {
		e.Facts |= f
	} else {
		e.Facts &^= f
	}
}

// TenantNow is the tenant of the row, or the recorded one where the row is gone.
func (e *Entry) TenantNow(o *Observed) uuid.UUID {
	if e.Tenant >= 0 {
		return o.Tenants[e.Tenant].ID
	}
	return e.Recorded.Tenant
}

// Moved reports whether the user is recorded as moved.
func (e *Entry) Moved() bool { return e.Is(IsRecorded) && e.Recorded.Standing == state.Moved }

// Entries are the users of the world in the order of tenant id, user id, in a temporary file.
type Entries struct {
	file  *spool.Spool
	words words
	buf   []byte
	count int64
}

// Close removes the file.
func (s *Entries) Close() error { return s.file.Close() }

// words numbers texts that repeat, so that the spool holds each only once.
type words struct {
	index map[string]int
	list  []string
}

func (w *words) of(s string) int {
	n, ok := w.index[s]
	if !ok {
		if w.index == nil {
			w.index = map[string]int{}
		}
		n = len(w.list)
		w.index[s] = n
		w.list = append(w.list, s)
	}
	return n
}

func (s *Entries) write(e *Entry) error {
	b := binary.AppendUvarint(s.buf[:0], uint64(e.Facts))
	b = append(b, e.User[:]...)
	b = binary.AppendVarint(b, int64(e.Tenant))
	b = append(b, byte(e.Status), byte(e.Problem), byte(e.Method))
	b = binary.AppendUvarint(b, uint64(e.Role))
	b = binary.AppendUvarint(b, uint64(e.Generation))
	b = append(b, e.Person[:]...)
	if e.Is(HasRow) {
		b = binary.BigEndian.AppendUint64(b, e.Name)
		b = binary.BigEndian.AppendUint64(b, e.Mail)
		b = append(b, e.Digest[:]...)
		b = appendID(b, e.Link)
		b = appendID(b, e.Holder)
	}
	if e.Is(IsRecorded) {
		b = s.record(b, &e.Recorded)
	}
	if e.Is(MayBeMailed) {
		b = append(b, e.MailDigest[:]...)
	}
	if e.Is(WasMailed) {
		b = s.mailed(b, &e.Mailed)
	}
	s.buf = b
	s.count++
	_, err := s.file.Write(b)
	return err
}

// appendID writes an id that is mostly zero.
func appendID(b []byte, id uuid.UUID) []byte {
	if id == uuid.Nil {
		return append(b, 0)
	}
	return append(append(b, 1), id[:]...)
}

func (s *Entries) record(b []byte, r *Recorded) []byte {
	b = append(b, byte(r.Standing))
	for _, on := range r.switches() {
		b = append(b, 0)
		if *on {
			b[len(b)-1] = 1
		}
	}
	b = binary.AppendUvarint(b, uint64(s.words.of(r.Wave)))
	b = binary.AppendUvarint(b, uint64(s.words.of(r.Policy)))
	b = binary.AppendUvarint(b, uint64(r.Generation))
	b = append(b, r.Person[:]...)
	b = append(b, r.Tenant[:]...)
	b = binary.AppendUvarint(b, uint64(len(r.Groups)))
	for _, g := range r.Groups {
		b = append(b, g[:]...)
	}
	return b
}

func (r *Recorded) switches() [3]*bool { return [3]*bool{&r.MadePerson, &r.WroteLink, &r.Asleep} }

// Each calls f with every entry in the order of writing. The entry, its list of groups included, is reused for the next
// one. It ends with the first error, of f or of the spool.
func (s *Entries) Each(f func(*Entry) error) error {
	in, err := s.file.Reader()
	if err != nil {
		return err
	}
	d := decoder{r: in, words: s.words.list}
	var e Entry
	for range s.count {
		d.entry(&e)
		if d.err != nil {
			return fmt.Errorf("spool: %w", d.err)
		}
		if err := f(&e); err != nil {
			return err
		}
	}
	return nil
}

// decoder reads fields; the first error sticks.
type decoder struct {
	r     *bufio.Reader
	words []string
	err   error
}

func (d *decoder) bytes(b []byte) {
	if d.err != nil {
		return
	}
	// Not by io.ReadFull, for which each id and number would be on the heap.
	some, err := d.r.Peek(len(b))
	if err == io.EOF && len(some) > 0 {
		err = io.ErrUnexpectedEOF
	}
	copy(b, some)
	_, _ = d.r.Discard(len(some))
	d.err = err
}

func (d *decoder) byte() byte {
	v, err := d.r.ReadByte()
	if d.err == nil {
		d.err = err
	}
	return v
}

func (d *decoder) uvarint() uint64 {
	v, err := binary.ReadUvarint(d.r)
	if d.err == nil {
		d.err = err
	}
	return v
}

func (d *decoder) u64() uint64 {
	var b [8]byte
	d.bytes(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (d *decoder) id() (id uuid.UUID) {
	if d.byte() == 1 {
		d.bytes(id[:])
	}
	return id
}

func (d *decoder) word() string {
	n := d.uvarint()
	if d.err != nil || n >= uint64(len(d.words)) {
		return ""
	}
	return d.words[n]
}

func (d *decoder) entry(e *Entry) {
	*e = Entry{Recorded: Recorded{Groups: e.Recorded.Groups[:0]}}
	e.Facts = Fact(d.uvarint())
	d.bytes(e.User[:])
	t, err := binary.ReadVarint(d.r)
	if d.err == nil {
		d.err = err
	}
	e.Tenant = int(t)
	e.Status, e.Problem, e.Method = plan.SkipReason(d.byte()), plan.SkipReason(d.byte()), state.Method(d.byte())
	e.Role, e.Generation = int(d.uvarint()), int(d.uvarint())
	d.bytes(e.Person[:])
	if e.Is(HasRow) {
		e.Name, e.Mail = d.u64(), d.u64()
		d.bytes(e.Digest[:])
		e.Link, e.Holder = d.id(), d.id()
	}
	if e.Is(IsRecorded) {
		d.record(&e.Recorded)
	}
	if e.Is(MayBeMailed) {
		d.bytes(e.MailDigest[:])
	}
	if e.Is(WasMailed) {
		d.mailed(&e.Mailed)
	}
}

func (s *Entries) mailed(b []byte, m *state.Mailed) []byte {
	for _, n := range []int{m.Invitations, m.Reminders, m.Reminded} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, at := range []time.Time{m.Invited, m.Last} {
		n := int64(0)
		if !at.IsZero() {
			n = at.UnixMicro()
		}
		b = binary.AppendVarint(b, n)
	}
	for _, on := range []bool{m.Refused, m.Doubtful, m.Again, m.Owed} {
		b = append(b, 0)
		if on {
			b[len(b)-1] = 1
		}
	}
	for _, waves := range [][]string{m.Announced, m.Announcing} {
		b = binary.AppendUvarint(b, uint64(len(waves)))
		for _, w := range waves {
			b = binary.AppendUvarint(b, uint64(s.words.of(w)))
		}
	}
	return b
}

func (d *decoder) mailed(m *state.Mailed) {
	for _, n := range []*int{&m.Invitations, &m.Reminders, &m.Reminded} {
		*n = int(d.uvarint())
	}
	for _, at := range []*time.Time{&m.Invited, &m.Last} {
		n, err := binary.ReadVarint(d.r)
		if d.err == nil {
			d.err = err
		}
		if n != 0 {
			*at = time.UnixMicro(n).UTC()
		}
	}
	for _, on := range []*bool{&m.Refused, &m.Doubtful, &m.Again, &m.Owed} {
		*on = d.byte() == 1
	}
	for _, waves := range []*[]string{&m.Announced, &m.Announcing} {
		for range d.uvarint() {
			if d.err != nil {
				return
			}
			*waves = append(*waves, d.word())
		}
	}
}

func (d *decoder) record(r *Recorded) {
	r.Standing = state.Standing(d.byte())
	for _, on := range r.switches() {
		*on = d.byte() == 1
	}
	r.Wave, r.Policy, r.Generation = d.word(), d.word(), int(d.uvarint())
	d.bytes(r.Person[:])
	d.bytes(r.Tenant[:])
	for range d.uvarint() {
		var g uuid.UUID
		d.bytes(g[:])
		if d.err != nil {
			return
		}
		r.Groups = append(r.Groups, g)
	}
}
