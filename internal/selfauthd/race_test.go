package selfauthd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestEverythingAtOnce lists, makes tokens and writes at the same time; what it proves is seen by the race detector.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.accounts()
	idmAdmin, _ := a.s.Passwords()
	idm := a.login("idm_admin", idmAdmin)
	const tokens = "/v1/service_account/anthill_svc/_api_token"
	var short string // looked for among all accounts
	if err := json.Unmarshal(a.must("POST", tokens, idm, tokenRequest{Label: "short", ReadWrite: true, Compact: true}), &short); err != nil {
		t.Fatal(err)
	}
	call := func(method, path, token string, body any) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(mustMarshal(body)))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if a.s.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	list := func(int, int) {
		call("GET", "/scim/v1/Entry?sortBy=name&attributes=name,member,memberof,mail", short, nil)
	}
	tell := func(int, int) { call("POST", tokens, idm, tokenRequest{Label: "x"}) }
	write := func(worker, i int) {
		name := fmt.Sprintf("p%d-%d", worker, i)
		call("POST", "/v1/person", short, newPersonBody(name))
		call("POST", "/v1/group/idm_service_desk/_attr/member", idm, []string{name})
		call("PATCH", "/v1/person/"+name, short, map[string]any{"attrs": map[string][]string{"mail": {name + "@x.test"}}})
		call("DELETE", "/v1/person/"+name, short, nil)
	}
	var wg sync.WaitGroup
	for worker := range 3 {
		for _, do := range []func(worker, i int){list, tell, write} {
			wg.Go(func() {
				for i := range 20 {
					do(worker, i)
				}
			})
		}
	}
	wg.Wait()
}
