package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestEnrolByCode: whom Anthill has moved enrols with a one-time code of the client's, logs in to the application, and
// has the tenant's group in the id token; the code is used up then, and stands nowhere in what Anthill keeps or says.
func TestEnrolByCode(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 6}, s)
			b := newBrowser(t, s)
			const minimum = "/v1/group/idm_all_persons/_attr/credential_type_minimum"
			b.ok(b.do("PUT", minimum, b.token, []string{"any"}), nil)
			defer func() { b.ok(b.do("PUT", minimum, b.token, []string{"mfa"}), nil) }()
			w.config(withApp)
			said, _ := w.run(exitDone, "apply", "-auto-approve")
			b.ok(b.do("GET", "/v1/oauth2/app/_basic_secret", b.token, nil), &b.secret)
			var person uuid.UUID
			must(t, w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id from users where {idp}_user_id is not null order by user_id limit 1")).Scan(&person))

			code, err := w.api.Enrolment().Mint(t.Context(), person, time.Hour)
			must(t, err)
			b.enrolBy(code.Reveal())
			if a := b.do("POST", "/v1/credential/_exchange_intent", "", code.Reveal()); a.status == http.StatusOK {
				t.Error("the code can be used again")
			}
			session, denied := b.logIn(person)
			if session == "" {
				t.Fatalf("login denied: %s", denied)
			}
			to, status := b.authorise(session)
			got, _ := b.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {to}, "redirect_uri": {callback}, "code_verifier": {verifier}})
			if status != http.StatusOK || got.ID == "" {
				t.Fatalf("no id token, %d", status)
			}
			c := b.claims(got.ID)
			if c.Sub != person.String() || !slices.ContainsFunc(c.Groups, func(g string) bool { return strings.HasPrefix(g, "tenant_") && strings.HasSuffix(g, "_users") }) {
				t.Errorf("the id token is of %s in %v", c.Sub, c.Groups)
			}

			status2, out, errs := w.try("plan", "-out", "p")
			if status2 != exitDone {
				t.Errorf("a plan after somebody has enrolled: exit status %d, %s", status2, errs)
			}
			said += w.allowing("rollback", "-delete-persons", "-auto-approve")
			for place, text := range map[string]string{"the output": said + out + errs, "the plan": w.file("p"), "the state": w.stateText()} {
				for _, part := range []string{code.Reveal()[:11], code.Reveal()[12:], strings.ReplaceAll(code.Reveal(), "-", "")} {
					if strings.Contains(text, part) {
						t.Errorf("%s holds a part of the code", place)
					}
				}
			}
		})
	}
}

// enrolBy sets a password through a code, as a person does.
func (b *browser) enrolBy(code string) {
	b.t.Helper()
	var session []json.RawMessage
	b.ok(b.do("POST", "/v1/credential/_exchange_intent", "", code), &session)
	b.ok(b.do("POST", "/v1/credential/_update", "", []any{map[string]string{"password": testPassword}, session[0]}), nil)
	b.ok(b.do("POST", "/v1/credential/_commit", "", session[0]), nil)
}
