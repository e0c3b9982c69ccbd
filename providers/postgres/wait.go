package postgres

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// This file says for whom our sessions wait: a step of the schema, an index, a row.

// sessions are the numbers of the connections of a pool, and of those that were taken out of it.
type sessions struct {
	door door
	mu   sync.Mutex
	pids map[*pgx.Conn]int32
}

func (s *sessions) connected(ctx context.Context, conn *pgx.Conn) error {
	text, err := s.door.prepare(ctx, conn)
	if err != nil {
		return err
	}
	pid, err := strconv.ParseInt(text, 10, 32)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pids == nil {
		s.pids = map[*pgx.Conn]int32{}
	}
	s.pids[conn] = int32(pid)
	return err
}

func (s *sessions) closes(conn *pgx.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pids, conn)
}

func (s *sessions) list() (pids []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.pids {
		pids = append(pids, pid)
	}
	return pids
}

const (
	mostQuery = 300 // characters of a statement that are shown
	// waitsSQL is a line for each session of ours that waits, and each that it waits for; 0 is a prepared transaction. An index also
	// waits for this very look, which is no news. What
	// the role may not see of a session the server leaves null.
	waitsSQL = `select w.pid, coalesce(k.locktype, ''), coalesce(k.relation::regclass::text, ''),
			coalesce(p.index_relid::regclass::text, ''), h.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
			a.xact_start is null and a.query = '<insufficient privilege>', current_user::text,
			extract(epoch from clock_timestamp() - a.xact_start)::float8, coalesce(a.state, ''),
			case when $2 then left(a.query, $3) else '' end
		from pg_stat_activity w cross join lateral unnest(pg_blocking_pids(w.pid)) as h (pid)
			left join lateral (select locktype, relation from pg_locks where pid = w.pid and not granted limit 1) k on true
			left join pg_stat_progress_create_index p on p.pid = w.pid
			left join pg_stat_activity a on a.pid = h.pid
		where w.pid = any($1) and w.wait_event_type = 'Lock' and h.pid <> pg_backend_pid() order by w.pid, a.xact_start, h.pid`
)

// Waits says what our sessions wait for now, a CodeWaits each, and nothing where none does. It looks from a session of its
// own. queries: also what the sessions run that are waited for, which may hold anybody's data.
func (p *Provider) Waits(ctx context.Context, queries bool) ([]state.Finding, error) {
	rows, err := p.pool.Query(ctx, waitsSQL, p.ours.list(), queries, mostQuery)
	if err != nil {
		return nil, fail("look who is waited for", err)
	}
	var list []state.Finding
	var last int32
	var w waitRow
	_, err = pgx.ForEachRow(rows, w.scan(), func() error {
		if n := len(list); n == 0 || w.pid != last {
			list = append(list, state.Found(state.CodeWaits, w.args()...))
		}
		last = w.pid
		f := &list[len(list)-1]
		who := slices.IndexFunc(f.Args, func(a state.Arg) bool { return a.Key == state.KeyWhy })
		// A session that holds several of the locks is told of once.
		if !slices.ContainsFunc(f.Args[who].Findings, w.told) {
			f.Args[who].Findings = append(f.Args[who].Findings, w.holder())
			f.Count++
		}
		return nil
	})
	return list, fail("look who is waited for", err)
}

// waitRow is a line of waitsSQL.
type waitRow struct {
	pid, holds                           int32
	lock, table, index                   string
	application, role, me, status, query string
	hidden                               *bool
	age                                  *float64 // seconds
}

func (w *waitRow) scan() []any {
	return []any{&w.pid, &w.lock, &w.table, &w.index, &w.holds, &w.application, &w.role, &w.hidden, &w.me, &w.age, &w.status, &w.query}
}

func (w *waitRow) args() []state.Arg {
	kind := state.WaitOnOther
	switch w.lock {
	case "relation":
		kind = state.WaitOnTable
	case "transactionid", "tuple":
		kind = state.WaitOnRow
	case "virtualxid":
		kind = state.WaitOnTransactions
	}
	args := []state.Arg{state.Text(state.KeyKind, kind)}
	if w.table != "" {
		args = append(args, state.Text(state.KeyTable, w.table))
	}
	if w.index != "" {
		args = append(args, state.Text(state.KeyIndex, w.index))
	}
	return append(args, state.Because(state.KeyWhy))
}

func (w *waitRow) holder() state.Finding {
	if w.holds == 0 {
		return state.Found(state.CodePreparedHolds)
	}
	args := []state.Arg{state.Number(state.KeySession, int64(w.holds)), state.Text(state.KeyApplication, w.application),
		state.Text(state.KeyRole, w.role)}
	if w.hidden != nil && *w.hidden {
		return state.Found(state.CodeSessionHidden, append(args, state.Text(state.KeyTo, w.me))...)
	}
	if w.age != nil {
		args = append(args, state.Span(state.KeySpan, time.Duration(*w.age*float64(time.Second))))
	}
	args = append(args, state.Text(state.KeyStatus, w.status))
	if w.query != "" {
		args = append(args, state.Text(state.KeyQuery, w.query))
	}
	return state.Found(state.CodeSessionHolds, args...)
}

// told reports whether a finding is of this line's session already.
func (w *waitRow) told(f state.Finding) bool { return int64(w.holds) == f.Arg(state.KeySession).Number }
