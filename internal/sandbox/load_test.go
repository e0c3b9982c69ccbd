package sandbox

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"anthill/internal/scratchpg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, nil) }

func loaded(t *testing.T, o Options) *pgx.Conn {
	t.Helper()
	url := pgtest.Database(t)
	if err := Load(t.Context(), url, o); err != nil {
		t.Fatal(err)
	}
	return loadedAt(t, url)
}

func loadedAt(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func number(t *testing.T, c *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := c.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestSampleHoldsEveryTrap(t *testing.T) {
	t.Parallel()
	for _, preset := range []string{"self_auth", "kanidm"} {
		for _, level := range []string{"baseline", "dual"} {
			t.Run(preset+" "+level, func(t *testing.T) {
				t.Parallel()
				c := loaded(t, Options{Naming: preset, Level: level})
				link := preset + "_user_id"
				traps := map[string]string{
					"internal tenant":             "select count(*) from tenants where slug = 'anthill'",
					"suspended tenant":            "select count(*) from tenants where status = 'suspended'",
					"cancelled tenant":            "select count(*) from tenants where status = 'cancelled'",
					"deleted tenant":              "select count(*) from tenants where deleted_at is not null",
					"tenant without users":        "select count(*) from tenants t where not exists (select from users u where u.tenant_id = t.tenant_id)",
					"tenant with one user":        "select count(*) from (select tenant_id from users group by 1 having count(*) = 1) x",
					"tenant with 40 %":            "select count(*) from (select tenant_id from users group by 1 having count(*) between 0.36 * (select count(*) from users) and 0.48 * (select count(*) from users)) x",
					"tenant with one admin":       "select count(*) from tenants t where slug = 'stark' and (select count(*) from users u where u.tenant_id = t.tenant_id and role = 'admin') = 1",
					"tenant without admin":        "select count(*) from tenants t where slug = 'wayne' and not exists (select from users u where u.tenant_id = t.tenant_id and role like '%admin')",
					"slug of 50":                  "select count(*) from tenants where length(slug) = 50",
					"slug of 51":                  "select count(*) from tenants where length(slug) = 51",
					"slug of 100":                 "select count(*) from tenants where length(slug) = 100",
					"slug with underscore":        "select count(*) from tenants where slug like '%\\_%'",
					"slug with leading digit":     "select count(*) from tenants where slug ~ '^[0-9]'",
					"slug in upper case":          "select count(*) from tenants where slug ~ '[A-Z]'",
					"slug not ASCII":              "select count(*) from tenants where slug = 'cà-phê'",
					"slugs that collide":          "select count(*) - 1 from tenants where slug ~ '^soylent.corp'",
					"name NULL":                   "select count(*) from users where full_name is null",
					"name empty":                  "select count(*) from users where full_name = ''",
					"name blank":                  "select count(*) from users where full_name = '   '",
					"name null":                   "select count(*) from users where full_name = 'null'",
					"name of 255":                 "select count(*) from users where length(full_name) = 255",
					"name with newline":           "select count(*) from users where full_name like E'%\\n%\\t%'",
					"name with script":            "select count(*) from users where full_name like '<script>%'",
					"name with ANSI":              "select count(*) from users where full_name like E'\\x1b[%'",
					"name with braces":            "select count(*) from users where full_name like '{{%'",
					"mail in upper case":          "select count(*) from users where email ~ '[A-Z].*@Acme'",
					"mail with plus":              "select count(*) from users where email like '%+%'",
					"mail of 64":                  "select count(*) from users where length(split_part(email, '@', 1)) = 64",
					"mail not ASCII":              "select count(*) from users where email ~ 'đ'",
					"mail with apostrophe":        "select count(*) from users where email like '%''%'",
					"mail without at":             "select count(*) from users where email not like '%@%'",
					"mail in two tenants":         "select count(*) from (select email from users group by 1 having count(distinct tenant_id) > 1) x",
					"mail twice by case":          "select count(*) from (select tenant_id, lower(email) from users group by 1, 2 having count(*) > 1) x",
					"service account":             "select count(*) from users where email = 'system@anthill.local' and status = 'active' and role = 'user'",
					"inactive":                    "select count(*) from users where status = 'inactive'",
					"suspended":                   "select count(*) from users where status = 'suspended'",
					"deleted":                     "select count(*) from users where deleted_at is not null",
					"linked with password":        "select count(*) from users where " + link + " is not null and password_hash is not null",
					"session of 31 days":          "select count(*) from sessions where created_at < now() - interval '30 days'",
					"session of 29 days":          "select count(*) from sessions where created_at between now() - interval '30 days' and now() - interval '28 days'",
					"revoked session":             "select count(*) from sessions where revoked",
					"group of two tenants":        fmt.Sprintf("select count(*) from (select %[1]s_group_uuid from %[1]s_tenant_groups group by 1 having count(*) > 1) x", preset),
					"profile of every user":       "select (select count(*) from users) = (select count(*) from user_profiles)::bigint and true" + "",
					"policies of the casbin seed": "select count(*) - 77 from casbin_rule where ptype = 'p'",
				}
				traps["profile of every user"] = "select case when (select count(*) from users) = (select count(*) from user_profiles) then 1 else 0 end"
				if level == "dual" {
					traps["linked without password"] = "select count(*) from users where " + link + " is not null and password_hash is null and auth_method = '" + map[string]string{"self_auth": "self-auth", "kanidm": "kanidm"}[preset] + "'"
					traps["neither"] = "select count(*) from users where " + link + " is null and password_hash is null"
					traps["progress view"] = "select count(*) from v_migration_progress"
					traps["sessions of each method"] = "select count(distinct auth_method) / 3 from sessions"
				}
				for trap, sql := range traps {
					if number(t, c, sql) < 1 {
						t.Errorf("%s: not there (%s)", trap, sql)
					}
				}
			})
		}
	}
}

func TestSameSeedSameData(t *testing.T) {
	t.Parallel()
	sum := func(o Options) (s string) {
		c := loaded(t, o)
		if err := c.QueryRow(t.Context(), "select md5(string_agg(u::text, E'\\n' order by user_id)) from users u").Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, o := range []Options{{}, {Tenants: 20, Users: 500, Seed: 3}} {
		if a, b := sum(o), sum(o); a != b {
			t.Errorf("%+v: %s and %s", o, a, b)
		}
	}
	if a, b := sum(Options{Tenants: 5, Users: 50, Seed: 1}), sum(Options{Tenants: 5, Users: 50, Seed: 2}); a == b {
		t.Error("another seed makes the same data")
	}
}

func TestGeneratedCountsAreExact(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Tenants: 1, Users: 1}, {Tenants: 3, Users: 10}, {Tenants: 50, Users: 20000}, {Tenants: 300, Users: 1000, Level: "dual"}} {
		t.Run(fmt.Sprint(o.Tenants, o.Users), func(t *testing.T) {
			t.Parallel()
			c := loaded(t, o)
			got := [2]int{number(t, c, "select count(*) from tenants"), number(t, c, "select count(*) from users")}
			if diff := cmp.Diff([2]int{o.Tenants, o.Users}, got); diff != "" {
				t.Errorf("tenants and users (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Naming: "other"}, {Level: "half"}} {
		if err := Load(t.Context(), pgtest.Database(t), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
