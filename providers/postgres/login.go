package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

const noting = "note logins"

// NoteLogins writes the synced time of rows as their time of completion. It is bookkeeping: whatever stands in its way is
// left for the next run.
func (p *Provider) NoteLogins(ctx context.Context, logins []state.Login) (noted int64, err error) {
	if len(logins) == 0 || !p.dual.Load() {
		return 0, nil
	}
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return 0, fail(noting, err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the error at hand says more
		}
	}()
	if err := p.fenced(ctx, tx); err != nil {
		return 0, err
	}
	// Rows that are held are skipped; this is for what a trigger wants that somebody else holds.
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+holdsNow+"'"); err != nil {
		return 0, fail(noting, err)
	}
	if noted, err = p.noteSome(ctx, tx, logins); err != nil {
		return 0, err
	}
	return noted, fail(noting, tx.Commit(ctx))
}

// noteSome writes rows together, and in ever smaller parts where the database does not take them together.
func (p *Provider) noteSome(ctx context.Context, tx pgx.Tx, logins []state.Login) (int64, error) {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return 0, fail(noting, err)
	}
	noted, err := p.noteTogether(ctx, savepoint, logins)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return noted, fail(noting, savepoint.Commit(ctx))
	case !errors.As(err, &pg) || !ofRow(pg):
		return 0, fail(noting, err)
	}
	if err := savepoint.Rollback(ctx); err != nil {
		return 0, fail(noting, err)
	}
	if err := p.lostRight(ctx, tx, pg, p.names.sql("{users}"), "update"); err != nil {
		return 0, fail(noting, err)
	}
	if len(logins) == 1 {
		return 0, nil
	}
	half := len(logins) / 2
	noted, err = p.noteSome(ctx, tx, logins[:half])
	if err != nil {
		return 0, err
	}
	rest, err := p.noteSome(ctx, tx, logins[half:])
	return noted + rest, err
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
