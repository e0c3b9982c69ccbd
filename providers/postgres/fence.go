package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// SetFence says what stands first in every transaction that writes (state.Lock.Fence): an error of it keeps anything
// from being written, and is returned as it is. nil: nothing. Not while a write is under way.
func (p *Provider) SetFence(fence func(context.Context, state.Tx) error) { p.fence = fence }

// inTx runs f in one transaction that may write. Whatever changes the database goes through it, or through WriteUsers.
func (p *Provider) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if err := p.fenced(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

func (p *Provider) fenced(ctx context.Context, tx pgx.Tx) error {
	if p.fence == nil {
		return nil
	}
	return p.fence(ctx, transaction{tx})
}

// exec is one statement in a transaction of its own.
func (p *Provider) exec(ctx context.Context, sql string, args ...any) (rows int64, err error) {
	err = p.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := p.asRole(ctx, tx, p.names.sql(sql), args...)
		rows = tag.RowsAffected()
		return err
	})
	return rows, err
}

// alone runs a statement that Postgres allows in no transaction. It goes out right after one that the fence let through.
func (p *Provider) alone(ctx context.Context, sql string) error {
	if err := p.inTx(ctx, func(pgx.Tx) error { return nil }); err != nil {
		return err
	}
	return p.patient(ctx, sql)
}
