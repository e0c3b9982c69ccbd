package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestNamesAndAddresses: the names that show -names looks up are those that apply makes, addresses are those of the rows,
// what comes from a row is escaped, and neither stands in JSON, in a plan, or in what another list says.
func TestNamesAndAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	// Two of one name, so that both carry a suffix; and an address that is a sequence for terminals.
	w.exec("update users set email = 'twin@u' || user_id::text || '.example' where user_id in (select user_id from users join tenants t using (tenant_id) where t.slug = 'acme' and role = 'user' and users.status = 'active' order by user_id limit 2)")
	w.exec("update users set email = E'\\x1b[31mred' where user_id in (select user_id from users join tenants t using (tenant_id) where t.slug = 'globex' and role = 'user' and users.status = 'active' order by user_id limit 1)")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	plain, errs := w.run(exitDone, "show", "-users", "p")
	if errs != "" || strings.Contains(plain, "@") {
		t.Errorf("without being asked:\n%s%s", plain, errs)
	}
	out, errs := w.run(exitDone, "show", "-users", "-names", "-reveal", "p")
	wants(t, errs, "personal data")
	w.run(exitDone, "apply", "p")

	names := map[string]string{}
	for id, p := range w.directory().persons {
		names[id.String()] = p.Name
	}
	lines, suffixed := 0, 0
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		lines++
		if strings.Contains(f[3], "twin-") {
			suffixed++
		}
		var person uuid.UUID
		var mail string
		if err := w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id, email from users where user_id = $1"), f[0]).Scan(&person, &mail); err != nil {
			t.Fatal(err)
		}
		if f[3] != names[person.String()] || f[4] != mail {
			t.Errorf("%s: told %s %s, made %s of %s", f[0], f[3], f[4], names[person.String()], mail)
		}
	}
	if lines != strings.Count(plain, "\n") || lines == 0 || suffixed != 2 {
		t.Errorf("%d lines, %d of them with a suffix:\n%s", lines, suffixed, out)
	}
	out, _ = w.run(exitDone, "show", "-skipped", "-reveal", "-tenant", "globex", "p")
	if strings.Contains(out, "\x1b") || !strings.Contains(out, "[31mred") {
		t.Errorf("the address of who is skipped:\n%q", out)
	}
	// Who has a person by now is made none, and a rollback has addresses, too.
	w.run(exitDone, "rollback", "-out", "back")
	out, _ = w.run(exitDone, "show", "-users", "-names", "-reveal", "-tenant", "acme", "back")
	if first, _, _ := strings.Cut(out, "\n"); strings.Fields(first)[3] != "-" || !strings.Contains(strings.Fields(first)[4], "@") {
		t.Errorf("a rollback:\n%s", out)
	}
	for _, args := range [][]string{{"-names", "p"}, {"-reveal", "p"}, {"-skipped", "-names", "p"}, {"-users", "-names", "-json", "p"}, {"-skipped", "-reveal", "-json", "p"}} {
		w.run(exitError, append([]string{"show"}, args...)...)
	}
	other := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	other.config(everyone + waveEveryone)
	other.run(exitDone, "plan", "-out", "p")
	other.env = w.env
	if out, _ := other.run(exitStale, "show", "-users", "-reveal", "p"); strings.Contains(out, "@") {
		t.Errorf("addresses of another target:\n%s", out)
	}
}
