package planner

import "strings"

// mailProblem says why Self-auth would not take an address (selfauth-api 6.4: the WHATWG pattern); 0: it takes it.
func mailProblem(s string) SkipReason {
	if strings.TrimSpace(s) == "" {
		return SkipNoEmail
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return SkipEmailRefused
	}
	for i := 0; i < len(local); i++ {
		if !atext(local[i]) {
			return SkipEmailRefused
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !hostLabel(label) {
			return SkipEmailRefused
		}
	}
	return SkipInvalid
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
