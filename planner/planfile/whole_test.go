package planfile_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// whole is everything that a plan file holds, as it is given to a Writer.
type whole struct {
	Plan     plan.Plan
	Segments []segment
	Skipped  []plan.SkippedUser
}

// segment is a segment with its rows, each beside its shape.
type segment struct {
	Kind  plan.SegmentKind
	Wave  string
	Users []user
}

type user struct {
	Shape  plan.Shape
	Change plan.UserChange
}

// full is a plan in which nothing is zero, whatever fields there are: three groups in as many sets, and a segment that
// restores two users of one shape, which takes persons over, so that its rows have all fields as well.
func full() *whole {
	f := filler{inside: map[reflect.Type]int{}}
	w := &whole{}
	f.fill(reflect.ValueOf(w).Elem())
	e := &w.Plan.Effects
	tenant := e.Tenants[0].ID
	e.Groups = nil
	for range 3 {
		var g plan.Group
		f.fill(reflect.ValueOf(&g).Elem())
		g.Tenant = tenant
		e.Groups = append(e.Groups, g)
	}
	e.Sets = [][]int{{}, {0}, {1}, {2}}
	e.Kind, e.Was = state.RunRollback, nil
	e.Schema, e.Hazards[0].Code, e.Allowed[0].Code = providers.SchemaSteps()[:1], plan.LoosensBrake, plan.LoosensBrake
	e.Wishes[0] = plan.Wish{Wave: e.Waves[0].Name, Kind: state.WishSoak}
	e.Undo.Pauses = append(e.Undo.Pauses, plan.Pause{Wave: e.Undo.Gates[0].Wave})
	e.Brakes = append([]state.Brakes{{Wave: e.Brakes[0].After[0]}}, e.Brakes...)
	e.Undo.Schema.Steps = providers.SchemaBack()[:1]
	e.Undo.Whole, e.Undo.Lift = e.Undo.Runs, e.Undo.Runs
	e.Undo.PostgresOnly = false // it goes with nothing of all this
	var group plan.ObjectChange
	f.fill(reflect.ValueOf(&group).Elem())
	group.Kind = state.KindGroup
	e.Objects[0].Kind, e.Objects[0].Unmap = state.KindClient, nil
	e.Objects = append(e.Objects, group)
	for i := range e.Objects {
		c := &e.Objects[i]
		c.Address = state.Address(c.Kind) + "." + c.Address
		c.Before.Kind, c.After.Kind, c.Action = c.Kind, c.Kind, state.ActionUpdate
		for _, a := range []state.Attributes{c.Was, c.Will, c.Before.Attributes, c.After.Attributes} {
			a[state.AttrScopeMaps].Grants()[0].Group = e.Groups[0].ID // or it would be one group more
			maps.DeleteFunc(a, func(name state.Attribute, _ state.Value) bool {
				return c.Kind.Spec().Attribute(name).Form == state.FormInvalid
			})
		}
	}
	s := &w.Segments[0]
	s.Kind = plan.SegmentRestore
	u := &s.Users[0]
	u.Shape.Tenant, u.Shape.Effect.Act = tenant, state.PersonAdopt
	u.Shape.Effect.Link, u.Shape.Ground.RowGone, u.Shape.Ground.Moved = false, false, false // they do not go with a restored row
	u.Shape.Join, u.Shape.Leave, u.Shape.Keep = 1, 2, 3
	u.Shape.Letter = plan.Letter{} // nor does a mail
	m := &e.Mailings[0]
	m.Letter, m.Link, m.Template = "", state.LinkCode, plan.TemplateDigest(m.Text) // an announcement has no window
	u.Change.Shape = 0
	second := *u
	f.fill(reflect.ValueOf(&second.Change).Elem())
	second.Change.Shape = 0
	s.Users = append(s.Users, second)
	segment := &e.Segments[0]
	segment.Kind, segment.Wave, segment.Users = s.Kind, s.Wave, int64(len(s.Users))
	return w
}

// filler makes values that are not zero, no two texts and ids of which are the same.
type filler struct {
	n      int
	inside map[reflect.Type]int // structs that are being filled
}

// fill sets a value and all that is in it. What holds its own type (the findings that a finding is made of) does so
// once.
func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 12, 7, 9, 0, 0, 1000*f.n, time.UTC)))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.UUID{byte(f.n >> 8), byte(f.n), 15: 1}))
		return
	case state.Code:
		v.SetString(fmt.Sprintf("code_%d", f.n))
		return
	case state.Value:
		v.Set(reflect.ValueOf(state.TextValue(fmt.Sprintf("text %d", f.n))))
		return
	case state.Attributes:
		v.Set(reflect.ValueOf(f.attributes()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8:
		v.SetUint(1) // the first of a closed set, or a byte
	case reflect.Float64:
		v.SetFloat(float64(f.n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		if f.inside[v.Type().Elem()] > 1 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		f.inside[v.Type()]++
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
		f.inside[v.Type()]--
	default:
		panic("no such thing is in a plan: " + v.Type().String())
	}
}

// attributes are one of each form.
func (f *filler) attributes() state.Attributes {
	var list []string
	var grants []state.Grant
	var mapping state.Mapping
	var members []uuid.UUID
	for _, one := range []any{&list, &grants, &mapping, &members} {
		f.fill(reflect.ValueOf(one).Elem())
	}
	return state.Attributes{
		state.AttrName:         state.TextValue(fmt.Sprintf("text %d", f.n)),
		state.AttrRedirectURLs: state.ListValue(list),
		state.AttrScopeMaps:    state.GrantsValue(grants),
		state.AttrMapping:      state.MappingValue(mapping.Role, mapping.Name),
		state.AttrStrangers:    state.MembersValue(members),
	}
}

// write writes a plan and returns the bytes of the file with the plan's ID.
func (w *whole) write(t testing.TB) ([]byte, state.Hash) {
	t.Helper()
	sink := planfile.NewWriter("")
	defer sink.Close()
	for _, s := range w.Segments {
		n := sink.Segment(s.Kind, s.Wave)
		for _, u := range s.Users {
			if err := sink.Add(n, u.Shape, u.Change); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range w.Skipped {
		if err := sink.Skip(s); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	id, err := sink.Finish(&b, &w.Plan)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), id
}

// open opens a plan file of these bytes.
func open(t testing.TB, b []byte) (*planfile.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := planfile.Open(path)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func mustOpen(t testing.TB, b []byte) *planfile.File {
	t.Helper()
	f, err := open(t, b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read is what a file holds, in the form in which it was given to the Writer.
func read(t testing.TB, f *planfile.File) *whole {
	t.Helper()
	w := &whole{Plan: plan.Plan{Effects: *f.Effects(), Basis: *f.Basis(), Context: *f.Context()}}
	for n, s := range f.Effects().Segments {
		w.Segments = append(w.Segments, segment{Kind: s.Kind, Wave: s.Wave})
		for c, err := range f.Users(n, 0) {
			if err != nil {
				t.Fatal(err)
			}
			w.Segments[n].Users = append(w.Segments[n].Users, user{f.Shapes(n)[c.Shape], c})
		}
	}
	for s, err := range f.Skipped() {
		if err != nil {
			t.Fatal(err)
		}
		w.Skipped = append(w.Skipped, s)
	}
	return w
}
