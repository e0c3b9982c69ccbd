package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// kanidm is as much of Self-auth's own command line as a runbook uses, against the server of a test. It takes arguments as that
// does: options first, then -- and the rest.
func kanidm() {
	if err := kanidmDo(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kanidm:", err)
		os.Exit(1)
	}
}

func kanidmDo(args []string) error {
	i := slices.Index(args, "--")
	if i < 2 {
		return fmt.Errorf("no -- in %q", args)
	}
	options, rest := args[2:i], args[i+1:]
	attrs := func(a map[string][]string) any { return map[string]any{"attrs": a} }
	path := func(kind string, more ...string) string {
		return "/v1/" + kind + "/" + strings.Join(append([]string{url.PathEscape(rest[0])}, more...), "/")
	}
	switch what := strings.Join(args[:2], " "); {
	case what == "group create" && len(rest) == 1:
		return kanidmCall("POST", "/v1/group", attrs(map[string][]string{"name": rest}), nil)
	case what == "group set-description" && len(rest) == 2:
		return kanidmCall("PUT", path("group", "_attr", "description"), rest[1:], nil)
	case what == "group add-members" && len(rest) > 1:
		return kanidmCall("POST", path("group", "_attr", "member"), rest[1:], nil)
	case what == "person create" && len(rest) == 2:
		return kanidmCall("POST", "/v1/person", attrs(map[string][]string{"name": rest[:1], "displayname": rest[1:]}), nil)
	case what == "person update" && len(rest) == 1 && len(options) == 1:
		mail, is := strings.CutPrefix(options[0], "--mail=")
		if !is {
			return fmt.Errorf("no such option %q", options)
		}
		return kanidmCall("PATCH", path("person"), attrs(map[string][]string{"mail": {mail}}), nil)
	case (what == "person get" || what == "group get" || what == "group list-members") && len(rest) == 1:
		var e *struct{ Attrs map[string][]string }
		if err := kanidmCall("GET", path(args[0]), nil, &e); err != nil || e == nil {
			fmt.Println("No matching entries")
			return err
		}
		if args[1] == "list-members" {
			fmt.Println(strings.Join(e.Attrs["member"], "\n"))
			return nil
		}
		fmt.Printf("---\nname: %s\nuuid: %s\n", e.Attrs["name"][0], e.Attrs["uuid"][0])
		return nil
	}
	return fmt.Errorf("not as a runbook says it: %q", args)
}

func kanidmCall(method, path string, in, out any) error {
	pem, err := os.ReadFile(os.Getenv("SELF_AUTH_CA_FILE"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, os.Getenv("SELF_AUTH_URL")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+os.Getenv("SELF_AUTH_ADMIN_TOKEN"))
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	a, err := c.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s %w", method, path, a.StatusCode, text, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// TestRunbook: a plan as commands for a person comes to the same as an apply, through a real shell and psql, whatever the names
// of people are; its result comes back by `import links`, and then there is nothing more to do.
func TestRunbook(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("there is no psql")
	}
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carryOutByHand(t, start(t))
		})
	}
}

func carryOutByHand(t *testing.T, s server) {
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 9, Seed: 6}, s)
	groups := everyone + waveEveryone
	w.config(groups)
	hostile := []string{`$(touch pwned) "x" 'y' \ ; é & | <in >out`, "`touch pwned`", "-n --mail=evil@x.example", "%s \\n !! # ~ *", "O'Hara"}
	displays := map[string]string{}
	for i, row := range w.active(len(hostile)) {
		displays[row[0]] = hostile[i]
		w.exec("update users set full_name = $1 where user_id = $2", hostile[i], row[0])
	}
	w.exec("update users set email = $1 where user_id = $2", "o'hara+$HOME`id`x@quotes.example", w.active(5)[4][0])
	before := w.fingerprint()

	for _, args := range [][]string{{"-out", "p"}, {"-json"}, {"-refresh-only"}, {"-detailed-exitcode"}} {
		w.run(exitError, append([]string{"plan", "-runbook", "x.sh"}, args...)...)
	}
	out, errs := w.run(exitDone, "plan", "-runbook", "book.sh")
	wants(t, errs, "personal data on purpose")
	wants(t, out, filepath.Join(w.dir, "book.sh"), "Nothing was changed.")
	if info, err := os.Stat(filepath.Join(w.dir, "book.sh")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	w.run(exitError, "plan", "-runbook", "book.sh") // it is there
	if out, _ = w.run(exitDone, "plan", "-runbook", "-"); out != w.file("book.sh") {
		t.Error("stdout has another runbook than the file")
	}
	if w.fingerprint() != before || len(w.directory().persons) != 0 {
		t.Error("something was changed")
	}

	sh := exec.CommandContext(t.Context(), "sh", "-eu", "book.sh")
	sh.Dir, sh.Env = w.dir, w.environment()
	said, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, w.file("book.sh"))
	}
	users := w.active(0)
	if !strings.HasSuffix(strings.TrimSpace(string(said)), fmt.Sprint("\n", len(users))) {
		t.Errorf("the last check:\n%s", said)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*")); len(left) != 3 { // the configuration, the runbook, links.csv
		t.Errorf("left behind: %v", left)
	}
	persons := w.directory().persons
	if len(persons) != len(users) {
		t.Errorf("%d persons for %d users", len(persons), len(users))
	}
	for _, p := range persons {
		var user, mail string
		must(t, w.connect().QueryRow(t.Context(), w.spell("select user_id::text, email from users where {idp}_user_id = $1 and auth_method = 'dual'"), p.ID).Scan(&user, &mail))
		if want := displays[user]; want != "" && p.Display != want || len(p.Mails) != 1 || p.Mails[0] != mail {
			t.Errorf("%s is %q %v, want %q %s", user, p.Display, p.Mails, want, mail)
		}
	}

	w.config(strings.ReplaceAll(groups, "  tenant   ", "  adopt = true\n  tenant   "))
	w.run(exitDone, "import", "links", "links.csv", "-out", "links.plan")
	w.run(exitDone, "apply", "links.plan")
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	if n := len(w.directory().persons); n != len(users) || !strings.Contains(out, fmt.Sprint(n, " users moved, since")) {
		t.Errorf("%d persons, %d were made by hand:\n%s", n, len(users), out)
	}
	_, errs = w.run(exitError, "plan", "-runbook", "x.sh")
	wants(t, errs, "there is nothing to do")
}
