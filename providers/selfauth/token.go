package selfauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"anthill/providers"
	"anthill/state"
)

// token is a bearer token and what it says of itself. It prints as a word, whatever the verb.
type token struct {
	secret  string
	writes  providers.WriteRight
	expires time.Time // zero: it does not say, or never
}

func (token) String() string   { return "(token)" }
func (token) GoString() string { return "(token)" }

// maxToken bounds a token file: no token is longer.
const maxToken = 16 << 10

// readTokenFile reads a token from a file that only its owner may read.
func readTokenFile(file string) (string, error) {
	bad := func(reason, cure string) (string, error) {
		return "", &state.Error{
			Kind: state.ErrorUnauthenticated, Side: side, Doing: "read the token file " + file, Reason: reason,
			Cure: cure,
		}
	}
	// A path that is no regular file could block or never end, and one that others can write is not a secret.
	info, err := os.Stat(file)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return bad(path.Err.Error(), cureFile)
	case err != nil:
		return bad("it cannot be read", cureFile)
	case !info.Mode().IsRegular():
		return bad("it is no regular file", cureFile)
	case info.Mode().Perm()&0o077 != 0:
		return bad(fmt.Sprintf("others than its owner may read or write it (mode %04o)", info.Mode().Perm()),
			"Take that away, and think of the token as known to them:\n\n    chmod 600 "+file)
	case info.Size() > maxToken:
		return bad("it is longer than any token", cureFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return bad("it cannot be read", cureFile)
	}
	return string(text), nil
}

func parseToken(text string) (token, error) {
	bad := func(reason string) (token, error) {
		return token{}, &state.Error{
			Kind: state.ErrorUnauthenticated, Side: side, Doing: "read the token", Reason: reason,
			Cure: "Set SELF_AUTH_ADMIN_TOKEN to an API token of Anthill's service account.",
		}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return bad("no token is given")
	}
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return bad("it holds white space or a character that no token has")
		}
	}
	t := token{secret: text}
	t.writes, t.expires = readPayload(text)
	return t, nil
}

// readPayload reads purpose and expiry from the middle part of a JWS (docs/selfauth-facts.md F10). A compact token has
// only an id there, and says nothing.
func readPayload(text string) (providers.WriteRight, time.Time) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return providers.WriteUnknown, time.Time{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return providers.WriteUnknown, time.Time{}
	}
	var payload struct {
		Purpose json.RawMessage `json:"purpose"`
		Expiry  *int64          `json:"expiry"`
	}
	if json.Unmarshal(raw, &payload) != nil {
		return providers.WriteUnknown, time.Time{}
	}
	var expires time.Time
	if payload.Expiry != nil {
		expires = time.Unix(*payload.Expiry, 0).UTC()
	}
	return readPurpose(payload.Purpose), expires
}

// readPurpose: API tokens have a word, a person's session an object. There an expiry of null means that the person
// must log in again before writing.
func readPurpose(raw json.RawMessage) providers.WriteRight {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch word {
		case "readwrite":
			return providers.WriteYes
		case "readonly", "synchronise":
			return providers.WriteNo
		}
		return providers.WriteUnknown
	}
	var session struct {
		ReadWrite *struct {
			Expiry *int64 `json:"expiry"`
		} `json:"readwrite"`
	}
	switch err := json.Unmarshal(raw, &session); {
	case err != nil || session.ReadWrite == nil:
		return providers.WriteUnknown
	case session.ReadWrite.Expiry == nil:
		return providers.WriteNo
	}
	return providers.WriteYes
}
