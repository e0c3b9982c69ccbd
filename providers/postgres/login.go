package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
	"anthill/state"
)

const noting = "note logins"

// mostRefusals is how many rows in a row may be refused one by one before no more are tried: a trigger that refuses one for what is
// written refuses all. mostWaits is how often a lock may be waited for in vain: enough to leave one row of a batch alone, and
// soon over where the whole table is locked.
const (
	mostRefusals = 20
	mostWaits    = 12
)

// NoteLogins writes the synced time of rows as their time of completion. It is bookkeeping: whatever stands in its way is
// left for the next run.
func (p *Provider) NoteLogins(ctx context.Context, logins []state.Login) (noted providers.Noted, err error) {
	if len(logins) == 0 || !p.dual.Load() {
		return noted, nil
	}
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return noted, fail(noting, err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the error at hand says more
		}
	}()
	if err := p.fenced(ctx, tx); err != nil {
		return noted, err
	}
	// Rows that are held are skipped; this is for the table, and for what a trigger wants that somebody else holds.
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+holdsNow+"'"); err != nil {
		return noted, fail(noting, err)
	}
	n := noter{Provider: p, tx: tx}
	if err := n.some(ctx, logins); err != nil {
		return providers.Noted{}, err
	}
	return n.Noted, fail(noting, tx.Commit(ctx))
}

// noter is one call of NoteLogins.
type noter struct {
	*Provider
	providers.Noted

	tx      pgx.Tx
	refused int // rows
	waited  int // times, in vain
}

// some writes rows together, and in ever smaller parts where the database does not take them together.
func (n *noter) some(ctx context.Context, logins []state.Login) error {
	savepoint, err := n.tx.Begin(ctx)
	if err != nil {
		return fail(noting, err)
	}
	rows, err := n.noteTogether(ctx, savepoint, logins)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		if n.Rows += rows; rows > 0 {
			n.refused = 0
		}
		return fail(noting, savepoint.Commit(ctx))
	case !errors.As(err, &pg) || !ofRow(pg):
		return fail(noting, err)
	}
	if err := savepoint.Rollback(ctx); err != nil {
		return fail(noting, err)
	}
	if err := n.lostRight(ctx, n.tx, pg, n.names.sql("{users}"), "update"); err != nil {
		return fail(noting, err)
	}
	switch {
	case pg.Code == codeLocked:
		if n.waited++; n.waited >= mostWaits {
			n.Left = state.Found(state.CodeTableHeld)
		}
	case len(logins) == 1:
		if n.refused++; n.refused >= mostRefusals {
			n.Left = n.ruleOf(pg)
		}
	}
	if len(logins) == 1 {
		return nil
	}
	half := len(logins) / 2
	for _, part := range [][]state.Login{logins[:half], logins[half:]} {
		if !n.Left.IsZero() {
			return nil
		}
		if err := n.some(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) noteTogether(ctx context.Context, tx pgx.Tx, logins []state.Login) (int64, error) {
	users, links, synced := make([]uuid.UUID, len(logins)), make([]uuid.UUID, len(logins)), make([]time.Time, len(logins))
	for i, l := range logins {
		users[i], links[i], synced[i] = l.User, l.Person, l.Synced
	}
	// As with every write of users: in one order for everybody, and with what a deferred constraint says at once.
	tag, err := p.asRole(ctx, tx, p.names.sql(`update {users} u set {completed_at} = u.{linked_at}
		from (select a.{user_id} as id from {users} a
			join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as w (id, link, synced) on a.{user_id} = w.id
			where a.{link_id} = w.link and a.{completed_at} is null and a.{linked_at}::timestamptz = w.synced
			order by a.{user_id} for update of a skip locked) fit
		where u.{user_id} = fit.id`), ids(users), ids(links), synced)
	if err == nil {
		_, err = p.asRole(ctx, tx, "set constraints all immediate")
	}
	return tag.RowsAffected(), err
}
