package postgres

import (
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

const (
	writing  = "write users"
	holds    = "10s"   // how long a try waits for a row, or for what a trigger wants, that somebody else holds
	holdsNow = "100ms" // the same in the last try, for each row
)

// writeTries bounds how often a transaction that lost against the application's own ones is tried again.
const writeTries = 5

// WriteUsers is one transaction: it locks the rows, compares digests, writes those that match, calls settle with the
// results (in the order of writes) and the transaction, and commits. A row that the database does not take is left out
// alone, with the reason; so is one that somebody else holds for long. What is transient is tried again from the start,
// settle too. An error of settle rolls everything back.
func (p *Provider) WriteUsers(
	ctx context.Context, writes []providers.UserWrite, settle func(state.Tx, []providers.UserResult) error,
) (err error) {
	w := writer{Provider: p}
	for try := range writeTries {
		w.last = try == writeTries-1
		w.skips = w.skips || w.last
		if err = w.write(ctx, writes, settle); state.ErrorKindOf(err) != state.ErrorTransient {
			break
		}
	}
	return err
}

// writer is one call of WriteUsers.
type writer struct {
	*Provider

	last  bool // the last try: what is transient is the failure of the row by now
	skips bool // rows were waited for in vain: those that are held are left out

	readsBack bool // the table has a rule of its own, with which a statement returns nothing
}

// write is one try.
func (p *writer) write(
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
	// Before any row is locked: what a process that has lost the lock holds keeps others from its users.
	if err := p.fenced(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+holds+"'"); err != nil {
		return fail(writing, err)
	}
	results := make([]providers.UserResult, len(writes))
	fit, err := p.lockRows(ctx, tx, writes, results)
	if err != nil {
		p.skips = true
		return err
	}
	if p.last {
		// Each row may be tried alone now, and whoever holds what a trigger wants was waited for before.
		if _, err := tx.Exec(ctx, "set local lock_timeout = '"+holdsNow+"'"); err != nil {
			return fail(writing, err)
		}
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
func (p *writer) lockRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, results []providers.UserResult,
) (fit []int, err error) {
	users := make([]uuid.UUID, len(writes))
	for i, w := range writes {
		users[i] = w.User
	}
	// In one order for everybody: two runs, or the application and a run, that lock the same rows do not block each other.
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() +
		" from {users} u where {user_id} = any($1) order by {user_id} for update of u")
	if p.skips {
		sql += " skip locked"
	}
	rows, err := p.readRows(ctx, tx, sql, ids(users))
	if err != nil {
		return nil, err
	}
	var held map[uuid.UUID]bool
	if p.skips && len(rows) < len(writes) {
		if held, err = p.existing(ctx, tx, users); err != nil {
			return nil, err
		}
	}
	byID := make(map[uuid.UUID]*providers.UserRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for i, w := range writes {
		row := byID[w.User]
		switch {
		case row == nil && held[w.User]:
			results[i].Refused = state.Found(state.CodeRowHeld)
		case row == nil:
			results[i].Gone = true
		case providers.DigestUser(row.User, w.Relies, w.Recorded) == w.Before:
			fit = append(fit, i)
		}
	}
	return fit, nil
}

// existing are those of the users who have a row, held by somebody or not.
func (p *writer) existing(ctx context.Context, tx pgx.Tx, users []uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := tx.Query(ctx, p.names.sql("select {user_id} from {users} where {user_id} = any($1)"), ids(users))
	if err != nil {
		return nil, fail(writing, err)
	}
	there := map[uuid.UUID]bool{}
	var id [16]byte
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		there[id] = true
		return nil
	})
	return there, fail(writing, err)
}

