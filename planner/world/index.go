package world

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Index is a compact index of what Self-auth holds, sorted to be searched: 32 bytes a person, 24 an address, 24 a
// membership in a group that is not built in. It does not change once it is read.
type Index struct {
	Groups      map[uuid.UUID]Group
	IDs         []uuid.UUID          // of groups, by their index
	ByName      map[string]uuid.UUID // groups, by lower-cased name
	Members     []Member             // sorted by person, group
	Counts      []int64              // members of each group, by its index
	Memberships int64
	Inside      map[uuid.UUID]string // groups that are members of a built-in one, by way of others too -> its name
	Holds       map[uuid.UUID]string // groups that a built-in one is a member of, by way of others too -> its name
	// groups whose members are not known, because they are hidden or one that is not built in is hidden and a member ->
	// that one's name
	Hidden map[uuid.UUID]string

	seed    maphash.Seed
	persons []Person // sorted by id
	mails   []mail   // sorted by hash
	alike   bool     // an address stands more than once, in other letters
	names   []uint64 // of all entries, sorted
}

// Person is a person of the index.
type Person struct {
	ID      uuid.UUID
	Mail    uint64 // hash of the primary address; 0: none
	letters uint32 // hash of that address as it is written
	Expired bool
	Closed  bool // by Anthill itself: nobody else has expired it since
	Early   bool // it is valid only from a time that lies ahead
	// has a credential; known only where a user is met who cannot log in otherwise (Join)
	Enrolled bool
}

type mail struct {
	hash   uint64
	person uuid.UUID
}

// Group is a group of the index.
type Group struct {
	Name, Description string
	Index             uint32
	Place             int // in the order of creation
	Builtin           bool
	Policy            state.Attributes
}

// Member is a membership.
type Member struct {
	Person uuid.UUID
	Group  uint32 // index
	Nested bool   // by way of a group that is a member
}

// CompareID orders ids by their bytes.
func CompareID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// Hash is the hash of a name or an address, lower-cased. The seed is random, so nobody can choose an address that
// collides; no hash is kept beyond this process.
func (d *Index) Hash(s string) uint64 { return maphash.String(d.seed, strings.ToLower(s)) }

// lettersOf is the hash of an address as it is written: Self-auth takes Ann@x.example and ann@x.example for two.
func (d *Index) lettersOf(s string) uint32 { return uint32(maphash.String(d.seed, s)) }

// Has reports whether an address is a person's primary one, letter by letter.
func (d *Index) Has(p Person, address string) bool {
	return p.Mail == d.Hash(address) && p.letters == d.lettersOf(address)
}

func newIndex() *Index {
	return &Index{seed: maphash.MakeSeed(), Groups: map[uuid.UUID]Group{}, ByName: map[string]uuid.UUID{},
		Inside: map[uuid.UUID]string{}, Holds: map[uuid.UUID]string{}, Hidden: map[uuid.UUID]string{}}
}

// readIndex reads groups, names and persons, and sorts them for searching.
func readIndex(ctx context.Context, src providers.Directory) (*Index, error) {
	d := newIndex()
	if err := d.readGroups(ctx, src); err != nil {
		return nil, err
	}
	others, err := src.OtherNames(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range others {
		d.names = append(d.names, d.Hash(n))
	}
	for p, err := range src.Persons(ctx) {
		if err != nil {
			return nil, err
		}
		one := Person{ID: p.ID, Expired: p.Expired, Closed: p.Closed, Early: p.Early}
		if len(p.Mails) > 0 {
			one.Mail, one.letters = d.Hash(p.Mails[0]), d.lettersOf(p.Mails[0])
		}
		d.persons = append(d.persons, one)
		d.names = append(d.names, d.Hash(p.Name))
		for _, m := range p.Mails {
			d.mails = append(d.mails, mail{hash: d.Hash(m), person: p.ID})
		}
	}
	slices.SortFunc(d.persons, func(a, b Person) int { return CompareID(a.ID, b.ID) })
	slices.SortFunc(d.mails, func(a, b mail) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), CompareID(a.person, b.person))
	})
	for i := 1; i < len(d.mails); i++ {
		d.alike = d.alike || d.mails[i].hash == d.mails[i-1].hash
	}
	slices.SortFunc(d.Members, func(a, b Member) int {
		return cmp.Or(CompareID(a.Person, b.Person), cmp.Compare(a.Group, b.Group))
	})
	slices.Sort(d.names)
	return d, nil
}

// readGroups reads the groups with their members. Of built-in groups only the number of members is kept: all persons
// may be in them.
func (d *Index) readGroups(ctx context.Context, src providers.Directory) error {
	groups, err := src.Groups(ctx)
	if err != nil {
		return err
	}
	// Members of groups that are not built in.
	direct := map[uuid.UUID][]uuid.UUID{}
	for _, g := range groups {
		index := uint32(len(d.IDs))
		d.Groups[g.ID] = Group{
			Name:        g.Name,
			Description: g.Description,
			Index:       index,
			Place:       g.Place,
			Builtin:     g.Builtin,
			Policy:      g.Policy,
		}
		d.ByName[strings.ToLower(g.Name)] = g.ID
		d.names = append(d.names, d.Hash(g.Name))
		if !g.Builtin {
			direct[g.ID] = g.Members
			for _, m := range g.Members {
				d.Members = append(d.Members, Member{Person: m, Group: index})
			}
			d.Memberships += int64(len(g.Members))
		}
		d.Counts = append(d.Counts, int64(len(g.Members)))
		d.IDs = append(d.IDs, g.ID)
	}
	// Before nest, which asks of each group whether it is one of them.
	for _, g := range groups {
		if g.Hidden {
			d.Hidden[g.ID] = g.Name
		}
	}
	for _, g := range groups {
		d.nest(g, direct)
	}
	return nil
}

