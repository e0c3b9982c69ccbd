package session

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/internal/apply"
	"anthill/planner"
)

// Settings are what a session takes from the process and from whoever started it.
type Settings struct {
	Dir         string              // of the configuration, and of the relative paths in it; "" is the current one
	Vars        []config.Given      // variables and files of them, as the process sees those
	Environment string              // of the saved plan that is carried out, for a configuration whose variables are not given
	Alone       bool                // Self-auth is not asked for anything: what is done concerns Postgres alone
	Partly      bool                // Self-auth may be away: then what Postgres and the state know is all that can be read (Status)
	Less        bool                // what the account in Self-auth may not read is told and not needed, nor is Self-auth (Explain; Invite and Print of one user, who do need it)
	Version     string              // of Anthill; plans record it
	Application string              // what the servers' logs show: "anthill plan"
	Who         string              // user@host, for runs, locks and confirmations
	Env         func(string) string // environment variables; "" where there is none
	Now         func() time.Time
	Waiting     func(apply.Event) // told what a command waits for in the database; nil: nobody listens. Safe for concurrent use.
	Queries     bool              // also what the sessions run that it waits for
	LockTimeout time.Duration     // how long to wait for somebody else's lock
	MailWaits   []time.Duration   // before a mail that was refused for now is handed over again; nil: as usual
}

// Diagnostics are what is wrong or doubtful in a configuration, with the files that they point into, by the names that
// they use. Passwords in those files are covered.
type Diagnostics struct {
	List  hcl.Diagnostics
	Files map[string]*hcl.File
}

// DiagnosticsError is a configuration that cannot be used. Nothing was changed.
type DiagnosticsError struct{ Diagnostics }

// Error is the first diagnostic in short; internal/report shows all of them with their files.
func (e *DiagnosticsError) Error() string { return e.List.Error() }

// Validate checks a configuration without any server, and returns all that it finds; nothing of use once ctx is done.
func Validate(ctx context.Context, s Settings) Diagnostics {
	m, diags := s.load(ctx)
	if !diags.HasErrors() {
		diags = append(diags, m.Validate()...)
	}
	if !diags.HasErrors() {
		diags = append(diags, m.Locate(planner.CheckAllows(m.Allows()))...)
	}
	return Diagnostics{diags, m.Files()}
}

func (s Settings) load(ctx context.Context) (*config.Module, hcl.Diagnostics) {
	dir := s.Dir
	if dir == "" {
		dir = "."
	}
	return config.Load(dir, config.Vars{Given: s.Vars, Env: s.Env, Version: s.Version, Done: ctx.Done()})
}
