package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// Postgres makes no index of a partitioned table while others write to it, and drops none. So each partition gets its own
// that way, and those become parts of one of the whole table, which is of no rows itself and is valid once they all are.
// A partition that comes meanwhile gets its part from Postgres.

// branch is a table below a partitioned one, with the index that is made on it.
type branch struct {
	table       pgx.Identifier
	oid         uint32
	partitioned bool
	above       pgx.Identifier // the index of the table above it; nil: there is none yet
	index       pgx.Identifier // that is a part of that already; nil: none is
	own         pgx.Identifier // the one that is made
	there       bool           // own is there, maybe cut off in the middle
	valid       bool
}

// partName is how the part of an index on a partition is called: by the table's number, as names may be long.
func (i index) partName(oid uint32) string { return fmt.Sprintf("%s_%d", i.name, oid) }

// branches are the tables below one, those above first.
func (i index) branches(ctx context.Context, p *Provider) ([]branch, error) {
	rows, err := p.pool.Query(ctx, `select n.nspname, c.relname, c.oid, c.relkind = 'p',
			coalesce(an.nspname, ''), coalesce(ac.relname, ''), coalesce(pn.nspname, ''), coalesce(pc.relname, ''),
			o.oid is not null, coalesce(ox.indisvalid, false)
		from pg_partition_tree($1::oid::regclass) t join pg_class c on c.oid = t.relid join pg_namespace n on n.oid = c.relnamespace
			left join lateral (select x.indexrelid as id from pg_index x join pg_class k on k.oid = x.indexrelid
				where x.indrelid = t.parentrelid and k.relname in ($2::text, $2::text || '_' || t.parentrelid::oid)) above on true
			left join pg_class ac on ac.oid = above.id left join pg_namespace an on an.oid = ac.relnamespace
			left join lateral (select x.indexrelid as id from pg_index x join pg_inherits h on h.inhrelid = x.indexrelid
				where x.indrelid = t.relid and h.inhparent = above.id) part on true
			left join pg_class pc on pc.oid = part.id left join pg_namespace pn on pn.oid = pc.relnamespace
			left join pg_class o on o.relnamespace = c.relnamespace and o.relname = $2::text || '_' || c.oid and o.relkind in ('i', 'I')
			left join pg_index ox on ox.indexrelid = o.oid
		where t.level > 0 order by t.level, 1, 2`, p.names.oids(i.table)[0], i.name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b branch, err error) {
		table, above, part := make(pgx.Identifier, 2), make(pgx.Identifier, 2), make(pgx.Identifier, 2)
		err = row.Scan(&table[0], &table[1], &b.oid, &b.partitioned, &above[0], &above[1], &part[0], &part[1], &b.there, &b.valid)
		b.table, b.own = table, pgx.Identifier{table[0], i.partName(b.oid)}
		if above[1] != "" {
			b.above = above
		}
		if part[1] != "" {
			b.index = part
		}
		return b, err
	})
}

// only makes an index of a table and of none below it.
const only = "create index if not exists %s on only %s (%s) where %s"

// buildParts makes an index of a partitioned table. What a kill has left is gone on with.
func (i index) buildParts(ctx context.Context, p *Provider) error {
	err := p.short(ctx, fmt.Sprintf(only, pgx.Identifier{i.name}.Sanitize(), "{"+i.table+"}", i.columnList(), i.where))
	if err != nil {
		return err
	}
	// A branch is looked at when those above have their index: it becomes a part of that.
	for done := 0; ; done++ {
		list, err := i.branches(ctx, p)
		if err != nil {
			return err
		}
		if done >= len(list) {
			return i.wholly(ctx, p)
		}
		if err := i.buildPart(ctx, p, list[done]); err != nil {
			return err
		}
	}
}

func (i index) buildPart(ctx context.Context, p *Provider, b branch) error {
	if b.index != nil {
		return nil
	}
	name := pgx.Identifier{i.partName(b.oid)}.Sanitize()
	on := b.table.Sanitize() + " (" + i.columnList() + ") where " + i.where
	var err error
	switch {
	case b.partitioned:
		err = p.short(ctx, fmt.Sprintf(only, name, b.table.Sanitize(), i.columnList(), i.where))
	case b.valid:
	default:
		if b.there {
			err = p.alone(ctx, "drop index concurrently if exists "+b.own.Sanitize())
		}
		if err == nil {
			err = p.alone(ctx, "create index concurrently if not exists "+name+" on "+on)
		}
	}
	if err != nil {
		return err
	}
	return p.short(ctx, "alter index "+b.above.Sanitize()+" attach partition "+b.own.Sanitize())
}

// wholly says that an index is one of all partitions.
func (i index) wholly(ctx context.Context, p *Provider) error {
	var valid bool
	err := p.pool.QueryRow(ctx, `select x.indisvalid from pg_index x join pg_class c on c.oid = x.indexrelid
		where x.indrelid = $1 and c.relname = $2`, p.names.oids(i.table)[0], i.name).Scan(&valid)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && !valid:
		return &state.Error{
			Kind: state.ErrorTransient, Side: side, Doing: "build index " + i.name,
			Reason: "partitions of " + p.names.tables[i.table] + " were changed meanwhile",
		}
	}
	return err
}

// dropParts drops an index of a partitioned table, with its parts, and parts that a kill has left alone. For a moment
// nobody can use the table: Postgres has no other way.
func (i index) dropParts(ctx context.Context, p *Provider, schema string) error {
	err := p.short(ctx, "drop index if exists "+pgx.Identifier{schema, i.name}.Sanitize())
	if err != nil {
		return err
	}
	list, err := i.branches(ctx, p)
	if err != nil {
		return err
	}
	for _, b := range list {
		switch {
		case !b.there:
		case b.partitioned:
			err = p.short(ctx, "drop index if exists "+b.own.Sanitize())
		default:
			err = p.alone(ctx, "drop index concurrently if exists "+b.own.Sanitize())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
