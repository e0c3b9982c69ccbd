package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// TestSecondOfAnotherKind: where the first connection reaches the server and the second a pooler, as the server has none left for the
// role, the second is no better for having come early.
func TestSecondOfAnotherKind(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]pgtest.Pooling{
		"one session": {Sessions: 1}, "last used": {Sessions: 3}, "longest rested": {Sessions: 3, Rested: true}, "statements": {Sessions: 2, Statements: true},
		"sessions of their own": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.Database(t)
			if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
				t.Fatal(err)
			}
			db, err := pgx.Connect(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(context.Background())
			role := "narrow_" + strings.ToLower(strings.ReplaceAll(name, " ", "_"))
			execute(t, db, "create role "+role+" login connection limit 1")
			b := pgtest.StartPooler(t, at, how)
			c, pooler := db.Config(), strings.TrimPrefix(strings.TrimSuffix(b.URL, "/pooled?sslmode=disable"), "postgres://anthill@127.0.0.1:")
			p, err := Open(t.Context(), Options{Naming: "self_auth", URL: fmt.Sprintf("host=%s,127.0.0.1 port=%d,%s user=%s dbname=%s sslmode=disable",
				c.Host, c.Port, pooler, role, c.Database)})
			if err == nil {
				defer p.Close()
				conn, e := p.pool.Acquire(t.Context())
				if e != nil {
					t.Fatal(e)
				}
				defer conn.Release()
				other, e := p.pool.Acquire(t.Context())
				if err = e; err == nil {
					other.Release()
				}
			}
			if how.Sessions == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if state.ErrorKindOf(err) != state.ErrorMissing || !strings.Contains(err.Error(), "pool_mode = session") {
				t.Errorf("error %v", err)
			}
			for _, is := range b.Show("show row_security") {
				if is != "on" {
					t.Error("a setting reached a session of others")
				}
			}
		})
	}
}
