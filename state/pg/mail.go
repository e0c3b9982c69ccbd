package pg

import (
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// The outbox. A mail is chosen in the transaction that moves its user; from then on each step is one of its own, which says first
// that the lock is held.

const mailVersion = 6 // the migration that adds it

// mailColumns are in the order of scanMail.
const mailColumns = `m.id, m.user_id, m.wave, m.letter, m.round, m.link, m.unverified, m.template, m.run, m.status, m.past, m.chosen,
	m.rendered, m.ended, m.reply, m.enhanced, m.why, m.shown_to, m.reason`

func scanMail(m *state.Mail) []any {
	return []any{
		&m.ID, &m.User, &m.Wave, &m.Letter, &m.Round, &m.Link, &m.Unverified, digest{m.Template[:]}, &m.Run, &m.Status, &m.Past,
		nullable{&m.Chosen}, nullable{&m.Rendered}, nullable{&m.Ended}, &m.Code, &m.Enhanced, &m.Why, &m.By, &m.Reason,
	}
}

// Mails streams what a plan goes by of all mails, in the order of Users, those of a user in the order in which they were chosen.
func (s *Store) Mails(ctx context.Context) iter.Seq2[state.Mail, error] {
	return func(yield func(state.Mail, error) bool) {
		stopped := false
		err := s.mailing(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local work_mem = '64MB'"); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, s.sql(`select m.user_id, m.letter, m.status, m.round, m.past, m.ended, m.link, m.wave
				from {schema}.mails m left join {schema}.users u on u.user_id = m.user_id
				left join {users} a on a.{user} = m.user_id
				where u.user_id is not null or a.{user} is not null
				order by coalesce(a.{tenant}, u.tenant), m.user_id, m.chosen, m.round, m.id`), binaryForm)
			if err != nil {
				return err
			}
			defer rows.Close()
			var r userScanner
			for rows.Next() {
				raw := rows.RawValues()
				m := state.Mail{
					Letter: state.LetterKind(r.word(raw[1])), Status: state.MailStatus(r.word(raw[2])),
					Round: int(int32(binary.BigEndian.Uint32(raw[3]))), Past: raw[4][0] == 1, Ended: moment(raw[5]),
				}
				copy(m.User[:], raw[0])
				m.Link, m.Wave = state.MailLink(r.word(raw[6])), r.word(raw[7])
				if !yield(m, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		if err != nil && !stopped {
			yield(state.Mail{}, err)
		}
	}
}

// mailing runs f in one read-only transaction, where there is an outbox.
func (s *Store) mailing(ctx context.Context, f func(pgx.Tx) error) error {
	return s.reading(ctx, func(tx pgx.Tx) error {
		if version, err := s.version(ctx, tx); err != nil || version < mailVersion {
			return err
		}
		return f(tx)
	})
}

func (s *Store) mails(ctx context.Context, where string, args ...any) (list []state.Mail, err error) {
	err = s.mailing(ctx, func(tx pgx.Tx) error {
		list, err = collect(ctx, tx, s.sql("select "+mailColumns+" from {schema}.mails m "+where), scanMail, args...)
		return err
	})
	return list, err
}

// MailsOf returns the mails of some users, in the order in which they were chosen.
func (s *Store) MailsOf(ctx context.Context, users []uuid.UUID) ([]state.Mail, error) {
	return s.mails(ctx, "where user_id = any($1) order by chosen, round, id", bytes16(users))
}

// DoubtfulMails returns those of which nobody knows whether they were sent, in the order in which they were chosen.
func (s *Store) DoubtfulMails(ctx context.Context) ([]state.Mail, error) {
	return s.mails(ctx, "where "+inDoubt+" order by chosen, round, id")
}

// inDoubt is a mail m of which nobody knows, and whose user has not been invited once more since, nor taken back.
const inDoubt = `m.status = 'doubtful' and not m.past and not exists (select from {schema}.mails n
	where n.user_id = m.user_id and n.letter = 'invitation' and n.status = 'taken' and n.chosen > m.chosen)`

// MailTally counts the mails that a run has chosen.
func (s *Store) MailTally(ctx context.Context, run string) (list []state.MailTally, err error) {
	err = s.mailing(ctx, func(tx pgx.Tx) error {
		list, err = collect(ctx, tx, s.sql(`select wave, letter, link, status, reply, why, count(*) from {schema}.mails where run = $1
			group by wave, letter, link, status, reply, why
			order by wave collate "C", letter, link, status, reply, why`), func(t *state.MailTally) []any {
			return []any{&t.Wave, &t.Letter, &t.Link, &t.Status, &t.Code, &t.Why, &t.Mails}
		}, run)
		return err
	})
	return list, err
}

// MailsLeft returns mails that a run has chosen and that were not taken, at most limit.
func (s *Store) MailsLeft(ctx context.Context, run string, limit int) ([]state.Mail, error) {
	return s.mails(ctx, "where run = $1 and status <> $2 order by status, user_id limit $3", run, state.MailTaken, limit)
}

// Invites streams when moved users were invited of whom the row keeps no time of it, by user.
func (s *Store) Invites(ctx context.Context) iter.Seq2[state.Invite, error] {
	return func(yield func(state.Invite, error) bool) {
		stopped := false
		err := s.mailing(ctx, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, s.sql(`select u.user_id, u.person, max(m.ended)
				from {schema}.mails m join {schema}.users u on u.user_id = m.user_id join {users} a on a.{user} = u.user_id
				where m.status = $1 and m.letter = $2 and not m.past and u.standing = $3 and a.{link} = u.person
					and a.{invited_at} is null
				group by u.user_id, u.person order by u.user_id`), state.MailTaken, state.LetterInvitation, state.Moved.String())
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var i state.Invite
				if err := rows.Scan(&i.User, &i.Person, nullable{&i.At}); err != nil {
					return err
				}
				if !yield(i, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		// A baseline schema has no such columns.
		if err != nil && !stopped && codeOf(err) != codeNoColumn {
			yield(state.Invite{}, err)
		}
	}
}

// Bounced records that mails came back: those that were taken, or are in doubt, count as refused from now on.
func (s *Store) Bounced(ctx context.Context, list []state.MailOutcome) (back []state.Mail, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		back = nil
		for _, o := range list {
			some, err := collect(ctx, tx, s.sql(`with was as (select * from {schema}.mails where id = $1 and status in ($2, $3) for update),
				now as (update {schema}.mails n set status = $4, ended = $5, reply = $6, enhanced = $7 from was where n.id = was.id)
				select `+mailColumns+" from was m"), scanMail, o.ID, state.MailTaken, state.MailDoubtful, state.MailRefused, o.At, o.Code,
				o.Enhanced)
			if err != nil {
				return err
			}
			back = append(back, some...)
		}
		return nil
	})
	return back, err
}

// SettleDoubtful records that the mails in doubt were sent. What a run has chosen in the place of one, and has not sent, is withdrawn.
func (s *Store) SettleDoubtful(ctx context.Context, at time.Time) (settled int64, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		const all = `with settled as (update {schema}.mails m set status = $1 where {doubt} returning user_id, letter, chosen),
			instead as (update {schema}.mails n set status = $2, why = $3, ended = $4 from settled
				where n.user_id = settled.user_id and n.letter = 'invitation' and settled.letter = 'invitation' and n.status = $5 and not n.past
					and n.chosen >= settled.chosen)
			select count(*) from settled`
		return tx.QueryRow(ctx, s.sql(strings.Replace(all, "{doubt}", inDoubt, 1)), state.MailTaken, state.MailWithdrawn,
			string(state.CodeMailNotDue), at, state.MailChosen).Scan(&settled)
	})
	return settled, err
}

// AskedLately counts the mails that a user was sent within AskedWithin, or is about to be, codes that were shown included.
func (s *Store) AskedLately(ctx context.Context, user uuid.UUID, now time.Time) (n int, err error) {
	err = s.mailing(ctx, func(tx pgx.Tx) error {
		n, err = s.askedLately(ctx, tx, user, now)
		return err
	})
	return n, err
}

func (s *Store) askedLately(ctx context.Context, tx pgx.Tx, user uuid.UUID, now time.Time) (n int, err error) {
	err = tx.QueryRow(ctx, s.sql("select count(*) from {schema}.mails m where m.user_id = $1 and m.chosen > $2 and "+countsAsAsked),
		user, now.Add(-state.AskedWithin)).Scan(&n)
	return n, err
}

// countsAsAsked is a mail m that somebody has, may have, or will have once the run goes on that has chosen it.
const countsAsAsked = `(m.status not in ('chosen', 'later', 'withdrawn')
	or m.status = 'chosen' and exists (select from {schema}.runs r where r.id = m.run and r.open))`

// oneAsks has whoever else asks for a mail to a user wait until this transaction ends: each counts what the one before has recorded.
// Whoever shows a code has no other lock.
const oneAsks = "select pg_advisory_xact_lock(hashtextextended('anthill mails of ' || u, 0)) from unnest($1::text[]) as u order by u"

// Shown records that a code was shown to somebody. It takes no lock, and asks for no epoch, as it only adds what somebody has seen: who
// helps on the telephone does not wait until a run has ended.
func (s *Store) Shown(ctx context.Context, m state.Mail) error {
	// Each statement is to see what was recorded while it waited, whatever the database's own default is.
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version < mailVersion {
			return noState(err)
		}
		if _, err := tx.Exec(ctx, oneAsks, []string{m.User.String()}); err != nil {
			return err
		}
		if n, err := s.askedLately(ctx, tx, m.User, m.Ended); err != nil || n >= state.MostAsked {
			return cmp.Or(err, state.ErrAskedEnough)
		}
		// Who has seen a code must be found after a crash of the server.
		if _, err := tx.Exec(ctx, "select set_config('synchronous_commit', 'on', true)"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.sql(`insert into {schema}.mails (id, user_id, wave, letter, round, link, unverified, template, run,
				status, chosen, ended, shown_to, reason)
			select $1, $2, $3, $4, 1 + count(*), $5, false, $6, '', $7, $8, $8, $9, $10
			from {schema}.mails where user_id = $2 and letter = $4`),
			uuid.New(), m.User, m.Wave, state.LetterPrinted, state.LinkCode, m.Template[:], state.MailTaken, m.Ended, m.By, m.Reason)
		return err
	})
	return s.unwritten(err)
}

// chooseMails adds the mails of outcomes to the outbox. One that may have been sent already stays as it is.
func (r *run) chooseMails(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var ids, users, asked []uuid.UUID
	var of []string // whose those are that somebody asks for
	var waves, letters, links []string
	var rounds []int32
	var unverified []bool
	var templates [][]byte
	var at []time.Time
	for i := range outcomes {
		m := outcomes[i].Mail
		if m == nil || outcomes[i].Lost {
			continue
		}
		ids, users, waves = append(ids, m.ID), append(users, m.User), append(waves, m.Wave)
		letters, links, rounds = append(letters, string(m.Letter)), append(links, string(m.Link)), append(rounds, int32(m.Round))
		unverified, templates = append(unverified, m.Unverified), append(templates, m.Template[:])
		at = append(at, m.Chosen)
		if m.Asked {
			asked, of = append(asked, m.ID), append(of, m.User.String())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if len(asked) > 0 {
		if _, err := tx.Exec(ctx, oneAsks, of); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.mails
			(id, user_id, wave, letter, round, link, unverified, template, chosen, run, status)
		select w.*, $10, $11 from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[],
			$7::boolean[], $8::bytea[], $9::timestamptz[]) as w
		on conflict (id) do update set wave = excluded.wave, link = excluded.link, unverified = excluded.unverified,
			template = excluded.template, chosen = excluded.chosen, run = excluded.run, status = excluded.status, past = false,
			rendered = null, ended = null, reply = 0, enhanced = '', why = ''
		where mails.status = any($12)`),
		bytes16(ids), bytes16(users), waves, letters, rounds, links, unverified, templates, at, r.id, string(state.MailChosen),
		[]string{string(state.MailChosen), string(state.MailLater), string(state.MailWithdrawn)})
	if err != nil || len(asked) == 0 {
		return err
	}
	_, err = tx.Exec(ctx, r.s.sql(`update {schema}.mails o set status = $2, why = $3, ended = o.chosen
		where o.id = any($1) and o.status = $4 and o.run = $5 and $6 <= (select count(*) from {schema}.mails m
			where m.user_id = o.user_id and m.id <> o.id and m.chosen > o.chosen - $7::interval and `+countsAsAsked+`)`),
		bytes16(asked), string(state.MailWithdrawn), string(state.CodeMailEnough), string(state.MailChosen), r.id, state.MostAsked, state.AskedWithin)
	return err
}

// pastMails marks the mails of those who are not moved any more, and withdraws what was not sent of them.
func (r *run) pastMails(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var users []uuid.UUID
	for i := range outcomes {
		if u := outcomes[i].Recorded; u != nil && u.Standing != state.Moved {
			users = append(users, u.User)
		}
	}
	if len(users) == 0 {
		return nil
	}
	// One that was not sent is withdrawn; of the others it stays how they ended.
	_, err := tx.Exec(ctx, r.s.sql(`update {schema}.mails m set past = true, why = coalesce(w.why, m.why), status = coalesce(w.now, m.status)
		from {schema}.mails o left join unnest($2::text[], $3::text[], $4::text[]) as w (was, now, why) on w.was = o.status
		where m.id = o.id and o.user_id = any($1) and not o.past`), bytes16(users),
		[]string{string(state.MailChosen), string(state.MailLater)}, []string{string(state.MailWithdrawn), string(state.MailWithdrawn)},
		[]string{string(state.CodeMailTakenBack), string(state.CodeMailTakenBack)})
	return err
}

// OpenMails returns mails that the run has chosen and that are still to be sent, at most limit: by wave and user, those behind that were
// refused for good before.
func (r *run) OpenMails(ctx context.Context, limit int) ([]state.Mail, error) {
	return r.s.mails(ctx, "where run = $1 and status = $2 order by reply >= 500, wave, user_id limit $3", r.id, state.MailChosen, limit)
}

// DoubtMails records that nobody knows of the mails that a stopped process was about to hand over.
func (r *run) DoubtMails(ctx context.Context, at time.Time) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.mails set status = $3, ended = $4 where run = $1 and status = $2"), r.id,
			state.MailRendered, state.MailDoubtful, at)
		return err
	})
}

// Handing records that a mail is about to be handed over.
func (r *run) Handing(ctx context.Context, id uuid.UUID, link state.MailLink, at time.Time) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.mails set status = $2, link = $3, rendered = $4 where id = $1"), id,
			state.MailRendered, link, at)
		return err
	})
}

// Handed records how mails ended.
func (r *run) Handed(ctx context.Context, list ...state.MailOutcome) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, o := range list {
			_, err := tx.Exec(ctx, r.s.sql(`update {schema}.mails set status = $2, ended = $3, reply = $4, enhanced = $5, why = $6
				where id = $1`), o.ID, o.Status, o.At, o.Code, o.Enhanced, string(o.Why))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
