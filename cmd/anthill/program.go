package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
)

// version of this program. Plans and runs record it.
const version = "0.1.0"

// program is one invocation: what it may touch of the process it runs in.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	environ        func() []string // for commands that `dev` runs
	now            func() time.Time
	who            string // user@host
	self           string // path of this program
	width          int    // of the terminal; 0: unknown
	asks           bool   // there is somebody at a terminal to ask
	terminal       bool   // stderr is one
	outTerminal    bool   // stdout is one
}

// run carries out a command line and returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	return p.finish(p.app().RunContext(ctx, args))
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name: "anthill", Usage: "move users from passwords to Self-auth: plan, review, apply, roll back", HideVersion: true,
		Description: "One directory of *.anthill.hcl files says what should be. plan compares it with the live servers and\n" +
			"changes nothing; apply carries out exactly a plan; rollback takes it back.\n\n" +
			"Exit status: 0 done or nothing to do, 1 error before any effect, 2 changes present (-detailed-exitcode),\n" +
			"3 blocked, 4 stale plan or another target, 5 finished with a remainder, 6 a named wave is held, 7 locked,\n" +
			"8 a server cannot be reached or refuses, 9 stopped in the middle (anthill apply finishes it).",
		Writer: p.stdout, ErrWriter: p.stderr, DisableSliceFlagSeparator: true,
		Flags:          []cli.Flag{chdirFlag(), noColorFlag()},
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usage,
		Commands: []*cli.Command{p.validateCommand(), p.planCommand(), p.showCommand(), p.applyCommand(), p.rollbackCommand(),
			p.statusCommand(), p.waveCommand(), p.devCommand(), p.demoCommand(), p.versionCommand()},
	}
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknownCommand("anthill", c.Args().First(), app.Commands)
		}
		return cli.ShowAppHelp(c)
	}
	prepare(app.Commands)
	return app
}

// prepare gives every command what cli does not inherit.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usage
		c.HideHelpCommand = true
		prepare(c.Subcommands)
	}
}

// usage turns a mistake in the flags into an error that says where to look.
func usage(c *cli.Context, err error, _ bool) error {
	name := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	return &usageError{fmt.Sprintf("%s\nSee:\n\n    %s -h", err, name)}
}

// usageError is wrong use of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func unknownCommand(parent, name string, commands []*cli.Command) error {
	text := fmt.Sprintf("there is no command %q", name)
	for _, c := range commands {
		if levenshtein.Distance(name, c.Name, nil) <= 2 {
			text += fmt.Sprintf("; did you mean %q?", c.Name)
			break
		}
	}
	return &usageError{text + "\nSee:\n\n    " + parent + " -h"}
}

// words returns the arguments of a command, at least and at most so many. What looks like a flag behind them would be
// ignored in silence: it is refused with the line as it should be.
func words(c *cli.Context, least, most int, what string) ([]string, error) {
	args := c.Args().Slice()
	if i := slices.IndexFunc(args, func(a string) bool { return len(a) > 1 && a[0] == '-' }); i >= 0 {
		rest := append(slices.Clone(args[i:]), args[:i]...)
		return nil, &usageError{fmt.Sprintf("flags come before %s\n\n    %s %s", what, c.Command.HelpName, strings.Join(rest, " "))}
	}
	if len(args) < least || len(args) > most {
		return nil, &usageError{fmt.Sprintf("%s wants %s, got %d arguments\nSee:\n\n    %s -h", c.Command.HelpName, what, len(args), c.Command.HelpName)}
	}
	return args, nil
}

func chdirFlag() cli.Flag {
	return &cli.StringFlag{Name: "chdir", Usage: "work in `DIR` instead of the current directory", TakesFile: true}
}

func noColorFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR is obeyed as well)"}
}

// configFlags are those of every command that reads a configuration.
func configFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "var", Usage: "set a variable: `NAME=VALUE` (again for more)"},
		&cli.StringSliceFlag{Name: "var-file", Usage: "read variables from `FILE` (again for more)", TakesFile: true},
		chdirFlag(), noColorFlag(),
	}, more...)
}

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "JSON on stdout instead of text"} }

func lockFlag() cli.Flag {
	return &cli.DurationFlag{Name: "lock-timeout", Value: 3 * time.Second, Usage: "wait so long for somebody else's lock (`DURATION`)",
		Action: func(_ *cli.Context, d time.Duration) error {
			if d < 0 {
				return &usageError{"-lock-timeout is a time to wait: 0s or more"}
			}
			return nil
		}}
}

// given looks a flag up where it was set: behind the command or before it.
func given(c *cli.Context, name string) (string, bool) {
	for _, l := range c.Lineage() {
		if l != nil && slices.Contains(l.LocalFlagNames(), name) {
			return l.String(name), true
		}
	}
	return "", false
}

// dir is the directory that -chdir names; ".".
func dir(c *cli.Context) string {
	if d, ok := given(c, "chdir"); ok && d != "" {
		return d
	}
	return "."
}

// file is a path of the command line, seen from -chdir.
func file(c *cli.Context, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir(c), path)
}

// options are what a screen may look like.
func (p *program) options(c *cli.Context) report.Options {
	_, noColor := given(c, "no-color")
	return report.Options{Width: p.width, Color: p.outTerminal && !noColor && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb",
		Unicode: p.unicode(), Command: c.Command.HelpName}
}

func (p *program) unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := p.env(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// say writes a line for people to stderr.
func (p *program) say(format string, args ...any) {
	fmt.Fprintf(p.stderr, format+"\n", args...)
}

// ask shows a question and says whether the answer is yes. Without a terminal nobody is there to ask: an *approvalError.
func (p *program) ask(ctx context.Context, question string) error {
	if !p.asks {
		return &approvalError{"nobody is at a terminal to approve this, and -auto-approve was not given: nothing was changed"}
	}
	fmt.Fprintf(p.stderr, "\n%s\nOnly `yes` is taken as approval: ", question)
	answer := make(chan string, 1)
	go func() { answer <- readLine(p.stdin) }()
	select {
	case a := <-answer:
		if strings.TrimSpace(a) == "yes" {
			return nil
		}
		return &approvalError{"not approved: nothing was changed"}
	case <-ctx.Done():
		return &approvalError{"interrupted before it was approved: nothing was changed"}
	}
}

func readLine(r io.Reader) string {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 100 {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			break
		}
	}
	return string(line)
}

// approvalError says that nobody approved.
type approvalError struct{ text string }

func (e *approvalError) Error() string { return e.text }
