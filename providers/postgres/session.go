package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a role, a database or a URL sets for its sessions is meant for the application. Whatever of it could make us
// misread the tables, or stop us half way, is set anew on every connection (settings). The rest is left as it is,
// because the application's triggers run in our sessions and rely on it:
//
//   - search_path: our statements name schemas (place.go).
//   - TimeZone, IntervalStyle, bytea_output: times and bytes are read in binary form, intervals not at all; columns of
//     times are cast to timestamptz, whatever they are.
//   - default_transaction_read_only, synchronous_commit: who only reads is refused before the first effect (MayWrite);
//     the journal sets the other for itself.
//   - row_security, where rows are written (asRole): what a trigger may see is the application's affair.

// settings are the statements that every connection begins with, for a server of a major version.
func settings(major int) string {
	list := []string{
		// Postgres refuses to leave rows out, instead of leaving them out.
		"row_security = off",
		// What the server cannot say in UTF-8 it refuses; in another encoding it would send other letters.
		"client_encoding = 'UTF8'",
		// The form of dates in text; the order in which dates are read stays the application's.
		"DateStyle = 'ISO'",
		// Literals of the schema's steps are quoted for it.
		"standard_conforming_strings = on",
		// Rows are locked, and then looked at: what was committed meanwhile must be seen.
		"default_transaction_isolation = 'read committed'",
		// An index of a big table takes hours, and a plan's snapshot idles while Self-auth is read.
		"statement_timeout = 0",
		"idle_in_transaction_session_timeout = 0",
		// No wait in silence for longer than people would give it. What waits in its own way sets its own.
		"lock_timeout = '" + lockTimeout + "'",
	}
	// The lock on the target is a session that idles for as long as the run takes.
	if major >= 14 {
		list = append(list, "idle_session_timeout = 0")
	}
	if major >= 17 {
		list = append(list, "transaction_timeout = 0")
	}
	return "set " + strings.Join(list, "; set ")
}

const lockTimeout = "30s"

// major is the first number of a version as the server tells it, such as "15.18 (Debian 15.18-0)" or "18beta1"; 0 where
// it tells none.
func major(version string) (n int) {
	for _, c := range version {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// simple runs statements in the simple protocol, which every pooler passes on.
func simple(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// Until the transaction ends: the row security of the role, and ours again.
const (
	roleSecurity = "select set_config('row_security', null, true)"
	ourSecurity  = "select set_config('row_security', 'off', true)"
)

// batcher is a pool or a transaction.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// asRole runs a statement that writes the application's rows, in one transaction and one round trip. It runs with the
// row security of the role, as its triggers do for the application: with ours a trigger that writes into a table with
// policies would be refused. That the table itself hides nothing was seen by Inspect.
func (p *Provider) asRole(ctx context.Context, q batcher, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	b := &pgx.Batch{}
	b.Queue(roleSecurity)
	b.Queue(sql, args...).Exec(func(t pgconn.CommandTag) error {
		tag = t
		return nil
	})
	if _, goesOn := q.(pgx.Tx); goesOn {
		b.Queue(ourSecurity)
	}
	err = q.SendBatch(ctx, b).Close()
	return tag, err
}
