// Package providertest is the written meaning of a Self-auth provider: the suite that every client passes on every
// server, and the names that plans make of users. It knows the provider by the interfaces of package providers alone;
// what it asks of the server beside it, it asks through Server.Do.
package providertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Provider is what is tested. What an account may not read looks to it as if it were not there: absence means something
// only where Whoami says that the account has the right.
type Provider interface {
	Whoami(ctx context.Context) (providers.Identity, error)
	Directory() providers.Directory
	Accounts() providers.Accounts
	Enrolment() providers.Enrolment
}

// Server is a Self-auth server, and how it is reached.
type Server struct {
	// Open opens a provider with a token. What the provider makes for its own use has owner in its name.
	Open   func(t testing.TB, token, owner string) Provider
	Tokens Tokens
	// Do makes a request of the API beside the provider; in is sent as JSON, nil: nothing.
	Do func(ctx context.Context, token, method, path string, in any) (status int, answer []byte, err error)
	// Protect makes a group one that Self-auth protects, as its administrator can, or takes that back; nil: nobody here
	// can, and what needs it is skipped.
	Protect func(t testing.TB, group uuid.UUID, protected bool)
	// Known are shortcomings that are known, by what the suite calls the case, and why they are there. They are logged
	// and fail nothing.
	Known map[string]string
}

// Tokens are those of service accounts: with every right that Anthill needs, to write and to read only; with the rights
// over persons alone, over groups alone, over both and nothing else, and with none. All but the first may be empty: what
// needs them is skipped.
type Tokens struct{ ReadWrite, ReadOnly, People, Groups, Both, None string }

// Run runs the suite, part after part in no order: the server takes one write at a time anyway. All that it makes has a
// name that no other run has, or an id that is noted, and is deleted in the end, also after a failure.
func Run(t *testing.T, s Server) {
	r := &run{Server: s, prefix: "pt" + random(t), noted: map[uuid.UUID]bool{}}
	t.Cleanup(func() { r.cleanUp(t) })
	for name, test := range map[string]func(*testing.T, *run){
		"groups":                     groups,
		"groups: refusals":           groupRefusals,
		"groups: members":            members,
		"groups: strangers":          strangers,
		"groups: places":             places,
		"groups: foreign":            foreignGroup,
		"groups: made together":      createdGroups,
		"groups: deleted together":   deletedGroups,
		"groups: left together":      leftGroups,
		"kinds: attributes":          roundTrips,
		"policies":                   policies,
		"policies: refusals":         policyRefusals,
		"policies: attestation":      attestation,
		"clients: confidential":      func(t *testing.T, r *run) { clients(t, r, "confidential") },
		"clients: public":            func(t *testing.T, r *run) { clients(t, r, "public") },
		"clients: maps":              clientMaps,
		"clients: refusals":          clientRefusals,
		"clients: foreign":           foreignClient,
		"clients: deleted, revived":  revivedClient,
		"clients: redirects":         redirects,
		"persons: created, listed":   persons,
		"persons: refused, whole":    refusedPersons,
		"persons: expired, enabled":  expiredPersons,
		"persons: deleted, revived":  revivedPersons,
		"persons: readdressed":       readdressed,
		"persons: foreign":           foreignPerson,
		"many: 1":                    func(t *testing.T, r *run) { many(t, r, 1) },
		"many: 30":                   func(t *testing.T, r *run) { many(t, r, 30) },
		"many: 31":                   func(t *testing.T, r *run) { many(t, r, 31) },
		"many: 500":                  func(t *testing.T, r *run) { many(t, r, 500) },
		"many: none":                 none,
		"many: two at once":          twoAtOnce,
		"many: a group among them":   groupAmongPersons,
		"enrolment":                  enrolment,
		"enrolment: refusals":        enrolmentRefusals,
		"calls":                      calls,
		"interrupted":                interrupted,
		"names in use":               otherNames,
		"names of plans":             names,
		"rights: to read only":       readOnly,
		"rights: over persons alone": func(t *testing.T, r *run) { lacking(t, r, r.Tokens.People, true, false) },
		"rights: over groups alone":  func(t *testing.T, r *run) { lacking(t, r, r.Tokens.Groups, false, true) },
		"rights: none":               func(t *testing.T, r *run) { lacking(t, r, r.Tokens.None, false, false) },
		"hidden: all rights":         func(t *testing.T, r *run) { hidden(t, r, r.Tokens.ReadWrite, false) },
		"hidden: no policies":        func(t *testing.T, r *run) { hidden(t, r, r.Tokens.Both, false) },
		"hidden: by way of another":  func(t *testing.T, r *run) { hidden(t, r, r.Tokens.ReadWrite, true) },
		"hidden: the marker":         hiddenMarker,
		"deleted: not let in":        deletedMember,
		"names: none can have":       oddNames,
	} {
		t.Run(name, func(t *testing.T) { test(t, r) })
	}
}

