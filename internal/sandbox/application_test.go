package sandbox

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/scratchpg/pgtest"
)

// TestApplication: who logs in by password, and who by the groups of a token, as the application decides it; everybody
// else is told why not.
func TestApplication(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	o := Options{Level: "dual", Naming: "kanidm"}
	if err := Load(t.Context(), url, o); err != nil {
		t.Fatal(err)
	}
	a, err := NewApplication(url, o.Naming)
	if err != nil {
		t.Fatal(err)
	}
	s := makeSample(0, true)
	var linked uuid.UUID
	for _, u := range s.users {
		if u.email == "linked@initech.example" {
			linked = u.link
		}
	}
	for email, want := range map[string]Place{
		"linked@initech.example": {Tenant: "initech", Role: "user", Method: "dual"},
		"o'neil@acme.example":    {Tenant: "acme", Role: "user", Method: "password"},
	} {
		if p, err := a.ByPassword(t.Context(), email, Password); err != nil || p != want {
			t.Errorf("%s: %+v, %v", email, p, err)
		}
	}
	for _, c := range [][2]string{
		{"o'neil@acme.example", "wrong"}, {"nobody@acme.example", Password}, {"suspended@acme.example", Password},
		{"deleted@acme.example", Password}, {"system@anthill.local", Password}, {"O'Neil@acme.example", Password},
	} {
		if p, err := a.ByPassword(t.Context(), c[0], c[1]); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s is let in: %+v, %v", c[0], p, err)
		}
	}

	p, err := a.ByGroups(t.Context(), linked, []string{"everybody", "tenant_nowhere", "legacy_twins", "tenant_x_admins"})
	if !errors.Is(err, ErrNotAllowed) {
		t.Errorf("groups of no tenant: %+v, %v", p, err)
	}
	c := loadedAt(t, url)
	for _, m := range [][3]string{{"initech", "tenant_initech_admins", "admin"}, {"initech", "tenant_initech_users", "member"}, {"hooli", "tenant_hooli_users", "member"}} {
		if _, err := c.Exec(t.Context(), `insert into kanidm_tenant_groups (tenant_id, kanidm_group_uuid, kanidm_group_name, role)
			select tenant_id, $2, $3, $4 from tenants where slug = $1`, m[0], uuid.New(), m[1], m[2]); err != nil {
			t.Fatal(err)
		}
	}
	p, err = a.ByGroups(t.Context(), linked, []string{"tenant_hooli_users", "tenant_initech_users", "tenant_initech_admins"})
	if want := (Place{Tenant: "initech", Role: "member", Group: "tenant_initech_users"}); err != nil || p != want {
		t.Errorf("%+v, %v: want the first group that an active tenant has", p, err)
	}
	if n := number(t, c, "select count(*) from users where kanidm_synced_at > now() - interval '1 minute' and migration_completed_at is not null"); n != 1 {
		t.Errorf("%d logins are noted", n)
	}
	if p, err := a.ByGroups(t.Context(), uuid.New(), []string{"tenant_initech_users"}); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a person of no row: %+v, %v", p, err)
	}
}
