package config

import (
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
`}, Vars{}, Data{Tenants: []TenantData{{ID: uuid.UUID{1}, Slug: "acme", Name: "Acme", Plan: "free", Status: "active"}, {ID: uuid.UUID{2}, Slug: "globex", Status: "active"}}})
	if diags.HasErrors() {
		t.Fatal(plainDiags(diags))
	}
	opts := cmp.Options{cmpopts.IgnoreTypes(Pos{})}
	if diff := cmp.Diff([]Tenant{
		{Address: "tenant.new", Slug: "new-co", Attributes: state.Attributes{"slug": "new-co", "name": "New Co", "settings": `{"a":[true],"b":1}`}},
		{Address: "tenant.old", Slug: "globex", Adopt: true, Attributes: state.Attributes{"slug": "globex", "name": "Old & Co", "status": "suspended"}}}, c.Tenants, opts); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
	var groups []state.Address
	for _, g := range c.Groups {
		groups = append(groups, g.Address)
	}
	// The tenants as they will be: one more, and one that is no longer active (L38).
	if diff := cmp.Diff([]state.Address{"group.one", `group.users["acme"]`, `group.users["new-co"]`}, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if g := c.Groups[1]; !g.Adopt || !g.Members.Full || g.Described {
		t.Errorf("group %+v", g)
	}
	users := []state.Address{"group.one", `group.users["acme"]`, `group.users["new-co"]`}
	if diff := cmp.Diff([]Client{{Address: "oauth2_client.App", Name: "app", Scopes: []ScopeMap{{users, []string{"email", "openid"}}},
		Claims: []ClaimMap{{"role", "csv", users[:1], []string{"a", "b"}}},
		Attributes: state.Attributes{"name": "app", "type": "confidential", "display_name": "The App", "landing_url": "https://app.example.com/",
			"redirect_urls": `["http://localhost:5173/cb","https://b.example/cb"]`, "pkce": "false", "prefer_short_names": "false", "legacy_crypto": "false", "strict_redirects": "true"}}},
		c.Clients, opts); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	policy := state.Attributes{"allow_primary_cred_fallback": "", "auth_password_minimum_length": "", "authsession_expiry": "28800", "credential_type_minimum": "passkey",
		"limit_search_max_filter_test": "", "limit_search_max_results": "", "privilege_expiry": "", "webauthn_attestation_ca_list": ""}
	if diff := cmp.Diff([]AccountPolicy{{Address: `account_policy.strict["one"]`, Group: "group.one", Attributes: policy},
		{Address: `account_policy.strict["users.acme"]`, Group: `group.users["acme"]`, Attributes: policy}}, c.Accounts, opts); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Move{{From: `group.users["old"]`, To: `group.users["new-co"]`}}, c.Moved, opts); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}
