package selfauth

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

const (
	testToken = "aGVhZGVy.cGF5bG9hZA-never-shown.c2lnbmF0dXJl"
	testMail  = "someone@corp.example"
)

// fake is a TLS server with one answer for all.
func fake(t testing.TB, answer http.HandlerFunc) *Provider {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(Options{URL: s.URL, CAFile: file, Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	p.conn.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(p.Close)
	return p
}

// answers answers with a status and a body, as Self-auth would.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("X-KANIDM-VERSION", "1.10.5")
		w.Header().Set("X-KANIDM-OPID", "3dee4625-528e-4f00-aa83-2381d820da74")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func persons1(ctx context.Context, p *Provider) (n int, err error) {
	for _, err := range p.Directory().Persons(ctx) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func oneEach(p *Provider) map[string]func(context.Context) error {
	a := p.Accounts()
	return map[string]func(context.Context) error{
		"whoami":  func(ctx context.Context) error { _, err := p.Whoami(ctx); return err },
		"persons": func(ctx context.Context) error { _, err := persons1(ctx, p); return err },
		"groups":  func(ctx context.Context) error { _, err := p.Directory().Groups(ctx); return err },
		"others":  func(ctx context.Context) error { _, err := p.Directory().OtherNames(ctx); return err },
		"lookup":  func(ctx context.Context) error { _, err := a.Lookup(ctx, []uuid.UUID{uuid.New()}); return err },
		"members": func(ctx context.Context) error {
			_, err := a.Members(ctx, uuid.New(), []uuid.UUID{uuid.New()})
			return err
		},
		"create": func(ctx context.Context) error {
			return a.Create(ctx, []providers.NewPerson{{ID: uuid.New(), Name: "n", Display: "N", Mail: testMail}})
		},
		"expire": func(ctx context.Context) error { return a.Expire(ctx, []uuid.UUID{uuid.New()}) },
		"add":    func(ctx context.Context) error { return a.AddMembers(ctx, uuid.New(), []uuid.UUID{uuid.New()}) },
	}
}

// TestHostile gives answers that no Self-auth server gives: every call ends with an error that is clear, bounded and
// shows nothing.
func TestHostile(t *testing.T) {
	t.Parallel()
	echo := testToken + " " + testMail + " " + strings.ToLower(testToken)
	tests := map[string]http.HandlerFunc{
		"page":            answers(200, "<html>log in here "+echo+"</html>"),
		"nothing":         answers(200, ""),
		"wrong types":     answers(200, `{"resources":[{"id":7}],"youare":"x","entries":{}}`),
		"list of numbers": answers(200, `[1,2,3]`),
		"bad ids": answers(200,
			`{"resources":[{"id":"`+echo+`"}],"youare":{"attrs":{}},"id":"x",`+
				`"entries":[{"attrs":{"uuid":["`+echo+`"]}}]}`),
		"cut":            answers(200, `{"schemas":[],"totalResults":3,"resources":[{"schemas":[],`),
		"echo 400":       answers(400, `{"invalidattribute":"`+echo+`"}`),
		"echo 500":       answers(500, `{"`+testToken+`":{"`+testMail+`":["`+echo+`"]}}`),
		"echo 500 text":  answers(500, echo),
		"echo 422":       answers(422, "Failed to deserialize the JSON body into the target type: "+echo),
		"echo 418":       answers(418, echo),
		"403 page":       answers(403, "<html>"+echo),
		"404 page":       answers(404, "<html>"+echo),
		"deep":           answers(500, strings.Repeat(`{"a":[`, 5000)+strings.Repeat(`]}`, 5000)),
		"endless error":  endless(500, "x"),
		"endless space":  endless(200, " "),
		"endless string": endless(200, `{"resources":[{"id":"`+strings.Repeat("y", 4096)),
		"gzip bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip") // nobody asked for it
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			z.Write(make([]byte, 16<<20))
			z.Flush()
			for {
				if _, err := w.Write(packed.Bytes()); err != nil {
					return
				}
			}
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://localhost:1/"+testToken, 302)
		},
		"connection is closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, do := range oneEach(fake(t, handler)) {
				if what == "others" && name == "403 page" {
					continue
				}
				err := do(within(t, 30*time.Second))
				var e *state.Error
				if !errors.As(err, &e) {
					t.Errorf("%s: %v, want an error of the provider", what, err)
					continue
				}
				wantKind(t, err, e.Kind, testToken, "cGF5bG9hZA-never-shown",
					strings.ToLower("cGF5bG9hZA-never-shown"), testMail)
				if e.Kind == state.ErrorInvalid || e.Reason == "" || e.Doing == "" || len(err.Error()) > 900 {
					t.Errorf("%s: %q", what, err)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: ended by the deadline only", what)
				}
			}
		})
	}
}

