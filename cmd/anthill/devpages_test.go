package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestDevPages: the application of dev lets people in by password and through Self-auth, and says why it does not; the
// mails are listed and shown, for a browser that knows the address as it is.
func TestDevPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	must(t, os.CopyFS(w.dir, os.DirFS("../../examples/quickstart")))
	var env []string
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	pages, more, end, err := devPages(env, sandbox.Options{}, w.dir+"/mails")
	must(t, err)
	t.Cleanup(func() { must(t, end()) })
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	visit := func(method, path string, form url.Values) (text, to string) {
		t.Helper()
		var resp *http.Response
		if method == "GET" {
			resp, err = client.Get(pages.URL() + path)
		} else {
			resp, err = client.PostForm(pages.URL()+path, form)
		}
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return string(b), resp.Header.Get("Location")
	}
	text, _ := visit("POST", "/login/self-auth", nil)
	wants(t, text, "Self-auth knows no client")
	w.env["ANTHILL_VAR_app_url"] = more[0][len("ANTHILL_VAR_app_url="):]
	w.run(exitDone, "apply", "-auto-approve")

	text, _ = visit("GET", "/mails", nil)
	wants(t, text, "85 in <code>", "Your new login with Self-auth</a>")
	text, _ = visit("POST", "/login/password", url.Values{"email": {"o'neil@acme.example"}, "password": {sandbox.Password}})
	wants(t, text, "You are let in", "<td>acme</td>", "<td>user</td>")
	text, _ = visit("POST", "/login/password", url.Values{"email": {"o'neil@acme.example"}, "password": {"<wrong>"}})
	wants(t, text, "Not allowed in: no such user, or a wrong password.")

	b := w.browse()
	var person uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id from users join tenants using (tenant_id) where slug = 'acme' and role = 'admin'
		and {idp}_user_id is not null order by user_id limit 1`)).Scan(&person))
	b.enrol(person)
	session, denied := b.logIn(person)
	if session == "" {
		t.Fatal(denied)
	}
	_, to := visit("POST", "/login/self-auth", nil)
	at, err := url.Parse(to)
	must(t, err)
	ask := map[string]string{}
	for name := range at.Query() {
		ask[name] = at.Query().Get(name)
	}
	var asked struct {
		ConsentRequested struct {
			Token string `json:"consent_token"`
		}
	}
	a := b.do("POST", "/oauth2/authorise", session, ask)
	b.ok(a, &asked)
	a = b.do("POST", "/oauth2/authorise/permit", session, asked.ConsentRequested.Token)
	back, err := url.Parse(a.header.Get("Location"))
	must(t, err)
	text, _ = visit("GET", back.RequestURI(), nil)
	wants(t, text, "You are let in", "<td>acme</td>", "<td>admin</td>", "tenant_acme_admins")
	text, _ = visit("GET", back.RequestURI(), nil)
	wants(t, text, "This login was not begun here, or has ended.")
}
