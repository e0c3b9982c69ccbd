package session

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/providers/selfauth"
	"anthill/state"
	"anthill/state/pg"
)

// Session is a configuration and both sides, opened. Not safe for concurrent use.
type Session struct {
	settings   Settings
	module     *config.Module
	warnings   hcl.Diagnostics // of loading
	postgres   *postgres.Provider
	selfauth   *selfauth.Provider
	store      *pg.Store
	identity   providers.Identity
	inspection providers.Inspection
	target     state.Target
	away       error // Settings.Partly and Less: why Self-auth cannot be asked; nil: it can
	less       error // Settings.Less: which rights the account lacks to see what a plan needs; nil: none
	mail       config.MailSettings
	locking    atomic.Bool // the lock on the target is being taken
	unwatch    func()      // ends watch; nil: it was not begun
	changed    bool        // something was carried out: the schema may be another than was inspected
	stateless  bool        // what is recorded is not read (OpenExport)
	counts     bool        // sessions may be counted as well (OpenGlance)
	moves      bool        // the state is bound to another target, and is to be bound to this one (Retarget)
}

// Open loads the configuration and connects both sides. Nothing is changed anywhere.
//
// Errors: *DiagnosticsError; *state.Error where a server cannot be reached or refuses, and where the account in
// Self-auth may not read all that a plan needs.
func Open(ctx context.Context, settings Settings) (_ *Session, err error) {
	s := &Session{settings: settings}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	file, err := s.loadPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if file.Unsettled {
		if file.Environment, err = s.settled(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.openSelfAuth(file); err != nil {
		return nil, err
	}
	if err := s.identify(ctx); err != nil {
		return nil, err
	}
	s.fenced(noConfirm, noFence)
	s.mail = file.Mail
	s.target = state.Target{
		Environment: file.Environment,
		System:      s.inspection.System,
		Database:    s.inspection.Database,
		Domain:      s.identity.Domain,
		Origin:      s.selfauth.Origin(),
	}
	return s, nil
}

// settled is the environment that a saved plan, or else the state, says: it depends on a variable that was not given.
func (s *Session) settled(ctx context.Context) (string, error) {
	if s.settings.Environment != "" {
		return s.settings.Environment, nil
	}
	st, err := s.store.Read(ctx)
	if err != nil {
		return "", err
	}
	if !st.Exists {
		return "", s.mistakes(s.module.Missing())
	}
	return st.Target.Environment, nil
}

// Complete refuses a configuration in which a variable has no value, for commands that work out all of it.
func (s *Session) Complete() error {
	if diags := s.module.Missing(); diags.HasErrors() {
		return s.mistakes(diags)
	}
	return nil
}

// Close ends the connections.
func (s *Session) Close() {
	if s.unwatch != nil {
		s.unwatch()
		s.unwatch = nil
	}
	if s.postgres != nil {
		s.postgres.Close()
	}
}

// loadPostgres loads the configuration and connects the database that it names.
func (s *Session) loadPostgres(ctx context.Context) (config.Settings, error) {
	m, diags := s.settings.load(ctx)
	s.module, s.warnings = m, diags
	if diags.HasErrors() {
		return config.Settings{}, s.mistakes(diags)
	}
	file, diags := m.Settings()
	if diags.HasErrors() {
		return config.Settings{}, s.mistakes(diags)
	}
	return file, s.openPostgres(ctx, file)
}

// openPostgres connects the database as the configuration says, or else the environment, and looks at its schema.
func (s *Session) openPostgres(ctx context.Context, file config.Settings) (err error) {
	if err := s.connectPostgres(ctx, file); err != nil {
		return err
	}
	err = s.mayRead(ctx, postgres.Use{})
	if denied := (*state.DeniedError)(nil); errors.As(err, &denied) && s.counts {
		return s.mayRead(ctx, counting) // what it lacks besides should be no second message
	}
	if err != nil {
		return err
	}
	if s.inspection, err = s.postgres.Inspect(ctx); err != nil || len(s.inspection.Gone) == 0 {
		return err
	}
	// What was never there is a mistake; what users were moved by before can have been taken away.
	st, err := s.store.Read(ctx)
	if err == nil && !st.Exists {
		err = s.inspection.Lacking
	}
	return err
}

// connectPostgres connects the database, and the recorded state in it.
func (s *Session) connectPostgres(ctx context.Context, file config.Settings) (err error) {
	url := file.PostgresURL
	if url == "" {
		url = s.settings.Env("DATABASE_URL")
	}
	if url == "" {
		return missing("where the database is", "DATABASE_URL", `provider "postgres" { url = ... }`)
	}
	o := postgres.Options{URL: url, Naming: file.Naming, Names: file.Names, Application: s.settings.Application, Archive: file.StateSchema,
		Migrations: file.MigrationTables}
	if s.postgres, err = postgres.Open(ctx, o); err != nil {
		return err
	}
	s.store = pg.Open(s.postgres.Pool(), file.StateSchema, pg.Names(s.postgres.UsersTable()))
	s.watch()
	return nil
}

// openSelfAuth prepares to ask Self-auth where the configuration says, or else the environment. Nothing is sent.
func (s *Session) openSelfAuth(file config.Settings) (err error) {
	env := s.settings.Env
	o := selfauth.Options{
		URL:         file.SelfAuthURL,
		CAFile:      s.file(file.CAFile),
		TokenFile:   s.file(file.TokenFile),
		Application: "anthill/" + s.settings.Version,
		MaxWrite:    file.MaxWrite,
	}
	if o.URL == "" {
		o.URL = env("SELF_AUTH_URL")
	}
	if o.URL == "" {
		return missing("where Self-auth is", "SELF_AUTH_URL", `provider "selfauth" { url = ... }`)
	}
	if o.Unasked = s.settings.Alone; o.Unasked {
		s.selfauth, err = selfauth.Open(o)
		return err
	}
	if o.CAFile == "" {
		o.CAFile = env("SELF_AUTH_CA_FILE")
	}
	if o.TokenFile == "" {
		o.Token = env("SELF_AUTH_ADMIN_TOKEN")
	}
	if o.Token == "" && o.TokenFile == "" {
		err := missing("a token for Self-auth", "SELF_AUTH_ADMIN_TOKEN", `provider "selfauth" { token_file = ... }`)
		if !s.settings.Less {
			return err
		}
		s.away, o.Unasked = err, true
	}
	s.selfauth, err = selfauth.Open(o)
	return err
}

// identify asks Self-auth who the token is. A session of Postgres alone does not, and one that does without a server that is
// away cannot: it takes the domain from the recorded state, and knows nothing else of the server.
func (s *Session) identify(ctx context.Context) (err error) {
	if err = s.away; !s.settings.Alone && err == nil {
		s.identity, err = s.selfauth.Whoami(ctx)
	}
	kind := state.ErrorKindOf(err)
	away := kind == state.ErrorUnreachable && s.settings.Partly || err != nil && s.settings.Less
	if away || s.settings.Alone {
		s.away = err
		st, err := s.store.Read(ctx)
		if err == nil {
			s.identity.Domain = st.Target.Domain
		}
		return err
	}
	if err != nil {
		return err
	}
	if len(s.identity.Unreadable) > 0 {
		err = lacks(s.identity, s.identity.Unreadable, "read what a plan needs")
	}
	if s.settings.Less {
		s.less, err = err, nil
	}
	return err
}

// mistakes makes an error of diagnostics.
func (s *Session) mistakes(diags hcl.Diagnostics) error {
	if config.Stopped(diags) {
		return context.Canceled
	}
	return &DiagnosticsError{Diagnostics{diags, s.module.Files()}}
}

// file is a path in the configuration, seen from its directory; "" stays "".
func (s *Session) file(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.settings.Dir, path)
}

// missing is a setting that is not there.
func missing(what, variable, block string) error {
	text := fmt.Sprintf("Anthill must be told %s: set %s or write %s.", what, variable, block)
	return fmt.Errorf("%s\nTo try it on a throw-away server:\n\n    anthill dev -- anthill plan", text)
}

// recorded reads the recorded state, and refuses one that belongs to another target.
func (s *Session) recorded(ctx context.Context, store state.Store) (*state.State, error) {
	st, err := store.Read(ctx)
	if err != nil || !st.Exists {
		return st, err
	}
	if diff := st.Target.Differs(s.target); diff != "" && !s.moves {
		return nil, &state.TargetError{What: "state", Differs: diff}
	}
	return st, nil
}

// locked runs f under the lock of the target.
func (s *Session) locked(ctx context.Context, f func() error) error {
	s.locking.Store(true)
	lock, err := s.store.Lock(ctx, s.settings.Who, s.settings.LockTimeout)
	s.locking.Store(false)
	if err != nil {
		return err
	}
	s.fenced(lock.Confirm, lock.Fence)
	defer s.fenced(noConfirm, noFence)
	err = f()
	// Also after ^C: the next process should not have to wait until this session is found dead.
	if releaseErr := lock.Release(context.WithoutCancel(ctx)); err == nil {
		err = releaseErr
	}
	return err
}

// fenced sets what both sides ask before they write.
func (s *Session) fenced(confirm func(context.Context) error, fence func(context.Context, state.Tx) error) {
	s.selfauth.SetConfirm(confirm)
	s.postgres.SetFence(fence)
}

var errNoLock = errors.New("write without the lock on the target. This is a bug in Anthill")

func noConfirm(context.Context) error { return errNoLock }

func noFence(context.Context, state.Tx) error { return errNoLock }

// writing changes the recorded state under the lock, and makes and binds it where there is none yet. u is what f does to rows.
func (s *Session) writing(ctx context.Context, u postgres.Use, f func() error) error {
	if err := s.mayDo(ctx, u); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		st, err := s.recorded(ctx, s.store)
		if err != nil {
			return err
		}
		if err := s.store.Bind(ctx, s.target, planner.Lineage(st, s.target)); err != nil {
			return err
		}
		return f()
	})
}
