package report

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Texts from outside stand in markdown within <code>, where GitHub and GitLab look for no mention, no issue, no emoji
// and no address, and every sign in them is an entity, so that no parser finds markup in them either.

const (
	codeOpen, codeClose = "<code>", "</code>"
	cutOff              = "…"
)

// code is a text from outside in markdown, at most so many characters of it; "" for "".
func code(s string, most int) string {
	if s == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(codeOpen)
	// Escaping makes nothing shorter, so what lies far behind the cut need not be looked at.
	if len(s) > 8*most {
		s = s[:8*most]
	}
	for _, r := range shortened(Escape(s), most) {
		b.WriteString(entity(r))
	}
	b.WriteString(codeClose)
	return b.String()
}

// shortened is at most so many characters of a text; where some are left out, the last one says so.
func shortened(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n == most {
			if rest := []rune(s[i:]); len(rest) > 1 {
				return s[:i] + cutOff
			}
			return s
		}
	}
	return s
}

func entity(r rune) string {
	switch {
	case r == ' ' || unicode.IsLetter(r) || r >= '0' && r <= '9':
		return string(r)
	case r == '@':
		// Parsers look for addresses when entities are letters again, and take code that is written as HTML for text. A
		// comment parts the name from the sign.
		return "<!-- -->&#64;"
	}
	return "&#" + strconv.Itoa(int(r)) + ";"
}

// clip is at most so many bytes of a sentence, with what it holds from outside whole or left out.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := 0
	for end < len(s) {
		next := end + 1
		if strings.HasPrefix(s[end:], codeOpen) {
			next = end + strings.Index(s[end:], codeClose) + len(codeClose)
		}
		if next > most-len(" "+cutOff) {
			break
		}
		end = next
	}
	return strings.TrimSpace(strings.ToValidUTF8(s[:end], "")) + " " + cutOff
}

// marker is the first line of a markdown form, by which a script finds the comment about an environment again.
func marker(environment string) string {
	var b strings.Builder
	last := ' '
	name := shortened(Escape(environment), 60)
	if name != Escape(environment) { // others may begin alike
		name += fmt.Sprintf(" %x", sha256.Sum256([]byte(environment)))[:9]
	}
	for _, r := range name {
		// A comment ends at two dashes.
		if plain := r == '_' || r == '.' || r == '-' && last != '-'; plain {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.TrimPrefix(entity(r), "<!-- -->"))
		}
		last = r
	}
	return "<!-- anthill plan: " + b.String() + " -->"
}
