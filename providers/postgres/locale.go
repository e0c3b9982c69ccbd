package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
	"anthill/state"
)

const profiles = "user_profiles" // beside the table of users, where there is one

// Locale is what a user's profile says of language and time zone. Where there are no profiles, or the role may not read them, nothing is
// known: a letter is written all the same.
func (p *Provider) Locale(ctx context.Context, user uuid.UUID) (l providers.Locale, err error) {
	table := slices.Clone(p.names.table("users"))
	table[len(table)-1] = profiles
	var zone string
	err = p.pool.QueryRow(ctx, "select coalesce(language::text, ''), coalesce(timezone::text, '') from "+table.Sanitize()+" where user_id = $1", [16]byte(user)).
		Scan(&l.Language, &zone)
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &pg) && slices.Contains([]string{"42P01", "42703", codeDenied}, pg.Code):
		return providers.Locale{}, nil
	case err != nil:
		return providers.Locale{}, fail("read a profile", err)
	}
	if at, err := time.LoadLocation(zone); err == nil && zone != "" {
		l.Zone = at
	}
	return l, nil
}

// Profiles are the rights to read what Locale reads, where there are profiles.
func (p *Provider) Profiles(ctx context.Context) ([]state.Right, error) {
	table := p.names.table("users")
	rows, err := p.pool.Query(ctx, `select n.nspname::text, c.relname::text, a.attname::text from pg_attribute a
		join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = $2 and a.attname in ('user_id', 'language', 'timezone') and not a.attisdropped`, table[0], profiles)
	if err != nil {
		return nil, fail(looking, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (state.Right, error) {
		r := state.Right{On: state.OnTable, Privilege: "SELECT"}
		return r, row.Scan(&r.Schema, &r.Name, &r.Column)
	})
	return list, fail(looking, err)
}
