package pg

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one file, applied whole or not at all.
type migration struct {
	version  int
	sql, sum string
}

func allMigrations() ([]migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	list := make([]migration, len(files))
	for i, f := range files {
		b, err := migrations.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		list[i] = migration{version: i + 1, sql: string(b), sum: hex.EncodeToString(sum[:])}
	}
	return list, nil
}

// presence is how much of the state the catalogue shows, which every role may read.
type presence struct {
	schema, tables, epoch bool
	migrations            bool
	mayRead               bool
	role, database        string
}

func (s *Store) look(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (p presence, err error) {
	// From the catalogue alone: asking a table that is not there would end the transaction.
	err = q.QueryRow(ctx, `select n.oid is not null, c.oid is not null, e.oid is not null, m.oid is not null, current_user,
			current_database(), coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'), false)
		from (select 1) one left join pg_namespace n on n.nspname = $1
		left join pg_class c on c.relnamespace = n.oid and c.relname = 'meta'
		left join pg_class e on e.relnamespace = n.oid and e.relname = 'epoch'
		left join pg_class m on m.relnamespace = n.oid and m.relname = 'migrations'`, s.schema).
		Scan(&p.schema, &p.tables, &p.epoch, &p.migrations, &p.role, &p.database, &p.mayRead)
	return p, err
}

// other is the schema of another state in this database; "": there is none. It is known by the columns of its table meta, since a
// dump may leave out the comment; a copy that somebody made of the table alone has no primary key.
func (s *Store) other(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (schema string, err error) {
	err = q.QueryRow(ctx, `select coalesce((select o.nspname::text from pg_class m join pg_namespace o on o.oid = m.relnamespace
		where m.relname = 'meta' and m.relkind = 'r' and m.relpersistence = 'p' and o.nspname <> $1
		and exists (select from pg_constraint k where k.conrelid = m.oid and k.contype = 'p')
		and 7 = (select count(*) from pg_attribute a where a.attrelid = m.oid and not a.attisdropped and a.attname
			in ('lineage', 'serial', 'environment', 'system', 'database', 'domain', 'origin'))
		order by 1 limit 1), '')`, s.schema).Scan(&schema)
	return schema, err
}

// alone refuses a second state in the database: two of them would move the same users.
func (s *Store) alone(ctx context.Context, tx pgx.Tx) error {
	other, err := s.other(ctx, tx)
	if err == nil && other != "" {
		err = &state.SecondStateError{There: other, Named: s.schema}
	}
	return err
}

// denied says what a role needs to read the state.
func (s *Store) denied(p presence) error {
	return &state.DeniedError{Role: p.role, For: "plan", Rights: RightsOffline(s.schema, false)}
}

// Bind creates the state where there is none and writes target and lineage; a state that is bound is left, or refused
// when it belongs to another target.
//
// It is one transaction of the session that holds the lock. So a process that has lost it makes nothing, and where
// there was no epoch yet to be raised when the lock was taken, there is none of anybody else by now.
func (s *Store) Bind(ctx context.Context, target state.Target, lineage uuid.UUID) error {
	l, err := s.held()
	if err != nil {
		return err
	}
	var epoch int64
	err = l.using(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
			epoch, err = s.bind(ctx, tx, l, target, lineage)
			return err
		})
	})
	if err == nil {
		l.epoch.Store(epoch)
	}
	return s.fail("make the recorded state", err)
}

func (s *Store) bind(
	ctx context.Context, tx pgx.Tx, l *lock, target state.Target, lineage uuid.UUID,
) (epoch int64, err error) {
	if err := s.migrate(ctx, tx); err != nil {
		return 0, err
	}
	if epoch = l.epoch.Load(); epoch != 0 {
		err = l.Fence(ctx, execer{tx})
	} else {
		epoch, err = s.raise(ctx, tx, raiseLeast)
	}
	if err != nil {
		return 0, err
	}
	var st state.State
	err = s.readMeta(ctx, tx, 0, &st)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = tx.Exec(ctx, s.sql(`insert into {schema}.meta
				(lineage, serial, environment, system, database, domain, origin)
			values ($1, 1, $2, $3, $4, $5, $6)`),
			lineage, target.Environment, target.System, target.Database, target.Domain, target.Origin)
		return epoch, err
	}
	if err != nil {
		return 0, err
	}
	if diff := st.Target.Differs(target); diff != "" {
		return 0, &state.TargetError{What: "state", Differs: diff}
	}
	return epoch, nil
}

// migrate brings the tables to this version. The transaction is of the session that holds the lock.
func (s *Store) migrate(ctx context.Context, tx pgx.Tx) error {
	p, err := s.look(ctx, tx)
	if err != nil {
		return err
	}
	if err := s.alone(ctx, tx); err != nil {
		return err
	}
	if !p.schema {
		if err := s.create(ctx, tx, p); err != nil {
			return err
		}
	}
	if !p.migrations { // IF NOT EXISTS would want the right to make tables in any case
		_, err = tx.Exec(ctx, s.sql(`create table {schema}.migrations
			(version integer primary key, sha256 text not null, at timestamptz not null default now())`))
		if codeOf(err) == codeDenied {
			return &state.DeniedError{Role: p.role, For: "apply", Rights: []state.Right{s.onSchema("USAGE"), s.onSchema("CREATE")}, Err: err}
		}
		if err != nil {
			return err
		}
	}
	applied, err := s.applied(ctx, tx)
	if err != nil {
		return err
	}
	list, err := allMigrations()
	if err != nil {
		return err
	}
	if err := known(applied, list); err != nil {
		return err
	}
	for _, m := range list[len(applied):] {
		if _, err := tx.Exec(ctx, s.sql(m.sql)); err != nil {
			return fmt.Errorf("migration %d: %w", m.version, err)
		}
		_, err := tx.Exec(ctx, s.sql("insert into {schema}.migrations (version, sha256) values ($1, $2)"), m.version, m.sum)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) create(ctx context.Context, tx pgx.Tx, p presence) error {
	_, err := tx.Exec(ctx, s.sql("create schema {schema}"))
	if codeOf(err) == codeDenied {
		right := state.Right{On: state.OnDatabase, Name: p.database, Privilege: "CREATE"}
		return &state.DeniedError{Role: p.role, For: "apply", Rights: []state.Right{right}, Err: err}
	}
	return err
}

// applied are the sums of the migrations that were applied, in their order.
func (s *Store) applied(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, s.sql("select sha256 from {schema}.migrations order by version"))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

var errChanged = errors.New("the tables of the recorded state were made by another build of this version: " +
	"use the one that made them")

// known refuses a state that a newer version, or another build, has made.
func known(applied []string, list []migration) error {
	// More migrations than this version has were applied by a newer one. An older state has fewer: those are applied.
	if len(applied) > len(list) {
		return state.ErrNewer
	}
	for i, sum := range applied {
		if sum != list[i].sum {
			return errChanged
		}
	}
	return nil
}
