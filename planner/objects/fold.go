package objects

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Folded is what runs did to objects, folded from the journal, to be taken back. The zero Folded is empty.
type Folded struct {
	world  *world.Observed
	kind   state.RunKind // of the runs to undo
	chains []chain
	kept   []chain // of objects that were only recorded otherwise
	remade map[uuid.UUID]uuid.UUID
	back   map[uuid.UUID]uuid.UUID
}

// Fold gathers the journal of objects by object, and chooses the ids of groups that are made again. records are those
// of the runs to undo (seeds, all of one kind) and of all later ones, oldest first.
func Fold(o *world.Observed, records []state.ObjectRecord, seeds map[string]bool, kind state.RunKind) *Folded {
	f := &Folded{world: o, kind: kind, remade: map[uuid.UUID]uuid.UUID{}, back: map[uuid.UUID]uuid.UUID{}}
	recorded := map[state.Address]*state.Object{}
	for i := range o.State.Objects {
		recorded[o.State.Objects[i].Address] = &o.State.Objects[i]
	}
	for _, c := range chains(records, seeds) {
		if first := c.records[0]; first.Before == nil && first.Will == nil {
			// It took back what a stopped run may have made: nothing was there before it.
			continue
		}
		if kind == state.RunApply && c.takenBack(o.State.Runs) {
			continue
		}
		c.recorded, c.client = recorded[c.address], f.madeClient(c)
		if c.onlyRecords() {
			f.kept = append(f.kept, *c)
			continue
		}
		if made := c.onlyBack(o.State.Runs); made != nil {
			f.back[made.ID] = c.records[0].Before.ID
			continue
		}
		if c.records[0].Kind() == state.KindGroup && c.returns() {
			f.remake(c)
		}
		f.chains = append(f.chains, *c)
	}
	return f
}

// madeClient is the live client that a stopped run may have made: by its name, as its id is the server's choice.
func (f *Folded) madeClient(c *chain) uuid.UUID {
	last := c.records[len(c.records)-1]
	if last.Settled || last.After == nil || last.After.Kind != state.KindClient || last.Was != nil {
		return uuid.Nil
	}
	name := last.After.Attributes.Text(state.AttrName)
	i := slices.IndexFunc(f.world.Clients, func(l providers.Client) bool { return l.Name == name })
	if i < 0 {
		return uuid.Nil
	}
	return f.world.Clients[i].ID
}

// remake chooses the id of a group that is made again: Self-auth blocks the id of a deleted entry for days.
func (f *Folded) remake(c *chain) {
	before := c.records[0].Before
	next := state.GroupID(f.world.Lineage, c.address, c.nextGeneration())
	f.remade[before.ID] = next
	if c.recorded != nil {
		f.remade[c.recorded.ID] = next
	}
}

// Empty reports whether the runs did nothing to objects that is to be taken back.
func (f *Folded) Empty() bool { return len(f.chains) == 0 }

// Remade are the groups that the runs deleted, each with the id under which this rollback makes it again, or one that was
// stopped has made it again. The map is the caller's.
func (f *Folded) Remade() map[uuid.UUID]uuid.UUID {
	again := map[uuid.UUID]uuid.UUID{}
	for _, c := range f.chains {
		was := c.records[0].Before
		if was != nil && was.Kind == state.KindGroup && c.recorded != nil && !c.recorded.Deleted && c.recorded.ID != was.ID {
			again[was.ID] = c.recorded.ID
		}
	}
	maps.Copy(again, f.remade)
	return again
}

// Goes are the groups that are ours no more after this rollback if nobody needs them. The map is the caller's.
func (f *Folded) Goes() map[uuid.UUID]bool {
	goes := map[uuid.UUID]bool{}
	for i := range f.chains {
		c := &f.chains[i]
		first := c.records[0]
		if o := c.object(); o.Kind == state.KindGroup && (c.goes() || first.Before == nil || first.Before.Deleted) {
			goes[o.ID] = true
		}
	}
	return goes
}

// Back are the groups that the runs only gave back, as somebody else had deleted them, each with the id that it had
// before. They stay. The map is shared: do not change it.
func (f *Folded) Back() map[uuid.UUID]uuid.UUID { return f.back }

// Restored is a group as a rollback restores it.
type Restored struct {
	Tenant  uuid.UUID
	IDs     []uuid.UUID   // under which it was, is and will be known
	Role    state.Role    // that it is mapped as again
	Members state.Members // as recorded
}

// Restored are the groups of which this rollback restores something: mapping, or who belongs in them.
func (f *Folded) Restored() (list []Restored) {
	for _, c := range f.chains {
		was := c.written()[0].Before
		if was == nil || was.Kind != state.KindGroup {
			continue
		}
		// Where the runs did not touch the mapping row, it is as it was.
		role := cmp.Or(state.Object{Attributes: c.before()}.Role(), was.Role())
		if role == state.RoleInvalid {
			continue
		}
		r := Restored{Tenant: was.Tenant, IDs: []uuid.UUID{was.ID}, Role: role, Members: was.Members}
		if next, again := f.remade[was.ID]; again {
			r.IDs = append(r.IDs, next)
		}
		if c.recorded != nil {
			r.IDs = append(r.IDs, c.recorded.ID)
		}
		list = append(list, r)
	}
	return list
}

