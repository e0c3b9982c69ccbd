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
	"os"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/state"
)

// Writer is a planner.Sink that keeps each segment in a temporary file until Finish puts them together. Not safe
// for concurrent use.
type Writer struct {
	dir      string
	segments []*segment
	skipped  *spool
}

type segment struct {
	kind    planner.SegmentKind
	wave    string
	shapes  []planner.Shape
	index   map[string]int // by JSON of the shape
	last    planner.Shape  // the shape of the user before: neighbours are mostly alike
	lastKey int
	users   int64
	spool   *spool
	dropped bool
}

// NewWriter returns a Writer whose temporary files lie in dir ("": the system's). Close removes them.
func NewWriter(dir string) *Writer { return &Writer{dir: dir} }

// Segment opens a segment.
func (w *Writer) Segment(kind planner.SegmentKind, wave string) int {
	w.segments = append(w.segments, &segment{kind: kind, wave: wave, index: map[string]int{}, lastKey: -1})
	return len(w.segments) - 1
}

// Add appends a user's change to a segment; users come in the order of tenant id, user id. c.Shape is filled in here.
func (w *Writer) Add(n int, shape planner.Shape, c planner.UserChange) error {
	s := w.segments[n]
	if s.spool == nil {
		var err error
		if s.spool, err = newSpool(w.dir); err != nil {
			return err
		}
	}
	i, err := s.shape(shape)
	if err != nil {
		return err
	}
	var row [16 + 16 + 2*binary.MaxVarintLen64 + 16]byte
	copy(row[:], c.User[:])
	copy(row[16:], c.Before[:])
	end := 32 + binary.PutUvarint(row[32:], uint64(i))
	if s.kind == planner.SegmentRestore {
		end += binary.PutUvarint(row[end:], uint64(c.Record))
	}
	if shape.Act == state.PersonAdopt {
		end += copy(row[end:], c.Person[:])
	}
	s.users++
	return s.spool.write(row[:end])
}

func (s *segment) shape(shape planner.Shape) (int, error) {
	if s.lastKey >= 0 && shape.Equal(&s.last) {
		return s.lastKey, nil
	}
	key, err := json.Marshal(shape)
	if err != nil {
		return 0, err
	}
	i, ok := s.index[string(key)]
	if !ok {
		i = len(s.shapes)
		s.index[string(key)] = i
		s.shapes = append(s.shapes, shape)
	}
	s.last, s.lastKey = shape, i
	return i, nil
}

// Drop forgets the changes of a segment.
func (w *Writer) Drop(n int) error {
	s := w.segments[n]
	s.dropped = true
	s.shapes, s.index = nil, nil
	return s.spool.close()
}

// Skip lists a user who is not moved.
func (w *Writer) Skip(user uuid.UUID, reason planner.SkipReason) error {
	if w.skipped == nil {
		var err error
		if w.skipped, err = newSpool(w.dir); err != nil {
			return err
		}
	}
	return w.skipped.write(append(user[:], byte(reason)))
}

// Finish writes the plan file to out and returns the plan ID. It sets p.Segments to those that hold users, in the
// order in which they were opened.
func (w *Writer) Finish(out io.Writer, p *planner.Plan) (state.Hash, error) {
	p.Segments = nil
	var kept []*segment
	for _, s := range w.segments {
		if !s.dropped && s.users > 0 {
			kept = append(kept, s)
			p.Segments = append(p.Segments, planner.Segment{Kind: s.kind, Wave: s.wave, Users: s.users})
		}
	}
	f := &fileWriter{w: bufio.NewWriterSize(out, 1<<16)}
	f.raw([]byte(magic))
	f.json(kindEffects, p)
	for _, s := range kept {
		f.packed(kindShapes, s.shapes)
		f.spool(kindUsers, s.spool)
	}
	f.spool(kindSkipped, w.skipped)
	f.json(kindAnalysis, &p.Analysis)
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
	var errs []error
	for _, s := range w.segments {
		errs = append(errs, s.spool.close())
	}
	return errors.Join(append(errs, w.skipped.close())...)
}

// fileWriter writes sections; the first error sticks.
type fileWriter struct {
	w     *bufio.Writer
	ident identity
	err   error
}

func (f *fileWriter) raw(b []byte) {
	if f.err == nil {
		_, f.err = f.w.Write(b)
	}
}

func (f *fileWriter) json(kind byte, v any) {
	b, err := json.Marshal(v)
	if err != nil && f.err == nil {
		f.err = err
	}
	f.bytes(kind, b)
}

// packed writes JSON that repeats itself much, deflated.
func (f *fileWriter) packed(kind byte, v any) {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		err = json.NewEncoder(z).Encode(v)
	}
	if err == nil {
		err = z.Close()
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
	f.end(kind, h)
}

func (f *fileWriter) spool(kind byte, s *spool) {
	r, n, err := s.reader()
	if err != nil && f.err == nil {
		f.err = err
	}
	h := f.begin(kind, n)
	if f.err == nil {
		_, f.err = io.Copy(io.MultiWriter(f.w, h), r)
	}
	f.end(kind, h)
}

func (f *fileWriter) begin(kind byte, n int64) hash.Hash {
	b := head(kind, n)
	f.raw(b)
	h := sha256.New()
	h.Write(b)
	return h
}

func (f *fileWriter) end(kind byte, h hash.Hash) {
	sum := h.Sum(nil)
	f.raw(sum)
	f.ident.add(kind, sum)
}

// spool is a temporary file that is written once and read once. A nil spool is empty.
type spool struct {
	f *os.File
	w *bufio.Writer
	n int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "anthill-plan-*")
	if err != nil {
		return nil, err
	}
	// Unlinked at once where the system allows it: nothing is left behind even after kill -9.
	_ = os.Remove(f.Name())
	return &spool{f: f, w: bufio.NewWriterSize(f, 1<<15)}, nil
}

func (s *spool) write(b []byte) error {
	s.n += int64(len(b))
	_, err := s.w.Write(b)
	return err
}

func (s *spool) reader() (io.Reader, int64, error) {
	if s == nil {
		return eof{}, 0, nil
	}
	if err := s.w.Flush(); err != nil {
		return eof{}, 0, err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return eof{}, 0, err
	}
	return bufio.NewReaderSize(s.f, 1<<16), s.n, nil
}

func (s *spool) close() error {
	if s == nil || s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	name := f.Name()
	err := f.Close()
	_ = os.Remove(name) // where an open file cannot be unlinked
	return err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
