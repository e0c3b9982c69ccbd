package apply

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// objects makes, changes and records declared objects, but for those that must wait for the users.
func (x *executor) objects(ctx context.Context) error { return x.eachObject(ctx, false) }

// lastObjects carries out the changes of objects that must wait for the users.
func (x *executor) lastObjects(ctx context.Context) (err error) {
	if x.inside, err = x.leftInside(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return x.eachObject(ctx, true)
}

func (x *executor) eachObject(ctx context.Context, last bool) error {
	recorded := recordedObjects{}
	for _, o := range x.st.Objects {
		recorded[o.Address] = o
	}
	todo := slices.DeleteFunc(slices.Clone(x.effects.Objects), func(c plan.ObjectChange) bool { return c.Last != last })
	work := context.WithoutCancel(ctx)
	for n := 0; n < len(todo); {
		if err := interrupted(ctx); err != nil {
			return err
		}
		some := alike(todo[n:])
		if err := x.carryAlike(work, some, recorded); err != nil {
			return err
		}
		n += len(some)
		x.events(Event{Kind: Progress, Stage: StageObjects, Done: int64(n), Total: int64(len(todo))})
	}
	return nil
}

// recordedObjects are the objects that were recorded when the run was begun or resumed.
type recordedObjects map[state.Address]state.Object

// intended is a change whose intent is durable.
type intended struct {
	plan.ObjectChange

	after *state.Object // what will be recorded; nil: nothing
	again bool          // the run was stopped in the middle of it
}

// object is what the change is about: as it will be recorded, or, if it is forgotten, as it was.
func (c intended) object() state.Object {
	if c.after != nil {
		return *c.after
	}
	return *c.Before
}

func (c intended) done() state.ObjectOutcome {
	return state.ObjectOutcome{Address: c.Address, From: c.From, Recorded: c.after, Verdict: state.Done}
}

// intendObjects makes the intents of changes durable where what is recorded is still what the plan relied on. Changes
// that are done already, and those that are left alone, are not among what it returns.
func (x *executor) intendObjects(
	ctx context.Context, some []plan.ObjectChange, recorded recordedObjects,
) ([]intended, error) {
	var list []intended
	var intents []state.ObjectIntent
	for _, c := range some {
		after := x.afterOf(c)
		if settledBefore(c, after, recorded) {
			continue
		}
		if why := x.outdated(c, recorded); !why.IsZero() {
			if err := x.leaveObject(ctx, c, recorded, state.Changed, why); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, intended{ObjectChange: c, after: after})
		intents = append(intents, state.ObjectIntent{
			Address: c.Address,
			From:    c.From,
			Action:  c.Action,
			Before:  c.Before,
			After:   after,
			Was:     c.Was,
			Will:    c.Will,
		})
	}
	if len(list) == 0 {
		return nil, nil
	}
	again, err := x.journal.IntendObjects(ctx, intents...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].again = again[i]
	}
	return list, nil
}

// afterOf is what will be recorded, with the run that did it; nil: nothing.
func (x *executor) afterOf(c plan.ObjectChange) *state.Object {
	if c.After == nil {
		return nil
	}
	after := *c.After
	after.Run = x.journal.ID()
	return &after
}

