package world

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/internal/spool"
	"anthill/state"
)

// through writes entries to a spool and reads them back.
func through(t *testing.T, entries ...Entry) (list []Entry) {
	t.Helper()
	file, err := spool.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &Entries{file: file}
	defer s.Close()
	for i := range entries {
		if err := s.write(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	err = s.Each(func(e *Entry) error {
		held := *e
		held.Recorded.Groups = append([]uuid.UUID(nil), e.Recorded.Groups...) // the entry is reused
		list = append(list, held)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// fullEntry is an entry in which nothing is zero, whatever fields there are; and its facts.
func fullEntry(t *testing.T, facts Fact) Entry {
	t.Helper()
	var e Entry
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		n++
		if at, is := v.Addr().Interface().(*time.Time); is {
			*at = time.UnixMicro(int64(n)).UTC()
			return
		}
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.String:
			v.SetString(fmt.Sprintf("text %d", n))
		case reflect.Int:
			v.SetInt(int64(n) + 300)
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			v.SetUint(uint64(n%3) + 1)
		case reflect.Array:
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		default:
			t.Fatalf("an entry holds a %s", v.Type())
		}
	}
	fill(reflect.ValueOf(&e).Elem())
	e.Facts = facts
	return e
}

// TestEntries: an entry comes back from the spool with all that it holds and nothing of the one before it. A new
// field or fact is covered as soon as it is there, but for the last fact's name here.
func TestEntries(t *testing.T) {
	t.Parallel()
	const all = WasMailed<<1 - 1
	full := fullEntry(t, all)
	gone := Entry{User: uuid.UUID{1}, Tenant: -1, Facts: IsRecorded, Person: uuid.UUID{2}, Generation: 2,
		Recorded: Recorded{UserState: state.UserState{Standing: state.Gone, Wave: "pilot", Asleep: true},
			Person: uuid.UUID{2}}}
	plain := Entry{User: uuid.UUID{3}, Facts: HasRow, Person: uuid.UUID{4}, Digest: state.Digest{5}, Mail: 6}
	want := []Entry{full, gone, plain, full}
	for fact := Fact(1); fact <= WasMailed; fact <<= 1 {
		want = append(want, fullEntry(t, HasRow|IsRecorded|MayBeMailed|WasMailed|fact))
	}
	if diff := cmp.Diff(want, through(t, want...), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

// TestFacts: each fact says its own.
func TestFacts(t *testing.T) {
	t.Parallel()
	for fact := Fact(1); fact <= WasMailed; fact <<= 1 {
		var e Entry
		e.note(fact, true)
		for other := Fact(1); other <= WasMailed; other <<= 1 {
			if e.Is(other) != (fact == other) {
				t.Errorf("with fact %b, %b holds: %v", fact, other, e.Is(other))
			}
		}
		if e.note(fact, false); e.Facts != 0 {
			t.Errorf("fact %b stays", fact)
		}
	}
	moved := Entry{Facts: IsRecorded, Recorded: Recorded{UserState: state.UserState{Standing: state.Moved}}}
	back := Entry{Facts: IsRecorded, Recorded: Recorded{UserState: state.UserState{Standing: state.RolledBack}}}
	if !moved.Moved() || back.Moved() || (&Entry{}).Moved() {
		t.Error("who is recorded as moved is moved, nobody else")
	}
}