// chain is what runs did to one object, oldest first, from the first run to be undone on.
type chain struct {
	address  state.Address // as it is recorded now
	records  []state.ObjectRecord
	recorded *state.Object // now; nil: nothing is
	client   uuid.UUID     // the id that the server gave to a client that a stopped run may have made
}

// chains are the chains of the objects that the runs to undo did something to, in the order of their first records.
// Changes that failed are left out; unsettled ones are not, as they may have been made.
func chains(records []state.ObjectRecord, seeds map[string]bool) (order []*chain) {
	known := map[state.Address]*chain{}
	for _, r := range records {
		if r.Settled && r.Verdict != state.Done {
			continue
		}
		c := known[r.Address]
		if moved := known[r.From]; r.From != "" && moved != nil {
			c = moved
			delete(known, r.From)
		}
		if c == nil {
			if !seeds[r.Run] {
				// Only later runs did something to it.
				continue
			}
			c = &chain{}
			order = append(order, c)
		}
		known[r.Address] = c
		c.address = r.Address
		c.records = append(c.records, r)
	}
	return order
}

// takenBack says whether a later rollback, which was not undone itself, has put an object back to where it was before
// the runs to be undone, or earlier. The rollback of a rollback does the contrary.
func (c *chain) takenBack(runs []state.RunInfo) bool {
	place := map[string]int{} // of runs, in time
	for i, r := range runs {
		place[r.ID] = i
	}
	first := place[c.records[0].Run]
	return slices.ContainsFunc(c.records, func(rec state.ObjectRecord) bool {
		r := runs[place[rec.Run]]
		return r.Kind == state.RunRollback && !r.Undone && slices.ContainsFunc(r.Undoes, func(id string) bool {
			return place[id] <= first && runs[place[id]].Kind == state.RunApply
		})
	})
}

// object is the object as it is recorded, or, if it was forgotten, as it was before; the zero Object where neither is
// known.
func (c *chain) object() state.Object {
	if c.recorded != nil {
		return *c.recorded
	}
	last := c.records[len(c.records)-1]
	switch {
	case last.After == nil && last.Before != nil:
		return *last.Before
	case last.After != nil && !last.Settled:
		// The run was stopped in the middle of making it.
		o := *last.After
		if o.ID == uuid.Nil {
			o.ID = c.client
		}
		return o
	}
	return state.Object{}
}

// goes reports whether the object was not there before the runs.
func (c *chain) goes() bool { return c.records[0].Was == nil }

// onlyBack is the group that the runs made again, if they did no more than that and somebody else had deleted it: by our
// record it was there before, until perhaps a refresh recorded that it was gone. nil: they did something else.
func (c *chain) onlyBack(runs []state.RunInfo) *state.Object {
	before := c.records[0].Before
	if before == nil || before.Deleted && !slices.ContainsFunc(runs, func(r state.RunInfo) bool {
		return r.ID == before.Run && r.Kind == state.RunRefresh
	}) {
		return nil
	}
	written := c.written()
	if len(written) != 1 || written[0].Kind() != state.KindGroup || written[0].Was != nil ||
		written[0].Action != state.ActionCreate {
		return nil
	}
	return written[0].After
}

// written are the records of what was done to the object itself, and not to its record alone; there is one at least.
func (c *chain) written() []state.ObjectRecord {
	return slices.DeleteFunc(slices.Clone(c.records), func(r state.ObjectRecord) bool { return r.Action == state.ActionRecord })
}

// returns reports whether the object was there before, and is gone now because the runs deleted it and not somebody
// else before them.
func (c *chain) returns() bool {
	if c.goes() || c.recorded != nil && !c.recorded.Deleted {
		return false
	}
	gone := false
	for _, r := range c.written() {
		switch {
		case r.Will == nil:
			gone = true
		case !r.Settled:
			// It may have been made again, or not.
		case r.Was == nil && !gone:
			// A run had to make it again though none had deleted it: that was somebody else.
			return false
		default:
			gone = false
		}
	}
	return gone
}

// nextGeneration is the first generation that was never used for an object that was there before the runs.
func (c *chain) nextGeneration() int {
	last := c.records[0].Before.Generation
	if c.recorded != nil {
		last = max(last, c.recorded.Generation)
	}
	return last + 1
}

// before are the former values of what the runs wrote; all values where the object is made again.
func (c *chain) before() state.Attributes {
	want := state.Attributes{}
	for _, r := range c.written() {
		if r.Was == nil {
			// Made again: only earlier records can say what it was.
			continue
		}
		for _, side := range []state.Attributes{r.Was, r.Will} {
			for k := range side {
				if _, seen := want[k]; !seen {
					want[k] = r.Was[k]
				}
			}
		}
	}
	return want
}
