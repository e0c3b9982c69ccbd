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
	group.ID = r.group(t, a, state.Attributes{"name": group.Name})
	check := func(what string, want state.Attributes) {
		t.Helper()
		same(t, "policy after "+what, want, read(t, a, state.KindPolicy, group.ID))
		group.Policy = want
		same(t, "listed group after "+what, &group, listedGroup(t, p.Directory(), group.ID))
		same(t, "group after "+what, state.Attributes{"name": group.Name}, read(t, a, state.KindGroup, group.ID))
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
	with := func(at state.Attributes, name, value string) state.Attributes {
		at = maps.Clone(at)
		if at[name] = value; value == "" {
			delete(at, name)
		}
		return at
	}
	values := []struct{ name, value, another string }{
		{"allow_primary_cred_fallback", "true", "false"},
		{"auth_password_minimum_length", "16", "0"},
		{"authsession_expiry", "3600", "4294967295"},
		{"credential_type_minimum", "mfa", "any"},
		{"limit_search_max_filter_test", "4096", "1"},
		{"limit_search_max_results", "2048", "1"},
		{"privilege_expiry", "900", "3600"},
	}
	all, others := state.Attributes{}, state.Attributes{}
	for _, v := range values {
		all[v.name], others[v.name] = v.value, v.another
		change(v.name, state.Attributes{v.name: v.value}, with(now, v.name, v.value))
	}
	change("all others", others, others)
	change("undo", all, all)
	for _, v := range values {
		change("no "+v.name, state.Attributes{v.name: ""}, with(now, v.name, ""))
	}
	change("all at once", all, all)
	change("nothing given", state.Attributes{}, all)
	change("a number that the server shortens", state.Attributes{"privilege_expiry": "0060"}, with(all, "privilege_expiry", "60"))
	for _, kind := range []string{"external", "passkey", "attested_passkey", "attested_residentkey"} {
		change(kind, state.Attributes{"credential_type_minimum": kind}, with(now, "credential_type_minimum", kind))
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
	id := r.group(t, a, state.Attributes{"name": r.name("policy")})
	r.kind(t, "a value where no policy is enabled", a.ChangeObject(ctx, state.KindPolicy, id, nil, state.Attributes{"privilege_expiry": "60"}), state.ErrorRefused)
	same(t, "policy that was not enabled", nil, read(t, a, state.KindPolicy, id))
	_, err := a.CreateObject(ctx, state.KindPolicy, id, nil)
	must(t, "enable", err)
	was := state.Attributes{"auth_password_minimum_length": "12", "limit_search_max_results": "7"}
	must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, was))
	for name, bad := range map[string]string{
		"allow_primary_cred_fallback": "secret", "auth_password_minimum_length": "-1", "authsession_expiry": "4294967296", "credential_type_minimum": "MFA",
		"limit_search_max_filter_test": "1.5", "limit_search_max_results": "x", "privilege_expiry": " 1", "webauthn_attestation_ca_list": "secret",
	} {
		to := maps.Clone(was)
		to["auth_password_minimum_length"] = "13"
		to[name] = bad
		r.kind(t, "change with "+name+" = "+bad, a.ChangeObject(ctx, state.KindPolicy, id, was, to), state.ErrorRefused, "secret")
		same(t, "policy after "+name+" = "+bad, was, read(t, a, state.KindPolicy, id))
	}
	// What others have set is read, and stays.
	r.do(t, "PUT", "/v1/group/"+id.String()+"/_attr/authsession_expiry", []string{"77"})
	must(t, "change one value", a.ChangeObject(ctx, state.KindPolicy, id, was, state.Attributes{"limit_search_max_results": "8"}))
	same(t, "policy with a value of somebody else", state.Attributes{"auth_password_minimum_length": "12", "limit_search_max_results": "8", "authsession_expiry": "77"}, read(t, a, state.KindPolicy, id))

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
		if g.Name == "idm_all_accounts" && g.Policy["privilege_expiry"] == "" {
			t.Errorf("policy of idm_all_accounts: %v, want one with a privilege_expiry", g.Policy)
		}
	}
}

// attestation: a list of the authorities of security keys is one value as any other.
func attestation(t *testing.T, r *run) {
	a, ctx := r.open(t).Accounts(), within(t)
	const name = "webauthn_attestation_ca_list"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, "make a key", err)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Keys"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	must(t, "make a certificate", err)
	sum := sha256.Sum256(certificate)
	value := fmt.Sprintf(`{"cas":{%q:{"aaguids":{"a0000000-0000-4000-8000-000000000001":{"en":"Key","localised":{}}},"blanket_allow":false,"ca":%q}}}`,
		base64.RawURLEncoding.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(certificate))
	id := r.group(t, a, state.Attributes{"name": r.name("policy")})
	_, err = a.CreateObject(ctx, state.KindPolicy, id, nil)
	must(t, "enable", err)
	for range 2 {
		must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, state.Attributes{name: value}))
		got := read(t, a, state.KindPolicy, id)
		if got[name] == "" || got[name] != value && !r.known(t, name, got[name]) {
			t.Errorf("policy %v, want %s = %s", got, name, value)
		}
		must(t, "reset", a.ChangeObject(ctx, state.KindPolicy, id, got, state.Attributes{name: ""}))
		same(t, "policy after the reset", state.Attributes{}, read(t, a, state.KindPolicy, id))
	}
	must(t, "set", a.ChangeObject(ctx, state.KindPolicy, id, state.Attributes{}, state.Attributes{name: value}))
	must(t, "disable", a.DeleteObject(ctx, state.KindPolicy, id, read(t, a, state.KindPolicy, id)))
	same(t, "policy after it was taken off", nil, read(t, a, state.KindPolicy, id))
}
