package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// FormatVersion is the version of all JSON here. Within a version fields may be added, but none is removed or given
// another meaning. Reasons, notes and the like are findings: a code with what it is about, and no sentence.
const FormatVersion = "1"

// planJSON is a plan for programs.
type planJSON struct {
	FormatVersion string        `json:"format_version"`
	PlanID        state.Hash    `json:"plan_id"`
	Seal          state.Hash    `json:"seal"`
	Blocked       bool          `json:"blocked"`
	Empty         bool          `json:"empty"`
	Effects       *plan.Effects `json:"effects"`
	Figures       []part        `json:"figures"`         // what happens to users, counted from the effects
	Mails         []mailsOf     `json:"mails,omitempty"` // likewise: which mails go out
	BlastRadius   radius        `json:"blast_radius"`
	Undo          undoJSON      `json:"undo"`
	Basis         *plan.Basis   `json:"basis"`
	Context       *plan.Context `json:"context"`
	Diff          *diffJSON     `json:"diff,omitempty"` // to an older plan, where one was named
}

// undoJSON says how what a plan does would be taken back.
type undoJSON struct {
	Schema  plan.UndoKind                   `json:"schema,omitempty"`
	Objects map[state.Address]plan.UndoKind `json:"objects,omitempty"`
	Users   map[plan.UndoKind]int64         `json:"users,omitempty"`
}

func undoOf(v *view) undoJSON {
	u := undoJSON{Objects: map[state.Address]plan.UndoKind{}, Users: v.undo}
	if len(v.effects.Schema) > 0 {
		u.Schema = plan.UndoAsked
	}
	if len(v.effects.SchemaBack()) > 0 {
		u.Schema = plan.UndoExact
	}
	for _, c := range v.effects.Objects {
		u.Objects[c.Address] = c.UndoKind()
	}
	return u
}

// PlanJSON writes a plan as JSON: all but the list of its users. With old, d says what it does otherwise than that.
func PlanJSON(w io.Writer, f, old *planfile.File, d *planfile.Diff) error {
	v := newView(f)
	j := planJSON{
		FormatVersion: FormatVersion,
		PlanID:        v.id,
		Seal:          v.seal,
		Blocked:       v.effects.Blocked(),
		Empty:         v.effects.Empty(),
		Effects:       v.effects,
		Figures:       listed(v.parts),
		Mails:         v.letters,
		BlastRadius:   v.radius(),
		Undo:          undoOf(v),
		Basis:         v.basis,
		Context:       v.context,
	}
	if old != nil {
		diff := diffOf(old, f, d)
		j.Diff = &diff
	}
	return writeJSON(w, j)
}

// listed is a list that JSON shows as one where it is empty.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(visible{w})
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// visible writes JSON with what a reader would not see, or see in another place, as escapes: to a program it is the same.
type visible struct{ w io.Writer }

func (v visible) Write(b []byte) (int, error) {
	text := string(b)
	if strings.IndexFunc(text, unseen) < 0 {
		return v.w.Write(b)
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case !unseen(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	if _, err := io.WriteString(v.w, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// unseen are the signs that Escape takes away, but for those of which JSON itself is made.
func unseen(r rune) bool { return hidden(r) && r != '\n' }
