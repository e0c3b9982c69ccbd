// Package rollout judges waves: which may start, which run, soak, are done, and why one is held. It is pure: it
// sees tallies, what is recorded, confirmations and pauses, and the time at which to judge.
package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/state"
)

// State is the state of a wave (L13).
type State uint8

// The states. Starting is running from this plan on.
const (
	Invalid State = iota
	Disabled
	Held
	Starting
	Running
	Soaking
	Done
	Paused
)

// Tally is what the users of a wave add up to.
type Tally struct {
	Match     int64 // live users whom the selectors match, whichever wave they belong to
	MatchSkip int64 // of them, skipped for a reason
	Due       int64 // belong to the wave and are not moved
	Waiting   int64 // belong to it and wait for a pause
	Moved     int64 // recorded as moved under it
}

// Verdict is how a wave stands.
type Verdict struct {
	State       State
	Moves       bool      // its due users are moved by this plan
	Reasons     []string  // why it is held, soaking or paused: phrases
	Since       time.Time // done or started, as recorded
	Until       time.Time // a date that it waits for: start.at, or the end of soak
	MovedAfter  bool      // when this plan is carried out nobody selected is due
	DoneAfter   bool      // and then it is done
	RestartSoak bool
}

// Input is what Judge sees.
type Input struct {
	Waves         []config.Wave // in the order of after
	Recorded      map[string]state.Wave
	Digests       map[string]state.Digest // of the selections now
	Tallies       []Tally                 // by wave
	Confirmations []state.Confirmation
	Pauses        []state.Pause
	Slug          func(uuid.UUID) string // of a tenant, for people
	AsOf          time.Time
}

// Judge gives a verdict on each wave.
func Judge(in Input) []Verdict {
	j := judge{Input: in, index: map[string]int{}, out: make([]Verdict, len(in.Waves))}
	for i, w := range in.Waves {
		j.index[w.Name] = i
		j.out[i] = j.wave(i)
	}
	return j.out
}

type judge struct {
	Input
	index map[string]int
	out   []Verdict
}

func (j *judge) wave(i int) Verdict {
	w, t := j.Waves[i], j.Tallies[i]
	rec := j.Recorded[w.Name]
	if !w.Enabled {
		return Verdict{State: Disabled, Since: rec.Started}
	}
	if reason, whole := j.paused(w.Name); whole {
		return Verdict{State: Paused, Reasons: []string{reason}, Since: rec.Started}
	}
	v := Verdict{RestartSoak: rec.MovedAt.IsZero() || rec.Digest != j.Digests[w.Name]}
	if !rec.DoneAt.IsZero() {
		// Done is latched (L15); who comes later is late and needs no gate (L19).
		v.State, v.Since, v.Moves = Done, rec.DoneAt, true
		v.MovedAfter, v.DoneAfter, v.RestartSoak = true, true, false
		return v
	}
	v.Since = rec.Started
	if rec.Started.IsZero() {
		reasons, until := j.start(w)
		reasons = append(reasons, empty(w, t)...)
		if len(reasons) > 0 {
			v.State, v.Reasons, v.Until = Held, reasons, until
			return v
		}
		v.State = Starting
	} else {
		v.State = Running
		if e := empty(w, t); len(e) > 0 {
			v.State, v.Reasons = Held, e
			return v
		}
	}
	v.Moves = true
	j.finish(&v, w, t, rec)
	if reason, _ := j.paused(w.Name); reason != "" {
		v.Reasons = append(v.Reasons, reason)
	}
	return v
}

// finish judges what comes after moving: soak and gates.
func (j *judge) finish(v *Verdict, w config.Wave, t Tally, rec state.Wave) {
	v.MovedAfter = t.Waiting == 0
	if !v.MovedAfter {
		return
	}
	soaking := rec.Soaking
	if soaking.IsZero() || t.Due > 0 && v.RestartSoak {
		soaking = j.AsOf
	}
	end := soaking.Add(w.Soak)
	var reasons []string
	if w.Soak > 0 && end.After(j.AsOf) {
		reasons = append(reasons, Days(w.Soak)+" of soak, until "+stamp(end))
		v.Until = end
	}
	reasons = append(reasons, j.gates(w.Name, w.FinishGates)...)
	if len(reasons) == 0 {
		v.DoneAfter = true
		if t.Due == 0 && v.State == Running {
			v.State = Done
		}
		return
	}
	if t.Due == 0 && v.State == Running {
		v.State, v.Reasons = Soaking, reasons
	}
}

