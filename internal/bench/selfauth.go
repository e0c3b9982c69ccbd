package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// sittingPatience bounds everything; the parts take a minute or two.
const sittingPatience = time.Hour

// choices are those of `bench selfauth`.
type choices struct {
	tenants, users, naive int
	only, json            string
	report                bool
	args                  []string // the program, or the files of a report
}

const selfauthHelp = `bench selfauth [FLAGS] ANTHILL-PROGRAM
bench selfauth -report FILE...

Measures Anthill's plan, apply and rollback on a Self-auth server, side by side with two bare clients: a naive one (each
user alone), and one that makes Anthill's own calls without plan, journal and Postgres. All of them go through one proxy
of the benchmark, which notes the writes. Then all of Anthill's part once more, in company: another administrator writes
every 100 ms during apply, past the proxy.

The server is a real one where this machine has the program (ANTHILL_KANIDMD, PATH, ~/.cache/kanidmd), else the emulator
with a real one's costs; each part has a fresh one, as persons make a server slower. Instead it can be the one that
ANTHILL_TEST_SELFAUTH_URL, _TOKEN and _CA_FILE name (loopback only). That is made fresh by the command in
ANTHILL_TEST_SELFAUTH_RESTART (at the same address, with the same token), else what was made is deleted, which leaves a
full recycle bin that slows the server as much as live persons do: then ratios are fair only with a server for each
part, by -only and -json, and -report at the end.
`

func parseChoices(args []string, out io.Writer) (c choices, err error) {
	f := flag.NewFlagSet("bench selfauth", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() { fmt.Fprintf(out, "%s\n", selfauthHelp); f.PrintDefaults() }
	f.IntVar(&c.users, "users", 5000, "how many users are moved")
	f.IntVar(&c.tenants, "tenants", 30, "in how many tenants")
	f.IntVar(&c.naive, "naive", 500,
		"how many of them the naive client moves; fewer meet an emptier server, which is faster")
	f.StringVar(&c.only, "only", "", "measure one `PART`: naive, bulk, anthill or company")
	f.StringVar(&c.json, "json", "", "append the figures to `FILE`, a line a run")
	f.BoolVar(&c.report, "report", false, "measure nothing: print the medians of the files that -json wrote")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.args = f.Args()
	switch {
	case c.report && len(c.args) == 0:
		return c, errors.New("-report wants the files that -json wrote")
	case c.report:
	case len(c.args) != 1:
		return c, errors.New("wants the anthill program: go run ./internal/bench selfauth ./bin/anthill")
	case !slices.Contains([]string{"", "naive", "bulk", "anthill", "company"}, c.only):
		return c, fmt.Errorf("there is no part %q: say naive, bulk, anthill or company", c.only)
	case c.tenants < 1 || c.users < c.tenants || c.naive < 1 || c.naive > c.users:
		return c, errors.New("wants at least one user a tenant, and at most all of them for the naive client")
	}
	return c, nil
}

func benchSelfauth(ctx context.Context, args []string, out io.Writer) error {
	c, err := parseChoices(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if c.report {
		list, err := readSittings(c.args)
		if err != nil {
			return err
		}
		return report(out, list)
	}
	ctx, cancel := context.WithTimeout(ctx, sittingPatience)
	defer cancel()
	s, err := sit(ctx, c)
	if err != nil {
		return err
	}
	if c.json != "" {
		if err := s.appendTo(c.json); err != nil {
			return err
		}
	}
	return report(out, []sitting{*s})
}

// sit measures the parts one after the other, each on a server of its own.
func sit(ctx context.Context, c choices) (_ *sitting, err error) {
	program, err := filepath.Abs(c.args[0])
	if err != nil {
		return nil, err
	}
	w, err := startWorld(ctx, c.tenants, c.users)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.box.Close()) }()
	if c.only == "" && os.Getenv(urlVariable) != "" && os.Getenv(restartVariable) == "" {
		fmt.Fprintf(os.Stderr, "bench: without %s the later parts meet a server slowed by what was deleted: "+
			"the ratios are not fair\n", restartVariable)
	}
	s := &sitting{setting: setting{Tenants: c.tenants, Users: c.users, NaiveUsers: c.naive}}
	for _, part := range []struct {
		name    string
		measure func(*target, *proxy, *client) error
	}{
		{"naive", func(_ *target, _ *proxy, via *client) (err error) {
			s.Naive, err = naive(ctx, via, anew(w.users[:c.naive]))
			return err
		}},
		{"bulk", func(_ *target, p *proxy, via *client) (err error) {
			s.Bulk, err = bulk(ctx, via, p, anew(w.users))
			return err
		}},
		{"anthill", func(t *target, p *proxy, _ *client) (err error) {
			s.Job, err = job(ctx, program, w, t, p, false)
			return err
		}},
		{"company", func(t *target, p *proxy, _ *client) (err error) {
			// The first database is bound to the server before.
			other, err := startWorld(ctx, c.tenants, c.users)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, other.box.Close()) }()
			s.Company, err = job(ctx, program, other, t, p, true)
			return err
		}},
	} {
		if c.only != "" && c.only != part.name {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench:", part.name)
		if s.Server, err = onServer(ctx, part.measure); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return s, nil
}

// onServer measures a part on a server behind the proxy, leaves the server as it should be, and says which one it was.
func onServer(ctx context.Context, measure func(*target, *proxy, *client) error) (server string, err error) {
	t, err := openTarget(ctx)
	if err != nil {
		return "", err
	}
	var notes []note
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanPatience)
		defer cancel()
		if leaveErr := t.leave(clean, notes); leaveErr != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", leaveErr))
		}
	}()
	p, err := startProxy(t.url, t.roots)
	if err != nil {
		return "", err
	}
	defer func() {
		notes = p.since(0)
		err = errors.Join(err, p.close())
	}()
	roots, err := p.roots()
	if err != nil {
		return "", err
	}
	via := newClient(p.url, t.token, roots)
	defer via.close()
	version, err := via.version(ctx)
	if err != nil {
		return "", err
	}
	there, err := via.ids(ctx, "person")
	if err != nil {
		return "", err
	}
	if len(there) > 0 {
		fmt.Fprintf(os.Stderr, "bench: the server holds %d persons already, which makes it slower\n", len(there))
	}
	return t.kind + " " + version, measure(t, p, via)
}
