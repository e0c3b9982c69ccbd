package selfauth

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// between stands between a client and its server: it sees each request, and may answer it itself.
type between struct {
	next http.RoundTripper
	see  func(*http.Request) *http.Response // nil: the server answers
}

func (b between) RoundTrip(req *http.Request) (*http.Response, error) {
	if answer := b.see(req); answer != nil {
		return answer, nil
	}
	return b.next.RoundTrip(req)
}

// meddled is a client of the emulator whose requests are seen on their way.
func meddled(t *testing.T, s server, see func(*http.Request) *http.Response) *Provider {
	t.Helper()
	p := s.open(t, s.rw)
	p.SetOwner(random(t))
	p.conn.client.Transport = between{p.conn.client.Transport, see}
	return p
}

func answer(status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"X-Kanidm-Version": {"1.10.5"}}, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(text)),
	}
}

func isCall(req *http.Request, method, part string) bool {
	return req.Method == method && strings.Contains(req.URL.Path, part)
}

// expired returns which of the persons are expired.
func expired(t *testing.T, p *Provider, ids []uuid.UUID) (list []uuid.UUID) {
	t.Helper()
	found, err := p.Accounts().Lookup(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Expired {
			list = append(list, f.ID)
		}
	}
	return list
}

// TestMeddledBetween: whatever becomes of the marker between marking and acting, those who are meant are reached, or the
// call does not say that it is done.
func TestMeddledBetween(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	for name, test := range map[string]struct {
		meddle func(t *testing.T, other *Provider, marker uuid.UUID, ids []uuid.UUID)
		notes  int
		absent int
	}{
		"deleted": {meddle: func(t *testing.T, other *Provider, marker uuid.UUID, _ []uuid.UUID) {
			must(t, other.Accounts().DeleteGroups(t.Context(), []uuid.UUID{marker}))
		}},
		"emptied": {meddle: func(t *testing.T, other *Provider, marker uuid.UUID, _ []uuid.UUID) {
			must(t, accounts{other.conn, other.now, &bulk{marker: marker, marked: true}}.emptyMarker(t.Context()))
		}},
		"half emptied": {meddle: func(t *testing.T, other *Provider, marker uuid.UUID, ids []uuid.UUID) {
			must(t, other.Accounts().RemoveMembers(t.Context(), providers.Members{Group: marker, Persons: ids[:20]}))
		}},
		"a person deleted": {absent: 1, meddle: func(t *testing.T, other *Provider, _ uuid.UUID, ids []uuid.UUID) {
			must(t, other.Accounts().Delete(t.Context(), ids[:1]))
		}},
		"somebody else put in": {notes: 1, meddle: func(t *testing.T, other *Provider, marker uuid.UUID, _ []uuid.UUID) {
			stranger := newPersons(t, other, 1)
			must(t, other.Accounts().Create(t.Context(), stranger))
			must(t, other.Accounts().AddMembers(t.Context(), marker, []uuid.UUID{stranger[0].ID}))
		}},
		"tidied by another process": {meddle: func(t *testing.T, other *Provider, _ uuid.UUID, _ []uuid.UUID) {
			must(t, other.Accounts().Tidy(t.Context()))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p, other *Provider
			var ids []uuid.UUID
			armed := false
			p = meddled(t, s, func(req *http.Request) *http.Response {
				if armed && isCall(req, http.MethodPost, "/v1/raw/modify") {
					armed = false
					test.meddle(t, other, p.bulk.marker, ids)
				}
				return nil
			})
			other = s.open(t, s.rw)
			other.SetOwner(p.bulk.owner)
			list := newPersons(t, p, 100)
			must(t, p.Accounts().Create(t.Context(), list))
			for _, one := range list {
				ids = append(ids, one.ID)
			}
			armed = true
			must(t, p.Accounts().Expire(t.Context(), ids))
			if got, want := len(expired(t, p, ids)), len(ids)-test.absent; got != want || armed {
				t.Errorf("%d persons are expired, want %d", got, want)
			}
			if _, notes := p.Accounts().Taken(); len(notes) != test.notes {
				t.Errorf("said: %v, want %d of it", notes, test.notes)
			}
			must(t, p.Accounts().Tidy(t.Context()))
		})
	}
}

