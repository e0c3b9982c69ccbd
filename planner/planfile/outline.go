package planfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"anthill/planner/plan"
)

// Begun reads from a stored plan what its run is to do in all: its effects, but for objects and users, which are not read. Only what it
// returns is verified. For who looks how far a run is; who carries one out opens the whole file.
func Begun(r io.Reader) (*plan.Effects, error) {
	e := &plan.Effects{}
	in := bufio.NewReader(r)
	if err := skipMagic(in); err != nil {
		return nil, err
	}
	s, err := nextOf(in, kindEffects)
	if err != nil {
		return nil, err
	}
	if s.kind != kindEffects || s.decode(e) != nil {
		return nil, errDamaged
	}
	return e, nil
}

// Reported reads from a stored plan what its readers were told. Only that is verified.
func Reported(r io.Reader) (*plan.Context, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	if err := skipMagic(in); err != nil {
		return nil, err
	}
	for {
		s, err := nextOf(in, kindContext)
		switch {
		case err != nil:
			return nil, err
		case s.kind == kindTrailer:
			return nil, errDamaged
		case s.kind != kindContext:
			continue
		}
		c := &plan.Context{}
		if s.decode(c) != nil {
			return nil, errDamaged
		}
		return c, nil
	}
}

func skipMagic(in io.Reader) error {
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(in, start); err != nil {
		return errCut
	}
	if string(start) != magic {
		return errFormat
	}
	return nil
}

// nextOf reads the next section, and its body where it is of a kind; the others are passed over.
func nextOf(in io.Reader, kind byte) (*section, error) {
	hd := make([]byte, headLen)
	if _, err := io.ReadFull(in, hd); err != nil {
		return nil, errCut
	}
	s := &section{kind: hd[0], part: part{n: int64(binary.BigEndian.Uint64(hd[1:]))}}
	if s.n < 0 {
		return nil, errDamaged
	}
	if s.kind != kind {
		if _, err := io.CopyN(io.Discard, in, s.n+sha256.Size); err != nil {
			return nil, errCut
		}
		return s, nil
	}
	var body bytes.Buffer
	sum, want := sha256.New(), make([]byte, sha256.Size)
	sum.Write(hd)
	if _, err := io.CopyN(io.MultiWriter(sum, &body), in, s.n); err != nil {
		return nil, errCut
	}
	if _, err := io.ReadFull(in, want); err != nil {
		return nil, errCut
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return nil, errDamaged
	}
	s.body = body.Bytes()
	return s, nil
}
