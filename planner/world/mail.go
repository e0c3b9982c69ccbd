package world

import (
	netmail "net/mail"
	"strings"

	"anthill/planner/plan"
)

// mailProblem says why Self-auth would not take an address (docs/selfauth-facts.md F25); SkipNone: it takes it.
func mailProblem(s string) plan.SkipReason {
	if strings.TrimSpace(s) == "" {
		return plan.SkipNoEmail
	}
	// The grammar of HTML's e-mail field, which the server uses: narrower than what mail servers accept.
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return plan.SkipEmailRefused
	}
	for i := 0; i < len(local); i++ {
		if !atext(local[i]) {
			return plan.SkipEmailRefused
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !hostLabel(label) {
			return plan.SkipEmailRefused
		}
	}
	return plan.SkipNone
}

// MailFits reports whether Self-auth takes an address.
func MailFits(s string) bool { return mailProblem(s) == plan.SkipNone }

// reachable reports whether a mail can be sent to an address. Mail servers take more than Self-auth does.
func reachable(s string) bool {
	if mailProblem(s) == plan.SkipNone {
		return true
	}
	a, err := netmail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

func atext(c byte) bool {
	return alnum(c) || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) >= 0
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func hostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !alnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}
