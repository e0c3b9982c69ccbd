package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/internal/letter"
	"anthill/state"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	m, diags := Load("../examples/quickstart", Vars{Version: "0.1.0"})
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	data := sampleData()
	data.Tenants = append(data.Tenants, TenantData{Slug: "cà-phê", Status: "active"})
	c, diags := m.Evaluate(data)
	if diags != nil {
		t.Fatal(plainDiags(diags))
	}
	var names []string
	for _, g := range c.Groups {
		names = append(names, g.Name)
	}
	want := []string{"tenant_acme_admins", "tenant_anthill_admins", "tenant_ca-phe-fc97d6_admins",
		"tenant_globex_admins",
		"tenant_acme_users", "tenant_anthill_users", "tenant_ca-phe-fc97d6_users", "tenant_globex_users"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("groups (-want +got)\n%s", d)
	}
	waves := []Wave{
		{
			Name: "internal", Policy: "dual", Enabled: true,
			Users: []Selector{{Tenants: []string{"anthill"}}, {Roles: []string{"super_admin"}}},
		},
		{
			Name: "pilot", Policy: "dual", Enabled: true, Users: []Selector{{Tenants: []string{"acme", "globex"}}},
			After: []string{"internal"},
			Invitation: &Invitation{
				Template: string(letter.DefaultSource()), Subject: "Your new login with Self-auth",
				From: `"Anthill" <noreply@anthill.example>`, Support: "help@anthill.example", Link: state.LinkCode,
			},
		},
		{
			Name: "everyone", Policy: "dual", Enabled: true, Users: []Selector{{All: true}},
			After: []string{"pilot"}, At: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC),
		},
	}
	if d := cmp.Diff(waves, c.Waves, cmpopts.IgnoreTypes(Pos{}), cmpopts.IgnoreUnexported(Invitation{})); d != "" {
		t.Errorf("waves (-want +got)\n%s", d)
	}
	if c.Groups[0].Role != state.RoleAdmin || !c.Groups[4].Members.Has("user") || c.Groups[0].Members.Has("user") {
		t.Errorf("members of %+v", c.Groups)
	}
}