// start says why a wave may not start (L14), and the date among the reasons.
func (j *judge) start(w config.Wave) (reasons []string, until time.Time) {
	for _, p := range j.predecessors(w, nil) {
		if v := j.out[p]; !v.DoneAfter {
			reasons = append(reasons, j.waits(p))
		}
	}
	if !w.At.IsZero() && w.At.After(j.AsOf) {
		reasons = append(reasons, "starts at "+stamp(w.At))
		until = w.At
	}
	return append(reasons, j.gates(w.Name, w.StartGates)...), until
}

// predecessors are the enabled waves that w waits for; a disabled one stands for its own (L14).
func (j *judge) predecessors(w config.Wave, seen []int) []int {
	for _, a := range w.After {
		p, ok := j.index[a]
		if !ok || slices.Contains(seen, p) {
			continue
		}
		if j.Waves[p].Enabled {
			seen = append(seen, p)
		} else {
			seen = j.predecessors(j.Waves[p], seen)
		}
	}
	return seen
}

// waits says what a successor of wave p waits for.
func (j *judge) waits(p int) string {
	w, t, v := j.Waves[p], j.Tallies[p], j.out[p]
	s := "waits for wave." + w.Name
	var parts []string
	switch {
	case v.State == Held:
		parts = append(parts, "held itself")
	case v.State == Paused:
		parts = append(parts, "paused")
	case t.Due > 0:
		parts = append(parts, fmt.Sprintf("%d to move", t.Due))
	}
	if t.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting for a pause", t.Waiting))
	}
	if v.State != Held && v.State != Paused {
		if v.State == Soaking {
			parts = append(parts, v.Reasons...)
		} else {
			if w.Soak > 0 {
				parts = append(parts, Days(w.Soak)+" of soak")
			}
			parts = append(parts, j.gates(w.Name, w.FinishGates)...)
		}
	}
	for i, part := range parts {
		if i == 0 {
			s += ": " + part
		} else {
			s += ", " + part
		}
	}
	return s
}

// gates names the manual gates that nobody has confirmed for the wave.
func (j *judge) gates(wave string, gates []string) (reasons []string) {
	for _, g := range gates {
		confirmed := slices.ContainsFunc(j.Confirmations, func(c state.Confirmation) bool { return c.Wave == wave && c.Gate == g })
		if !confirmed {
			reasons = append(reasons, fmt.Sprintf("gate %q (anthill wave confirm %s %s)", g, wave, g))
		}
	}
	return reasons
}

// paused says in words that a wave, or tenants of it, are paused.
func (j *judge) paused(wave string) (reason string, whole bool) {
	for _, p := range j.Pauses {
		if p.Wave != wave {
			continue
		}
		if p.Tenant == uuid.Nil {
			return p.Reason + " (anthill wave resume " + wave + ")", true
		}
		if reason != "" {
			reason += ", "
		}
		slug := j.Slug(p.Tenant)
		reason += slug + " paused: " + p.Reason + " (anthill wave resume -tenant " + slug + " " + wave + ")"
	}
	return reason, false
}

// empty says why a wave with nobody to move must not count as through (L17).
func empty(w config.Wave, t Tally) []string {
	switch {
	case w.AllowEmpty:
		return nil
	case t.Match == 0:
		return []string{"its selectors match no live user (allow_empty = true lets it pass)"}
	case t.MatchSkip == t.Match:
		return []string{fmt.Sprintf("all %d whom its selectors match are skipped (allow_empty = true lets it pass)", t.Match)}
	}
	return nil
}

// Days writes a duration as people configure it: 7d, 36h, 15m, 90s.
func Days(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
