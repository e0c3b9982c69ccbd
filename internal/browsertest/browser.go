// Package browsertest has tests look at pages in a headless Chromium, and have axe judge them.
package browsertest

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
	"github.com/google/go-cmp/cmp"
)

var pictures = flag.String("pictures", "", "where tests leave pictures of their pages; empty: nowhere")

// Browser is a tab of a headless Chromium, and all that went on in it.
type Browser struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	troubles []string // of console, log and scripts
}

// Start starts a browser that asks nobody for anything of its own. Where this machine has none the test is
// skipped: .ci/run installs one, and looks whether the test ran.
func Start(t *testing.T) *Browser {
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
	b := &Browser{T: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	Call(b, log.Enable, cdp.Empty{})
	Call(b, network.Enable, network.EnableParams{})
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

func (b *Browser) heard(event any) {
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

// Heard is what the page has asked for since it was opened, and what went wrong.
func (b *Browser) Heard() (requests, troubles []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests), slices.Clone(b.troubles)
}

// Do has the browser do something.
func (b *Browser) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// Call has the browser do what no action does.
func Call[P, R any](b *Browser, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// get is what an action finds.
func get[T any](b *Browser, action chromedp.Action[T]) T {
	b.Helper()
	found, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// Open shows a page from a file of its own, and demands that nothing else was asked for and nothing went wrong.
func (b *Browser) Open(text string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "plan.html")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.requests, b.troubles = nil, nil
	b.mu.Unlock()
	b.Do(chromedp.Navigate("file://" + file))
	b.quiet(file)
}

func (b *Browser) quiet(file string) {
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

// Ask evaluates an expression in the page.
func Ask[T any](b *Browser, expression string) T {
	b.Helper()
	return get(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Dark has the page shown as a system with a dark scheme would, or a light one.
func (b *Browser) Dark(on bool) {
	b.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
}

// Picture leaves a picture of the page where somebody wants to look at it.
func (b *Browser) Picture(name string, width int64) {
	b.Helper()
	if *pictures == "" {
		return
	}
	b.Do(chromedp.EmulateViewport(width, 1000))
	b.keep(fmt.Sprintf("%s-%d.png", name, width), get(b, chromedp.CaptureScreenshot()))
	b.keep(fmt.Sprintf("%s-%d-all.png", name, width), get(b, chromedp.FullScreenshot(100)))
}

func (b *Browser) keep(name string, data []byte) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(*pictures, name), data, 0o600); err != nil {
		b.Fatal(err)
	}
}

// Findings are what axe calls serious or critical.
func Findings(b *Browser, axe string) (list []string) {
	b.Helper()
	b.Do(chromedp.Evaluate[chromedp.Void](axe))
	text := Ask[string](b, `axe.run(document, { resultTypes: ["violations"] }).then(r => JSON.stringify(r.violations))`)
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

// Axe is axe-core in the version of the lock file; npm fetches it where it is not there yet. The test is one of a package of internal/.
func Axe(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "browsertest", "axe")
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

// Pictures is where somebody wants to look at pages; "": nowhere.
func Pictures() string { return *pictures }
