package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"anthill/internal/browsertest"
	"anthill/planner/plan"
)

// rowsOf are the names of the rows of a table that are seen.
const rowsOf = `(id => [...[...document.getElementById(id).tBodies].at(-1).rows].filter(r => r.checkVisibility())
	.map(r => r.cells[0].textContent))`

// TestHTMLInBrowser: a page of 1,000 tenants asks for nothing but itself, has no error, sorts, searches and folds, all
// of it by the keyboard; and without a script everything is there.
func TestHTMLInBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	text := paged(t, thousand().save(t), nil, HTMLOptions{PlanFile: "pilot.plan"})
	b.Do(chromedp.EmulateViewport(1280, 1000))
	b.Open(text)
	rows := func() []string { return browsertest.Ask[[]string](b, rowsOf+"('tenants-table')") }
	press := func(keys ...string) {
		for _, k := range keys {
			b.Do(chromedp.KeyEvent(k))
		}
	}
	focus := func() string {
		return browsertest.Ask[string](b, `(() => { const e = document.activeElement;
			return e.id || [e.closest("table")?.id, e.textContent].filter(Boolean).join(": ").slice(0, 80) })()`)
	}
	// reach goes on by the tabulator to a control.
	reach := func(control string) {
		t.Helper()
		var met []string
		for range 120 {
			if met = append(met, focus()); met[len(met)-1] == control {
				return
			}
			press(kb.Tab)
		}
		t.Fatalf("%q is not reached; these are: %q", control, met)
	}

	first := rows()
	if len(first) != 25 || first[0] != "tenant-0009" || first[1] != "tenant-0019" {
		t.Errorf("a long table is folded to its first rows: %d, %q", len(first), first)
	}
	reach("Tenants, by blast radius")
	reach("tenants-table-find")
	press(strings.Split("Tenant-099", "")...)
	other := func(s string) bool { return !strings.HasPrefix(s, "tenant-099") }
	if got := rows(); len(got) != 10 || slices.ContainsFunc(got, other) {
		t.Errorf("the search shows %q", got)
	}
	const found = `document.querySelector("output[for=tenants-table-find]").textContent`
	if got := browsertest.Ask[string](b, found); got != "10 of 1,000" {
		t.Errorf("the search counts %q", got)
	}
	reach("tenants-table: tenant")
	press(kb.Enter)
	sorted := func() string {
		return browsertest.Ask[string](b, `document.querySelector("#tenants-table [aria-sort]")?.getAttribute("aria-sort") ?? ""`)
	}
	if got := rows(); sorted() != "ascending" || got[0] != "tenant-0990" || got[9] != "tenant-0999" {
		t.Errorf("sorted %q: %q", sorted(), got)
	}
	press(kb.Enter)
	if got := rows(); sorted() != "descending" || got[0] != "tenant-0999" {
		t.Errorf("sorted %q: %q", sorted(), got)
	}
	press(kb.Enter)
	if sorted() != "" {
		t.Errorf("sorted %q, and the order of the plan should be back", sorted())
	}
	reach("tenants-table-find")
	press(slices.Repeat([]string{kb.Backspace}, len("tenant-099"))...)
	if diff := cmp.Diff(first, rows()); diff != "" {
		t.Errorf("after the search (-want +got):\n%s", diff)
	}
	reach("tenants-table: users")
	press(kb.Enter, kb.Enter)
	if got := rows(); sorted() != "ascending" || got[0] != "tenant-0000" || got[1] != "tenant-0010" {
		t.Errorf("by figures, sorted %q: %q", sorted(), got[:2])
	}
	reach("Show all 1,000")
	press(kb.Enter)
	if got := rows(); len(got) != 1000 || got[999] != "tenant-0999" {
		t.Errorf("all rows: %d, the last %q", len(got), got[len(got)-2:])
	}
	if sum := browsertest.Ask[string](b, `document.querySelector("#tenants-table .sum .n").textContent`); sum != "5,500" {
		t.Errorf("the sum is %q", sum)
	}
	if requests, troubles := b.Heard(); len(troubles)+len(requests) != 1 {
		t.Errorf("went wrong: %q, requests %q", troubles, requests)
	}

	browsertest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.Open(text)
	if got := rows(); len(got) != 1000 {
		t.Errorf("without a script %d rows are seen", len(got))
	}
	const controls = `[...document.querySelectorAll("input, button")].filter(e => e.checkVisibility()).length`
	if n := browsertest.Ask[int](b, controls); n != 0 {
		t.Errorf("without a script %d controls are seen that do nothing", n)
	}
}

// TestHTMLIsAccessible: axe finds nothing serious in any page, wide and in light, narrow and in dark.
func TestHTMLIsAccessible(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	axe := browsertest.Axe(t)
	named := HTMLOptions{PlanFile: "pilot.plan"}
	old := pilot().save(t)
	for name, text := range map[string]string{
		// Enough for a table that is folded and has a search; axe looks at each of the rows that are hidden, too.
		"many":     paged(t, many(60).save(t), nil, named),
		"blocked":  paged(t, withOrigin(raised(), plan.FilesOtherwise).save(t), nil, named),
		"rollback": paged(t, rollback().save(t), nil, HTMLOptions{}),
		"since":    paged(t, later().save(t), old, named),
		"nothing":  paged(t, nothing().save(t), nil, HTMLOptions{}),
		"run":      historyPage(t, ended(t, pilot())),
		"status":   statusPageOf(t, surveyed()),
		"away":     statusPageOf(t, statuses()["a rollback of Postgres alone was stopped, and Self-auth is away"]),
	} {
		b.Open(text)
		for scheme, width := range map[string]int64{"light": 1280, "dark": 400} {
			b.Dark(scheme == "dark")
			b.Picture(name+"-"+scheme, 1280)
			b.Picture(name+"-"+scheme, 400)
			b.Do(chromedp.EmulateViewport(width, 1000))
			for _, f := range browsertest.Findings(b, axe) {
				t.Errorf("%s, %s, %d wide: %s", name, scheme, width, f)
			}
		}
		if browsertest.Pictures() != "" {
			browsertest.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			b.Picture(name+"-print", 794)
		}
	}
	b.Open(strings.Replace(paged(t, old, nil, named), `<html lang="en">`, "<html>", 1))
	if got := browsertest.Findings(b, axe); len(got) != 1 || !strings.Contains(got[0], "html-has-lang") {
		t.Errorf("a page without its language: %q", got)
	}
}

// TestHTMLIsHarmlessInBrowser: a browser takes nobody's text for markup either, and has nothing to refuse.
func TestHTMLIsHarmlessInBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	const text = `</title></style></script><script>document.title = "zzz"</script>` +
		`<img src=x onerror='document.title = "zzz"'>` +
		`" onmouseover=alert(1) <base href=https://zzz.example> <meta http-equiv=refresh content=0> {{zzz}} <!-- ]]>`
	for _, page := range hostilePages(t, text) {
		b.Open(page)
		if got := browsertest.Ask[string](b, "document.title"); !strings.HasPrefix(got, "Anthill ") {
			t.Errorf("the title is %q", got)
		}
		const strange = `document.querySelectorAll("script, img, base, iframe, form, [onmouseover], [style]").length`
		if n := browsertest.Ask[int](b, strange); n != 1 {
			t.Errorf("%d elements that are none of the page's, besides its script", n-1)
		}
		if shown := browsertest.Ask[string](b, "document.body.innerText"); !strings.Contains(shown, text) {
			t.Errorf("the text is not shown as it is:\n%s", shown)
		}
	}
}
