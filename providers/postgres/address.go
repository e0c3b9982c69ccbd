package postgres

import "strings"

// misread finds in the address of a database the character of a password, or role, that would end it as it is not
// percent-encoded: the rest would count as the host, which messages name. "": there is none.
func misread(address string) (character string) {
	_, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		return "" // key=value: what is not a key ends the reading
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return " "
	}
	authority, behind := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, behind = rest[:end], rest[end:]
	}
	path, query, _ := strings.Cut(behind, "?")
	key, _, _ := strings.Cut(query, "=")
	switch {
	case strings.Count(authority, "@") > 1:
		return "@"
	case strings.Contains(behind, "#"):
		return "#"
	case strings.Contains(path, "@"):
		return "/"
	case strings.Contains(key, "@"):
		return "?"
	}
	return ""
}
