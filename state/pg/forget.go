package pg

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// Forget takes out of the state and the journal what is kept of a user whose row is gone. The journal's records stay, with run,
// tenant and verdict, so that what each run counts is still so; whose they are, and all that was done, is gone from them.
func (s *Store) Forget(ctx context.Context, user uuid.UUID, by state.Signed) (f state.Forgotten, err error) {
	f.Signed = by
	err = s.writing(ctx, func(tx pgx.Tx) error {
		lineage, err := s.mayForget(ctx, tx, user)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, s.sql(`select coalesce(array_agg(distinct run collate "C" order by run collate "C"), '{}'), count(*)
			from {schema}.records where user_id = $1`), user).Scan(&f.Runs, &f.Records)
		if err != nil {
			return err
		}
		// Each table that holds something of users has a line here.
		kept := f.Records
		for _, sql := range []string{
			`update {schema}.records set user_id = '00000000-0000-0000-0000-000000000000', body = null, reason = null where user_id = $1`,
			// The id of a mail is made of its user's.
			`update {schema}.mails set id = gen_random_uuid(), user_id = '00000000-0000-0000-0000-000000000000', shown_to = '', reason = '', past = true where user_id = $1`,
			"delete from {schema}.users where user_id = $1",
		} {
			tag, err := tx.Exec(ctx, s.sql(sql), user)
			if err != nil {
				return err
			}
			kept += tag.RowsAffected()
		}
		archived, err := s.forgetArchived(ctx, tx, user)
		if err != nil {
			return err
		}
		if kept+archived == 0 {
			return state.ErrNothingKept
		}
		digest := state.ForgottenDigest(lineage, user)
		_, err = tx.Exec(ctx, s.sql(`insert into {schema}.forgotten (digest, records, runs, forgotten_by, reason, at)
			values ($1, $2, $3, $4, $5, $6)`), digest[:], f.Records, f.Runs, by.By, by.Reason, by.At)
		return err
	})
	return f, err
}

// mayForget refuses a user whose row is there, and anybody while a run is open or has left something unsettled.
func (s *Store) mayForget(ctx context.Context, tx pgx.Tx, user uuid.UUID) (lineage uuid.UUID, err error) {
	var there, open bool
	err = tx.QueryRow(ctx, s.sql(`select (select lineage from {schema}.meta), exists (select from {users} where {user} = $1),
		exists (select from {schema}.runs where open) or exists (select from `+openRecords(batchesVersion)+` where r.user_id = $1)`), user).
		Scan(&lineage, &there, &open)
	switch {
	case err != nil:
		return lineage, err
	case there:
		return lineage, state.ErrRowThere
	case open:
		return lineage, state.ErrOpenRun
	}
	return lineage, nil
}

// forgetArchived takes out what dropped columns held of a user, where there is such an archive.
func (s *Store) forgetArchived(ctx context.Context, tx pgx.Tx, user uuid.UUID) (int64, error) {
	var there bool
	err := tx.QueryRow(ctx, "select to_regclass($1) is not null", pgx.Identifier{s.schema, "archive"}.Sanitize()).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	tag, err := tx.Exec(ctx, s.sql("delete from {schema}.archive where relation = 'users' and id = $1"), user)
	return tag.RowsAffected(), err
}

// WasForgotten says when a user was forgotten last, and by whom; nil: it was not.
func (s *Store) WasForgotten(ctx context.Context, user uuid.UUID) (*state.Forgotten, error) {
	var f state.Forgotten
	err := s.forgotten(ctx, func(tx pgx.Tx) error {
		var lineage uuid.UUID
		if err := tx.QueryRow(ctx, s.sql("select lineage from {schema}.meta")).Scan(&lineage); err != nil {
			return err
		}
		digest := state.ForgottenDigest(lineage, user)
		return tx.QueryRow(ctx, s.sql(`select records, runs, forgotten_by, reason, at from {schema}.forgotten
			where digest = $1 order by id desc limit 1`), digest[:]).Scan(&f.Records, &f.Runs, &f.By, &f.Reason, &f.At)
	})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && f.By == "" {
		return nil, nil
	}
	f.At = f.At.UTC()
	return &f, err
}

// ForgottenOf counts the users who were forgotten and of whom one of some runs had journal records.
func (s *Store) ForgottenOf(ctx context.Context, runs []string) (n int64, err error) {
	err = s.forgotten(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.sql("select count(*) from {schema}.forgotten where runs && $1"), runs).Scan(&n)
	})
	return n, err
}

// forgotten reads the table of those who were forgotten, if there is one yet: a state that no writing command of this version has
// met has none.
func (s *Store) forgotten(ctx context.Context, f func(pgx.Tx) error) error {
	return s.reading(ctx, func(tx pgx.Tx) error {
		if version, err := s.version(ctx, tx); err != nil || version == 0 {
			return err
		}
		var there bool
		err := tx.QueryRow(ctx, "select to_regclass($1) is not null", pgx.Identifier{s.schema, "forgotten"}.Sanitize()).Scan(&there)
		if err != nil || !there {
			return err
		}
		return f(tx)
	})
}
