package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anthill/providers"
	"anthill/state"
)

// TestRefusesAll: a batch of which all rows are refused for one reason is an error of all, unless it is small.
func TestRefusesAll(t *testing.T) {
	t.Parallel()
	no := func(rule string) providers.UserResult {
		return providers.UserResult{Refused: state.Found(state.CodeRuleBroken, state.Text(state.KeyRule, rule))}
	}
	many := slices.Repeat([]providers.UserResult{no("c")}, leastAll)
	for name, c := range map[string]struct {
		results []providers.UserResult
		want    string
	}{
		"none":           {nil, ""},
		"all":            {many, "all 10 users of a batch are refused for the same reason (c)"},
		"one less":       {many[1:], ""},
		"one is written": {append(slices.Clone(many), providers.UserResult{Written: true}), ""},
		"two reasons":    {append(slices.Clone(many), no("d")), ""},
		"others changed": {append(slices.Clone(many), providers.UserResult{}, providers.UserResult{Gone: true}),
			"all 10 users"},
		"held rows":           {slices.Repeat([]providers.UserResult{{Refused: state.Found(state.CodeRowHeld)}}, 20), ""},
		"held, for a trigger": {slices.Repeat([]providers.UserResult{{Refused: state.Found(state.CodeTableHeld)}}, 20), ""},
	} {
		err := refusesAll(c.results)
		if said := fmt.Sprint(err); (err != nil) != (c.want != "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if refused(err) {
			t.Errorf("%s: an error of all is taken for one user's", name)
		}
	}
}

// TestRefusesEach: the same for Self-auth, where what is taken or gone is always one user's own trouble.
func TestRefusesEach(t *testing.T) {
	t.Parallel()
	items := func(n int, kind state.ErrorKind, reason string) (list []*item) {
		for range n {
			err := &state.Error{Kind: kind, Side: "Self-auth", Reason: reason, Request: "r"}
			list = append(list, &item{failed: fmt.Errorf("wrapped: %w", err)})
		}
		return list
	}
	own := &item{failed: refuse(state.CodeNoName)}
	for name, c := range map[string]struct {
		items []*item
		want  bool
	}{
		"all":                {items(10, state.ErrorRefused, "no"), true},
		"unknown words":      {items(10, state.ErrorInternal, "no"), true},
		"few":                {items(9, state.ErrorRefused, "no"), false},
		"names are taken":    {items(10, state.ErrorConflict, "taken"), false},
		"ids are burnt":      {items(10, state.ErrorBurnt, "burnt"), false},
		"persons are gone":   {items(10, state.ErrorNotFound, "gone"), false},
		"two reasons":        {append(items(10, state.ErrorRefused, "a"), items(1, state.ErrorRefused, "b")...), false},
		"one is accepted":    {append(items(10, state.ErrorRefused, "a"), &item{}), false},
		"one was never sent": {append(items(10, state.ErrorRefused, "a"), own), true},
		"none was sent":      {slices.Repeat([]*item{own}, 20), false},
	} {
		if err := refusesEach(c.items); (err != nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnknownWords: an answer of the server itself is about what was asked, also in words that nobody knows; whatever
// else is not understood stops the run.
func TestUnknownWords(t *testing.T) {
	t.Parallel()
	unknown := &state.Error{Kind: state.ErrorInternal, Side: "Self-auth", Reason: "xy0001newerror", Request: "r"}
	if !refused(unknown) {
		t.Error("an answer of the server stops the run")
	}
	for _, err := range []error{
		nil, errors.New("write the recorded state: no"),
		&state.Error{Kind: state.ErrorInternal, Side: "Postgres"},
		&state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Request: "r"},
		&state.Error{Kind: state.ErrorTransient, Side: "Self-auth", Request: "r"},
	} {
		if refused(err) {
			t.Errorf("%v is taken for one user's", err)
		}
	}
}
