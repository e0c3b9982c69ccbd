package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Announced counts those to whom a wave is to be announced before it starts. Whether it is due the planner knows, by the dates of the
// wave.
type Announced struct {
	Segment     int   // whom it is to be announced to; -1: to nobody
	Told        int64 // it was announced to them before
	Untold      int64 // of those in Segment: whose wave moves them, or users of their tenant, as soon as it starts
	Unreachable int64 // they have no address to which a mail could be sent
}

// stage says what becomes of a user once its wave starts.
type stage uint8

// whenStarts: it is moved. whenAble: it waits for something of its own. whenOpen: it waits for its tenant, or for gates, also where the
// wave has started without it.
const (
	whenStarts stage = iota + 1
	whenAble
	whenOpen
)

// announcing is what is kept of one tenant until all its users are decided.
type announcing struct {
	toAdmins bool          // a wave is announced to the administrators of tenants
	tenant   int           // index
	admins   []world.Entry // of the tenant, who can be written to
	waves    map[int]stage // by index: waves that are announced to them; the first stage of their users
}

// announce adds a user of a wave to those to whom it is announced, or the administrators of its tenant.
func (d *decider) announce(e *world.Entry, w *Wave, s stage) error {
	a, to := w.Announcement, d.scope.Writes
	switch {
	case a == nil, to == nil, d.left, to.User != uuid.Nil, to.Wave != "" && !state.InWave(w.Name, to.Wave):
		return nil
	case s != whenOpen && d.started[w.Name]:
		return nil // nothing is to come
	case a.ToAdmins:
		i := d.index[w.Name]
		if was, told := d.announcing.waves[i]; !told || s < was {
			d.announcing.waves[i] = s
		}
		return nil
	case e.Is(world.IsRecorded) && e.Recorded.Standing == state.RolledBack: // who was moved and taken back knows
		return nil
	}
	return d.tell(e, w, s)
}

// tell adds the announcement of a wave to somebody.
func (d *decider) tell(e *world.Entry, w *Wave, s stage) error {
	whole := state.WholeWave(w.Name)
	follows := e.Moved() && d.admins.changed && d.admins.change.After != e.Recorded.UserState
	switch {
	case slices.Contains(e.Mailed.Announced, whole):
		w.Announced.Told++
		return nil
	case !e.Is(world.IsReachable):
		w.Announced.Unreachable++
		return nil
	case follows, d.InOpenRun(e.User):
		return nil
	}
	if s == whenStarts {
		w.Announced.Untold++
	}
	if w.Announced.Segment < 0 {
		w.Announced.Segment = d.sink.Segment(plan.SegmentAnnounce, w.Name)
	}
	return d.sink.Add(w.Announced.Segment, plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesMail, Linked: e.Link != uuid.Nil, Unrecorded: true},
		After:  e.Recorded.UserState,
		Letter: plan.Letter{Kind: state.LetterAnnouncement, Link: state.LinkNone, Round: 1, Owed: slices.Contains(e.Mailed.Announcing, whole)},
	}, plan.UserChange{User: e.User, Before: e.MailDigest})
}

// noteAdmin keeps an administrator until all users of its tenant are decided: one is told of a wave that has users of the tenant, also
// where it is none of them.
func (d *decider) noteAdmin(e *world.Entry) {
	a := &d.announcing
	if !a.toAdmins || d.scope.Writes == nil || !d.isLive(e) || e.Status != plan.SkipNone || !isAdmin(d.Roles[e.Role]) {
		return
	}
	own := *e
	own.Recorded.Groups = nil // which is reused
	a.admins = append(a.admins, own)
}

// tellAdmins announces to the administrators of the tenant in hand what is to be, and goes on to another tenant. Of a wave with steps they are
// told once, with the first step that has users of the tenant: it starts before the others.
func (d *decider) tellAdmins(tenant int) error {
	a := &d.announcing
	if a.tenant == tenant || !a.toAdmins {
		return nil
	}
	d.admins.changed = false // that was about the last user
	last := ""
	for i := range d.Waves {
		s, told := a.waves[i]
		whole := state.WholeWave(d.Waves[i].Name)
		if !told || whole == last {
			continue
		}
		last = whole
		for k := range a.admins {
			if err := d.tell(&a.admins[k], &d.Waves[i], s); err != nil {
				return err
			}
		}
	}
	a.tenant, a.admins = tenant, a.admins[:0]
	clear(a.waves)
	return nil
}
