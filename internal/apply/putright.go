package apply

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// This file is not about rollbacks, which are plans like any other: it is about users whose changes were begun and
// are not finished, because their rows changed meanwhile or their run is closed.

// found is how both sides stand with the user of an intent.
type found struct {
	row    *providers.UserRow // nil: there is none
	person providers.Person
	there  bool               // the person
	others []plan.Claim       // of other rows that are linked to it
	in     map[uuid.UUID]bool // the groups of the intent that the person is in
	claim  plan.Claim
}

// putRight brings users whose changes were begun to where they belong by their rows now: what does not belong to them
// is taken away, and with grants what was taken from them and belongs to them is given back. It returns what is to be
// recorded of each; nil: as before. What the other side refuses stays as it is, and is recorded so.
func (x *executor) putRight(ctx context.Context, items []*item, grants bool) ([]*state.User, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if x.effects.PostgresOnly() {
		return make([]*state.User, len(items)), nil // nothing was done in Self-auth
	}
	list := make([]*item, len(items))
	for i, it := range items {
		list[i] = &item{intent: it.intent}
	}
	all, err := x.find(ctx, list)
	if err != nil {
		return nil, err
	}
	if err := x.takeBegun(ctx, list, all); err != nil {
		return nil, err
	}
	if grants {
		if err := x.giveBack(ctx, list, all); err != nil {
			return nil, err
		}
	}
	forgive(list)
	recorded := make([]*state.User, len(list))
	for i, it := range list {
		recorded[i] = all[it].record(&it.intent)
		it.came = all[it].came(&it.intent, recorded[i])
	}
	if err := x.takeAddresses(ctx, list, all); err != nil {
		return nil, err
	}
	forgive(list)
	for i, it := range list {
		items[i].stuck, items[i].came = it.stuck, it.came
	}
	return recorded, nil
}

// came reports whether a change came to what was intended, though nobody was there to see it: the application has linked
// the user by itself, or all was done but settling it.
func (f *found) came(i *state.Intent, recorded *state.User) bool {
	switch {
	case i.Effect.OnlyReleases():
		return !f.there || !slices.Equal(f.person.Mails, i.Mails)
	case recorded == nil:
		return false
	case recorded.Standing == state.Moved && (i.Prior == nil || i.Prior.Standing != state.Moved):
		return true
	case i.Effect.Mail && !f.addressed(i):
		return false
	}
	return !i.Effect.Writes() && recorded.UserState == i.After.UserState && slices.Equal(recorded.Groups, i.After.Groups)
}

// addressed reports whether the person got the address of its row, and may have it.
func (f *found) addressed(i *state.Intent) bool {
	return f.there && !slices.Equal(f.person.Mails, i.Mails) && f.row != nil && f.claim.Gains() &&
		slices.ContainsFunc(f.person.Mails, func(m string) bool { return strings.EqualFold(m, f.row.Email) })
}

// find asks both sides how they stand with the users.
func (x *executor) find(ctx context.Context, items []*item) (map[*item]*found, error) {
	users := make([]uuid.UUID, len(items))
	for i, it := range items {
		users[i] = it.intent.User
	}
	rows, err := x.fetch(ctx, users)
	if err != nil {
		return nil, err
	}
	links, err := x.Rows.Linked(ctx, personIDs(items))
	if err != nil {
		return nil, err
	}
	all := map[*item]*found{}
	for _, it := range items {
		f := &found{row: rows[it.intent.User], in: map[uuid.UUID]bool{}}
		for _, r := range links {
			if r.Link == it.intent.Person && r.ID != it.intent.User && !r.Deleted {
				f.others = append(f.others, linked(r, x.effects.Identity.Follow))
			}
		}
		f.claim = x.claim(&it.intent, f.row)
		all[it] = f
	}
	if err := x.findPersons(ctx, items, all); err != nil {
		return nil, err
	}
	return all, x.findGroups(ctx, items, all)
}

// findGroups asks Self-auth which groups of their intents the persons are in, once for each group.
func (x *executor) findGroups(ctx context.Context, items []*item, all map[*item]*found) error {
	here := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !all[it].there })
	return memberships(here, (*item).groups, func(group uuid.UUID, some []*item) error {
		members, err := x.Accounts.Members(ctx, group, personIDs(some))
		if state.ErrorKindOf(err) == state.ErrorNotFound {
			return nil
		}
		for _, it := range some {
			all[it].in[group] = slices.Contains(members, it.intent.Person)
		}
		return err
	})
}