// endless never stops, and sends the beginning once more and more.
func endless(status int, piece string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		if strings.HasPrefix(piece, "{") {
			io.WriteString(w, piece)
			piece := strings.Repeat("y", 32<<10)
			for {
				if _, err := io.WriteString(w, piece); err != nil {
					return
				}
			}
		}
		block := strings.Repeat(piece, 32<<10)
		for {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
}

// TestSlow: a server that drips is ended by the caller's deadline.
func TestSlow(t *testing.T) {
	t.Parallel()
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"resources":[`)
		for i := 0; ; i++ {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"id":%q}`, uuid.New())
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	begin := time.Now()
	n, err := persons1(within(t, 2*time.Second), p)
	wantKind(t, err, state.ErrorUnreachable, testToken)
	if !errors.Is(err, context.DeadlineExceeded) || n == 0 || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v and %d persons: %v", time.Since(begin), n, err)
	}
}

// TestDrips: a server that drips is ended even where the caller has all the time in the world.
func TestDrips(t *testing.T) {
	t.Parallel()
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"resources":[`)
		for http.NewResponseController(w).Flush() == nil {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
			io.WriteString(w, " ")
		}
	})
	p.conn.most = 100 * time.Millisecond
	_, err := persons1(within(t, time.Minute), p)
	wantKind(t, err, state.ErrorUnreachable, testToken)
	if err == nil || !strings.Contains(err.Error(), "no answer came in time") {
		t.Errorf("it ends with: %v", err)
	}
}

// TestEndlessEntries: a listing of groups without end is given up before it fills the memory.
func TestEndlessEntries(t *testing.T) {
	t.Parallel()
	p := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"resources":[`)
		block := strings.Repeat(`{"id":"a0000000-0000-4000-8000-000000000001","name":"g"},`, 1000)
		for {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	})
	_, err := p.Directory().Groups(within(t, 2*time.Minute))
	if err == nil || !strings.Contains(err.Error(), "more than 1000000 entries") {
		t.Errorf("it ends with: %v", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys > 2<<30 {
		t.Errorf("%d MiB were taken from the system", m.Sys>>20)
	}
}

// TestRetries: which failures are tried again, and how often.
func TestRetries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer        http.HandlerFunc
		reads, writes int64
		kind          state.ErrorKind // of the write
	}{
		"lock": {answers(500, `"databaselockacquisitiontimeout"`), 6, 6, state.ErrorTransient},
		"503":  {answers(503, "busy"), 6, 6, state.ErrorTransient},
		"429":  {answers(429, ""), 6, 6, state.ErrorTransient},
		"502":  {answers(502, "bad gateway"), 3, 1, state.ErrorUnreachable},
		"408":  {answers(408, ""), 3, 1, state.ErrorUnreachable},
		"lost": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard,
				r.Body)
			panic(http.ErrAbortHandler)
		}, 3, 1, state.ErrorUnreachable},
		"denied":    {answers(403, `"accessdenied"`), 1, 1, state.ErrorDenied},
		"refused":   {answers(400, `{"schemaviolation":{"invalidattributesyntax":"name"}}`), 1, 1, state.ErrorRefused},
		"not in":    {answers(401, `"notauthenticated"`), 1, 1, state.ErrorUnauthenticated},
		"old 1.8":   {answers(400, `{"attributeuniqueness":["name"]}`), 1, 1, state.ErrorConflict},
		"old 1.7":   {answers(500, `{"plugin":{"attrunique":"duplicate value detected"}}`), 1, 1, state.ErrorConflict},
		"page":      {answers(200, "<html>"), 1, 1, state.ErrorUnreachable},
		"deny list": {answers(500, `"valuedenyname"`), 1, 1, state.ErrorRefused},
		"unheard":   {answers(500, `"xy0001newerror"`), 1, 1, state.ErrorInternal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			p := fake(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); test.answer(w, r) })
			if _, err := persons1(within(t, time.Minute), p); err == nil {
				t.Error("a read succeeded")
			}
			if got := n.Swap(0); got != test.reads {
				t.Errorf("the read was sent %d times, want %d", got, test.reads)
			}
			err := deleteGroup(p, within(t, time.Minute))
			wantKind(t, err, test.kind)
			if got := n.Load(); got != test.writes {
				t.Errorf("the write was sent %d times, want %d", got, test.writes)
			}
		})
	}
}

