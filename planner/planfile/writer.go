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
	"hash"
	"io"

	"anthill/internal/spool"
	"anthill/planner/plan"
	"anthill/state"
)

// Writer is a plan.Sink that keeps each segment in a temporary file until Finish puts them together. Not safe
// for concurrent use.
type Writer struct {
	dir      string
	segments []*segment
	skipped  *spool.Spool // nil: nobody yet
	head     skippedHead
}

type segment struct {
	kind    plan.SegmentKind
	wave    string
	shapes  []plan.Counted
	index   map[plan.Shape]int
	last    int // the shape of the user before, since neighbours are mostly alike
	users   int64
	rows    *spool.Spool // nil: nobody yet
	dropped bool
}

// NewWriter returns a Writer whose temporary files lie in dir ("": the system's). Close removes them.
func NewWriter(dir string) *Writer { return &Writer{dir: dir} }

// Segment opens a segment.
func (w *Writer) Segment(kind plan.SegmentKind, wave string) int {
	w.segments = append(w.segments, &segment{kind: kind, wave: wave, index: map[plan.Shape]int{}})
	return len(w.segments) - 1
}

// Add appends a user's change to a segment, with the number that its shape has there.
func (w *Writer) Add(n int, shape plan.Shape, c plan.UserChange) (err error) {
	s := w.segments[n]
	if s.rows == nil {
		if s.rows, err = spool.New(w.dir); err != nil {
			return err
		}
	}
	// Ids and digests as they are: they are random bits, on which compressing would waste time.
	i := s.shape(shape)
	var row [16 + 16 + 3*binary.MaxVarintLen64 + 16]byte
	copy(row[:], c.User[:])
	copy(row[16:], c.Before[:])
	end := 32 + binary.PutUvarint(row[32:], uint64(i))
	if s.kind == plan.SegmentRestore {
		end += binary.PutUvarint(row[end:], uint64(c.Record))
		if shape.Effect.Mail {
			end += binary.PutUvarint(row[end:], uint64(c.Mails))
		}
	}
	if shape.Effect.Act == state.PersonAdopt {
		end += copy(row[end:], c.Person[:])
	}
	s.users++
	_, err = s.rows.Write(row[:end])
	return err
}

// shape counts a user of a shape and returns its index.
func (s *segment) shape(shape plan.Shape) int {
	if s.last >= len(s.shapes) || s.shapes[s.last].Shape != shape {
		i, ok := s.index[shape]
		if !ok {
			i = len(s.shapes)
			s.index[shape] = i
			s.shapes = append(s.shapes, plan.Counted{Shape: shape})
		}
		s.last = i
	}
	s.shapes[s.last].Users++
	return s.last
}

// Shapes are those of a segment so far, with their users. The slice is the Writer's.
func (w *Writer) Shapes(n int) []plan.Counted { return w.segments[n].shapes }

// Drop forgets the changes of a segment.
func (w *Writer) Drop(n int) error {
	s := w.segments[n]
	s.dropped = true
	s.shapes, s.index = nil, nil
	return s.rows.Close()
}

// Skip lists a user who is not moved.
func (w *Writer) Skip(u plan.SkippedUser) (err error) {
	if w.skipped == nil {
		if w.skipped, err = spool.New(w.dir); err != nil {
			return err
		}
	}
	var row [skippedLen]byte
	copy(row[:], u.User[:])
	binary.BigEndian.PutUint16(row[idLen:], w.head.add(u))
	_, err = w.skipped.Write(row[:])
	return err
}

