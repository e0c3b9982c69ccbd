package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/state"
)

func (p *program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:      "rollback",
		Usage:     "take back what a run did",
		ArgsUsage: " ",
		Description: "Makes a plan from the journal, shows it and asks; rows, memberships and persons go back to what\n" +
			"they were, and the waves stay paused until `anthill wave resume`. The schema stays, unless -schema is\n" +
			"given. A run that was stopped is closed first: who is in flight is settled, and nobody is given\n" +
			"anything.\n\n" +
			"   anthill rollback                              the latest run; repeated, run by run\n" +
			"   anthill rollback -wave pilot -tenant acme     one tenant of one wave, whatever runs moved it\n" +
			"   anthill rollback -schema                      and what it did to the application's tables\n" +
			"   anthill rollback -postgres-only               while Self-auth is down: all passwords work again\n" +
			"   anthill rollback -run 2026-12-07-1 -out back.plan\n" +
			"   anthill apply back.plan",
		Flags: configFlags(append(runFlags(),
			&cli.StringFlag{Name: "run", Usage: "the `RUN` to take back; the latest one unless -wave or -tenant is given"},
			&cli.StringSliceFlag{Name: "wave", Usage: "only users of this `WAVE` (again for more)"},
			&cli.StringSliceFlag{Name: "tenant", Usage: "only users of the tenant with this `SLUG`, or id (again for more)"},
			&cli.BoolFlag{Name: "delete-persons",
				Usage: "delete the persons that were made, instead of expiring them (hazard DELETES_DATA)"},
			&cli.BoolFlag{Name: "schema", Usage: "take back the steps of the schema, too, that the run has made " +
				"(hazard DELETES_DATA)"},
			&cli.BoolFlag{Name: postgresOnly, Usage: "take back rows alone, without asking Self-auth for anything; what " +
				"is open there is taken back by the next plan or rollback"},
			&cli.StringFlag{Name: "out", Usage: "only save the plan to `FILE`, for `anthill apply`", TakesFile: true},
			allowFlag(), lockFlag(), jsonFlag())...),
		Action: p.rollback,
	}
}

// postgresOnly is the flag of a rollback that does not need Self-auth.
const postgresOnly = "postgres-only"

func (p *program) rollback(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (the run is -run)"); err != nil {
		return err
	}
	for _, name := range []string{"delete-persons", "schema"} {
		if c.Bool(postgresOnly) && c.Bool(name) {
			return &usageError{"-postgres-only takes back rows alone: -" + name + " belongs to the rollback that takes back the rest, " +
				"when Self-auth is there again"}
		}
	}
	if narrowed := len(c.StringSlice("wave"))+len(c.StringSlice("tenant")) > 0; narrowed && c.Bool("schema") {
		return &usageError{"-schema goes with whole runs: the columns are those of all tenants and waves. Take back " +
			"users with -wave or -tenant, and the schema when nobody is left who needs it"}
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	if r.Out == "" { // saving a plan needs no right to write
		if err := s.MayWrite(c.Context); err != nil {
			return err
		}
	}
	if c.Bool("schema") {
		if err := s.MayTakeBackSchema(c.Context, r.Out == ""); err != nil {
			return err
		}
	}
	undo, closed, err := p.closeFirst(c, s, r.Out)
	if err != nil {
		return err
	}
	plan, err := p.makeUndo(c, s, r, undo)
	if err != nil {
		if closed != "" {
			p.say("Run %s was closed first.", closed)
		}
		return err
	}
	defer plan.Close()
	if len(plan.Effects().Undo.Runs) == 0 {
		if !undoOf(c).Names() && undo.Names() {
			// To go on with another run, of another scope, must be said.
			p.say("Nothing is left of what was stopped. Another run is taken back by its name (they are listed by `%s`):\n\n    %s",
				p.command("status"), p.command("rollback", "-run", "RUN"))
		}
		if c.Bool("json") {
			return report.NothingToUndoJSON(p.stdout, plan.File)
		}
		return report.NothingToUndo(p.stdout, plan.File, p.options(c))
	}
	if r.Out == "" {
		return afterClosing(closed, p.approveAndRun(c, s, plan.File, "Carry out this rollback?"))
	}
	if err := p.showPlan(c, plan.File, nil, c.String("out")); err != nil {
		return err
	}
	return planStatus(plan.File, false)
}

