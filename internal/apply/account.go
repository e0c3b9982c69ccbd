package apply

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// accounts does the Self-auth side of a batch: persons, then memberships. Whoever is refused carries the error in
// item.failed; an error that is returned stops the run. Everything here may be done twice.
func (x *executor) accounts(items []*item, resumed bool) error {
	for _, it := range items {
		x.missGroups(it)
	}
	items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.failed != nil })
	if err := x.create(acting(items, state.PersonCreate), resumed); err != nil {
		return err
	}
	if err := x.adopt(acting(items, state.PersonAdopt)); err != nil {
		return err
	}
	if err := x.persons(items, state.PersonRevive, x.revive); err != nil {
		return err
	}
	if err := x.inChunks(acting(items, state.PersonEnable), x.enable); err != nil {
		return err
	}
	if err := x.readdress(items); err != nil {
		return err
	}
	if err := x.inChunks(acting(items, state.PersonExpire), x.expire); err != nil {
		return err
	}
	if err := x.memberships(items, func(it *item) []uuid.UUID { return it.intent.Effect.Leave }, x.leave); err != nil {
		return err
	}
	if err := x.memberships(items, func(it *item) []uuid.UUID { return it.intent.Effect.Join }, x.join); err != nil {
		return err
	}
	return x.inChunks(acting(items, state.PersonDelete), x.delete)
}

// missGroups fails a user one of whose groups could not be made, before anything is done for it.
func (x *executor) missGroups(it *item) {
	for _, g := range it.intent.Effect.Join {
		if why, absent := x.absent[g]; absent && it.failed == nil {
			it.failed = &state.Error{Kind: state.ErrorRefused, Side: "Self-auth", Doing: "join a group", Reason: "a group of the tenant could not be made: " + why}
		}
	}
}

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
		ids[i] = it.intent.Effect.Person
	}
	return ids
}

// create makes persons. Those that are there (by the plan, or because a stopped run may have made them) are looked
// up first, and enabled again if expired.
func (x *executor) create(items []*item, resumed bool) error {
	var known []*item
	for _, it := range items {
		if resumed || it.shape.Exists {
			known = append(known, it)
		}
	}
	missing, err := x.findMade(items, known)
	if err != nil {
		return err
	}
	news := make(map[*item]providers.NewPerson, len(missing))
	var able []*item
	for _, it := range missing {
		name, display, ok := x.namer.Person(it.row.User, it.shape.Slug, it.shape.Suffix)
		if !ok {
			it.failed = &state.Error{Kind: state.ErrorRefused, Side: "Anthill", Doing: "name the person", Reason: "no name can be made from the row"}
			continue
		}
		news[it] = providers.NewPerson{ID: it.intent.Effect.Person, Name: name, Display: display, Mail: it.row.Email}
		able = append(able, it)
	}
	return x.inChunks(able, func(some []*item) error {
		persons := make([]providers.NewPerson, len(some))
		for i, it := range some {
			persons[i] = news[it]
		}
		if err := x.Accounts.Create(x.work, persons); err != nil {
			return err
		}
		for _, it := range some {
			it.begun = true
		}
		return nil
	})
}

// findMade looks up known ones, enables those that are expired, and returns the items whose persons are to be made.
func (x *executor) findMade(items, known []*item) ([]*item, error) {
	if len(known) == 0 {
		return items, nil
	}
	found, err := x.Accounts.Lookup(x.work, personIDs(known))
	if err != nil {
		return nil, err
	}
	there := map[uuid.UUID]bool{}
	var expired []uuid.UUID
	for _, p := range found {
		there[p.ID] = true
		if p.Expired {
			expired = append(expired, p.ID)
		}
	}
	if len(expired) > 0 {
		if err := x.Accounts.Enable(x.work, expired); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
		it.begun = there[it.intent.Effect.Person]
		return it.begun
	}), nil
}

// inChunks does something that takes the server long to items, as many together as it takes in the time that one write
// may have.
func (x *executor) inChunks(items []*item, do func([]*item) error) error {
	for len(items) > 0 {
		some := items[:min(len(items), x.size)]
		items = items[len(some):]
		if err := bisect(some, do); err != nil {
			return err
		}
		if next := x.nextSize(len(some)); len(some) == x.size { // a rest says little
			x.size = next
		}
	}
	return nil
}

// bisect does something to items together, and splits those that are refused until the culprits stand alone.
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

func (x *executor) persons(items []*item, act state.PersonAct, do func([]*item) error) error {
	return bisect(acting(items, act), do)
}

func (x *executor) enable(items []*item) error {
	if err := x.Accounts.Enable(x.work, personIDs(items)); err != nil {
		return err
	}
	for _, it := range items {
		it.begun = true
	}
	return nil
}

func (x *executor) revive(items []*item) error {
	if err := x.Accounts.Revive(x.work, personIDs(items)); err != nil {
		return err
	}
	for _, it := range items {
		it.begun = true
	}
	return nil
}

