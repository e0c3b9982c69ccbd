package planner_test

import (
	"testing"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/state"
)

// inSteps makes two steps of the wave of everybody.
func (f *fake) inSteps(percents ...string) {
	whole := f.config.Waves[0]
	whole.Reminder = &config.Reminder{After: 3 * day, AtMost: 1}
	f.config.Waves = nil
	for i, percent := range percents {
		w := whole
		w.Name = state.StepName("everyone", percent)
		if i > 0 {
			w.After = []string{f.config.Waves[i-1].Name}
		}
		f.config.Waves = append(f.config.Waves, w)
	}
}

// TestLettersOfSteps: who was moved under a step that is no longer there is written to as before.
func TestLettersOfSteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		under string
		now   []string
	}{
		"of a step": {"everyone[50]", []string{"50", "100"}}, "of a step that is gone": {"everyone[25]", []string{"50", "100"}},
		"before there were steps": {"everyone", []string{"50", "100"}}, "when there were steps": {"everyone[25]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.users = f.users[:1]
			f.inviting(state.LinkCode).Reminder = &config.Reminder{After: 3 * day, AtMost: 1}
			f.moved(10, c.under)
			if c.now != nil {
				f.inSteps(c.now...)
			}
			f.mailed(10, state.LetterInvitation, 1, state.MailTaken, 4*day)
			m := f.must(t)
			if l := m.shapes[10].Letter; l.Kind != state.LetterReminder {
				t.Errorf("letter %+v", l)
			}
			if m.effects.Mailing(m.shapes[10].After.Wave, state.LetterInvitation) == nil {
				t.Errorf("no mailing of wave %s", m.shapes[10].After.Wave)
			}
		})
	}
}

// TestInviteSteps: a wave's name means all its steps.
func TestInviteSteps(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.users = f.users[:1]
	f.inviting(state.LinkCode)
	f.moved(10, "everyone[50]")
	f.inSteps("50", "100")
	for _, wave := range []string{"everyone", "everyone[50]"} {
		w := planfile.NewWriter("")
		p, diags, err := planner.Invite(t.Context(), planner.InviteInput{Input: f.input(f, f), Wave: wave}, w)
		if err != nil || diags.HasErrors() {
			t.Fatal(err, diags)
		}
		if len(p.Effects.Mailings) != 1 {
			t.Errorf("-wave %s writes to nobody", wave)
		}
		if !planner.Declares(f.config, wave) {
			t.Errorf("%s is not declared", wave)
		}
		w.Close()
	}
}
