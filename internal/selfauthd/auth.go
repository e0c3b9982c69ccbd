package selfauthd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	authSessionFor = 300 * time.Second
	longestRights  = time.Hour // of a login that may write at once
	sessionHeader  = "X-KANIDM-AUTH-SESSION-ID"
)

// logins are logins under way; the store's lock guards them. They end with the process.
type logins struct {
	steps map[uuid.UUID]*login
	locks map[uuid.UUID]*softLock // by credential
}

func newLogins() logins {
	return logins{steps: map[uuid.UUID]*login{}, locks: map[uuid.UUID]*softLock{}}
}

// login is one login under way.
type login struct {
	account    uuid.UUID
	since      time.Time
	privileged bool
	again      *uat     // the login that is to get its rights back; nil: a new one
	wants      []string // the credentials still to come, once it has begun
	done       bool
	passkey    uuid.UUID // that it was done with; zero: none
}

// uat is the payload of a login's token, the server's UserAuthToken.
type uat struct {
	SessionID   uuid.UUID `json:"session_id"`
	IssuedAt    int64     `json:"issued_at"`
	Expiry      *int64    `json:"expiry"`
	Purpose     purpose   `json:"purpose"`
	Account     uuid.UUID `json:"uuid"`
	DisplayName string    `json:"displayname"`
	SPN         string    `json:"spn"`
	Mail        *string   `json:"mail_primary"`
	Hints       []string  `json:"ui_hints"`
	Results     *uint32   `json:"limit_search_max_results"`
	Tests       *uint32   `json:"limit_search_max_filter_test"`
}

// purpose is "readonly" or {"readwrite":{"expiry":...}}; without an expiry the rights want to be asked for first.
type purpose struct {
	readOnly bool
	until    *int64
}

type readWrite struct {
	Expiry *int64 `json:"expiry"`
}

// MarshalJSON writes one of the two forms.
func (p purpose) MarshalJSON() ([]byte, error) {
	if p.readOnly {
		return json.Marshal("readonly")
	}
	return json.Marshal(map[string]readWrite{"readwrite": {p.until}})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *purpose) UnmarshalJSON(b []byte) error {
	if p.readOnly = string(b) == `"readonly"`; p.readOnly {
		return nil
	}
	var in map[string]readWrite
	err := json.Unmarshal(b, &in)
	p.until = in["readwrite"].Expiry
	return err
}

// softLock slows down who tries passwords (docs/selfauth-facts.md F48).
type softLock struct {
	failures       int
	until, forgets time.Time
}

func (l *softLock) locked(now time.Time) bool { return l != nil && now.Before(l.until) }

func (l *softLock) fail(now time.Time) {
	if now.After(l.forgets) {
		l.failures = 0
	}
	l.failures++
	l.forgets = now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	switch {
	case l.failures < 3:
		l.until = now.Add(time.Second)
	case l.failures < 9:
		l.until = now.Add(3 * time.Second)
	case l.failures < 25:
		l.until = now.Add(5 * time.Second)
	case l.failures < 100:
		l.until = now.Add(10 * time.Second)
	default:
		l.until = l.forgets
	}
}

// authStep is what a request of the login says: one of the four.
type authStep struct {
	Init  *string `json:"init"`
	Init2 *struct {
		Username   string `json:"username"`
		Privileged bool   `json:"privileged"`
	} `json:"init2"`
	Begin *string         `json:"begin"`
	Cred  json.RawMessage `json:"cred"`
}

var mechanisms = []string{"anonymous", "password", "passwordbackupcode", "passwordmfa", "passwordsecuritykey",
	"passkey", "oauth2trust"}

func (q *request) readStep() (in authStep, err *fault) {
	var body struct {
		Step map[string]json.RawMessage `json:"step"`
	}
	err = q.decode(&body, func() string {
		if body.Step == nil {
			return "step"
		}
		return ""
	})
	if err != nil {
		return in, err
	}
	for name := range body.Step {
		if !slices.Contains([]string{"init", "init2", "begin", "cred"}, name) {
			return in, wrongShape(fmt.Sprintf("step: unknown variant `%s`", name))
		}
	}
	if len(body.Step) == 0 {
		return in, &fault{status: http.StatusBadRequest, text: "Failed to parse the request body as JSON: step: " +
			"expected value"}
	}
	if json.Unmarshal(mustMarshal(body.Step), &in) != nil {
		return in, wrongShape("step: another shape")
	}
	if in.Begin != nil && !slices.Contains(mechanisms, *in.Begin) {
		return in, wrongShape(fmt.Sprintf("step.begin: unknown variant `%s`", *in.Begin))
	}
	return in, nil
}

