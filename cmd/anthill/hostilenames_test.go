package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// hostileName is what somebody may call a tenant, a wave or themselves.
const hostileName = "x<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\x1b]0;owned\x07\u202e\u2066\u200b\r\n\nPhases all done\n\" onload=\"alert(3)"

// TestHostileNames: names of tenants, waves and users, and what people write as reasons, stand in no form of status and explain as
// anything but text, and fill no screen; and no form of these or of invite holds an address that nobody typed, a code or a secret.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 3}, emulator(t))
	const password = "correct-horse-battery"
	w.env["MAIL_PASSWORD"] = password
	w.exec("update users set email_verified = true")
	w.config(everyone + inviting)
	w.run(exitDone, "apply", "-auto-approve")
	id := w.texts(w.spell("select user_id::text from users where {idp}_user_id is not null and role = 'user' order by user_id limit 1"))[0]
	printed, _ := w.run(exitDone, "invite", "-user", id, "-print", "-yes", "-reason", hostileName)
	secrets := []string{w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_READ_TOKEN"], password, codeInMail.FindString(printed)}
	addresses := w.texts("select email from users where email like '%@%.%'")
	for _, letters := range w.letters() {
		secrets = append(secrets, codeInMail.FindString(letters[0]))
	}

	long := hostileName + strings.Repeat("M", 10_000)
	w.exec("update tenants set name = left($1, 255)", long)
	w.exec("update tenants set slug = left($1, 100) where slug = 'globex'", "globex\x1b[2J\u202e\n<script>alert(1)</script>")
	w.exec("update users set full_name = left($1, 255)", hostileName)
	w.exec("update anthill_state.users set wave = $1 where user_id in (select user_id from anthill_state.users where user_id <> $2 limit 3)", long, id)
	w.exec("insert into anthill_state.pauses (wave, tenant, run, at, paused_by, reason) values ($1, '00000000-0000-0000-0000-000000000000', '', now(), $1, $1), ('everyone', (select tenant_id from tenants where slug like 'globex%'), '', now(), $1, $1)", long)
	w.exec("insert into anthill_state.waves (name, digest, users) select $1, digest, 3 from anthill_state.waves limit 1", long)
	w.exec("update anthill_state.runs set who = $1, approved_by = $1", long)

	said := map[string]string{}
	for _, args := range []string{"status", "status -tenants", "status -daily", "status -kpi", "status -sessions", "status -pending", "status -alone", "status -html", "status -json",
		"status -tenants -json", "explain ID", "explain -json ID", "wave list", "wave list -json", "invite -user ID -out p"} {
		_, out, errs := w.try(strings.Fields(strings.ReplaceAll(args, "ID", id))...)
		if out == "" && errs == "" && args != "status -pending" && args != "status -alone" { // there may be nobody
			t.Errorf("%s says nothing", args)
		}
		said[args] = out + errs
		if strings.HasSuffix(strings.TrimSuffix(args, " ID"), "-json") {
			var any any
			if err := json.Unmarshal([]byte(out), &any); err != nil {
				t.Errorf("%s: no JSON: %v: %.300s", args, err, errs)
			}
		}
	}
	out := &watched{changed: make(chan struct{}, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- w.program(out, io.Discard).run(ctx, []string{"anthill", "status", "-watch", "-no-color"})
	}()
	out.wait(t, "Phases")
	cancel()
	<-ended
	said["status -watch"] = out.text()

	for args, text := range said {
		if strings.ContainsAny(text, "\x1b\x07\r\u202e\u2066\u200b") {
			t.Errorf("%s: a sequence for terminals, or a mark that turns text round", args)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "Phases all done") {
				t.Errorf("%s: a line of somebody's own:\n%s", args, line)
			}
		}
		if strings.Contains(args, "-html") && (strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") || strings.Contains(text, "\" onload=\"")) {
			t.Errorf("%s: markup of somebody's own", args)
		}
		for i, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				t.Errorf("%s: holds secret %d", args, i)
			}
		}
		for _, a := range addresses {
			if strings.Contains(strings.ToLower(text), strings.ToLower(a)) {
				t.Errorf("%s: holds the address of a user", args)
				break
			}
		}
	}
}
