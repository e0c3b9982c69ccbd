package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"anthill/internal/sandbox"
)

const writersHelp = `bench writers [FLAGS] ANTHILL-PROGRAM

Measures how long an application's statements take while Anthill moves its users, and takes them back, beside the same
load on the idle database. Each writer updates random rows of users, each of its own, so that no writer waits for
another, and now and then logs one of them in (an insert that refers to the user). Some transactions hold their row for
seconds; Anthill leaves those users. "waited for Anthill" is how long a statement was seen to wait for one of Anthill's
sessions, looked at every 20 ms: on a machine that is busy otherwise, that is the figure that tells. The emulator
answers at its full speed.
`

// load is what the writers do.
type load struct {
	users, tenants, writers int
	alone                   time.Duration // how long they are measured on the idle database
	hold                    time.Duration // for which some of them hold a row, at most
	holds                   int           // one of so many transactions does
	pause                   time.Duration // between two transactions of a writer
	program                 string
}

func parseLoad(args []string, out io.Writer) (l load, err error) {
	f := flag.NewFlagSet("bench writers", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() { fmt.Fprintf(out, "%s\n", writersHelp); f.PrintDefaults() }
	f.IntVar(&l.users, "users", 50_000, "how many users are moved")
	f.IntVar(&l.tenants, "tenants", 50, "in how many tenants")
	f.IntVar(&l.writers, "writers", 8, "how many writers there are")
	f.DurationVar(&l.alone, "alone", 20*time.Second, "how long they are measured on the idle database")
	f.DurationVar(&l.hold, "hold", 3*time.Second, "how long a row is held, at most")
	f.IntVar(&l.holds, "holds", 100, "one of so many transactions holds its row")
	f.DurationVar(&l.pause, "pause", 10*time.Millisecond, "between two transactions of a writer")
	if err := f.Parse(args); err != nil {
		return l, err
	}
	if f.NArg() != 1 || l.users < l.tenants || l.tenants < 1 || l.writers < 1 || l.holds < 1 || l.hold <= 0 {
		return l, errors.New("wants the anthill program, and numbers above zero: go run ./internal/bench writers ./bin/anthill")
	}
	l.program, err = filepath.Abs(f.Arg(0))
	return l, err
}

func benchWriters(ctx context.Context, args []string, out io.Writer) (err error) {
	l, err := parseLoad(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, sandbox.Options{Tenants: l.tenants, Users: l.users, Level: "dual", Log: func(string) {}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	w := &world{box: box}
	if err := w.fill(ctx); err != nil {
		return fmt.Errorf("prepare the users: %w", err)
	}
	dir, err := os.MkdirTemp("", "anthill-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.anthill.hcl"), []byte(configuration), 0o600); err != nil {
		return err
	}
	anthill := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error { return remaining(command(ctx, l.program, dir, box.Env(), args...)) }
	}
	if err := anthill("plan", "-out", planFile)(ctx); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "while\ttook\tstatements\tmedian\tp99\tmax\twaited for Anthill\tusers linked\t")
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"alone", func(ctx context.Context) error { return sleep(ctx, l.alone) }},
		{"apply", anthill("apply", planFile)},
		{"rollback", anthill("rollback", "-auto-approve")},
	} {
		m, err := l.during(ctx, databaseURL(box), phase.do)
		if err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
		n, err := linked(ctx, databaseURL(box))
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%.1f s\t%d\t%.1f ms\t%.1f ms\t%.1f ms\t%.0f ms\t%d\t\n", phase.name, m.took.Seconds(), len(m.statements),
			milliseconds(quantile(m.statements, 0.5)), milliseconds(quantile(m.statements, 0.99)), milliseconds(quantile(m.statements, 1)),
			milliseconds(m.waited), n)
	}
	return table.Flush()
}

// remaining is the error of a run of anthill, but for the exit status that says that users were left.
func remaining(_ usage, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 5 {
		return nil
	}
	return err
}

// measured is how the statements of all writers went.
type measured struct {
	took       time.Duration
	statements []time.Duration // sorted
	waited     time.Duration   // the longest wait for a session of Anthill that was seen
}

// during measures the writers while something is done.
func (l load) during(ctx context.Context, url string, do func(context.Context) error) (m measured, err error) {
	ids, err := userIDs(ctx, url)
	if err != nil {
		return m, err
	}
	over, end := context.WithCancel(ctx)
	defer end()
	began := time.Now()
	each := make([][]time.Duration, l.writers)
	var g errgroup.Group
	for i := range l.writers {
		var own []uuid.UUID
		for n := i; n < len(ids); n += l.writers {
			own = append(own, ids[n])
		}
		g.Go(func() (err error) {
			each[i], err = l.write(ctx, over, url, own, rand.New(rand.NewPCG(1, uint64(i))))
			return err
		})
	}
	g.Go(func() (err error) {
		m.waited, err = watchWaits(ctx, over, url)
		return err
	})
	err = do(ctx)
	m.took = time.Since(began)
	end()
	err = errors.Join(err, g.Wait())
	m.statements = slices.Sorted(slices.Values(slices.Concat(each...)))
	return m, err
}

func userIDs(ctx context.Context, url string) ([]uuid.UUID, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	rows, err := c.Query(ctx, "select user_id::text from users order by user_id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (id uuid.UUID, err error) {
		var text string
		if err := r.Scan(&text); err != nil {
			return id, err
		}
		return uuid.Parse(text)
	})
}

const writerName = "bench writer"

// write is one writer, until over has ended. It returns how long each statement took that changed a row.
func (l load) write(ctx, over context.Context, url string, own []uuid.UUID, r *rand.Rand) (took []time.Duration, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "set application_name = '"+writerName+"'"); err != nil {
		return nil, err
	}
	for over.Err() == nil {
		sql := "update users set phone = $2 where user_id = $1"
		if r.IntN(4) == 0 {
			sql = `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at,
				refresh_token_expires_at) select user_id, tenant_id, $2, $2, now(), now() from users where user_id = $1`
		}
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			began := time.Now()
			if _, err := tx.Exec(ctx, sql, own[r.IntN(len(own))].String(), fmt.Sprint(r.Int32())); err != nil {
				return err
			}
			took = append(took, time.Since(began))
			if r.IntN(l.holds) == 0 {
				_ = sleep(over, time.Duration(r.Int64N(int64(l.hold)))) // over: the transaction is ended all the same
			}
			return nil
		})
		if err != nil {
			return took, err
		}
		_ = sleep(over, l.pause) // over: the loop sees it
	}
	return took, nil
}

// watchWaits looks how long writers wait for sessions of Anthill, until over has ended.
func watchWaits(ctx, over context.Context, url string) (longest time.Duration, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	for over.Err() == nil {
		var seconds float64
		err := c.QueryRow(ctx, `select coalesce(max(extract(epoch from clock_timestamp() - w.query_start)), 0)::float8
			from pg_stat_activity w where w.application_name = $1 and w.wait_event_type = 'Lock' and exists (
				select from unnest(pg_blocking_pids(w.pid)) b (pid) join pg_stat_activity a on a.pid = b.pid
				where a.application_name like 'anthill%')`, writerName).Scan(&seconds)
		if err != nil {
			return longest, err
		}
		longest = max(longest, time.Duration(seconds*float64(time.Second)))
		_ = sleep(over, 20*time.Millisecond) // over: the loop sees it
	}
	return longest, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quantile is the value of a sorted list that a share of it does not exceed; 0 of an empty one.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))]
}
