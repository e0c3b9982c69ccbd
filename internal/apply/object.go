package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

// objects makes, changes and records declared objects; what must wait for the users comes after them (removals).
func (x *executor) objects(ctx context.Context) error {
	return x.eachObject(ctx, func(c planner.ObjectChange) bool { return !c.Last })
}

func (x *executor) removals(ctx context.Context) error {
	return x.eachObject(ctx, func(c planner.ObjectChange) bool { return c.Last })
}

func (x *executor) eachObject(ctx context.Context, which func(planner.ObjectChange) bool) error {
	recorded := map[state.Address]state.Object{}
	for _, o := range x.st.Objects {
		recorded[o.Address] = o
	}
	var todo []planner.ObjectChange
	for _, c := range x.p.Objects {
		if which(c) {
			todo = append(todo, c)
		}
	}
	for n := 0; n < len(todo); {
		if err := interrupted(ctx); err != nil {
			return err
		}
		some := alike(todo[n:])
		if err := x.alikes(some, recorded); err != nil {
			return err
		}
		n += len(some)
		x.events(Event{Kind: Progress, Stage: "objects", Done: int64(n), Total: int64(len(todo)), Text: string(todo[n-1].Address)})
	}
	return nil
}

// intended is a change whose intent is durable.
type intended struct {
	planner.ObjectChange

	after *state.Object // what will be recorded; nil: nothing
	again bool          // the run was stopped in the middle of it
}

// intendObjects makes the intents of changes durable, if what is recorded is what the plan relied on. Those that are done
// already, and those that are left alone, are not among what it returns.
func (x *executor) intendObjects(changes []planner.ObjectChange, recorded map[state.Address]state.Object) (list []intended, err error) {
	var intents []state.ObjectIntent
	for _, c := range changes {
		after := x.afterOf(c)
		if x.settledBefore(c, after, recorded) {
			continue
		}
		if why := x.outdated(c, recorded); why != "" {
			if err := x.leaveObject(c, recorded, state.Changed, why); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, intended{ObjectChange: c, after: after})
		intents = append(intents, state.ObjectIntent{Address: c.Address, From: c.From, Action: string(c.Action), Before: c.Before, After: after, Was: c.Was, Will: c.Will})
	}
	if len(list) == 0 {
		return nil, nil
	}
	again, err := x.record.IntendObjects(x.work, intents...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].again = again[i]
	}
	return list, nil
}

// outdated says why a change is left alone before anything is intended.
func (x *executor) outdated(c planner.ObjectChange, recorded map[state.Address]state.Object) string {
	from := c.Address
	if c.From != "" {
		from = c.From
	}
	rec, has := recorded[from]
	if n := x.stayFor(c); n > 0 {
		return fmt.Sprintf("it stays for %d users who could not be taken back, and goes with them when that is tried again", n)
	}
	if has != (c.Before != nil) || has && !rec.Equal(*c.Before) {
		return "what is recorded of it changed after the plan"
	}
	return ""
}

// leaveObject settles a change that is not made: what is recorded of it stays.
func (x *executor) leaveObject(c planner.ObjectChange, recorded map[state.Address]state.Object, v state.Verdict, why string) error {
	x.miss(c, why)
	o := state.ObjectOutcome{Address: c.Address, Verdict: v, Reason: why}
	if rec, has := recorded[c.Address]; has {
		o.Recorded = &rec
	}
	return x.record.SettleObjects(x.work, o)
}

// object carries out one intended change if what is there is what the plan relied on. Done already: nothing; something else:
// left alone.
func (x *executor) object(c intended, recorded map[state.Address]state.Object) error {
	did := carried{}
	why, err := x.carry(&c, nil, &did)
	if err == nil && why == "" {
		return x.record.SettleObjects(x.work, c.done())
	}
	return x.undoneObject(c, did, why, err, recorded)
}

func (c intended) done() state.ObjectOutcome {
	return state.ObjectOutcome{Address: c.Address, From: c.From, Recorded: c.after, Verdict: state.Done}
}

