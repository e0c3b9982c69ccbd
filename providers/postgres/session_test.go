package postgres

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
)

// hostile are settings that an administrator may have good reasons for, in the application's sessions.
var hostile = map[string]string{
	"row_security":                        "on",
	"client_encoding":                     "LATIN1",
	"DateStyle":                           "German, DMY",
	"standard_conforming_strings":         "off",
	"default_transaction_isolation":       "serializable",
	"statement_timeout":                   "1s",
	"idle_in_transaction_session_timeout": "1s",
	"idle_session_timeout":                "1s",
	"lock_timeout":                        "10ms",
	"TimeZone":                            "Asia/Kathmandu",
	"search_path":                         "public, nowhere",
}

// settled is what our sessions have of them. The order of dates, the time zone and the search path are the
// application's.
var settled = map[string]string{
	"row_security":                        "off",
	"client_encoding":                     "UTF8",
	"DateStyle":                           "ISO, DMY",
	"standard_conforming_strings":         "on",
	"default_transaction_isolation":       "read committed",
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	"lock_timeout":                        lockTimeout,
	"TimeZone":                            "Asia/Kathmandu",
	"search_path":                         "public, nowhere",
}

// TestSettings: whatever role, database or URL say, each connection of the pool has the settings that we rely on.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, hostileURL := range map[string]func(t *testing.T, exec func(string), at string) string{
		"role": func(t *testing.T, exec func(string), at string) string {
			role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			exec("create role " + role + " superuser login")
			t.Cleanup(func() { exec("drop role " + role) })
			for k, v := range hostile {
				if k != "search_path" {
					v = literal(v)
				}
				exec("alter role " + role + " set " + k + " = " + v)
			}
			return strings.Replace(at, "anthill@", role+"@", 1)
		},
		"database": func(_ *testing.T, exec func(string), at string) string {
			for k, v := range hostile {
				if k != "search_path" {
					v = literal(v)
				}
				exec("do $$ begin execute format('alter database %I set " + k + " = " + strings.ReplaceAll(v, "'", "''") +
					"', current_database()); end $$")
			}
			return at
		},
		"URL": func(_ *testing.T, _ func(string), at string) string {
			for k, v := range hostile {
				at += "&" + k + "=" + strings.ReplaceAll(url.QueryEscape(v), "+", "%20")
			}
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.Database(t)
			if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5, Level: "dual"}); err != nil {
				t.Fatal(err)
			}
			exec := func(sql string) {
				c, err := pgx.Connect(context.Background(), at)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(context.Background())
				if _, err := c.Exec(context.Background(), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			p, err := Open(t.Context(), Options{URL: hostileURL(t, exec, at), Naming: "self_auth", Application: "anthill test"})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range maxConns {
				conn, err := p.pool.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Release()
				got := map[string]string{}
				for k := range settled {
					var v string
					if err := conn.QueryRow(t.Context(), "select current_setting($1)", k).Scan(&v); err != nil {
						t.Fatal(err)
					}
					got[k] = v
				}
				if diff := cmp.Diff(settled, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

func TestMajor(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{"15.18 (Debian 15.18-0+deb12u1)": 15, "18beta1": 18, "9.6.24": 9, "": 0} {
		if got := major(version); got != want {
			t.Errorf("%q: %d, want %d", version, got, want)
		}
	}
	for version, want := range map[int]int{13: 8, 14: 9, 17: 10} {
		if got := strings.Count(settings(version), "set "); got != want {
			t.Errorf("version %d: %d settings, want %d", version, got, want)
		}
	}
}
