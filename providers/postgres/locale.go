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
