package planner_test

import (
	"slices"
	"testing"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// TestReleased (L26): persons of ours give addresses up that live rows of other users hold and their own do not, whatever stops
// what is given; who is not ours is left, and counted.
func TestReleased(t *testing.T) {
	t.Parallel()
	swap := func(f *fake) { f.user(11).Email, f.user(12).Email = f.user(12).Email, f.user(11).Email }
	again := func(f *fake) {
		f.user(11).Deleted = true
		f.users = slices.Insert(f.users, 2, providers.User{ID: id(15), Tenant: acme, Email: f.user(11).Email, FullName: "U", Role: "user",
			Status: "active", Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword})
	}
	for name, c := range map[string]struct {
		change   func(*fake)
		released int64
		mails    []byte // users whose persons get an address
		notes    map[state.Code]int64
	}{
		"at rest":         {func(*fake) {}, 0, nil, nil},
		"exchanged":       {swap, 2, []byte{11, 12}, map[state.Code]int64{state.CodeMailReleased: 2}},
		"handed on":       {func(f *fake) { swap(f); f.user(11).Email = "new@1.example" }, 1, []byte{11, 12}, map[state.Code]int64{state.CodeMailReleased: 1}},
		"signed up again": {again, 1, nil, map[state.Code]int64{state.CodeMailReleased: 1}},
		"both of one row": {func(f *fake) { f.user(11).Email = f.user(12).Email }, 0, nil, map[state.Code]int64{state.CodeMailStuck: 1}},
		"one taken over": {func(f *fake) { swap(f); f.record(12).MadePerson = false }, 0, nil,
			map[state.Code]int64{state.CodeMailAstray: 1, state.CodeMailStuck: 1}},
		"paused": {func(f *fake) { swap(f); f.state.Pauses = []state.Pause{{Wave: "everyone"}} }, 2, nil,
			map[state.Code]int64{state.CodeMailReleased: 2}},
		"one suspended": {func(f *fake) { swap(f); f.user(11).Status = "suspended" }, 2, []byte{12}, map[state.Code]int64{state.CodeMailReleased: 2}},
		"left out":      {func(f *fake) { swap(f); f.config.Identity.OmitMail = true }, 2, []byte{11, 12}, map[state.Code]int64{state.CodeMailReleased: 2}},
		"not followed":  {func(f *fake) { swap(f); f.config.Identity.FollowMail = false }, 0, nil, map[state.Code]int64{state.CodeMailAstray: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := allMoved(t)
			c.change(f)
			m := f.must(t)
			if n := m.effects.Releases(); n != c.released || n > 0 && m.effects.Segments[0].Kind != plan.SegmentRelease {
				t.Errorf("%d addresses are given up, want %d, before all else", n, c.released)
			}
			var mails []byte
			for n := byte(10); n < 14; n++ {
				if m.shapes[n].Effect.Mail {
					mails = append(mails, n)
				}
			}
			if !slices.Equal(mails, c.mails) {
				t.Errorf("users %v get an address, want %v", mails, c.mails)
			}
			for _, code := range []state.Code{state.CodeMailReleased, state.CodeMailAstray, state.CodeMailStuck} {
				i := slices.IndexFunc(m.context.Notes, func(n state.Finding) bool { return n.Code == code })
				got := int64(0)
				if i >= 0 {
					got = m.context.Notes[i].Count
				}
				if got != c.notes[code] {
					t.Errorf("note %s counts %d, want %d", code, got, c.notes[code])
				}
			}
			if name == "signed up again" && m.skipped[15] != plan.SkipNone {
				t.Errorf("skipped for %v", m.skipped[15])
			}
		})
	}
}
