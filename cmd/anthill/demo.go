package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/examples"
	"anthill/internal/sandbox"
)

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "see the whole way once, on throw-away servers", ArgsUsage: " ",
		Description: "Starts a throw-away Postgres and a Self-auth server in memory with sample tenants and users, and runs\n" +
			"plan, apply, plan again, status and rollback on a small configuration, saying what a user would type.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "naming", Value: "self_auth", Usage: "names of tables, columns and values: `self_auth` or kanidm"},
			noColorFlag(),
		},
		Action: p.demo,
	}
}

func (p *program) demo(c *cli.Context) (err error) {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "anthill-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := unpackQuickstart(folder); err != nil {
		return err
	}
	d := demo{program: p, ctx: c.Context, folder: folder, naming: c.String("naming")}
	_, d.noColor = given(c, "no-color")
	d.tell("A throw-away Postgres with the application's tables, and a Self-auth server in memory, both with sample data.")
	d.box, err = sandbox.Start(c.Context, sandbox.Options{Naming: d.naming, Log: func(line string) { p.say("  %s", line) }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.box.Close()) }()
	return d.run()
}

func unpackQuickstart(folder string) error {
	files, err := fs.Sub(examples.Quickstart, "quickstart")
	if err != nil {
		return err
	}
	return os.CopyFS(folder, files)
}

// demo is one run of `anthill demo`.
type demo struct {
	*program
	ctx     context.Context
	box     *sandbox.Sandbox
	folder  string
	naming  string
	noColor bool
}

func (d *demo) run() error {
	before, err := d.fingerprint()
	if err != nil {
		return err
	}
	d.tell("The configuration: examples/quickstart. What would it change? This is what a reviewer sees.")
	if err := d.anthill("plan", "-out", "quickstart.plan"); err != nil {
		return err
	}
	d.tell("Approved. Carry out exactly that plan.")
	if err := d.anthill("apply", "quickstart.plan"); err != nil {
		return err
	}
	d.tell("Plan again: nothing is due. One wave is held by its date; exit status 0 says that nothing changes.")
	if err := d.anthill("plan", "-detailed-exitcode"); err != nil {
		return err
	}
	d.tell("How far is everything?")
	if err := d.anthill("status"); err != nil {
		return err
	}
	d.tell("And the way back: a rollback is a plan as well, reviewed and then carried out.")
	if err := d.anthill("rollback", "-out", "back.plan"); err != nil {
		return err
	}
	if err := d.anthill("apply", "back.plan"); err != nil {
		return err
	}
	after, err := d.fingerprint()
	if err != nil {
		return err
	}
	return d.prove(before, after)
}

func (d *demo) prove(before, after sandbox.Fingerprint) error {
	if before != after {
		return fmt.Errorf("the rows are not as they were: %d users before, %d after", before.Users, after.Users)
	}
	d.tell(fmt.Sprintf("Proof: SHA-256 over all baseline columns (but updated_at) of all %d rows of users is %x before and after; the mapping rows are the same too.", after.Users, after.Rows[:6]))
	d.tell("Next: examples/quickstart/README.md, or your own copy of the sandbox:\n\n    anthill dev -- sh")
	return nil
}

func (d *demo) fingerprint() (sandbox.Fingerprint, error) {
	return sandbox.TakeFingerprint(d.ctx, d.variable("DATABASE_URL"), d.naming)
}

func (d *demo) variable(name string) string {
	for _, v := range d.box.Env() {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// tell narrates. Everything of the demo goes to stdout: it is what was asked for.
func (d *demo) tell(text string) { fmt.Fprintf(d.stdout, "\n# %s\n", text) }

// anthill runs one command as a user would, in the demo's folder.
func (d *demo) anthill(args ...string) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "\n$ anthill %s\n", strings.Join(args, " "))
	q := *d.program
	q.asks = false
	q.env = func(name string) string {
		if v := d.variable(name); v != "" {
			return v
		}
		return d.env(name)
	}
	line := []string{"anthill", "-chdir", d.folder}
	if d.noColor {
		line = append(line, "-no-color")
	}
	if d.naming != "self_auth" {
		args = append([]string{args[0], "-var", "naming=" + d.naming}, args[1:]...)
	}
	if status := q.run(d.ctx, append(line, args...)); status != exitDone {
		return fmt.Errorf("anthill %s ended with exit status %d", args[0], status)
	}
	return nil
}
