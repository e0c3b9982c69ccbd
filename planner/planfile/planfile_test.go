package planfile_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

// TestRoundTrip: a file gives back what was written, all fields of all types.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b, id := full().write(t)
	f := mustOpen(t, b)
	if f.ID() != id {
		t.Errorf("ID %s, written as %s", f.ID(), id)
	}
	if diff := cmp.Diff(full(), read(t, f)); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if !f.Last().Equal(f.Basis().Last) {
		t.Errorf("last run %+v, in the basis %+v", f.Last(), f.Basis().Last)
	}
	var again bytes.Buffer
	if _, err := again.ReadFrom(f.Bytes()); err != nil || !bytes.Equal(again.Bytes(), b) {
		t.Errorf("Bytes is another file than the one that was opened: %v", err)
	}
}

// moving is a plan that moves users of two tenants: three of acme, one of them an administrator, and one of globex, who
// is taken over. Groups and tenants are more than it needs.
func moving() *whole {
	acme, globex := id(1), id(2)
	w := &whole{Skipped: []plan.SkippedUser{
		{User: id(20), Tenant: plan.Tenant{ID: acme, Slug: "acme"}, Wave: "pilot", Reason: plan.SkipInactive},
		{User: id(21), Tenant: plan.Tenant{ID: acme, Slug: "acme"}, Wave: "rest", Reason: plan.SkipInactive},
		{User: id(22), Tenant: plan.Tenant{ID: globex, Slug: "globex"}, Wave: "pilot", Reason: plan.SkipNoEmail},
	}}
	w.Plan.Effects = plan.Effects{
		Kind:    state.RunApply,
		Tenants: []plan.Tenant{{ID: acme, Slug: "acme"}, {ID: globex, Slug: "globex"}, {ID: id(3), Slug: "initech"}},
		Groups: []plan.Group{
			{ID: id(30), Name: "others", Tenant: id(3), Role: state.RoleAdmin},
			{ID: id(31), Name: "acme_users", Tenant: acme, Role: state.RoleMember},
			{ID: id(32), Name: "acme_admins", Tenant: acme, Role: state.RoleAdmin},
			{ID: id(33), Name: "globex_users", Tenant: globex, Role: state.RoleMember},
		},
		Sets:  [][]int{{}, {0}, {1}, {1, 2}, {3}},
		Waves: []plan.WaveEffect{{Name: "pilot"}},
	}
	made := state.Effect{Act: state.PersonCreate, Link: true, Method: state.MethodDual}
	row := func(n byte, s plan.Shape, tail plan.UserChange) user {
		tail.User, tail.Before = id(n), state.Digest{n}
		s.After = state.UserState{Standing: state.Moved, Wave: "pilot"}
		return user{s, tail}
	}
	w.Segments = []segment{{Kind: plan.SegmentMove, Wave: "pilot", Users: []user{
		row(10, plan.Shape{Tenant: acme, Effect: made, Join: 3}, plan.UserChange{}),
		row(11, plan.Shape{Tenant: acme, Effect: made, Join: 2}, plan.UserChange{}),
		row(12, plan.Shape{Tenant: acme, Effect: made, Join: 2}, plan.UserChange{}),
		row(13, plan.Shape{Tenant: globex, Effect: state.Effect{Act: state.PersonAdopt, Link: true}, Join: 4},
			plan.UserChange{Person: id(40)}),
	}}}
	return w
}

// TestFigures: what a file says that happens to users is counted from the rows that it holds.
func TestFigures(t *testing.T) {
	t.Parallel()
	b, _ := moving().write(t)
	f := mustOpen(t, b)
	want := []plan.TenantFigures{
		{Tenant: id(1), Slug: "acme", Figures: plan.Figures{"users": 3, "create": 3, "link": 3, "to_dual": 3,
			"admins": 1, "gain_admin": 1, "join": 4, "leave": 0}},
		{Tenant: id(2), Slug: "globex", Figures: plan.Figures{"users": 1, "adopt": 1, "link": 1, "join": 1,
			"leave": 0}},
	}
	if diff := cmp.Diff(want, f.Effects().ByTenant(plan.SegmentMove, f.Counted(0))); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	// A run that goes on begins in the middle.
	var rest []uuid.UUID
	for c, err := range f.Users(0, 2) {
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, c.User)
	}
	if diff := cmp.Diff([]uuid.UUID{id(12), id(13)}, rest); diff != "" {
		t.Errorf("from the third on (-want +got):\n%s", diff)
	}
}

