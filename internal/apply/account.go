package apply

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// accounts does the Self-auth side of a batch: persons, then memberships. A user who is refused carries the error in
// item.failed; an error that is returned stops the run. All of it may safely be done twice.
func (x *executor) accounts(ctx context.Context, items []*item, resumed bool) error {
	for _, it := range items {
		x.missGroups(it)
	}
	items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.failed != nil })
	// Addresses are free before they are given. Persons stand before they join groups. They leave groups before they join others, so that nobody is in the groups
	// of two tenants at once, and are deleted last: what comes before needs them.
	for _, do := range []func() error{
		func() error { return x.release(ctx, items) },
		func() error { return x.create(ctx, acting(items, state.PersonCreate), resumed) },
		func() error { return x.adopt(ctx, acting(items, state.PersonAdopt)) },
		func() error { return bisect(acting(items, state.PersonRevive), x.calls(ctx, x.Accounts.Revive)) },
		func() error { return x.enable(ctx, acting(items, state.PersonEnable)) },
		func() error { return x.readdress(ctx, items) },
		func() error { return x.inChunks(acting(items, state.PersonExpire), x.calls(ctx, x.Accounts.Expire)) },
		func() error { return x.leave(ctx, items) },
		func() error { return memberships(items, (*item).joins, x.join(ctx)) },
		func() error { return x.inChunks(acting(items, state.PersonDelete), x.calls(ctx, x.Accounts.Delete)) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// missGroups fails a user if one of its groups could not be made, or did not get the rule by which the user joins or
// leaves it, before anything is done for it.
func (x *executor) missGroups(it *item) {
	if len(x.absent)+len(x.unruled) == 0 {
		return
	}
	for _, g := range it.groups() {
		why, unruled := x.unruled[g]
		absent, is := x.absent[g]
		joins := slices.Contains(it.intent.Join, g)
		switch {
		case it.failed != nil:
		case is && joins:
			it.failed = refuse(state.CodeGroupNotMade, state.Because(state.KeyWhy, absent))
		case unruled && joins != x.belongs(x.afterwards(it), g):
			it.failed = refuse(state.CodeRuleNotChanged, state.Because(state.KeyWhy, why))
		}
	}
}

// afterwards is what says where the person of a user belongs when its change is made.
func (x *executor) afterwards(it *item) plan.Claim {
	after := it.shape.After
	if it.row == nil {
		return plan.Claim{Standing: after.Standing, Ours: after.MadePerson}
	}
	c := linked(*it.row, x.effects.Identity.Follow)
	c.Standing, c.Ours = after.Standing, after.MadePerson
	c.Linked = it.shape.Effect.Link || it.row.Link == it.intent.Person
	if after.Standing == state.RowBack && c.Linked {
		c.Standing = state.Moved // the application has linked it again, and its row says where it belongs
	}
	return c
}

func (it *item) joins() []uuid.UUID  { return it.intent.Join }
func (it *item) leaves() []uuid.UUID { return it.intent.Leave }

// acting are the items with an act on the person that were not refused so far.
func acting(items []*item, act state.PersonAct) (some []*item) {
	for _, it := range items {
		if it.failed == nil && it.intent.Effect.Act == act {
			some = append(some, it)
		}
	}
	return some
}

func personIDs(items []*item) []uuid.UUID {
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.intent.Person
	}
	return ids
}

// calls returns a function that makes one call for the persons of items. What it did must be taken back if their rows
// cannot be written.
func (x *executor) calls(ctx context.Context, call func(context.Context, []uuid.UUID) error) func([]*item) error {
	return func(items []*item) error {
		err := call(ctx, personIDs(items))
		begin(items, err == nil)
		return err
	}
}

// begin notes for items that something was done in Self-auth.
func begin(items []*item, done bool) {
	for _, it := range items {
		it.begun = it.begun || done
	}
}

// begun are the items for whom something was done in Self-auth.
func begun(items []*item) []*item {
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !it.begun })
}