// run is one run of the suite.
type run struct {
	Server
	prefix  string // of all names
	counter atomic.Int64

	mu    sync.Mutex
	noted map[uuid.UUID]bool // persons with other names
}

func random(t testing.TB) string {
	t.Helper()
	var b [5]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

// name is a name that nothing has yet.
func (r *run) name(what string) string {
	return fmt.Sprintf("%s-%s-%d", r.prefix, what, r.counter.Add(1))
}

func (r *run) note(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted[id] = true
}

// open opens the provider with all rights, for one test.
func (r *run) open(t testing.TB) Provider {
	t.Helper()
	return r.Open(t, r.Tokens.ReadWrite, r.name("own"))
}

// within is a context that ends before a hanging test would.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// do makes a request beside the provider and wants 200.
func (r *run) do(t testing.TB, method, path string, in any) []byte {
	t.Helper()
	status, answer, err := r.Do(within(t), r.Tokens.ReadWrite, method, path, in)
	if err != nil || status != fine {
		t.Fatalf("%s %s beside the provider: status %d, %s, %v; want 200", method, path, status, answer, err)
	}
	return answer
}

const fine = 200 // the status of every answer that is none of an error

// attributes are those of an entry as /v1 shows them.
type attributes map[string][]string

type entry struct {
	Attrs attributes `json:"attrs"`
}

// entry is one as the server has it; nil: there is none.
func (r *run) entry(t testing.TB, path string) attributes {
	t.Helper()
	var e *entry
	if answer := r.do(t, "GET", path, nil); json.Unmarshal(answer, &e) != nil {
		t.Fatalf("GET %s beside the provider: %s; want an entry", path, answer)
	}
	if e == nil {
		return nil
	}
	return e.Attrs
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v; want no error", what, err)
	}
}

func same[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// known says whether a case that failed is a known shortcoming, and logs it then.
func (r *run) known(t testing.TB, what string, failed any) bool {
	t.Helper()
	why, known := r.Known[what]
	if known {
		t.Logf("known: %s: %s (%v)", what, why, failed)
	}
	return known
}

// kind checks an error's kind, and that it shows no secret.
func (r *run) kind(t testing.TB, what string, err error, want state.ErrorKind, secrets ...string) {
	t.Helper()
	if got := state.ErrorKindOf(err); got != want {
		t.Errorf("%s: an error of kind %q (%v); want %q", what, got, err, want)
	}
	if err == nil {
		return
	}
	for _, s := range append(secrets, r.Tokens.ReadWrite, r.Tokens.ReadOnly, r.Tokens.People, r.Tokens.Groups,
		r.Tokens.Both, r.Tokens.None) {
		if s != "" && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), s) {
			t.Errorf("%s: the error %q shows %q; want neither tokens nor values of users", what, err, s)
		}
	}
}

func byID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

func sorted(ids []uuid.UUID) []uuid.UUID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, byID)
	return ids
}

// cleanUp deletes what the run has made, and wants nothing of it to be left.
func (r *run) cleanUp(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	do := func(method, path string, in any) []byte {
		status, answer, err := r.Do(ctx, r.Tokens.ReadWrite, method, path, in)
		if err != nil || status != fine {
			t.Errorf("clean up: %s %s: status %d, %s, %v; want 200", method, path, status, answer, err)
		}
		return answer
	}
	left := func(path string) (names, ids []string) {
		var entries []entry
		if answer := do("GET", path, nil); json.Unmarshal(answer, &entries) != nil {
			t.Errorf("clean up: GET %s: %s; want entries", path, answer)
		}
		for _, e := range entries {
			name, id := e.Attrs["name"][0], e.Attrs["uuid"][0]
			if strings.Contains(name, r.prefix) || r.noted[uuid.MustParse(id)] {
				names, ids = append(names, name), append(ids, id)
			}
		}
		return names, ids
	}
	const people, crowds, apps = "/v1/person", "/v1/group", "/v1/oauth2"
	names, _ := left(apps)
	for _, n := range names {
		do("DELETE", apps+"/"+n, nil)
	}
	if _, ids := left(people); len(ids) > 0 {
		sweep := uuid.NewString()
		do("POST", crowds, entry{attributes{"uuid": {sweep}, "name": {r.name("sweep")}, "member": ids}})
		do("POST", "/v1/raw/delete", map[string]any{"filter": map[string]any{"and": []any{
			map[string]any{"eq": []string{"class", "person"}}, map[string]any{"eq": []string{"memberof", sweep}}}}})
	}
	_, ids := left(crowds)
	for _, id := range ids {
		do("DELETE", crowds+"/"+id, nil)
	}
	for _, path := range []string{apps, people, crowds} {
		if names, _ := left(path); len(names) > 0 {
			t.Errorf("clean up: %s still has %v; want none of this run", path, names)
		}
	}
}
