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
	schema, tables bool
	mayRead        bool
	role, database string
}

func (s *Store) look(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) (p presence, err error) {
	// In one query, and from the catalogue alone: asking a table that is not there would end the transaction.
	err = q.QueryRow(ctx, `select n.oid is not null, c.oid is not null, current_user, current_database(),
			coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'), false)
		from (select 1) one left join pg_namespace n on n.nspname = $1
		left join pg_class c on c.relnamespace = n.oid and c.relname = 'meta'`, s.schema).
		Scan(&p.schema, &p.tables, &p.role, &p.database, &p.mayRead)
	return p, err
}

// denied says which GRANT a role lacks to read the state.
func (s *Store) denied(p presence) error {
	schema, role := quoted(s.schema), quoted(p.role)
	return &state.DeniedError{Role: p.role, Grant: fmt.Sprintf(
		"GRANT USAGE ON SCHEMA %s TO %s;\n    GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s;", schema, role, schema, role)}
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// Bind creates the state where there is none and writes target and lineage; a state that is bound is left, or refused
// when it belongs to another target.
func (s *Store) Bind(ctx context.Context, target state.Target, lineage uuid.UUID) error {
	if err := s.held(ctx); err != nil {
		return err
	}
	return s.fail("make the recorded state", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.migrate(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.sql(`insert into {schema}.meta
				(lineage, serial, environment, system, database, domain, origin)
			values ($1, 1, $2, $3, $4, $5, $6) on conflict do nothing`),
			lineage, target.Environment, target.System, target.Database, target.Domain, target.Origin)
		if err != nil {
			return err
		}
		var st state.State
		if err := s.readMeta(ctx, tx, &st); err != nil {
			return err
		}
		if diff := st.Target.Differs(target); diff != "" {
			return &state.TargetError{What: "state", Differs: diff}
		}
		return nil
	}))
}

// migrate brings the tables to this version.
func (s *Store) migrate(ctx context.Context, tx pgx.Tx) error {
	// The lock on the target is held by another session, which may be lost at any moment. This one ends with the
	// transaction, so that two processes never migrate at once.
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", s.key("migrate")); err != nil {
		return err
	}
	p, err := s.look(ctx, tx)
	if err != nil {
		return err
	}
	if !p.schema {
		if err := s.create(ctx, tx, p); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, s.sql(`create table if not exists {schema}.migrations
		(version integer primary key, sha256 text not null, at timestamptz not null default now())`))
	if codeOf(err) == codeDenied {
		grant := fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", quoted(s.schema), quoted(p.role))
		return &state.DeniedError{Role: p.role, Grant: grant, Err: err}
	}
	if err != nil {
		return err
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
		grant := fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;", quoted(p.database), quoted(p.role))
		return &state.DeniedError{Role: p.role, Grant: grant, Err: err}
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