// writeRows writes the rows at the indexes together, and in ever smaller parts where the database does not take them
// together.
func (p *writer) writeRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, fit []int, results []providers.UserResult,
) error {
	if len(fit) == 0 {
		return nil
	}
	refused, err := p.tryRows(ctx, tx, writes, fit, results)
	if err != nil || refused.IsZero() {
		return err
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

// tryRows writes rows in a savepoint, and notes in their results that it has. refused says why the database does not take them; nothing is written then. An
// error is one of all: the connection's, the server's, or a right that is lost.
func (p *writer) tryRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int, results []providers.UserResult,
) (refused state.Finding, err error) {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return refused, fail(writing, err)
	}
	// Without the savepoint one row that breaks a rule would end the whole transaction, locks and all.
	kept, synced, err := p.updateRows(ctx, savepoint, writes, which)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeNotSupported && !p.readsBack {
		p.readsBack = true
		if err := savepoint.Rollback(ctx); err != nil {
			return refused, fail(writing, err)
		}
		return p.tryRows(ctx, tx, writes, which, results)
	}
	switch {
	case err == nil && !kept:
		for _, i := range which {
			results[i].Written, results[i].Synced = true, synced[writes[i].User]
		}
		return refused, fail(writing, savepoint.Commit(ctx))
	case err == nil:
		return state.Found(state.CodeRowKept), fail(writing, savepoint.Rollback(ctx))
	case !errors.As(err, &pg) || !ofRow(pg) || transient(pg) && !p.last:
		return refused, fail(writing, err)
	}
	if err := savepoint.Rollback(ctx); err != nil {
		return refused, fail(writing, err)
	}
	if err := p.lostRight(ctx, tx, pg, p.names.sql("{users}"), "update"); err != nil {
		return refused, fail(writing, err)
	}
	return p.ruleOf(pg), nil
}

// ruleOf says which rule a row breaks; it repeats no value, and no message, which may hold one.
func (p *Provider) ruleOf(pg *pgconn.PgError) state.Finding {
	rule := state.Text(state.KeyRule, ruleName(pg))
	switch {
	case raised(pg):
		return state.Found(state.CodeTriggerRefuses, rule)
	case pg.Code == codeUnique && pg.TableName == p.names.tables["users"]:
		return state.Found(state.CodeLinkTaken, rule)
	}
	return state.Found(state.CodeRuleBroken, rule)
}

// updateRows writes rows, together with whatever the database puts off until the commit. kept says that one of them is
// not as it was written: a trigger or a rule has left it out, or undone it. synced are the synced times of those that were
// linked.
func (p *writer) updateRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int,
) (kept bool, synced map[uuid.UUID]time.Time, err error) {
	restores := func(i int) bool { return writes[i].Restore != nil }
	plain := slices.DeleteFunc(slices.Clone(which), restores)
	back := slices.DeleteFunc(slices.Clone(which), func(i int) bool { return !restores(i) })
	var b pgx.Batch
	var before, after int64
	w := written{synced: make(map[uuid.UUID]time.Time, len(plain))}
	// As the triggers of these rows do it for the application (see Provider.asRole).
	b.Queue(p.names.sql(roleSecurity + touched)).QueryRow(scanTouched(&before))
	if len(plain) > 0 {
		p.updateLinks(&b, &w, writes, plain)
	}
	if len(back) > 0 {
		p.updateImages(&b, &w, writes, back)
	}
	// A deferred constraint that refuses one row would otherwise refuse the whole transaction, and not say for which row.
	b.Queue("set constraints all immediate")
	b.Queue(p.names.sql(ourSecurity + touched)).QueryRow(scanTouched(&after))
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return false, nil, err
	}
	all := int64(len(which))
	if w.rows < all {
		return true, nil, nil
	}
	// What a statement returns is what stands, where nothing has touched the table besides: no trigger, and no rule.
	if w.asWritten < all || after-before != all {
		if w, err = p.readWritten(ctx, tx, writes, which); err != nil {
			return false, nil, err
		}
	}
	return w.asWritten < all, w.synced, nil
}

// touched counts the rows of users that the transaction has written so far; no more than zero where the server does not count.
const touched = `, pg_stat_get_xact_tuples_inserted(t) + pg_stat_get_xact_tuples_updated(t) + pg_stat_get_xact_tuples_deleted(t)
	from (select '{users}'::regclass::oid as t) users`

func scanTouched(n *int64) func(pgx.Row) error {
	return func(row pgx.Row) error {
		var set string
		return row.Scan(&set, n)
	}
}

// written is what was seen of rows that were written: how many, how many of them hold link and method as written, and the
// synced times of those that were linked.
type written struct {
	rows, asWritten int64
	synced          map[uuid.UUID]time.Time
}

