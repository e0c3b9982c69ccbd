package providertest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// slack is how far the server's clock and ours may be apart.
const slack = 2 * time.Minute

// enrolment: a one-time code lives as long as was asked for, is another one each time, opens a session in which the
// person's credentials are set, once, and shows itself to nobody who does not ask.
func enrolment(t *testing.T, r *run) {
	p, ctx := r.open(t), within(t)
	list := r.made(t, p.Accounts(), 2)
	p.Accounts().Taken()
	e := p.Enrolment()
	seen := map[string]bool{}
	var codes []providers.Code
	for _, life := range []time.Duration{providers.LeastLife, time.Hour, providers.MostLife} {
		code, err := e.Mint(ctx, list[0].ID, life)
		must(t, "make a code", err)
		if off := time.Until(code.Expires) - life; off.Abs() > slack {
			t.Errorf("a code for %s ends at %s, which is %s off", life, code.Expires, off)
		}
		if seen[code.Reveal()] || len(code.Reveal()) < 8 {
			t.Error("a code comes twice, or is no code")
		}
		seen[code.Reveal()] = true
		codes = append(codes, code)
	}
	calls, _ := p.Accounts().Taken()
	if len(calls) != len(codes) {
		t.Errorf("%d calls are recorded, want %d", len(calls), len(codes))
	}
	for _, code := range codes {
		asJSON, err := json.Marshal(map[string]any{"code": code})
		must(t, "write as JSON", err)
		type holder struct{ code providers.Code }
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", code, code, code, code, code, code),
			fmt.Sprintf("%+v %#v", holder{code}, holder{code}), fmt.Sprint(&code), fmt.Sprintf("%+v", calls), string(asJSON)} {
			for _, part := range []string{code.Reveal()[:8], code.Reveal()[8:]} {
				if strings.Contains(text, part) {
					t.Errorf("a code shows itself in %q", text)
				}
			}
		}
	}
	pages := e.Pages()
	if link := pages.WithCode(codes[0]); link != pages.Reset+"?token="+url.QueryEscape(codes[0].Reveal()) ||
		!strings.HasSuffix(pages.Reset, "/ui/reset") || !strings.HasSuffix(pages.Recover, "/ui/recover") {
		t.Errorf("pages %+v", pages)
	}

	// An earlier code stays good beside a later one, and one session of it at a time.
	r.exchange(t, codes[0], list[0].Name)
	r.exchange(t, codes[2], list[0].Name)

	must(t, "expire a person", p.Accounts().Expire(ctx, []uuid.UUID{list[1].ID}))
	code, err := e.Mint(ctx, list[1].ID, time.Hour)
	must(t, "make a code for an expired person", err)
	r.exchange(t, code, list[1].Name)
}

// exchange opens a session with a code, as nobody that the server knows, and wants it to be that person's.
func (r *run) exchange(t testing.TB, code providers.Code, name string) {
	t.Helper()
	status, answer, err := r.Do(within(t), "", "POST", "/v1/credential/_exchange_intent", code.Reveal())
	var pair []json.RawMessage
	var is struct {
		SPN string `json:"spn"`
	}
	if err != nil || status != fine || json.Unmarshal(answer, &pair) != nil || len(pair) != 2 ||
		json.Unmarshal(pair[1], &is) != nil || !strings.HasPrefix(is.SPN, name+"@") {
		t.Errorf("exchange a code: status %d, a session of %q, %v; want one of %s", status, is.SPN, err, name)
	}
}

// enrolmentRefusals: no code for a life that the server does not have, for nobody, and for who may not make one.
func enrolmentRefusals(t *testing.T, r *run) {
	p, ctx := r.open(t), within(t)
	list := r.made(t, p.Accounts(), 1)
	id := list[0].ID
	for _, life := range []time.Duration{0, -time.Hour, providers.LeastLife - time.Second, providers.MostLife + time.Second} {
		_, err := p.Enrolment().Mint(ctx, id, life)
		r.kind(t, fmt.Sprintf("make a code for %s", life), err, state.ErrorRefused)
	}
	_, err := p.Enrolment().Mint(ctx, uuid.New(), time.Hour)
	r.kind(t, "make a code for nobody", err, state.ErrorNotFound)
	for _, c := range []struct {
		what, token string
		want        state.ErrorKind
	}{
		{"a token to read only", r.Tokens.ReadOnly, state.ErrorDenied},
		{"rights over groups alone", r.Tokens.Groups, state.ErrorDenied},
		{"no rights", r.Tokens.None, state.ErrorDenied},
		{"rights over persons", r.Tokens.People, state.ErrorKindOf(nil)},
	} {
		if c.token == "" {
			continue
		}
		code, err := r.Open(t, c.token, r.name("own")).Enrolment().Mint(ctx, id, time.Hour)
		r.kind(t, "make a code with "+c.what, err, c.want)
		if (code.Reveal() != "") != (err == nil) {
			t.Errorf("make a code with %s: a code beside the error %v, or none at all", c.what, err)
		}
	}
}
