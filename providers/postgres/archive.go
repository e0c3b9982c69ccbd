package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The archive holds what columns held that were dropped, beside the recorded state: a row of the archive for each row of
// a table, with the values under logical names. There is no password, address or name in it.
const archiveSQL = `create table {archive} (
		relation text, id uuid, held jsonb not null, at timestamptz not null default now(), primary key (relation, id));
	comment on table {archive} is 'Anthill: what columns held that it has dropped; brought back when they are made again.'`

func (p *Provider) inArchive(sql string) string {
	return p.names.sql(strings.ReplaceAll(sql, "{archive}", p.archive.Sanitize()))
}

// archiveRows copies what the columns of a table hold to the archive.
func (p *Provider) archiveRows(ctx context.Context, tx pgx.Tx, l leaving) error {
	var there bool
	err := tx.QueryRow(ctx, "select to_regclass($1) is not null", p.archive.Sanitize()).Scan(&there)
	if err == nil && !there { // IF NOT EXISTS would want the right to make tables in any case
		_, err = tx.Exec(ctx, p.inArchive(archiveSQL))
	}
	if err != nil {
		return err
	}
	values := make([]string, len(l.archived))
	for i, c := range l.archived {
		values[i] = literal(c) + ", " + l.col(c)
	}
	_, err = tx.Exec(ctx, p.inArchive(l.in(fmt.Sprintf(`insert into {archive} (relation, id, held)
		select $1, %s, jsonb_build_object(%s) from {table} where %s and %s
		on conflict (relation, id) do update set held = excluded.held, at = now()`,
		l.col(l.id), strings.Join(values, ", "), l.marked, l.held))), l.name)
	return err
}

// unarchive brings back what the columns of a table held, where they hold nothing yet, and takes it out of the archive. The
// rows go in batches, each a transaction of its own, as in the back-fill.
func (p *Provider) unarchive(ctx context.Context, table string) error {
	const doing = "bring values back"
	l := p.names.leaving(table)
	// Left behind where a way back was cut off.
	if err := l.helper().drop(p, ctx, time.Time{}); err != nil {
		return err
	}
	var there bool
	err := p.pool.QueryRow(ctx, "select to_regclass($1) is not null", p.archive.Sanitize()).Scan(&there)
	if err != nil || !there {
		return fail(doing, err)
	}
	sets := map[string]string{
		"users": `{invited_at} = coalesce(t.{invited_at}, (batch.held ->> 'invited_at')::timestamptz),
			{completed_at} = coalesce(t.{completed_at}, (batch.held ->> 'completed_at')::timestamptz)`,
		"sessions": `{session_link} = coalesce(t.{session_link}, (batch.held ->> 'session_link')::uuid),
			{sessions.method} = case when t.{sessions.method} = {value.jwt} then batch.held ->> 'method' else t.{sessions.method} end`,
	}
	sql := p.inArchive(l.in(fmt.Sprintf(`with batch as materialized (
			select id, held from {archive} where relation = $1 order by id limit %d),
		written as (update {table} t set %s from batch where t.%s = batch.id),
		gone as (delete from {archive} a using batch where a.relation = $1 and a.id = batch.id returning 1)
		select count(*) from gone`, backfillBatch, sets[table], l.col(l.id))))
	for {
		var n int64
		err := p.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, roleSecurity); err != nil {
				return err
			}
			return tx.QueryRow(ctx, sql, table).Scan(&n)
		})
		if err != nil || n == 0 {
			return fail(doing, err)
		}
	}
}
