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

const noting = "note times"

// mostRefusals is how many rows in a row may be refused one by one before no more are tried: a trigger that refuses one for what is
// written refuses all. mostWaits is how often a lock may be waited for in vain: enough to leave one row of a batch alone, and
// soon over where the whole table is locked.
const (
	mostRefusals = 20
	mostWaits    = 12
)

// NoteLogins writes the synced time of rows as their time of completion. It is bookkeeping: whatever stands in its way is
// left for the next run.
func (p *Provider) NoteLogins(ctx context.Context, logins []state.Login) (providers.Noted, error) {
	n := noter{Provider: p}
	for _, l := range logins {
		n.add(l.User, l.Person, l.Synced)
	}
	return n.note(ctx, `update {users} u set {completed_at} = u.{linked_at}
		from (select a.{user_id} as id from {users} a
			join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as w (id, link, synced) on a.{user_id} = w.id
			where a.{link_id} = w.link and a.{completed_at} is null and a.{linked_at}::timestamptz = w.synced
			order by a.{user_id} for update of a skip locked) fit
		where u.{user_id} = fit.id`)
}

// NoteInvites writes when users were invited. It is bookkeeping as NoteLogins is.
func (p *Provider) NoteInvites(ctx context.Context, invites []state.Invite) (providers.Noted, error) {
	n := noter{Provider: p}
	n.addAll(invites)
	return n.note(ctx, `update {users} u set {invited_at} = fit.at
		from (select a.{user_id} as id, w.at from {users} a
			join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as w (id, link, at) on a.{user_id} = w.id
			where a.{link_id} = w.link and a.{invited_at} is null
			order by a.{user_id} for update of a skip locked) fit
		where u.{user_id} = fit.id`)
}

// UnnoteInvites takes the time of invitation back, where it is the very one that was noted.
func (p *Provider) UnnoteInvites(ctx context.Context, invites []state.Invite) (providers.Noted, error) {
	n := noter{Provider: p}
	n.addAll(invites)
	return n.note(ctx, `update {users} u set {invited_at} = null
		from (select a.{user_id} as id from {users} a
			join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as w (id, link, at) on a.{user_id} = w.id
			where a.{link_id} = w.link and a.{invited_at}::timestamptz = w.at
			order by a.{user_id} for update of a skip locked) fit
		where u.{user_id} = fit.id`)
}

// noter writes a time to rows, each known by its id, its link and a moment.
type noter struct {
	*Provider
	providers.Noted

	tx           pgx.Tx
	sql          string
	users, links []uuid.UUID
	at           []time.Time
	refused      int // rows
	waited       int // times, in vain
}

func (n *noter) add(user, link uuid.UUID, at time.Time) {
	n.users, n.links, n.at = append(n.users, user), append(n.links, link), append(n.at, at)
}

func (n *noter) addAll(invites []state.Invite) {
	for _, i := range invites {
		n.add(i.User, i.Person, i.At)
	}
}

// note writes them by a statement over these, in one transaction.
func (n *noter) note(ctx context.Context, sql string) (noted providers.Noted, err error) {
	if len(n.users) == 0 || !n.dual.Load() {
		return noted, nil
	}
	n.sql = n.names.sql(sql)
	tx, err := n.pool.Begin(ctx)
	if err != nil {
		return noted, fail(noting, err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the error at hand says more
		}
	}()
	if err := n.fenced(ctx, tx); err != nil {
		return noted, err
	}
	// Rows that are held are skipped; this is for the table, and for what a trigger wants that somebody else holds.
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+holdsNow+"'"); err != nil {
		return noted, fail(noting, err)
	}
	n.tx = tx
	if err := n.some(ctx, 0, len(n.users)); err != nil {
		return providers.Noted{}, err
	}
	return n.Noted, fail(noting, tx.Commit(ctx))
}

// some writes the rows of a part together, and in ever smaller parts where the database does not take them together.
func (n *noter) some(ctx context.Context, from, to int) error {
	savepoint, err := n.tx.Begin(ctx)
	if err != nil {
		return fail(noting, err)
	}
	rows, err := n.together(ctx, savepoint, from, to)
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
	case to-from == 1:
		if n.refused++; n.refused >= mostRefusals {
			n.Left = n.ruleOf(pg)
		}
	}
	if to-from == 1 {
		return nil
	}
	half := (from + to) / 2
	for _, part := range [][2]int{{from, half}, {half, to}} {
		if !n.Left.IsZero() {
			return nil
		}
		if err := n.some(ctx, part[0], part[1]); err != nil {
			return err
		}
	}
	return nil
}

func (n *noter) together(ctx context.Context, tx pgx.Tx, from, to int) (int64, error) {
	// As with every write of users: in one order for everybody, and with what a deferred constraint says at once.
	tag, err := n.asRole(ctx, tx, n.sql, ids(n.users[from:to]), ids(n.links[from:to]), n.at[from:to])
	if err == nil {
		_, err = n.asRole(ctx, tx, "set constraints all immediate")
	}
	return tag.RowsAffected(), err
}