// undoneObject settles a change that was left alone for a reason, or refused; what was done of it is put back.
func (x *executor) undoneObject(c intended, did carried, why string, err error, recorded map[state.Address]state.Object) error {
	switch {
	case err == nil:
		return x.leaveObject(c.ObjectChange, recorded, state.Changed, why)
	case !refused(err):
		return err
	}
	why = reason(err)
	burnt := state.ErrorKindOf(err) == state.ErrorBurnt || did.made != uuid.Nil && c.Kind == state.KindGroup
	stands, err := x.putBack(c.ObjectChange, did)
	if err != nil {
		return err
	}
	if stands != "" {
		x.half, why = true, why+"; "+stands
	}
	if burnt && c.after != nil {
		// The next plan uses the next generation.
		last := *c.after
		last.Deleted = true
		x.miss(c.ObjectChange, why)
		return x.record.SettleObjects(x.work, state.ObjectOutcome{Address: c.Address, Recorded: &last, Verdict: state.Refused, Reason: why})
	}
	return x.leaveObject(c.ObjectChange, recorded, state.Refused, why)
}

// afterOf is what will be recorded, with the run that did it; nil: nothing.
func (x *executor) afterOf(c planner.ObjectChange) *state.Object {
	if c.After == nil {
		return nil
	}
	after := *c.After
	after.Run = x.record.ID()
	return &after
}

// settledBefore says whether a change was settled before the run was stopped.
func (x *executor) settledBefore(c planner.ObjectChange, after *state.Object, recorded map[state.Address]state.Object) bool {
	rec, has := recorded[c.Address]
	if after == nil {
		return c.Before != nil && !has
	}
	want := *after
	if has && want.ID == uuid.Nil {
		want.ID = rec.ID // the server has chosen it
	}
	return has && rec.Equal(want)
}

// carry does one change, and notes in did what of it is done. why says what had changed since the plan; then nothing was
// done. With together, making or deleting the group is left to the caller.
func (x *executor) carry(i *intended, together *together, did *carried) (why string, err error) {
	c, after, again := i.ObjectChange, i.after, i.again
	o := c.Before
	if after != nil {
		o = after
	}
	live, found, err := x.read(c, o, again)
	if err != nil {
		return "", err
	}
	if !again {
		if why := changed(c, live); why != "" {
			return why, nil
		}
	}
	if !again {
		if why, err := x.backAgain(c); why != "" || err != nil {
			return why, err
		}
	}
	switch {
	case c.Will == nil && live == nil:
		return "", nil
	case c.Will == nil && together != nil:
		together.remove = append(together.remove, o.ID)
		return "", x.Rows.Unmap(x.work, o.Tenant, o.ID)
	case together != nil && live == nil:
		together.make = append(together.make, providers.NewGroup{ID: o.ID, Name: c.Will["name"], Description: c.Will["description"]})
		if m := mappingOf(*o, c.Will["mapping"]); m != nil {
			together.rows = append(together.rows, *m)
		}
		return "", nil
	case c.Will == nil:
		return "", x.deleteObject(*o, live)
	case c.Action == planner.Forget && len(c.Will) == 0:
		return "", x.unmap(c, *o)
	}
	if c.Action == planner.Replace {
		switch {
		case live != nil && found == c.Before.ID:
			if err := x.provider(o.Kind).DeleteObject(x.work, o.Kind, found, live); err != nil {
				return "", err
			}
			live = nil
		case live != nil:
			did.made = found // before the run was stopped
		}
		did.gone = true
	}
	if again && live != nil && c.Was == nil && c.Action == planner.Create {
		did.made = found // before the run was stopped
	}
	if live == nil {
		if live, found, err = x.makeObject(*o, c.Will, did); err != nil {
			return "", err
		}
	}
	if v := c.Was["strangers"]; v != "" {
		live["strangers"] = v
	}
	if after != nil && after.ID == uuid.Nil || c.Action == planner.Replace {
		after.ID = found
	}
	o.ID = found
	if err := x.changeObject(*o, live, c.Will); err != nil {
		return "", err
	}
	if err := x.unmap(c, *o); err != nil {
		return "", err
	}
	return "", x.keeps(*o, c.Will)
}

