package plan

import (
	"fmt"
	"strings"

	"anthill/state"
)

// Part says that a plan is one of a part of the configuration, and which. Apply does not decide by it: what is left out is
// not in the effects. nil: of all.
type Part struct {
	Targets []Target `json:"targets,omitempty"` // sorted, as is the next
	Exclude []Target `json:"exclude,omitempty"`
	Pulled  []Pulled `json:"pulled_in,omitempty"` // in the order of apply
	Left    Left     `json:"left_out"`
}

// Left counts what the plan of all would do as well.
type Left struct {
	Objects int64 `json:"objects"`
	Users   int64 `json:"users"`
	Schema  int   `json:"schema"` // steps
}

// Pulled is something that was not named and that something else needs.
type Pulled struct {
	Address state.Address `json:"address"` // "schema": all of its steps
	By      state.Subject `json:"by"`      // an object; or a tenant: users of it
}

// TargetKind says what sort of thing a Target is.
type TargetKind string

// The kinds of targets.
const (
	TargetObject TargetKind = "object" // one object, or all of a block
	TargetTenant TargetKind = "tenant" // users and objects of a tenant
	TargetWave   TargetKind = "wave"   // users who belong to a wave, or were moved under it
	TargetSchema TargetKind = "schema"
)

// Target is a part of the configuration, as it is named on the command line.
type Target struct {
	Kind TargetKind `json:"kind"`
	Name string     `json:"name,omitempty"` // an address, a slug, a label; "" of the schema
}

// ParseTarget reads ADDRESS, tenant=SLUG or wave=NAME; ok is false where it is none of them. Whether there is such a thing is
// not asked.
func ParseTarget(text string) (t Target, ok bool) {
	if kind, name, is := strings.Cut(text, "="); is && (kind == "tenant" || kind == "wave") {
		return Target{TargetKind(kind), name}, name != ""
	}
	block, name, is := strings.Cut(text, ".")
	switch {
	case text == string(TargetSchema):
		return Target{Kind: TargetSchema}, true
	case !is || name == "":
		return Target{}, false
	case block == "wave":
		return Target{TargetWave, name}, true
	}
	return Target{TargetObject, text}, state.Kind(block).Spec().Kind != ""
}

// String is the target as it is named on the command line.
func (t Target) String() string {
	switch t.Kind {
	case TargetTenant, TargetWave:
		return fmt.Sprintf("%s=%s", t.Kind, t.Name)
	case TargetSchema:
		return string(TargetSchema)
	}
	return t.Name
}

// Waves are the waves that a part was narrowed to by their names.
func (p *Part) Waves() (names []string) {
	if p == nil {
		return nil
	}
	for _, t := range p.Targets {
		if t.Kind == TargetWave {
			names = append(names, t.Name)
		}
	}
	return names
}

// HeldWaves are those of the part's waves that the plan cannot move by how they stand: held, paused or disabled. Of a
// wave with steps it is the first one that is not done: the others wait for it.
func (c *Context) HeldWaves() (list []WaveView) {
	for _, name := range c.Part.Waves() {
		for _, w := range c.Waves {
			if !state.InWave(w.Name, name) || w.Name != name && w.State == WaveDone {
				continue
			}
			if w.State == WaveHeld || w.State == WavePaused || w.State == WaveDisabled {
				list = append(list, w)
			}
			break
		}
	}
	return list
}

// Drift counts what is otherwise than it is recorded, of a plan that only looks for that. What it is stands in
// Context.Outside.
type Drift struct {
	Schema      int64 `json:"schema"`      // parts of what its steps have made
	Objects     int64 `json:"objects"`     // and what others have added to their mapping rows
	Users       int64 `json:"users"`       // moved ones: row, link, person or method
	Memberships int64 `json:"memberships"` // ended or added
}

// Recognised is how much of what is recorded is found at another target: by it a reviewer tells the same servers under new names
// from others.
type Recognised struct {
	Moved   int64 `json:"moved"`   // users recorded as moved
	Rows    int64 `json:"rows"`    // of them, those who have a row
	Persons int64 `json:"persons"` // and those whose person is there
	Objects int64 `json:"objects"` // groups, account policies' groups and clients that are recorded
	Found   int64 `json:"found"`   // of them, those that are there
	// Self-auth was not asked, and its names stay: of its persons and objects nothing is known, and neither is counted.
	Unasked bool `json:"unasked,omitempty"`
}

// Any reports whether anything is. nil: nothing was looked for.
func (d *Drift) Any() bool { return d != nil && d.Schema+d.Objects+d.Users+d.Memberships > 0 }
