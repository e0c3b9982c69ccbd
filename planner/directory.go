package planner

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// directory is the compact index of what Self-auth holds, sorted and probed: 32 bytes a person, 24 an address, 24
// a membership in a group that matters here.
type directory struct {
	seed    maphash.Seed
	persons []dirPerson // sorted by id
	mails   []dirMail   // sorted by hash
	names   []uint64    // of all entries, sorted
	groups  map[uuid.UUID]dirGroup
	byName  map[string]uuid.UUID // groups
	members []dirMember          // sorted by person
	counts  []int64              // members of each group, by index
	links   int64                // memberships
	byGroup map[uint32][]dirMember
	direct  map[uuid.UUID][]uuid.UUID // members of groups that are not built in, while the directory is read
	inside  map[uuid.UUID]string      // groups that are members of a built-in one, by way of others too -> its name
	holds   map[uuid.UUID]string      // groups that a built-in one is a member of, by way of others too -> its name
}

type dirPerson struct {
	id      uuid.UUID
	mail    uint64 // of the primary address; 0: none
	expired bool
	closed  bool
}

type dirMail struct {
	hash   uint64
	person uuid.UUID
}

type dirGroup struct {
	name, description string
	index             uint32
	place             int
	builtin           bool
	policy            state.Attributes
}

type dirMember struct {
	person uuid.UUID
	group  uint32
	nested bool // by way of a group that is a member
	known  bool // of a user who belongs there
}

func compareID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// hash is of names and addresses, lower-cased. The seed is random: nobody can choose an address that collides.
func (d *directory) hash(s string) uint64 { return maphash.String(d.seed, strings.ToLower(s)) }

func readDirectory(ctx context.Context, src providers.Directory) (*directory, []uuid.UUID, error) {
	d := &directory{seed: maphash.MakeSeed(), groups: map[uuid.UUID]dirGroup{}, byName: map[string]uuid.UUID{}, direct: map[uuid.UUID][]uuid.UUID{}, inside: map[uuid.UUID]string{}, holds: map[uuid.UUID]string{}}
	groups, err := src.Groups(ctx)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]uuid.UUID, 0, len(groups))
	for _, g := range groups {
		d.groups[g.ID] = dirGroup{name: g.Name, description: g.Description, index: uint32(len(ids)), place: g.Place, builtin: g.Builtin, policy: g.Policy}
		d.byName[strings.ToLower(g.Name)] = g.ID
		d.names = append(d.names, d.hash(g.Name))
		if !g.Builtin {
			d.direct[g.ID] = g.Members
			for _, m := range g.Members {
				d.members = append(d.members, dirMember{person: m, group: uint32(len(ids))})
			}
			d.links += int64(len(g.Members))
		}
		d.counts = append(d.counts, int64(len(g.Members)))
		ids = append(ids, g.ID)
	}
	d.nest(groups)
	others, err := src.OtherNames(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range others {
		d.names = append(d.names, d.hash(n))
	}
	for p, err := range src.Persons(ctx) {
		if err != nil {
			return nil, nil, err
		}
		one := dirPerson{id: p.ID, expired: p.Expired, closed: p.Closed}
		if len(p.Mails) > 0 {
			one.mail = d.hash(p.Mails[0])
		}
		d.persons = append(d.persons, one)
		d.names = append(d.names, d.hash(p.Name))
		for _, m := range p.Mails {
			d.mails = append(d.mails, dirMail{hash: d.hash(m), person: p.ID})
		}
	}
	slices.SortFunc(d.persons, func(a, b dirPerson) int { return compareID(a.id, b.id) })
	slices.SortFunc(d.mails, func(a, b dirMail) int { return cmp.Or(cmp.Compare(a.hash, b.hash), compareID(a.person, b.person)) })
	slices.SortFunc(d.members, func(a, b dirMember) int { return cmp.Or(compareID(a.person, b.person), cmp.Compare(a.group, b.group)) })
	slices.Sort(d.names)
	return d, ids, nil
}

// nest adds the memberships that come by way of groups in groups: tokens have them too. What is inside a built-in group is
// noted apart.
func (d *directory) nest(groups []providers.Group) {
	for _, g := range groups {
		var inner []uuid.UUID
		for _, m := range g.Members {
			if _, nested := d.groups[m]; nested {
				inner = append(inner, m)
			}
		}
		seen := map[uuid.UUID]bool{g.ID: true}
		for len(inner) > 0 {
			h := inner[0]
			inner = inner[1:]
			if seen[h] {
				continue
			}
			seen[h] = true
			if g.Builtin && d.inside[h] == "" {
				d.inside[h] = g.Name
			}
			if other := d.groups[h]; other.builtin && !g.Builtin && d.holds[g.ID] == "" {
				d.holds[g.ID] = other.name
			}
			for _, m := range d.direct[h] {
				if _, nested := d.groups[m]; nested {
					inner = append(inner, m)
				} else if !g.Builtin {
					d.members = append(d.members, dirMember{person: m, group: d.groups[g.ID].index, nested: true})
				}
			}
		}
	}
	d.direct = nil
}

func (d *directory) person(id uuid.UUID) (dirPerson, bool) {
	if id == uuid.Nil {
		return dirPerson{}, false
	}
	i, ok := slices.BinarySearchFunc(d.persons, id, func(p dirPerson, id uuid.UUID) int { return compareID(p.id, id) })
	if !ok {
		return dirPerson{}, false
	}
	return d.persons[i], true
}

func (d *directory) nameTaken(h uint64) bool {
	_, ok := slices.BinarySearch(d.names, h)
	return ok
}

// mailTaken says whether a person other than own holds an address of that hash.
func (d *directory) mailTaken(h uint64, own uuid.UUID) bool {
	i, _ := slices.BinarySearchFunc(d.mails, h, func(m dirMail, h uint64) int { return cmp.Compare(m.hash, h) })
	for ; i < len(d.mails) && d.mails[i].hash == h; i++ {
		if d.mails[i].person != own {
			return true
		}
	}
	return false
}

// holder returns the one person who holds an address of that hash; the zero id where there is none or more than one.
func (d *directory) holder(h uint64) uuid.UUID {
	i, _ := slices.BinarySearchFunc(d.mails, h, func(m dirMail, h uint64) int { return cmp.Compare(m.hash, h) })
	if i == len(d.mails) || d.mails[i].hash != h || i+1 < len(d.mails) && d.mails[i+1].hash == h {
		return uuid.Nil
	}
	return d.mails[i].person
}

// membersOf returns the members of a group. The index for it is made when it is first asked for.
func (d *directory) membersOf(group uint32) []dirMember {
	if d.byGroup == nil {
		d.byGroup = map[uint32][]dirMember{}
		for _, m := range d.members {
			d.byGroup[m.group] = append(d.byGroup[m.group], m)
		}
	}
	return d.byGroup[group]
}

// memberOf returns the memberships of a person, as indexes of groups.
func (d *directory) memberOf(person uuid.UUID) []dirMember {
	if len(d.members) == 0 || person == uuid.Nil {
		return nil
	}
	i, _ := slices.BinarySearchFunc(d.members, person, func(m dirMember, id uuid.UUID) int { return compareID(m.person, id) })
	j := i
	for j < len(d.members) && d.members[j].person == person {
		j++
	}
	return d.members[i:j]
}

// isMember says whether a person is a direct member of a group.
func (d *directory) isMember(person, group uuid.UUID) bool {
	g, ok := d.groups[group]
	if !ok {
		return false
	}
	for _, m := range d.memberOf(person) {
		if m.group == g.index && !m.nested {
			return true
		}
	}
	return false
}
