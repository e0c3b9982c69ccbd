package selfauthd

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// passkey is a made-up one: there is no device here, and no script in the pages that could ask one. A secret that the
// browser keeps stands for the device's key. It is taken wherever a passkey is, but for those with attestation.
type passkey struct {
	Tag string `json:"tag"`
	Sum []byte `json:"sum"` // SHA-256 of the secret
}

func sumOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func (p passkey) check(secret string) bool {
	return subtle.ConstantTimeCompare(p.Sum, sumOf(secret)) == 1
}

// passkeyIDs are those of an account, sorted.
func (c *credPart) passkeyIDs() []uuid.UUID {
	if c == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(c.passkeys), compareIDs)
}

// addPasskey is {"passkeymadeup":["label","secret"]}, which a real server does not have: there the device's answer comes
// with "passkeyfinish".
func (q *request) addPasskey(u *update, in json.RawMessage) *fault {
	var pair []string
	switch {
	case u.policy.credentials >= credentialsAttest:
		return accessDenied
	case json.Unmarshal(in, &pair) != nil || len(pair) != 2 || len(pair[1]) < 16:
		return wrongShape("expected a label and a secret")
	}
	for _, p := range u.passkeys {
		if p.Tag == pair[0] {
			return invalidState
		}
	}
	u.passkeys = cloneMap(u.passkeys)
	u.passkeys[uuid.New()] = passkey{pair[0], sumOf(pair[1])}
	return nil
}

func (q *request) removePasskey(u *update, in json.RawMessage) *fault {
	var id uuid.UUID
	if json.Unmarshal(in, &id) != nil {
		return wrongShape("expected a UUID")
	}
	u.passkeys = cloneMap(u.passkeys)
	delete(u.passkeys, id)
	return nil
}

// details are passkeys as the status of a session shows them.
func passkeyDetails(m map[uuid.UUID]passkey) []any {
	list := []any{}
	for _, id := range slices.SortedFunc(maps.Keys(m), compareIDs) {
		list = append(list, map[string]any{"uuid": id, "tag": m[id].Tag})
	}
	return list
}

// setPasskeys replaces the passkeys of an account; whoever is logged in with one that is gone is out.
func (c *credPart) setPasskeys(m map[uuid.UUID]passkey) {
	for _, u := range c.sessions {
		_, had := c.passkeys[u.Credential]
		_, has := m[u.Credential]
		u.Revoked = u.Revoked || had && !has
	}
	c.passkeys = m
}
