package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestAskedAtOnce: a user is sent, and shown codes of, no more than three times a day, however many ask at the same moment, each in a
// process of its own, and however long ago a plan was saved that has one more.
func TestAskedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 5}, emulator(t))
	w.exec("update users set email_verified = true")
	w.config(everyone + inviting)
	w.run(exitDone, "apply", "-auto-approve")
	users := w.texts(w.spell("select user_id::text from users where {idp}_user_id is not null and status = 'active' and role = 'user' order by user_id"))
	w.exec("update anthill_state.mails set chosen = chosen - interval '2 days'")
	one, other := users[0], users[1]
	w.run(exitDone, "invite", "-user", one, "-out", "saved")
	var all []*exec.Cmd
	outs := make([]bytes.Buffer, 7)
	for i := range outs {
		args := []string{"invite", "-user", one, "-print", "-yes", "-reason", "at once"}
		if i == 0 {
			args = []string{"apply", "saved"}
		}
		cmd := w.command(args...)
		cmd.Stdout, cmd.Stderr = &outs[i], &outs[i]
		must(t, cmd.Start())
		all = append(all, cmd)
	}
	codes, refused := 0, 0
	for i, cmd := range all {
		err := cmd.Wait()
		said := strings.Join(strings.Fields(outs[i].String()), " ")
		switch {
		case i == 0:
		case err == nil && codeInMail.MatchString(said):
			codes++
		case err != nil && strings.Contains(said, "3 mails in the last 24 hours"):
			refused++
		default:
			t.Errorf("neither a code nor the reason why there is none: %v\n%s", err, said)
		}
	}
	if got := codes + w.mailsTo(one) - 1; got != 3 || codes+refused != len(outs)-1 {
		t.Errorf("%d codes and %d mails, want 3 in all; %d were refused", codes, w.mailsTo(one)-1, refused)
	}

	// A plan that was saved before the others asked.
	w.run(exitDone, "invite", "-user", other, "-out", "late")
	for range 3 {
		w.run(exitDone, "invite", "-user", other, "-print", "-yes")
	}
	out, _ := w.run(exitRemainder, "apply", "late")
	wants(t, strings.Join(strings.Fields(out), " "), "1 not sent after all", "had 3 mails in 24 hours already")
	if n := w.mailsTo(other); n != 1 {
		t.Errorf("%d mails, want none but the first", n)
	}
	w.exec("update anthill_state.mails set chosen = chosen - interval '2 days'")
	w.run(exitDone, "invite", "-user", other, "-auto-approve")
	if n := w.mailsTo(other); n != 2 {
		t.Errorf("a day later: %d mails, want one more", n)
	}
}
