package planfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/state"
)

// FormatError says why a file is no plan that this program can use.
type FormatError struct {
	Newer  bool   // written in a format that this version does not know
	Reason string // "is not a plan file", "is cut off", "is damaged", ...
}

func (e *FormatError) Error() string { return "the plan file " + e.Reason }

var (
	errNoPlan  = &FormatError{Reason: "is not a plan file: it does not begin like one (anthill plan -out FILE writes them)"}
	errCut     = &FormatError{Reason: "is cut off: its end is missing; make the plan again, or copy the file again"}
	errDamaged = &FormatError{Reason: "is damaged: its contents do not match their checksums; make the plan again, or copy the file again"}
)

const maxJSON = 1 << 30 // of one section; more is a damaged length

// Reader is an opened, wholly verified plan file. Its streams may be used one at a time.
type Reader struct {
	f        io.ReaderAt
	closer   io.Closer
	size     int64
	id       state.Hash
	plan     *planner.Plan
	segments []part // users
	shapes   [][]planner.Shape
	skipped  part
}

type part struct{ at, n int64 }

// Open opens and verifies the plan file at path. *FormatError when it is not one, cut off, damaged or newer.
func Open(path string) (*Reader, error) {
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
	r := &Reader{f: f, closer: f, size: info.Size()}
	if err := r.verify(); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// verify reads the whole file once: the sums of all sections, the plan ID, and what is kept in memory.
func (r *Reader) verify() error {
	in := bufio.NewReaderSize(io.NewSectionReader(r.f, 0, r.size), 1<<16)
	start := make([]byte, len(magic))
	if n, err := io.ReadFull(in, start); err != nil || string(start) != magic {
		switch {
		case strings.HasPrefix(string(start[:n]), magicAny):
			return &FormatError{Newer: true, Reason: "has a format that this version of Anthill does not know: make it again with this version, or use the version that made it"}
		case n > 0 && n < len(magic) && strings.HasPrefix(magic, string(start[:n])):
			return errCut
		}
		return errNoPlan
	}
	v := verifier{r: r, in: in, at: int64(len(magic))}
	for !v.done {
		if err := v.section(); err != nil {
			return err
		}
	}
	if v.at != r.size || r.plan == nil || len(r.segments) != len(r.plan.Segments) || len(r.shapes) != len(r.segments) {
		return errDamaged
	}
	return nil
}

type verifier struct {
	r     *Reader
	in    *bufio.Reader
	at    int64
	ident identity
	done  bool
}

func (v *verifier) section() error {
	hd := make([]byte, headLen)
	if _, err := io.ReadFull(v.in, hd); err != nil {
		return errCut
	}
	kind, n := hd[0], int64(binary.BigEndian.Uint64(hd[1:]))
	v.at += headLen
	if n < 0 || n > v.r.size-v.at-sha256.Size {
		return errCut
	}
	h := sha256.New()
	h.Write(hd)
	var body []byte
	dest := io.Writer(h)
	if kind != kindUsers && kind != kindSkipped {
		if n > maxJSON {
			return errDamaged
		}
		buf := bytes.NewBuffer(make([]byte, 0, min(n, 1<<20)))
		if _, err := io.CopyN(io.MultiWriter(h, buf), v.in, n); err != nil {
			return errCut
		}
		body = buf.Bytes()
	} else if _, err := io.CopyN(dest, v.in, n); err != nil {
		return errCut
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(v.in, want); err != nil {
		return errCut
	}
	if !bytes.Equal(h.Sum(nil), want) {
		return errDamaged
	}
	p := part{at: v.at, n: n}
	v.at += n + sha256.Size
	if kind == kindTrailer {
		v.done = true
		v.r.id = v.ident.id()
		if !bytes.Equal(body, v.r.id[:]) {
			return errDamaged
		}
		return nil
	}
	v.ident.add(kind, want)
	if err := v.take(kind, body, p); err != nil {
		return errDamaged
	}
	return nil
}

func (v *verifier) take(kind byte, body []byte, p part) error {
	r := v.r
	switch kind {
	case kindEffects:
		r.plan = &planner.Plan{}
		return json.Unmarshal(body, r.plan)
	case kindShapes:
		var s []planner.Shape
		if err := json.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(body)), maxJSON)).Decode(&s); err != nil {
			return err
		}
		r.shapes = append(r.shapes, s)
	case kindUsers:
		r.segments = append(r.segments, p)
	case kindSkipped:
		r.skipped = p
	case kindAnalysis:
		if r.plan == nil {
			return errDamaged
		}
		return json.Unmarshal(body, &r.plan.Analysis)
	default:
		return errDamaged
	}
	return nil
}

