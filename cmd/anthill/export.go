package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
)

var exportForms = []string{report.ExportAsJSON, report.ExportAsCSV}

func (p *program) exportCommand() *cli.Command {
	return &cli.Command{
		Name:        "export",
		Usage:       "write users who are still to be moved to a file",
		ArgsUsage:   "COMMAND",
		Description: "   anthill export users",
		Action:      cli.ShowSubcommandHelp,
		Subcommands: []*cli.Command{
			{
				Name:      "users",
				Usage:     "write users who are still to be moved, with names and addresses, as JSON or CSV",
				ArgsUsage: " ",
				Description: "Reads only, and Postgres alone: neither a token nor an address of Self-auth is needed. Users who are\n" +
					"deleted, not active, linked already or excluded are left out, and counted on stderr. The file is new, whole,\n" +
					"and for its owner alone; its name is on stdout.\n\n" +
					"   anthill export users                          users_export_20260201_093000.json\n" +
					"   anthill export users -tenant acme -out acme.csv\n" +
					"   anthill export users -out - | jq length",
				Flags: configFlags(
					&cli.StringFlag{Name: "out", TakesFile: true,
						Usage: "write to `FILE`, which must not be there yet; - is stdout (default: users_export_DATE_TIME.json)"},
					&cli.StringFlag{Name: "format",
						Usage: "`FORM`, json or csv (default: by the name of -out, else json)"},
					&cli.StringFlag{Name: "tenant", Usage: "only users of the tenant with the slug `SLUG`"},
				),
				Action: p.exportUsers,
			},
		},
	}
}

// exportForm is the form that is asked for, and where it goes; "-": stdout.
func (p *program) exportForm(c *cli.Context) (form, out string, err error) {
	form, out = c.String("format"), c.String("out")
	if form == "" && strings.EqualFold(filepath.Ext(out), "."+report.ExportAsCSV) {
		form = report.ExportAsCSV
	}
	form = cmp.Or(form, report.ExportAsJSON)
	if !slices.Contains(exportForms, form) {
		return "", "", &usageError{fmt.Sprintf("-format %s: there are json and csv", form)}
	}
	if out == "" {
		out = "users_export_" + p.now().Format("20060102_150405") + "." + form
	}
	if out != "-" {
		out = p.file(out)
	}
	return form, out, nil
}

func (p *program) exportUsers(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	form, out, err := p.exportForm(c)
	if err != nil {
		return err
	}
	// Now, and not only when everything has been read.
	if out != "-" {
		if err := vacant(out); err != nil {
			return err
		}
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	e, err := session.OpenExport(c.Context, settings, c.String("tenant"))
	if err != nil {
		return err
	}
	defer e.Close()
	if err := report.ExportHoldsPersonalData(p.stderr, p.options(c)); err != nil {
		return err
	}
	progress := p.progress(c)
	e.Progress = progress.Stage
	n, err := writeExport(c.Context, e, form, out, p.stdout)
	progress.Close()
	if err != nil && !errors.Is(err, errNobody) {
		return fmt.Errorf("export users: %w", err)
	}
	left := report.LeftOut{Reasons: e.Left.Reasons, Linked: e.Left.Linked, Deleted: e.Left.Deleted}
	if err := report.Exported(p.stderr, n, left, out != "-", p.options(c)); err != nil {
		return err
	}
	if err == nil && out != "-" {
		_, err = fmt.Fprintln(p.stdout, out)
	}
	return err
}

// errNobody is that there is nobody to export.
var errNobody = errors.New("nobody is left to export, so nothing was written")

// writeExport writes all users, and returns how many they are. errNobody: there are none.
func writeExport(ctx context.Context, e *session.Export, form, out string, stdout io.Writer) (n int64, err error) {
	write := func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 64<<10)
		to := report.NewExport(buffered, form, e.LinkKey)
		for u, err := range e.Users(ctx) {
			if err != nil {
				return err
			}
			if err := to.Add(report.ExportedUser(u)); err != nil {
				return err
			}
		}
		if n = to.Count(); n == 0 {
			return errNobody
		}
		return errors.Join(to.End(), buffered.Flush())
	}
	if out == "-" {
		err = write(stdout)
	} else {
		err = newFile(out, write)
	}
	return n, err
}
