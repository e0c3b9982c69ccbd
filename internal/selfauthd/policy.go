package selfauthd

import (
	"math"
	"slices"
	"strconv"
	"time"
)

const (
	longestPrivilege   = 3600
	shortestPassword   = 10
	resultsOfLogin     = 1024
	credentialsAny     = 0 // positions in credentialTypes
	credentialsMFA     = 2
	credentialsPasskey = 3
	credentialsAttest  = 4
	credentialsKey     = 5
	credentialsNone    = 6
)

// policy is what all account policies together ask of one account (docs/selfauth-facts.md F37).
type policy struct {
	session, privilege time.Duration
	passwordLength     int
	credentials        int     // position in credentialTypes
	results, tests     *uint32 // nil: as the server likes
}

// policyOf folds the policies of all groups that an entry is in; the strictest wins.
func (s *store) policyOf(e *entry) policy {
	session, privilege := uint32(math.MaxUint32), uint32(longestPrivilege)
	p := policy{passwordLength: shortestPassword}
	for _, g := range s.memberOf(e) {
		if !g.policy {
			continue
		}
		if n := g.number("authsession_expiry"); n != nil {
			session = min(session, *n)
		}
		if n := g.number("privilege_expiry"); n != nil {
			privilege = min(privilege, *n)
		}
		if n := g.number("auth_password_minimum_length"); n != nil {
			p.passwordLength = max(p.passwordLength, int(*n))
		}
		p.results = larger(p.results, g.number("limit_search_max_results"))
		p.tests = larger(p.tests, g.number("limit_search_max_filter_test"))
		if v := g.more["credential_type_minimum"]; v != nil {
			p.credentials = max(p.credentials, slices.Index(credentialTypes, v[0]))
		}
	}
	p.session, p.privilege = time.Duration(session)*time.Second, time.Duration(privilege)*time.Second
	return p
}

// number is the value of an attribute that is a number; nil: none.
func (e *entry) number(attr string) *uint32 {
	v := e.more[attr]
	if v == nil {
		return nil
	}
	n, err := strconv.ParseUint(v[0], 10, 32)
	if err != nil {
		panic(err) // it was checked when it came in
	}
	return new(uint32(n))
}

func larger(a, b *uint32) *uint32 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}
