package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg"
	"anthill/internal/selfauthd"
)

const (
	planFile      = "bench.plan"
	templateName  = "users"
	usersATenant  = 200
	defaultUsers  = 100_000
	defaultRounds = 5
)

// comparison is what `bench OLD NEW` is asked for.
type comparison struct {
	programs      [2]string // OLD and NEW
	users, rounds int
}

func (c comparison) tenants() int { return max(1, c.users/usersATenant) }

// part is one command that both programs run in turns.
type part struct {
	name   string
	args   []string
	times  int  // in a round: what takes little time wants more turns
	linked bool // whether it leaves all users linked, or none
}

func parts() []part {
	return []part{
		{"plan", []string{"plan", "-out", planFile}, 5, false},
		{"show", []string{"show", planFile}, 20, false},
		{"apply", []string{"apply", planFile}, 1, true},
		// With the flag, anything to do is an exit status that is an error here.
		{"empty plan", []string{"plan", "-detailed-exitcode"}, 3, true},
		{"rollback", []string{"rollback", "-auto-approve"}, 1, false},
	}
}

// compared are the figures of both programs.
type compared struct {
	usage map[string][2][]usage // by the part's name, in turns
	bytes [2]float64            // of the plan file, a user; it is the same in each round
}

// compare runs the rounds. The programs may differ in all that they write, so each has a database and a directory of
// its own, with the same users, which are new in each round: after a rollback its waves are paused.
func compare(ctx context.Context, c comparison) (_ *compared, err error) {
	pg, err := scratchpg.Start(ctx, scratchpg.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pg.Stop()) }()
	if err := makeTemplate(ctx, pg, c); err != nil {
		return nil, fmt.Errorf("prepare the users: %w", err)
	}
	f := &compared{usage: map[string][2][]usage{}}
	for round := range c.rounds {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d\n", round+1, c.rounds)
		if err := f.round(ctx, pg, c, round); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// makeTemplate makes the database that all others are copies of.
func makeTemplate(ctx context.Context, pg *scratchpg.Server, c comparison) error {
	if err := pg.CreateDatabase(ctx, templateName, ""); err != nil {
		return err
	}
	url := pg.URL(templateName)
	if err := sandbox.Load(ctx, url, sandbox.Options{Tenants: c.tenants(), Users: c.users}); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// What Postgres does by itself would fall into the one's turn and not into the other's.
	quiet := []string{"alter system set autovacuum = off", "select pg_reload_conf()"}
	for _, sql := range append([]string{plain, "vacuum full analyze users"}, quiet...) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (f *compared) round(ctx context.Context, pg *scratchpg.Server, c comparison, round int) (err error) {
	var sides [2]*side
	for i, program := range c.programs {
		if sides[i], err = newSide(ctx, pg, program, fmt.Sprintf("side%d", i)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sides[i].close()) }()
	}
	order := []int{0, 1}
	if round%2 == 1 { // whoever comes second finds the machine warmer, or more tired
		slices.Reverse(order)
	}
	if round == 0 { // caches are cold for whoever comes first
		for _, i := range order {
			if _, err := sides[i].run(ctx, parts()[0], c.users); err != nil {
				return err
			}
		}
	}
	for _, p := range parts() {
		for range p.times {
			if err := f.turns(ctx, sides, order, p, c.users); err != nil {
				return err
			}
		}
	}
	for i, s := range sides {
		info, err := os.Stat(filepath.Join(s.dir, planFile))
		if err != nil {
			return err
		}
		f.bytes[i] = float64(info.Size()) / float64(c.users)
	}
	return nil
}

// turns runs a part once for each side.
func (f *compared) turns(ctx context.Context, sides [2]*side, order []int, p part, users int) error {
	used := f.usage[p.name]
	for _, i := range order {
		runtime.GC() // the emulators' garbage is not to be paid for in the other's turn
		u, err := sides[i].run(ctx, p, users)
		if err != nil {
			return err
		}
		used[i] = append(used[i], u)
	}
	f.usage[p.name] = used
	return nil
}

// side is the world of one program in one round.
type side struct {
	program, dir, database string
	pg                     *scratchpg.Server
	selfauth               *selfauthd.Server
	env                    []string
}

func newSide(ctx context.Context, pg *scratchpg.Server, program, database string) (s *side, err error) {
	s = &side{program: program, database: database, pg: pg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "anthill-bench-"); err != nil {
		return nil, err
	}
	if err := pg.CreateDatabase(ctx, database, templateName); err != nil {
		return nil, err
	}
	if s.selfauth, err = selfauthd.Start(selfauthd.Options{}); err != nil {
		return nil, err
	}
	ca := filepath.Join(s.dir, "ca.pem")
	token, _ := s.selfauth.Operator()
	s.env = []string{
		"DATABASE_URL=" + pg.URL(database),
		"SELF_AUTH_URL=" + s.selfauth.URL(),
		"SELF_AUTH_CA_FILE=" + ca,
		"SELF_AUTH_ADMIN_TOKEN=" + token,
	}
	return s, errors.Join(os.WriteFile(ca, s.selfauth.CA(), 0o600),
		os.WriteFile(filepath.Join(s.dir, "main.anthill.hcl"), []byte(configuration), 0o600))
}

// run runs one part and looks whether it did what it is measured for.
func (s *side) run(ctx context.Context, p part, users int) (usage, error) {
	u, err := command(ctx, s.program, s.dir, s.env, p.args...)
	if err != nil {
		return u, err
	}
	want := 0
	if p.linked {
		want = users
	}
	if n, err := linked(ctx, s.pg.URL(s.database)); err != nil || n != want {
		return u, errors.Join(err, fmt.Errorf("%s: after %s %d users are linked, want %d: the figures would be of "+
			"another job", s.program, p.name, n, want))
	}
	return u, nil
}

func (s *side) close() error {
	ctx := context.Background()
	var errs []error
	if s.selfauth != nil {
		errs = append(errs, s.selfauth.Close())
	}
	there, err := s.pg.HasDatabase(ctx, s.database)
	if there {
		err = s.pg.DropDatabase(ctx, s.database)
	}
	return errors.Join(append(errs, err, os.RemoveAll(s.dir))...)
}

// print writes a table of medians. A ratio is the median of the turns' own.
func (f *compared) print(out io.Writer, c comparison) error {
	fmt.Fprintf(out, "%d users in %d tenants, medians of %d rounds; OLD is %s, NEW is %s\n\n",
		c.users, c.tenants(), c.rounds, c.programs[0], c.programs[1])
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tOLD\tNEW\tNEW/OLD\tpeak OLD\tNEW\tNEW/OLD\t")
	for _, p := range parts() {
		fmt.Fprintf(table, "%s\t", p.name)
		f.column(table, p, "s", func(u usage) float64 { return u.Seconds })
		f.column(table, p, "MiB", func(u usage) float64 { return float64(u.RSS) / (1 << 20) })
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nplan file, bytes a user: OLD %.1f, NEW %.1f, NEW/OLD %.2f\n",
		f.bytes[0], f.bytes[1], f.bytes[1]/f.bytes[0])
	return err
}

func (f *compared) column(out io.Writer, p part, unit string, figure func(usage) float64) {
	var values [2][]float64
	var ratios []float64
	for i, list := range f.usage[p.name] {
		for _, u := range list {
			values[i] = append(values[i], figure(u))
		}
	}
	for turn, old := range values[0] {
		ratios = append(ratios, values[1][turn]/old)
	}
	fmt.Fprintf(out, "%.2f %s\t%.2f %s\t%.2f\t", median(values[0]), unit, median(values[1]), unit, median(ratios))
}
