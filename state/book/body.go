package book

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// bodyVersion is the form of a body: which parts it has, in which order. What stable texts name does not count: a
// switch or a method may be added without another version, and older programs refuse the bodies that hold it.
const bodyVersion = 2

// syncedVersion is the first form that keeps the synced time of recorded users.
const syncedVersion = 2

// Body is what the journal keeps of an intent beside the record's own columns: effect, groups, before-image, what was
// recorded of the user before and what will be. ID, User, Tenant, Segment and Wave of the intent are not in it, nor is
// what a User only has when it is streamed (TenantNow, RowGone); Prior and After are of the intent's user. Times keep
// microseconds and come back in UTC, empty lists come back nil.
func Body(i *state.Intent) []byte {
	e := &encoder{b: make([]byte, 0, 256)}
	e.num(bodyVersion)
	e.code(i.Effect.Act)
	e.code(i.Effect.Method)
	e.switches(intentSwitches(i))
	e.id(i.Person)
	e.ids(i.Join)
	e.ids(i.Leave)
	e.texts(i.Mails)
	e.num(i.Undo)
	e.image(&i.Before)
	e.present(i.Prior != nil)
	if i.Prior != nil {
		e.user(i.Prior)
	}
	e.user(&i.After)
	return e.b
}

// ReadBody fills in what Body wrote; User of the intent is set already, and what is not in a body stays.
//
// Errors: state.ErrNewer where a newer version wrote it, another error where it is damaged. The intent is of no use
// then.
func ReadBody(b []byte, i *state.Intent) error {
	d := &decoder{b: b, parts: make([][]byte, 0, usualParts)}
	// A newer version is told from damage, since what to do about it differs.
	switch d.version = d.num(); {
	case d.err == nil && d.version > bodyVersion:
		return state.ErrNewer
	case d.version < 1:
		return errDamaged
	}
	d.code(&i.Effect.Act)
	d.code(&i.Effect.Method)
	d.switches(intentSwitches(i))
	i.Person = d.id()
	i.Join, i.Leave, i.Mails = d.ids(), d.ids(), d.texts()
	i.Undo = d.num()
	i.Before = d.image()
	i.Prior = nil
	if d.present() {
		u := d.user(i.User)
		i.Prior = &u
	}
	i.After = d.user(i.User)
	if d.err == nil && len(d.b) > 0 {
		return errDamaged
	}
	return d.err
}

// intentSwitches are what is on or off of an intent.
func intentSwitches(i *state.Intent) []state.Switch {
	return append(i.Effect.Switches(), state.Switch{Name: "row_gone", On: &i.RowGone})
}

// userSwitches are what is on or off of a recorded user.
func userSwitches(u *state.UserState) []state.Switch {
	return []state.Switch{
		{Name: "made_person", On: &u.MadePerson}, {Name: "wrote_link", On: &u.WroteLink}, {Name: "asleep", On: &u.Asleep},
	}
}

func (e *encoder) image(m *state.Image) {
	e.id(m.Link)
	e.code(m.Method)
	e.time(m.Synced)
	e.time(m.Completed)
	e.time(m.Invited)
}

func (d *decoder) image() (m state.Image) {
	m.Link = d.id()
	d.code(&m.Method)
	m.Synced, m.Completed, m.Invited = d.time(), d.time(), d.time()
	return m
}

func (e *encoder) user(u *state.User) {
	e.code(u.Standing)
	e.text(u.Wave)
	e.text(u.Policy)
	e.num(int64(u.Generation))
	e.switches(userSwitches(&u.UserState))
	e.id(u.Tenant)
	e.id(u.Person)
	e.ids(u.Groups)
	e.code(u.Method)
	e.text(u.Run)
	e.time(u.Synced)
}

func (d *decoder) user(id uuid.UUID) state.User {
	u := state.User{User: id}
	d.code(&u.Standing)
	u.Wave, u.Policy = d.text(), d.text()
	u.Generation = int(d.num())
	d.switches(userSwitches(&u.UserState))
	u.Tenant, u.Person, u.Groups = d.id(), d.id(), d.ids()
	d.code(&u.Method)
	u.Run = d.text()
	if d.version >= syncedVersion {
		u.Synced = d.time()
	}
	return u
}

var errDamaged = errors.New("a journal record is damaged")

// newer is the error about a word that this version does not know.
func newer(what string, word []byte) error {
	return fmt.Errorf("%w (%s %q)", state.ErrNewer, what, word)
}

// time is 0 for the zero time, else microseconds since 1970, one more from then on.
func (e *encoder) time(t time.Time) {
	switch n := t.UnixMicro(); {
	case t.IsZero():
		e.num(0)
	case n >= 0:
		e.num(n + 1)
	default:
		e.num(n)
	}
}

func (d *decoder) time() time.Time {
	switch n := d.num(); {
	case n == 0:
		return time.Time{}
	case n > 0:
		return time.UnixMicro(n - 1).UTC()
	default:
		return time.UnixMicro(n).UTC()
	}
}
