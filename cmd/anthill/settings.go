package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"anthill/internal/session"
	"anthill/planner/plan"
)

// settings are what flags and process say about every session.
func (p *program) settings(c *cli.Context) (session.Settings, error) {
	if p.frugal != nil {
		p.frugal()
	}
	s := session.Settings{
		Dir:         p.dir(),
		Version:     version,
		Application: c.Command.HelpName,
		Who:         p.who,
		Env:         p.env,
		Now:         p.now,
		LockTimeout: c.Duration("lock-timeout"),
		Waiting:     p.waiting(c),
		Queries:     c.Bool("show-queries"),
		MailWaits:   p.mailWaits,
	}
	list, err := given(c)
	for _, g := range list {
		if g.File != "" {
			g.File = p.file(g.File)
		}
		s.Vars = append(s.Vars, g)
	}
	return s, err
}

// open opens a session as the flags say.
func (p *program) open(c *cli.Context) (*session.Session, error) { return p.openFor(c, nil) }

// openForDesk opens a session of what concerns one user: a token of the support desk does.
func (p *program) openForDesk(c *cli.Context) (*session.Session, error) {
	settings, err := p.settings(c)
	if err != nil {
		return nil, err
	}
	settings.Less = true
	return session.Open(c.Context, settings)
}

// openFor opens a session for a saved plan, which says the environment and whether it needs Self-auth; nil: none.
func (p *program) openFor(c *cli.Context, saved *plan.Effects) (*session.Session, error) {
	settings, err := p.settings(c)
	if err != nil {
		return nil, err
	}
	if saved != nil {
		settings.Environment, settings.Alone = saved.Target.Environment, saved.PostgresOnly()
	}
	settings.Alone = settings.Alone || c.Bool(postgresOnly)
	return session.Open(c.Context, settings)
}

// request is what the flags say about how to plan.
func (p *program) request(c *cli.Context) (session.Request, error) {
	// Whole seconds, so that the same command with the same -as-of gives the same bytes.
	now := p.now().UTC()
	r := session.Request{AsOf: now.Truncate(time.Second)}
	if out := c.String("out"); out != "" {
		r.Out = p.file(out)
	}
	if text := c.String("as-of"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return r, &usageError{fmt.Sprintf("-as-of wants a time such as 2027-03-01T09:00:00Z, got %q", text)}
		}
		r.AsOf, r.Future = t.UTC(), t.After(now)
	}
	for _, text := range c.StringSlice("allow") {
		a, err := parseAllowance(text)
		if err != nil {
			return r, err
		}
		r.Allowed = append(r.Allowed, a)
	}
	var err error
	r.Targets, r.Exclude, err = partOf(c)
	return r, err
}

func parseAllowance(text string) (plan.Allowance, error) {
	code, count, ok := strings.Cut(text, "=")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil || n < 1 {
		return plan.Allowance{}, &usageError{fmt.Sprintf(
			"-allow wants CODE=COUNT, as the plan spells it, such as OVER_LIMIT=4180; got %q", text)}
	}
	for _, known := range plan.HazardCodes() {
		if code == string(known) {
			return plan.Allowance{Code: known, Count: n}, nil
		}
	}
	return plan.Allowance{}, &usageError{fmt.Sprintf(
		"-allow: there is no hazard %q; there are %v", code, plan.HazardCodes())}
}