// auth is one step of a login (docs/selfauth-facts.md F46).
func (q *request) auth() (any, *fault) {
	in, err := q.readStep()
	switch {
	case err != nil:
		return nil, err
	case in.Init != nil:
		return q.authInit(*in.Init, false)
	case in.Init2 != nil:
		return q.authInit(in.Init2.Username, in.Init2.Privileged)
	}
	id, l := q.authLogin()
	if l == nil {
		text := "session id not present in cred to 'cred' step"
		if in.Begin != nil {
			text = "session id not present in cred presented to 'begin' step"
		}
		return nil, &fault{status: http.StatusInternalServerError, body: map[string]string{"invalidauthstate": text}}
	}
	if in.Begin != nil {
		return q.authBegin(id, l, *in.Begin)
	}
	return q.authCred(id, l, in.Cred)
}

func (q *request) authState(id uuid.UUID, name string, value any) (any, *fault) {
	q.w.Header().Set(sessionHeader, q.s.keys.sign(id))
	return map[string]any{"sessionid": id, "state": map[string]any{name: value}}, nil
}

func (q *request) authInit(name string, privileged bool) (any, *fault) {
	e := q.store.resolve(name)
	if e == nil || e.kind == group || e.kind == client {
		return nil, noMatching
	}
	id, now := uuid.New(), q.s.o.Now()
	how := e.mechanisms()
	switch {
	case e.expired(now):
		return q.authState(id, "denied", "account expired")
	case len(how) == 0:
		return q.authState(id, "denied", "invalid credential state")
	}
	for old, l := range q.s.logins.steps {
		if now.Sub(l.since) > authSessionFor {
			delete(q.s.logins.steps, old)
		}
	}
	q.s.logins.steps[id] = &login{account: e.id, since: now, privileged: privileged}
	return q.authState(id, "choose", how)
}

// mechanisms are the ways in which an account logs in.
func (e *entry) mechanisms() (ways []string) {
	if e.id == anonymous {
		return []string{"anonymous"}
	}
	if len(e.cred.passkeyIDs()) > 0 {
		ways = append(ways, byPasskey)
	}
	switch {
	case e.cred == nil || e.cred.primary == nil:
		return ways
	case len(e.cred.primary.TOTP) > 0:
		return append(ways, "passwordmfa")
	}
	return append(ways, "password")
}

const byPasskey = "passkey"

// expired says whether an account is outside of its time.
func (e *entry) expired(now time.Time) bool {
	return !e.expire.IsZero() && !e.expire.After(now) || e.valid.After(now)
}

func (q *request) authLogin() (uuid.UUID, *login) {
	payload, ok := q.s.keys.open(q.r.Header.Get(sessionHeader))
	var id uuid.UUID
	if !ok || json.Unmarshal(payload, &id) != nil {
		return id, nil
	}
	l := q.s.logins.steps[id]
	if l == nil || q.s.o.Now().Sub(l.since) > authSessionFor {
		return id, nil
	}
	return id, l
}

var wrongStep = internal("au0001invalidstate")

// next are the credentials that a mechanism asks for, in order.
var next = map[string][]string{"anonymous": {"anonymous"}, "password": {"password"},
	"passwordmfa": {"totp", "password"}, byPasskey: {byPasskey}}

func (q *request) authBegin(id uuid.UUID, l *login, how string) (any, *fault) {
	e := q.store.byID[l.account]
	switch {
	case len(l.wants) > 0:
		return nil, &fault{status: http.StatusInternalServerError,
			body: map[string]string{"invalidauthstate": "session already finalised!"}}
	case l.done || e == nil || !slices.Contains(e.mechanisms(), how):
		l.done = true
		return nil, wrongStep
	case q.lockOf(e).locked(q.s.o.Now()):
		l.done = true
		return q.authState(id, "denied", "Account is temporarily locked")
	}
	l.wants = next[how]
	return q.authState(id, "continue", asked(e, l.wants[0]))
}

