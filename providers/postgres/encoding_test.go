package postgres

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
)

// encoded makes a database of an encoding for one test, with users, and runs statements there.
func encoded(t *testing.T, encoding string, sql ...string) string {
	t.Helper()
	ctx := context.Background()
	name := "enc_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	root := pgtest.Server().URL("postgres")
	run := func(at string, list ...string) {
		t.Helper()
		c, err := pgx.Connect(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		for _, s := range list {
			if _, err := c.PgConn().Exec(ctx, s).ReadAll(); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	run(root, "create database "+name+" template template0 encoding '"+encoding+"' lc_collate 'C' lc_ctype 'C'")
	t.Cleanup(func() { run(root, "drop database "+name+" with (force)") })
	at := pgtest.Server().URL(name)
	if err := sandbox.Load(ctx, at, sandbox.Options{Tenants: 3, Users: 30, Level: "dual"}); err != nil {
		t.Fatal(err)
	}
	run(at, sql...)
	return at
}

// TestTextThatIsNone: what cannot be said in UTF-8 is an error that names the row and the column, wherever it is read.
func TestTextThatIsNone(t *testing.T) {
	t.Parallel()
	const last = ` where user_id = (select user_id from users order by tenant_id desc, user_id desc limit 1)`
	for name, c := range map[string]struct {
		encoding, sql, want string
	}{
		"full_name":      {"SQL_ASCII", `update users set full_name = E'J\xf6rg'` + last, "full_name of the row with user_id "},
		"email":          {"SQL_ASCII", `update users set email = E'j\xf6rg@a.example'` + last, "email of the row with user_id "},
		"half a letter":  {"SQL_ASCII", `update users set full_name = E'J\xc3'` + last, "full_name of the row with user_id "},
		"tenant":         {"SQL_ASCII", `update tenants set name = E'M\xfcller'`, "name of the row with tenant_id "},
		"no such letter": {"WIN1252", `update users set full_name = E'J\x81'` + last, "full_name of the row with user_id "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Open(t.Context(), Options{URL: encoded(t, c.encoding, "set client_encoding = '"+c.encoding+"'", "update users set full_name = 'A'", c.sql), Naming: "self_auth"})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if _, err := p.Inspect(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, err := p.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var user uuid.UUID
			if err := p.pool.QueryRow(t.Context(), "select user_id from users order by tenant_id desc, user_id desc limit 1").Scan(&user); err != nil {
				t.Fatal(err)
			}
			want := c.want
			if strings.HasPrefix(c.want, "name") {
				_, err = s.Tenants(t.Context())
			} else {
				want += user.String()
				s.Ahead(t.Context())
				for _, e := range s.Users(t.Context()) {
					err = e
				}
				if _, err := p.Fetch(t.Context(), []uuid.UUID{user}); err == nil || !strings.Contains(err.Error(), c.want+user.String()) {
					t.Errorf("again: %v", err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "UPDATE ") {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// TestTextOfAnotherEncoding: what can be said in UTF-8 is, whatever the database or a client is set to.
func TestTextOfAnotherEncoding(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII", "UTF8", "WIN1252"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			name := map[string]string{"SQL_ASCII": `E'J\xc3\xb6rg M\xc3\xbc\xc3\x9fig'`}[encoding]
			if name == "" {
				name = "'Jörg Müßig'"
			}
			client := "set client_encoding = 'UTF8'"
			if encoding == "SQL_ASCII" {
				client = "set client_encoding = 'SQL_ASCII'"
			}
			at := encoded(t, encoding, client, "update users set full_name = "+name)
			for _, clients := range []string{"", "LATIN1", "SQL_ASCII", "UTF8"} {
				options := "&client_encoding=" + url.QueryEscape(clients)
				if clients == "" {
					options = ""
				}
				p, err := Open(t.Context(), Options{URL: at + options, Naming: "self_auth"})
				if err != nil {
					t.Fatal(err)
				}
				s, err := p.Snapshot(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for u, err := range s.Users(t.Context()) {
					if err != nil || u.FullName != "Jörg Müßig" {
						t.Errorf("%s: %q, %v", clients, u.FullName, err)
						break
					}
				}
				s.Close()
				p.Close()
			}
		})
	}
}

// TestSound: bytes that the server sends although they are no text, as a database of UTF8 can hold them, are refused as well.
func TestSound(t *testing.T) {
	t.Parallel()
	n, err := spell("self_auth", nil)
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	if err := n.sound("users", id, "a@b", "Jörg \uFFFD", "user", "active"); err != nil {
		t.Error(err)
	}
	raw := [][]byte{id[:], id[:], []byte("a@b"), []byte("J\xf6rg"), []byte("user"), []byte("active"), nil, make([]byte, 4), nil}
	if _, err := (&userReader{names: n, words: map[string]string{}}).user(raw); err == nil || !strings.Contains(err.Error(), "full_name of the row with user_id "+id.String()) {
		t.Error(err)
	}
}
