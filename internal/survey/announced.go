package survey

import (
	"slices"
	"time"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// Whom a wave is announced to.
const (
	ToUsers  = "users"
	ToAdmins = "tenant_admins"
)

// Announced says how far a wave is announced. Who is told goes by rows and outbox: that somebody has no address to which a mail could
// be sent is known only to a plan.
type Announced struct {
	To      string    `json:"to"`            // users, or tenant_admins: of the tenants that have users in the wave
	Told    int64     `json:"told"`          // mails that were handed over, or may have been
	Refused int64     `json:"refused"`       // mails that were refused, or came back; these are not sent again
	ToTell  int64     `json:"to_tell"`       // users who are still to be told
	Next    time.Time `json:"next,omitzero"` // from when on these are told; absent: they are due, late, or told once somebody asks
	Due     bool      `json:"due"`           // the next apply tells them
	Late    bool      `json:"late"`          // the wave may start with the next apply, which does not tell them
}

// AnnouncedWaves are the waves that a configuration, nil: there is none, announces, by their whole names in order.
func AnnouncedWaves(c *config.Config) (names []string) {
	if c == nil {
		return nil
	}
	for _, w := range c.Waves {
		if w.Announcement != nil {
			names = append(names, state.WholeWave(w.Name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func announcedToAdmins(w config.Wave) bool { return w.Announcement != nil && w.Announcement.ToAdmins }

// told reports whether a wave was announced to users, as planner/users has it: once a wave, steps or not.
func (t *tally) told(f *providers.UserFacts, wave string) bool {
	i, _ := slices.BinarySearch(t.announcedWaves, state.WholeWave(wave))
	return i < len(f.Told) && f.Told[i] == '1'
}

// announce counts users of a wave who are still to be told of it; open: they wait for their tenant, or for gates, and are told also where
// the wave has started without them.
func (t *tally) announce(c *providers.UserCount, tenant, wave int, open bool) {
	w := t.waves[wave]
	switch {
	case w.Announcement == nil, !open && !t.recorded(w.Name).Started.IsZero():
	case w.Announcement.ToAdmins:
		if t.tellIn[wave] == nil {
			t.tellIn[wave] = map[int]bool{}
		}
		t.tellIn[wave][tenant] = true
	case c.Standing != state.RolledBack && !t.told(&c.UserFacts, w.Name):
		t.toTell[wave] += c.Users
	}
}

// tellAdmins counts the administrators of tenants that have users in a wave: in the first of its steps that has some, as they are told once.
func (t *tally) tellAdmins() {
	for i := range t.Counts {
		c := &t.Counts[i]
		tenant := t.live(&c.UserFacts)
		if tenant < 0 || !plan.Administers(c.Role) || RowReason(&c.UserFacts, &t.Input.Tenants[tenant]) != plan.SkipNone {
			continue
		}
		known := map[string]bool{}
		for wave, in := range t.tellIn {
			whole := state.WholeWave(t.waves[wave].Name)
			if in[tenant] && !known[whole] && !t.told(&c.UserFacts, whole) {
				known[whole] = true
				t.toTell[wave] += c.Users
			}
		}
	}
}

// announced says how far a wave is announced; nil: it is not.
func (t *tally) announced(wave int, v rollout.Verdict) *Announced {
	w := t.waves[wave]
	if w.Announcement == nil {
		return nil
	}
	a := &Announced{To: ToUsers, ToTell: t.toTell[wave]}
	if w.Announcement.ToAdmins {
		a.To = ToAdmins
	}
	for _, m := range t.Announcements {
		switch {
		case m.Wave != w.Name && (t.index(m.Wave) >= 0 || t.lastOf(m.Wave) != wave), m.Status.Unsent():
			// Of a step that is no more the last one has them, as it has the users who were moved under it.
		case m.Status == state.MailRefused:
			a.Refused += m.Mails
		default:
			a.Told += m.Mails
		}
	}
	if a.ToTell == 0 {
		return a
	}
	next := v.Opens.Add(-w.Announcement.Before)
	switch started := !t.recorded(w.Name).Started.IsZero(); {
	case started:
		a.Due = true
	case v.Moves:
		a.Late = true
	case v.Opens.IsZero():
	case next.After(t.AsOf):
		a.Next = next.UTC()
	default:
		a.Due = true
	}
	return a
}