// TestOnlyWhatIsNamed: the effects name the groups, sets and tenants that the shapes need, in the order in which they
// do, whatever else was met while the plan was made.
func TestOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	b, _ := moving().write(t)
	e := mustOpen(t, b).Effects()
	var groups []string
	for _, g := range e.Groups {
		groups = append(groups, g.Name)
	}
	if diff := cmp.Diff([]string{"acme_users", "acme_admins", "globex_users"}, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{{}, {0, 1}, {0}, {2}}, e.Sets); diff != "" {
		t.Errorf("sets (-want +got):\n%s", diff)
	}
	if len(e.Tenants) != 2 {
		t.Errorf("tenants %+v", e.Tenants)
	}
}

// TestHeldWaves: a wave that turned out to be held leaves no trace in the file. Who would have been moved, into which
// groups of which tenants, does not show in the plan ID.
func TestHeldWaves(t *testing.T) {
	t.Parallel()
	write := func(held ...user) ([]byte, state.Hash) {
		w := moving()
		sink := planfile.NewWriter("")
		defer sink.Close()
		later := sink.Segment(plan.SegmentMove, "later")
		for _, u := range held {
			if err := sink.Add(later, u.Shape, u.Change); err != nil {
				t.Fatal(err)
			}
		}
		pilot := sink.Segment(plan.SegmentMove, "pilot")
		for _, u := range w.Segments[0].Users {
			if err := sink.Add(pilot, u.Shape, u.Change); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.Drop(later); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		id, err := sink.Finish(&b, &w.Plan)
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes(), id
	}
	others := user{plan.Shape{Tenant: id(3), Effect: state.Effect{Act: state.PersonCreate}, Join: 1},
		plan.UserChange{User: id(50)}}
	without, want := write()
	with, got := write(others)
	if got != want || !bytes.Equal(with, without) {
		t.Errorf("plan ID %s, %s where nobody is in the held wave", got, want)
	}
	if e := mustOpen(t, with).Effects(); len(e.Segments) != 1 || e.Segments[0].Wave != "pilot" || e.Users() != 4 {
		t.Errorf("segments %+v", e.Segments)
	}
}

// TestNoPlan: what is no plan file is told apart from one of another format, one that is cut off and one that is
// damaged.
func TestNoPlan(t *testing.T) {
	t.Parallel()
	none := planfile.FormatError{
		Reason: "is not a plan file: it does not begin like one (anthill plan -out FILE writes them)"}
	other := planfile.FormatError{Newer: true, Reason: "has a format that this version of Anthill does not know: " +
		"make it again with this version, or use the version that made it"}
	cut := planfile.FormatError{
		Reason: "is cut off: its end is missing; make the plan again, or copy the file again"}
	for name, c := range map[string]struct {
		bytes string
		want  planfile.FormatError
	}{
		"empty":            {"", none},
		"something else":   {"resource \"x\" {}\n", none},
		"the first format": {"ANTHILL-PLAN 1\nand more", other},
		"the second":       {"ANTHILL-PLAN 2\nand more", other},
		"a later format":   {"ANTHILL-PLAN 9\n", other},
		"cut off":          {"ANTHILL-PLAN 3\n", cut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, []byte(c.bytes))
			var got *planfile.FormatError
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	var format *planfile.FormatError
	if _, err := planfile.Open(t.TempDir()); !errors.As(err, &format) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := planfile.Open(filepath.Join(t.TempDir(), "none")); err == nil || errors.As(err, &format) {
		t.Errorf("no file: %v", err)
	}
}

// TestDamagedFiles cuts a plan file at every length and turns a bit in every byte: none of it is believed.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	whole, _ := moving().write(t)
	path := filepath.Join(t.TempDir(), "p")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	refuses := func(what string, n int) {
		f, err := planfile.Open(path)
		var format *planfile.FormatError
		if err == nil {
			f.Close()
		}
		if !errors.As(err, &format) {
			t.Fatalf(what+": %v", n, err)
		}
	}
	write := func(at int, b ...byte) {
		if _, err := file.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	write(0, append(slices.Clone(whole), 0)...)
	refuses("with %d byte more behind it", 1)
	for n := len(whole) - 1; n >= 0; n-- {
		if err := file.Truncate(int64(n)); err != nil {
			t.Fatal(err)
		}
		refuses("cut to %d bytes", n)
	}
	write(0, whole...)
	for n, b := range whole {
		write(n, b^1<<(n%8))
		refuses("byte %d turned", n)
		write(n, b)
	}
	f, err := planfile.Open(path)
	if err != nil {
		t.Fatalf("whole again: %v", err)
	}
	f.Close()
}

// section is a section of a plan file.
type section struct {
	kind    byte
	payload []byte
}

const start = "ANTHILL-PLAN 3\n"

// sections takes a plan file apart, without its trailer.
func sections(b []byte) (list []section) {
	for b = b[len(start):]; b[0] != 'T'; {
		n := int(binary.BigEndian.Uint64(b[1:9]))
		payload := slices.Clone(b[9 : 9+n])
		if isJSON(b[0]) {
			payload = inflated(payload)
		}
		list = append(list, section{b[0], payload})
		b = b[9+n+sha256.Size:]
	}
	return list
}

// isJSON says whether a kind of section is JSON, deflated.
func isJSON(kind byte) bool { return bytes.IndexByte([]byte("EOSBC"), kind) >= 0 }

func inflated(b []byte) []byte {
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	if err != nil {
		panic(err)
	}
	return text
}

func deflated(text []byte) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = z.Write(text)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// forge puts sections together as somebody would who knows the format: all sums are right, and so is the trailer.
func forge(list []section) []byte {
	b, ident := []byte(start), []byte("anthill plan 2\n")
	add := func(s section) {
		at, payload := len(b), s.payload
		if isJSON(s.kind) {
			payload = deflated(s.payload)
		}
		b = append(b, s.kind)
		b = binary.BigEndian.AppendUint64(b, uint64(len(payload)))
		b = append(b, payload...)
		sum := sha256.Sum256(b[at:])
		b = append(b, sum[:]...)
		switch s.kind {
		case 'E', 'O', 'S':
			sum = sha256.Sum256(s.payload)
			fallthrough
		case 'U':
			ident = append(append(ident, s.kind), sum[:]...)
		}
	}
	for _, s := range list {
		add(s)
	}
	id := sha256.Sum256(ident)
	add(section{'T', id[:]})
	return b
}

// TestForgedFiles: a file whose sums are right and whose parts do not belong together is refused; one whose context was
// rewritten has the same plan ID, as it does the same, and another seal.
func TestForgedFiles(t *testing.T) {
	t.Parallel()
	whole, id := moving().write(t)
	if !bytes.Equal(forge(sections(whole)), whole) {
		t.Fatal("the format is another one than this test knows")
	}
	at := func(list []section, kind byte) *section {
		return &list[slices.IndexFunc(list, func(s section) bool { return s.kind == kind })]
	}
	for name, change := range map[string]func([]section) []section{
		"a user more than the effects tell": func(s []section) []section {
			u := at(s, 'U')
			u.payload = append(u.payload[:33:33], u.payload...)
			return s
		},
		"no users": func(s []section) []section {
			return slices.DeleteFunc(s, func(s section) bool { return s.kind == 'U' })
		},
		"no shapes": func(s []section) []section {
			return slices.DeleteFunc(s, func(s section) bool { return s.kind == 'S' })
		},
		"no effects": func(s []section) []section {
			return slices.DeleteFunc(s, func(s section) bool { return s.kind == 'E' })
		},
		"users before their shapes":  func(s []section) []section { s[2], s[3] = s[3], s[2]; return s },
		"a segment twice":            func(s []section) []section { return slices.Insert(s, 4, s[2], s[3]) },
		"a section of another kind":  func(s []section) []section { return append(s, section{kind: 'X'}) },
		"effects that are no object": func(s []section) []section { at(s, 'E').payload = []byte("[]"); return s },
		"a row that is cut off": func(s []section) []section {
			u := at(s, 'U')
			u.payload = u.payload[:len(u.payload)-1]
			return s
		},
		"a shape that is not there": func(s []section) []section {
			at(s, 'U').payload[32] = 99 // the index behind id and digest of the first row
			return s
		},
		"a set of groups that is not there": func(s []section) []section {
			e := at(s, 'E')
			e.payload = bytes.Replace(e.payload, []byte(`"sets":[[],[0,1],[0],[2]]`),
				[]byte(`"sets":[[],[0,1],[0]]`), 1)
			return s
		},
		"a group that is not there": func(s []section) []section {
			e := at(s, 'E')
			e.payload = bytes.Replace(e.payload, []byte(`"sets":[[],[0,1],[0],[2]]`),
				[]byte(`"sets":[[],[0,1],[0],[7]]`), 1)
			return s
		},
		"other effects behind the shapes": func(s []section) []section {
			other := bytes.Replace(at(s, 'E').payload, []byte(`"sets":[[],[0,1],[0],[2]]`), []byte(`"sets":[[]]`), 1)
			return append(s, section{'E', other})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := forge(change(sections(slices.Clone(whole))))
			var format *planfile.FormatError
			if _, err := open(t, b); !errors.As(err, &format) {
				t.Errorf("error %v", err)
			}
		})
	}
	list := sections(slices.Clone(whole))
	c := at(list, 'C')
	c.payload = bytes.Replace(c.payload, []byte(`"live":0`), []byte(`"live":9`), 1)
	f := mustOpen(t, forge(list))
	if f.Context().Population.Live != 9 || f.ID() != id || f.Seal() == mustOpen(t, whole).Seal() {
		t.Errorf("another context: %+v, plan ID %s, seal %s", f.Context().Population, f.ID(), f.Seal())
	}
}
