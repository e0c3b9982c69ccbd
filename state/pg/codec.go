package pg

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// bodyVersion is the form of a record's body: effect, before-image, what was recorded before, what will be.
const bodyVersion = 1

var errBody = errors.New("a journal record cannot be read")

type encoder struct{ b []byte }

func (e *encoder) num(n int64)    { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) id(u uuid.UUID) { e.b = append(e.b, u[:]...) }
func (e *encoder) text(s string) {
	e.num(int64(len(s)))
	e.b = append(e.b, s...)
}
func (e *encoder) flags(list ...bool) {
	var n int64
	for i, on := range list {
		if on {
			n |= 1 << i
		}
	}
	e.num(n)
}
func (e *encoder) ids(list []uuid.UUID) {
	e.num(int64(len(list)))
	for _, u := range list {
		e.id(u)
	}
}

func (e *encoder) texts(list []string) {
	e.num(int64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

// time writes microseconds; 0 for the zero time.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.num(0)
		return
	}
	e.num(t.UnixMicro())
}

func (e *encoder) user(u *state.User) {
	if u == nil {
		e.num(0)
		return
	}
	e.num(int64(u.Standing))
	e.id(u.Tenant)
	e.id(u.Person)
	e.text(u.Wave)
	e.text(u.Policy)
	e.text(u.Run)
	e.num(int64(u.Generation))
	e.num(int64(u.Method))
	e.flags(u.Ours, u.LinkOurs, u.Away)
	e.ids(u.Groups)
}

func encodeBody(i *state.Intent) []byte {
	e := &encoder{b: make([]byte, 0, 256)}
	e.num(bodyVersion)
	f := &i.Effect
	e.id(f.Person)
	e.num(int64(f.Act))
	e.num(int64(f.Method))
	e.flags(f.Suffix, f.Link, f.Done, f.Restore, i.RowGone, f.Mail)
	e.num(f.Undo)
	e.ids(f.Join)
	e.ids(f.Leave)
	e.texts(f.Mails)
	e.id(i.Before.Link)
	e.num(int64(i.Before.Method))
	e.time(i.Before.Synced)
	e.time(i.Before.Completed)
	e.time(i.Before.Invited)
	e.user(i.Prior)
	e.user(&i.After)
	return e.b
}

// decoder reads what encoder wrote; the first error sticks.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) num() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) take(n int64) []byte {
	if n < 0 || n > int64(len(d.b)) {
		d.bad = true
		return nil
	}
	part := d.b[:n]
	d.b = d.b[n:]
	return part
}

func (d *decoder) id() (u uuid.UUID) {
	copy(u[:], d.take(16))
	return u
}

func (d *decoder) text() string { return string(d.take(d.num())) }

func (d *decoder) flags(list ...*bool) {
	n := d.num()
	for i, on := range list {
		*on = n&(1<<i) != 0
	}
}

func (d *decoder) ids() (list []uuid.UUID) {
	for range d.num() {
		if d.bad {
			return nil
		}
		list = append(list, d.id())
	}
	return list
}

func (d *decoder) texts() (list []string) {
	for range d.num() {
		if d.bad {
			return nil
		}
		list = append(list, d.text())
	}
	return list
}

func (d *decoder) time() time.Time {
	if n := d.num(); n != 0 {
		return time.UnixMicro(n).UTC()
	}
	return time.Time{}
}

func (d *decoder) user(user uuid.UUID) *state.User {
	u := &state.User{User: user, Standing: state.Standing(d.num())}
	if u.Standing == state.StandingInvalid {
		return nil
	}
	u.Tenant, u.Person = d.id(), d.id()
	u.Wave, u.Policy, u.Run = d.text(), d.text(), d.text()
	u.Generation, u.Method = int(d.num()), state.Method(d.num())
	d.flags(&u.Ours, &u.LinkOurs, &u.Away)
	u.Groups = d.ids()
	return u
}

// decodeBody fills in what encodeBody wrote. i.User is set already.
func decodeBody(b []byte, i *state.Intent) error {
	d := &decoder{b: b}
	if d.num() != bodyVersion {
		return state.ErrNewer
	}
	f := &i.Effect
	f.Person, f.Act, f.Method = d.id(), state.PersonAct(d.num()), state.Method(d.num())
	d.flags(&f.Suffix, &f.Link, &f.Done, &f.Restore, &i.RowGone, &f.Mail)
	f.Undo, f.Join, f.Leave, f.Mails = d.num(), d.ids(), d.ids(), d.texts()
	i.Before.Link, i.Before.Method = d.id(), state.Method(d.num())
	i.Before.Synced, i.Before.Completed, i.Before.Invited = d.time(), d.time(), d.time()
	i.Prior = d.user(i.User)
	after := d.user(i.User)
	if d.bad || after == nil {
		return errBody
	}
	i.After = *after
	return nil
}

// packIDs and unpackIDs keep ids as bytes, 16 each.
func packIDs(list []uuid.UUID) []byte {
	b := make([]byte, 0, 16*len(list))
	for _, u := range list {
		b = append(b, u[:]...)
	}
	return b
}

func unpackIDs(b []byte) (list []uuid.UUID) {
	for ; len(b) >= 16; b = b[16:] {
		list = append(list, uuid.UUID(b[:16]))
	}
	return list
}
