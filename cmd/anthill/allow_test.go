package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anthill/docs"
	"anthill/internal/sandbox"
)

// TestAllowBlock: an allow block lets a plan pass for its count and until it expires, for plan and apply alike; a run that
// was begun in time is finished; apply refuses what is blocked (L41).
func TestAllowBlock(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, k.server)
	text, guard, _ := strings.Cut(everyone, "guard {")
	_, rest, _ := strings.Cut(guard, "}\n")
	head := text + rest + waveEveryone
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	block := func(count int) string {
		return head + fmt.Sprintf("allow \"OVER_LIMIT\" {\n  count  = %d\n  reason = \"the [pilot] \\u001b[31m\"\n  until  = %q\n}\n",
			count, end.Format(time.RFC3339))
	}
	w.config(head)
	w.run(exitBlocked, "plan", "-out", "blocked")
	n := w.number(`select count(*) from users u join tenants t using (tenant_id) where u.status = 'active' and t.status = 'active'
		and u.deleted_at is null and t.deleted_at is null and u.email <> 'system@anthill.local'`)
	w.config(block(n - 1))
	out, _ := w.run(exitBlocked, "plan", "-out", "other")
	wants(t, out, fmt.Sprintf("allow.OVER_LIMIT allows a count of %d, and this plan has %d", n-1, n))
	for _, plan := range []string{"blocked", "other"} {
		_, errs := w.run(exitBlocked, "apply", plan)
		wants(t, errs, "blocked by a hazard")
	}

	w.config(block(n))
	out, _ = w.run(exitDone, "plan", "-out", "p")
	wants(t, strings.Join(strings.Fields(out), " "), fmt.Sprintf("ALLOWED OVER_LIMIT=%d max_users_changed_percent", n),
		"Allowed until "+end.Format("2006-01-02 15:04")+" UTC by main.anthill.hcl:", ": the [pilot]")
	if strings.Contains(out, "\x1b") {
		t.Error("the reason colours the screen")
	}
	out, _ = w.run(exitDone, "show", "-markdown", "p")
	wants(t, out, fmt.Sprintf("Allowed: OVER_LIMIT=%d", n), "Allowed until")

	// At the end of its time nothing is begun, and nothing is planned anew.
	w.now = func() time.Time { return end }
	_, errs := w.run(exitBlocked, "apply", "p")
	wants(t, errs, fmt.Sprintf("what allowed OVER_LIMIT=%d has expired", n))
	if out, _ := w.run(exitBlocked, "show", "-check", "p"); !strings.Contains(out, "has expired") {
		t.Errorf("a plan that apply refuses holds:\n%s", out)
	}
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "allow.OVER_LIMIT allows nothing any more")

	w.now = func() time.Time { return end.Add(-time.Second) }
	k.cut(3)
	w.run(exitStopped, "apply", "p")
	k.mend()
	w.now = func() time.Time { return end.Add(time.Second) }
	w.run(exitDone, "apply", "p")
	w.run(exitDone, "plan", "-detailed-exitcode")

	w.config(head + "allow \"OVER_LIMITS\" {\n  reason = \"r\"\n  until = \"2026-12-31T00:00:00Z\"\n}\n")
	_, errs = w.run(exitError, "validate")
	wants(t, errs, `There is no hazard "OVER_LIMITS"`, "main.anthill.hcl line")
}

// TestAllowBlockOfTheDocs: the block in docs/hazards.md is one.
func TestAllowBlockOfTheDocs(t *testing.T) {
	t.Parallel()
	_, block, found := strings.Cut(docs.Hazards, "\n    allow \"")
	block, _, ended := strings.Cut(block, "\n    }\n")
	if !found || !ended {
		t.Fatal("docs/hazards.md shows no allow block")
	}
	p, out, errs := alone(t)
	if err := os.WriteFile(filepath.Join(p.folder, "main.anthill.hcl"), []byte("allow \""+block+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := p.run(t.Context(), []string{"anthill", "validate"}); status != exitDone {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}
