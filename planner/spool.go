package planner

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"

	"anthill/state"
)

// entry is what the join keeps of one user until all names and addresses are known: nothing personal, about 80
// bytes. Row is false where the row is gone (then the user is recorded), Rec is false where nothing is recorded.
type entry struct {
	User     uuid.UUID
	Tenant   int // index into the tenants; -1: unknown
	Row, Rec bool

	// of the row
	Role       int        // index into the roles met
	Status     SkipReason // excluded, inactive, suspended, or 0
	Problem    SkipReason // of address or name, or 0
	Deleted    bool
	Password   bool
	Completed  bool
	Verified   bool
	Link       uuid.UUID
	Method     state.Method
	Own        bool // Person exists in the directory
	OwnOurs    bool // and is ours by its id
	Expired    bool
	Person     uuid.UUID // the user's own person: linked, recorded or to be made
	Generation int       // of Person where it is ours or to be made
	Name       uint64    // hash of the name to be made; 0 with Own
	Mail       uint64
	Digest     state.Digest
	Inactive   bool      // the row is suspended, inactive or deleted (L27)
	Differs    bool      // the address of the user's own person is not the row's (L26)
	Adopt      uuid.UUID // a person who holds the verified address and may be taken over

	// of the record
	Standing  state.Standing
	Wave      int // index into the waves recorded
	Policy    int
	RecPerson uuid.UUID
	Ours      bool
	LinkOurs  bool
	RecTenant uuid.UUID
	Away      bool
	Groups    []uuid.UUID
}

const (
	bitRow = 1 << iota
	bitRec
	bitDeleted
	bitPassword
	bitCompleted
	bitOwn
	bitOwnOurs
	bitExpired
	bitOurs
	bitLinkOurs
	bitVerified
	bitLink
	bitInactive
	bitDiffers
	bitAway
	bitAdopt
)

func (e *entry) bits() uint64 {
	var b uint64
	for i, on := range []bool{e.Row, e.Rec, e.Deleted, e.Password, e.Completed, e.Own, e.OwnOurs, e.Expired, e.Ours, e.LinkOurs, e.Verified, e.Link != uuid.Nil,
		e.Inactive, e.Differs, e.Away, e.Adopt != uuid.Nil} {
		if on {
			b |= 1 << i
		}
	}
	return b
}

func (e *entry) setBits(b uint64) {
	var link bool // told by the id itself
	for i, on := range []*bool{&e.Row, &e.Rec, &e.Deleted, &e.Password, &e.Completed, &e.Own, &e.OwnOurs, &e.Expired, &e.Ours, &e.LinkOurs, &e.Verified, &link,
		&e.Inactive, &e.Differs, &e.Away} {
		*on = b&(1<<i) != 0
	}
}

// spool is a temporary file of entries, written once and read once.
type spool struct {
	f   *os.File
	w   *bufio.Writer
	buf []byte
	n   int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "anthill-spool-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // nothing is left behind, even after kill -9, where the system allows it
	return &spool{f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (s *spool) close() {
	name := s.f.Name()
	s.f.Close()
	_ = os.Remove(name)
}

func (s *spool) write(e *entry) error {
	b := s.buf[:0]
	bits := e.bits()
	b = binary.AppendUvarint(b, bits)
	b = append(b, e.User[:]...)
	b = binary.AppendVarint(b, int64(e.Tenant))
	b = append(b, byte(e.Status), byte(e.Problem), byte(e.Method), byte(e.Standing))
	b = binary.AppendUvarint(b, uint64(e.Role))
	b = binary.AppendUvarint(b, uint64(e.Generation))
	b = append(b, e.Person[:]...)
	if bits&bitRow != 0 {
		if bits&bitLink != 0 {
			b = append(b, e.Link[:]...)
		}
		b = binary.BigEndian.AppendUint64(b, e.Name)
		b = binary.BigEndian.AppendUint64(b, e.Mail)
		b = append(b, e.Digest[:]...)
		if bits&bitAdopt != 0 {
			b = append(b, e.Adopt[:]...)
		}
	}
	if bits&bitRec != 0 {
		b = binary.AppendUvarint(b, uint64(e.Wave))
		b = binary.AppendUvarint(b, uint64(e.Policy))
		b = append(b, e.RecPerson[:]...)
		b = append(b, e.RecTenant[:]...)
		b = binary.AppendUvarint(b, uint64(len(e.Groups)))
		for _, g := range e.Groups {
			b = append(b, g[:]...)
		}
	}
	s.buf = b
	s.n++
	_, err := s.w.Write(b)
	return err
}

// read calls f with every entry in the order of writing. The entry is reused.
func (s *spool) read(f func(*entry) error) error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	d := decoder{r: bufio.NewReaderSize(s.f, 1<<16)}
	var e entry
	for range s.n {
		d.entry(&e)
		if d.err != nil {
			return fmt.Errorf("spool: %w", d.err)
		}
		if err := f(&e); err != nil {
			return err
		}
	}
	return nil
}

// decoder reads fields; the first error sticks.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) bytes(b []byte) {
	if d.err == nil {
		_, d.err = io.ReadFull(d.r, b)
	}
}

func (d *decoder) uvarint() uint64 {
	v, err := binary.ReadUvarint(d.r)
	if d.err == nil {
		d.err = err
	}
	return v
}

func (d *decoder) u64() uint64 {
	var b [8]byte
	d.bytes(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (d *decoder) entry(e *entry) {
	*e = entry{Groups: e.Groups[:0]}
	bits := d.uvarint()
	e.setBits(bits)
	d.bytes(e.User[:])
	t, err := binary.ReadVarint(d.r)
	if d.err == nil {
		d.err = err
	}
	e.Tenant = int(t)
	var small [4]byte
	d.bytes(small[:])
	e.Status, e.Problem, e.Method, e.Standing = SkipReason(small[0]), SkipReason(small[1]), state.Method(small[2]), state.Standing(small[3])
	e.Role = int(d.uvarint())
	e.Generation = int(d.uvarint())
	d.bytes(e.Person[:])
	if e.Row {
		if bits&bitLink != 0 {
			d.bytes(e.Link[:])
		}
		e.Name, e.Mail = d.u64(), d.u64()
		d.bytes(e.Digest[:])
		if bits&bitAdopt != 0 {
			d.bytes(e.Adopt[:])
		}
	}
	if e.Rec {
		e.Wave, e.Policy = int(d.uvarint()), int(d.uvarint())
		d.bytes(e.RecPerson[:])
		d.bytes(e.RecTenant[:])
		for range d.uvarint() {
			var g uuid.UUID
			d.bytes(g[:])
			if d.err != nil {
				return
			}
			e.Groups = append(e.Groups, g)
		}
	}
}
