package main

import (
	"strings"
	"testing"
)

// brakesNow is what is recorded of brakes and policies.
func (w *world) brakesNow() (text string) {
	w.t.Helper()
	must(w.t, w.connect().QueryRow(w.t.Context(), `select coalesce((select string_agg(body::text, E'\n' order by wave) from anthill_state.brakes), '') ||
		coalesce((select string_agg(p::text, E'\n' order by name) from anthill_state.policies p), '')`).Scan(&text))
	return text
}

// gatedRaise is a configuration in which a gate holds the wave that raises.
func gatedRaise(text string) string {
	return "gate \"go\" { manual = true }\n" + strings.Replace(text, "start { after = [wave.everyone] }",
		"start {\n    after = [wave.everyone]\n    gates = [gate.go]\n  }", 1)
}

// TestOvertaken (L21, L22): a plan is applied after another one that was made later has recorded a brake, or a promise. It was never
// judged by that: it moves nobody, and what the other one has recorded stays.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	for name, tight := range map[string]string{
		"a gate": gatedRaise(withRaise), "a promise": promise("2099-03-01"), "both": gatedRaise(promise("2099-03-01")),
		"a promise, and no wave": raiseless(promise("2099-03-01")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			one := w.withPassword("user", "acme", 0)
			b.enrol(one.person)
			w.config(withRaise + "group \"more\" {\n  tenant = \"acme\"\n  name = \"tenant_acme_more\"\n  role = \"viewer\"\n}\n")
			w.run(exitDone, "plan", "-out", "a")
			w.config(tight)
			w.run(exitDone, "apply", "-auto-approve")
			before := w.brakesNow()
			out, _ := w.run(exitStale, "show", "-check", "a")
			wants(t, strings.Join(strings.Fields(out), " "), "Not all of it holds any more.", "wave alone stays as it is", "1 changed since")
			w.run(exitStale, "apply", "-on-stale", "fail", "a")
			if w.number("select count(*) from {idp}_tenant_groups where {idp}_group_name = 'tenant_acme_more'") != 0 {
				t.Error("it has begun")
			}
			out, _ = w.run(exitRemainder, "apply", "a")
			wants(t, strings.Join(strings.Fields(out), " "), "another apply has recorded what holds waves back since this plan was made")
			if one.raised() {
				t.Error("raised by a plan that was never judged by what holds the wave now")
			}
			if got := w.brakesNow(); got != before {
				t.Errorf("recorded is now\n%s\nand was\n%s", got, before)
			}
			if w.number("select count(*) from {idp}_tenant_groups where {idp}_group_name = 'tenant_acme_more'") != 1 {
				t.Error("its group was not made, and nothing holds that back")
			}
		})
	}
}

// TestNotOvertaken (L22): what others have applied in between stops nobody where it left brakes and promises as they were; and an
// edit that was allowed is applied as it was allowed.
func TestNotOvertaken(t *testing.T) {
	t.Parallel()
	more := "group \"more\" {\n  tenant = \"globex\"\n  name = \"tenant_globex_more\"\n  role = \"viewer\"\n}\n"
	for name, c := range map[string]struct{ recorded, planned, between string }{
		"nothing of waves":       {withRaise, withRaise, withRaise + more},
		"an edit, allowed":       {gatedRaise(withRaise), withRaise, gatedRaise(withRaise) + more},
		"a promise that is told": {promise("2099-03-01"), promise("2020-01-01"), promise("2099-03-01") + more},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			one := w.withPassword("user", "acme", 0)
			w.config(c.recorded)
			w.run(exitDone, "apply", "-auto-approve")
			b.enrol(one.person)
			w.config(c.planned)
			w.allowing("plan", "-out", "a")
			w.config(c.between)
			w.allowing("plan", "-out", "b", "-exclude", "tenant=acme")
			w.run(exitDone, "apply", "b")
			w.run(exitDone, "apply", "a")
			if !one.raised() {
				t.Error("not raised")
			}
			w.run(exitDone, "apply", "a") // it is done
		})
	}
}

// TestOvertakenByNoWave (L22): the last wave was taken out of the configuration after the plan was made, which leaves nothing
// recorded.
func TestOvertakenByNoWave(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{
		"an edit":        strings.Replace(waveEveryone, "users {", "start { at = \"2099-01-01T00:00:00Z\" }\n  users {", 1),
		"as it was then": strings.Replace(waveEveryone, "all = true", "tenants = [\"acme\"]", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, _ := oneManager(t, true)
			w.config(everyone + first)
			w.run(exitDone, "apply", "-auto-approve")
			w.config(everyone + waveEveryone)
			w.allowing("plan", "-out", "p")
			w.config(everyone)
			w.run(exitDone, "apply", "-auto-approve")
			before := w.allLinked()
			w.run(exitRemainder, "apply", "p")
			if n := w.allLinked(); n != before {
				t.Errorf("%d users were moved by a wave that is gone", n-before)
			}
		})
	}
}