// closeFirst closes a run that was stopped: nothing is planned from what is not settled. It returns what is to be taken
// back: what the flags say, else that run, or what a rollback that was stopped has left, be it closed already; and the run
// that it closed. Saving a plan changes nothing, so that is refused instead.
func (p *program) closeFirst(
	c *cli.Context, s *session.Session, out string,
) (undo session.Undo, closed string, err error) {
	undo = undoOf(c)
	st, err := s.Recorded(c.Context)
	if err != nil {
		return undo, "", err
	}
	r := st.OpenRun()
	switch {
	case r == nil && (undo.Names() || undo.PostgresOnly):
		return undo, "", nil
	case r == nil:
		if r, err = s.Unended(c.Context, st); err == nil && r != nil {
			undo, err = s.Unfinished(c.Context, *r, undo)
		}
		return undo, "", err
	}
	if err := p.closesAlone(c, s, *r); err != nil {
		return undo, "", err
	}
	if out != "" {
		end := []string{"apply", "-close"}
		if c.Bool(postgresOnly) {
			end = aloneAgain(c) // which closes it without Self-auth
		}
		return undo, "", &statusError{exitBlocked, fmt.Errorf("run %s was stopped and is open: a rollback is planned from what is "+
			"settled. Nothing was changed. End it first:\n\n    %s", r.ID, p.command(end...))}
	}
	if err := s.CheckUndo(c.Context, undo); err != nil {
		return undo, "", err
	}
	// One of Postgres alone that names nothing is about all users, whatever was stopped: what is left of that is among them.
	if !undo.Names() && !undo.PostgresOnly {
		if undo, err = s.Unfinished(c.Context, *r, undo); err != nil {
			return undo, "", err
		}
	}
	_, _, err = p.closeOpen(c, s)
	return undo, r.ID, err
}

// closesAlone refuses to close a run without Self-auth unless the run did not need that either: nobody else can say how far
// users in flight have come there.
func (p *program) closesAlone(c *cli.Context, s *session.Session, r state.RunInfo) error {
	if !c.Bool(postgresOnly) {
		return nil
	}
	stored, err := s.StoredPlan(c.Context, r.ID)
	if err != nil {
		return err
	}
	defer stored.Close()
	if stored.Effects().ClosesAlone() {
		return nil
	}
	return &statusError{exitBlocked, fmt.Errorf("run %s was stopped and is open, and only Self-auth can say how far its users have come "+
		"there. Nothing was changed, and until that run is closed no row is taken back. When Self-auth can be reached, close it, and "+
		"then take the rows back:\n\n    %s\n    %s\n\nor take back both sides of that run, which closes it first:\n\n    %s", r.ID,
		p.command("apply", "-close"), p.command(aloneAgain(c)...), p.command("rollback"))}
}

// aloneAgain are the words of a rollback of Postgres alone in the scope that the flags say.
func aloneAgain(c *cli.Context) []string {
	list := []string{"rollback", "-" + postgresOnly}
	if run := c.String("run"); run != "" {
		list = append(list, "-run", run)
	}
	for _, flag := range []string{"wave", "tenant"} {
		for _, name := range c.StringSlice(flag) {
			list = append(list, "-"+flag, name)
		}
	}
	return list
}

// afterClosing says of a rollback that was not begun that a run was closed for it all the same; "": none was.
func afterClosing(closed string, err error) error {
	if closed == "" || statusOf(err) != exitBlocked {
		return err
	}
	return &statusError{exitBlocked, fmt.Errorf("run %s was closed, and the rollback was not begun: it is blocked, or was not "+
		"approved. Nothing else was changed", closed)}
}

// undoOf is what the flags say is to be taken back.
func undoOf(c *cli.Context) session.Undo {
	u := session.Undo{
		Waves:         c.StringSlice("wave"),
		Tenants:       c.StringSlice("tenant"),
		DeletePersons: c.Bool("delete-persons"),
		Schema:        c.Bool("schema"),
		PostgresOnly:  c.Bool(postgresOnly),
	}
	if run := c.String("run"); run != "" {
		u.Runs = []string{run}
	}
	return u
}

// makeUndo plans a rollback with progress, and shows the warnings that came of it.
func (p *program) makeUndo(c *cli.Context, s *session.Session, r session.Request,
	undo session.Undo) (*session.Plan, error) {
	progress := p.progress(c)
	r.Progress, r.Origin = progress.Stage, p.origin(c)
	plan, err := s.Rollback(c.Context, r, undo)
	progress.Close()
	if err != nil {
		return nil, err
	}
	return plan, p.warn(c, plan.Warnings)
}
