package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"anthill/internal/regex"
	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/state"
)

func (p *program) waveCommand() *cli.Command {
	return &cli.Command{
		Name:      "wave",
		Usage:     "pause a wave or let it go on, confirm its gates, list what holds it",
		ArgsUsage: "COMMAND",
		Description: "   anthill wave list                      how waves stand, who paused them, which gates are open\n" +
			"   anthill wave confirm pilot support     the gate \"support\" of the wave \"pilot\" is open\n" +
			"   anthill wave pause pilot -reason TEXT  nobody of it is moved any more, also by an apply that is under way\n" +
			"   anthill wave resume pilot              what was paused goes on\n" +
			"   anthill wave promote pilot -reason TEXT    its date, or the rest of its soak, is to be skipped; accept: its failures\n\n" +
			"Of a wave with steps its name means all of them, or the one that is due; 'pilot[25]' is one step.",
		Action: cli.ShowSubcommandHelp,
		Subcommands: []*cli.Command{
			{
				Name:      "list",
				Usage:     "show how waves stand, their pauses and their gates",
				ArgsUsage: "[WAVE]",
				Description: "Reads only.\n\n   anthill wave list\n   anthill wave list pilot -history      and what was ever done to it by hand\n" +
					"   anthill wave list -json",
				Flags: configFlags(&cli.BoolFlag{Name: "history", Usage: "show all that was done to waves by hand, and by rollbacks"},
					asOfFlag(), jsonFlag()),
				Action: p.waveList,
			},
			{
				Name:      "confirm",
				Usage:     "record that a manual gate of a wave is open",
				ArgsUsage: "WAVE GATE",
				Description: "   anthill wave confirm pilot support -note \"desk is staffed\"\n" +
					"   anthill wave confirm -tenant acme pilot opt-in     of a gate with per = \"tenant\"\n" +
					"   anthill wave confirm pilot satisfaction -value 4.6   what was measured; `status -kpi` shows it, and that of the gate tickets",
				Flags: configFlags(&cli.StringFlag{Name: "note", Usage: "record why (`TEXT`)"},
					&cli.StringFlag{Name: "value", Usage: "record what was measured (`NUMBER`, a decimal)"},
					tenantFlag("of a gate that each tenant opens: the tenant with this `SLUG`, or id"), lockFlag()),
				Action: p.waveConfirm,
			},
			{
				Name:      "pause",
				Usage:     "move nobody of a wave until it is resumed",
				ArgsUsage: "WAVE",
				Description: "Waits for no lock: an apply that is under way finds the pause before its next batch. Users whom it has\n" +
					"not moved by then count as paused. What takes away goes on, and who is moved stays moved: to take them\n" +
					"back there is `anthill rollback -wave WAVE`.\n\n" +
					"   anthill wave pause pilot -reason \"the support desk is flooded\"\n" +
					"   anthill wave pause pilot -tenant acme -reason \"acme asked for it\"",
				Flags: configFlags(tenantFlag("pause only the tenant with this `SLUG`, or id"), reasonFlag("why, for whoever looks (`TEXT`)"),
					lockFlag()),
				Action: p.wavePause,
			},
			{
				Name:      "resume",
				Usage:     "lift the pauses of a wave, those of rollbacks too",
				ArgsUsage: "WAVE",
				Description: "   anthill wave resume pilot\n   anthill wave resume pilot -tenant acme\n" +
					"   anthill wave resume pilot -reason \"the desk is staffed again\"",
				Flags: configFlags(tenantFlag("only the pauses of the tenant with this `SLUG`, or id"), reasonFlag("record why (`TEXT`)"),
					lockFlag()),
				Action: p.waveResume,
			},
			{
				Name:      "unconfirm",
				Usage:     "close a manual gate of a wave again",
				ArgsUsage: "WAVE GATE",
				Description: "What the gate has let start goes on: to stop that there is `anthill wave pause`.\n\n" +
					"   anthill wave unconfirm pilot support -reason \"the desk is not staffed after all\"\n" +
					"   anthill wave unconfirm -tenant acme pilot opt-in -reason \"acme waits\"     of a gate with per = \"tenant\"",
				Flags: configFlags(reasonFlag("why, for whoever looks (`TEXT`)"),
					tenantFlag("of a gate that each tenant opens: only for the tenant with this `SLUG`, or id"), lockFlag()),
				Action: p.waveUnconfirm,
			},
			{
				Name:      "promote",
				Usage:     "ask that a wave does not wait any longer, for its start date or for the rest of its soak",
				ArgsUsage: "WAVE",
				Description: "By itself it changes nothing: the next plan that goes by it has the hazard LOOSENS_BRAKE, must be allowed, and\n" +
					"uses it up when it is applied.\n\n" +
					"   anthill wave promote pilot -reason \"nobody has called for a week\"\n   anthill wave promote pilot -withdraw",
				Flags:  configFlags(reasonFlag("why, for whoever looks (`TEXT`)"), withdrawFlag(), lockFlag()),
				Action: p.waveWish("promote", (*session.Session).Promote, state.WishStart, state.WishSoak),
			},
			{
				Name:      "accept",
				Usage:     "ask that those of a wave who failed do not keep it from being moved",
				ArgsUsage: "WAVE",
				Description: "By itself it changes nothing: the next plan that goes by it has the hazard LOOSENS_BRAKE, must be allowed, and\n" +
					"uses it up when it is applied. So many may fail from then on; each apply tries them again.\n\n" +
					"   anthill wave accept pilot -reason \"these three have left\"\n   anthill wave accept pilot -withdraw",
				Flags:  configFlags(reasonFlag("why, for whoever looks (`TEXT`)"), withdrawFlag(), lockFlag()),
				Action: p.waveWish("accept", (*session.Session).Accept, state.WishAccept),
			},
			{
				Name:      "abort",
				Usage:     "pause a wave, and say how it is taken back",
				ArgsUsage: "WAVE",
				Description: "Pauses like `anthill wave pause`, and takes nobody back by itself.\n\n" +
					"   anthill wave abort pilot -reason \"logins fail\"",
				Flags:  configFlags(reasonFlag("why, for whoever looks (`TEXT`)"), lockFlag()),
				Action: p.waveAbort,
			},
		},
	}
}

