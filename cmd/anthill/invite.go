package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

func (p *program) inviteCommand() *cli.Command {
	return &cli.Command{
		Name:      "invite",
		Usage:     "send mails that are due, or one of them again",
		ArgsUsage: " ",
		Description: "Makes a plan of mails alone, shows it, asks and carries it out, as apply does; with -out it is only saved, for\n" +
			"`anthill apply FILE`. Invitations, reminders and announcements that are due go out with every apply as well.\n\n" +
			"   anthill invite                                whatever is due\n" +
			"   anthill invite -wave pilot -out pilot.mails   of one wave, to be reviewed first; its announcement too, where its\n" +
			"                                                 start has no date\n" +
			"   anthill invite -user ana@acme.example         to one user, once more (at most three times a day); a token and\n" +
			"                                                 role of the support desk do (docs/rights.md)\n" +
			"   anthill invite -preview ana@acme.example      what that mail would look like; nothing is sent\n" +
			"   anthill invite -test-to me@anthill.example    the same to yourself, and what receivers find about the sender\n" +
			"   anthill invite -bounced returned.mbox         these came back: their users are not invited\n" +
			"   anthill invite -settle-doubtful               count mails as sent of which nobody knows\n" +
			"   anthill invite -user ID -print                show a code, for the telephone; it is recorded who had it",
		Flags: configFlags(append(runFlags(),
			&cli.StringFlag{Name: "wave", Usage: "only mails of this `WAVE`"},
			&cli.StringFlag{Name: "user", Usage: "only this `USER`, by id or e-mail address, also once more"},
			&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE`, and send nothing", TakesFile: true},
			&cli.StringFlag{Name: "preview", Usage: "show the mail that this `USER` would get, without a code"},
			&cli.BoolFlag{Name: "announcement", Usage: "with -preview or -test-to: the announcement of the wave, and not its invitation"},
			&cli.StringFlag{Name: "test-to", Usage: "send the mail, with stand-ins for all that is a user's, to this `ADDRESS`, and check the sender"},
			&cli.BoolFlag{Name: "print", Usage: "with -user: show a one-time code instead of sending it"},
			&cli.BoolFlag{Name: "yes", Usage: "with -print: show it also where stdout is no terminal"},
			reasonFlag("with -print: why, for whoever looks (`TEXT`)"),
			&cli.StringFlag{Name: "bounced", Usage: "record that the mails in this `FILE` came back (.eml or mbox)", TakesFile: true},
			&cli.BoolFlag{Name: "resend-doubtful", Usage: "once more to those of whom nobody knows whether they have theirs"},
			&cli.BoolFlag{Name: "settle-doubtful", Usage: "count as sent what nobody knows of"},
			asOfFlag(), allowFlag(), lockFlag(), jsonFlag())...),
		Action: p.invite,
	}
}

// inviteModes are the flags that make `invite` another command.
var inviteModes = []string{"preview", "test-to", "print", "bounced", "settle-doubtful"}

func (p *program) invite(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (a user is -user USER)"); err != nil {
		return err
	}
	mode := ""
	for _, m := range inviteModes {
		if !c.IsSet(m) {
			continue
		}
		if mode != "" {
			return misused(c, "-"+mode+" and -"+m+" do different things: give one of them")
		}
		mode = m
	}
	for _, only := range []string{"yes", "reason"} {
		if c.IsSet(only) && mode != "print" {
			return misused(c, "-"+only+" belongs to -print")
		}
	}
	if c.IsSet("announcement") && mode != "preview" && mode != "test-to" {
		return misused(c, "-announcement belongs to -preview and -test-to: announcements that are due are sent with all else")
	}
	for _, plans := range []string{"out", "resend-doubtful", "auto-approve", "as-of"} {
		if c.IsSet(plans) && mode != "" {
			return misused(c, "-"+mode+" sends nothing: -"+plans+" does not belong to it")
		}
	}
	switch mode {
	case "preview":
		return p.invitePreview(c)
	case "test-to":
		return p.inviteTest(c)
	case "print":
		return p.invitePrint(c)
	case "bounced":
		return p.inviteBounced(c)
	case "settle-doubtful":
		return p.inviteSettle(c)
	}
	return p.invitePlan(c)
}

// invitePlan plans mails, and sends them where they are not only to be saved.
func (p *program) invitePlan(c *cli.Context) error {
	r, err := p.request(c)
	if err != nil {
		return err
	}
	of := session.Invite{Wave: c.String("wave"), User: c.String("user"), Doubtful: c.Bool("resend-doubtful")}
	if of.User != "" && of.Wave != "" {
		return misused(c, "-user is one user, whatever the wave: leave out -wave")
	}
	if r.Future && r.Out == "" {
		return &usageError{"-as-of lies in the future: such a plan can be saved (-out), and applied when its time has come"}
	}
	open := p.open
	if of.User != "" {
		open = p.openForDesk
	}
	s, err := open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Complete(); err != nil {
		return err
	}
	progress := p.progress(c)
	r.Progress, r.Origin = progress.Stage, p.origin(c)
	made, err := s.Invite(c.Context, r, of)
	progress.Close()
	if err != nil {
		return inviteError(err)
	}
	defer made.Close()
	if err := p.warn(c, made.Warnings); err != nil {
		return err
	}
	if r.Out != "" {
		if err := p.showPlan(c, made.File, nil, c.String("out")); err != nil {
			return err
		}
		return planStatus(made.File, false)
	}
	return p.approveAndRun(c, s, made.File, "Send these mails?")
}

// letterOf is the letter that is shown, or tried.
func letterOf(c *cli.Context) state.LetterKind {
	if c.Bool("announcement") {
		return state.LetterAnnouncement
	}
	return state.LetterInvitation
}

// inviteError says why a user gets no mail.
func inviteError(err error) error {
	var not *planner.NotInvitedError
	if !errors.As(err, &not) {
		return err
	}
	return fmt.Errorf("user %s is not written to: %s.\nNothing was changed", not.User, report.Why(state.Found(not.Why).Times(1)))
}

func (p *program) invitePreview(c *cli.Context) error {
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := s.Preview(c.Context, c.String("preview"), c.String("wave"), letterOf(c))
	if err != nil {
		return err
	}
	return report.Preview(p.stdout, report.Letter{From: l.From, To: l.To, Subject: l.Subject, Text: l.Text, Wave: l.Wave, Link: l.Link},
		p.options(c))
}

func (p *program) inviteTest(c *cli.Context) error {
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	tried, err := s.TryMail(c.Context, c.String("test-to"), c.String("wave"), letterOf(c))
	if err != nil {
		return err
	}
	var facts []report.SenderFact
	for _, f := range tried.Sender {
		facts = append(facts, report.SenderFact{Code: string(f.Code), Name: f.Name, Record: f.Record})
	}
	if err := report.TriedMail(p.stdout, tried.From, tried.To, tried.Handover, facts, p.options(c)); err != nil {
		return err
	}
	if tried.Handover.Verdict != providers.MailTaken {
		return quietly(exitRefused)
	}
	return nil
}

func (p *program) invitePrint(c *cli.Context) error {
	user, reason, strong := c.String("user"), c.String("reason"), len(c.StringSlice("allow")) > 0
	switch {
	case user == "":
		return misused(c, "-print shows a code of one user: name it with -user")
	case !p.outTerminal && !c.Bool("yes"):
		return misused(c, "stdout is no terminal, and a code is not to lie about in a file or a log. If that is meant: -yes")
	case strong && reason == "":
		return misused(c, "-allow wants -reason TEXT: it is recorded who had such a code, and why")
	}
	for _, a := range c.StringSlice("allow") {
		if a != "enrolled" && a != "admin" {
			return misused(c, "-allow "+a+": with -print there are enrolled and admin")
		}
	}
	s, err := p.openForDesk(c)
	if err != nil {
		return err
	}
	defer s.Close()
	shown, err := s.Print(c.Context, user, reason, c.StringSlice("allow"))
	if err != nil {
		return err
	}
	return report.PrintedCode(p.stdout, shown.User, shown.Login, shown.Page, shown.Code.Reveal(), shown.Code.Expires.Format(time.RFC3339), p.options(c))
}

func (p *program) inviteBounced(c *cli.Context) error {
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	n, err := s.Bounced(c.Context, p.file(c.String("bounced")))
	if err != nil {
		return err
	}
	if n > 0 {
		p.effect = &effect{exitRemainder, "it is recorded which mails came back", []string{"status"}}
	}
	return report.Bounced(p.stdout, n, p.options(c))
}

func (p *program) inviteSettle(c *cli.Context) error {
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	n, err := s.SettleDoubtful(c.Context)
	if err != nil {
		return err
	}
	if n > 0 {
		p.effect = &effect{exitRemainder, "mails in doubt count as sent", []string{"status"}}
	}
	return report.DoubtSettled(p.stdout, n, p.options(c))
}