// create makes persons. Those that may be there already (by the plan, or because a stopped run may have made them) are
// looked up first, and enabled again if they are expired.
func (x *executor) create(ctx context.Context, items []*item, resumed bool) error {
	known := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !resumed && !it.shape.Ground.Made })
	missing, err := x.findMade(ctx, items, known)
	if err != nil {
		return err
	}
	persons := make(map[*item]providers.NewPerson, len(missing))
	// Names are made from the row as it is now. It still has the plan's digest, so they are the planned ones.
	for _, it := range missing {
		name, display, ok := x.namer.Person(it.row.User, x.slugs[it.shape.Tenant], it.intent.Effect.Suffix)
		if !ok {
			it.failed = refuse(state.CodeNoName)
			continue
		}
		persons[it] = providers.NewPerson{ID: it.intent.Person, Name: name, Display: display}
		if !it.intent.Effect.NoMail {
			one := persons[it]
			one.Mail = it.row.Email
			persons[it] = one
		}
	}
	return x.inChunks(acting(missing, state.PersonCreate), func(some []*item) error {
		list := make([]providers.NewPerson, len(some))
		for i, it := range some {
			list[i] = persons[it]
		}
		err := x.Accounts.Create(ctx, list)
		begin(some, err == nil)
		return err
	})
}

// findMade looks up the persons of known, enables those that we have expired, and returns the items whose persons are
// still to be made.
func (x *executor) findMade(ctx context.Context, items, known []*item) ([]*item, error) {
	if len(known) == 0 {
		return items, nil
	}
	found, err := x.Accounts.Lookup(ctx, personIDs(known))
	if err != nil {
		return nil, err
	}
	persons := make(map[uuid.UUID]providers.Person, len(found))
	for _, p := range found {
		persons[p.ID] = p
	}
	for _, it := range known {
		if p := persons[it.intent.Person]; p.Expired && !p.Closed {
			it.failed = refuse(state.CodePersonExpired)
		}
	}
	asleep := slices.DeleteFunc(slices.Clone(known), func(it *item) bool {
		return !persons[it.intent.Person].Expired || it.failed != nil
	})
	if err := bisect(asleep, x.calls(ctx, x.Accounts.Enable)); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
		_, there := persons[it.intent.Person]
		it.begun = there && it.failed == nil
		return there
	}), nil
}

// inChunks does slow work on items, with as many in one call as the server manages in the time that one write may take.
func (x *executor) inChunks(items []*item, do func([]*item) error) error {
	for len(items) > 0 {
		some := items[:min(len(items), x.size)]
		items = items[len(some):]
		if err := bisect(some, do); err != nil {
			return err
		}
		// The size follows how long the last full call took; a smaller one, the last of a batch, says little about it.
		if next := x.nextSize(len(some)); len(some) == x.size {
			x.size = next
		}
	}
	return nil
}

// bisect does something to items together, and splits the list when it is refused until the culprits stand alone; they
// carry the error. Other errors are returned.
func bisect(items []*item, do func([]*item) error) error {
	if len(items) == 0 {
		return nil
	}
	err := do(items)
	switch {
	case err == nil:
		return nil
	case !refused(err):
		return err
	case len(items) == 1:
		items[0].failed = err
		return nil
	}
	half := len(items) / 2
	if err := bisect(items[:half], do); err != nil {
		return err
	}
	return bisect(items[half:], do)
}

// adopt makes sure that the persons to be taken over are still those that the plan found: there, not expired, nobody else's, and
// with the user's address unless somebody has named them.
func (x *executor) adopt(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	found, err := x.Accounts.Lookup(ctx, personIDs(items))
	if err != nil {
		return err
	}
	byID := map[uuid.UUID]providers.Person{}
	for _, p := range found {
		byID[p.ID] = p
	}
	rows, err := x.Rows.Linked(ctx, personIDs(items))
	if err != nil {
		return err
	}
	linked := map[uuid.UUID][]uuid.UUID{} // person -> users
	for _, r := range rows {
		linked[r.Link] = append(linked[r.Link], r.ID)
	}
	for _, it := range items {
		p, there := byID[it.intent.Person]
		taken := slices.ContainsFunc(linked[it.intent.Person], func(user uuid.UUID) bool { return user != it.change.User })
		holds := slices.ContainsFunc(p.Mails, func(m string) bool { return strings.EqualFold(m, it.row.Email) })
		if !there || p.Expired || taken || !holds && !it.shape.Ground.Named {
			it.failed = refuse(state.CodeHolderChanged)
		}
	}
	return nil
}

