package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v2"

	"anthill/config"
	"anthill/internal/regex"
)

// level is a place in a command line: the program itself, or a command of it.
type level struct {
	name     string // "anthill wave resume"
	flags    []cli.Flag
	commands []*cli.Command // nil: arguments stand here
	foreign  bool           // the arguments are the command line of another program
}

func top(app *cli.App) level { return level{name: app.Name, flags: app.Flags, commands: app.Commands} }

// below is the level of a command; ok says whether there is one of this name.
func (l level) below(name string) (_ level, ok bool) {
	for _, c := range l.commands {
		if c.Name == name {
			return level{l.name + " " + name, c.Flags, c.Subcommands, name == devName}, true
		}
	}
	return level{}, false
}

// flag is the flag of a name; nil where the level has none.
func (l level) flag(name string) cli.Flag {
	i := slices.IndexFunc(l.flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return l.flags[i]
}

// line is a command line, taken apart.
type line struct {
	top    level
	at     level
	global []string // flags of the program
	path   []string // names of commands, each with its flags behind it
	words  []string // arguments
	help   bool     // somebody asks what there is; then the arguments mean nothing
	chdir  string   // the directory that -chdir named; "": none
}

// readLine reads a command line as people type it. urfave/cli knows flags only in front of arguments; here they stand
// before or after them, -- ends them, help stands anywhere among the commands, and -version anywhere is the command
// version.
// What is not there is explained by a *usageError; as much of the line as was read is valid then.
func readLine(app *cli.App, args []string) (*line, error) {
	l := &line{top: top(app), at: top(app)}
	literal := false // -- stood in front of the arguments
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--" && l.at.commands != nil:
			// No command begins with a dash, so there is nothing to tell apart yet.
		case arg == "--":
			l.words, args = append(l.words, args...), nil
			literal = true
		case len(arg) > 1 && arg[0] == '-':
			taken, err := l.flag(arg, args)
			if err != nil {
				return l, err
			}
			args = args[taken:]
		case l.at.commands == nil:
			l.words = append(l.words, arg)
			if l.at.foreign {
				l.words, args = append(l.words, args...), nil
			}
		case arg == helpName:
			l.help = true
		default:
			below, ok := l.at.below(arg)
			if !ok {
				return l, unknownCommand(l.at, arg)
			}
			l.path, l.at = append(l.path, arg), below
		}
	}
	// Only below a command of commands, where an argument is no file: a plan may be called help.
	if !literal && strings.Count(l.at.name, " ") > 1 && slices.Equal(l.words, []string{helpName}) {
		l.help = true
	}
	return l, l.checkWords()
}

// checkWords refuses arguments that are empty. The command line of another program is its own, but for its name.
func (l *line) checkWords() error {
	words := l.words
	if l.at.foreign && len(words) > 1 {
		words = words[:1]
	}
	if slices.ContainsFunc(words, blank) {
		return &usageError{"an argument of " + l.at.name + " is empty: is a variable not set?"}
	}
	return nil
}

// blank says whether a word is most likely what a variable that is not set left behind.
func blank(word string) bool { return strings.TrimSpace(word) == "" }

// place is the command without the program's name: "wave resume".
func (l *line) place() string {
	return strings.TrimPrefix(strings.TrimPrefix(l.at.name, l.top.name), " ")
}

// args is the line as urfave/cli reads it.
func (l *line) args() []string {
	args := slices.Concat([]string{l.top.name}, l.global, l.path)
	if l.help {
		return append(args, "-h")
	}
	if slices.ContainsFunc(l.words, func(w string) bool { return strings.HasPrefix(w, "-") }) {
		args = append(args, "--")
	}
	return append(args, l.words...)
}

// flag takes a flag in, and says how many of the arguments behind it are its value.
func (l *line) flag(arg string, rest []string) (taken int, err error) {
	name, value, inside := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	if slices.Contains(versionFlag().Names(), name) {
		l.at, _ = l.top.below(versionName)
		l.path = []string{versionName}
		return 0, nil
	}
	// Flags of the program itself may stand behind the command too. urfave/cli wants them in front.
	f, to := l.at.flag(name), &l.path
	if f == nil {
		f, to = l.top.flag(name), &l.global
	}
	switch {
	case slices.Contains(cli.HelpFlag.Names(), name):
		l.help = true
		return 0, nil
	case f == nil:
		return 0, unknownFlag(l.at, name, rest)
	case inside && blank(value):
		return 0, emptyFlag(name)
	case !takesValue(f):
		*to = append(*to, arg)
		return 0, nil
	case !inside && len(rest) == 0:
		return 0, &usageError{fmt.Sprintf("-%s wants a value\nSee:\n\n    %s -h", name, l.at.name)}
	case !inside:
		value, taken = rest[0], 1
	}
	// An empty value would look as if the flag had not been given: no approval, all tenants, the latest run.
	if blank(value) {
		return 0, emptyFlag(name)
	}
	if value, err = readValue(f, name, value); err != nil {
		return 0, err
	}
	*to = append(*to, "-"+name+"="+value)
	if name == "chdir" {
		l.chdir = value
	}
	return taken, nil
}

