package report

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"anthill/planner/plan"
)

var pictures = flag.String("pictures", "", "where TestHTMLIsAccessible leaves pictures of its pages; empty: nowhere")

// browser is a tab of a headless Chromium, and all that went on in it.
type browser struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	troubles []string // of console, log and scripts
}

// startBrowser starts a browser that asks nobody for anything of its own. Where this machine has none the test is
// skipped: .ci/run installs one, and looks whether the test ran.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("nothing is proved in a browser: this machine has no chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	}
	for _, name := range []string{"disable-quic", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-default-apps", "disable-extensions"} {
		options = append(options, chromedp.Flag(name, true))
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{T: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

func (b *browser) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.troubles = append(b.troubles, string(e.Entry.Source)+": "+e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, fmt.Sprintf("console %s: %d values", e.Type, len(e.Args)))
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, e.ExceptionDetails.Text)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// call has the browser do what no action does.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// get is what an action finds.
func get[T any](b *browser, action chromedp.Action[T]) T {
	b.Helper()
	found, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// open shows a page from a file of its own, and demands that nothing else was asked for and nothing went wrong.
func (b *browser) open(text string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "plan.html")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.requests, b.troubles = nil, nil
	b.mu.Unlock()
	b.do(chromedp.Navigate("file://" + file))
	b.quiet(file)
}

func (b *browser) quiet(file string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff([]string{"file://" + file}, b.requests); diff != "" {
		b.Errorf("requests (-want +got):\n%s", diff)
	}
	if len(b.troubles) > 0 {
		b.Errorf("went wrong: %s", strings.Join(b.troubles, "\n"))
	}
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) T {
	b.Helper()
	return get(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func (b *browser) dark(on bool) {
	b.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
}

// picture leaves a picture of the page where somebody wants to look at it.
func (b *browser) picture(name string, width int64) {
	b.Helper()
	if *pictures == "" {
		return
	}
	b.do(chromedp.EmulateViewport(width, 1000))
	b.keep(fmt.Sprintf("%s-%d.png", name, width), get(b, chromedp.CaptureScreenshot()))
	b.keep(fmt.Sprintf("%s-%d-all.png", name, width), get(b, chromedp.FullScreenshot(100)))
}

func (b *browser) keep(name string, data []byte) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(*pictures, name), data, 0o600); err != nil {
		b.Fatal(err)
	}
}

// rowsOf are the names of the rows of a table that are seen.
const rowsOf = `(id => [...[...document.getElementById(id).tBodies].at(-1).rows].filter(r => r.checkVisibility())
	.map(r => r.cells[0].textContent))`

// TestHTMLInBrowser: a page of 1,000 tenants asks for nothing but itself, has no error, sorts, searches and folds, all
// of it by the keyboard; and without a script everything is there.
func TestHTMLInBrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	text := paged(t, thousand().save(t), nil, HTMLOptions{PlanFile: "pilot.plan"})
	b.do(chromedp.EmulateViewport(1280, 1000))
	b.open(text)
	rows := func() []string { return ask[[]string](b, rowsOf+"('tenants-table')") }
	press := func(keys ...string) {
		for _, k := range keys {
			b.do(chromedp.KeyEvent(k))
		}
	}
	focus := func() string {
		return ask[string](b, `(() => { const e = document.activeElement;
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
	if got := ask[string](b, found); got != "10 of 1,000" {
		t.Errorf("the search counts %q", got)
	}
	reach("tenants-table: tenant")
	press(kb.Enter)
	sorted := func() string {
		return ask[string](b, `document.querySelector("#tenants-table [aria-sort]")?.getAttribute("aria-sort") ?? ""`)
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
	if sum := ask[string](b, `document.querySelector("#tenants-table .sum .n").textContent`); sum != "5,500" {
		t.Errorf("the sum is %q", sum)
	}
	b.mu.Lock()
	if len(b.troubles)+len(b.requests) != 1 {
		t.Errorf("went wrong: %q, requests %q", b.troubles, b.requests)
	}
	b.mu.Unlock()

	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open(text)
	if got := rows(); len(got) != 1000 {
		t.Errorf("without a script %d rows are seen", len(got))
	}
	const controls = `[...document.querySelectorAll("input, button")].filter(e => e.checkVisibility()).length`
	if n := ask[int](b, controls); n != 0 {
		t.Errorf("without a script %d controls are seen that do nothing", n)
	}
}

// TestHTMLIsAccessible: axe finds nothing serious in any page, wide and in light, narrow and in dark.
func TestHTMLIsAccessible(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	axe := axeScript(t)
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
		b.open(text)
		for scheme, width := range map[string]int64{"light": 1280, "dark": 400} {
			b.dark(scheme == "dark")
			b.picture(name+"-"+scheme, 1280)
			b.picture(name+"-"+scheme, 400)
			b.do(chromedp.EmulateViewport(width, 1000))
			for _, f := range findings(b, axe) {
				t.Errorf("%s, %s, %d wide: %s", name, scheme, width, f)
			}
		}
		if *pictures != "" {
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			b.picture(name+"-print", 794)
		}
	}
	b.open(strings.Replace(paged(t, old, nil, named), `<html lang="en">`, "<html>", 1))
	if got := findings(b, axe); len(got) != 1 || !strings.Contains(got[0], "html-has-lang") {
		t.Errorf("a page without its language: %q", got)
	}
}

// findings are what axe calls serious or critical.
func findings(b *browser, axe string) (list []string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](axe))
	text := ask[string](b, `axe.run(document, { resultTypes: ["violations"] }).then(r => JSON.stringify(r.violations))`)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML string }
	}
	if err := json.Unmarshal([]byte(text), &violations); err != nil {
		b.Fatal(err)
	}
	for _, v := range violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			list = append(list, fmt.Sprintf("%s: %s: %s", v.ID, v.Help, v.Nodes[0].HTML))
		}
	}
	return list
}

// axeScript is axe-core in the version of the lock file; npm fetches it where it is not there yet.
func axeScript(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("testdata", "axe")
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	script, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		npm, missing := exec.LookPath("npm")
		if missing != nil {
			t.Skip("nothing is proved by axe: this machine has no npm to fetch it")
		}
		cmd := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		script, err = os.ReadFile(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// TestHTMLIsHarmlessInBrowser: a browser takes nobody's text for markup either, and has nothing to refuse.
func TestHTMLIsHarmlessInBrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	const text = `</title></style></script><script>document.title = "zzz"</script>` +
		`<img src=x onerror='document.title = "zzz"'>` +
		`" onmouseover=alert(1) <base href=https://zzz.example> <meta http-equiv=refresh content=0> {{zzz}} <!-- ]]>`
	for _, page := range hostilePages(t, text) {
		b.open(page)
		if got := ask[string](b, "document.title"); !strings.HasPrefix(got, "Anthill ") {
			t.Errorf("the title is %q", got)
		}
		const strange = `document.querySelectorAll("script, img, base, iframe, form, [onmouseover], [style]").length`
		if n := ask[int](b, strange); n != 1 {
			t.Errorf("%d elements that are none of the page's, besides its script", n-1)
		}
		if shown := ask[string](b, "document.body.innerText"); !strings.Contains(shown, text) {
			t.Errorf("the text is not shown as it is:\n%s", shown)
		}
	}
}
