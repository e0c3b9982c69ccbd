package selfauthd

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what authenticators of one kind compute
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

const sessionsKept = 48 // of one account

// credPart is what an account logs in with, and what follows from its logins.
type credPart struct {
	primary  *primary
	passkeys map[uuid.UUID]passkey // made-up ones
	plain    string                // the password of a built-in account, which who starts the server is told
	intents  map[string]*intent    // by token
	sessions map[uuid.UUID]*uses   // logins
	grants   map[uuid.UUID]*grant  // sessions of OAuth2 clients
	consents map[uuid.UUID]consent // by client
}

// consent are the scopes that a person has agreed to, sorted.
type consent []string

// uses is the record of a login.
type uses struct {
	Issued     int64     `json:"issued"`
	Expiry     int64     `json:"expiry"`
	Scope      string    `json:"scope"` // readonly, readwrite, privilegecapable
	Credential uuid.UUID `json:"credential"`
	Revoked    bool      `json:"revoked,omitempty"`
}

// grant is the record of a session at a client.
type grant struct {
	Client  uuid.UUID `json:"client"`
	Parent  uuid.UUID `json:"parent"` // the login that it came from
	Issued  int64     `json:"issued"` // its newest tokens
	Expiry  int64     `json:"expiry"`
	Revoked bool      `json:"revoked,omitempty"`
}

// primary is a password, with or without codes beside it. It is never changed.
type primary struct {
	ID        uuid.UUID       `json:"id"`
	Generated bool            `json:"generated,omitempty"`
	Salt      []byte          `json:"salt"`
	Hash      []byte          `json:"hash"` // of one round: these passwords guard nothing
	TOTP      map[string]totp `json:"totp,omitempty"`
}

func newPrimary(password string, generated bool) *primary {
	p := &primary{ID: uuid.New(), Generated: generated, Salt: make([]byte, 16)}
	rand.Read(p.Salt)
	p.Hash = p.digest(password)
	return p
}

func (p *primary) digest(password string) []byte {
	sum := sha256.Sum256(append(slices.Clone(p.Salt), password...))
	return sum[:]
}

func (p *primary) check(password string) bool {
	return subtle.ConstantTimeCompare(p.Hash, p.digest(password)) == 1
}

// detail is the credential as its status shows it.
func (p *primary) detail() any {
	if p == nil {
		return nil
	}
	var kind any = "Password"
	switch {
	case p.Generated:
		kind = "GeneratedPassword"
	case len(p.TOTP) > 0:
		kind = map[string]any{"PasswordMfa": []any{slices.Sorted(maps.Keys(p.TOTP)), []string{}, 0}}
	}
	return map[string]any{"uuid": p.ID, "type_": kind}
}

// totp makes codes that change with the time (RFC 6238).
type totp struct {
	Secret []byte `json:"secret"`
	SHA1   bool   `json:"sha1,omitempty"`
}

const totpStep = 30

func (t totp) code(at time.Time) uint32 {
	h := sha256.New
	if t.SHA1 {
		h = func() hash.Hash { return sha1.New() } //nolint:gosec // as above
	}
	m := hmac.New(h, t.Secret)
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(at.Unix()/totpStep))
	m.Write(count[:])
	sum := m.Sum(nil)
	return binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff % 1000000
}

// check allows for a code that was read a step ago.
func (t totp) check(code uint32, now time.Time) bool {
	return code == t.code(now) || code == t.code(now.Add(-totpStep*time.Second))
}

// part returns the credentials of an entry, to be written to.
func (e *entry) part() *credPart {
	if e.cred == nil {
		e.cred = &credPart{}
	}
	return e.cred
}

// setPrimary replaces the password of an account; whoever is logged in with the one before is out.
func (c *credPart) setPrimary(p *primary) {
	c.primary = p
	for _, u := range c.sessions {
		_, other := c.passkeys[u.Credential]
		u.Revoked = u.Revoked || !other && (p == nil || u.Credential != p.ID)
	}
}

