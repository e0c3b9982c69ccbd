package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/config"
	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

func (p *program) waveCommand() *cli.Command {
	wave := &cli.Command{
		Name: "wave", Usage: "confirm a manual gate of a wave, or lift a pause",
		Subcommands: []*cli.Command{
			{
				Name: "confirm", Usage: "record that a manual gate of a wave is open", ArgsUsage: "WAVE GATE",
				Description: "   anthill wave confirm -note \"desk is staffed\" pilot support",
				Flags:       configFlags(&cli.StringFlag{Name: "note", Usage: "record why (`TEXT`)"}, lockFlag()),
				Action:      p.waveConfirm,
			},
			{
				Name: "resume", Usage: "lift the pause that a rollback left", ArgsUsage: "WAVE",
				Description: "   anthill wave resume pilot\n   anthill wave resume -tenant acme pilot",
				Flags:       configFlags(&cli.StringFlag{Name: "tenant", Usage: "only the pause of the tenant with this `SLUG`"}, lockFlag()),
				Action:      p.waveResume,
			},
		},
	}
	wave.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknownCommand("anthill wave", c.Args().First(), wave.Subcommands)
		}
		return cli.ShowSubcommandHelp(c)
	}
	return wave
}

// evaluated opens a session and evaluates its configuration over the live tenants.
func (p *program) evaluated(c *cli.Context) (*session, *config.Config, []providers.Tenant, error) {
	s, err := p.open(c.Context, c)
	if err != nil {
		return nil, nil, nil, err
	}
	cfg, tenants, err := s.evaluateNow(c.Context)
	if err != nil {
		s.close()
		return nil, nil, nil, err
	}
	return s, cfg, tenants, nil
}

// evaluateNow evaluates the configuration in a snapshot of its own.
func (s *session) evaluateNow(ctx context.Context) (*config.Config, []providers.Tenant, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer snapshot.Close()
	st, err := s.store.At(snapshot.ID()).Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg, diags, err := s.evaluate(ctx, snapshot, st)
	if err == nil && diags.HasErrors() {
		err = &diagError{diags, s.module.Files()}
	}
	if err != nil {
		return nil, nil, err
	}
	tenants, err := snapshot.Tenants(ctx)
	return cfg, tenants, err
}

func (p *program) waveConfirm(c *cli.Context) error {
	args, err := words(c, 2, 2, "a wave and a gate")
	if err != nil {
		return err
	}
	s, cfg, _, err := p.evaluated(c)
	if err != nil {
		return err
	}
	defer s.close()
	name, gate := args[0], args[1]
	w, err := declared(cfg, name)
	if err != nil {
		return err
	}
	if !slices.Contains(w.StartGates, gate) && !slices.Contains(w.FinishGates, gate) {
		return fmt.Errorf("wave %q has no gate %q; it has %s", name, gate, listed(append(slices.Clone(w.StartGates), w.FinishGates...)))
	}
	err = p.writing(c, s, func(*state.State) error {
		return s.store.Confirm(c.Context, state.Confirmation{Wave: name, Gate: gate, By: p.who, Note: c.String("note"), At: p.now().UTC()})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Gate %s of wave %s is confirmed by %s. The next plan takes it into account:\n\n    anthill plan\n", gate, name, p.who)
	return nil
}

func declared(cfg *config.Config, name string) (config.Wave, error) {
	i := slices.IndexFunc(cfg.Waves, func(w config.Wave) bool { return w.Name == name })
	if i >= 0 {
		return cfg.Waves[i], nil
	}
	var names []string
	for _, w := range cfg.Waves {
		names = append(names, w.Name)
	}
	return config.Wave{}, fmt.Errorf("there is no wave %q in this configuration; there are %s", name, listed(names))
}

// listed writes names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// writing changes the recorded state under the lock, and makes and binds it where there is none yet.
func (p *program) writing(c *cli.Context, s *session, f func(*state.State) error) error {
	return p.locked(c.Context, c, s, func() error {
		st, err := s.store.Read(c.Context)
		if err != nil {
			return err
		}
		if err := s.bound(st); err != nil {
			return err
		}
		if err := s.store.Bind(c.Context, s.target, planner.Lineage(st, s.target)); err != nil {
			return err
		}
		return f(st)
	})
}

func (p *program) waveResume(c *cli.Context) error {
	args, err := words(c, 1, 1, "a wave")
	if err != nil {
		return err
	}
	s, cfg, tenants, err := p.evaluated(c)
	if err != nil {
		return err
	}
	defer s.close()
	wave, slug := args[0], c.String("tenant")
	tenant := uuid.Nil
	if slug != "" {
		i := slices.IndexFunc(tenants, func(t providers.Tenant) bool { return t.Slug == slug })
		if i < 0 {
			return fmt.Errorf("there is no tenant with the slug %q", slug)
		}
		tenant = tenants[i].ID
	}
	lifted, err := p.resume(c, s, cfg, wave, tenant)
	if err != nil {
		return err
	}
	if lifted == 0 {
		fmt.Fprintf(p.stdout, "Wave %s is not paused%s: nothing to resume.\n", wave, forTenant(slug))
		return nil
	}
	fmt.Fprintf(p.stdout, "Wave %s goes on%s. See what that moves:\n\n    anthill plan\n", wave, forTenant(slug))
	return nil
}

func forTenant(slug string) string {
	if slug == "" {
		return ""
	}
	return " for " + slug
}

func (p *program) resume(c *cli.Context, s *session, cfg *config.Config, wave string, tenant uuid.UUID) (lifted int, err error) {
	ctx := c.Context
	st, err := s.store.Read(ctx)
	if err != nil {
		return 0, err
	}
	whole, any := pausedAs(st, wave)
	if !any {
		_, err := declared(cfg, wave)
		return 0, err
	}
	if tenant != uuid.Nil && whole {
		return 0, fmt.Errorf("the whole wave %s is paused, not one tenant of it. To let all of it go on:\n\n    anthill wave resume %s", wave, wave)
	}
	err = p.writing(c, s, func(*state.State) error {
		lifted, err = s.store.Resumed(context.WithoutCancel(ctx), wave, tenant)
		return err
	})
	return lifted, err
}

func pausedAs(st *state.State, wave string) (whole, any bool) {
	for _, pause := range st.Pauses {
		if pause.Wave == wave {
			any = true
			whole = whole || pause.Tenant == uuid.Nil
		}
	}
	return whole, any
}
