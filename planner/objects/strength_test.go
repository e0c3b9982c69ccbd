package objects_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/providers"
	"anthill/state"
)

// TestPolicyStrength: a policy that demands less than before is noted, and one that demands no more than the policies of the
// groups that everybody is in; one that is a step stricter is not.
func TestPolicyStrength(t *testing.T) {
	t.Parallel()
	about := state.Of(short)
	weaker := func(names ...string) state.Finding {
		return state.About(state.CodePolicyWeaker, about, state.List(state.KeyAttributes, names...))
	}
	idle := func(a state.Attribute, group string) state.Finding {
		return state.About(state.CodePolicyNoEffect, about, state.Text(state.KeyAttribute, string(a)), state.Text(state.KeyGroup, group))
	}
	raised := []state.Finding{state.About(state.CodeMinimumRaised, about)}
	for name, c := range map[string]struct {
		live, want attrs // live nil: there is no policy
		gone       bool  // no longer declared
		said       []state.Finding
	}{
		"stricter": {attrs{state.AttrSessionExpiry: text("3601"), state.AttrCredentialMinimum: text("mfa"), state.AttrPasswordMinimum: text("15")},
			attrs{state.AttrSessionExpiry: text("3600"), state.AttrCredentialMinimum: text("passkey"), state.AttrPasswordMinimum: text("16")}, false, raised},
		"less of each": {
			attrs{state.AttrSessionExpiry: text("3600"), state.AttrPrivilegeExpiry: text("60"), state.AttrCredentialMinimum: text("attested_passkey"),
				state.AttrPasswordMinimum: text("17")},
			attrs{state.AttrSessionExpiry: text("3601"), state.AttrPrivilegeExpiry: text("61"), state.AttrCredentialMinimum: text("passkey"),
				state.AttrPasswordMinimum: text("16")}, false,
			[]state.Finding{weaker("credential_type_minimum", "auth_password_minimum_length", "authsession_expiry", "privilege_expiry")}},
		"by number, and not by text": {attrs{state.AttrSessionExpiry: text("900")}, attrs{state.AttrSessionExpiry: text("1000")}, false,
			[]state.Finding{weaker("authsession_expiry")}},
		"no longer set": {attrs{state.AttrSessionExpiry: text("60"), state.AttrPasswordMinimum: text("20")},
			attrs{state.AttrSessionExpiry: text("60"), state.AttrPasswordMinimum: {}}, false, []state.Finding{weaker("auth_password_minimum_length")}},
		"gone": {attrs{state.AttrPasswordMinimum: text("20")}, attrs{state.AttrPasswordMinimum: text("20")}, true,
			[]state.Finding{weaker("auth_password_minimum_length")}},
		"new": {nil, attrs{state.AttrSessionExpiry: text("60")}, false, nil},
		"new, and as everybody": {nil, attrs{state.AttrSessionExpiry: text("86400"), state.AttrPrivilegeExpiry: text("600"), state.AttrCredentialMinimum: text("mfa")}, false,
			[]state.Finding{idle(state.AttrCredentialMinimum, "idm_all_persons"), idle(state.AttrSessionExpiry, "idm_all_accounts"),
				idle(state.AttrPrivilegeExpiry, "idm_all_accounts")}},
		"new, and a step stricter": {nil, attrs{state.AttrSessionExpiry: text("86399"), state.AttrPrivilegeExpiry: text("599"),
			state.AttrCredentialMinimum: text("passkey")}, false, raised},
		"unchanged": {attrs{state.AttrSessionExpiry: text("90000")}, attrs{state.AttrSessionExpiry: text("90000")}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := atRest(t)
			f.groups = append(f.groups,
				providers.Group{ID: id(80), Name: "idm_all_persons", Builtin: true, Policy: attrs{state.AttrCredentialMinimum: text("mfa")}},
				providers.Group{ID: id(81), Name: "idm_all_accounts", Builtin: true, Policy: attrs{state.AttrSessionExpiry: text("86400"),
					state.AttrPrivilegeExpiry: text("600")}})
			users := f.group("tenant_acme_users")
			users.Policy = c.live
			if c.live != nil {
				f.remember(state.Object{Address: short, Kind: state.KindPolicy, ID: users.ID, Attributes: c.live})
			}
			if !c.gone {
				f.config.Accounts = []config.AccountPolicy{{Address: short, Group: acmeUsers, Attributes: c.want}}
			}
			if diff := cmp.Diff(c.said, f.must(t).Notes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPolicyNotesOnce: what is said of several instances of a block is said once, with their number; what is not the same is not.
func TestPolicyNotesOnce(t *testing.T) {
	t.Parallel()
	var notes []state.Finding
	of := func(code state.Code, a state.Address, args ...state.Arg) state.Finding {
		return state.About(code, state.Of(a), args...)
	}
	what := func(names ...string) state.Arg { return state.List(state.KeyAttributes, names...) }
	for _, key := range []string{"a", "b", "c"} {
		notes = append(notes, of(state.CodeMinimumRaised, state.Address(`account_policy.admins["`+key+`"]`)))
	}
	notes = append(notes, of(state.CodeMinimumRaised, `account_policy.users["a"]`),
		of(state.CodePolicyWeaker, `account_policy.admins["a"]`, what("x")), of(state.CodePolicyWeaker, `account_policy.admins["b"]`, what("x", "y")))
	want := slices.Concat([]state.Finding{of(state.CodeMinimumRaised, "account_policy.admins").Times(3)}, notes[3:])
	if diff := cmp.Diff(want, objects.FoldInstances(notes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
