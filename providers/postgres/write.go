package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"anthill/providers"
	"anthill/state"
)

const writing = "write users"

// WriteUsers is one transaction: it locks the rows, compares digests, writes those that match, calls settle with the
// results (in the order of writes) and the transaction, and commits. A row that breaks a rule of the database is left
// out alone, with the reason. An error of settle rolls everything back.
func (p *Provider) WriteUsers(
	ctx context.Context, writes []providers.UserWrite, settle func(state.Tx, []providers.UserResult) error,
) (err error) {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return fail(writing, err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the error at hand says more
		}
	}()
	if _, err := tx.Exec(ctx, "set local lock_timeout = '10s'"); err != nil {
		return fail(writing, err)
	}
	results := make([]providers.UserResult, len(writes))
	fit, err := p.lockRows(ctx, tx, writes, results)
	if err != nil {
		return err
	}
	if err := p.writeRows(ctx, tx, writes, fit, results); err != nil {
		return err
	}
	// Outcomes commit with the rows, or neither does: that is how a killed run knows who is done.
	if err := settle(transaction{tx}, results); err != nil {
		return err
	}
	return fail(writing, tx.Commit(ctx))
}

// lockRows locks the rows in the order of ids and returns the indexes of those that are as the plan relies on.
func (p *Provider) lockRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, results []providers.UserResult,
) (fit []int, err error) {
	users := make([]uuid.UUID, len(writes))
	for i, w := range writes {
		users[i] = w.User
	}
	// In one order for everybody: two runs, or the application and a run, that lock the same rows do not block each other.
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() +
		" from {users} u where {user_id} = any($1) order by {user_id} for update of u")
	rows, err := p.readRows(ctx, tx, sql, ids(users))
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*providers.UserRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for i, w := range writes {
		row := byID[w.User]
		switch {
		case row == nil:
			results[i].Gone = true
		case providers.DigestUser(row.User, w.Relies) == w.Before:
			fit = append(fit, i)
		}
	}
	return fit, nil
}

// writeRows writes the rows at the indexes together, and one by one where the database refuses them together.
func (p *Provider) writeRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, fit []int, results []providers.UserResult,
) error {
	if len(fit) == 0 {
		return nil
	}
	refused, err := p.tryRows(ctx, tx, writes, fit)
	if err != nil {
		return err
	}
	if refused.IsZero() {
		for _, i := range fit {
			results[i].Written = true
		}
		return nil
	}
	if len(fit) == 1 {
		results[fit[0]].Refused = refused
		return nil
	}
	half := len(fit) / 2
	if err := p.writeRows(ctx, tx, writes, fit[:half], results); err != nil {
		return err
	}
	return p.writeRows(ctx, tx, writes, fit[half:], results)
}

// tryRows writes rows in a savepoint. refused says which rule of the database was in the way; nothing is written then.
func (p *Provider) tryRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int,
) (refused state.Finding, err error) {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return refused, fail(writing, err)
	}
	// Without the savepoint one row that breaks a rule would end the whole transaction, locks and all.
	err = p.updateRows(ctx, savepoint, writes, which)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code[:2] == "23" || pg.Code == codeRaised) {
		return ruleOf(pg), fail(writing, savepoint.Rollback(ctx))
	}
	if err != nil {
		return refused, fail(writing, err)
	}
	return refused, fail(writing, savepoint.Commit(ctx))
}

// SQLSTATEs: a value that must be unique, and an exception that a trigger raises.
const (
	codeUnique = "23505"
	codeRaised = "P0001"
)

// ruleOf says which rule a row breaks; it repeats no value.
func ruleOf(pg *pgconn.PgError) state.Finding {
	switch pg.Code {
	case codeUnique:
		return state.Found(state.CodeLinkTaken, state.Text(state.KeyRule, pg.ConstraintName))
	case codeRaised:
		return state.Found(state.CodeTriggerRefuses)
	}
	return state.Found(state.CodeRuleBroken, state.Text(state.KeyRule, cmp.Or(pg.ConstraintName, "SQLSTATE "+pg.Code)))
}

func (p *Provider) updateRows(ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int) error {
	restores := func(i int) bool { return writes[i].Restore != nil }
	if plain := slices.DeleteFunc(slices.Clone(which), restores); len(plain) > 0 {
		if err := p.updateLinks(ctx, tx, writes, plain); err != nil {
			return err
		}
	}
	back := slices.DeleteFunc(slices.Clone(which), func(i int) bool { return !restores(i) })
	if len(back) == 0 {
		return nil
	}
	return p.updateImages(ctx, tx, writes, back)
}

func (p *Provider) updateLinks(ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int) error {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods, done := make([]*string, len(which)), make([]bool, len(which))
	for k, i := range which {
		w := writes[i]
		users[k], links[k], methods[k], done[k] = w.User, nullUUID(w.Link), p.word(w.Method), w.Completed
	}
	_, err := tx.Exec(ctx, p.names.sql(`update {users} u set
			{link_id} = coalesce(w.link, u.{link_id}),
			{linked_at} = case when w.link is null then u.{linked_at} else now() end,
			{method} = coalesce(w.method, u.{method}),
			{completed_at} = case when w.done then coalesce(u.{completed_at}, now()) else u.{completed_at} end
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[]) as w (id, link, method, done)
		where u.{user_id} = w.id`),
		ids(users), links, methods, done)
	return err
}

func (p *Provider) updateImages(ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int) error {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods := make([]*string, len(which))
	synced, completed := make([]*time.Time, len(which)), make([]*time.Time, len(which))
	invited := make([]*time.Time, len(which))
	for k, i := range which {
		w, image := writes[i], writes[i].Restore
		users[k], links[k], methods[k] = w.User, nullUUID(image.Link), p.word(image.Method)
		synced[k], completed[k], invited[k] = nullTime(image.Synced), nullTime(image.Completed), nullTime(image.Invited)
	}
	_, err := tx.Exec(ctx, p.names.sql(`update {users} u set
			{link_id} = w.link, {linked_at} = w.synced, {method} = w.method,
			{completed_at} = w.completed, {invited_at} = w.invited
		from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::timestamptz[])
			as w (id, link, synced, method, completed, invited) where u.{user_id} = w.id`),
		ids(users), links, synced, methods, completed, invited)
	return err
}

// word spells a method; nil for none.
func (p *Provider) word(m state.Method) *string {
	if w, ok := p.names.methods[m]; ok {
		return &w
	}
	return nil
}

func nullUUID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
