package book

import (
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"anthill/state"
)

const (
	// maxParts is how many parts of a body are looked through for one that is there already.
	maxParts = 64
	// usualParts is how many a body hardly ever exceeds.
	usualParts = 20
)

// encoder writes numbers, and parts, which are ids and texts. Most parts of a body occur more than once (the person,
// the groups, the wave): each is written where it is first met, and is a reference of one byte from then on.
type encoder struct {
	b     []byte
	parts []span
}

// span is where in a body a part is.
type span struct{ from, to int }

func (e *encoder) num(n int64) { e.b = binary.AppendVarint(e.b, n) }

// part writes 0 for an empty part, the length and the bytes of a new one, and -n for the n-th of the body, from 1.
func (e *encoder) part(p []byte) {
	if len(p) == 0 {
		e.num(0)
		return
	}
	for n, s := range e.parts {
		if string(e.b[s.from:s.to]) == string(p) {
			e.num(-int64(n) - 1)
			return
		}
	}
	e.num(int64(len(p)))
	e.b = append(e.b, p...)
	// The first ones, so that their numbers are those of all parts.
	if len(e.parts) < maxParts {
		e.parts = append(e.parts, span{len(e.b) - len(p), len(e.b)})
	}
}

func (e *encoder) text(s string) { e.part([]byte(s)) }

// code writes the stable text of a closed set.
func (e *encoder) code(v fmt.Stringer) { e.text(v.String()) }

// id writes an id; the zero one is an empty part.
func (e *encoder) id(u uuid.UUID) {
	if u == uuid.Nil {
		e.num(0)
		return
	}
	e.part(u[:])
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

func (e *encoder) present(yes bool) {
	if yes {
		e.num(1)
	} else {
		e.num(0)
	}
}

// switches writes the names of those that are on.
func (e *encoder) switches(list []state.Switch) {
	var on int64
	for _, s := range list {
		if *s.On {
			on++
		}
	}
	e.num(on)
	for _, s := range list {
		if *s.On {
			e.text(s.Name)
		}
	}
}

// decoder reads what encoder wrote. The first error sticks, and everything is zero from then on.
type decoder struct {
	version int64
	b       []byte
	parts   [][]byte
	err     error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) num() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail(errDamaged)
		return 0
	}
	d.b = d.b[size:]
	return n
}

// part is a slice of the body.
func (d *decoder) part() []byte {
	n := d.num()
	switch {
	case n == 0:
		return nil
	case n > int64(len(d.b)), n < -int64(len(d.parts)):
		d.fail(errDamaged)
		return nil
	case n < 0:
		return d.parts[-n-1]
	}
	p := d.b[:n]
	d.b = d.b[n:]
	d.parts = append(d.parts, p)
	return p
}

func (d *decoder) text() string { return string(d.part()) }

func (d *decoder) code(to encoding.TextUnmarshaler) {
	p := d.part()
	if d.err == nil && to.UnmarshalText(p) != nil {
		d.fail(newer("code", p))
	}
}

func (d *decoder) id() (u uuid.UUID) {
	if p := d.part(); len(p) == len(u) {
		copy(u[:], p)
	} else if len(p) > 0 {
		d.fail(errDamaged)
	}
	return u
}

// count is the length of a list; each of its members takes a byte or more.
func (d *decoder) count() int {
	n := d.num()
	if n < 0 || n > int64(len(d.b)) {
		d.fail(errDamaged)
		return 0
	}
	return int(n)
}

func (d *decoder) ids() (list []uuid.UUID) {
	if n := d.count(); n > 0 {
		list = make([]uuid.UUID, n)
	}
	for i := range list {
		list[i] = d.id()
	}
	return list
}

func (d *decoder) texts() (list []string) {
	for range d.count() {
		list = append(list, d.text())
	}
	return list
}

func (d *decoder) present() bool {
	n := d.num()
	if n != 0 && n != 1 {
		d.fail(errDamaged)
	}
	return n == 1
}

// switches sets all of list: on where its name is there.
func (d *decoder) switches(list []state.Switch) {
	for _, s := range list {
		*s.On = false
	}
	for range d.count() {
		name := d.part()
		if d.err == nil && !turnOn(list, name) {
			d.fail(newer("switch", name))
		}
	}
}

func turnOn(list []state.Switch, name []byte) bool {
	for _, s := range list {
		if s.Name == string(name) {
			*s.On = true
			return true
		}
	}
	return false
}

// PackIDs keeps ids as bytes, 16 each.
func PackIDs(list []uuid.UUID) []byte {
	b := make([]byte, 0, 16*len(list))
	for _, u := range list {
		b = append(b, u[:]...)
	}
	return b
}

// UnpackIDs is the inverse of PackIDs, nil for none. Bytes behind the last whole id are left out.
func UnpackIDs(b []byte) (list []uuid.UUID) {
	for ; len(b) >= 16; b = b[16:] {
		list = append(list, uuid.UUID(b[:16]))
	}
	return list
}