// settledBefore reports whether a change was settled before the run was stopped.
func settledBefore(c plan.ObjectChange, after *state.Object, recorded recordedObjects) bool {
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

// outdated says why a change is left alone before anything is intended; zero: it is not.
func (x *executor) outdated(c plan.ObjectChange, recorded recordedObjects) state.Finding {
	from := c.Address
	if c.From != "" {
		from = c.From
	}
	if why := x.stayFor(c); !why.IsZero() {
		return why
	}
	rec, has := recorded[from]
	if has != (c.Before != nil) || has && !rec.Equal(*c.Before) {
		return state.Found(state.CodeRecordChanged)
	}
	return state.Finding{}
}

// miss notes an object that is not as planned. If it is a group that was to be made, users of this plan who are to join
// it will fail with the same reason. It returns the reason for the journal.
func (x *executor) miss(c plan.ObjectChange, why ...state.Finding) state.Finding {
	left := state.About(state.CodeObjectLeft, state.Of(c.Address), state.Because(state.KeyWhy, why...))
	x.failed = append(x.failed, left)
	switch {
	case c.Kind != state.KindGroup || c.After == nil:
	case c.Was == nil:
		x.absent[c.After.ID] = why[0]
	default:
		x.keepRule(c.After, why[0])
	}
	if len(why) > 1 {
		return left
	}
	return why[0]
}

// keepRule notes that the rule which a change would have given to a group does not come into force: by the one that is
// recorded, nobody joins or leaves who would by the new one.
func (x *executor) keepRule(after *state.Object, why state.Finding) {
	i := slices.IndexFunc(x.st.Objects, func(o state.Object) bool { return o.Kind == state.KindGroup && o.ID == after.ID })
	switch {
	case i < 0: // to be taken over, and it is not ours
		x.absent[after.ID] = why
		return
	case x.st.Objects[i].Members.Equal(after.Members):
		return
	}
	rule := x.groups[after.ID]
	rule.ID, rule.Tenant, rule.Members = after.ID, x.st.Objects[i].Tenant, x.st.Objects[i].Members
	x.groups[after.ID], x.unruled[after.ID] = rule, why
}

// leaveObject settles a change that is not made: what is recorded of it stays.
func (x *executor) leaveObject(
	ctx context.Context, c plan.ObjectChange, recorded recordedObjects, v state.Verdict, why ...state.Finding,
) error {
	o := state.ObjectOutcome{Address: c.Address, Verdict: v, Reason: x.miss(c, why...)}
	if rec, has := recorded[c.Address]; has {
		o.Recorded = &rec
	}
	return x.journal.SettleObjects(ctx, o)
}

// object carries out one intended change if what is there is what the plan relied on. If it is done already nothing
// happens; if something else is there it is left alone.
func (x *executor) object(ctx context.Context, c intended, recorded recordedObjects) error {
	var did carried
	var why state.Finding
	is, err := x.read(ctx, c, c.object())
	if err == nil {
		why, err = x.carry(ctx, &c, is, nil, &did)
	}
	if err == nil && why.IsZero() {
		return x.journal.SettleObjects(ctx, c.done())
	}
	return x.settleNotDone(ctx, c, did, why, err, recorded)
}

// settleNotDone settles a change that was left alone for a reason (err is nil then), or that err refused; what was done
// of it is put back.
func (x *executor) settleNotDone(
	ctx context.Context, c intended, did carried, why state.Finding, err error, recorded recordedObjects,
) error {
	switch {
	case err == nil:
		return x.leaveObject(ctx, c.ObjectChange, recorded, state.Changed, why)
	case !refused(err):
		return err
	}
	reasons := []state.Finding{reason(err)}
	// A group that we made and now put back is a deleted entry too.
	burnt := state.ErrorKindOf(err) == state.ErrorBurnt || did.made != uuid.Nil && c.Kind == state.KindGroup
	stands, err := x.putBack(ctx, c.ObjectChange, did)
	if err != nil {
		return err
	}
	if !stands.IsZero() {
		x.half, reasons = true, append(reasons, stands)
	}
	if !burnt || c.after == nil {
		return x.leaveObject(ctx, c.ObjectChange, recorded, state.Refused, reasons...)
	}
	// Self-auth blocks the id of a deleted entry for days: this record makes the next plan use the next generation.
	last := *c.after
	last.Deleted = true
	return x.journal.SettleObjects(ctx, state.ObjectOutcome{Address: c.Address, Recorded: &last, Verdict: state.Refused,
		Reason: x.miss(c.ObjectChange, reasons...)})
}

// carry does one change of an object that is so now, and notes in did what of it is done. why says what had changed
// since the plan; then nothing was done. With together, making or deleting the group itself is left to the caller.
func (x *executor) carry(
	ctx context.Context, c *intended, is present, together *together, did *carried,
) (why state.Finding, err error) {
	o, live := c.object(), is.live
	if c.Action == state.ActionRecord {
		return recordable(c.ObjectChange, live), nil
	}
	// A change that a stopped run had begun has left the object partly as it was and partly as it will be. The intent is
	// proof enough that this is our doing.
	if !c.again {
		if why = changed(c.ObjectChange, live); !why.IsZero() {
			return why, nil
		}
		if why, err = x.backAgain(ctx, c.ObjectChange); !why.IsZero() || err != nil {
			return why, err
		}
	}
	switch {
	case c.Will == nil && live == nil:
		return why, nil // it is gone
	case c.Will == nil && together != nil:
		together.remove = append(together.remove, providers.Mapping{Tenant: o.Tenant, Group: o.ID})
		return why, nil
	case together != nil && live == nil:
		together.add(o, c.Will)
		return why, nil
	case c.Will == nil:
		return why, x.deleteObject(ctx, o, live)
	case c.Action == state.ActionForget && len(c.Will) == 0:
		return why, x.unmap(ctx, c.ObjectChange, o)
	case c.Action == state.ActionForget && live == nil:
		// The group went after the plan was made; only its mapping row is left to delete.
		return why, x.Rows.Unmap(ctx, providers.Mapping{Tenant: o.Tenant, Group: o.ID})
	}
	return why, x.write(ctx, c, o, live, is.found, did)
}

// write makes an object where it is not there, and writes what of it differs.
func (x *executor) write(
	ctx context.Context, c *intended, o state.Object, live state.Attributes, found uuid.UUID, did *carried,
) error {
	replaces := c.Action == state.ActionReplace
	// The new object has the name of the old one, so that must go first. A resumed change may find the new one instead.
	if replaces && live != nil && found == c.Before.ID {
		if err := x.provider(o.Kind).DeleteObject(ctx, o.Kind, found, live); err != nil {
			return err
		}
		live = nil
	}
	did.gone = replaces
	if live != nil && (replaces || c.Action == state.ActionCreate && c.again && c.Was == nil) {
		did.made = found // the stopped run had made it
	}
	if live == nil {
		var err error
		if live, found, err = x.makeObject(ctx, o, c.Will, did); err != nil {
			return err
		}
	}
	if o.ID = found; c.after != nil {
		// For a client, only the server knows it.
		c.after.ID = found
	}
	// Members are not read again with the object; each is looked at by itself.
	was, will, err := x.strangersNow(ctx, c.ObjectChange)
	if err != nil {
		return err
	}
	if err := x.changeObject(ctx, o, with(live, was), with(c.Will, will)); err != nil {
		return err
	}
	if err := x.unmap(ctx, c.ObjectChange, o); err != nil {
		return err
	}
	return x.keeps(ctx, o, c.Will)
}

// with are attributes with these strangers; where none are given, as they are.
func with(a state.Attributes, strangers []uuid.UUID) state.Attributes {
	if _, given := a[state.AttrStrangers]; !given && len(strangers) == 0 {
		return a
	}
	a = maps.Clone(a)
	a[state.AttrStrangers] = state.MembersValue(slices.Clone(strangers))
	return a
}

// backAgain says that a group is there again whose mapping row was to go because the plan had found the group gone.
func (x *executor) backAgain(ctx context.Context, c plan.ObjectChange) (why state.Finding, err error) {
	for _, g := range c.Unmap {
		live, _, err := x.Accounts.ReadObject(ctx, state.KindGroup, g, "")
		if err != nil {
			return why, err
		}
		if live != nil {
			return state.About(state.CodeGroupBack, state.OfGroup(live.Text(state.AttrName))), nil
		}
	}
	return why, nil
}

// unmap deletes the mapping rows of groups that are gone. It comes last: if something before it is refused, they stay.
func (x *executor) unmap(ctx context.Context, c plan.ObjectChange, o state.Object) error {
	for _, g := range c.Unmap {
		if err := x.Rows.Unmap(ctx, providers.Mapping{Tenant: o.Tenant, Group: g}); err != nil {
			return err
		}
	}
	return nil
}

// keeps checks that Self-auth keeps a client or a policy as it was written: a value that it spells in another way would
// look changed to every plan from now on.
func (x *executor) keeps(ctx context.Context, o state.Object, will state.Attributes) error {
	if o.Kind != state.KindClient && o.Kind != state.KindPolicy {
		return nil
	}
	// Found now, it is an error of this run, which puts the object back. Found later, it would be a drift without end.
	live, err := x.readWhole(ctx, o)
	if err != nil {
		return err
	}
	live = o.Kind.Spec().Read(live, will)
	_, otherwise := live.Diff(will)
	if len(otherwise) == 0 {
		return nil
	}
	k := otherwise.Sorted()[0]
	return refuse(state.CodeKeptOtherwise, state.Text(state.KeyAttribute, string(k)),
		state.Holds(state.KeyWrote, will[k]), state.Holds(state.KeyLive, live[k]))
}

// present is what an object is now, nil where it is not there, and its id.
type present struct {
	live  state.Attributes
	found uuid.UUID
}

// read is what an object is now. A client whose id is not known yet is found by its name.
func (x *executor) read(ctx context.Context, c intended, o state.Object) (is present, err error) {
	switch {
	case c.Kind == state.KindGroup && c.Action == state.ActionCreate && !c.again:
		// Groups are made by the hundred, and reading each first would double the calls. Creating one that is there after
		// all fails by its id.
		return present{found: o.ID}, nil
	case c.Action == state.ActionReplace:
		is.live, err = x.readWhole(ctx, *c.Before)
		if err != nil || is.live != nil || !c.again {
			is.found = c.Before.ID
			return is, err
		}
		// The stopped run deleted it: the new one, if it is there, is found by its name.
		o.ID = uuid.Nil
	}
	if o.ID != uuid.Nil {
		is.live, err = x.readWhole(ctx, o)
		is.found = o.ID
		return is, err
	}
	is.live, is.found, err = x.provider(o.Kind).ReadObject(ctx, o.Kind, uuid.Nil, c.Will.Text(state.AttrName))
	return is, err
}

// readWhole is what an object of a known id holds now, a group with its mapping row; nil: it is not there.
func (x *executor) readWhole(ctx context.Context, o state.Object) (state.Attributes, error) {
	live, _, err := x.provider(o.Kind).ReadObject(ctx, o.Kind, o.ID, "")
	if err != nil || live == nil || o.Kind != state.KindGroup {
		return live, err
	}
	m, err := x.Rows.Mapping(ctx, o.Tenant, o.ID)
	if m != nil {
		live[state.AttrMapping] = state.MappingValue(m.Role, m.GroupName)
	}
	return live, err
}

// changed says what of an object is neither as the plan found it nor as it will be. Values that cannot be read back as
// they were written are not compared.
func changed(c plan.ObjectChange, live state.Attributes) state.Finding {
	switch {
	case c.Was == nil && (live == nil || c.Kind == state.KindGroup || c.Kind == state.KindTenant):
		// The id of a group or a tenant says that it is ours.
		return state.Finding{}
	case c.Was == nil:
		return state.Found(state.CodeAppeared)
	case live == nil && c.Will != nil && c.Action != state.ActionForget:
		return state.Found(state.CodeDisappeared)
	case live == nil:
		return state.Finding{}
	}
	for _, a := range c.Kind.Spec().Attributes {
		was, touched := c.Was[a.Name]
		will, written := c.Will[a.Name]
		asFound, asPlanned := live[a.Name].Equal(was), c.Will != nil && live[a.Name].Equal(will)
		if (touched || written) && !a.Unreadable && !asFound && !asPlanned {
			return state.Found(state.CodeAttributeChanged, state.Text(state.KeyAttribute, string(a.Name)))
		}
	}
	return state.Finding{}
}

// provider is the side that has objects of a kind.
func (x *executor) provider(k state.Kind) providers.Objects {
	if k == state.KindTenant {
		return x.Rows
	}
	return x.Accounts
}

// makeObject makes an object, or brings back a deleted client with its secret, and returns what it holds then.
func (x *executor) makeObject(
	ctx context.Context, o state.Object, will state.Attributes, did *carried,
) (live state.Attributes, id uuid.UUID, err error) {
	if o.Kind == state.KindGroup {
		g := newGroup(o, will)
		if err := x.Accounts.CreateGroups(ctx, []providers.NewGroup{g}); err != nil {
			return nil, o.ID, err
		}
		did.made = o.ID
		return state.Attributes{
			state.AttrName: state.TextValue(g.Name), state.AttrDescription: state.TextValue(g.Description),
		}, o.ID, nil
	}
	// A client that was deleted within the last days comes back with its secret, so that the application need not be told
	// a new one. Where the recycle bin no longer has it, it is made anew.
	back := false
	if o.Kind == state.KindClient && o.ID != uuid.Nil {
		err := x.Accounts.Revive(ctx, []uuid.UUID{o.ID})
		if back = err == nil; !back && !refused(err) {
			return nil, o.ID, err
		}
	}
	if !back {
		if o.ID, err = x.provider(o.Kind).CreateObject(ctx, o.Kind, o.ID, will); err != nil {
			return nil, o.ID, err
		}
	}
	did.made = o.ID
	live, err = x.readWhole(ctx, o)
	if err == nil && live == nil {
		err = &state.Error{Kind: state.ErrorInternal, Side: "Self-auth", Doing: "make " + string(o.Address),
			Reason: "it is not there though it was made"}
	}
	return live, o.ID, err
}

// changeObject writes what differs: a group in Self-auth, its mapping row in Postgres.
func (x *executor) changeObject(ctx context.Context, o state.Object, live, will state.Attributes) error {
	// Self-auth first: where it refuses the group's new name, the application must not look for that either.
	rest := will.Without(state.AttrMapping)
	if err := x.provider(o.Kind).ChangeObject(ctx, o.Kind, o.ID, live, rest); err != nil {
		return err
	}
	row, given := will[state.AttrMapping]
	switch {
	case !given || row.Equal(live[state.AttrMapping]):
		return nil
	case !row.IsSet():
		return x.Rows.Unmap(ctx, providers.Mapping{Tenant: o.Tenant, Group: o.ID})
	}
	return x.Rows.Map(ctx, []providers.Mapping{mappingOf(o, row)})
}

// mappingOf is the mapping row of a group.
func mappingOf(o state.Object, row state.Value) providers.Mapping {
	return providers.Mapping{Tenant: o.Tenant, Group: o.ID, GroupName: row.Mapping().Name, Role: row.Mapping().Role}
}

// newGroup is a group to be made.
func newGroup(o state.Object, will state.Attributes) providers.NewGroup {
	return providers.NewGroup{ID: o.ID, Name: will.Text(state.AttrName), Description: will.Text(state.AttrDescription)}
}

// deleteObject deletes an object, a group with its mapping row. It is no error if the object is gone already.
func (x *executor) deleteObject(ctx context.Context, o state.Object, live state.Attributes) error {
	if o.Kind == state.KindGroup {
		if err := x.Rows.Unmap(ctx, providers.Mapping{Tenant: o.Tenant, Group: o.ID}); err != nil {
			return err
		}
	}
	err := x.provider(o.Kind).DeleteObject(ctx, o.Kind, o.ID, live)
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return nil
	}
	return err
}
