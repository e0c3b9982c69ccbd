package pg

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"anthill/state"
	"anthill/state/book"
)

func codeOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Read returns the small part of the state.
func (s *Store) Read(ctx context.Context) (*state.State, error) {
	st := &state.State{}
	err := s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == 0 {
			return err
		}
		for _, read := range []func(context.Context, pgx.Tx, int, *state.State) error{
			s.readMeta, s.readObjects, s.readWaves, s.readBrakes, s.readPolicies, s.readConfirmations, s.readPauses, s.readWishes,
			s.readRuns, s.readSchema,
		} {
			if err := read(ctx, tx, version, st); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// readSchema leaves out steps that were begun and then left as they were.
func (s *Store) readSchema(ctx context.Context, tx pgx.Tx, _ int, st *state.State) (err error) {
	st.Schema, err = collect(ctx, tx, s.sql(`select run, substr(address, length('schema.') + 1), action = $1, settled
		from {schema}.object_records
		where starts_with(address, 'schema.') and action <> '' and (not settled or verdict = $2)
		order by id`), func(r *state.SchemaRecord) []any {
		return []any{&r.Run, &r.Step, &r.Back, &r.Settled}
	}, string(state.ActionDelete), state.Done.String())
	return err
}

// seen is a state that was found, and the role that may read it.
type seen struct {
	version int
	role    string
}

// version is how many migrations the state has that this version and this role can read; 0: there is none. Of one moment it is
// asked once, but for policies by which rows are hidden: those go by no snapshot.
func (s *Store) version(ctx context.Context, tx pgx.Tx) (int, error) {
	if s.found != nil {
		if is := s.found.Load(); is != nil {
			return is.version, s.unhidden(ctx, tx, is.role)
		}
	}
	is, err := s.find(ctx, tx)
	if s.found != nil && is.version > 0 {
		s.found.Store(&is)
	}
	return is.version, err
}

func (s *Store) find(ctx context.Context, tx pgx.Tx) (none seen, err error) {
	p, err := s.look(ctx, tx)
	if err != nil {
		return none, err
	}
	if err := s.alone(ctx, tx); err != nil || !p.schema || !p.tables {
		return none, err
	}
	if !p.mayRead {
		return none, s.denied(p)
	}
	if err := s.unhidden(ctx, tx, p.role); err != nil {
		return none, err
	}
	// Rights are given table by table: the role may read some of them and not that of the migrations.
	var applied []string
	var bound bool
	err = tx.QueryRow(ctx, s.sql(`select array(select sha256 from {schema}.migrations order by version),
		exists (select from {schema}.meta)`)).Scan(&applied, &bound)
	if err != nil {
		if codeOf(err) == codeDenied {
			return none, s.denied(p)
		}
		return none, err
	}
	list, err := allMigrations()
	if err != nil {
		return none, err
	}
	if err := known(applied, list); err != nil || !bound {
		return none, err
	}
	return seen{len(applied), p.role}, nil
}

func (s *Store) readMeta(ctx context.Context, tx pgx.Tx, _ int, st *state.State) error {
	st.Exists = true
	t := &st.Target
	return tx.QueryRow(ctx, s.sql(`select lineage, serial, environment, system, database, domain, origin
		from {schema}.meta`)).
		Scan(&st.Lineage, &st.Serial, &t.Environment, &t.System, &t.Database, &t.Domain, &t.Origin)
}

// collect runs a query and scans each row into a value of its own; nil where there is none.
func collect[T any](ctx context.Context, tx pgx.Tx, sql string, scan func(*T) []any, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(scan(&v)...); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func (s *Store) readObjects(ctx context.Context, tx pgx.Tx, _ int, st *state.State) (err error) {
	st.Objects, err = collect(ctx, tx, s.sql(`select address, kind, id, generation, tenant, tenant_slug, attributes,
			members, adopted, deleted, paused, run
		from {schema}.objects order by address collate "C"`), func(o *state.Object) []any {
		return []any{
			&o.Address, &o.Kind, &o.ID, &o.Generation, &o.Tenant, &o.TenantSlug, &o.Attributes,
			&o.Members, &o.Adopted, &o.Deleted, &o.Paused, &o.Run,
		}
	})
	return err
}

// nullable is a time that may be NULL.
type nullable struct{ to *time.Time }

func (n nullable) ScanTimestamptz(v pgtype.Timestamptz) error {
	*n.to = time.Time{}
	if v.Valid {
		*n.to = v.Time.UTC()
	}
	return nil
}

// code scans the stable text of a closed set.
type code struct{ to encoding.TextUnmarshaler }

func (c code) ScanText(v pgtype.Text) error { return c.to.UnmarshalText([]byte(v.String)) }

// digest scans bytea into a fixed array.
type digest struct{ to []byte }

func (d digest) ScanBytes(v []byte) error {
	if len(v) != len(d.to) {
		return fmt.Errorf("a digest has %d bytes instead of %d", len(v), len(d.to))
	}
	copy(d.to, v)
	return nil
}

func (s *Store) readWaves(ctx context.Context, tx pgx.Tx, version int, st *state.State) error {
	failed, accepted := since(version, syncedVersion, "failed", "0::bigint"), since(version, handVersion, "accepted", "0::bigint")
	var err error
	st.Waves, err = collect(ctx, tx, s.sql("select name, started, soaking, moved_at, done_at, digest, users, "+failed+", "+accepted+`
		from {schema}.waves order by name collate "C"`), func(w *state.Wave) []any {
		return []any{
			&w.Name, nullable{&w.Started}, nullable{&w.Soaking}, nullable{&w.MovedAt}, nullable{&w.DoneAt},
			digest{w.Digest[:]}, &w.Users, &w.Failed, &w.Accepted,
		}
	})
	return err
}

// since is what reads something that a migration has added, or what stands for it where that is still to come: a plan brings no
// state to this version.
func since(version, added int, now, before string) string {
	if version >= added {
		return now
	}
	return before
}

func (s *Store) readBrakes(ctx context.Context, tx pgx.Tx, _ int, st *state.State) (err error) {
	st.Brakes, err = collect(ctx, tx, s.sql(`select body from {schema}.brakes order by wave collate "C"`),
		func(b *state.Brakes) []any { return []any{b} })
	return err
}

// readPolicies reads those of a state of version 1 as its migration would find them (002.sql).
func (s *Store) readPolicies(ctx context.Context, tx pgx.Tx, version int, st *state.State) error {
	sql := since(version, 2, `select name, method, from_policy, until from {schema}.policies order by name collate "C"`,
		`select policy, '', '', until from (select distinct policy from {schema}.users where policy <> '') p,
			(select max((body->>'promised')::timestamptz) as until from {schema}.brakes) b
			where until is not null order by policy collate "C"`)
	var err error
	st.Policies, err = collect(ctx, tx, s.sql(sql),
		func(p *state.Policy) []any { return []any{&p.Name, code{&p.Method}, &p.From, nullable{&p.Until}} })
	return err
}

func (s *Store) readConfirmations(ctx context.Context, tx pgx.Tx, version int, st *state.State) (err error) {
	tenant := since(version, syncedVersion, "tenant", "'00000000-0000-0000-0000-000000000000'::uuid")
	st.Confirmations, err = collect(ctx, tx, s.sql("select wave, gate, "+tenant+", "+since(version, valueVersion, "value", "''")+", confirmed_by, note, at"+`
		from {schema}.confirmations order by id`), func(c *state.Confirmation) []any {
		return []any{&c.Wave, &c.Gate, &c.Tenant, &c.Value, &c.By, &c.Note, nullable{&c.At}}
	})
	return err
}

func scanPause(p *state.Pause) []any {
	return []any{&p.Wave, &p.Tenant, &p.Run, &p.By, &p.Reason, nullable{&p.At}}
}

func (s *Store) readPauses(ctx context.Context, tx pgx.Tx, version int, st *state.State) error {
	sql := since(version, handVersion,
		`select wave, tenant, run, paused_by, reason, at from {schema}.pauses order by wave collate "C", tenant, at, run`,
		`select wave, tenant, run, '', '', at from {schema}.pauses order by wave collate "C", tenant, at, run`)
	var err error
	st.Pauses, err = collect(ctx, tx, s.sql(sql), scanPause)
	return err
}

func (s *Store) readWishes(ctx context.Context, tx pgx.Tx, version int, st *state.State) error {
	sql := since(version, handVersion, `select wave, kind, asked_by, reason, at from {schema}.wishes order by wave collate "C", kind`,
		"select '', '', '', '', now() where false")
	var err error
	st.Wishes, err = collect(ctx, tx, s.sql(sql), func(w *state.Wish) []any {
		return []any{&w.Wave, &w.Kind, &w.By, &w.Reason, nullable{&w.At}}
	})
	return err
}

// runRow is a run with what is not for the outside.
type runRow struct {
	state.RunInfo
	counts   []byte
	position state.Position
}

// runColumns are in the order of scan.
const runColumns = `id, kind, plan, seal, who, approved_by, started, ended, open, outcome, counts, undoes, undone,
	previous, digest, segment, position`

func (r *runRow) scan() []any {
	return []any{
		&r.ID, &r.Kind, digest{r.Plan[:]}, digest{r.Seal[:]}, &r.Who, &r.ApprovedBy, nullable{&r.Started},
		nullable{&r.Ended}, &r.Open, &r.Outcome, &r.counts, &r.Undoes, &r.Undone,
		digest{r.Previous[:]}, digest{r.Digest[:]}, &r.position.Segment, &r.position.Offset,
	}
}

func (r *runRow) info() (state.RunInfo, error) {
	err := json.Unmarshal(r.counts, &r.Counts)
	r.Changed = book.Changed(r.Counts)
	if len(r.Undoes) == 0 {
		r.Undoes = nil
	}
	return r.RunInfo, err
}

func (s *Store) readRuns(ctx context.Context, tx pgx.Tx, _ int, st *state.State) error {
	rows, err := collect(ctx, tx, s.sql("select "+runColumns+" from {schema}.runs order by n"), (*runRow).scan)
	if err != nil {
		return err
	}
	for i := range rows {
		info, err := rows[i].info()
		if err != nil {
			return err
		}
		st.Runs = append(st.Runs, info)
	}
	return nil
}

// Plan returns the stored plan file of a run. It is read piece by piece.
func (s *Store) Plan(ctx context.Context, run string) (io.ReadCloser, error) {
	var there bool
	err := s.pool.QueryRow(ctx, s.sql("select exists (select from {schema}.plans where run = $1)"), run).Scan(&there)
	if err != nil {
		return nil, s.fail("read the stored plan", err)
	}
	if !there {
		return nil, fmt.Errorf("read the stored plan: there is no run %q", run)
	}
	// A plan of a million users is many megabytes: it is never in memory as a whole, here or in Postgres.
	n := 0
	return &pieces{next: func() (piece []byte, err error) {
		err = s.pool.QueryRow(ctx, s.sql("select data from {schema}.plans where run = $1 and n = $2"), run, n).Scan(&piece)
		n++
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, io.EOF
		}
		return piece, s.fail("read the stored plan", err)
	}}, nil
}

// pieces reads a stored plan.
type pieces struct {
	next func() ([]byte, error) // io.EOF after the last
	rest []byte
}

func (p *pieces) Read(b []byte) (n int, err error) {
	if len(p.rest) == 0 {
		if p.rest, err = p.next(); err != nil {
			return 0, err
		}
	}
	n = copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pieces) Close() error { return nil }

var _ state.Store = (*Store)(nil)
