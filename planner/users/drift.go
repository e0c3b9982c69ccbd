package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// Drifted is how moved users, and the members of groups of ours, are otherwise than they were left.
type Drifted struct {
	Moved       int64 // users recorded as moved
	Users       int64 // of them, those of whom something else was changed
	Memberships int64 // that were ended or added by others
	Findings    []state.Finding
}

// drifting counts while recorded users are looked at.
type drifting struct {
	*world.Joined
	Drifted
	row, link, person, expired, enabled, method, mail, early int64

	given released
	mails map[uint64]bool            // hashes of addresses that more than one row has
	rules map[uuid.UUID][]plan.Group // as recorded, by tenant
	ours  map[uuid.UUID]int64        // memberships that we gave, or that rows ask for, by group
	lost  map[uuid.UUID]int64        // memberships that we gave and that somebody has ended
}

// Drift compares what is recorded of users with what is there. Users of the open run are left out; while there is one, nobody
// knows who was added to groups by others.
func Drift(j *world.Joined, openRun bool) (Drifted, error) {
	d := drifting{Joined: j, given: released{Joined: j}, mails: world.Repeated(j.Mails), rules: byTenant(recordedRules(j)),
		ours: map[uuid.UUID]int64{}, lost: map[uuid.UUID]int64{}}
	if err := d.given.find(func(*world.Entry, uuid.UUID) error { return nil }); err != nil {
		return Drifted{}, err
	}
	if err := j.Entries.Each(func(e *world.Entry) error {
		d.user(e)
		return nil
	}); err != nil {
		return Drifted{}, err
	}
	d.Findings = counted(
		state.Found(state.CodeDriftRow).Times(d.row),
		state.Found(state.CodeDriftLink).Times(d.link),
		state.Found(state.CodeDriftPerson).Times(d.person),
		state.Found(state.CodeDriftExpired).Times(d.expired),
		state.Found(state.CodeDriftEnabled).Times(d.enabled),
		state.Found(state.CodeDriftEarly).Times(d.early),
		state.Found(state.CodeDriftMail).Times(d.mail),
		state.Found(state.CodeDriftMethod).Times(d.method),
	)
	d.groups(openRun)
	return d.Drifted, nil
}

func (d *drifting) user(e *world.Entry) {
	if !e.Is(world.IsRecorded) || d.InOpenRun(e.User) {
		return
	}
	rec := e.Recorded
	d.memberships(e)
	if !e.Moved() {
		return
	}
	d.Moved++
	p, there := d.Index.Person(rec.Person)
	changed := false
	count := func(to *int64, is bool) {
		if is {
			*to++
			changed = true
		}
	}
	count(&d.row, !e.Is(world.HasRow))
	count(&d.link, e.Is(world.HasRow) && e.Link != rec.Person)
	count(&d.person, !there)
	count(&d.expired, there && rec.MadePerson && p.Expired && !p.Closed)
	count(&d.enabled, there && rec.MadePerson && rec.Asleep && !p.Expired)
	count(&d.early, there && rec.MadePerson && p.Early)
	// No address is recorded. What can be seen is that one that we keep like the row's is another, and the next plan would
	// write it.
	count(&d.mail, e.Is(world.MailDiffers) && d.Tenants[e.Tenant].Live() && mailFits(&d.given, d.mails, e))
	count(&d.method, e.Is(world.HasRow) && e.Method == state.MethodPassword)
	if changed {
		d.Users++
	}
}

// memberships notes which memberships of a person are ours, or asked for by its row, and which of ours are gone.
func (d *drifting) memberships(e *world.Entry) {
	rec := e.Recorded
	groups := slices.Clone(rec.Groups)
	if e.Moved() && e.Is(world.HasRow) && e.Tenant >= 0 {
		for _, g := range d.rules[d.Tenants[e.Tenant].ID] {
			if g.Members.Has(d.Roles[e.Role]) && !slices.Contains(groups, g.ID) {
				groups = append(groups, g.ID)
			}
		}
	}
	_, there := d.Index.Person(rec.Person)
	for _, g := range groups {
		_, known := d.Index.Groups[g]
		switch {
		case !known || !there || d.Index.Hidden[g] != "":
		case d.Index.IsMember(rec.Person, g):
			d.ours[g]++
		case slices.Contains(rec.Groups, g) && e.Moved():
			d.lost[g]++
		}
	}
}

// groups adds what was changed of the members of groups. Of a group that was there before us others add whom they like.
func (d *drifting) groups(openRun bool) {
	direct := map[uint32]int64{}
	for _, m := range d.Index.Members {
		if !m.Nested {
			direct[m.Group]++
		}
	}
	for _, rec := range d.State.Objects {
		live, there := d.Index.Groups[rec.ID]
		if rec.Kind != state.KindGroup || rec.Deleted || !there || d.Index.Hidden[rec.ID] != "" {
			continue
		}
		lost, added := d.lost[rec.ID], direct[live.Index]-d.ours[rec.ID]
		if rec.Adopted || openRun {
			added = 0
		}
		d.Memberships += lost + added
		d.Findings = append(d.Findings, counted(
			state.About(state.CodeDriftLeft, state.OfGroup(live.Name)).Times(lost),
			state.About(state.CodeDriftAdded, state.OfGroup(live.Name)).Times(added),
		)...)
	}
}
