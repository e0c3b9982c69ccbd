package providertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

func policies(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	group := providers.Group{Name: r.name("policy")}
	group.ID = r.group(t, a, named(group.Name))
	check := func(what string, want state.Attributes) {
		t.Helper()
		same(t, "policy after "+what, want, read(t, a, state.KindPolicy, group.ID))
		group.Policy = want
		same(t, "listed group after "+what, &group, listedGroup(t, p.Directory(), group.ID))
		same(t, "group after "+what, named(group.Name), read(t, a, state.KindGroup, group.ID))
	}
	check("nothing", nil)
	for range 2 {
		id, err := a.CreateObject(ctx, state.KindPolicy, group.ID, state.Attributes{})
		must(t, "enable", err)
		same(t, "id of the policy", group.ID, id)
		check("enable", state.Attributes{})
	}
	now := state.Attributes{}
	change := func(what string, to, want state.Attributes) {
		t.Helper()
		for range 2 {
			must(t, "change to "+what, a.ChangeObject(ctx, state.KindPolicy, group.ID, now, to))
			check(what, want)
		}
		now = want
	}
	with := func(at state.Attributes, name state.Attribute, value string) state.Attributes {
		at = maps.Clone(at)
		at[name] = state.TextValue(value)
		return at
	}
	values := []struct {
		name           state.Attribute
		value, another string
	}{
		{state.AttrPrimaryFallback, "true", "false"},
		{state.AttrPasswordMinimum, "16", "0"},
		{state.AttrSessionExpiry, "3600", "4294967295"},
		{state.AttrCredentialMinimum, "mfa", "any"},
		{state.AttrSearchMaxFilter, "4096", "1"},
		{state.AttrSearchMaxResults, "2048", "1"},
		{state.AttrPrivilegeExpiry, "900", "3600"},
	}
	all, others := state.Attributes{}, state.Attributes{}
	for _, v := range values {
		all[v.name], others[v.name] = state.TextValue(v.value), state.TextValue(v.another)
		change(string(v.name), texts{v.name: v.value}.at(), with(now, v.name, v.value))
	}
	change("all others", others, others)
	change("undo", all, all)
	for _, v := range values {
		change("no "+string(v.name), texts{v.name: ""}.at(), with(now, v.name, ""))
	}
	change("all at once", all, all)
	change("nothing given", state.Attributes{}, all)
	change("a number that the server shortens", texts{state.AttrPrivilegeExpiry: "0060"}.at(),
		with(all, state.AttrPrivilegeExpiry, "60"))
	for _, kind := range []string{"external", "passkey", "attested_passkey", "attested_residentkey"} {
		change(kind, texts{state.AttrCredentialMinimum: kind}.at(), with(now, state.AttrCredentialMinimum, kind))
	}

	// Taking the policy off takes its values too, and leaves the group.
	must(t, "disable", a.DeleteObject(ctx, state.KindPolicy, group.ID, now))
	check("disable", nil)
	_, err := a.CreateObject(ctx, state.KindPolicy, group.ID, state.Attributes{})
	must(t, "enable again", err)
	check("enable again", state.Attributes{})
	must(t, "disable one without values", a.DeleteObject(ctx, state.KindPolicy, group.ID, state.Attributes{}))
	check("disable one without values", nil)
	must(t, "delete the group", a.DeleteObject(ctx, state.KindGroup, group.ID, nil))
	same(t, "policy of a deleted group", nil, read(t, a, state.KindPolicy, group.ID))
}

