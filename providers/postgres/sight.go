package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// What cannot be seen looks as if it were gone, and who is gone loses the login. So a table that hides rows from the
// role is refused, and so is one that shows none although there must be some.

// unhidden refuses tables of which row level security would hide rows from the role. Every query would be refused as
// well, by row_security = off; this says so once, and says which policies they are.
func (p *Provider) unhidden(ctx context.Context, role string) error {
	rows, err := p.pool.Query(ctx, `
		select format('%I.%I', n.nspname, c.relname),
			array(select polname::text from pg_policy where polrelid = c.oid order by 1), pg_has_role(c.relowner, 'usage')
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.oid = any($1) and row_security_active(c.oid) order by 1`, p.names.oids("users", "tenants", "mapping"))
	if err != nil {
		return fail(looking, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[state.Shielded])
	if err != nil {
		return fail(looking, err)
	}
	return state.HiddenRows(role, list)
}

// count is how many rows a table has by the catalogue, partitions and inheriting tables included. known is false where
// nobody has counted since the table was made or emptied (TRUNCATE). After a DELETE it is too many for a while.
func (p *Provider) count(ctx context.Context, q querier, logical string) (count int64, known bool, err error) {
	rows, err := q.Query(ctx, `
		select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint, coalesce(bool_and(c.reltuples >= 0), true)
		from pg_class c where c.relkind <> 'p' and c.oid in (
			with recursive tree as (select $1::oid as id
				union all select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.id)
			select id from tree)`, p.names.oids(logical)[0])
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&count, &known); err != nil {
			return 0, false, err
		}
	}
	return count, known, rows.Err()
}

// blank says whether a table shows no row at all.
func (p *Provider) blank(ctx context.Context, q querier, logical string) (bool, error) {
	rows, err := q.Query(ctx, p.names.sql("select not exists (select from {"+logical+"})"))
	if err != nil {
		return false, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
}

// Sees refuses to conclude anything from a table of users or tenants that shows no row, where the catalogue has counted
// some, or has not counted and moved says that users were moved.
func (s *Snapshot) Sees(ctx context.Context, moved func() (bool, error)) error {
	for _, logical := range []string{"users", "tenants"} {
		if err := s.p.sees(ctx, s.tx, logical, moved); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) sees(ctx context.Context, q querier, logical string, moved func() (bool, error)) error {
	blank, err := p.blank(ctx, q, logical)
	if err != nil || !blank {
		return fail(looking, err)
	}
	count, known, err := p.count(ctx, q, logical)
	if err != nil {
		return fail(looking, err)
	}
	switch {
	case count > 0:
		return noRows(p.names.table(logical), count)
	case known: // and counted none
		return nil
	}
	there, err := moved()
	if err != nil || !there {
		return err
	}
	return uncounted(p.names.table(logical))
}