// TestRetryAfter: the server's wish is heard up to a bound, and a try that succeeds ends it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, least := range map[string]time.Duration{
		"7": 7 * time.Second, "100000": time.Minute, "x": 0, "-5": 0, "Thu, 01 Jan 2099 00:00:00 GMT": time.Minute,
	} {
		var n atomic.Int64
		p := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, "null")
		})
		var waited []time.Duration
		p.conn.pause = func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }
		if err := deleteGroup(p, t.Context()); err != nil {
			t.Errorf("%s: %v", header, err)
		}
		if len(waited) != 1 || waited[0] < least || waited[0] > least+pauseFirst {
			t.Errorf("%s: waited %v, want at least %v", header, waited, least)
		}
	}
}

// TestFlat: a listing of many persons needs no more memory than one of few.
func TestFlat(t *testing.T) {
	t.Parallel()
	const n = 200_000
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"schemas":[],"totalResults":%d,"resources":[`, n)
		var b bytes.Buffer
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"schemas":[],"id":"a0000000-0000-4000-8000-%012x","displayname":"P %d","name":"p%d",`+
				`"mail":[{"primary":true,"value":"p%d@x.test"}]}`, i, i, i, i)
			if b.Len() > 32<<10 {
				w.Write(b.Bytes())
				b.Reset()
			}
		}
		w.Write(b.Bytes())
		io.WriteString(w, `]}`)
	})
	var most uint64
	got := 0
	for _, err := range p.Directory().Persons(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got++; got%20_000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	// The text alone is 26 MB; the bound leaves room for the tests beside.
	if got != n || most > 200<<20 {
		t.Errorf("%d persons with %d MiB", got, most>>20)
	}
}

// TestRedirect: neither the token nor the request goes where a redirect points.
func TestRedirect(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		n.Add(1)
		io.WriteString(w, "null")
	}))
	t.Cleanup(target.Close)
	for _, status := range []int{301, 302, 307, 308} {
		p := fake(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL+r.URL.Path,
				status)
		})
		for what, do := range oneEach(p) {
			err := do(within(t, time.Minute))
			wantKind(t, err, state.ErrorUnreachable, testToken)
			if err == nil || !strings.Contains(err.Error(), "redirect") {
				t.Errorf("%d %s: %v", status, what, err)
			}
		}
	}
	if n.Load() != 0 {
		t.Errorf("%d requests followed a redirect", n.Load())
	}
}

// TestOneWrite: writes wait for each other, reads do not wait for them.
func TestOneWrite(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	begun, end := make(chan struct{}, 8), make(chan struct{})
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answers(200, `{"youare":{"attrs":{"spn":["a@idm.example.test"]}}}`)(w, r)
			return
		}
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		begun <- struct{}{}
		<-end
		now.Add(-1)
		io.WriteString(w, "null")
	})
	errs := make(chan error)
	for range 8 {
		go func() { errs <- deleteGroup(p, context.Background()) }()
	}
	<-begun
	if _, err := p.Whoami(within(t, time.Minute)); err != nil {
		t.Errorf("a read beside a write: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := deleteGroup(p, ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted write that waits: %v", err)
	}
	close(end)
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d writes at a time", most.Load())
	}
}

// TestOrder: the primary address comes first, whatever the order.
func TestOrder(t *testing.T) {
	t.Parallel()
	p := fake(t, answers(200, `{"schemas":[],"totalResults":2,"resources":[
		{"id":"a0000000-0000-4000-8000-000000000001","name":"a","displayname":"A",
			"account_expire":"2999-01-01T00:00:00Z","newer":{"deep":[1]},
			"mail":[{"value":"x@x.test"},{"primary":true,"value":"y@x.test"}]},
		{"id":"a0000000-0000-4000-8000-000000000002","name":"b","account_expire":"2020-01-01T00:00:00Z"}]}`))
	var got []providers.Person
	for person, err := range p.Directory().Persons(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, person)
	}
	want := []providers.Person{
		{
			ID: uuid.MustParse("a0000000-0000-4000-8000-000000000001"), Name: "a", Display: "A",
			Mails: []string{"y@x.test", "x@x.test"},
		},
		{ID: uuid.MustParse("a0000000-0000-4000-8000-000000000002"), Name: "b", Expired: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// deleteGroup is a write like any other.
func deleteGroup(p *Provider, ctx context.Context) error {
	return p.Accounts().DeleteObject(ctx, state.KindGroup, uuid.New(), nil)
}