// ID is the plan ID.
func (r *Reader) ID() state.Hash { return r.id }

// Plan is the plan but its users, Analysis included. It is shared: do not change it.
func (r *Reader) Plan() *planner.Plan { return r.plan }

// Shapes is the table of a segment's shapes, shared as well.
func (r *Reader) Shapes(segment int) []planner.Shape { return r.shapes[segment] }

// Users streams the changes of a segment from the given offset, counted in users.
func (r *Reader) Users(segment int, from int64) iter.Seq2[planner.UserChange, error] {
	return func(yield func(planner.UserChange, error) bool) {
		p := r.segments[segment]
		restores := r.plan.Segments[segment].Kind == planner.SegmentRestore
		in := bufio.NewReaderSize(io.NewSectionReader(r.f, p.at, p.n), 1<<16)
		for n := int64(0); ; n++ {
			c, err := readUser(in, restores, r.shapes[segment])
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && (c.Shape < 0 || c.Shape >= len(r.shapes[segment])) {
				err = errDamaged
			}
			if err != nil {
				yield(planner.UserChange{}, fmt.Errorf("read plan: %w", err))
				return
			}
			if n >= from && !yield(c, nil) {
				return
			}
		}
	}
}

func readUser(in *bufio.Reader, restores bool, shapes []planner.Shape) (planner.UserChange, error) {
	var c planner.UserChange
	var fixed [32]byte
	if _, err := io.ReadFull(in, fixed[:]); err != nil {
		return c, err
	}
	copy(c.User[:], fixed[:16])
	copy(c.Before[:], fixed[16:])
	shape, err := binary.ReadUvarint(in)
	if err != nil {
		return c, errDamaged
	}
	c.Shape = int(shape)
	if restores {
		rec, err := binary.ReadUvarint(in)
		if err != nil {
			return c, errDamaged
		}
		c.Record = int64(rec)
	}
	if c.Shape >= 0 && c.Shape < len(shapes) && shapes[c.Shape].Act == state.PersonAdopt {
		if _, err := io.ReadFull(in, c.Person[:]); err != nil {
			return c, errDamaged
		}
	}
	return c, nil
}

// SkippedUser is a user who is not moved.
type SkippedUser struct {
	User   uuid.UUID
	Reason planner.SkipReason
}

// Skipped streams the users who are not moved, in the order of tenant id, user id.
func (r *Reader) Skipped() iter.Seq2[SkippedUser, error] {
	return func(yield func(SkippedUser, error) bool) {
		in := bufio.NewReader(io.NewSectionReader(r.f, r.skipped.at, r.skipped.n))
		var row [17]byte
		for {
			if _, err := io.ReadFull(in, row[:]); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(SkippedUser{}, fmt.Errorf("read plan: %w", err))
				return
			}
			s := SkippedUser{Reason: planner.SkipReason(row[16])}
			copy(s.User[:], row[:16])
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Bytes is the file itself from its start.
func (r *Reader) Bytes() io.Reader { return io.NewSectionReader(r.f, 0, r.size) }

// Close closes the file.
func (r *Reader) Close() error { return r.closer.Close() }