func emptyFlag(name string) error {
	return &usageError{"-" + name + " is empty: is a variable not set?"}
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// readValue is the value of a flag as urfave/cli reads it. Durations may have days, as in a configuration; what is none
// is explained.
func readValue(f cli.Flag, name, value string) (string, error) {
	if _, ok := f.(*cli.DurationFlag); !ok {
		return value, nil
	}
	d, err := time.ParseDuration(value)
	if days, ok := config.ParseDuration(value); ok {
		d, err = days, nil
	}
	meant := config.MeantDuration(value)
	switch {
	case strings.HasPrefix(value, "-"):
		return "", &usageError{fmt.Sprintf("-%s %s is below zero: it is a time to wait, 0s or more", name, value)}
	case err == nil:
		return d.String(), nil
	case bareNumber().MatchString(value):
		return "", &usageError{fmt.Sprintf("-%s %s has no unit: do you mean %ss? Times are written 500ms, 5s, 2m or 1h",
			name, value, value)}
	case meant != "":
		return "", &usageError{fmt.Sprintf("-%s %s is no duration: write %s", name, value, meant)}
	}
	return "", &usageError{fmt.Sprintf("-%s %s is no duration: they are written 500ms, 5s, 2m, 1h or 7d", name, value)}
}

var bareNumber = regex.Lazy(`^[0-9]+(?:\.[0-9]+)?$`)

// unknownFlag explains a flag that is not there. rest is what stands behind it.
func unknownFlag(at level, name string, rest []string) error {
	if text, ok := otherFlags[name]; ok {
		return &usageError{text}
	}
	behind := func(below level) error {
		return &usageError{fmt.Sprintf("-%s stands behind the command:\n\n    %s -%s", name, below.name, name)}
	}
	// The command that was typed, and not another that has such a flag too.
	for i, word := range rest {
		below, ok := at.below(word)
		switch {
		case ok && below.flag(name) != nil:
			return behind(below)
		case ok:
			return unknownFlag(below, name, rest[i+1:])
		}
	}
	var names []string
	for _, f := range at.flags {
		names = append(names, f.Names()...)
	}
	for _, c := range at.commands {
		if below, _ := at.below(c.Name); below.flag(name) != nil {
			return behind(below)
		}
	}
	text := fmt.Sprintf("%s has no flag -%s", at.name, name)
	if meant := nearest(name, names); meant != "" {
		text += fmt.Sprintf("; did you mean -%s?", meant)
	}
	return &usageError{text + "\nSee:\n\n    " + at.name + " -h"}
}

// unknownCommand explains a command that is not there.
func unknownCommand(at level, name string) error {
	_, path, _ := strings.Cut(at.name+" "+name, " ")
	for _, known := range []string{path, strings.TrimSuffix(path, name) + "*"} {
		if text, ok := otherCommands[known]; ok {
			return &usageError{text}
		}
	}
	var names []string
	meant := ""
	for _, c := range at.commands {
		names = append(names, c.Name)
		if slices.ContainsFunc(c.Subcommands, func(s *cli.Command) bool { return s.Name == name }) {
			meant = c.Name + " " + name
		}
	}
	text := fmt.Sprintf("there is no command %q", path)
	if meant = cmp.Or(meant, nearest(name, names)); meant != "" {
		text += fmt.Sprintf("; did you mean %q?", meant)
	}
	return &usageError{text + "\nSee:\n\n    " + at.name + " -h"}
}

// nearest is the name that somebody probably meant; "" where none is near.
func nearest(typed string, names []string) (meant string) {
	// Two letters may be wrong, but not as many as the word has: "-x" is not a mistyped "-y".
	least := 3
	for _, n := range names {
		if d := levenshtein.Distance(typed, n, nil); d < least && d < len(n) {
			meant, least = n, d
		}
	}
	return meant
}