// Finish writes the plan file to out and returns the plan ID. It sets the segments of p to those that hold users, in
// the order in which they were opened, and numbers the groups and sets that their shapes name anew.
func (w *Writer) Finish(out io.Writer, p *plan.Plan) (state.Hash, error) {
	e := &p.Effects
	e.Segments = nil
	var kept []*segment
	var shapes [][]plan.Shape
	for _, s := range w.segments {
		if s.dropped || s.users == 0 {
			continue
		}
		kept = append(kept, s)
		e.Segments = append(e.Segments, plan.Segment{Kind: s.kind, Wave: s.wave, Users: s.users})
		list := make([]plan.Shape, len(s.shapes))
		for i, c := range s.shapes {
			list[i] = c.Shape
		}
		shapes = append(shapes, list)
	}
	// Only now is it known which segments stay, and so which groups, sets and tenants the plan must name.
	e.Renumber(shapes)
	f := &fileWriter{w: bufio.NewWriterSize(out, 1<<16)}
	f.raw([]byte(magic))
	head := *e
	head.Objects = nil
	f.json(kindEffects, head)
	f.json(kindObjects, briefObjects(e.Objects))
	for i, s := range kept {
		f.json(kindShapes, briefed(shapes[i]))
		f.spool(kindUsers, nil, s.rows)
	}
	f.json(kindBasis, &p.Basis)
	line, err := json.Marshal(w.head)
	if err != nil {
		return state.Hash{}, err
	}
	f.spool(kindSkipped, append(line, '\n'), w.skipped)
	f.json(kindContext, &p.Context)
	id := f.ident.id()
	f.bytes(kindTrailer, id[:])
	if f.err == nil {
		f.err = f.w.Flush()
	}
	if f.err != nil {
		return state.Hash{}, fmt.Errorf("write plan: %w", f.err)
	}
	return id, nil
}

// Close removes the temporary files.
func (w *Writer) Close() error {
	errs := []error{w.skipped.Close()}
	for _, s := range w.segments {
		errs = append(errs, s.rows.Close())
	}
	return errors.Join(errs...)
}

// fileWriter writes sections; the first error sticks.
type fileWriter struct {
	w       *bufio.Writer
	ident   identity
	deflate *flate.Writer // one for all sections, since it takes a megabyte; nil before the first
	err     error
}

func (f *fileWriter) raw(b []byte) {
	if f.err == nil {
		_, f.err = f.w.Write(b)
	}
}

// json writes JSON, deflated: it repeats itself much.
func (f *fileWriter) json(kind byte, v any) {
	text, err := json.Marshal(v)
	f.ident.add(kind, sha256.Sum256(text))
	var b bytes.Buffer
	if f.deflate == nil {
		var zErr error
		f.deflate, zErr = flate.NewWriter(&b, flate.BestSpeed)
		err = errors.Join(err, zErr)
	} else {
		f.deflate.Reset(&b)
	}
	if err == nil {
		_, err = f.deflate.Write(text)
		err = errors.Join(err, f.deflate.Close())
	}
	if err != nil && f.err == nil {
		f.err = err
	}
	f.bytes(kind, b.Bytes())
}

func (f *fileWriter) bytes(kind byte, b []byte) {
	h := f.begin(kind, int64(len(b)))
	h.Write(b)
	f.raw(b)
	f.end(h)
}

// spool writes what a spool holds behind a line of its own; nil holds nothing.
func (f *fileWriter) spool(kind byte, line []byte, s *spool.Spool) {
	if s == nil {
		f.bytes(kind, line)
		return
	}
	r, err := s.Reader()
	if err != nil && f.err == nil {
		f.err = err
	}
	h := f.begin(kind, int64(len(line))+s.Size())
	to := io.MultiWriter(f.w, h)
	if f.err == nil {
		_, err := to.Write(line)
		_, copyErr := io.Copy(to, r)
		f.err = errors.Join(err, copyErr)
	}
	f.ident.add(kind, f.end(h))
}

func (f *fileWriter) begin(kind byte, n int64) hash.Hash {
	b := head(kind, n)
	f.raw(b)
	h := sha256.New()
	h.Write(b)
	return h
}

// end writes a section's sum and returns it.
func (f *fileWriter) end(h hash.Hash) [sha256.Size]byte {
	sum := h.Sum(nil)
	f.raw(sum)
	return [sha256.Size]byte(sum)
}
