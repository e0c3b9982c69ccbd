package sandbox

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Fingerprint says what the application's tables hold, to compare a world before and after: two equal ones hold the
// same rows.
type Fingerprint struct {
	Users    int64
	Rows     [sha256.Size]byte // every column of the baseline of every row of users, but updated_at, which a trigger sets
	Mappings [sha256.Size]byte // every row of the mapping table
}

// TakeFingerprint reads the tables of the application at databaseURL.
func TakeFingerprint(ctx context.Context, databaseURL, preset string) (f Fingerprint, err error) {
	names, err := namesOf(preset)
	if err != nil {
		return f, err
	}
	c, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return f, err
	}
	defer c.Close(ctx)
	f.Rows, f.Users, err = sumRows(ctx, c, names.fill(`select row(user_id, tenant_id, email, password_hash,
		email_verified, email_verified_at, full_name, avatar_url, phone, role, status, last_login_at,
		failed_login_attempts, locked_until, password_changed_at, created_at, deleted_at, {idp}_user_id,
		{idp}_synced_at)::text
		from users order by user_id`))
	if err != nil {
		return f, fmt.Errorf("read users: %w", err)
	}
	f.Mappings, _, err = sumRows(ctx, c, names.fill(`select row(tenant_id, {idp}_group_uuid, {idp}_group_name, role)::text
		from {idp}_tenant_groups order by tenant_id, {idp}_group_uuid`))
	if err != nil {
		return f, fmt.Errorf("read mapping rows: %w", err)
	}
	return f, nil
}

func sumRows(ctx context.Context, c *pgx.Conn, sql string) (sum [sha256.Size]byte, n int64, err error) {
	rows, err := c.Query(ctx, sql)
	if err != nil {
		return sum, 0, err
	}
	defer rows.Close()
	h := sha256.New()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return sum, 0, err
		}
		fmt.Fprintf(h, "%d %s\n", len(text), text)
		n++
	}
	h.Sum(sum[:0])
	return sum, n, rows.Err()
}