// backAgain says that a group whose mapping row goes, as it was gone when the plan was made, is there by now.
func (x *executor) backAgain(c planner.ObjectChange) (why string, err error) {
	for _, g := range c.Unmap {
		live, _, err := x.Accounts.ReadObject(x.work, state.KindGroup, g, "")
		if err != nil {
			return "", err
		}
		if live != nil {
			return "group " + live["name"] + " is there again, and was gone when the plan was made", nil
		}
	}
	return "", nil
}

// unmap deletes the mapping rows of groups that are gone, last of all: what is refused before leaves them.
func (x *executor) unmap(c planner.ObjectChange, o state.Object) error {
	for _, g := range c.Unmap {
		if err := x.Rows.Unmap(x.work, o.Tenant, g); err != nil {
			return err
		}
	}
	return nil
}

// keeps looks whether Self-auth keeps a client or a policy as it was written: what it writes in another way would be
// found changed by every plan from now on.
func (x *executor) keeps(o state.Object, will state.Attributes) error {
	if o.Kind != state.KindClient && o.Kind != state.KindPolicy {
		return nil
	}
	live, err := x.readWhole(o)
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(will)) {
		if live[k] == will[k] || k == "webauthn_attestation_ca_list" {
			continue
		}
		why := fmt.Sprintf("Self-auth keeps its %s otherwise than they were written", strings.ReplaceAll(k, "_", " "))
		if !strings.HasSuffix(k, "_maps") {
			why = fmt.Sprintf("Self-auth keeps its %s as %s and not as %s: declare what it keeps", strings.ReplaceAll(k, "_", " "), cmp.Or(live[k], "not set"), will[k])
		}
		return &state.Error{Kind: state.ErrorRefused, Side: "Self-auth", Doing: "change " + string(o.Address), Reason: why}
	}
	return nil
}

// read is what an object is now. A client whose id is not known yet is found by its name.
func (x *executor) read(c planner.ObjectChange, o *state.Object, again bool) (live state.Attributes, found uuid.UUID, err error) {
	id, name := o.ID, c.Will["name"]
	if o.Kind == state.KindTenant {
		name = c.Will["slug"]
	}
	if c.Kind == state.KindGroup && c.Action == planner.Create && !again {
		return nil, id, nil // many are made; one that is there after all is told by its id when it is made
	}
	if c.Action == planner.Replace {
		live, err = x.readWhole(*c.Before)
		if err != nil || live != nil || !again {
			return live, c.Before.ID, err
		}
		id = uuid.Nil // it is deleted already
	}
	if id != uuid.Nil {
		live, err = x.readWhole(*o)
		return live, id, err
	}
	return x.provider(o.Kind).ReadObject(x.work, o.Kind, id, name)
}

// readWhole is what an object of a known id is now, a group with its mapping row; nil: it is not there.
func (x *executor) readWhole(o state.Object) (state.Attributes, error) {
	live, _, err := x.provider(o.Kind).ReadObject(x.work, o.Kind, o.ID, "")
	if err != nil || live == nil || o.Kind != state.KindGroup {
		return live, err
	}
	m, err := x.Rows.Mapping(x.work, o.Tenant, o.ID)
	if m != nil {
		live["mapping"] = m.Role.String() + " " + m.GroupName
	}
	return live, err
}

// changed says what of an object is no longer as the plan found it, and not as it will be either.
func changed(c planner.ObjectChange, live state.Attributes) string {
	switch {
	case c.Was == nil && live == nil:
		return ""
	case c.Was == nil && (c.Kind == state.KindGroup || c.Kind == state.KindTenant):
		return "" // its id says that it is ours
	case c.Was == nil:
		return "it is there now and was not when the plan was made"
	case live == nil && c.Will != nil && c.Action != planner.Forget:
		return "it is gone, and was there when the plan was made"
	case live == nil:
		return ""
	}
	for _, side := range []state.Attributes{c.Was, c.Will} {
		for k := range side {
			if k != "strangers" && k != "webauthn_attestation_ca_list" && live[k] != c.Was[k] && (c.Will == nil || live[k] != c.Will[k]) {
				return "its " + strings.ReplaceAll(k, "_", " ") + " changed after the plan"
			}
		}
	}
	return ""
}

