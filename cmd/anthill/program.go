package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
)

// program is one invocation: what it may touch of the process it runs in.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *output                          // stdout, while a command line is carried out
	effect         *effect                          // what this command line has changed; nil: nothing yet
	shown          *atomic.Pointer[report.Progress] // the progress that is shown, or was last; points to nil: none was
	frugal         func()                           // called before a configuration is read; nil: nothing is called
	underWay       *atomic.Pointer[string]          // the command that goes on with the run under way; points to nil: none is
	fleeting       bool                             // the servers go with this program: no run goes on after it
	chdir          string                           // as -chdir names it; "": it was not given
	env            func(string) string
	environ        func() []string // for commands that `dev` runs
	now            func() time.Time
	who            string          // user@host
	folder         string          // to work in where there is no -chdir; "": the current one
	width          int             // of the terminal; 0: unknown
	mailWaits      []time.Duration // as of session.Settings
	asks           bool            // there is somebody at a terminal to ask
	terminal       bool            // stderr is one
	outTerminal    bool            // stdout is one
}

// run carries out a command line and returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	app := p.app()
	if len(args) > 1 && args[1] == completeName {
		for _, word := range complete(app, args[2:]) {
			fmt.Fprintln(p.stdout, word)
		}
		return exitDone
	}
	p.out, p.effect = &output{w: p.stdout}, nil
	if p.underWay == nil {
		p.underWay = &atomic.Pointer[string]{}
	}
	p.shown = &atomic.Pointer[report.Progress]{}
	p.stdout, app.Writer = p.out, p.out
	l, err := readLine(app, args[1:])
	p.chdir = l.chdir
	if err == nil {
		err = inUTF8(args)
	}
	if err == nil {
		err = app.RunContext(ctx, l.args())
	}
	return p.finish(err)
}

// inUTF8 refuses arguments that cannot be recorded, or shown, as they are.
func inUTF8(args []string) error {
	for i, arg := range args {
		if !utf8.ValidString(arg) {
			return &usageError{fmt.Sprintf("argument %d of the command line is not in UTF-8. Set the terminal, or the script, to UTF-8", i)}
		}
	}
	return nil
}

const helpName = "help"

func (p *program) app() *cli.App {
	app := &cli.App{
		Name:  "anthill",
		Usage: "move users from passwords to Self-auth: plan, review, apply, roll back",
		Description: "One directory of *.anthill.hcl files says what should be. plan compares it with the live servers\n" +
			"and changes nothing; apply carries out exactly a plan; rollback takes it back.\n\n" +
			"   anthill demo                         see the whole way once, on throw-away servers\n" +
			"   anthill plan -out pilot.plan         what would change\n" +
			"   anthill apply pilot.plan             exactly that\n" +
			"   anthill rollback                     and back\n\n" +
			"Exit status: 0 done or nothing to do, 1 error before any effect, 2 changes present (-detailed-exitcode),\n" +
			"3 blocked, 4 stale plan or another target, 5 finished with a remainder, then or before, or the\n" +
			"result could not be written, 6 a named wave is held, 7 locked, 8 a server cannot be reached or refuses,\n" +
			"9 stopped in the middle (anthill apply finishes it).",
		Writer:                    p.stdout,
		ErrWriter:                 p.stderr,
		DisableSliceFlagSeparator: true,
		HideVersion:               true,
		HideHelpCommand:           true,
		Flags:                     []cli.Flag{chdirFlag(), noColorFlag(), versionFlag(), cli.HelpFlag},
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usage,
		Action:                    cli.ShowAppHelp,
		Commands: []*cli.Command{p.validateCommand(), p.planCommand(), p.showCommand(), p.diffCommand(), p.explainCommand(),
			p.applyCommand(), p.rollbackCommand(), p.inviteCommand(), p.statusCommand(), p.waveCommand(), p.exportCommand(), p.importCommand(), p.stateCommand(), p.rightsCommand(), p.devCommand(), p.demoCommand(), p.completionCommand(), p.versionCommand(),
			{Name: helpName, Usage: "show the help of a command: anthill help wave resume", ArgsUsage: "[COMMAND...]"}},
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

// words returns the arguments of a command, at least and at most so many.
func words(c *cli.Context, least, most int, what string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) < least || len(args) > most {
		got := ""
		if len(args) > 0 {
			got = fmt.Sprintf(", got %d", len(args))
		}
		return nil, &usageError{fmt.Sprintf("%s wants %s%s\nSee:\n\n    %s -h",
			c.Command.HelpName, what, got, c.Command.HelpName)}
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
	return append(append(varFlags(), chdirFlag(), noColorFlag()), more...)
}

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "JSON on stdout instead of text"} }