// TestNotReached: where the server says that something is done, and it is not, the call is refused: for all of them
// together, so that the caller asks for fewer, and in the end for exactly those who were not reached.
func TestNotReached(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	var deaf uuid.UUID
	armed := false
	p := meddled(t, s, func(req *http.Request) *http.Response {
		if !armed || req.Method == http.MethodGet || strings.HasPrefix(req.URL.Path, "/v1/raw/search") {
			return nil
		}
		var body []byte
		if req.Body != nil {
			body, _ = io.ReadAll(req.Body)
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		marks := strings.HasSuffix(req.URL.Path, "/_attr/member")
		alone := bytes.Contains(body, []byte(deaf.String())) || strings.Contains(req.URL.Path, deaf.String())
		switch {
		case marks && alone: // the marker is filled without that person
			var members []string
			must(t, json.Unmarshal(body, &members))
			kept := encode(slices.DeleteFunc(members, func(id string) bool { return id == deaf.String() }))
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(kept)), int64(len(kept))
		case alone && !marks:
			return answer(http.StatusOK, "null")
		}
		return nil
	})
	list := newPersons(t, p, 40)
	must(t, p.Accounts().Create(t.Context(), list))
	var ids []uuid.UUID
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	deaf, armed = ids[3], true
	expire := func(some []uuid.UUID) error { return p.Accounts().Expire(t.Context(), some) }
	remove := func(some []uuid.UUID) error { return p.Accounts().Delete(t.Context(), some) }
	// Once more when nobody but the deaf one is left.
	for n, do := range []func([]uuid.UUID) error{expire, remove, expire, remove} {
		what := []string{"expire", "delete"}[n%2]
		for _, some := range [][]uuid.UUID{{deaf}, ids[:4], ids} {
			err := do(some)
			if state.ErrorKindOf(err) != state.ErrorRefused {
				t.Errorf("%s %d persons, of whom one is not reached: %v, want it refused", what, len(some), err)
			}
		}
		must(t, do(ids[4:10]))
	}
	armed = false
	if slices.Contains(expired(t, p, ids), deaf) {
		t.Error("the person was reached; this test proves nothing")
	}
}

// TestFewerFound: what a filter does not find is looked up alone, and counts as absent only while the token may see
// persons.
func TestFewerFound(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	blind, stripped := false, false
	p := meddled(t, s, func(req *http.Request) *http.Response {
		switch {
		case stripped && isCall(req, http.MethodGet, "/v1/self"):
			return answer(http.StatusOK, `{"youare":{"attrs":{"spn":["x@idm.example.test"]}}}`)
		case stripped && isCall(req, http.MethodGet, "/v1/person/"):
			return answer(http.StatusOK, "null")
		case blind && isCall(req, http.MethodPost, "/v1/raw/search"):
			return answer(http.StatusOK, `{"entries":[]}`)
		}
		return nil
	})
	list := newPersons(t, p, 3)
	must(t, p.Accounts().Create(t.Context(), list))
	ids := []uuid.UUID{list[0].ID, list[1].ID, list[2].ID, uuid.New()}
	blind = true
	found, err := p.Accounts().Lookup(t.Context(), ids)
	if err != nil || len(found) != 3 {
		t.Errorf("look up three persons whom the filter does not find: %d, %v; want them", len(found), err)
	}
	must(t, p.Accounts().Expire(t.Context(), ids))
	if got := len(expired(t, p, ids)); got != 3 {
		t.Errorf("%d are expired, want 3", got)
	}
	stripped = true
	p.conn.rights.asked = p.conn.rights.asked.Add(-rightsFor)
	_, err = p.Accounts().Lookup(t.Context(), ids)
	wantKind(t, err, state.ErrorDenied)
	wantKind(t, p.Accounts().Enable(t.Context(), ids), state.ErrorDenied)
	blind, stripped = false, false
	p.conn.rights.asked = time.Time{}
}

