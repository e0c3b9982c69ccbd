package pg

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// RecordedTable names the table of recorded users with its schema, for statements that count them beside their rows; nil where there
// is no state. synced says that it has the synced time of links.
func (s *Store) RecordedTable(ctx context.Context) (table []string, synced bool, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if version > 0 {
			table, synced = []string{s.schema, "users"}, version >= syncedVersion
		}
		return err
	})
	return table, synced, err
}

// Outbox names the table of mails with its schema, as RecordedTable does, and counts its announcements by wave and status.
func (s *Store) Outbox(ctx context.Context) (table []string, announcements []state.MailTally, err error) {
	err = s.mailing(ctx, func(tx pgx.Tx) error {
		table = []string{s.schema, "mails"}
		announcements, err = collect(ctx, tx, s.sql(`select wave, status, count(*) from {schema}.mails where letter = $1
			group by wave, status order by wave collate "C", status`), func(t *state.MailTally) []any {
			return []any{&t.Wave, &t.Status, &t.Mails}
		}, state.LetterAnnouncement)
		return err
	})
	return table, announcements, err
}

// MovedOf counts the users who are recorded as moved by their waves.
func (s *Store) MovedOf(ctx context.Context) (map[string]int64, error) {
	of := map[string]int64{}
	err := s.reading(ctx, func(tx pgx.Tx) error {
		if version, err := s.version(ctx, tx); err != nil || version == 0 {
			return err
		}
		type count struct {
			wave  string
			users int64
		}
		list, err := collect(ctx, tx, s.sql("select wave, count(*) from {schema}.users where standing = $1 group by wave"),
			func(c *count) []any { return []any{&c.wave, &c.users} }, state.Moved.String())
		for _, c := range list {
			of[c.wave] = c.users
		}
		return err
	})
	return of, err
}

// Holder says who has the lock on the target now; nil: nobody has.
func (s *Store) Holder(ctx context.Context) (h *state.Holder, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) (err error) {
		h, err = holderOf(ctx, tx)
		return err
	})
	return h, err
}

// holderOf asks the server's list of sessions. The name is what Lock writes; a role without the right sees it all the same.
func holderOf(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (*state.Holder, error) {
	h := &state.Holder{}
	var name string
	err := q.QueryRow(ctx, `select coalesce(a.application_name, ''), a.pid, coalesce(host(a.client_addr), '')
		from pg_locks k join pg_stat_activity a using (pid)
		where k.locktype = 'advisory' and k.granted and k.objsubid = 1
		and k.database = (select oid from pg_database where datname = current_database())
		and k.classid::bigint = ($1::bigint >> 32) & 4294967295
		and k.objid::bigint = $1::bigint & 4294967295`, lockKey).Scan(&name, &h.PID, &h.Address)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if rest, ok := strings.CutPrefix(name, nameStart); ok {
		at, who, _ := strings.Cut(rest, " ")
		h.Who = who
		if t, err := time.Parse(nameTime, at); err == nil {
			h.Since = t
		}
	}
	return h, err
}
