// Command bench measures plan against what it has to read: the same users in the same order, read by psql (or by COPY
// through pgx where there is no psql, and it says so), in turns within one run, so that a slow machine is slow for
// both. `bench OLD NEW` measures two programs of Anthill beside each other, and `bench selfauth` the moving of users
// beside bare clients of a Self-auth server. `bench writers` measures an application at work meanwhile. It prints medians and ratios, and judges nothing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg"
)

const runs = 5

const configuration = `
schema { level = "dual" }
data "tenants" "active" { status = ["active"] }
group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_admins"
  role     = "admin"
  members { roles = ["admin", "super_admin"] }
}
group "users" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_users"
  role     = "member"
  members { all = true }
}
auth_policy "dual" { method = "dual" }
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
}
guard { max_users_changed_percent = 100 }
`

func main() {
	if len(os.Args) > 1 && os.Args[1] == "__pg" {
		if scratchpg.Child(os.Args[2:], os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == runVerb {
		os.Exit(runMeasured(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	do, args := bench, os.Args[1:]
	switch {
	case len(args) == 0:
	case args[0] == "selfauth":
		do, args = benchSelfauth, args[1:]
	case args[0] == "writers":
		do, args = benchWriters, args[1:]
	}
	err := do(ctx, args, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const benchHelp = `bench ANTHILL-PROGRAM
bench [FLAGS] OLD NEW
bench selfauth -h
bench writers -h

Measures plan beside psql reading the same rows; or two programs of Anthill beside each other, in turns: plan, show,
apply, plan again (nothing to do) and rollback of all users, on the emulator at its full speed.
`

func bench(ctx context.Context, args []string, out io.Writer) error {
	var c comparison
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.Usage = func() { fmt.Fprintf(f.Output(), "%s\n", benchHelp); f.PrintDefaults() }
	f.IntVar(&c.users, "users", defaultUsers, "of OLD NEW: how many users are moved")
	f.IntVar(&c.rounds, "rounds", defaultRounds, "of OLD NEW: how often all of it is done")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	var programs []string
	for _, arg := range f.Args() {
		program, err := filepath.Abs(arg)
		if err != nil {
			return err
		}
		programs = append(programs, program)
	}
	switch {
	case len(programs) == 1 && f.NFlag() == 0:
		return besideReading(ctx, programs[0], out)
	case len(programs) == 2 && c.users > 0 && c.rounds > 0:
		c.programs = [2]string(programs)
		measured, err := compare(ctx, c)
		if err != nil {
			return err
		}
		return measured.print(out, c)
	}
	return errors.New("wants the anthill program, or flags (of one or more) and two programs: " +
		"go run ./internal/bench OLD ./bin/anthill")
}

// besideReading measures plan beside a bare reader of the rows.
func besideReading(ctx context.Context, program string, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "plan, all to create\tS: rows read\tplan\tratio\tpeak RSS\tbytes a user\t")
	for _, size := range []struct{ tenants, users int }{{50, 10_000}, {500, 100_000}} {
		f, err := measure(ctx, program, size.tenants, size.users)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%d users\t%.3f s\t%.3f s\t%.2f\t%.1f MiB\t%.1f\t\n", size.users, f.read.Seconds(),
			f.plan.Seconds(), f.ratio, float64(f.rss)/(1<<20), f.bytes)
		if f.note != "" {
			fmt.Fprintln(os.Stderr, f.note)
		}
	}
	return table.Flush()
}

// figures are medians.
type figures struct {
	read, plan time.Duration
	ratio      float64 // of each pair, not of the medians
	rss        int64   // bytes
	bytes      float64 // of the plan file, a user
	note       string
}

func measure(ctx context.Context, program string, tenants, users int) (f figures, err error) {
	box, err := sandbox.Start(ctx, sandbox.Options{Tenants: tenants, Users: users, Log: func(string) {}})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	dir, err := os.MkdirTemp("", "anthill-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.anthill.hcl"), []byte(configuration), 0o600); err != nil {
		return f, err
	}
	read, note := reader(box)
	f.note = note
	var reads, plans []time.Duration
	var ratios []float64
	var sizes []int64
	for i := range runs + 1 {
		r, err := read(ctx)
		if err != nil {
			return f, err
		}
		u, err := command(ctx, program, dir, box.Env(), "plan", "-out", planFile)
		if err != nil {
			return f, err
		}
		p := time.Duration(u.Seconds * float64(time.Second))
		if i == 0 {
			continue // caches are cold for whoever comes first
		}
		reads, plans, sizes = append(reads, r), append(plans, p), append(sizes, u.RSS)
		ratios = append(ratios, float64(p)/float64(r))
	}
	info, err := os.Stat(filepath.Join(dir, planFile))
	if err != nil {
		return f, err
	}
	f.read, f.plan, f.ratio, f.rss = median(reads), median(plans), median(ratios), median(sizes)
	f.bytes = float64(info.Size()) / float64(users)
	return f, nil
}

func median[T int64 | float64 | time.Duration](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

// query reads what a plan needs of a row.
const query = `select user_id, tenant_id, email, full_name, role, status, deleted_at is not null,
	email_verified, password_hash is not null, self_auth_user_id, self_auth_synced_at is not null
	from users order by tenant_id, user_id`

// reader returns what reads the users once, and a note where it is not psql.
func reader(box *sandbox.Sandbox) (func(context.Context) (time.Duration, error), string) {
	url := databaseURL(box)
	if psql, err := exec.LookPath("psql"); err == nil {
		return func(ctx context.Context) (time.Duration, error) {
			copied := `\copy (` + strings.ReplaceAll(query, "\n", " ") + `) to /dev/null`
			return timed(exec.CommandContext(ctx, psql, "-X", "-q", "-c", copied, url))
		}, ""
	}
	return func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			return 0, err
		}
		defer c.Close(ctx)
		_, err = c.PgConn().CopyTo(ctx, io.Discard, "copy ("+query+") to stdout")
		return time.Since(began), err
	}, "there is no psql here: S was read by COPY through pgx"
}

func timed(cmd *exec.Cmd) (time.Duration, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", cmd, err, said.Bytes())
	}
	return time.Since(began), nil
}

// databaseURL is the address of a sandbox's database.
func databaseURL(box *sandbox.Sandbox) string {
	for _, v := range box.Env() {
		if value, ok := strings.CutPrefix(v, "DATABASE_URL="); ok {
			return value
		}
	}
	return ""
}
