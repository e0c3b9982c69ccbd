package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/config"
	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/planner"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/providers/selfauth"
	"anthill/state"
	"anthill/state/pg"
)

// session is a configuration and both sides, opened.
type session struct {
	module     *config.Module
	postgres   *postgres.Provider
	selfauth   *selfauth.Provider
	store      *pg.Store
	identity   providers.Identity
	inspection providers.Inspection
	target     state.Target
}

// load reads the configuration that the flags name; warnings are shown.
func (p *program) load(c *cli.Context) (*config.Module, error) {
	vars := config.Vars{Values: map[string]string{}, Version: version}
	for _, v := range c.StringSlice("var") {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, &usageError{fmt.Sprintf("-var wants NAME=VALUE, got %q", v)}
		}
		vars.Values[name] = value
	}
	for _, f := range c.StringSlice("var-file") {
		vars.Files = append(vars.Files, file(c, f))
	}
	m, diags := config.Load(dir(c), vars)
	if diags.HasErrors() {
		return nil, &diagError{diags, m.Files()}
	}
	return m, report.Diagnostics(p.stderr, diags, m.Files(), p.options(c))
}

// open loads the configuration and connects both sides. Nothing is changed anywhere.
func (p *program) open(ctx context.Context, c *cli.Context) (_ *session, err error) {
	m, err := p.load(c)
	if err != nil {
		return nil, err
	}
	settings, diags := m.Settings()
	if diags.HasErrors() {
		return nil, &diagError{diags, m.Files()}
	}
	s := &session{module: m}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := p.openPostgres(ctx, c, s, settings); err != nil {
		return nil, err
	}
	if err := p.openSelfAuth(ctx, c, s, settings); err != nil {
		return nil, err
	}
	s.target = state.Target{Environment: settings.Environment, System: s.inspection.System, Database: s.inspection.Database,
		Domain: s.identity.Domain, Origin: s.selfauth.Origin()}
	return s, nil
}

func (p *program) openPostgres(ctx context.Context, c *cli.Context, s *session, settings config.Settings) (err error) {
	url := settings.PostgresURL
	if url == "" {
		url = p.env("DATABASE_URL")
	}
	if url == "" {
		return missing("where the database is", "DATABASE_URL", `provider "postgres" { url = ... }`)
	}
	if s.postgres, err = postgres.Open(ctx, postgres.Options{URL: url, Naming: settings.Naming, Application: c.Command.HelpName}); err != nil {
		return err
	}
	if s.inspection, err = s.postgres.Inspect(ctx); err != nil {
		return err
	}
	table, id, tenant := s.postgres.UsersTable()
	s.store = pg.Open(s.postgres.Pool(), settings.StateSchema, pg.Names{Table: table, ID: id, Tenant: tenant})
	return nil
}

func (p *program) openSelfAuth(ctx context.Context, c *cli.Context, s *session, settings config.Settings) (err error) {
	o := selfauth.Options{URL: settings.SelfAuthURL, CAFile: settings.CAFile, Application: "anthill/" + version, MaxWrite: settings.MaxWrite}
	if o.URL == "" {
		o.URL = p.env("SELF_AUTH_URL")
	}
	if o.URL == "" {
		return missing("where Self-auth is", "SELF_AUTH_URL", `provider "selfauth" { url = ... }`)
	}
	switch {
	case o.CAFile == "":
		o.CAFile = p.env("SELF_AUTH_CA_FILE")
	case !filepath.IsAbs(o.CAFile):
		o.CAFile = filepath.Join(dir(c), o.CAFile)
	}
	switch {
	case settings.TokenFile == "":
		o.Token = p.env("SELF_AUTH_ADMIN_TOKEN")
	case filepath.IsAbs(settings.TokenFile):
		o.TokenFile = settings.TokenFile
	default:
		o.TokenFile = filepath.Join(dir(c), settings.TokenFile)
	}
	if o.Token == "" && o.TokenFile == "" {
		return missing("a token for Self-auth", "SELF_AUTH_ADMIN_TOKEN", `provider "selfauth" { token_file = ... }`)
	}
	if s.selfauth, err = selfauth.Open(o); err != nil {
		return err
	}
	if s.identity, err = s.selfauth.Whoami(ctx); err != nil {
		return err
	}
	if len(s.identity.Unreadable) > 0 {
		return rights(s.identity, s.identity.Unreadable, "read what a plan needs")
	}
	return nil
}

