package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"anthill/internal/sandbox"
	"anthill/internal/scratchidm"
	"anthill/internal/selfauthd"
)

const devName = "dev"

func (p *program) devCommand() *cli.Command {
	return &cli.Command{
		Name:      devName,
		Usage:     "a throw-away Postgres and Self-auth server with sample data",
		ArgsUsage: "[-- COMMAND [ARG...]]",
		Description: "Starts both, runs the command with their addresses in its environment, and ends with it and its\n" +
			"exit status. Without a command it prints the variables and runs until ^C.\n\n" +
			"   anthill dev -- anthill plan\n" +
			"   anthill dev -tenants 50 -users 20000 -- sh\n\n" +
			"The variables: DATABASE_URL, SELF_AUTH_URL, SELF_AUTH_CA_FILE, SELF_AUTH_ADMIN_TOKEN (read-write),\n" +
			"SELF_AUTH_READ_TOKEN (put it in SELF_AUTH_ADMIN_TOKEN's place to try plan without the right to write),\n" +
			"SELF_AUTH_IDM_ADMIN_PASSWORD and SELF_AUTH_ADMIN_PASSWORD (the two built-in accounts), and\n" +
			"ANTHILL_VAR_app_url (where a small application is, with both ways to log in; mails are listed there too).",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "tenants", Usage: "generate `N` tenants instead of the sample"},
			&cli.IntFlag{Name: "users", Usage: "generate `N` users instead of the sample"},
			&cli.Int64Flag{Name: "seed", Usage: "of the generated data (`N`)"},
			namingFlag(),
			&cli.StringFlag{Name: "level", Value: "baseline", Usage: "schema: `baseline` or dual, as shipped"},
			&cli.StringFlag{Name: "dir", TakesFile: true,
				Usage: "keep the database and the Self-auth directory in `DIR` and find them there again"},
			&cli.StringFlag{Name: "selfauth", Value: sandbox.Emulator,
				Usage: "the Self-auth server: `KIND`, which is emulator, real (this machine's kanidmd) or none"},
			&cli.BoolFlag{Name: "no-selfauth", Usage: "start no Self-auth server and leave the SELF_AUTH_ variables alone"},
			&cli.StringFlag{Name: "cost", Usage: "`real`: calls to Self-auth take as long as they do on a real server"},
			&cli.StringFlag{Name: "fault",
				Usage: "what goes wrong at Self-auth: `SPEC`, as drop-after-commit:0.01,latency:50ms..2s,seed=7"},
			&cli.BoolFlag{Name: "fresh", Usage: "the bare schema without tenants, and a directory with built-in entries only"},
			&cli.StringFlag{Name: "mails", Value: "mails", TakesFile: true,
				Usage: "the folder whose mails the pages list: `DIR`, that of provider \"mail\""},
			chdirFlag(),
		},
		Action: p.dev,
	}
}

func namingFlag() cli.Flag {
	return &cli.StringFlag{Name: "naming", Value: "self_auth",
		Usage: "names of tables, columns and values: `self_auth` or kanidm"}
}

func (p *program) dev(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		return &usageError{fmt.Sprintf("the command to run does not begin with a dash: %q\n\n"+
			"    anthill dev -- COMMAND", args[0])}
	}
	o, err := p.sandboxOptions(c)
	if err != nil {
		return err
	}
	box, err := sandbox.Start(c.Context, o)
	if errors.Is(err, scratchidm.ErrNone) {
		return fmt.Errorf("%w; or leave out -selfauth real, for the emulator", err)
	} else if err != nil {
		return err
	}
	err = p.inSandbox(c, box, o, args)
	if closeErr := box.Close(); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	return err
}

