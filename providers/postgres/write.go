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
	writing = "write users"
	// holdsNow is how long a statement that holds rows waits: for what a trigger wants, or for a table.
	holdsNow = "100ms"
	// settles is how long outcomes are tried to be written, where somebody else holds a table of the recorded state.
	settles = 30 * time.Second
)

// writeTries bounds how often a transaction that lost against the application's own ones is tried again.
const writeTries = 5

// whileHeld is for a statement that writes rows which are held: the row security of the role, and no long wait.
const whileHeld = "select concat(set_config('row_security', null, true), set_config('lock_timeout', '" + holdsNow + "', true))"

// errBlocked says that what is written waits for what somebody else holds.
var errBlocked = errors.New("what is written to the rows waits for another session")

// WriteUsers is one transaction: it locks the rows, compares digests, writes those that match, calls settle with the
// results (in the order of writes) and the transaction, and commits. A row that the database does not take is left out
// alone, with the reason. So is one that somebody else holds: no row is waited for while others are locked. Where what
// a trigger wants is held by somebody, all are left out, and told to be (CodeTableHeld): fewer of them may be written.
// What is transient otherwise is tried again from the start, settle too. An error of settle rolls everything back.
func (p *Provider) WriteUsers(
	ctx context.Context, writes []providers.UserWrite, settle func(state.Tx, []providers.UserResult) error,
) (err error) {
	w := writer{Provider: p}
	began := time.Now()
	for try := 1; ; try++ {
		w.last = try >= writeTries
		err = w.write(ctx, writes, settle)
		switch again := state.ErrorKindOf(err) == state.ErrorTransient; {
		case errors.Is(err, errBlocked):
			w.blocked = true
		case !again, w.last && (!w.settling || time.Since(began) >= settles):
			return err
		default:
			if err := pause(ctx, time.Duration(min(try, writeTries))*50*time.Millisecond); err != nil {
				return err
			}
		}
	}
}

// pause waits; an error says that ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is one call of WriteUsers.
type writer struct {
	*Provider

	last     bool // the last try: what is transient is the failure of the row by now
	blocked  bool // writing was waited for in vain: nothing is locked or written, and that is told of each
	settling bool // the rows are written

	readsBack bool // the table has a rule of its own, with which a statement returns nothing
}

// write is one try.
func (p *writer) write(
	ctx context.Context, writes []providers.UserWrite, settle func(state.Tx, []providers.UserResult) error,
) (err error) {
	p.settling = false
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
	results := make([]providers.UserResult, len(writes))
	if p.blocked {
		for i := range results {
			results[i].Refused = state.Found(state.CodeTableHeld)
		}
	} else {
		fit, err := p.lockRows(ctx, tx, writes, results)
		if err != nil {
			return err
		}
		if err := p.writeRows(ctx, tx, writes, fit, results); err != nil {
			return err
		}
	}
	p.settling = true
	// Outcomes commit with the rows, or neither does: that is how a killed run knows who is done.
	if err := settle(transaction{tx}, results); err != nil {
		return err
	}
	return fail(writing, tx.Commit(ctx))
}

// lockRows locks those of the rows that nobody else holds, and returns the indexes of those that are as the plan relies
// on. It waits for no row: whoever waits for one that we hold would wait for that one, too.
func (p *writer) lockRows(
	ctx context.Context, tx pgx.Tx, writes []providers.UserWrite, results []providers.UserResult,
) (fit []int, err error) {
	users := make([]uuid.UUID, len(writes))
	for i, w := range writes {
		users[i] = w.User
	}
	sql := "select " + p.userColumns() + p.imageColumns() +
		" from {users} u where {user_id} = any($1) order by {user_id} for " + strength(writes) + " of u"
	rows, err := p.readRows(ctx, tx, p.names.sql(sql+" skip locked"), ids(users))
	if err != nil {
		return nil, err
	}
	var held map[uuid.UUID]bool
	if len(rows) < len(writes) {
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

// strength is the lock that writing rows takes. The link is a key, by its unique index: writing it would wait for every
// session that has just referred to the user. Without it the application logs the user in meanwhile.
func strength(writes []providers.UserWrite) string {
	if slices.ContainsFunc(writes, func(w providers.UserWrite) bool { return w.Link != uuid.Nil || w.Restore != nil }) {
		return "update"
	}
	return "no key update"
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
	if p.names.without() { // what they would hold is gone with its column
		for _, i := range fit {
			results[i].Written = true
		}
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
	case errors.As(err, &pg) && blocked(pg):
		return refused, errBlocked
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
	w := seenRows{synced: make(map[uuid.UUID]time.Time, len(plain))}
	// As the triggers of these rows do it for the application (see Provider.asRole).
	b.Queue(p.names.sql(whileHeld + touched)).QueryRow(scanTouched(&before))
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

// seenRows are what was seen of rows that were written: how many, how many of them hold link and method as written, and the
// synced times of those that were linked.
type seenRows struct {
	rows, asWritten int64
	synced          map[uuid.UUID]time.Time
}

func (w *seenRows) read(rows pgx.Rows) error {
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
) (w seenRows, err error) {
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
func (p *writer) update(b *pgx.Batch, w *seenRows, sql, returning string, args ...any) {
	if !p.readsBack {
		b.Queue(p.names.sql(sql+" returning "+returning), args...).Query(w.read)
		return
	}
	b.Queue(p.names.sql(sql), args...).Exec(func(tag pgconn.CommandTag) error {
		w.rows += tag.RowsAffected()
		return nil
	})
}

func (p *writer) updateLinks(b *pgx.Batch, seen *seenRows, writes []providers.UserWrite, which []int) {
	users, links := make([]uuid.UUID, len(which)), make([]pgtype.UUID, len(which))
	methods, done := make([]*string, len(which)), make([]bool, len(which))
	for k, i := range which {
		w := writes[i]
		users[k], links[k], methods[k], done[k] = w.User, nullUUID(w.Link), p.word(w.Method), w.Completed
	}
	// To name the key is to lock it, where there is a trigger, even if it stays as it is.
	link := ""
	if slices.ContainsFunc(links, func(l pgtype.UUID) bool { return l.Valid }) {
		link = `{link_id} = coalesce(w.link, u.{link_id}),
			{linked_at} = case when w.link is null then u.{linked_at} else now() end,`
	}
	p.update(b, seen, `update {users} u set `+link+`
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
func (p *writer) updateImages(b *pgx.Batch, seen *seenRows, writes []providers.UserWrite, which []int) {
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
