package pg

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// TestHiddenState: what row level security hides of the state is no empty state, whatever the pool's settings are, and
// a policy that comes later is told apart from a right that is missing.
func TestHiddenState(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"meta", "runs", "users", "migrations"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t)
			owner := pool(t, url)
			s := Open(owner, "anthill_state", names)
			locked(t, s)
			if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
				t.Fatal(err)
			}
			role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			exec(t, owner, "create role "+role+" login")
			exec(t, owner, "grant usage on schema anthill_state to "+role)
			exec(t, owner, "grant select on all tables in schema anthill_state to "+role)
			exec(t, owner, "alter table anthill_state."+table+" enable row level security")
			t.Cleanup(func() {
				if _, err := owner.Exec(context.Background(), "drop owned by "+role+"; drop role "+role); err != nil {
					t.Error(err)
				}
			})
			theirs := pool(t, strings.Replace(url, "anthill@", role+"@", 1))
			_, err := Open(theirs, "anthill_state", names).Read(t.Context())
			if state.ErrorKindOf(err) != state.ErrorDenied || !strings.Contains(err.Error(), "anthill_state."+table) {
				t.Errorf("%v", err)
			}
			exec(t, owner, "alter role "+role+" set row_security = off")
			_, err = theirs.Exec(t.Context(), "set row_security = off; select from anthill_state."+table)
			if err = s.fail("read", err); !strings.Contains(err.Error(), "BYPASSRLS") {
				t.Errorf("told as %v", err)
			}
		})
	}
}
