package book

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"anthill/state"
)

// A body and the columns of its record are the whole intent: every field of it, of its effect, its images and its
// users comes back, whichever fields those have. This fails when the codec forgets one.
func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	intents := anyIntent()
	rapid.Check(t, func(t *rapid.T) {
		want := intents.Draw(t, "intent")
		got := columns(want)
		if err := ReadBody(Body(&want), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// columns is what a record holds of an intent outside its body. Before ReadBody the rest may be anything.
func columns(i state.Intent) state.Intent {
	return state.Intent{
		ID: i.ID, User: i.User, Tenant: i.Tenant, Segment: i.Segment, Wave: i.Wave,
		Effect: state.Effect{Restore: true}, RowGone: true, Prior: &state.User{}, Undo: 3,
	}
}

// anyIntent draws intents by reflection, each field set in some of them.
func anyIntent() *rapid.Generator[state.Intent] {
	text := rapid.OneOf(rapid.SampledFrom([]string{"pilot", "dual", "2026-12-07-1"}), rapid.StringN(0, 40, 200))
	id := rapid.Map(rapid.Byte(), func(b byte) uuid.UUID { return uuid.UUID{b} })
	types := map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[uuid.UUID](): id.AsAny(),
		reflect.TypeFor[time.Time](): rapid.Map(rapid.Int64Range(-1<<50, 1<<53), func(n int64) any {
			if n%5 == 0 {
				return time.Time{}
			}
			return time.UnixMicro(n - n%2).UTC()
		}),
		reflect.TypeFor[state.Method]():    oneOf[state.Method](),
		reflect.TypeFor[state.PersonAct](): oneOf[state.PersonAct](),
		reflect.TypeFor[state.Standing]():  oneOf[state.Standing](),
		reflect.TypeFor[string]():          text.AsAny(),
		reflect.TypeFor[[]string]():        listOf(text),
		reflect.TypeFor[[]uuid.UUID]():     listOf(id),
	}
	return rapid.Map(rapid.MakeCustom[state.Intent](rapid.MakeConfig{Types: types}), func(i state.Intent) state.Intent {
		users := []*state.User{&i.After}
		if i.Prior != nil {
			users = append(users, i.Prior)
		}
		for _, u := range users {
			u.User, u.TenantNow, u.RowGone = i.User, uuid.Nil, false // of streams only
		}
		return i
	})
}

// oneOf draws the members of a closed set, the invalid one among them.
func oneOf[T interface {
	~uint8
	fmt.Stringer
}]() *rapid.Generator[any] {
	var all []any
	for v := T(0); !strings.HasPrefix(v.String(), "invalid"); v++ {
		all = append(all, v)
	}
	return rapid.SampledFrom(all)
}

func listOf[T any](one *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(rapid.SliceOfN(one, 0, 70), func(list []T) any {
		if len(list) == 0 {
			return []T(nil)
		}
		return list
	})
}

func intent() state.Intent {
	user, person := uuid.UUID{1}, uuid.UUID{2, 3}
	return state.Intent{
		User:   user,
		Person: person,
		Effect: state.Effect{Act: state.PersonCreate, Link: true, Method: state.MethodDual},
		Join:   []uuid.UUID{{4}, {5}},
		Before: state.Image{Method: state.MethodPassword, Synced: time.UnixMicro(1_765_000_000_000_000).UTC()},
		After: state.User{
			User: user, Tenant: uuid.UUID{6}, Person: person, Groups: []uuid.UUID{{4}, {5}}, Method: state.MethodDual,
			Run:       "2026-12-07-1",
			UserState: state.UserState{Standing: state.Moved, Wave: "pilot", Policy: "dual", Generation: 1, MadePerson: true},
		},
	}
}

// What occurs more than once is written once, and texts are words that a reader of the table can see.
func TestBodyIsCompact(t *testing.T) {
	t.Parallel()
	i := intent()
	b := Body(&i)
	if len(b) > 160 {
		t.Errorf("%d bytes", len(b))
	}
	for _, word := range []string{"create", "link", "dual", "password", "moved", "made_person", string(i.Person[:])} {
		if n := strings.Count(string(b), word); n != 1 {
			t.Errorf("%q is %d times in %q", word, n, b)
		}
	}
}

// No order and no number is behind a switch or a member of a closed set: those that this version does not know are
// from a newer one, as is a higher version.
func TestBodyOfNewerVersion(t *testing.T) {
	t.Parallel()
	i := intent()
	body := string(Body(&i))
	for name, newer := range map[string]string{
		"version": "\x06" + body[1:], // the varint of 3
		"switch":  strings.Replace(body, "link", "mend", 1),
		"act":     strings.Replace(body, "create", "reform", 1),
		"method":  strings.Replace(body, "password", "passkeys", 1),
	} {
		var got state.Intent
		if err := ReadBody([]byte(newer), &got); !errors.Is(err, state.ErrNewer) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A body of the first version, which kept no synced time of users, comes back without one.
func TestBodyOfFirstVersion(t *testing.T) {
	t.Parallel()
	want := intent()
	body := Body(&want)
	first := append([]byte{2}, body[1:len(body)-1]...) // the varint of 1; the time of the last user is the last part
	got := columns(want)
	if err := ReadBody(first, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A body that is cut short, or has something behind its end, is an error.
func TestBodyCut(t *testing.T) {
	t.Parallel()
	i := intent()
	b := Body(&i)
	for n := range b {
		if ReadBody(b[:n], new(state.Intent)) == nil {
			t.Errorf("%d bytes of %d are read", n, len(b))
		}
	}
	if ReadBody(append(b, 0), new(state.Intent)) == nil {
		t.Error("a byte too many is read")
	}
}

// Whatever a body holds, reading it returns.
func TestBodyDamaged(t *testing.T) {
	t.Parallel()
	i := intent()
	huge := "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" // the varint of the highest number
	for name, body := range map[string]string{
		"empty":                         "",
		"version 0":                     "\x00",
		"a list that is too long":       "\x02\x00\x00" + huge,
		"a text that is too long":       "\x02" + huge,
		"a part that is not there":      "\x02\x01",
		"an id of two bytes":            "\x02\x00\x00\x00\x04ab" + strings.Repeat("\x00", 50),
		"neither there nor not (prior)": strings.Replace(string(Body(&i)), "\x00\x0amoved", "\x04\x0amoved", 1),
	} {
		err := ReadBody([]byte(body), new(state.Intent))
		if err == nil || errors.Is(err, state.ErrNewer) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Body(&i)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		_ = ReadBody(b, new(state.Intent))
		_ = ReadBody(append([]byte{2}, rapid.SliceOf(rapid.Byte()).Draw(t, "body")...), new(state.Intent))
	})
}

func TestPackIDs(t *testing.T) {
	t.Parallel()
	list := []uuid.UUID{uuid.New(), {}, uuid.New()}
	if diff := cmp.Diff(list, UnpackIDs(PackIDs(list))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := UnpackIDs(PackIDs(nil)); got != nil {
		t.Errorf("none: %v", got)
	}
}

func BenchmarkBody(b *testing.B) {
	i := intent()
	b.ReportAllocs()
	for b.Loop() {
		var got state.Intent
		if err := ReadBody(Body(&i), &got); err != nil {
			b.Fatal(err)
		}
	}
}
