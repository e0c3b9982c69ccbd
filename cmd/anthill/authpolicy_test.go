package main

import (
	"strings"
	"testing"
)

// ofFirst is a configuration of raising in which the policy that raises does so from another one.
func ofFirst(text string) string {
	return strings.Replace(text, "from   = auth_policy.dual", "from   = auth_policy.first", 1) + "auth_policy \"first\" { method = \"dual\" }\n"
}

// policiesNow are the recorded policies.
func (w *world) policiesNow() (text string) {
	w.t.Helper()
	must(w.t, w.connect().QueryRow(w.t.Context(), `select string_agg(concat_ws(' ', name, method, nullif(from_policy, '')), ', ' order by name)
		from anthill_state.policies`).Scan(&text))
	return text
}

// TestPolicyChanged (L8): as long as users stand moved under a policy, it keeps its method and its `from`. The error says what these
// were and what to do. Once they are taken back it is free to change.
func TestPolicyChanged(t *testing.T) {
	t.Parallel()
	const asDeclared = "alone self_auth dual, dual dual"
	w, b := raising(t)
	if got := w.policiesNow(); got != asDeclared {
		t.Errorf("recorded are %s", got)
	}
	// Nobody has moved under it yet.
	w.config(ofFirst(withRaise))
	w.run(exitDone, "apply", "-auto-approve")
	if got := w.policiesNow(); got != "alone self_auth first, dual dual, first dual" {
		t.Errorf("recorded are %s", got)
	}
	w.config(withRaise)
	one := w.withPassword("user", "acme", 0)
	b.enrol(one.person)
	w.run(exitDone, "apply", "-auto-approve")
	if !one.raised() {
		t.Fatal("not raised")
	}
	// The application sets the row back, and what follows the row's role records it with the method of then.
	one.set("auth_method", "dual")
	one.set("role", "admin")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")

	before := w.brakesNow()
	for name, c := range map[string]struct{ edit, policy, was, next string }{
		"another from": {ofFirst(withRaise), "alone", `method = "self_auth" from = auth_policy.dual }`,
			`raise users by another policy: auth_policy "NAME" { method = "self_auth" from = auth_policy.first }`},
		"self_auth to dual": {raiseless(withRaise) + `auth_policy "alone" { method = "dual" }`, "alone", `method = "self_auth" from = auth_policy.dual }`,
			`move others by another policy: auth_policy "NAME" { method = "dual" }`},
		"dual to self_auth": {strings.Replace(raiseless(withRaise), `auth_policy "dual" { method = "dual" }`,
			"auth_policy \"dual\" {\n  method = \"self_auth\"\n  from = auth_policy.alone\n}\nauth_policy \"alone\" { method = \"dual\" }\n", 1), "dual",
			`method = "dual" }`, `raise them by another policy: auth_policy "NAME" { method = "self_auth" from = auth_policy.dual }`},
	} {
		w.config(c.edit)
		for _, args := range [][]string{{"plan"}, {"plan", "-target", "tenant=globex"}, {"apply", "-auto-approve"}} {
			_, errs := w.run(exitError, args...)
			text := strings.Join(strings.Fields(strings.ReplaceAll(errs, "│", " ")), " ")
			for _, want := range []string{"Policy in use changed", "auth_policy \"" + c.policy + "\" as it was before: auth_policy \"" + c.policy + "\" { " + c.was, c.next} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %v lacks %q:\n%s", name, args, want, errs)
				}
			}
		}
	}
	if got := w.brakesNow(); got != before {
		t.Errorf("recorded is now\n%s\nand was\n%s", got, before)
	}

	w.config(withRaise)
	w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
	w.config(ofFirst(withRaise))
	w.run(exitDone, "apply", "-auto-approve")
	if got := w.policiesNow(); got != "alone self_auth first, dual dual, first dual" {
		t.Errorf("recorded are %s", got)
	}
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// TestPolicyUsedSince (L8): a plan changes a policy that has no users, and before it is applied another one moves users under that.
func TestPolicyUsedSince(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	one := w.withPassword("user", "acme", 0)
	b.enrol(one.person)
	w.config(ofFirst(withRaise))
	w.run(exitDone, "plan", "-out", "a")
	w.config(withRaise)
	w.run(exitDone, "apply", "-auto-approve")
	if !one.raised() {
		t.Fatal("not raised")
	}
	before := w.brakesNow()
	out, _ := w.run(exitStale, "show", "-check", "a")
	wants(t, strings.Join(strings.Fields(out), " "), "users have moved under auth_policy alone since this plan was made")
	_, errs := w.run(exitStale, "apply", "a")
	wants(t, strings.Join(strings.Fields(errs), " "), "users have moved under auth_policy alone since this plan was made")
	if got := w.brakesNow(); got != before {
		t.Errorf("recorded is now\n%s\nand was\n%s", got, before)
	}
	w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
	w.run(exitDone, "apply", "a")
	if got := w.policiesNow(); got != "alone self_auth first, dual dual, first dual" {
		t.Errorf("recorded are %s", got)
	}
}