// asked is what a step asks for. Of a passkey it says which ones will do.
func asked(e *entry, what string) []any {
	if what != byPasskey {
		return []any{what}
	}
	allowed := []any{}
	for _, id := range e.cred.passkeyIDs() {
		allowed = append(allowed, map[string]any{"id": id, "type": "public-key"})
	}
	return []any{map[string]any{byPasskey: map[string]any{"publicKey": map[string]any{"allowCredentials": allowed}}}}
}

func (q *request) lockOf(e *entry) *softLock {
	if e.cred == nil || e.cred.primary == nil {
		return nil
	}
	return q.s.logins.locks[e.cred.primary.ID]
}

func (q *request) authCred(id uuid.UUID, l *login, in json.RawMessage) (any, *fault) {
	e := q.store.byID[l.account]
	if len(l.wants) == 0 || l.done || e == nil {
		return nil, wrongStep
	}
	name, argument, ok := variant(in)
	denial := ""
	switch {
	case !ok || name != l.wants[0]:
		denial = "invalid authentication method in this context"
	case q.lockOf(e).locked(q.s.o.Now()):
		denial = "Account is temporarily locked"
	case name != "anonymous":
		denial = q.authCheck(e, l, name, argument)
	}
	if denial != "" {
		l.done = true
		q.authFailed(e)
		return q.authState(id, "denied", denial)
	}
	if l.wants = l.wants[1:]; len(l.wants) > 0 {
		return q.authState(id, "continue", asked(e, l.wants[0]))
	}
	delete(q.s.logins.steps, id)
	return q.authState(id, "success", q.s.keys.session.sign("", q.session(e, l)))
}

// authCheck looks at one credential; "": it is right.
func (q *request) authCheck(e *entry, l *login, name string, in json.RawMessage) string {
	if name == byPasskey {
		var secret string
		if json.Unmarshal(in, &secret) == nil {
			for id, p := range e.cred.passkeys {
				if p.check(secret) {
					l.passkey = id
					return ""
				}
			}
		}
		return "webauthn authentication failed"
	}
	p := e.cred.primary
	if name == "totp" {
		var code uint32
		if json.Unmarshal(in, &code) == nil {
			for _, t := range p.TOTP {
				if t.check(code, q.s.o.Now()) {
					return ""
				}
			}
		}
		return "incorrect totp"
	}
	var password string
	if json.Unmarshal(in, &password) != nil || !p.check(password) {
		return "incorrect password"
	}
	return ""
}

func (q *request) authFailed(e *entry) {
	if e.cred == nil || e.cred.primary == nil {
		return
	}
	id := e.cred.primary.ID
	if q.s.logins.locks[id] == nil {
		q.s.logins.locks[id] = &softLock{}
	}
	q.s.logins.locks[id].fail(q.s.o.Now())
}

// session makes the token of a login, and its record (docs/selfauth-facts.md F47).
func (q *request) session(e *entry, l *login) uat {
	now := q.s.o.Now()
	p := q.store.policyOf(e)
	t := uat{SessionID: uuid.New(), IssuedAt: now.Unix(), Account: e.id, DisplayName: e.display, SPN: q.store.spn(e),
		Hints: []string{}, Results: p.results, Tests: p.tests}
	if len(e.mails) > 0 {
		t.Mail = &e.mails[0]
	}
	if e.kind == person {
		t.Hints = append(t.Hints, "credentialupdate")
	}
	if l.again != nil {
		t.SessionID, t.Expiry = l.again.SessionID, l.again.Expiry
		t.Purpose.until = new(now.Add(p.privilege).Unix())
		return t
	}
	record := &uses{Issued: now.Unix(), Scope: "readwrite"}
	until := now.Add(p.session)
	switch {
	case e.id == anonymous:
		t.Purpose.readOnly = true
	case l.privileged || e.cred.primary != nil && e.cred.primary.Generated:
		until = now.Add(min(p.session, longestRights))
		t.Purpose.until = new(until.Unix())
	default:
		record.Scope = "privilegecapable"
	}
	t.Expiry, record.Expiry = new(until.Unix()), until.Unix()
	if e.id == anonymous {
		return t // whose logins are nobody's
	}
	if record.Credential = l.passkey; l.passkey == uuid.Nil {
		record.Credential = e.cred.primary.ID
	}
	e.cred.record(t.SessionID, record)
	q.store.touch(e)
	return t
}

