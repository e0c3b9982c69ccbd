package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// TestServiceAccount makes the service account as docs/selfauth.md says, and works with its tokens.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	d, err := selfauthd.Start(selfauthd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s := server{url: d.URL(), caFile: t.TempDir() + "/ca.pem"}
	if err := os.WriteFile(s.caFile, d.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s)
	idmAdmin, admin := d.Passwords()
	who := map[string]string{"idm_admin": b.builtIn("idm_admin", idmAdmin), "admin": b.builtIn("admin", admin)}

	doc, err := os.ReadFile("../../docs/selfauth.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?m)^ {4}(idm_admin|admin) +(POST) +(\S+) +(.*)$`).FindAllStringSubmatch(string(doc), -1)
	if len(calls) != 8 {
		t.Fatalf("the document has %d calls", len(calls))
	}
	var tokens []string
	for _, c := range calls {
		var body any
		if err := json.Unmarshal([]byte(c[4]), &body); err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		var token string
		a := b.do(c[2], c[3], who[c[1]], body)
		b.ok(a, &token)
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	if len(tokens) != 2 {
		t.Fatalf("%d tokens, want two", len(tokens))
	}
	s.token = tokens[0]
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10}, s)
	w.config(withApp + "account_policy \"a\" {\n  groups = group.admins\n  session_expiry = \"1h\"\n}\n")
	w.run(exitDone, "plan", "-out", "p")
	_, errs := w.run(exitRefused, "apply", "p")
	wants(t, errs, "read-only token")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = ""
	file := w.dir + "/token"
	if err := os.WriteFile(file, []byte(tokens[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	w.config(strings.Replace(withApp, "schema {", "provider \"selfauth\" { token_file = \"token\" }\nschema {", 1))
	w.run(exitDone, "apply", "-auto-approve")
	w.allowing("rollback", "-delete-persons", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[1], "-auto-approve") // the recycle bin
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// builtIn logs a built-in account in.
func (b *browser) builtIn(name, password string) string {
	b.t.Helper()
	a := b.do("POST", "/v1/auth", "", map[string]any{"step": map[string]string{"init": name}})
	id := a.header.Get("X-KANIDM-AUTH-SESSION-ID")
	b.ok(b.do("POST", "/v1/auth", "", map[string]any{"step": map[string]string{"begin": "password"}}, "X-KANIDM-AUTH-SESSION-ID", id), nil)
	var done struct{ State struct{ Success string } }
	b.ok(b.do("POST", "/v1/auth", "", map[string]any{"step": map[string]any{"cred": map[string]string{"password": password}}}, "X-KANIDM-AUTH-SESSION-ID", id), &done)
	return done.State.Success
}