// adopt makes sure that the persons to be taken over are still those that the plan found: there, not expired, and with
// the user's address.
func (x *executor) adopt(items []*item) error {
	if len(items) == 0 {
		return nil
	}
	found, err := x.Accounts.Lookup(x.work, personIDs(items))
	if err != nil {
		return err
	}
	byID := map[uuid.UUID]providers.Person{}
	for _, p := range found {
		byID[p.ID] = p
	}
	for _, it := range items {
		p, there := byID[it.intent.Effect.Person]
		holds := slices.ContainsFunc(p.Mails, func(m string) bool { return strings.EqualFold(m, it.row.Email) })
		if !there || p.Expired || !holds {
			it.failed = &state.Error{Kind: state.ErrorRefused, Side: "Self-auth", Doing: "take a person over", Reason: "the person who held the address when the plan was made does not hold it any more, or is expired"}
		}
	}
	return nil
}

// readdress gives persons the address of their row, or back those that they held. Each has its own, so it is one call
// each.
func (x *executor) readdress(items []*item) error {
	for _, it := range items {
		if it.failed != nil || !it.intent.Effect.Mail {
			continue
		}
		err := x.Accounts.Readdress(x.work, it.intent.Effect.Person, x.addresses(it))
		switch {
		case err == nil:
			it.begun = true
		case refused(err):
			it.failed = err
		default:
			return err
		}
	}
	return nil
}

// addresses are those that a person shall hold: the row's in place of the primary one, or those of the journal.
func (x *executor) addresses(it *item) []string {
	if it.record != nil {
		return it.record.Effect.Mails
	}
	// The row's address comes first. Where the person holds it already, the others are its own and stay; else it takes the
	// place of the primary one.
	others := it.intent.Effect.Mails
	same := func(m string) bool { return strings.EqualFold(m, it.row.Email) }
	if !slices.ContainsFunc(others, same) {
		others = others[min(1, len(others)):]
	}
	return append([]string{it.row.Email}, slices.DeleteFunc(slices.Clone(others), same)...)
}

func (x *executor) expire(items []*item) error { return x.Accounts.Expire(x.work, personIDs(items)) }
func (x *executor) delete(items []*item) error { return x.Accounts.Delete(x.work, personIDs(items)) }

// memberships gathers the items by group, in the order of ids, and does one call a group.
func (x *executor) memberships(items []*item, which func(*item) []uuid.UUID, do func(group uuid.UUID, items []*item) error) error {
	byGroup := map[uuid.UUID][]*item{}
	var groups []uuid.UUID
	for _, it := range items {
		if it.failed != nil {
			continue
		}
		for _, g := range which(it) {
			if byGroup[g] == nil {
				groups = append(groups, g)
			}
			byGroup[g] = append(byGroup[g], it)
		}
	}
	slices.SortFunc(groups, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for _, g := range groups {
		if err := bisect(byGroup[g], func(some []*item) error { return do(g, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (x *executor) join(group uuid.UUID, items []*item) error {
	if err := x.Accounts.AddMembers(x.work, group, personIDs(items)); err != nil {
		return err
	}
	for _, it := range items {
		it.begun = true
	}
	return nil
}

// leave takes members out; a group that is gone has none.
func (x *executor) leave(group uuid.UUID, items []*item) error {
	err := x.Accounts.RemoveMembers(x.work, group, personIDs(items))
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return nil
	}
	for _, it := range items {
		it.begun = it.begun || err == nil
	}
	return err
}

// takeBack undoes in Self-auth what was done, or begun, for users whose rows could not be written: each comes to where it was
// before. What is refused by now (a group or a person is gone) is let be.
func (x *executor) takeBack(items []*item) error {
	if len(items) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.intent.User
	}
	rows, err := x.Rows.Fetch(x.work, ids)
	if err != nil {
		return err
	}
	live := map[uuid.UUID]bool{}
	for _, r := range rows {
		live[r.ID] = !r.Deleted
	}
	lost := make([]*item, len(items)) // bare: no verdict, and not failed
	var there []*item                 // whose rows are there: nobody else is given access
	for i, it := range items {
		lost[i] = &item{intent: it.intent}
		if live[it.intent.User] {
			there = append(there, lost[i])
		}
	}
	if err := x.persons(there, state.PersonDelete, x.revive); err != nil {
		return err
	}
	if err := x.memberships(lost, func(it *item) []uuid.UUID { return it.intent.Effect.Join }, x.leave); err != nil {
		return err
	}
	for _, it := range lost {
		it.failed = nil // one group that refuses does not keep the person from the others
	}
	if err := x.memberships(there, func(it *item) []uuid.UUID { return it.intent.Effect.Leave }, x.join); err != nil {
		return err
	}
	for _, it := range lost {
		if it.intent.Effect.Mail {
			if err := x.Accounts.Readdress(x.work, it.intent.Effect.Person, it.intent.Effect.Mails); err != nil && !refused(err) {
				return err
			}
		}
	}
	for _, it := range lost {
		it.failed = nil // a group that is gone does not keep the person as it is
	}
	// Whose person slept already, by our record, sleeps on.
	woken := slices.DeleteFunc(acting(there, state.PersonExpire), func(it *item) bool {
		p := it.intent.Prior
		return p == nil || p.Standing != state.Moved || p.Away
	})
	if err := bisect(woken, x.enable); err != nil {
		return err
	}
	if err := bisect(acting(lost, state.PersonRevive), x.delete); err != nil {
		return err
	}
	return bisect(append(acting(lost, state.PersonCreate), acting(lost, state.PersonEnable)...), x.expire)
}
