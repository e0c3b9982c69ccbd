package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDemo: the demo goes the whole way under both names, three users get in and, after the rollback, only by password.
// It leaves no folder behind and shows no code.
func TestDemo(t *testing.T) {
	for _, naming := range []string{"self_auth", "kanidm"} {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, out, errs := alone(t)
			if status := p.run(t.Context(), []string{"anthill", "demo", "-naming", naming}); status != exitDone {
				t.Fatalf("exit status %d\n%s%s", status, out, errs)
			}
			text := out.String()
			wants(t, text, "pilot 100 85 85 3 3", "Proof: SHA-256")
			for _, line := range []string{
				`acme\.\S+ +acme +admin +group tenant_acme_admins`, `acme\.\S+ +acme +member +group tenant_acme_users`,
				`globex\.\S+ +globex +member +group tenant_globex_users`,
				`acme\.\S+ +denied: account expired +let in +acme +admin +password`,
				`acme\.\S+ +denied: account expired +let in +acme +user +password`,
				`globex\.\S+ +denied: account expired +let in +globex +user +password`,
			} {
				if !regexp.MustCompile(`(?m)^  ` + line + `$`).MatchString(text) {
					t.Errorf("no line %s in\n%s", line, text)
				}
			}
			if code := codeInMail.FindString(text); code != "" {
				t.Errorf("a whole code: %s", code)
			}
			folder := regexp.MustCompile(`(?m)^  in the folder (\S+):$`).FindStringSubmatch(text)
			if folder == nil || !strings.HasSuffix(folder[1], "mails") {
				t.Fatalf("no folder in\n%s", text)
			}
			if _, err := os.Stat(filepath.Dir(folder[1])); !os.IsNotExist(err) {
				t.Errorf("the demo's folder is left behind: %v", err)
			}
		})
	}
}
