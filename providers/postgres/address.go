package postgres

import (
	"regexp"
	"strings"
)

var (
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.:-]*://`)
	// A key of key=value. What the server calls the name of a setting has dots besides.
	keyword = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_.]*\s*=`)
)

// holdsAt are the settings whose values may well hold an @ that is not percent-encoded, such as the path of a certificate.
var holdsAt = map[string]bool{
	"application_name": true, "dbname": true, "host": true, "krbspn": true, "krbsrvname": true, "options": true, "passfile": true,
	"password": true, "search_path": true, "service": true, "servicefile": true, "sslcert": true, "sslkey": true,
	"sslpassword": true, "sslrootcert": true, "user": true,
}

// misread finds in the address of a database the character of a password, or role, that would end it as it is not
// percent-encoded: the rest would count as the host, which messages name. "": there is none. known is false for what is neither a
// URL of Postgres nor begins as key=value: all of it would count as the name of a setting.
func misread(address string) (character string, known bool) {
	found := scheme.FindString(address)
	if found == "" {
		// What is not a key later on ends the reading.
		return "", strings.TrimSpace(address) == "" || keyword.MatchString(address)
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
	switch {
	case strings.Count(authority, "@") > 1:
		return "@", true
	case strings.Contains(behind, "#"):
		return "#", true
	case strings.Contains(path, "@"):
		return "/", true
	case hostIn(query):
		return "?", true
	}
	return "", true
}

// hostIn reports whether a query is what follows a question mark in a password, with the host behind it.
func hostIn(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if strings.Contains(key, "@") || strings.Contains(value, "@") && !holdsAt[key] {
			return true
		}
	}
	return false
}