// TestDeniedOfOne: what is denied while the token has its rights is refused of that entry, at the cost of one question
// for many; what is denied to the token stays denied.
func TestDeniedOfOne(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	const self = `{"youare":{"attrs":{"spn":["x@idm.example.test"],"memberof":["idm_group_admins@idm.example.test"]}}}`
	for name, test := range map[string]struct {
		self   *http.Response
		writes providers.WriteRight
		wrote  bool
		want   state.ErrorKind
		asked  int64
	}{
		"it has the right":        {nil, providers.WriteYes, false, state.ErrorRefused, 1},
		"it has that right alone": {answer(200, self), providers.WriteYes, false, state.ErrorRefused, 1},
		"it has lost it": {
			answer(200, strings.ReplaceAll(self, "group", "x")), providers.WriteYes, false, state.ErrorDenied, 1,
		},
		"it is known no more":           {answer(401, `"notauthenticated"`), providers.WriteYes, false, state.ErrorUnauthenticated, 500},
		"nobody knows if it may write":  {nil, providers.WriteUnknown, false, state.ErrorDenied, 0},
		"it does not say, and has done": {nil, providers.WriteUnknown, true, state.ErrorRefused, 1},
		"it may only read":              {nil, providers.WriteNo, false, state.ErrorDenied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			var text []byte
			status := 0
			if test.self != nil {
				text, _ = io.ReadAll(test.self.Body)
				status = test.self.StatusCode
			}
			p := meddled(t, s, func(req *http.Request) *http.Response {
				switch {
				case isCall(req, http.MethodGet, "/v1/self"):
					asked.Add(1)
					if status != 0 {
						return answer(status, string(text))
					}
				case req.Method == http.MethodPost:
					return answer(http.StatusForbidden, `"accessdenied"`)
				}
				return nil
			})
			p.conn.token.writes = test.writes
			p.conn.wrote.Store(test.wrote)
			for range 500 {
				err := p.accounts().members(t.Context(), http.MethodPost, "add", uuid.New(), []uuid.UUID{uuid.New()})
				if got := state.ErrorKindOf(err); got != test.want {
					t.Fatalf("an error of kind %q (%v), want %q", got, err, test.want)
				}
			}
			// 500 refusals take a moment or two.
			if got := asked.Load(); got > test.asked+5 || got < min(1, test.asked) {
				t.Errorf("asked %d times about the rights, want %d", got, test.asked)
			}
		})
	}
}

// TestBrokenGroup: one group that the server cannot show does not hide the others, and is not taken for an empty one.
func TestBrokenGroup(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	var broken uuid.UUID
	p := meddled(t, s, func(req *http.Request) *http.Response {
		lists := strings.Contains(req.URL.RawQuery, "group") || strings.Contains(req.URL.Path, broken.String())
		if isCall(req, http.MethodGet, "/scim/v1/Entry") && strings.HasSuffix(req.URL.RawQuery, ",member") && lists &&
			broken != uuid.Nil {
			return answer(http.StatusInternalServerError, `"invalidvaluestate"`)
		}
		return nil
	})
	list, one, two := newPersons(t, p, 2), newGroup(t, p), newGroup(t, p)
	must(t, p.Accounts().Create(t.Context(), list))
	must(t, p.Accounts().CreateGroups(t.Context(), []providers.NewGroup{one, two}))
	for _, g := range []uuid.UUID{one.ID, two.ID} {
		must(t, p.Accounts().AddMembers(t.Context(), g, []uuid.UUID{list[0].ID}))
	}
	before, err := p.Directory().Groups(t.Context())
	must(t, err)
	broken = one.ID
	after, err := p.Directory().Groups(t.Context())
	must(t, err)
	for i := range before {
		if before[i].ID == broken {
			before[i].Hidden, before[i].Members = true, nil
		}
	}
	if !slices.EqualFunc(before, after, func(a, b providers.Group) bool {
		return a.ID == b.ID && a.Hidden == b.Hidden && a.Place == b.Place && slices.Equal(a.Members, b.Members) &&
			a.Policy.Equal(b.Policy)
	}) {
		t.Errorf("groups, one of which cannot be shown: %+v\nwant %+v", after, before)
	}
	got, err := p.Accounts().Members(t.Context(), broken, []uuid.UUID{list[0].ID, list[1].ID})
	if err != nil || !slices.Equal(got, []uuid.UUID{list[0].ID}) {
		t.Errorf("members of a group that cannot be shown: %v, %v; want the one who says so", got, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
