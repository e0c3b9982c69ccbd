package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// handled is what was done by hand to the waves of the pilot plan, and to one that is not declared any more.
func handled(t *testing.T) Waves {
	t.Helper()
	by := func(who, why string) state.Signed {
		return state.Signed{By: who, Reason: why, At: asOf.Add(-time.Hour)}
	}
	st := &state.State{
		Exists: true,
		Pauses: []state.Pause{
			{Wave: "gone", Tenant: uuid.UUID{9}, Run: "2026-12-06-1", By: "ben@host", At: asOf},
			{Wave: "pilot", By: "ana@host", Reason: "the phones are down", At: asOf},
			{Wave: "pilot", Tenant: acme, By: "cleo@host", At: asOf},
		},
		Confirmations: []state.Confirmation{
			{Wave: "everyone", Gate: "support", By: "ana", Note: "staffed", Value: "4.6", At: asOf},
			{Wave: "everyone", Gate: "opt-in", Tenant: acme, By: "ana", At: asOf},
		},
		Wishes: []state.Wish{{Wave: "everyone", Kind: state.WishStart, Signed: by("ana@host", "sooner")}},
	}
	m := pilot()
	m.Context.Waves[1].State = plan.WavePaused
	m.Context.Waves[1].Reasons = []state.Finding{plan.PauseSaid(st.Pauses[1], "")}
	return Waves{
		State: st, Plan: m.save(t), AsOf: asOf, Tenants: map[uuid.UUID]string{acme: "acme"},
		Declared: []string{"internal", "pilot", "everyone"},
		Gates: []state.WaveGate{
			{Wave: "everyone", Name: "adoption"}, {Wave: "everyone", Name: "opt-in"}, {Wave: "everyone", Name: "support"},
		},
		OptIn: []state.WaveGate{{Wave: "everyone", Name: "opt-in"}},
		Events: []state.WaveEvent{
			{Wave: "pilot", Act: state.ActPause, Tenant: acme, Signed: by("cleo@host", "")},
			{Wave: "pilot", Act: state.ActResume, Run: "2026-12-06-1", Signed: by("ben@host", "")},
			{Wave: "everyone", Act: state.ActConfirm, Gate: "support", Value: "4.6", Signed: by("ana", "staffed")},
			{Wave: "everyone", Act: state.ActUnconfirm, Gate: "support", Signed: by("ana", "nobody came")},
			{Wave: "everyone", Act: state.ActConfirm, Tenant: acme, Gate: "opt-in", Signed: by("ana", "")},
			{Wave: "everyone", Act: state.ActUnconfirm, Tenant: acme, Gate: "opt-in", Signed: by("ana", "not yet")},
			{Wave: "everyone", Act: state.ActPromote, Gate: "start", Signed: by("ana@host", "sooner")},
			{Wave: "everyone", Act: state.ActAccept, Gate: "accept", Signed: by("ana@host", "three of them")},
			{Wave: "everyone", Act: state.ActWithdraw, Gate: "accept", Signed: by("ana@host", "not so")},
			{Wave: "everyone", Act: state.ActUse, Gate: "start", Run: "2026-12-06-2", Signed: by("ben@host", "")},
		},
		History: true,
	}
}

// TestWaves: how waves stand, who has paused them, which gates are open and what was done by hand, in words and as JSON.
func TestWaves(t *testing.T) {
	t.Parallel()
	all := handled(t)
	one, unplanned := all, all
	one.Wave, one.History = "pilot", false
	unplanned.Plan, unplanned.PlanError, unplanned.History = nil, "it cannot be reached", false
	var out strings.Builder
	for _, w := range []Waves{all, one, unplanned} {
		if err := WriteWaves(&out, w, Options{Unicode: true}); err != nil {
			t.Fatal(err)
		}
		if err := WavesJSON(&out, w); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "waves.txt", out.String())
	if !all.Known("gone") || !all.Known("internal") || all.Known("other") {
		t.Error("known are others than those that are declared or recorded")
	}
}

// TestWavesAreHarmless: what people write is shown as it is, and changes nothing else on the screen.
func TestWavesAreHarmless(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[31mred\u202e\n"
	signed := state.Signed{By: hostile, Reason: hostile, At: asOf}
	pause := state.Pause{Wave: hostile, By: hostile, Reason: hostile, At: asOf}
	w := Waves{History: true, Declared: []string{hostile}, Gates: []state.WaveGate{{Wave: hostile, Name: hostile}}, State: &state.State{
		Pauses: []state.Pause{pause, {Wave: hostile, Run: hostile, By: hostile}}, Wishes: []state.Wish{{Wave: hostile, Kind: hostile, Signed: signed}},
		Confirmations: []state.Confirmation{{Wave: hostile, Gate: hostile, By: hostile, Note: hostile}}},
		Events: []state.WaveEvent{{Wave: hostile, Act: hostile, Gate: hostile, Run: hostile, Signed: signed}, {Wave: hostile, Act: state.ActConfirm, Gate: hostile}}}
	var out strings.Builder
	for _, err := range []error{WriteWaves(&out, w, Options{}), WavesJSON(&out, w),
		Paused(&out, pause, true, nil, hostile, Options{}), Paused(&out, pause, false, []state.Pause{pause}, hostile, Options{}),
		Resumed(&out, hostile, hostile, []state.Pause{pause}, []state.Pause{pause}, nil, Options{}), Resumed(&out, hostile, "", nil, nil, nil, Options{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\u202e") || strings.Contains(s, "red\n") {
		t.Errorf("it comes through:\n%q", s)
	}
}