// missing is a setting that is not there.
func missing(what, variable, block string) error {
	text := fmt.Sprintf("Anthill must be told %s: set %s", what, variable)
	if block != "" {
		text += " or write " + block
	}
	return fmt.Errorf("%s.\nTo try it on a throw-away server:\n\n    anthill dev -- anthill plan", text)
}

func rights(who providers.Identity, lacks []string, to string) error {
	return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the rights of " + who.Account,
		Reason: "the account lacks the rights to " + to + ": " + strings.Join(lacks, ", "),
		Cure:   "Absence would look like emptiness, so nothing was concluded and nothing changed. Make it a member of those groups, as idm_admin."}
}

// rightsOf are the built-in groups that objects of a kind need, besides what every plan needs.
var rightsOf = map[state.Kind]string{state.KindPolicy: "idm_account_policy_admins", state.KindClient: "idm_oauth2_admins"}

// maySee refuses an account that could not see objects of these kinds: their absence would say nothing.
func (s *session) maySee(kinds []state.Kind) error {
	var lacks []string
	for _, k := range kinds {
		if right := rightsOf[k]; right != "" && !s.identity.In(right) && !slices.Contains(lacks, right) {
			lacks = append(lacks, right)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	slices.Sort(lacks)
	return rights(s.identity, lacks, "see all that is declared or recorded")
}

func kindsOf(cfg *config.Config, st *state.State) (kinds []state.Kind) {
	if cfg != nil && len(cfg.Accounts) > 0 {
		kinds = append(kinds, state.KindPolicy)
	}
	if cfg != nil && len(cfg.Clients) > 0 {
		kinds = append(kinds, state.KindClient)
	}
	for _, o := range st.Objects {
		kinds = append(kinds, o.Kind)
	}
	return kinds
}

// mayCarryOut refuses an account that lacks a right which a plan needs, before its first effect.
func (s *session) mayCarryOut(plan *planner.Plan) error {
	var kinds []state.Kind
	for _, o := range plan.Objects {
		kinds = append(kinds, o.Kind)
	}
	return s.maySee(kinds)
}

// mayWrite refuses a token that could not carry out a plan, before the first effect.
func (s *session) mayWrite(ctx context.Context) error {
	if err := s.postgres.MayWrite(ctx, s.inspection.Level == providers.LevelBaseline); err != nil {
		return err
	}
	if s.identity.Writes == providers.WriteNo {
		return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the token of " + s.identity.Account,
			Reason: "it is a read-only token", Cure: "It is enough to plan. To apply, put a read-write token into SELF_AUTH_ADMIN_TOKEN. Nothing was changed."}
	}
	if len(s.identity.Missing) > 0 {
		return rights(s.identity, s.identity.Missing, "apply")
	}
	return nil
}

// bound refuses a state that belongs to another target.
func (s *session) bound(st *state.State) error {
	if !st.Exists {
		return nil
	}
	if diff := st.Target.Differs(s.target); diff != "" {
		return &state.TargetError{What: "state", Differs: diff}
	}
	return nil
}

// locked runs f under the lock of the target.
func (p *program) locked(ctx context.Context, c *cli.Context, s *session, f func() error) error {
	lock, err := s.store.Lock(ctx, p.who, c.Duration("lock-timeout"))
	if err != nil {
		return err
	}
	err = f()
	if releaseErr := lock.Release(context.WithoutCancel(ctx)); err == nil {
		err = releaseErr
	}
	return err
}

// deps is what apply works with.
func (p *program) deps(c *cli.Context, s *session, lineage uuid.UUID) apply.Deps {
	s.selfauth.SetOwner(lineage.String()[:8])
	return apply.Deps{Store: s.store, Rows: s.postgres, Accounts: s.selfauth.Accounts(), Target: s.target, Now: p.now, Who: p.who,
		ApprovedBy: c.String("approved-by"), FailStale: c.String("on-stale") == "fail"}
}

func (s *session) close() {
	if s.postgres != nil {
		s.postgres.Close()
	}
}
