package postgres

import (
	"regexp"
	"strings"
)

var (
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.:-]*://`)
	// What follows a question mark in a password, and the host behind it.
	hostInQuery = regexp.MustCompile(`@[^&]*/`)
)

// misread finds in the address of a database the character of a password, or role, that would end it as it is not
// percent-encoded: the rest would count as the host, which messages name. "": there is none. known is false for a URL of
// another scheme, all of which would count as the name of a setting.
func misread(address string) (character string, known bool) {
	found := scheme.FindString(address)
	if found == "" {
		return "", true // key=value: what is not a key ends the reading
	}
	if found != "postgres://" && found != "postgresql://" {
		return "", false
	}
	rest := strings.TrimPrefix(address, found)
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return " ", true
	}
	authority, behind := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, behind = rest[:end], rest[end:]
	}
	path, query, _ := strings.Cut(behind, "?")
	key, _, _ := strings.Cut(query, "=")
	switch {
	case strings.Count(authority, "@") > 1:
		return "@", true
	case strings.Contains(behind, "#"):
		return "#", true
	case strings.Contains(path, "@"):
		return "/", true
	case strings.Contains(key, "@"), hostInQuery.MatchString(query):
		return "?", true
	}
	return "", true
}
