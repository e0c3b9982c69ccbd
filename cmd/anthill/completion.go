package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/sandbox"
)

// The scripts call `anthill __complete WORD...`, so they stay as they are whatever commands and flags there will be.
// Those that come with urfave/cli offer flags with two dashes alone, and need the package bash-completion.
//
//go:embed completion
var completionScripts embed.FS

const (
	completeName   = "__complete"
	completionName = "completion"
)

// choices are the values to choose from, of arguments by the command and of flags by command and flag.
var choices = map[string][]string{
	completionName:         {"bash", "zsh", "fish"},
	"apply -on-stale":      {"skip", "fail"},
	"demo -naming":         {"self_auth", "kanidm"},
	"dev -naming":          {"self_auth", "kanidm"},
	"dev -level":           {"baseline", "dual"},
	"dev -selfauth":        {sandbox.Emulator, sandbox.Real, sandbox.None},
	"dev -cost":            {"real"},
	"export users -format": exportForms,
	"rights -for":          rightsFor(),
}

func (p *program) completionCommand() *cli.Command {
	shells := choices[completionName]
	return &cli.Command{
		Name: completionName, Usage: "print a script that completes commands and flags in a shell", ArgsUsage: "bash|zsh|fish",
		Description: "One of these lines installs it, for shells that start from then on:\n\n" +
			"   echo 'source <(anthill completion bash)' >> ~/.bashrc\n" +
			"   echo 'source <(anthill completion zsh)' >> ~/.zshrc     (behind compinit)\n" +
			"   anthill completion fish > ~/.config/fish/completions/anthill.fish",
		Action: func(c *cli.Context) error {
			args, err := words(c, 1, 1, "the name of a shell: "+listed(shells))
			if err != nil {
				return err
			}
			if !slices.Contains(shells, args[0]) {
				return &usageError{fmt.Sprintf("there is a completion for %s, not for %q", listed(shells), args[0])}
			}
			script, err := completionScripts.ReadFile("completion/anthill." + args[0])
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(script)
			return err
		},
	}
}

func listed(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// complete returns what may stand in place of the last of the words of a command line: names of commands, flags with
// as many dashes as were typed, or values to choose from. None leaves the shell to its names of files.
func complete(app *cli.App, words []string) (found []string) {
	if len(words) == 0 {
		return nil
	}
	// The last word is the one being typed; those before it say where in the line it stands.
	last := words[len(words)-1]
	offer := func(word string) {
		if strings.HasPrefix(word, last) && !slices.Contains(found, word) {
			found = append(found, word)
		}
	}
	before := words[:len(words)-1]
	l, err := readLine(app, before)
	if err != nil && len(before) > 0 && strings.HasPrefix(before[len(before)-1], "-") {
		// Perhaps a flag that still wants its value.
		for _, value := range choices[l.place()+" -"+strings.TrimLeft(before[len(before)-1], "-")] {
			offer(value)
		}
		return found
	}
	if err != nil || len(l.words) > 0 && l.at.foreign {
		return nil
	}
	if strings.HasPrefix(last, "-") {
		dashes := "-"
		if strings.HasPrefix(last, "--") {
			dashes = "--"
		}
		for _, f := range append(slices.Clone(l.at.flags), cli.HelpFlag) {
			offer(dashes + f.Names()[0])
		}
		return found
	}
	for _, c := range l.at.commands {
		if !c.Hidden {
			offer(c.Name)
		}
	}
	if len(l.words) == 0 {
		for _, value := range choices[l.place()] {
			offer(value)
		}
	}
	return found
}