// nest adds the memberships that come to a group from the groups inside it, since tokens have them too. Groups that are
// inside a built-in one, or have one inside, are noted apart.
func (d *Index) nest(g providers.Group, direct map[uuid.UUID][]uuid.UUID) {
	var inner []uuid.UUID
	for _, m := range g.Members {
		if _, nested := d.Groups[m]; nested {
			inner = append(inner, m)
		}
	}
	// Groups may be members of each other in a circle.
	seen := map[uuid.UUID]bool{g.ID: true}
	for len(inner) > 0 {
		h := inner[0]
		inner = inner[1:]
		if seen[h] {
			continue
		}
		seen[h] = true
		if g.Builtin && d.Inside[h] == "" {
			d.Inside[h] = g.Name
		}
		other := d.Groups[h]
		if other.Builtin && !g.Builtin && d.Holds[g.ID] == "" {
			d.Holds[g.ID] = other.Name
		}
		if name, hidden := d.Hidden[h]; hidden && !other.Builtin && d.Hidden[g.ID] == "" {
			d.Hidden[g.ID] = name
		}
		for _, m := range direct[h] {
			if _, nested := d.Groups[m]; nested {
				inner = append(inner, m)
			} else if !g.Builtin {
				d.Members = append(d.Members, Member{Person: m, Group: d.Groups[g.ID].Index, Nested: true})
			}
		}
	}
}

// Person returns a person by id.
func (d *Index) Person(id uuid.UUID) (Person, bool) {
	if id == uuid.Nil {
		return Person{}, false
	}
	i, ok := slices.BinarySearchFunc(d.persons, id, func(p Person, id uuid.UUID) int { return CompareID(p.ID, id) })
	if !ok {
		return Person{}, false
	}
	return d.persons[i], true
}

// enrol notes who has a credential. It is one list for everybody.
func (d *Index) enrol(ctx context.Context, src providers.Directory) error {
	list, err := src.Enrolled(ctx)
	if err != nil {
		return err
	}
	// Both are sorted by id.
	i := 0
	for _, id := range list {
		for i < len(d.persons) && CompareID(d.persons[i].ID, id) < 0 {
			i++
		}
		if i < len(d.persons) && d.persons[i].ID == id {
			d.persons[i].Enrolled = true
		}
	}
	return nil
}

// Persons is how many there are.
func (d *Index) Persons() int { return len(d.persons) }

// NameTaken reports whether an entry has a name of that hash.
func (d *Index) NameTaken(h uint64) bool {
	_, ok := slices.BinarySearch(d.names, h)
	return ok
}

func byHash(m mail, h uint64) int { return cmp.Compare(m.hash, h) }

// MailHolders are the persons who hold an address of that hash.
func (d *Index) MailHolders(h uint64) iter.Seq[uuid.UUID] {
	return func(yield func(uuid.UUID) bool) {
		i, _ := slices.BinarySearchFunc(d.mails, h, byHash)
		for ; i < len(d.mails) && d.mails[i].hash == h && yield(d.mails[i].person); i++ {
		}
	}
}

// Holder returns the person who holds an address of that hash; the zero id where there is none, or more than one.
func (d *Index) Holder(h uint64) uuid.UUID {
	i, _ := slices.BinarySearchFunc(d.mails, h, byHash)
	if i == len(d.mails) || d.mails[i].hash != h || i+1 < len(d.mails) && d.mails[i+1].hash == h {
		return uuid.Nil
	}
	return d.mails[i].person
}

// MembersOf returns the members of some groups, by the groups' index.
func (d *Index) MembersOf(groups map[uint32]bool) map[uint32][]Member {
	byGroup := map[uint32][]Member{}
	if len(groups) == 0 {
		return byGroup
	}
	for _, m := range d.Members {
		if groups[m.Group] {
			byGroup[m.Group] = append(byGroup[m.Group], m)
		}
	}
	return byGroup
}

// Span returns where in Members those of a person begin and end.
func (d *Index) Span(person uuid.UUID) (from, to int) {
	if len(d.Members) == 0 || person == uuid.Nil {
		return 0, 0
	}
	byPerson := func(m Member, id uuid.UUID) int { return CompareID(m.Person, id) }
	from, _ = slices.BinarySearchFunc(d.Members, person, byPerson)
	for to = from; to < len(d.Members) && d.Members[to].Person == person; to++ {
	}
	return from, to
}

// MemberOf returns the memberships of a person.
func (d *Index) MemberOf(person uuid.UUID) []Member {
	from, to := d.Span(person)
	return d.Members[from:to]
}

// HidesAny reports whether the members of one of some groups are not known.
func (d *Index) HidesAny(groups []uuid.UUID) bool {
	return len(d.Hidden) > 0 && slices.ContainsFunc(groups, func(g uuid.UUID) bool { return d.Hidden[g] != "" })
}

// IsMember reports whether a person is a direct member of a group.
func (d *Index) IsMember(person, group uuid.UUID) bool {
	g, ok := d.Groups[group]
	return ok && slices.ContainsFunc(d.MemberOf(person), func(m Member) bool { return m.Group == g.Index && !m.Nested })
}
