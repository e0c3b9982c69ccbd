package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

const (
	maxName   = 64 // characters of a name in Self-auth (docs/selfauth-facts.md F18)
	hashLen   = 6  // hexadecimal digits that slug appends
	minSlug   = hashLen + 2
	nameSigns = "-_."
)

// Slug makes a part of a name from s. Where s has at most limit characters and consists of lower case ASCII letters,
// digits, "-", "_" and "." with a letter or digit first, it is returned as it is. Otherwise it is cleaned (letters
// without their accents, everything else a hyphen), cut, and carries a hyphen and six hexadecimal digits of SHA-256(s),
// so that two texts that look alike after cleaning stay two names. The result has at most limit characters; limit
// must be at least 8.
func Slug(s string, limit int) string {
	if len(s) <= limit && isSlug(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	hash := hex.EncodeToString(sum[:])[:hashLen]
	clean := fold(s)
	if keep := limit - hashLen - 1; len(clean) > keep {
		clean = strings.TrimRight(clean[:keep], nameSigns)
	}
	if clean == "" {
		return hash
	}
	return clean + "-" + hash
}

func isSlug(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || strings.IndexByte(nameSigns, c) < 0) {
			return false
		}
	}
	return s != ""
}

// fold turns a text into the letters, digits and signs of a name, with no sign at its ends.
func fold(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case r == 'đ': // no decomposition leads from it to a letter of ASCII
			r = 'd'
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.' {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	return strings.Trim(b.String(), nameSigns)
}

// nameProblem says why Self-auth would refuse a name (F18), "" if it would not. The name must be in
// lower case already, as Self-auth makes it.
func nameProblem(name string) string {
	if name == "" {
		return "is empty"
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z'
		if i == 0 && !letter {
			return fmt.Sprintf("begins with %q, not with a letter from a to z", r)
		}
		if !letter && (r < '0' || r > '9') && !strings.ContainsRune(nameSigns, r) {
			return fmt.Sprintf("holds %q: only a-z, 0-9, \"-\", \"_\" and \".\" are allowed", r)
		}
	}
	if len(name) > maxName {
		return fmt.Sprintf("has %d characters, at most %d are allowed", len(name), maxName)
	}
	if _, err := uuid.Parse(name); err == nil && len(name) == 36 {
		return "has the form of a UUID"
	}
	if name == "root" {
		return "is reserved"
	}
	return ""
}