// findPersons asks Self-auth how the persons are, in one call.
func (x *executor) findPersons(ctx context.Context, items []*item, all map[*item]*found) error {
	if len(items) == 0 {
		return nil
	}
	persons, err := x.Accounts.Lookup(ctx, personIDs(items))
	if err != nil {
		return err
	}
	byID := map[uuid.UUID]providers.Person{}
	for _, p := range persons {
		byID[p.ID] = p
	}
	for _, it := range items {
		all[it].person, all[it].there = byID[it.intent.Person]
	}
	return nil
}

// groups are those that an intent joins or leaves.
func (it *item) groups() []uuid.UUID { return union(it.intent.Join, it.intent.Leave) }

// claim is what says where the person of an intent belongs, if it comes to no more than has been done.
func (x *executor) claim(i *state.Intent, row *providers.UserRow) plan.Claim {
	c := plan.Claim{Standing: state.Failed, Ours: i.After.MadePerson, Follow: x.effects.Identity.Follow}
	if i.Prior != nil {
		c.Standing, c.Ours = i.Prior.Standing, i.Prior.MadePerson || i.After.MadePerson
	}
	if row == nil {
		return c
	}
	c.Linked = row.Link != uuid.Nil && row.Link == i.Person
	c.Active, c.Live = !row.Deleted && row.Status == "active", row.TenantLive
	c.Tenant, c.Role = row.Tenant, row.Role
	if c.Linked {
		c.Standing = state.Moved // if it was not, the application has linked it by itself
	}
	c.Held = slices.ContainsFunc(x.paused(), func(p state.Pause) bool {
		return state.InWave(i.After.Wave, p.Wave) && (p.Tenant == uuid.Nil || p.Tenant == row.Tenant)
	})
	return c
}

// belongs reports whether a person belongs in a group of the plan.
func (x *executor) belongs(c plan.Claim, group uuid.UUID) bool {
	rule, known := x.groups[group]
	return known && c.In(rule)
}

