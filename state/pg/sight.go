package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// unhidden refuses a state of which row level security would hide rows from the role: a run that is not seen would be
// taken for one that never was.
func (s *Store) unhidden(ctx context.Context, tx pgx.Tx, role string) error {
	rows, err := tx.Query(ctx, `
		select format('%I.%I', n.nspname, c.relname),
			array(select polname::text from pg_policy where polrelid = c.oid order by 1), pg_has_role(c.relowner, 'usage')
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind in ('r', 'p') and row_security_active(c.oid) order by 1`, s.schema)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[state.Shielded])
	if err != nil {
		return err
	}
	return state.HiddenRows(role, list)
}