func (w *written) read(rows pgx.Rows) error {
	var id [16]byte
	var as bool
	var at *time.Time
	_, err := pgx.ForEachRow(rows, []any{&id, &as, &at}, func() error {
		w.rows++
		if as {
			w.asWritten++
		}
		if at != nil {
			w.synced[id] = at.UTC()
		}
		return nil
	})
	return err
}

// readWritten reads the rows back.
func (p *writer) readWritten(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, which []int,
) (w written, err error) {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods, restores := make([]*string, len(which)), make([]bool, len(which))
	for k, i := range which {
		w := writes[i]
		users[k], links[k], methods[k] = w.User, nullUUID(w.Link), p.word(w.Method)
		if w.Restore != nil {
			links[k], methods[k], restores[k] = nullUUID(w.Restore.Link), p.word(w.Restore.Method), true
		}
	}
	// Times are left out: an application that stamps them itself is none that refuses.
	rows, err := tx.Query(ctx, p.names.sql(`select u.{user_id},
			(u.{link_id} is not distinct from w.link or w.link is null and not w.restores)
				and (u.{method} is not distinct from w.method or w.method is null and not w.restores),
			case when w.link is not null and not w.restores then u.{linked_at}::timestamptz end
		from {users} u join unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[]) as w (id, link, method, restores)
			on u.{user_id} = w.id`),
		ids(users), links, methods, restores)
	if err != nil {
		return w, err
	}
	w.synced = make(map[uuid.UUID]time.Time, len(which))
	return w, w.read(rows)
}

// update queues a statement that writes rows, and what is seen of them.
func (p *writer) update(b *pgx.Batch, w *written, sql, returning string, args ...any) {
	if !p.readsBack {
		b.Queue(p.names.sql(sql+" returning "+returning), args...).Query(w.read)
		return
	}
	b.Queue(p.names.sql(sql), args...).Exec(func(tag pgconn.CommandTag) error {
		w.rows += tag.RowsAffected()
		return nil
	})
}

func (p *writer) updateLinks(b *pgx.Batch, seen *written, writes []providers.UserWrite, which []int) {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods, done := make([]*string, len(which)), make([]bool, len(which))
	for k, i := range which {
		w := writes[i]
		users[k], links[k], methods[k], done[k] = w.User, nullUUID(w.Link), p.word(w.Method), w.Completed
	}
	p.update(b, seen, `update {users} u set
			{link_id} = coalesce(w.link, u.{link_id}),
			{linked_at} = case when w.link is null then u.{linked_at} else now() end,
			{method} = coalesce(w.method, u.{method}),
			{completed_at} = case when w.done
				then coalesce(u.{completed_at}, case when w.link is null then u.{linked_at} end, now()) else u.{completed_at} end
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[]) as w (id, link, method, done)
		where u.{user_id} = w.id`,
		`u.{user_id}, (w.link is null or u.{link_id} is not distinct from w.link) and (w.method is null or u.{method} is not distinct from w.method),
			case when w.link is not null then u.{linked_at}::timestamptz end`,
		ids(users), links, methods, done)
}

// updateImages gives rows back what they held.
func (p *writer) updateImages(b *pgx.Batch, seen *written, writes []providers.UserWrite, which []int) {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods := make([]*string, len(which))
	synced, completed := make([]*time.Time, len(which)), make([]*time.Time, len(which))
	invited := make([]*time.Time, len(which))
	for k, i := range which {
		w, image := writes[i], writes[i].Restore
		users[k], links[k], methods[k] = w.User, nullUUID(image.Link), p.word(image.Method)
		synced[k], completed[k] = nullTime(image.Synced), nullTime(image.Completed)
		invited[k] = nullTime(image.Invited)
	}
	p.update(b, seen, `update {users} u set
			{link_id} = w.link, {linked_at} = w.synced, {method} = w.method,
			{completed_at} = w.completed, {invited_at} = w.invited
		from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::timestamptz[])
			as w (id, link, synced, method, completed, invited) where u.{user_id} = w.id`,
		"u.{user_id}, u.{link_id} is not distinct from w.link and u.{method} is not distinct from w.method, null::timestamptz",
		ids(users), links, synced, methods, completed, invited)
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
