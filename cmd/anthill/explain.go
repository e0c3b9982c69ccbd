package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/docs"
	"anthill/internal/report"
)

func (p *program) explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what a hazard means, and what to do about it",
		ArgsUsage: "[CODE]",
		Description: "Needs no server and no configuration. Without a code it lists them.\n\n" +
			"   anthill explain LOCKS_OUT_USERS",
		Flags: []cli.Flag{chdirFlag(), noColorFlag()},
		Action: func(c *cli.Context) error {
			args, err := words(c, 0, 1, "at most one code")
			if err != nil {
				return err
			}
			list, o := report.Sections(docs.Hazards), p.options(c)
			if len(args) == 0 {
				return report.ExplainList(p.stdout, list, o)
			}
			code := strings.ToUpper(args[0])
			i := slices.IndexFunc(list, func(s report.Section) bool { return s.Title == code })
			if i < 0 {
				return unknownCode(args[0], list)
			}
			return report.Explain(p.stdout, list[i], o)
		},
	}
}

func unknownCode(code string, list []report.Section) error {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Title
	}
	text := fmt.Sprintf("there is no hazard %q", code)
	if meant := nearest(strings.ToUpper(code), names); meant != "" {
		text += fmt.Sprintf("; did you mean %s?", meant)
	}
	return &usageError{text + "\nThey are listed by:\n\n    anthill explain"}
}
