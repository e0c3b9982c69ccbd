package selfauthd

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"anthill/internal/regex"
)

func lower(s string) string { return strings.ToLower(s) }

var namePattern = regex.Lazy(`^[a-z][a-z0-9-_.]{0,63}$`)

// email is the pattern of HTML's input type email, as the WHATWG writes it down. It is long: only a server needs it made.
var email = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z0-9.!#$%&'*+/=?^_` + "`" + `{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
})

func validName(name string) bool {
	if !namePattern().MatchString(name) || name == "root" || name == "dn=token" {
		return false
	}
	_, err := uuid.Parse(name)
	// The parser looks for what is longer inside of brackets of any kind.
	return err != nil || len(name) != 36 && len(name) != 32
}

// validText is the rule of utf8 strings: something, and none of the control characters of ASCII.
func validText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// ordered keeps the first address and sorts the rest.
func ordered(mails []string) []string {
	var out []string
	for _, m := range mails {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	if len(out) > 1 {
		slices.Sort(out[1:])
	}
	return out
}
