package config

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/state"
)

// TestObjects evaluates tenants, clients and policies: what is given, in the canonical form that plans compare.
func TestObjects(t *testing.T) {
	t.Parallel()
	c, diags := evaluate(t, map[string]string{"main.anthill.hcl": `
data "tenants" "active" { status = ["active"] }
tenant "new" {
  slug     = "new-co"
  name     = "New Co"
  settings = { b = 1, a = [true] }
}
tenant "old" {
  name   = "Old & Co"
  status = "suspended"
  adopt  = true
  slug   = "globex"
}
group "users" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_users"
  role     = "member"
  adopt    = true
  members {
    all    = true
    manage = "full"
  }
}
group "one" {
  tenant = tenant.new.slug
  name   = "one"
  role   = "admin"
}
oauth2_client "App" {
  display_name  = "The\tApp"
  landing_url   = "https://APP.example.com:443"
  redirect_urls = ["https://b.example/cb", "http://localhost:5173/cb"]
  pkce          = false
  scope_map {
    groups = [group.users, group.one]
    scopes = ["openid", "email"]
  }
  claim_map {
    claim  = "role"
    groups = group.one
    values = ["b", "a"]
    join   = "csv"
  }
}
account_policy "strict" {
  groups             = [group.one, group.users["acme"]]
  credential_minimum = "passkey"
  session_expiry     = "8h"
}
moved {
  from = group.users["old"]
  to   = group.users["new-co"]
}
`}, Vars{}, Data{Tenants: []TenantData{
		{ID: uuid.UUID{1}, Slug: "acme", Name: "Acme", Plan: "free", Status: "active"},
		{ID: uuid.UUID{2}, Slug: "globex", Status: "active"},
	}})
	if diags.HasErrors() {
		t.Fatal(plainDiags(diags))
	}
	opts := cmp.Options{cmpopts.IgnoreTypes(Pos{})}
	tenants := []Tenant{
		{
			Address: "tenant.new", Slug: "new-co",
			Attributes: state.Attributes{
				state.AttrSlug: state.TextValue("new-co"), state.AttrName: state.TextValue("New Co"),
				state.AttrSettings: state.TextValue(`{"a":[true],"b":1}`),
			},
		},
		{
			Address: "tenant.old", Slug: "globex", Adopt: true,
			Attributes: state.Attributes{
				state.AttrSlug: state.TextValue("globex"), state.AttrName: state.TextValue("Old & Co"),
				state.AttrStatus: state.TextValue("suspended"),
			},
		},
	}
	if diff := cmp.Diff(tenants, c.Tenants, opts); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
	var groups []state.Address
	for _, g := range c.Groups {
		groups = append(groups, g.Address)
	}
	// The tenants as they will be: one more, and one that is no longer active (L38).
	if diff := cmp.Diff([]state.Address{"group.one", `group.users["acme"]`, `group.users["new-co"]`},
		groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if g := c.Groups[1]; !g.Adopt || !g.Members.Full || g.Described {
		t.Errorf("group %+v", g)
	}
	users := []state.Address{"group.one", `group.users["acme"]`, `group.users["new-co"]`}
	clients := []Client{{
		Address: "oauth2_client.App",
		Name:    "app",
		Scopes:  []ScopeMap{{users, []string{"email", "openid"}}},
		Claims:  []ClaimMap{{"role", "csv", users[:1], []string{"a", "b"}}},
		Attributes: state.Attributes{
			state.AttrName:             state.TextValue("app"),
			state.AttrType:             state.TextValue("confidential"),
			state.AttrDisplayName:      state.TextValue("The App"),
			state.AttrLandingURL:       state.TextValue("https://app.example.com/"),
			state.AttrRedirectURLs:     state.ListValue([]string{"https://b.example/cb", "http://localhost:5173/cb"}),
			state.AttrPKCE:             state.TextValue("false"),
			state.AttrPreferShortNames: state.TextValue("false"),
			state.AttrLegacyCrypto:     state.TextValue("false"),
			state.AttrStrictRedirects:  state.TextValue("true"),
		},
	}}
	if diff := cmp.Diff(clients, c.Clients, opts); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	policy := state.Attributes{
		state.AttrSessionExpiry:     state.TextValue("28800"),
		state.AttrCredentialMinimum: state.TextValue("passkey"),
	}
	policies := []AccountPolicy{
		{Address: `account_policy.strict["one"]`, Group: "group.one", Attributes: policy},
		{Address: `account_policy.strict["users.acme"]`, Group: `group.users["acme"]`, Attributes: policy},
	}
	if diff := cmp.Diff(policies, c.Accounts, opts); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	// Every attribute is in the result, if only to say that it is not set.
	if names := slices.Sorted(slices.Values(state.KindPolicy.Spec().Names())); !slices.Equal(names,
		c.Accounts[0].Attributes.Sorted()) {
		t.Errorf("attributes of a policy: %v, want %v", c.Accounts[0].Attributes.Sorted(), names)
	}
	if diff := cmp.Diff([]Move{{From: `group.users["old"]`, To: `group.users["new-co"]`}}, c.Moved, opts); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}