// login identifies the holder of a login's token.
func (q *request) login(t uat) (*caller, *fault) {
	e, now := q.store.byID[t.Account], q.s.o.Now().Unix()
	if e == nil || e.id != anonymous && !e.cred.live(t.SessionID, now) || t.Expiry != nil && *t.Expiry <= now {
		return nil, sessionExpired
	}
	c := &caller{e: e, session: &t, results: resultsOfLogin}
	c.readOnly = t.Purpose.readOnly || t.Purpose.until == nil || *t.Purpose.until <= now
	if t.Results != nil {
		c.results = int(*t.Results)
	}
	return c, nil
}

// again opens the steps that give a login its rights back.
func (q *request) again() (any, *fault) {
	var how string
	if err := q.decode(&how, nil); err != nil {
		return nil, err
	}
	if how != "token" && how != "cookie" {
		return nil, wrongShape(fmt.Sprintf("unknown variant `%s`, expected `token` or `cookie`", how))
	}
	t := q.caller.session
	switch {
	case t == nil:
		return nil, invalidState
	case q.caller.e.id == anonymous || q.caller.e.cred.sessions[t.SessionID].Scope != "privilegecapable":
		return nil, internal("sessionmaynotreauth")
	}
	id, now := uuid.New(), q.s.o.Now()
	if q.lockOf(q.caller.e).locked(now) {
		return q.authState(id, "denied", "Account is temporarily locked")
	}
	// With the credential that the login is of.
	e := q.caller.e
	ways := e.mechanisms()
	way := ways[len(ways)-1]
	if _, is := e.cred.passkeys[e.cred.sessions[t.SessionID].Credential]; is {
		way = byPasskey
	}
	l := &login{account: e.id, since: now, again: t, wants: next[way]}
	q.s.logins.steps[id] = l
	return q.authState(id, "continue", asked(e, l.wants[0]))
}

// logout ends a login.
func (q *request) logout() (any, *fault) {
	switch err := q.authenticate(); {
	case err == notAuthenticated: //nolint:errorlint // one of ours, never wrapped
		return nil, nil
	case err != nil:
		return nil, err
	case q.caller.session == nil:
		return nil, noMatching
	case q.caller.e.id == anonymous:
		return nil, nil
	}
	q.caller.e.cred.sessions[q.caller.session.SessionID].Revoked = true
	q.store.touch(q.caller.e)
	return nil, nil
}

func (q *request) self() (any, *fault) {
	return map[string]any{"youare": q.store.view(q.caller.e, q.sees(q.caller.e))}, nil
}

func (q *request) uat() (any, *fault) {
	if q.caller.session == nil {
		return nil, notAuthenticated
	}
	return q.caller.session, nil
}

// listSessions tells a person, and nobody else, where it is logged in.
func (q *request) listSessions() (any, *fault) {
	e, err := q.account()
	if err != nil {
		return nil, err
	}
	list := []any{}
	if e != q.caller.e || e.cred == nil {
		return list, nil
	}
	for id, u := range e.cred.sessions {
		var state any = map[string]int64{"expiresat": u.Expiry}
		if u.Revoked {
			state = "revoked"
		}
		list = append(list, map[string]any{"account_id": e.id, "session_id": id, "state": state, "issued_at": u.Issued,
			"purpose": u.Scope})
	}
	return list, nil
}

func (q *request) endSession() (any, *fault) {
	id, parseErr := uuid.Parse(q.vars[1])
	if parseErr != nil {
		return nil, &fault{status: http.StatusBadRequest, text: fmt.Sprintf("Invalid URL: Cannot parse `token_id` with "+
			"value `%s`: UUID parsing failed", q.vars[1])}
	}
	e, err := q.account()
	if err != nil {
		return nil, err
	}
	if e != q.caller.e || e.cred == nil || e.cred.sessions[id] == nil {
		return nil, noMatching
	}
	if q.caller.readOnly {
		return nil, accessDenied
	}
	e.cred.sessions[id].Revoked = true
	q.store.touch(e)
	return nil, nil
}
