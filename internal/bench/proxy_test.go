package main

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var (
	ann = uuid.MustParse("a0000000-0000-4000-8000-000000000001")
	bob = uuid.MustParse("a0000000-0000-4000-8000-000000000002")
	ops = uuid.MustParse("a0000000-0000-4000-8000-000000000003")
)

func TestIsWrite(t *testing.T) {
	t.Parallel()
	for call, want := range map[[2]string]bool{
		{"GET", "/v1/person"}:                 false,
		{"HEAD", "/status"}:                   false,
		{"POST", "/v1/raw/search"}:            false,
		{"POST", "/v1/auth"}:                  false,
		{"POST", "/v1/raw/create"}:            true,
		{"POST", "/v1/group/a/_attr/member"}:  true,
		{"PATCH", "/v1/person/ann"}:           true,
		{"PUT", "/v1/group/a/_attr/x"}:        true,
		{"DELETE", "/v1/group/a"}:             true,
		{"DELETE", "/v1/group/_attr/members"}: true,
	} {
		if got := isWrite(call[0], call[1]); got != want {
			t.Errorf("isWrite(%s %s) = %v, want %v", call[0], call[1], got, want)
		}
	}
}

func TestLongest(t *testing.T) {
	t.Parallel()
	notes := []note{{took: 9 * time.Second}, {took: 2 * time.Second}, {took: 3 * time.Second}, {took: time.Second}}
	for but, want := range map[int]time.Duration{0: 9 * time.Second, 1: 3 * time.Second, 3: time.Second, 4: 0, 10: 0} {
		if got := longest(notes, but); got != want {
			t.Errorf("the longest after the first %d = %v, want %v", but, got, want)
		}
	}
}

func TestCreated(t *testing.T) {
	t.Parallel()
	body := func(text string) []byte { return []byte(text) }
	one := func(id uuid.UUID) []byte { return body(`{"attrs":{"uuid":["` + id.String() + `"]}}`) }
	many := body(`{"entries":[{"attrs":{"uuid":["` + ann.String() + `"]}},{"attrs":{"uuid":["` + bob.String() + `"]}}]}`)
	groups := body(`{"entries":[{"attrs":{"class":["object","group"],"uuid":["` + ops.String() + `"]}}]}`)
	for name, c := range map[string]struct {
		note            note
		persons, groups []uuid.UUID
	}{
		"a person":        {note{path: "/v1/person", status: 200, body: one(ann)}, []uuid.UUID{ann}, nil},
		"a group":         {note{path: "/v1/group", status: 200, body: one(ops)}, nil, []uuid.UUID{ops}},
		"many":            {note{path: "/v1/raw/create", status: 200, body: many}, []uuid.UUID{ann, bob}, nil},
		"many groups":     {note{path: "/v1/raw/create", status: 200, body: groups}, nil, []uuid.UUID{ops}},
		"no answer":       {note{path: "/v1/person", body: one(ann)}, []uuid.UUID{ann}, nil},
		"refused":         {note{path: "/v1/person", status: 409, body: one(ann)}, nil, nil},
		"the id is taken": {note{path: "/v1/person", status: 500, body: one(ann)}, nil, nil},
		"no id":           {note{path: "/v1/person", status: 200, body: body(`{"attrs":{"name":["ann"]}}`)}, nil, nil},
		"another write":   {note{path: "/v1/group/x", status: 200}, nil, nil},
		"not JSON":        {note{path: "/v1/person", status: 200, body: body(`{`)}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			persons, groups := created([]note{c.note})
			if diff := cmp.Diff([][]uuid.UUID{c.persons, c.groups}, [][]uuid.UUID{persons, groups}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestProxy sends calls through it: they arrive as they were sent, answers come back, and writes alone are noted.
func TestProxy(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 10)
	behind := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		arrived <- r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Authorization") + " " + string(text)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write([]byte("null"))
	}))
	defer behind.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(behind.Certificate())
	p, err := startProxy(behind.URL, trusted)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := p.roots()
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(p.url, "secret", roots)
	person := entry{map[string][]string{"uuid": {ann.String()}}}
	var said []bool
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/person?x=a%20b", nil}, {"POST", "/v1/person", person}, {"POST", "/v1/raw/search", []int{1}},
		{"PATCH", "/v1/group/g", "x"}, {"DELETE", "/v1/group/g", nil},
	} {
		said = append(said, c.send(t.Context(), call.method, call.path, call.body) == nil)
	}
	c.close()
	if err := p.close(); err != nil {
		t.Error(err)
	}
	close(arrived)
	var calls []string
	for a := range arrived {
		calls = append(calls, a)
	}
	sent := `{"attrs":{"uuid":["` + ann.String() + `"]}}`
	want := []string{"GET /v1/person?x=a%20b Bearer secret ", "POST /v1/person Bearer secret " + sent,
		"POST /v1/raw/search Bearer secret [1]", `PATCH /v1/group/g Bearer secret "x"`, "DELETE /v1/group/g Bearer secret "}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("what arrived (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]bool{true, true, true, true, false}, said); diff != "" {
		t.Errorf("what was answered (-want +got)\n%s", diff)
	}
	notes := p.since(0)
	for i := range notes {
		if notes[i].took <= 0 {
			t.Errorf("%s took %v", notes[i].path, notes[i].took)
		}
		notes[i].took = 0
	}
	wantNotes := []note{{"POST", "/v1/person", 200, 0, []byte(sent)}, {"PATCH", "/v1/group/g", 200, 0, nil},
		{"DELETE", "/v1/group/g", 404, 0, nil}}
	if diff := cmp.Diff(wantNotes, notes, cmp.AllowUnexported(note{})); diff != "" {
		t.Errorf("what was noted (-want +got)\n%s", diff)
	}
	if after := p.since(2); len(after) != 1 || p.writes() != 3 {
		t.Errorf("%d writes, %d after the second", p.writes(), len(after))
	}
}

func TestJoins(t *testing.T) {
	t.Parallel()
	one, two := uuid.UUID{1}, uuid.UUID{2}
	g := groups{admins: map[uuid.UUID]uuid.UUID{one: {0xa1}, two: {0xa2}},
		users: map[uuid.UUID]uuid.UUID{one: {0xb1}, two: {0x02}}}
	got := g.joins([]user{{id: ann, tenant: one, admin: true}, {id: bob, tenant: two}, {id: ops, tenant: one}})
	want := []join{{uuid.UUID{0x02}, []uuid.UUID{bob}}, {uuid.UUID{0xa1}, []uuid.UUID{ann}},
		{uuid.UUID{0xb1}, []uuid.UUID{ann, ops}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(join{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://localhost:1": true, "https://127.0.0.1:1": true, "https://[::1]:1": true,
		"https://idm.example.com": false, "https://10.0.0.1": false, "https://localhost.example.com": false,
		"": false, "::": false,
	} {
		if got := loopbackOnly(address) == nil; got != want {
			t.Errorf("loopbackOnly(%q) allows = %v, want %v", address, got, want)
		}
	}
}
