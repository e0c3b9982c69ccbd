package selfauth

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anthill/providers"
	"anthill/state"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		options Options
		origin  string
		kind    state.ErrorKind
		says    string
	}{
		"https": {Options{URL: "https://IDM.Example.test/", Token: "t"}, "https://idm.example.test", 0, ""},
		"own port": {Options{URL: "https://idm.example.test:443", Token: "t"}, "https://idm.example.test", 0,
			""},
		"port": {Options{URL: "https://idm.example.test:8443", Token: " t\n"},
			"https://idm.example.test:8443", 0, ""},
		"IPv6":          {Options{URL: "https://[::1]", Token: "t"}, "https://[::1]", 0, ""},
		"http loopback": {Options{URL: "http://127.0.0.1:8080", Token: "t"}, "http://127.0.0.1:8080", 0, ""},
		"http": {Options{URL: "http://idm.example.test", Token: "t"}, "", state.ErrorMissing,
			"loopback only"},
		"http lookalike": {Options{URL: "http://127.0.0.1.example.test", Token: "t"}, "", state.ErrorMissing,
			"loopback only"},
		"no URL": {Options{Token: "t"}, "", state.ErrorMissing, "no URL"},
		"user": {Options{URL: "https://u:s3cret@idm.example.test", Token: "t"}, "", state.ErrorMissing,
			"user name or password"},
		"path": {Options{URL: "https://idm.example.test/v1", Token: "t"}, "", state.ErrorMissing,
			"follows the host"},
		"not a URL":    {Options{URL: "https://s3cret\x7f", Token: "t"}, "", state.ErrorMissing, "not a URL"},
		"other scheme": {Options{URL: "ldap://idm.example.test", Token: "t"}, "", state.ErrorMissing, "https://"},
		"no token": {Options{URL: "https://idm.example.test", Token: " \n"}, "", state.ErrorUnauthenticated,
			"no token"},
		"two words": {Options{URL: "https://idm.example.test", Token: "s3cret token"}, "",
			state.ErrorUnauthenticated, "white space"},
		"line in it": {Options{URL: "https://idm.example.test", Token: "s3cret\r\nX: y"}, "",
			state.ErrorUnauthenticated, "white space"},
		"not ASCII": {Options{URL: "https://idm.example.test", Token: "s3crét"}, "", state.ErrorUnauthenticated,
			"no token has"},
		"no such file": {Options{URL: "https://idm.example.test", Token: "t", CAFile: filepath.Join(dir, "none")},
			"", state.ErrorMissing, "no such file"},
		"no certificates": {Options{URL: "https://idm.example.test", Token: "t", CAFile: text}, "", state.ErrorMissing,
			"PEM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Open(test.options)
			if test.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if p.Origin() != test.origin {
					t.Errorf("origin = %q, want %q", p.Origin(), test.origin)
				}
				return
			}
			wantKind(t, err, test.kind, "s3cret", "s3crét")
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	jws := func(payload string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".s"
	}
	tests := map[string]struct {
		token   string
		writes  providers.WriteRight
		expires string
	}{
		"api": {jws(`{"purpose":"readwrite","expiry":null}`), providers.WriteYes, ""},
		"api read only": {jws(`{"purpose":"readonly","expiry":1893456000}`), providers.WriteNo,
			"2030-01-01T00:00:00Z"},
		"session": {jws(`{"purpose":{"readwrite":{"expiry":1795594447}},"expiry":1795594447}`),
			providers.WriteYes, "2026-11-25T08:14:07Z"},
		"session, no more": {jws(`{"purpose":{"readwrite":{"expiry":null}}}`), providers.WriteNo, ""},
		"compact":          {"h.huYr8iRgQie-qoYBXWOVbQ.s", providers.WriteUnknown, ""},
		"other":            {jws(`{"purpose":7}`), providers.WriteUnknown, ""},
		"no JWS":           {"abc", providers.WriteUnknown, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseToken(test.token)
			if err != nil {
				t.Fatal(err)
			}
			expires := ""
			if !got.expires.IsZero() {
				expires = got.expires.Format(time.RFC3339)
			}
			if got.writes != test.writes || expires != test.expires {
				t.Errorf("writes %v, expires %q; want %v, %q", got.writes, expires, test.writes, test.expires)
			}
			if s := fmt.Sprintf("%v %+v %#v %s", got, got, got, got); strings.Contains(s, test.token) {
				t.Errorf("a token prints as %q", s)
			}
		})
	}
}
