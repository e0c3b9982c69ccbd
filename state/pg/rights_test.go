package pg

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/scratchpg/pgtest"
)

// TestRightsOnEveryTable: no table of the state is left out where its rights are listed.
func TestRightsOnEveryTable(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, k := range keeps {
		listed[k.name] = true
	}
	rows, err := p.Query(t.Context(), "select relname::text from pg_class where relnamespace = 'anthill_state'::regnamespace and relkind = 'r'")
	if err != nil {
		t.Fatal(err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(there) != len(keeps) {
		t.Errorf("%d tables, %d listed, %v", len(there), len(keeps), err)
	}
	for _, name := range there {
		if !listed[name] {
			t.Errorf("of %s no rights are listed", name)
		}
	}
}