// enable lifts the expiry of persons that we have expired. One that somebody else has expired since the plan was made stays so.
func (x *executor) enable(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	found, err := x.Accounts.Lookup(ctx, personIDs(items))
	if err != nil {
		return err
	}
	others := map[uuid.UUID]bool{}
	for _, p := range found {
		others[p.ID] = p.Expired && !p.Closed
	}
	for _, it := range items {
		if others[it.intent.Person] {
			it.failed = refuse(state.CodePersonExpired)
		}
	}
	return x.inChunks(acting(items, state.PersonEnable), x.calls(ctx, x.Accounts.Enable))
}

// readdress gives persons the address of their row, or back those that they held. Each has its own, so it is one call
// each.
func (x *executor) readdress(ctx context.Context, items []*item) error {
	for _, it := range items {
		if it.failed != nil || !it.intent.Effect.Mail {
			continue
		}
		if err := x.readdressOne(ctx, it, addresses(it)); err != nil {
			return err
		}
	}
	return nil
}

// readdressOne gives a person these addresses.
func (x *executor) readdressOne(ctx context.Context, it *item, mails []string) error {
	err := x.Accounts.Readdress(ctx, it.intent.Person, mails)
	switch {
	case err == nil:
		it.begun = true
	case refused(err):
		it.failed = err
	default:
		return err
	}
	return nil
}

// addresses are those that a person is to hold: the row's in place of the primary one, or those of the journal.
func addresses(it *item) []string {
	if it.mails != nil {
		return it.mails.Mails
	}
	// The row's address comes first. If the person holds it already, or has given the primary one up, the others are its own
	// and stay; otherwise it takes the place of the primary one.
	others := it.intent.Mails
	same := func(m string) bool { return strings.EqualFold(m, it.row.Email) }
	if !slices.ContainsFunc(others, same) && !it.intent.Effect.Release {
		others = others[min(1, len(others)):]
	}
	return append([]string{it.row.Email}, slices.DeleteFunc(slices.Clone(others), same)...)
}

// joint are items that have to do with one group.
type joint struct {
	group uuid.UUID
	items []*item
}

// byGroup gathers the items that were not refused so far by group, in the order of the groups' ids.
func byGroup(items []*item, which func(*item) []uuid.UUID) []joint {
	gathered := map[uuid.UUID][]*item{}
	for _, it := range items {
		if it.failed != nil {
			continue
		}
		for _, g := range which(it) {
			gathered[g] = append(gathered[g], it)
		}
	}
	list := make([]joint, 0, len(gathered))
	for g, some := range gathered {
		list = append(list, joint{g, some})
	}
	slices.SortFunc(list, func(a, b joint) int { return bytes.Compare(a.group[:], b.group[:]) })
	return list
}

// memberships makes one call per group, in the order of the groups' ids.
func memberships(items []*item, which func(*item) []uuid.UUID, do func(group uuid.UUID, items []*item) error) error {
	// A group of a hundred thousand is written anew by the server for each call: one call for all who join it.
	for _, j := range byGroup(items, which) {
		if err := bisect(j.items, func(some []*item) error { return do(j.group, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (x *executor) join(ctx context.Context) func(uuid.UUID, []*item) error {
	return func(group uuid.UUID, items []*item) error {
		err := x.Accounts.AddMembers(ctx, group, personIDs(items))
		begin(items, err == nil)
		return err
	}
}

// leave takes members out; a group that is gone has none.
func (x *executor) leave(ctx context.Context, items []*item) error {
	list := byGroup(items, (*item).leaves)
	if len(list) == 0 {
		return nil
	}
	from := make([]providers.Members, len(list))
	for i, j := range list {
		from[i] = providers.Members{Group: j.group, Persons: personIDs(j.items)}
	}
	err := x.Accounts.RemoveMembers(ctx, from...)
	switch {
	case err == nil:
		for _, j := range list {
			begin(j.items, true)
		}
		return nil
	case !refused(err) && state.ErrorKindOf(err) != state.ErrorNotFound:
		return err
	}
	// One of the groups, or of the persons.
	return memberships(items, (*item).leaves, func(group uuid.UUID, items []*item) error {
		err := x.Accounts.RemoveMembers(ctx, providers.Members{Group: group, Persons: personIDs(items)})
		if state.ErrorKindOf(err) == state.ErrorNotFound {
			return nil
		}
		begin(items, err == nil)
		return err
	})
}