func policyRefusals(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	id := r.group(t, a, named(r.name("policy")))
	r.kind(t, "a value where no policy is enabled", a.ChangeObject(ctx, state.KindPolicy, id, nil,
		texts{state.AttrPrivilegeExpiry: "60"}.at()), state.ErrorRefused)
	same(t, "policy that was not enabled", nil, read(t, a, state.KindPolicy, id))
	_, err := a.CreateObject(ctx, state.KindPolicy, id, nil)
	must(t, "enable", err)
	was := texts{state.AttrPasswordMinimum: "12", state.AttrSearchMaxResults: "7"}.at()
	must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, was))
	for name, bad := range map[state.Attribute]string{
		state.AttrPrimaryFallback: "secret", state.AttrPasswordMinimum: "-1", state.AttrSessionExpiry: "4294967296",
		state.AttrCredentialMinimum: "MFA", state.AttrSearchMaxFilter: "1.5", state.AttrSearchMaxResults: "x",
		state.AttrPrivilegeExpiry: " 1", state.AttrAttestationCAList: "secret",
	} {
		to := maps.Clone(was)
		to[state.AttrPasswordMinimum] = state.TextValue("13")
		to[name] = state.TextValue(bad)
		what := fmt.Sprintf("%s = %s", name, bad)
		r.kind(t, "change with "+what, a.ChangeObject(ctx, state.KindPolicy, id, was, to), state.ErrorRefused, "secret")
		same(t, "policy after "+what, was, read(t, a, state.KindPolicy, id))
	}
	// What others have set is read, and stays.
	r.do(t, "PUT", "/v1/group/"+id.String()+"/_attr/authsession_expiry", []string{"77"})
	must(t, "change one value", a.ChangeObject(ctx, state.KindPolicy, id, was,
		texts{state.AttrSearchMaxResults: "8"}.at()))
	same(t, "policy with a value of somebody else", texts{
		state.AttrPasswordMinimum: "12", state.AttrSearchMaxResults: "8", state.AttrSessionExpiry: "77",
	}.at(), read(t, a, state.KindPolicy, id))

	absent, person := uuid.New(), r.made(t, a, 1)[0].ID
	same(t, "policy of an absent group", nil, read(t, a, state.KindPolicy, absent))
	same(t, "policy of a person", nil, read(t, a, state.KindPolicy, person))
	_, err = a.CreateObject(ctx, state.KindPolicy, absent, nil)
	r.kind(t, "enable on an absent group", err, state.ErrorNotFound)
	_, err = a.CreateObject(ctx, state.KindPolicy, person, nil)
	r.kind(t, "enable on a person", err, state.ErrorNotFound)
	r.kind(t, "change on an absent group", a.ChangeObject(ctx, state.KindPolicy, absent, nil, was), state.ErrorNotFound)
	r.kind(t, "disable on an absent group", a.DeleteObject(ctx, state.KindPolicy, absent, nil), state.ErrorNotFound)
	// Built-in groups have policies too.
	all, err := p.Directory().Groups(ctx)
	must(t, "list groups", err)
	for _, g := range all {
		if g.Name == "idm_all_accounts" && !g.Policy[state.AttrPrivilegeExpiry].IsSet() {
			t.Errorf("policy of idm_all_accounts: %v, want one with a privilege_expiry", g.Policy)
		}
	}
}

// attestation: a list of the authorities of security keys is one value as any other.
func attestation(t *testing.T, r *run) {
	a, ctx := r.open(t).Accounts(), within(t)
	const name = state.AttrAttestationCAList
	value := authorities(t)
	id := r.group(t, a, named(r.name("policy")))
	_, err := a.CreateObject(ctx, state.KindPolicy, id, nil)
	must(t, "enable", err)
	for range 2 {
		must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, texts{name: value}.at()))
		got := read(t, a, state.KindPolicy, id)
		if !got[name].IsSet() || got.Text(name) != value && !r.known(t, string(name), got.Text(name)) {
			t.Errorf("policy %v, want %s = %s", got, name, value)
		}
		must(t, "reset", a.ChangeObject(ctx, state.KindPolicy, id, got, texts{name: ""}.at()))
		same(t, "policy after the reset", state.Attributes{}, read(t, a, state.KindPolicy, id))
	}
	must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, texts{name: value}.at()))
	must(t, "disable", a.DeleteObject(ctx, state.KindPolicy, id, read(t, a, state.KindPolicy, id)))
	same(t, "policy after it was taken off", nil, read(t, a, state.KindPolicy, id))
}

// authorities is a list of one authority of security keys, another one each time, in the canonical form.
func authorities(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, "make a key", err)
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Keys"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	must(t, "make a certificate", err)
	sum := sha256.Sum256(certificate)
	const model = `{"a0000000-0000-4000-8000-000000000001":{"en":"Key","localised":{}}}`
	return fmt.Sprintf(`{"cas":{%q:{"aaguids":`+model+`,"blanket_allow":false,"ca":%q}}}`,
		base64.RawURLEncoding.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(certificate))
}
