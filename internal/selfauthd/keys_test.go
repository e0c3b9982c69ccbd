package selfauthd

import (
	"encoding/hex"
	"testing"
	"time"
)

// TestKeyWrap is the example of RFC 3394, section 4.1.
func TestKeyWrap(t *testing.T) {
	t.Parallel()
	key, content := unhex(t, "000102030405060708090A0B0C0D0E0F"), unhex(t, "00112233445566778899AABBCCDDEEFF")
	wrapped := wrap(key, content)
	if got, want := hex.EncodeToString(wrapped), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if back, ok := unwrap(key, wrapped); !ok || string(back) != string(content) {
		t.Errorf("%x, %v", back, ok)
	}
	wrapped[3]++
	if _, ok := unwrap(key, wrapped); ok {
		t.Error("a changed one is taken")
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCodes are examples of RFC 6238, appendix B, by their last six digits.
func TestCodes(t *testing.T) {
	t.Parallel()
	sha1 := totp{Secret: []byte("12345678901234567890"), SHA1: true}
	sha256 := totp{Secret: []byte("12345678901234567890123456789012")}
	for at, want := range map[int64][2]uint32{59: {287082, 119246}, 1111111109: {81804, 84774}, 1234567890: {5924, 819424}} {
		if got := [2]uint32{sha1.code(time.Unix(at, 0)), sha256.code(time.Unix(at, 0))}; got != want {
			t.Errorf("at %d: %v, want %v", at, got, want)
		}
	}
}

func TestSealedTokensBelongToTheirKey(t *testing.T) {
	t.Parallel()
	a, b := newKey(useJWE, 0), newKey(useJWE, 0)
	token := a.seal("text")
	var got string
	if !a.open(token, &got) || got != "text" {
		t.Errorf("%q", got)
	}
	if b.open(token, &got) || a.open(token[:len(token)-2], &got) || a.open("a.b.c.d.e", &got) {
		t.Error("what is not ours is taken")
	}
}

func TestSoftLock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var l softLock
	for n := 1; n <= 100; n++ {
		l.fail(now)
		want := map[bool]time.Duration{n < 3: time.Second, n >= 3 && n < 9: 3 * time.Second, n >= 9 && n < 25: 5 * time.Second, n >= 25 && n < 100: 10 * time.Second, n == 100: 12 * time.Hour}[true]
		if got := l.until.Sub(now); got != want {
			t.Errorf("failure %d: locked for %v, want %v", n, got, want)
		}
	}
	if l.fail(now.Add(13 * time.Hour)); l.failures != 1 {
		t.Errorf("the next day begins with %d failures", l.failures)
	}
}

func TestURLsAreKeptInOneForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"HTTPS://A.B:443": "https://a.b/", "https://a.b:8443/x/../y": "https://a.b:8443/y", "https://a.b/ä": "https://a.b/%C3%A4", "custom+app://cb": "custom+app://cb",
		"https:///x": "https://x/", "http://[::1]/x": "http://[::1]/x", "mailto:a@b": "mailto:a@b", "https://a.b/x y": "https://a.b/x%20y", "https://a.b?q": "https://a.b/?q", "https://A.B/%7e": "https://a.b/%7e",
		"app:/cb": "app:/cb", "https://": "", "x": "", "not a url": ""} {
		if got, ok := parseURL(in); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", in, got, ok, want)
		}
	}
}