func tenantFlag(usage string) cli.Flag { return &cli.StringFlag{Name: "tenant", Usage: usage} }

func reasonFlag(usage string) cli.Flag { return &cli.StringFlag{Name: "reason", Usage: usage} }

// why is the reason that a command demands: whoever finds the wave as it is then must learn it.
func why(c *cli.Context) (string, error) {
	text := c.String("reason")
	if text == "" {
		return "", misused(c, c.Command.HelpName+" wants -reason TEXT: whoever looks at the wave should learn why")
	}
	return text, nil
}

// openPartly opens a session for commands that need the state and no more: Self-auth may be away.
func (p *program) openPartly(c *cli.Context) (*session.Session, error) {
	settings, err := p.settings(c)
	if err != nil {
		return nil, err
	}
	settings.Partly = true
	return session.Open(c.Context, settings)
}

func (p *program) waveList(c *cli.Context) error {
	args, err := words(c, 0, 1, "at most the name of a wave")
	if err != nil {
		return err
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	s, err := p.openPartly(c)
	if err != nil {
		return p.mistakes(c, err)
	}
	defer s.Close()
	progress := p.progress(c)
	r.Progress = progress.Stage
	now, err := s.Waves(c.Context, r)
	progress.Close()
	if err != nil {
		return p.mistakes(c, err)
	}
	defer now.Close()
	if err := p.warn(c, now.Warnings); err != nil {
		return err
	}
	view := report.Waves{State: now.State, AsOf: now.AsOf, Tenants: now.Tenants, Declared: now.Declared, Gates: now.Gates, OptIn: now.OptIn,
		Events: now.Events, History: c.Bool("history")}
	// A configuration that cannot be planned is no reason to hide what is paused and confirmed.
	if now.Plan != nil {
		view.Plan = now.Plan.File
	}
	if now.NoPlan != nil {
		view.PlanError = reason(now.NoPlan, p.options(c))
	}
	if len(args) == 1 {
		if view.Wave = args[0]; !view.Known(view.Wave) {
			return s.NoWave(view.Wave)
		}
	}
	show := report.WriteWaves
	if c.Bool("json") {
		show = func(w io.Writer, v report.Waves, _ report.Options) error { return report.WavesJSON(w, v) }
	}
	if err := show(p.stdout, view, p.options(c)); err != nil || !now.Away {
		return err
	}
	return quietly(statusOf(now.NoPlan)) // the list has said why
}

// decimal is a number as people write what they have measured.
var decimal = regex.Lazy(`^-?[0-9]{1,9}(\.[0-9]{1,6})?$`)

func (p *program) waveConfirm(c *cli.Context) error {
	args, err := words(c, 2, 2, "the names of a wave and a gate")
	if err != nil {
		return err
	}
	value := c.String("value")
	if c.IsSet("value") && !decimal().MatchString(value) {
		return misused(c, fmt.Sprintf("-value wants a decimal such as 4.6, of at most 9 digits before and 6 behind the point, got %q", value))
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	gate, slug := args[1], c.String("tenant")
	wave, err := s.DueStep(c.Context, args[0])
	if err != nil {
		return err
	}
	if err := s.Confirm(c.Context, wave, gate, slug, c.String("note"), value); err != nil {
		return err
	}
	p.effect = &effect{exitRemainder, fmt.Sprintf("gate %s of wave %s is confirmed%s", gate, wave, forTenant(slug)), []string{"plan"}}
	with := ""
	if value != "" {
		with = " with the value " + value
	}
	fmt.Fprintf(p.stdout, "Gate %s of wave %s is confirmed%s%s by %s. The next plan takes it into account:\n\n    %s\n",
		gate, wave, forTenant(slug), with, p.who, p.command("plan"))
	return nil
}

func (p *program) wavePause(c *cli.Context) error {
	args, err := words(c, 1, 1, "the name of a wave")
	if err != nil {
		return err
	}
	reason, err := why(c)
	if err != nil {
		return err
	}
	s, err := p.openPartly(c)
	if err != nil {
		return err
	}
	defer s.Close()
	wave, slug := args[0], c.String("tenant")
	paused, err := s.Pause(c.Context, wave, slug, reason)
	if err != nil {
		return err
	}
	if !paused.Was {
		p.effect = &effect{exitRemainder, fmt.Sprintf("wave %s is paused%s", wave, forTenant(slug)), []string{"wave", "list", wave}}
	}
	return report.Paused(p.stdout, paused.Pause, paused.Was, paused.Back, slug, p.options(c))
}

func (p *program) waveResume(c *cli.Context) error {
	args, err := words(c, 1, 1, "the name of a wave")
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	wave, slug := args[0], c.String("tenant")
	r, err := s.Resume(c.Context, wave, slug, c.String("reason"))
	if err != nil {
		return err
	}
	if len(r.Lifted) > 0 {
		p.effect = &effect{exitRemainder, fmt.Sprintf("wave %s goes on%s", wave, forTenant(slug)), []string{"plan"}}
	}
	return report.Resumed(p.stdout, wave, slug, r.Lifted, r.Stay, r.Slugs, p.options(c))
}

func withdrawFlag() cli.Flag {
	return &cli.BoolFlag{Name: "withdraw", Usage: "take it back, as long as no apply has gone by it"}
}

func (p *program) waveUnconfirm(c *cli.Context) error {
	args, err := words(c, 2, 2, "the names of a wave and a gate")
	if err != nil {
		return err
	}
	reason, err := why(c)
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	gate, slug := args[1], c.String("tenant")
	wave, err := s.DueStep(c.Context, args[0])
	if err != nil {
		return err
	}
	was, err := s.Unconfirm(c.Context, wave, gate, slug, reason)
	if err != nil {
		return err
	}
	if was {
		p.effect = &effect{exitRemainder, fmt.Sprintf("gate %s of wave %s is closed again%s", gate, wave, forTenant(slug)), []string{"plan"}}
	}
	return report.Unconfirmed(p.stdout, wave, gate, slug, was, p.options(c))
}

// waveWish is a command that records a wish of one of some kinds, or takes it back.
func (p *program) waveWish(
	name string, wish func(*session.Session, context.Context, string, string) (state.Wish, error), kinds ...state.WishKind,
) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := words(c, 1, 1, "the name of a wave")
		if err != nil {
			return err
		}
		reason, err := why(c)
		if back := c.Bool("withdraw"); back && err == nil {
			return misused(c, "-withdraw takes back what was asked for: no -reason belongs to it")
		} else if err != nil && !back {
			return err
		}
		s, err := p.open(c)
		if err != nil {
			return err
		}
		defer s.Close()
		of, err := s.DueStep(c.Context, args[0])
		if err != nil {
			return err
		}
		if !c.Bool("withdraw") {
			w, err := wish(s, c.Context, of, reason)
			if err != nil {
				return err
			}
			p.effect = &effect{exitRemainder, "what is wished of wave " + w.Wave + " is recorded", []string{"plan"}}
			return report.Wished(p.stdout, w, p.options(c))
		}
		was, err := s.Withdraw(c.Context, of, kinds...)
		if err != nil {
			return err
		}
		if was {
			p.effect = &effect{exitRemainder, "what was wished of wave " + of + " is taken back", []string{"plan"}}
		}
		return report.Withdrawn(p.stdout, of, name, was, p.options(c))
	}
}

func (p *program) waveAbort(c *cli.Context) error {
	args, err := words(c, 1, 1, "the name of a wave")
	if err != nil {
		return err
	}
	reason, err := why(c)
	if err != nil {
		return err
	}
	s, err := p.openPartly(c)
	if err != nil {
		return err
	}
	defer s.Close()
	paused, err := s.Pause(c.Context, args[0], "", reason)
	if err != nil {
		return err
	}
	back := []string{"rollback", "-wave", args[0]}
	if !paused.Was {
		p.effect = &effect{exitRemainder, "wave " + args[0] + " is paused", back}
	}
	if err := report.Paused(p.stdout, paused.Pause, paused.Was, paused.Back, "", p.options(c)); err != nil {
		return err
	}
	moved, err := s.HasMoved(c.Context, args[0])
	if err != nil {
		return err
	}
	return report.TakesBack(p.stdout, args[0], moved, p.options(c))
}

func forTenant(slug string) string {
	if slug == "" {
		return ""
	}
	return " for " + slug
}
