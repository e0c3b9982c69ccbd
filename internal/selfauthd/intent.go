package selfauthd

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	shortestIntent = 300 * time.Second
	usualIntent    = time.Hour
	longestIntent  = 24 * time.Hour
)

// intent allows whoever has its token to set the credentials of a person, once.
type intent struct {
	Until   int64     `json:"until"`
	Session uuid.UUID `json:"session"`        // that it is in use by; only it may end it
	Used    bool      `json:"used,omitempty"` // for good
}

func (q *request) mayReset(e *entry) bool {
	c := q.caller
	if e.kind != person {
		return false
	}
	return c.in(idmPeopleAdmins) || c.e == e || (c.in(idmServiceDesk) || c.in(idmPeopleOnBoarding)) && !q.isHigh(e)
}

// resettable finds the person whose credentials a call is about; the order of its refusals is the real server's.
func (q *request) resettable() (*entry, *fault) {
	e, err := q.account()
	switch {
	case err != nil:
		return nil, err
	case q.caller.readOnly:
		return nil, accessDenied
	case e.kind == group:
		return nil, missingAccount
	case !q.mayReset(e):
		return nil, internal("notauthorised")
	}
	return e, nil
}

func (q *request) mintIntent() (any, *fault) {
	ttl := usualIntent
	if len(q.vars) > 1 {
		seconds, err := strconv.ParseUint(q.vars[1], 10, 64)
		if err != nil {
			return nil, &fault{status: http.StatusBadRequest, text: fmt.Sprintf("Invalid URL: Cannot parse value at index "+
				"1 with value `%s` to a `u64`", q.vars[1])}
		}
		ttl = time.Duration(min(seconds, uint64(longestIntent/time.Second))) * time.Second
	}
	e, fail := q.resettable()
	if fail != nil {
		return nil, fail
	}
	token, until := q.newIntent(e, ttl)
	return map[string]any{"token": token, "expiry_time": until}, nil
}

// newIntent adds an intent to a person, and forgets those that have expired.
func (q *request) newIntent(e *entry, ttl time.Duration) (token string, until int64) {
	now := q.s.o.Now()
	until = now.Add(max(ttl, shortestIntent)).Unix()
	c := e.part()
	if c.intents == nil {
		c.intents = map[string]*intent{}
	}
	for t, i := range c.intents {
		if i.Until <= now.Unix() {
			delete(c.intents, t)
			delete(q.store.byIntent, t)
		}
	}
	secret := newSecret()
	token = strings.Join([]string{secret[:5], secret[5:10], secret[10:15], secret[15:20]}, "-")
	c.intents[token] = &intent{Until: until}
	q.store.byIntent[token] = e
	q.work.minted++
	q.store.touch(e)
	return token, until
}

// sendIntent has an intent sent by mail, which is Options.Deliver's.
func (q *request) sendIntent() (any, *fault) {
	var in struct {
		TTL   *uint64 `json:"ttl"`
		Email *string `json:"email"`
	}
	if err := q.decode(&in, nil); err != nil {
		return nil, err
	}
	e, err := q.resettable()
	switch {
	case err != nil:
		return nil, err
	case len(e.mails) == 0:
		return nil, internal("cu0008accountmissingemail")
	case in.Email != nil && !slices.Contains(e.mails, *in.Email):
		return nil, internal("cu0007accountemailnotfound")
	}
	ttl := usualIntent
	if in.TTL != nil {
		ttl = time.Duration(min(*in.TTL, uint64(longestIntent/time.Second))) * time.Second
	}
	mail := e.mails[0]
	if in.Email != nil {
		mail = *in.Email
	}
	code, _ := q.newIntent(e, ttl)
	q.s.deliver(mail, code)
	return nil, nil
}

// exchangeIntent opens a session with an intent. One that is open already goes on, but cannot end well any more.
func (q *request) exchangeIntent() (any, *fault) {
	var token string
	if err := q.decode(&token, nil); err != nil {
		return nil, err
	}
	now := q.s.o.Now()
	e := q.store.byIntent[token]
	if e == nil || e.recycled || e.cred.intents[token] == nil {
		// It may be on its way from another server, the real one says.
		return nil, &fault{status: http.StatusInternalServerError,
			body: map[string]int64{"wait": now.Add(150 * time.Second).Unix()}}
	}
	i := e.cred.intents[token]
	if i.Used || i.Until <= now.Unix() {
		return nil, sessionExpired
	}
	session, answer := q.open(e, token)
	i.Session = session
	q.store.touch(e)
	return answer, nil
}
