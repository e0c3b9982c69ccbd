package objects_test

import (
	"slices"
	"testing"

	"anthill/config"
	"anthill/state"
)

// TestMinimumRaised: a policy that asks more of a credential than before is noted, one that asks less or the same is not.
func TestMinimumRaised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		was, will string
		noted     bool
	}{
		{"", "mfa", true}, {"", "any", false}, {"any", "mfa", true}, {"mfa", "passkey", true}, {"mfa", "mfa", false},
		{"passkey", "mfa", false}, {"mfa", "", false},
	} {
		f := atRest(t)
		minimum := func(v string) attrs {
			if v == "" {
				return attrs{state.AttrSessionExpiry: text("60")}
			}
			return attrs{state.AttrCredentialMinimum: text(v), state.AttrSessionExpiry: text("60")}
		}
		f.group("tenant_acme_users").Policy = minimum(c.was)
		f.config.Accounts = []config.AccountPolicy{{Address: short, Group: acmeUsers, Attributes: minimum(c.will)}}
		want := state.About(state.CodeMinimumRaised, state.Of(short))
		noted := slices.ContainsFunc(f.must(t).Notes, func(n state.Finding) bool {
			return n.Code == want.Code && n.Subject == want.Subject
		})
		if noted != c.noted {
			t.Errorf("%q -> %q: noted %t", c.was, c.will, noted)
		}
	}
}