func lockFlag() cli.Flag {
	return &cli.DurationFlag{Name: "lock-timeout", Value: 3 * time.Second,
		Usage: "wait so long for somebody else's lock (`DURATION`)"}
}

// noColor says whether -no-color was given, in front of the command or behind it.
func noColor(c *cli.Context) bool {
	return slices.ContainsFunc(c.Lineage(), func(l *cli.Context) bool { return l != nil && l.Bool("no-color") })
}

// dir is the directory that a command works in.
func (p *program) dir() string { return cmp.Or(p.chdir, p.folder, ".") }

// file is a path of the command line, seen from that directory.
func (p *program) file(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.dir(), path)
}

// options are what a screen may look like.
func (p *program) options(c *cli.Context) report.Options {
	return report.Options{
		Width:   p.width,
		Color:   p.outTerminal && !noColor(c) && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb",
		Unicode: p.unicode(),
		Chdir:   p.chdir,
	}
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

// progress shows on stderr how far long work is.
func (p *program) progress(c *cli.Context) *report.Progress {
	progress := report.NewProgress(p.stderr, p.terminal, p.now, p.options(c))
	p.shown.Store(progress)
	return progress
}

// waiting shows what a command waits for: beside its progress, if it shows any.
func (p *program) waiting(c *cli.Context) func(apply.Event) {
	quiet := report.NewProgress(p.stderr, p.terminal, p.now, p.options(c))
	return func(e apply.Event) { cmp.Or(p.shown.Load(), quiet).Event(e) }
}

// command is a command line to paste that does the same where this one was typed.
func (p *program) command(args ...string) string {
	return report.Command(report.Options{Chdir: p.chdir}, args...)
}

// say writes a line for people to stderr.
func (p *program) say(format string, args ...any) {
	fmt.Fprintf(p.stderr, format+"\n", args...)
}

// interruptible says, while a run is under way, what an interruption does and how the run goes on after it. The caller calls
// ended when it is no longer.
func (p *program) interruptible(ctx context.Context, progress *report.Progress, goOn string) (ended func()) {
	if p.fleeting {
		return func() {}
	}
	p.underWay.Store(&goOn)
	stop := context.AfterFunc(ctx, func() {
		progress.Say("Stopping after this batch; again stops at once. Either way it goes on with: " + goOn)
	})
	return func() { stop(); p.underWay.Store(nil) }
}

// halted says how a run goes on that a second interruption stops at once.
func (p *program) halted() {
	if goOn := p.underWay.Load(); goOn != nil {
		p.say("\nStopped at once. What was begun is finished or taken back when it goes on; nothing is done twice. Go on with:\n\n    %s", *goOn)
	}
}

// ask shows a question and returns nil where the answer is yes. Without a terminal nobody is there to ask: an
// *approvalError.
func (p *program) ask(ctx context.Context, question string) error {
	if !p.asks {
		return &approvalError{"nobody is at a terminal to approve this, and -auto-approve was not given: nothing was changed"}
	}
	fmt.Fprintf(p.stderr, "\n%s\nOnly `yes` is taken as approval: ", question)
	// The read cannot be interrupted: after ^C its goroutine is left behind, and ends with the process.
	answer := make(chan string, 1)
	go func() { answer <- readAnswer(p.stdin) }()
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

func readAnswer(r io.Reader) string {
	// Byte by byte, as what stands behind the answer is not ours to take: a script may feed other commands with it.
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