// provider is the side that has objects of a kind.
func (x *executor) provider(k state.Kind) providers.Objects {
	if k == state.KindTenant {
		return x.Rows
	}
	return x.Accounts
}

// makeObject makes an object, or brings back a deleted client with its secret.
func (x *executor) makeObject(o state.Object, will state.Attributes, did *carried) (state.Attributes, uuid.UUID, error) {
	id, back := o.ID, false
	if o.Kind == state.KindClient && id != uuid.Nil {
		err := x.Accounts.Revive(x.work, []uuid.UUID{id})
		if back = err == nil; !back && !refused(err) {
			return nil, id, err
		}
	}
	if !back {
		var err error
		if id, err = x.provider(o.Kind).CreateObject(x.work, o.Kind, id, without(will, "mapping")); err != nil {
			return nil, id, err
		}
	}
	did.made, o.ID = id, id
	if o.Kind == state.KindGroup {
		return without(will, "mapping"), id, nil
	}
	live, err := x.readWhole(o)
	if err == nil && live == nil {
		err = &state.Error{Kind: state.ErrorInternal, Side: "Self-auth", Doing: "make " + string(o.Address), Reason: "it is not there though it was made"}
	}
	return live, id, err
}

// changeObject writes what differs: a group in Self-auth, its mapping row in Postgres.
func (x *executor) changeObject(o state.Object, live, will state.Attributes) error {
	if err := x.provider(o.Kind).ChangeObject(x.work, o.Kind, o.ID, live, without(will, "mapping")); err != nil {
		return err
	}
	mapping, given := will["mapping"]
	switch {
	case !given || mapping == live["mapping"]:
		return nil
	case mapping == "":
		return x.Rows.Unmap(x.work, o.Tenant, o.ID)
	}
	return x.Rows.Map(x.work, []providers.Mapping{*mappingOf(o, mapping)})
}

// mappingOf is the mapping row of a group from its text in attributes; nil: there is none.
func mappingOf(o state.Object, text string) *providers.Mapping {
	role, name, given := strings.Cut(text, " ")
	if !given {
		return nil
	}
	return &providers.Mapping{Tenant: o.Tenant, Group: o.ID, GroupName: name, Role: state.ParseRole(role)}
}

func (x *executor) deleteObject(o state.Object, live state.Attributes) error {
	if o.Kind == state.KindGroup {
		if err := x.Rows.Unmap(x.work, o.Tenant, o.ID); err != nil {
			return err
		}
	}
	err := x.provider(o.Kind).DeleteObject(x.work, o.Kind, o.ID, live)
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return nil
	}
	return err
}

func without(a state.Attributes, name string) state.Attributes {
	out := maps.Clone(a)
	delete(out, name)
	return out
}

// miss notes an object that is not as planned, and the group that users of this plan are to join and that is not there.
func (x *executor) miss(c planner.ObjectChange, why string) {
	x.failed = append(x.failed, string(c.Address)+": "+why)
	if c.Kind == state.KindGroup && c.Was == nil && c.After != nil {
		x.absent[c.After.ID] = why
	}
}

// refused says whether the other side refused this very thing, so that others may be tried.
func refused(err error) bool {
	switch state.ErrorKindOf(err) {
	case state.ErrorConflict, state.ErrorRefused, state.ErrorBurnt, state.ErrorNotFound:
		return true
	}
	return false
}

// reason is an error's reason in the user's words.
func reason(err error) string {
	var e *state.Error
	if errors.As(err, &e) {
		if e.Request != "" {
			return fmt.Sprintf("%s (request %s)", e.Reason, e.Request)
		}
		return e.Reason
	}
	return err.Error()
}
