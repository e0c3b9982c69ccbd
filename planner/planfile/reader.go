package planfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"anthill/planner/plan"
	"anthill/state"
)

// FormatError says why a file is no plan that this program can use.
type FormatError struct {
	Newer  bool   // written in a format that this version does not know
	Reason string // "is not a plan file", "is cut off", "is damaged", ...
}

// Error does not name the file: whoever opened it knows its name.
func (e *FormatError) Error() string { return "the plan file " + e.Reason }

var (
	errNoPlan = &FormatError{Reason: "is not a plan file: it does not begin like one (anthill plan -out FILE " +
		"writes them)"}
	errCut     = &FormatError{Reason: "is cut off: its end is missing; make the plan again, or copy the file again"}
	errDamaged = &FormatError{Reason: "is damaged: its contents do not match their checksums or each other; make the plan again, " +
		"or copy the file again"}
	errFormat = &FormatError{
		Newer: true,
		Reason: "has a format that this version of Anthill does not know: make it again with this version, or use the " +
			"version that made it",
	}
)

// Reader is what apply sees of a plan file that was opened and verified as a whole. Its streams may be used one at a
// time.
type Reader struct {
	f        io.ReaderAt
	size     int64
	id, seal state.Hash
	effects  *plan.Effects
	last     plan.Moment
	segments []part // users
	shapes   [][]plan.Shape
}

// File is a plan file that was opened and verified as a whole, with what is only for its reader.
type File struct {
	Reader
	closer  io.Closer
	basis   plan.Basis
	context plan.Context
	counted [][]plan.Counted
	skipped skippedRows
}

type part struct{ at, n int64 }

// Open opens and verifies the plan file at path. The caller closes the File. Errors: *FormatError when the file is
// none, is cut off, is damaged or has another format; else what opening it says.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open plan: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoPlan
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	file := &File{Reader: Reader{f: f, size: info.Size()}, closer: f}
	if err := file.verify(); err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

// ID is the plan ID: the digest of all that apply decides by.
func (r *Reader) ID() state.Hash { return r.id }

// Seal is the digest of the whole file.
func (r *Reader) Seal() state.Hash { return r.seal }

// Effects are all that apply decides by, but for the changes of users. They are shared: do not change them.
func (r *Reader) Effects() *plan.Effects { return r.effects }

// Last is how far recorded runs had come when the plan was made. It is no effect: it tells the same file from a plan
// that was made again.
func (r *Reader) Last() plan.Moment { return r.last }

// Shapes is the table of a segment's shapes. It is shared too: do not change it.
func (r *Reader) Shapes(segment int) []plan.Shape { return r.shapes[segment] }

// Users streams the changes of a segment from the given offset, counted in users.
func (r *Reader) Users(segment int, from int64) iter.Seq2[plan.UserChange, error] {
	return func(yield func(plan.UserChange, error) bool) {
		rows := r.rows(segment)
		for n := int64(0); ; n++ {
			c, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(plan.UserChange{}, fmt.Errorf("read plan: %w", err))
				return
			}
			if n >= from && !yield(c, nil) {
				return
			}
		}
	}
}

// Bytes is the file itself from its start.
func (r *Reader) Bytes() io.Reader { return io.NewSectionReader(r.f, 0, r.size) }

// rows decodes the rows of a segment.
func (r *Reader) rows(segment int) *userRows {
	p := r.segments[segment]
	return &userRows{
		in:       bufio.NewReaderSize(io.NewSectionReader(r.f, p.at, p.n), 1<<16),
		restores: r.effects.Segments[segment].Kind == plan.SegmentRestore,
		shapes:   r.shapes[segment],
	}
}

// userRows decodes the rows of a segment.
type userRows struct {
	in       *bufio.Reader
	restores bool
	shapes   []plan.Shape
}

const idLen = 16

// next returns the next row; io.EOF behind the last one, errDamaged for what is none.
func (u *userRows) next() (c plan.UserChange, err error) {
	// The longest row there can be; what is left of the section may be shorter.
	b, err := u.in.Peek(2*idLen + 3*binary.MaxVarintLen64 + idLen)
	if len(b) == 0 && errors.Is(err, io.EOF) {
		return c, io.EOF
	}
	if len(b) < 2*idLen {
		return c, errDamaged
	}
	at := copy(c.User[:], b)
	at += copy(c.Before[:], b[at:])
	number := func() uint64 {
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			err = errDamaged
		}
		at += max(n, 0)
		return v
	}
	err = nil // a short last row is no error
	shape := number()
	if err != nil || shape >= uint64(len(u.shapes)) {
		return c, errDamaged
	}
	c.Shape = int(shape)
	effect := u.shapes[shape].Effect
	if u.restores {
		c.Record = int64(number())
		if effect.Mail {
			c.Mails = int64(number())
		}
		if c.Record <= 0 || c.Mails < 0 {
			err = errDamaged
		}
	}
	if effect.Act == state.PersonAdopt {
		n := copy(c.Person[:], b[at:])
		if at += n; n < idLen {
			err = errDamaged
		}
	}
	if err != nil {
		return c, err
	}
	_, err = u.in.Discard(at)
	return c, err
}

// Basis is what the plan was made from.
func (f *File) Basis() *plan.Basis { return &f.basis }

// Context is what only helps the plan's reader.
func (f *File) Context() *plan.Context { return &f.context }

// Counted are the shapes of a segment with the number of their users, counted in the file itself.
func (f *File) Counted(segment int) []plan.Counted { return f.counted[segment] }

// Close closes the file.
func (f *File) Close() error { return f.closer.Close() }
