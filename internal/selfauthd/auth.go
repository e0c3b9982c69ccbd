package selfauthd

import (
	"crypto/subtle"
	"encoding/json"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	authSessionFor = 300 * time.Second
	loginFor       = time.Hour
	sessionHeader  = "X-KANIDM-AUTH-SESSION-ID"
)

// sessions are logins under way, and logins that were ended.
type sessions struct {
	mu    sync.Mutex
	steps map[uuid.UUID]*login
	ended map[uuid.UUID]bool
}

type login struct {
	account uuid.UUID
	since   time.Time
	begun   bool
}

func newSessions() sessions {
	return sessions{steps: map[uuid.UUID]*login{}, ended: map[uuid.UUID]bool{}}
}

// session is the payload of a login's token.
type session struct {
	SessionID uuid.UUID `json:"session_id"`
	Account   uuid.UUID `json:"uuid"`
	IssuedAt  int64     `json:"issued_at"`
	Expiry    int64     `json:"expiry"`
	Purpose   any       `json:"purpose"`
}

func (q *request) login(p session) (*caller, *fault) {
	q.s.sessions.mu.Lock()
	ended := q.s.sessions.ended[p.SessionID]
	q.s.sessions.mu.Unlock()
	e := q.store.byID[p.Account]
	if e == nil || ended || p.Expiry <= q.s.o.Now().Unix() {
		return nil, sessionExpired
	}
	return &caller{e: e, session: p.SessionID}, nil
}

// auth is one step of a login (selfauth-api 3.1), of the built-in accounts with their passwords.
func (q *request) auth() (any, *fault) {
	var in struct {
		Step struct {
			Init  *string `json:"init"`
			Init2 *struct {
				Username string `json:"username"`
			} `json:"init2"`
			Begin *string                    `json:"begin"`
			Cred  map[string]json.RawMessage `json:"cred"`
		} `json:"step"`
	}
	if err := q.decode(&in, nil); err != nil {
		return nil, err
	}
	s := &q.s.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	name := in.Step.Init
	if in.Step.Init2 != nil {
		name = &in.Step.Init2.Username
	}
	if name != nil {
		return q.authInit(*name)
	}
	id, l := q.authStep()
	if l == nil {
		return nil, internal("invalidsessionstate")
	}
	state := func(v any) (any, *fault) { return map[string]any{"sessionid": id, "state": v}, nil }
	switch {
	case in.Step.Begin != nil:
		l.begun = true
		q.w.Header().Set(sessionHeader, q.s.keys.sign(id))
		return state(map[string]any{"continue": []string{"password"}})
	case in.Step.Cred == nil || !l.begun:
		return nil, internal("invalidsessionstate")
	}
	delete(s.steps, id)
	var given string
	_ = json.Unmarshal(in.Step.Cred["password"], &given)
	e := q.store.byID[l.account]
	if e == nil || e.account == nil || e.account.password == "" || subtle.ConstantTimeCompare([]byte(given), []byte(e.account.password)) != 1 {
		return state(map[string]any{"denied": "incorrect password"})
	}
	now := q.s.o.Now()
	return state(map[string]any{"success": q.s.keys.sign(session{SessionID: uuid.New(), Account: e.id, IssuedAt: now.Unix(), Expiry: now.Add(loginFor).Unix(),
		Purpose: map[string]any{"readwrite": map[string]any{"expiry": now.Add(loginFor).Unix()}}})})
}

func (q *request) authInit(name string) (any, *fault) {
	e := q.store.resolve(name)
	if e == nil || e.kind == group {
		return nil, noMatching
	}
	id := uuid.New()
	q.s.sessions.steps[id] = &login{account: e.id, since: q.s.o.Now()}
	q.w.Header().Set(sessionHeader, q.s.keys.sign(id))
	return map[string]any{"sessionid": id, "state": map[string]any{"choose": []string{"password"}}}, nil
}

func (q *request) authStep() (uuid.UUID, *login) {
	payload, ok := q.s.keys.open(q.r.Header.Get(sessionHeader))
	var id uuid.UUID
	if !ok || json.Unmarshal(payload, &id) != nil {
		return id, nil
	}
	l := q.s.sessions.steps[id]
	if l == nil || q.s.o.Now().Sub(l.since) > authSessionFor {
		return id, nil
	}
	return id, l
}

func (q *request) logout() (any, *fault) {
	q.s.sessions.mu.Lock()
	defer q.s.sessions.mu.Unlock()
	q.s.sessions.ended[q.caller.session] = q.caller.session != uuid.Nil
	return nil, nil
}

func (q *request) self() (any, *fault) {
	return map[string]any{"youare": q.store.view(q.caller.e, func(string) bool { return true })}, nil
}

func (q *request) uat() (any, *fault) {
	if q.caller.session == uuid.Nil {
		return nil, notAuthenticated
	}
	e := q.caller.e
	return map[string]any{"session_id": q.caller.session, "uuid": e.id, "displayname": e.display, "spn": q.store.spn(e), "mail_primary": nil,
		"purpose": map[string]any{"readwrite": map[string]any{"expiry": nil}}, "ui_hints": []string{}}, nil
}