// record keeps a login, and as many of the ones before as the server remembers.
func (c *credPart) record(id uuid.UUID, u *uses) {
	if c.sessions == nil {
		c.sessions = map[uuid.UUID]*uses{}
	}
	c.sessions[id] = u
	for len(c.sessions) > sessionsKept {
		delete(c.sessions, oldest(c.sessions, func(u *uses) int64 { return u.Issued }))
	}
}

func oldest[V any](m map[uuid.UUID]V, at func(V) int64) (id uuid.UUID) {
	first := true
	var best int64
	for k, v := range m {
		if t := at(v); first || t < best || t == best && compareIDs(k, id) < 0 {
			id, best, first = k, t, false
		}
	}
	return id
}

// live says whether a login counts at a moment.
func (c *credPart) live(id uuid.UUID, now int64) bool {
	if c == nil {
		return false
	}
	u := c.sessions[id]
	return u != nil && !u.Revoked && u.Expiry > now
}

// credentialAttributes are the attributes that show credentials, as /v1 does.
var credentialAttributes = map[string]func(*entry) []string{
	"primary_credential": func(e *entry) []string {
		if e.cred.primary == nil {
			return nil
		}
		return []string{"primary"}
	},
	// How a real server writes them has not been seen.
	"passkeys": func(e *entry) (out []string) {
		for _, id := range e.cred.passkeyIDs() {
			out = append(out, id.String()+": "+e.cred.passkeys[id].Tag)
		}
		return out
	},
	"pwd_changed_time": func(e *entry) []string {
		if e.cred.primary == nil || e.kind != person {
			return nil
		}
		return []string{"1970-01-01T00:00:00Z"} // what the real server says, whenever it was
	},
	"user_auth_token_session": func(e *entry) (out []string) {
		for _, id := range slices.SortedFunc(maps.Keys(e.cred.sessions), compareIDs) {
			u := e.cred.sessions[id]
			if u.Revoked {
				continue
			}
			out = append(out, fmt.Sprintf("%s: state: %s, issued at: %s, issued by: User - %s, credential id: %s, scope: %s",
				id, stamp(u.Expiry), stamp(u.Issued), e.id, u.Credential,
				map[string]string{"readonly": "ReadOnly", "readwrite": "ReadWrite",
					"privilegecapable": "PrivilegeCapable"}[u.Scope]))
		}
		return out
	},
}

func stamp(unix int64) string {
	return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05.0 -07:00:00")
}

// account finds what a path about credentials is about, whoever may see it.
func (q *request) account() (*entry, *fault) {
	e := q.store.resolve(q.vars[0])
	if e == nil {
		return nil, noMatching
	}
	return e, nil
}

var missingAccount = &fault{status: 500, body: map[string]string{"missingclass": "account"}}

// credentialStatus tells what an account logs in with.
func (q *request) credentialStatus() (any, *fault) {
	e, err := q.account()
	switch {
	case err != nil:
		return nil, err
	case !q.visible(e):
		return nil, noMatching
	case e.kind == group:
		return nil, missingAccount
	case !q.sees(e)("displayname"):
		return nil, &fault{status: 500, body: map[string]string{"missingattribute": "displayname"}}
	}
	creds := []any{}
	if e.cred != nil && e.cred.primary != nil && q.sees(e)("primary_credential") {
		creds = append(creds, e.cred.primary.detail())
	}
	if q.sees(e)("passkeys") {
		for _, id := range e.cred.passkeyIDs() {
			creds = append(creds, map[string]any{"uuid": id, "type_": map[string]any{"Passkey": []string{e.cred.passkeys[id].Tag}}})
		}
	}
	return map[string]any{"creds": creds}, nil
}

// generate gives a service account a random password.
func (q *request) generate() (any, *fault) {
	e := q.pick(serviceAccount)
	switch {
	case e == nil:
		return nil, noMatching
	case q.caller.readOnly || !q.manages(e):
		return nil, accessDenied
	}
	password := newSecret()
	e.part().setPrimary(newPrimary(password, true))
	q.store.touch(e)
	return password, nil
}
