package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// TestLookup: what is looked up is asked for many users at once and stands in the line of its own user; without a row there
// is nothing, and who gets no person has no name to be made.
func TestLookup(t *testing.T) {
	t.Parallel()
	m := newMade(state.RunApply)
	m.Effects.Waves = []plan.WaveEffect{{Name: "pilot"}}
	m.change(lookedUpAtOnce+2, plan.SegmentMove, "pilot", m.moving(acme, state.MethodDual, false, acmeUsers))
	m.change(1, plan.SegmentMove, "pilot", m.moving(acme, state.MethodDual, true, acmeUsers)) // its person is there
	f := m.save(t)
	var asked []int
	var gone uuid.UUID
	look := &Lookup{Names: true, Mails: true, Of: func(users []uuid.UUID) (map[uuid.UUID]LookedUp, error) {
		asked = append(asked, len(users))
		found := map[uuid.UUID]LookedUp{}
		for i, u := range users {
			if gone == uuid.Nil && i == 5 {
				gone = u
				continue
			}
			found[u] = LookedUp{Name: "n" + u.String(), Suffixed: "s", Mail: "m\x1b" + u.String()}
		}
		return found, nil
	}}
	var out bytes.Buffer
	if err := Users(&out, f, Options{}, Chosen{}, look); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(asked) != fmt.Sprint([]int{lookedUpAtOnce, 3}) {
		t.Errorf("asked for %v", asked)
	}
	made, none := 0, 0
	for line := range strings.Lines(out.String()) {
		l := strings.Fields(line)
		switch {
		case l[0] == gone.String():
			if l[3] != "-" || l[4] != "-" {
				t.Errorf("a row that is gone: %s", line)
			}
		case l[3] == "n"+l[0] && strings.HasSuffix(l[4], l[0]):
			made++
		case l[3] == "-" && strings.HasSuffix(l[4], l[0]) && strings.Contains(line, "reuse the person"):
			none++
		default:
			t.Errorf("not of this user: %s", line)
		}
	}
	if made != lookedUpAtOnce+1 || none != 1 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d names, %d without", made, none)
	}
	failed := errors.New("gone")
	look.Of = func([]uuid.UUID) (map[uuid.UUID]LookedUp, error) { return nil, failed }
	if err := Users(&out, f, Options{}, Chosen{}, look); !errors.Is(err, failed) {
		t.Errorf("failed with %v", err)
	}
}
