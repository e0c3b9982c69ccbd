package plan

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Shape is what many users of a segment have in common: what is done to them, what that takes for granted, and how they
// stand afterwards. It is comparable; sets of groups are places in Effects.Sets.
type Shape struct {
	Tenant uuid.UUID       `json:"tenant,omitzero"` // as it is now
	Ground Ground          `json:"ground"`
	Effect state.Effect    `json:"effect"`
	Join   Set             `json:"join,omitempty"`
	Leave  Set             `json:"leave,omitempty"`
	Keep   Set             `json:"keep,omitempty"` // memberships that stay; SegmentMove: and are ours from now on
	After  state.UserState `json:"after"`
	Letter Letter          `json:"letter,omitzero"` // that they are sent, once all else is done
}

// Ground is what a change takes for granted about the row and its person.
type Ground struct {
	Relies  providers.Relies `json:"relies"` // the columns of the row that the digest covers
	RowGone bool             `json:"row_gone,omitempty"`
	Linked  bool             `json:"linked,omitempty"` // the row is linked already: that person is meant (L29)
	Made    bool             `json:"made,omitempty"`   // PersonCreate: the person is there already and ours
	Moved   bool             `json:"moved,omitempty"`  // SegmentMove: the user was moved before, under the policy that this one is from
	Named   bool             `json:"named,omitempty"`  // PersonAdopt: somebody has named the person, whatever address it has
	Person  uuid.UUID        `json:"person,omitzero"`  // RowGone: the person, where its id is not one that we chose
	// Unrecorded: what is recorded of the user stays as it is, and so is no sign that the change was made.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// UserChange is one row of a segment: a user, and what its shape does not say.
type UserChange struct {
	User   uuid.UUID
	Before state.Digest // of the row and of what is recorded of the user
	Shape  int          // index into the segment's table
	Record int64        // SegmentRestore: the oldest journal record that is undone; its image and prior are restored
	Mails  int64        // SegmentRestore with Effect.Mail: journal record with the addresses that are given back; 0: it gets that of its row
	Person uuid.UUID    // with PersonAdopt: who is taken over
}

// Unrecorded reports whether a change leaves what is recorded of its user as it is: how the user stands, and groups.
func (t *Table) Unrecorded(s Shape, was state.UserState, groups []uuid.UUID) bool {
	has := func(g uuid.UUID) bool { return slices.Contains(groups, g) }
	without := func(g uuid.UUID) bool { return !has(g) }
	return s.After == was && !slices.ContainsFunc(t.IDs(s.Join), without) && !slices.ContainsFunc(t.IDs(s.Leave), has)
}

// Set is a set of groups, by its place in Effects.Sets. The zero Set is empty.
type Set int

// GroupsOf are the groups of a set, sorted by id. The slice is the caller's.
func (e *Effects) GroupsOf(s Set) (list []Group) {
	if s == 0 {
		return nil
	}
	for _, i := range e.Sets[s] {
		list = append(list, e.Groups[i])
	}
	return list
}

// Names reports whether the sets of a shape exist in these effects, with all their groups.
func (e *Effects) Names(s Shape) bool {
	for _, set := range []Set{s.Join, s.Leave, s.Keep} {
		if set != 0 && (set < 0 || int(set) >= len(e.Sets)) {
			return false
		}
		if set == 0 {
			continue
		}
		for _, i := range e.Sets[set] {
			if i < 0 || i >= len(e.Groups) {
				return false
			}
		}
	}
	return true
}

// Table numbers the groups and sets of groups that shapes name while a plan is made. The zero value is ready.
type Table struct {
	Groups []uuid.UUID
	Sets   [][]int
	places map[uuid.UUID]int
	known  map[string]Set
	key    []byte
}

// Set returns the place of a set of groups, which are given in any order. The list stays the caller's.
func (t *Table) Set(ids ...uuid.UUID) Set {
	if len(ids) == 0 {
		return 0
	}
	if t.places == nil {
		t.places, t.known, t.Sets = map[uuid.UUID]int{}, map[string]Set{}, [][]int{{}}
	}
	sorted := slices.IsSortedFunc(ids, compareID)
	if !sorted {
		ids = slices.Clone(ids)
		slices.SortFunc(ids, compareID)
	}
	t.key = t.key[:0]
	for _, id := range ids {
		t.key = binary.AppendUvarint(t.key, uint64(t.place(id)))
	}
	if s, ok := t.known[string(t.key)]; ok {
		return s
	}
	set := make([]int, len(ids))
	for i, id := range ids {
		set[i] = t.places[id]
	}
	s := Set(len(t.Sets))
	t.Sets = append(t.Sets, set)
	t.known[string(t.key)] = s
	return s
}

func (t *Table) place(id uuid.UUID) int {
	i, ok := t.places[id]
	if !ok {
		i = len(t.Groups)
		t.places[id] = i
		t.Groups = append(t.Groups, id)
	}
	return i
}

// IDs are the ids of a set, sorted. The slice is the caller's.
func (t *Table) IDs(s Set) (ids []uuid.UUID) {
	if s == 0 {
		return nil
	}
	for _, i := range t.Sets[s] {
		ids = append(ids, t.Groups[i])
	}
	return ids
}

// Renumber numbers groups and sets anew, in the order in which the shapes that were kept use them, and drops the groups,
// sets and tenants that nothing names: what became of waves that are held must not show in the plan's ID. The groups
// that objects name come behind. Shapes are changed in place.
func (e *Effects) Renumber(shapes [][]Shape) {
	all, names := Table{Groups: groupIDs(e.Groups), Sets: e.Sets}, map[uuid.UUID]Group{}
	for _, g := range e.Groups {
		names[g.ID] = g
	}
	// The order of first use is the same whatever the waves that were dropped had named before.
	var kept Table
	tenants := map[uuid.UUID]bool{}
	for _, list := range shapes {
		for i := range list {
			s := &list[i]
			s.Join, s.Leave, s.Keep = kept.Set(all.IDs(s.Join)...), kept.Set(all.IDs(s.Leave)...), kept.Set(all.IDs(s.Keep)...)
			tenants[s.Tenant] = true
		}
	}
	ids := slices.Clone(kept.Groups)
	for _, c := range e.Objects {
		for _, side := range []state.Attributes{c.Was, c.Will} {
			for _, name := range side.Sorted() {
				ids = append(ids, side[name].Groups()...)
			}
		}
	}
	seen := map[uuid.UUID]bool{}
	e.Groups, e.Sets = nil, kept.Sets
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			g := names[id]
			g.ID = id
			e.Groups = append(e.Groups, g)
			tenants[g.Tenant] = true
		}
	}
	if u := e.Undo; u != nil {
		for _, id := range u.Tenants {
			tenants[id] = true
		}
		for _, p := range u.Pauses {
			tenants[p.Tenant] = true
		}
	}
	e.Tenants = slices.DeleteFunc(slices.Clone(e.Tenants), func(t Tenant) bool { return !tenants[t.ID] })
}

func groupIDs(groups []Group) []uuid.UUID {
	ids := make([]uuid.UUID, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	return ids
}

func compareID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
