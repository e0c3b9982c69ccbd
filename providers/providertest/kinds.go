package providertest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// texts are attributes whose values are texts; "" is not set.
type texts map[state.Attribute]string

func (t texts) at() state.Attributes {
	at := make(state.Attributes, len(t))
	for name, v := range t {
		at[name] = state.TextValue(v)
	}
	return at
}

// named are the attributes of a group that has a name alone.
func named(name string) state.Attributes { return texts{state.AttrName: name}.at() }

func urls(list ...string) state.Value { return state.ListValue(list) }

// scopes are what the members of groups get.
type scopes map[uuid.UUID][]string

func (s scopes) value() state.Value { return state.GrantsValue(s.grants("", "")) }

func (s scopes) grants(claim, join string) (list []state.Grant) {
	for group, values := range s {
		list = append(list, state.Grant{Group: group, Claim: claim, Join: join, Values: values})
	}
	return list
}

// claims are the values of claims that the members of groups get, and how they are joined.
type claims map[string]claim

type claim struct {
	join   string
	values scopes
}

func (c claims) value() state.Value {
	var list []state.Grant
	for name, one := range c {
		list = append(list, one.values.grants(name, one.join)...)
	}
	return state.GrantsValue(list)
}

// sample is what the suite writes of an attribute, one value after the other.
type sample struct {
	values []state.Value
	always bool // it cannot be taken away
}

// samples are of each attribute that is written by itself. Grants are to the groups.
func samples(t testing.TB, r *run, groups [2]uuid.UUID) map[state.Kind]map[state.Attribute]sample {
	of := func(list ...string) (s sample) {
		for _, v := range list {
			s.values = append(s.values, state.TextValue(v))
		}
		return s
	}
	always := func(list ...string) sample { return sample{of(list...).values, true} }
	grants := func(list ...interface{ value() state.Value }) (s sample) {
		for _, v := range list {
			s.values = append(s.values, v.value())
		}
		return s
	}
	a, b := groups[0], groups[1]
	return map[state.Kind]map[state.Attribute]sample{
		state.KindGroup: {
			state.AttrName:        always(r.name("round"), r.name("trip")),
			state.AttrDescription: of("Ünï", "b"),
		},
		state.KindPolicy: {
			state.AttrPrimaryFallback:   of("true", "false"),
			state.AttrPasswordMinimum:   of("16", "0"),
			state.AttrSessionExpiry:     of("3600", "4294967295"),
			state.AttrCredentialMinimum: of("mfa", "any"),
			state.AttrSearchMaxFilter:   of("4096", "1"),
			state.AttrSearchMaxResults:  of("2048", "1"),
			state.AttrPrivilegeExpiry:   of("900", "3600"),
			state.AttrAttestationCAList: of(authorities(t), authorities(t)),
		},
		state.KindClient: {
			state.AttrName:        always(r.name("round"), r.name("trip")),
			state.AttrDisplayName: always("Ünï <1>", "Two"),
			state.AttrLandingURL:  always("https://one.example/x?y=z", "https://two.example/"),
			state.AttrRedirectURLs: {values: []state.Value{urls("https://a.example/"),
				urls("app://b", "https://a.example/")}},
			state.AttrPKCE:               always("false", "true"),
			state.AttrPreferShortNames:   always("true", "false"),
			state.AttrLegacyCrypto:       always("true", "false"),
			state.AttrStrictRedirects:    always("false", "true"),
			state.AttrScopeMaps:          grants(scopes{a: {"email", "openid"}, b: {"openid"}}, scopes{b: {"groups"}}),
			state.AttrSupplementalScopes: grants(scopes{a: {"admin"}}, scopes{b: {"admin", "x"}}),
			state.AttrClaimMaps: grants(
				claims{"role": {"csv", scopes{a: {"v"}}}},
				claims{"role": {"csv", scopes{b: {"v"}}}}, // joined the same way still, though nobody of before is left
				claims{"role": {"ssv", scopes{b: {"v", "w"}}}, "team": {"array", scopes{a: {"v"}, b: {"w"}}}}),
		},
	}
}

// roundTrips: each attribute that the table of kinds has is read as it was written, by id and in the listing, and when
// it is taken away it is not set. What cannot be read back is at least seen to be there.
func roundTrips(t *testing.T, r *run) {
	p := r.open(t)
	a := p.Accounts()
	var groups [2]uuid.UUID
	for i := range groups {
		groups[i] = r.group(t, a, named(r.name("scoped")))
	}
	known := samples(t, r, groups)
	for _, kind := range state.Kinds() {
		if kind.Kind == state.KindTenant {
			// The application's database has them.
			continue
		}
		id := r.object(t, a, kind.Kind)
		for _, spec := range kind.Attributes {
			s, there := known[kind.Kind][spec.Name]
			switch {
			case spec.Name == state.AttrMapping, spec.Name == state.AttrStrangers: // not the provider's; never shown
				continue
			case spec.Name == state.AttrType: // chosen when a client is made
				continue
			case !there:
				t.Errorf("the table of kinds gives a %s the attribute %s, of which the suite has no value", kind.Kind,
					spec.Name)
				continue
			}
			if !s.always {
				s.values = append(s.values, state.Value{})
			}
			for i, v := range s.values {
				what := fmt.Sprintf("%s of a %s, value %d", spec.Name, kind.Kind, i)
				was := read(t, a, kind.Kind, id)
				must(t, what, a.ChangeObject(within(t), kind.Kind, id, was, state.Attributes{spec.Name: v}))
				want := maps.Clone(was)
				want[spec.Name] = v
				got := read(t, a, kind.Kind, id)
				if !spec.Unreadable {
					same(t, what, want, got)
				}
				same(t, what+", as it compares", want, kind.Read(got, want))
				same(t, what+", in the listing", got, inListing(t, p.Directory(), kind.Kind, id))
			}
		}
	}
}

// object makes an object of a kind and returns its id.
func (r *run) object(t testing.TB, a providers.Accounts, kind state.Kind) uuid.UUID {
	t.Helper()
	if kind == state.KindClient {
		return r.client(t, a, r.name("client"), "confidential")
	}
	id := r.group(t, a, named(r.name("group")))
	if kind == state.KindPolicy {
		_, err := a.CreateObject(within(t), kind, id, nil)
		must(t, "enable a policy", err)
	}
	return id
}

// inListing is what a listing says of an object; nil: it is not there.
func inListing(t testing.TB, d providers.Directory, kind state.Kind, id uuid.UUID) state.Attributes {
	t.Helper()
	if kind == state.KindClient {
		all, err := d.Clients(within(t))
		must(t, "list clients", err)
		for _, c := range all {
			if c.ID == id {
				return c.Attributes
			}
		}
		return nil
	}
	g := listedGroup(t, d, id)
	switch {
	case g == nil:
		return nil
	case kind == state.KindPolicy:
		return g.Policy
	}
	return texts{state.AttrName: g.Name, state.AttrDescription: g.Description}.at()
}
