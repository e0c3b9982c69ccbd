package planfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"anthill/planner/plan"
	"anthill/state"
)

const maxJSON = 1 << 30 // bytes of one section, inflated

// section is one that was read, and whose sum is right.
type section struct {
	kind byte
	part
	held [sha256.Size]byte // its own sum; once it is decoded, that of its JSON
	body []byte            // nil for what may be large: users and skipped
}

// verify reads the whole file: the sums of all sections, plan ID and seal, what is kept in memory, and the figures of
// its users, counted row by row.
func (f *File) verify() error {
	sealed := make(chan state.Hash, 1)
	// Beside the sections' own sums: it is half of that work.
	go func() { sealed <- f.sum() }()
	f.effects = &plan.Effects{}
	var objects []plan.ObjectChange
	// What is most of the text is decoded while the rest is read.
	var early errgroup.Group
	sections, err := f.sections(func(s *section) {
		switch s.kind {
		case kindEffects:
			early.Go(func() error { return s.decode(f.effects) })
		case kindObjects:
			early.Go(func() (err error) {
				var brief []briefObject
				if err = s.decode(&brief); err == nil {
					objects, err = fullObjects(brief)
				}
				return err
			})
		}
	})
	damaged := early.Wait()
	f.seal = <-sealed
	if err != nil {
		return err
	}
	f.effects.Objects = objects
	if damaged != nil || !f.effects.Sound() || f.take(sections[2:]) != nil || !f.identify(sections) {
		return errDamaged
	}
	f.last = f.basis.Last
	return nil
}

// identify finds the plan ID and says whether the trailer has the same.
func (f *File) identify(sections []*section) bool {
	var ident identity
	for _, s := range sections {
		ident.add(s.kind, s.held)
	}
	f.id = ident.id()
	return bytes.Equal(sections[len(sections)-1].body, f.id[:])
}

// sum is the SHA-256 of the whole file; what cannot be read is told by who reads the sections.
func (f *File) sum() (h state.Hash) {
	all := sha256.New()
	_, _ = io.Copy(all, io.NewSectionReader(f.f, 0, f.size))
	all.Sum(h[:0])
	return h
}

// sections reads all sections in the order in which they are written, and hands each to found when its sum is right.
func (f *File) sections(found func(*section)) ([]*section, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(f.f, 0, f.size), 1<<16)
	start := make([]byte, len(magic))
	if n, err := io.ReadFull(in, start); err != nil || string(start) != magic {
		switch {
		case n > 0 && n < len(magic) && strings.HasPrefix(magic, string(start[:n])):
			return nil, errCut
		case strings.HasPrefix(string(start[:n]), magicAny):
			return nil, errFormat
		}
		return nil, errNoPlan
	}
	var list []*section
	var kinds []byte
	for at := int64(len(magic)); ; {
		s, err := f.section(in, at)
		if err != nil {
			return nil, err
		}
		// The first two are decoded meanwhile: another one of them must not come later.
		if i := strings.IndexByte(string([]byte{kindEffects, kindObjects}), s.kind); i >= 0 && i != len(list) {
			return nil, errDamaged
		}
		found(s)
		at = s.at + s.n + sha256.Size
		list, kinds = append(list, s), append(kinds, s.kind)
		if s.kind != kindTrailer {
			continue
		}
		if at != f.size || !inOrder(kinds) {
			return nil, errDamaged
		}
		return list, nil
	}
}

// inOrder says whether the kinds of a file's sections stand as they are written: EOSUSUBKCT.
func inOrder(kinds []byte) bool {
	rest, ok := bytes.CutPrefix(kinds, []byte{kindEffects, kindObjects})
	for segment := []byte{kindShapes, kindUsers}; bytes.HasPrefix(rest, segment); {
		rest = rest[len(segment):]
	}
	return ok && bytes.Equal(rest, []byte{kindBasis, kindSkipped, kindContext, kindTrailer})
}

func (f *File) section(in *bufio.Reader, at int64) (s *section, err error) {
	hd := make([]byte, headLen)
	if _, err := io.ReadFull(in, hd); err != nil {
		return s, errCut
	}
	s = &section{kind: hd[0], part: part{at: at + headLen, n: int64(binary.BigEndian.Uint64(hd[1:]))}}
	if s.n < 0 || s.n > f.size-s.at-sha256.Size {
		return s, errCut
	}
	sum := sha256.New()
	sum.Write(hd)
	if s.kind == kindUsers || s.kind == kindSkipped {
		_, err = io.CopyN(sum, in, s.n)
	} else {
		var body bytes.Buffer
		body.Grow(int(min(s.n, 1<<20)))
		_, err = io.CopyN(io.MultiWriter(sum, &body), in, s.n)
		s.body = body.Bytes()
	}
	want := make([]byte, sha256.Size)
	if err == nil {
		_, err = io.ReadFull(in, want)
	}
	switch {
	case err != nil:
		return s, errCut
	case !bytes.Equal(sum.Sum(nil), want):
		return s, errDamaged
	}
	s.held = [sha256.Size]byte(want)
	return s, nil
}

// decode reads the JSON of a section into v, and puts the sum of the JSON in place of that of the section: the plan ID is
// made of these, so identify comes after all decoding.
func (s *section) decode(v any) error {
	var text bytes.Buffer
	text.Grow(8 * len(s.body)) // about what it comes to
	if _, err := io.Copy(&text, io.LimitReader(flate.NewReader(bytes.NewReader(s.body)), maxJSON)); err != nil {
		return err
	}
	s.held, s.body = sha256.Sum256(text.Bytes()), nil
	return json.Unmarshal(text.Bytes(), v)
}

// take keeps what the sections behind the effects hold.
func (f *File) take(sections []*section) (err error) {
	for _, s := range sections {
		switch s.kind {
		case kindShapes:
			var brief briefShapes
			var shapes []plan.Shape
			if err = s.decode(&brief); err == nil {
				shapes, err = brief.full()
			}
			f.shapes = append(f.shapes, shapes)
		case kindUsers:
			f.segments = append(f.segments, s.part)
		case kindBasis:
			err = s.decode(&f.basis)
		case kindSkipped:
			err = f.takeSkipped(s.part)
		case kindContext:
			err = s.decode(&f.context)
		}
		if err != nil {
			return err
		}
	}
	return f.count()
}

// count counts the users of each segment by shape: each must be one that its effects can be.
func (f *File) count() error {
	if len(f.segments) != len(f.effects.Segments) {
		return errDamaged
	}
	for i, s := range f.effects.Segments {
		counted := make([]plan.Counted, len(f.shapes[i]))
		for k, shape := range f.shapes[i] {
			if !f.effects.Names(shape) || !shape.Fits(s.Kind) || !f.effects.Writes(shape, s) || f.effects.PostgresOnly() && !shape.RowOnly() {
				return errDamaged
			}
			counted[k].Shape = shape
		}
		rows := f.rows(i)
		var users int64
		for {
			c, err := rows.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			counted[c.Shape].Users++
			users++
		}
		if users != s.Users {
			return errDamaged
		}
		f.counted = append(f.counted, counted)
	}
	return nil
}
