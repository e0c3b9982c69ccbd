package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// accountPolicies are the policies of all account_policy blocks, one for each group.
func (e *evaluator) accountPolicies() (list []AccountPolicy) {
	bound := map[state.Address]AccountPolicy{}
	for _, n := range e.m.all("account_policy") {
		r := e.reader(n, scope{})
		a := e.accountAttributes(r)
		for _, g := range r.groups() {
			p := AccountPolicy{Address: policyAddress(n, g), Group: g, Attributes: a, Pos: posOf(n.at)}
			if first, taken := bound[g]; taken {
				e.fail(n.at, "Group with two policies",
					"%s and %s (%s line %d) both set a policy on %s. A group has one.", p.Address, first.Address,
					first.Pos.File, first.Pos.Line, g)
			}
			bound[g] = p
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b AccountPolicy) int { return strings.Compare(string(a.Address), string(b.Address)) })
	return list
}

// policyAddress is account_policy.LABEL["BLOCK.KEY"], after the group that it is set on.
func policyAddress(n *node, group state.Address) state.Address {
	key := strings.TrimPrefix(string(group), "group.")
	if block, rest, ok := strings.Cut(key, "["); ok {
		if k, err := strconv.Unquote(strings.TrimSuffix(rest, "]")); err == nil {
			key = block + "." + k
		}
	}
	return instance{key: key, each: cty.True}.address(n)
}

// accountAttributes are all attributes of a policy; a zero value is not set.
func (e *evaluator) accountAttributes(r reader) state.Attributes {
	minimum := r.text("credential_minimum")
	a := state.Attributes{
		state.AttrCredentialMinimum: state.TextValue(minimum),
		state.AttrPrimaryFallback:   {},
		state.AttrAttestationCAList: {},
	}
	sessions := r.seconds("session_expiry")
	if sessions > 0 && sessions < 60 {
		r.wrong("session_expiry", "a login that lasts less than a minute is of no use to anybody")
	}
	a[state.AttrSessionExpiry] = numberValue(sessions, sessions > 0)
	privileges := r.seconds("privilege_expiry")
	if privileges > 3600 {
		r.wrong("privilege_expiry", "Self-auth takes no more than 1h")
	}
	a[state.AttrPrivilegeExpiry] = numberValue(privileges, privileges > 0)
	a[state.AttrPasswordMinimum] = r.limit("password_minimum_length", 128,
		"Self-auth takes passwords of at most 128 characters")
	a[state.AttrSearchMaxResults] = r.limit("search_max_results", maxNumber, "it is more than Self-auth takes")
	a[state.AttrSearchMaxFilter] = r.limit("search_max_filter_test", maxNumber, "it is more than Self-auth takes")
	if list, known := r.json("attestation_ca_list"); known {
		a[state.AttrAttestationCAList] = state.TextValue(list)
		if why := authoritiesProblem(list); why != "" {
			r.wrong("attestation_ca_list", "Self-auth would refuse it: %s", why)
		}
	}
	if minimum == "attested_passkey" && r.n.args["attestation_ca_list"] == nil {
		r.wrong("credential_minimum", "attested passkeys need attestation_ca_list: without it nobody could enrol one")
	}
	if r.n.args["primary_cred_fallback"] != nil {
		a[state.AttrPrimaryFallback] = boolValue(r.bool("primary_cred_fallback"))
	}
	return a
}

const maxNumber = 1<<32 - 1 // of the numbers of a policy

// seconds reads a duration of whole seconds.
func (r reader) seconds(name string) int64 {
	n := int64(r.duration(name).Seconds())
	if n > maxNumber {
		r.wrong(name, "it is longer than Self-auth takes")
	}
	return n
}

// limit reads a number that is at most so large; the zero Value where it is not given.
func (r reader) limit(name string, most int64, tooMuch string) state.Value {
	if r.n.args[name] == nil {
		return state.Value{}
	}
	n := r.count(name)
	if n > most {
		r.wrong(name, "%s", tooMuch)
	}
	return numberValue(n, true)
}

// numberValue is a number as a text; the zero Value where it is not given.
func numberValue(n int64, given bool) state.Value {
	if !given {
		return state.Value{}
	}
	return state.TextValue(strconv.FormatInt(n, 10))
}