// takeBegun takes from persons what was given to them, or may have been, and does not belong to them.
func (x *executor) takeBegun(ctx context.Context, items []*item, all map[*item]*found) error {
	outside := func(it *item) (list []uuid.UUID) {
		f, prior := all[it], it.intent.Prior
		for _, g := range it.groups() {
			kept := f.claim.Unlinked() && prior != nil && slices.Contains(prior.Groups, g)
			asks := func(c plan.Claim) bool { return x.belongs(c, g) }
			if f.in[g] && !kept && !asks(f.claim) && !slices.ContainsFunc(f.others, asks) {
				list = append(list, g)
			}
		}
		return list
	}
	err := memberships(items, outside, func(group uuid.UUID, some []*item) error {
		err := x.Accounts.RemoveMembers(ctx, providers.Members{Group: group, Persons: personIDs(some)})
		if err == nil || state.ErrorKindOf(err) == state.ErrorNotFound {
			for _, it := range some {
				all[it].in[group] = false
			}
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	// One group that refuses must not keep the person's login open.
	forgive(items)
	var open []*item
	for _, it := range items {
		held := slices.ContainsFunc(all[it].others, func(c plan.Claim) bool { return c.Active })
		if f := all[it]; f.there && !held && !f.person.Expired && f.claim.Presence() == plan.PresenceExpired {
			open = append(open, it)
		}
	}
	return bisect(open, func(some []*item) error {
		err := x.Accounts.Expire(ctx, personIDs(some))
		for _, it := range some {
			if p := &all[it].person; err == nil {
				p.Expired, p.Closed = true, true
			}
		}
		return err
	})
}

// takeAddresses gives persons the addresses back that they held, where the rest of their change did not come about: what is
// not recorded as done could never be taken back.
func (x *executor) takeAddresses(ctx context.Context, items []*item, all map[*item]*found) error {
	for _, it := range items {
		f := all[it]
		if !it.intent.Effect.Mail || !f.there || it.came || slices.Equal(f.person.Mails, it.intent.Mails) {
			continue
		}
		err := x.Accounts.Readdress(ctx, it.intent.Person, it.intent.Mails)
		if err != nil && !refused(err) {
			return err
		}
		it.failed = err
	}
	return nil
}

// giveBack gives persons back what was taken from them and belongs to them: the opposite order, as a person is there
// before it joins groups. That its user may be given nothing at present holds up nothing that this change has only just
// taken away: whoever was asleep, or of a tenant that is away, or paused, is so again.
func (x *executor) giveBack(ctx context.Context, items []*item, all map[*item]*found) error {
	if err := x.reviveDeleted(ctx, items, all); err != nil {
		return err
	}
	left := func(it *item) (list []uuid.UUID) {
		for _, g := range it.intent.Leave {
			if f := all[it]; f.there && !f.in[g] && x.belongs(f.claim, g) {
				list = append(list, g)
			}
		}
		return list
	}
	forgive(items)
	if err := memberships(items, left, func(group uuid.UUID, some []*item) error {
		err := x.Accounts.AddMembers(ctx, group, personIDs(some))
		for _, it := range some {
			all[it].in[group] = err == nil
		}
		return err
	}); err != nil {
		return err
	}
	// By our record these were awake before: a person that was asleep already stays asleep.
	forgive(items)
	woken := slices.DeleteFunc(acting(items, state.PersonExpire), func(it *item) bool {
		f := all[it]
		return !f.there || !f.person.Expired || !f.person.Closed || it.intent.Prior == nil || it.intent.Prior.Asleep ||
			f.claim.Presence() != plan.PresenceEnabled
	})
	return bisect(woken, func(some []*item) error {
		err := x.Accounts.Enable(ctx, personIDs(some))
		for _, it := range some {
			if err == nil {
				all[it].person.Expired = false
			}
		}
		return err
	})
}

// reviveDeleted brings deleted persons back as they were to which a row is linked, or their users would be linked to nobody.
// What does not belong to them by now is taken from them again.
func (x *executor) reviveDeleted(ctx context.Context, items []*item, all map[*item]*found) error {
	forgive(items)
	deleted := slices.DeleteFunc(acting(items, state.PersonDelete), func(it *item) bool {
		f := all[it]
		return f.there || !f.claim.Linked && len(f.others) == 0
	})
	if len(deleted) == 0 {
		return nil
	}
	var revived []*item
	if err := bisect(deleted, func(some []*item) error {
		err := x.Accounts.Revive(ctx, personIDs(some))
		if err == nil {
			revived = append(revived, some...)
		}
		return err
	}); err != nil {
		return err
	}
	if err := x.findPersons(ctx, revived, all); err != nil {
		return err
	}
	if err := x.findGroups(ctx, revived, all); err != nil {
		return err
	}
	return x.takeBegun(ctx, revived, all)
}

// record is what is to be recorded of a user by what was found; nil: as before.
func (f *found) record(i *state.Intent) *state.User {
	switch {
	case f.claim.Standing != state.Moved:
		in := f.members(nil, i)
		made := i.Effect.Act == state.PersonCreate || i.Effect.Act == state.PersonRevive && f.there
		if !made && i.Prior != nil && len(in) == 0 {
			u := *i.Prior
			if u.Groups = f.members(u.Groups, i); slices.Equal(u.Groups, i.Prior.Groups) {
				return nil
			}
			return &u // but for what it was taken out of
		}
		// A person may be there: with its id recorded, the next plan finds it instead of making another.
		u := unmoved(*i)
		u.Groups = in // which it could not be taken out of
		return u
	case i.After.Standing != state.Moved && (i.Prior == nil || i.Prior.Standing != state.Moved):
		return nil // the application's link is found by the next plan
	case i.Prior == nil || i.Prior.Standing != state.Moved:
		u := i.After
		u.Groups, u.Method = f.members(i.After.Groups, i), f.row.Method
		u.Asleep = u.MadePerson && f.there && f.person.Expired && f.person.Closed
		return &u
	}
	u := *i.Prior
	u.Groups = f.members(u.Groups, i)
	// Whether we have put it to sleep: that is what lets a row that is active again wake it (L27).
	if u.MadePerson && f.there && (f.person.Closed || !f.person.Expired) {
		u.Asleep = f.person.Expired
	}
	return &u
}

// members are recorded groups, corrected by those of an intent that the person is in.
func (f *found) members(recorded []uuid.UUID, i *state.Intent) []uuid.UUID {
	groups := slices.DeleteFunc(slices.Clone(recorded), func(g uuid.UUID) bool {
		_, asked := f.in[g]
		return asked && !f.in[g]
	})
	for _, g := range union(i.Join, i.Leave) {
		if f.in[g] {
			groups = append(groups, g)
		}
	}
	return union(groups, nil)
}

// unmoved is what is recorded of a user who was not moved, but for whom a person may have been made.
func unmoved(i state.Intent) *state.User {
	after := i.After
	after.Standing, after.Groups, after.Synced = state.Failed, nil, time.Time{}
	return &after
}
