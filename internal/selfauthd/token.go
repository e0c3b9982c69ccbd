package selfauthd

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
)

// keyring are the server's own keys.
type keyring struct {
	signer            // API tokens
	session clientKey // tokens of logins
	seal    clientKey // what it gives away to get it back
}

func newKeyring() keyring {
	return keyring{newSigner(), newKey(useES256, 0), newKey(useJWE, 0)}
}

// signer makes and checks compact JWS with HS256.
type signer struct {
	id  string
	key [32]byte
}

func newSigner() (s signer) {
	var id [6]byte
	rand.Read(id[:])
	s.id = hex.EncodeToString(id[:])
	rand.Read(s.key[:])
	return s
}

var b64 = base64.RawURLEncoding

func (s signer) sign(payload any) string {
	head := b64.EncodeToString(mustMarshal(map[string]string{"alg": "HS256", "kid": s.id})) + "." +
		b64.EncodeToString(mustMarshal(payload))
	return head + "." + b64.EncodeToString(s.mac(head))
}

func (s signer) mac(head string) []byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(head))
	return m.Sum(nil)
}

// open returns the payload of a token of ours.
func (s signer) open(token string) (payload []byte, ok bool) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 {
		return nil, false
	}
	sum, err := b64.DecodeString(token[cut+1:])
	if err != nil || !hmac.Equal(sum, s.mac(token[:cut])) {
		return nil, false
	}
	_, body, _ := strings.Cut(token[:cut], ".")
	payload, err = b64.DecodeString(body)
	return payload, err == nil
}

// apiToken is the record of an API token, and the payload of a full one.
type apiToken struct {
	AccountID uuid.UUID `json:"account_id"`
	TokenID   uuid.UUID `json:"token_id"`
	Label     string    `json:"label"`
	Expiry    *int64    `json:"expiry"`
	IssuedAt  int64     `json:"issued_at"`
	Purpose   string    `json:"purpose"`
}

type tokenRequest struct {
	Label     string `json:"label"`
	Expiry    *int64 `json:"expiry"`
	ReadWrite bool   `json:"read_write"`
	Compact   bool   `json:"compact"`
}

// issue makes a token of a service account.
func (s *Server) issue(e *entry, in tokenRequest) string {
	t := apiToken{AccountID: e.id, TokenID: uuid.New(), Label: in.Label, Expiry: in.Expiry, IssuedAt: s.o.Now().Unix(),
		Purpose: "readonly"}
	if in.ReadWrite {
		t.Purpose = "readwrite"
	}
	e.account.tokens[t.TokenID] = t
	s.store.touch(e)
	if in.Compact {
		return s.keys.sign(t.TokenID)
	}
	return s.keys.sign(t)
}

const grace = 300 * time.Second // a token without a record is taken for so long after its issue

// caller is who asks.
type caller struct {
	e        *entry
	readOnly bool
	session  *uat // of a login; nil: an API token
	results  int  // the most that a search may find; 0: no limit
	groups   map[uuid.UUID]bool
}

func (c *caller) in(n uint16) bool { return c.groups[system(n)] }

func (q *request) authenticate() *fault {
	token, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return notAuthenticated
	}
	c, err := q.identify(token)
	if err != nil {
		return err
	}
	if c.e.expired(q.s.o.Now()) {
		return sessionExpired
	}
	c.groups = map[uuid.UUID]bool{}
	for _, g := range q.store.memberOf(c.e) {
		c.groups[g.id] = true
	}
	q.caller = c
	return nil
}

func (q *request) identify(token string) (*caller, *fault) {
	if headOf(token).Kid == q.s.keys.session.ID {
		var t uat
		payload, ok := q.s.keys.session.verify(token)
		if !ok || json.Unmarshal(payload, &t) != nil {
			return nil, notAuthenticated
		}
		return q.login(t)
	}
	payload, ok := q.s.keys.open(token)
	if !ok {
		return nil, notAuthenticated
	}
	var id uuid.UUID
	if json.Unmarshal(payload, &id) == nil {
		return q.compact(id)
	}
	var t apiToken
	if err := json.Unmarshal(payload, &t); err != nil {
		return nil, notAuthenticated
	}
	e := q.store.byID[t.AccountID]
	if e == nil || e.account == nil {
		return nil, notAuthenticated
	}
	if _, there := e.account.tokens[t.TokenID]; !there && q.s.o.Now().Sub(time.Unix(t.IssuedAt, 0)) > grace {
		return nil, sessionExpired
	}
	return q.valid(e, t)
}

func (q *request) compact(id uuid.UUID) (*caller, *fault) {
	for _, e := range q.store.byID {
		if e.account != nil {
			if t, ok := e.account.tokens[id]; ok {
				return q.valid(e, t)
			}
		}
	}
	return nil, sessionExpired
}

func (q *request) valid(e *entry, t apiToken) (*caller, *fault) {
	if t.Expiry != nil && *t.Expiry <= q.s.o.Now().Unix() {
		return nil, sessionExpired
	}
	return &caller{e: e, readOnly: t.Purpose != "readwrite"}, nil
}