// inSandbox runs the command, or waits, with the pages beside it.
func (p *program) inSandbox(c *cli.Context, box *sandbox.Sandbox, o sandbox.Options, args []string) error {
	mails, err := filepath.Abs(p.file(c.String("mails")))
	if err != nil {
		return err
	}
	pages, more, end, err := devPages(box.Env(), o, mails)
	if err != nil {
		return err
	}
	env := slices.Concat(box.Env(), more)
	if len(args) > 0 {
		err = p.execute(c.Context, p.dir(), args, env)
		if closeErr := end(); closeErr != nil {
			return errors.Join(err, closeErr)
		}
		return err
	}
	p.say("anthill dev: the application, with both ways to log in: %s", pages.URL())
	p.say("anthill dev: the mails in %s: %s/mails", mails, pages.URL())
	if o.SelfAuth != sandbox.None {
		for _, v := range box.Env() {
			if origin, ok := strings.CutPrefix(v, "SELF_AUTH_URL="); ok {
				p.say("anthill dev: Self-auth for people: %[1]s/ui/login, %[1]s/ui/reset (one-time code), %[1]s/ui/recover", origin)
			}
		}
	}
	p.wait(c.Context, env)
	return end()
}

// sandboxOptions reads the flags of dev. Options that contradict each other are a *usageError.
func (p *program) sandboxOptions(c *cli.Context) (sandbox.Options, error) {
	o := sandbox.Options{
		Tenants:  c.Int("tenants"),
		Users:    c.Int("users"),
		Seed:     c.Int64("seed"),
		Naming:   c.String("naming"),
		Level:    c.String("level"),
		Dir:      c.String("dir"),
		SelfAuth: c.String("selfauth"),
		Fresh:    c.Bool("fresh"),
		Cost:     c.String("cost"),
		Log:      func(line string) { p.say("anthill dev: %s", line) },
	}
	if o.Dir != "" {
		o.Dir = p.file(o.Dir)
	}
	var err error
	if o.Faults, err = selfauthd.ParseFaults(c.String("fault")); err != nil {
		return o, &usageError{"-fault: " + err.Error()}
	}
	if c.Bool("no-selfauth") {
		if c.IsSet("selfauth") && o.SelfAuth != sandbox.None {
			return o, &usageError{"-selfauth " + o.SelfAuth + " and -no-selfauth say opposite things; leave one out"}
		}
		o.SelfAuth = sandbox.None
	}
	// A flag that would silently do nothing is refused, and told what it does not go with.
	switch {
	case !slices.Contains([]string{sandbox.Emulator, sandbox.Real, sandbox.None}, o.SelfAuth):
		return o, &usageError{fmt.Sprintf("-selfauth %s: there are emulator, real and none", o.SelfAuth)}
	case o.SelfAuth != sandbox.Emulator && (o.Cost != "" || c.String("fault") != ""):
		return o, &usageError{"-cost and -fault are of the emulator; leave them out, or -selfauth and -no-selfauth"}
	case o.Cost != "" && o.Cost != "real":
		return o, &usageError{fmt.Sprintf("-cost %s: only real is known", o.Cost)}
	case o.Tenants < 0 || o.Users < 0:
		return o, &usageError{"-tenants and -users are counts: 0 or more"}
	case o.Users > 0 && o.Tenants == 0:
		return o, &usageError{"-users wants -tenants as well: who would they belong to?"}
	case o.Fresh && (o.Users > 0 || o.Tenants > 0):
		return o, &usageError{"-fresh has no tenants and users; leave it out, or -tenants and -users"}
	}
	return o, nil
}

// wait prints the environment for a shell and waits for ^C.
func (p *program) wait(ctx context.Context, env []string) {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(p.stdout, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	p.say("anthill dev: ready; ^C ends it")
	<-ctx.Done()
}

// execute runs a program with more environment and returns its exit status as an error.
func (p *program) execute(ctx context.Context, dir string, args, env []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, p.stdin, p.out.w, p.stderr
	cmd.Env = slices.Concat(p.environ(), env)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run the command: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		// A terminal sends ^C to the command itself; what is sent to us alone is passed on.
		select {
		case <-ctx.Done():
			_ = cmd.Process.Signal(os.Interrupt)
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	return commandStatus(err)
}

func commandStatus(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return quietly(128 + int(ws.Signal()))
	}
	return quietly(exit.ExitCode())
}
