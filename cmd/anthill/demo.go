package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/examples"
	"anthill/internal/sandbox"
)

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "see the whole way once, on throw-away servers",
		ArgsUsage: " ",
		Description: "Starts a throw-away Postgres and a Self-auth server in memory with sample tenants and users, and\n" +
			"runs plan, apply, plan again, status and rollback on a small configuration, saying what a user would type.\n" +
			"Between them three users read their invitation, enrol, and log in to the application.\n\n" +
			"   anthill demo\n   anthill demo -naming kanidm",
		Flags: []cli.Flag{
			namingFlag(),
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
	d := demo{program: p, folder: folder, naming: c.String("naming")}
	if err := d.rename(); err != nil {
		return err
	}
	d.noColor = noColor(c)
	d.tell("A throw-away Postgres with the application's tables, and a Self-auth server in memory, both with sample data.")
	d.box, err = sandbox.Start(c.Context, sandbox.Options{
		Naming: d.naming,
		Log:    func(line string) { p.say("  %s", line) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.box.Close()) }()
	return d.run(c.Context)
}

// rename gives the demo's copy of the configuration the other names, where those are asked for.
func (d *demo) rename() error {
	file := filepath.Join(d.folder, "main.anthill.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, bytes.Replace(text, []byte(`naming = "self_auth"`), fmt.Appendf(nil, "naming = %q", d.naming), 1), 0o600)
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
	box     *sandbox.Sandbox
	folder  string
	naming  string
	noColor bool
}

// run goes the whole way, there and back, and proves that the rows are as they were.
func (d *demo) run(ctx context.Context) error {
	before, err := d.fingerprint(ctx)
	if err != nil {
		return err
	}
	d.tell("The configuration: examples/quickstart. What would it change? This is what a reviewer sees.")
	if err := d.anthill(ctx, "plan", "-out", "quickstart.plan"); err != nil {
		return err
	}
	d.tell("Approved. Carry out exactly that plan.")
	if err := d.anthill(ctx, "apply", "quickstart.plan"); err != nil {
		return err
	}
	guests, err := d.letIn(ctx)
	if err != nil {
		return err
	}
	d.tell("Plan again: nothing is due. One wave is held by its date; exit status 0 says that nothing changes.")
	if err := d.anthill(ctx, "plan", "-detailed-exitcode"); err != nil {
		return err
	}
	d.tell("How far is everything? Three have enrolled, and completed: the application has seen them come in.")
	if err := d.anthill(ctx, "status"); err != nil {
		return err
	}
	d.tell("And the way back: a rollback is a plan as well, reviewed and then carried out.")
	if err := d.anthill(ctx, "rollback", "-out", "back.plan"); err != nil {
		return err
	}
	if err := d.anthill(ctx, "apply", "back.plan"); err != nil {
		return err
	}
	if err := d.keepOut(ctx, guests); err != nil {
		return err
	}
	after, err := d.fingerprint(ctx)
	if err != nil {
		return err
	}
	return d.prove(before, after)
}

func (d *demo) prove(before, after sandbox.Fingerprint) error {
	if before != after {
		return fmt.Errorf("the rows are not as they were: %d users before, %d after", before.Users, after.Users)
	}
	d.tell(fmt.Sprintf("Proof: SHA-256 over all baseline columns (but updated_at) of all %d rows of users is %x before "+
		"and after; the mapping rows are the same too.", after.Users, after.Rows[:6]))
	d.tell("Next: examples/quickstart/README.md, or your own copy of the sandbox:\n\n    anthill dev -- sh")
	return nil
}

func (d *demo) fingerprint(ctx context.Context) (sandbox.Fingerprint, error) {
	return sandbox.TakeFingerprint(ctx, d.variable("DATABASE_URL"), d.naming)
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
func (d *demo) anthill(ctx context.Context, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "\n$ anthill %s\n", strings.Join(args, " "))
	// The same program again, but for what the process gives it: nobody is asked, and the sandbox's variables win.
	q := *d.program
	q.asks = false
	q.env = func(name string) string {
		if v := d.variable(name); v != "" {
			return v
		}
		return d.env(name)
	}
	q.folder = d.folder
	q.fleeting = true
	line := []string{"anthill"}
	if d.noColor {
		line = append(line, "-no-color")
	}
	if status := q.run(ctx, append(line, args...)); status != exitDone {
		return fmt.Errorf("anthill %s ended with exit status %d", args[0], status)
	}
	return nil
}
