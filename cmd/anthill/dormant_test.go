package main

import (
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestHazardsOfThisPlan: a plan is blocked by what it does, not by what it only finds or leaves for a pause.
func TestHazardsOfThisPlan(t *testing.T) {
	t.Parallel()
	renamed := strings.ReplaceAll(everyone, "_users\"", "_people\"")
	for name, c := range map[string]struct{ before, after string }{
		"a group renamed":            {everyone, renamed},
		"a redirect URL that goes":   {everyone + shop("shop", "cb", "old"), everyone + shop("shop", "cb")},
		"a client with another name": {everyone + shop("shop", "cb"), everyone + shop("store", "cb")},
		"a client that goes":         {everyone + shop("shop", "cb"), everyone},
		"a tenant that is suspended": {everyone + acmeBlock("active"), everyone + acmeBlock("suspended")},
		"a group that goes":          {everyone + viewers, everyone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
			wave := waveEveryone
			w.config(c.before + strings.Replace(wave, "all = true", `tenants = ["acme"]`, 1))
			w.run(exitDone, "apply", "-auto-approve")
			// Users and objects in one run, so that its rollback leaves a pause.
			w.config(c.after + wave)
			w.allowing("plan", "-out", "p")
			w.run(exitDone, "apply", "p")
			w.allowing("rollback", "-out", "back")
			w.run(exitDone, "apply", "back")
			if out, _ := w.run(exitDone, "plan"); strings.Contains(out, "BLOCKED") || strings.Contains(out, "-allow") {
				t.Errorf("it says:\n%s", out)
			}
		})
	}
}

// shop is a client whose logins lead to some paths.
func shop(name string, paths ...string) string {
	urls := make([]string, len(paths))
	for i, path := range paths {
		urls[i] = `"https://shop.example/` + path + `"`
	}
	return `
oauth2_client "shop" {
  name          = "` + name + `"
  display_name  = "Shop"
  landing_url   = "https://shop.example/"
  redirect_urls = [` + strings.Join(urls, ", ") + `]
  scope_map {
    groups = group.users
    scopes = ["openid"]
  }
}
`
}

// acmeBlock declares a tenant that is there.
func acmeBlock(status string) string {
	return "tenant \"acme\" {\n  adopt  = true\n  name   = \"Acme\"\n  status = \"" + status + "\"\n}\n"
}
