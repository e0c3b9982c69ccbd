package selfauth

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"anthill/internal/selfauthd"
	"anthill/state"
)

// TestMintIsSentOnce: where the answer is lost, a code may have been made, and is not asked for again by anybody: not by
// this client, and not by net/http, which sends a GET again that found its connection closed.
func TestMintIsSentOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	d, err := selfauthd.Start(selfauthd.Options{After: func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/_update_intent") && asked.Add(1) > 0
	}})
	must(t, err)
	t.Cleanup(func() { d.Close() })
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, d.CA(), 0o600))
	rw, _ := d.Operator()
	p := server{url: d.URL(), caFile: file}.open(t, rw)
	list := newPersons(t, p, 1)
	must(t, p.Accounts().Create(t.Context(), list)) // a connection is open now
	for n := range int64(3) {
		code, err := p.Enrolment().Mint(t.Context(), list[0].ID, time.Hour)
		wantKind(t, err, state.ErrorUnreachable)
		if got := asked.Load(); got != n+1 || code.Reveal() != "" {
			t.Fatalf("%d codes were made by %d calls", got, n+1)
		}
		must(t, p.Accounts().Readdress(t.Context(), list[0].ID, nil))
	}
}

// TestMintShowsNothing: whatever comes in place of a code, the error shows nothing of it.
func TestMintShowsNothing(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	const secret = "SeCreT-aBcDe"
	for name, text := range map[string]string{
		"cut":            `{"token":"` + secret,
		"another type":   `{"token":["` + secret + `"],"expiry_time":1893456000}`,
		"no expiry":      `{"token":"` + secret + `"}`,
		"signs of a URL": `{"token":"` + secret + `&x=/..","expiry_time":1893456000}`,
		"a text":         secret, "a word": `"` + secret + `"`, "null": `null`, "nothing": ``,
	} {
		p := meddled(t, s, func(req *http.Request) *http.Response {
			if isCall(req, http.MethodGet, "/_update_intent") {
				return answer(http.StatusOK, text)
			}
			return nil
		})
		code, err := p.Enrolment().Mint(t.Context(), newPersons(t, p, 1)[0].ID, time.Hour)
		if err == nil || code.Reveal() != "" {
			t.Errorf("%s: a code, and the error %v", name, err)
		}
		for _, said := range []string{fmt.Sprint(err), fmt.Sprintf("%+v %#v", err, err)} {
			if strings.Contains(said, secret[:6]) || strings.Contains(said, secret[7:]) {
				t.Errorf("%s: the error shows it: %s", name, said)
			}
		}
		calls, notes := p.Accounts().Taken()
		if said := fmt.Sprintf("%+v %+v", calls, notes); strings.Contains(said, secret[:6]) {
			t.Errorf("%s: what is recorded shows it: %s", name, said)
		}
	}
}
