package main

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// TestSecrets: the token is nowhere but in the environment and on the wire, in whatever spelling: not in what is said
// when things go well or wrong, not in plans, and not in the state. Nor are password hashes; and addresses are where undoing
// needs them alone, the journal of those that followed their row.
func TestSecrets(t *testing.T) {
	t.Parallel()
	f, err := selfauthd.ParseFaults("lock-timeout:0.1,drop-before-commit:0.05,unauthorized:0.02,seed=5")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 2}, emulatorWith(t, selfauthd.Options{Faults: f}))
	w.config(withApp)
	var said strings.Builder
	run := func(args ...string) {
		_, out, errs := w.try(args...)
		said.WriteString(out + errs)
	}
	for range 12 {
		run("plan", "-out", "p")
		run("show", "-json", "p")
		run("show", "-skipped", "p")
		run("apply", "p")
	}
	w.exec("update users set email = 'moved.' || email where {idp}_user_id is not null and email ~ '^[a-z0-9.]+@[a-z0-9.]+$'")
	for range 12 {
		run("apply", "-auto-approve")
	}
	run("status", "-json")
	run("rollback", "-auto-approve")
	plan, err := os.ReadFile(filepath.Join(w.dir, "p"))
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{"the output": said.String(), "the plan": string(plan), "the state": w.stateText()} {
		for _, token := range []string{w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_READ_TOKEN"]} {
			for _, part := range append(strings.Split(token, "."), token) {
				for _, spelling := range []string{part, url.QueryEscape(part), base64.StdEncoding.EncodeToString([]byte(part)), base64.RawURLEncoding.EncodeToString([]byte(part)), hex.EncodeToString([]byte(part))} {
					if len(spelling) > 12 && strings.Contains(text, spelling) {
						t.Errorf("%s holds a part of the token", place)
					}
				}
			}
		}
		if strings.Contains(text, "$2b$") || strings.Contains(text, "$2a$") {
			t.Errorf("%s holds a password hash", place)
		}
		if strings.Contains(text, "@t0.example.org") && place != "the state" || strings.Contains(text, "moved.") && place != "the state" {
			t.Errorf("%s holds an address", place)
		}
	}
	if n := w.number("select count(*) from anthill_state.records r join anthill_state.runs on runs.id = r.run and kind = 'apply' where position('moved.'::bytea in coalesce(body, '')) > 0"); n != 0 {
		t.Errorf("%d journal records hold an address that undoing does not need", n)
	}
}

// stateText is all that the state's tables hold, bytes as text where they are.
func (w *world) stateText() string {
	w.t.Helper()
	var all strings.Builder
	rows, err := w.connect().Query(w.t.Context(), "select table_name from information_schema.tables where table_schema = 'anthill_state' order by 1")
	if err != nil {
		w.t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if len(tables) < 5 {
		w.t.Fatalf("the state has the tables %v", tables)
	}
	for _, name := range tables {
		rows, err := w.connect().Query(w.t.Context(), "select * from anthill_state."+name)
		if err != nil {
			w.t.Fatal(err)
		}
		for rows.Next() {
			for _, raw := range rows.RawValues() {
				all.Write(raw)
				all.WriteByte('\n')
			}
		}
		if rows.Err() != nil {
			w.t.Fatal(rows.Err())
		}
	}
	return all.String()
}
