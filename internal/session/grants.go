package session

import (
	"context"
	"slices"

	"anthill/config"
	"anthill/providers/postgres"
	"anthill/state"
	"anthill/state/pg"
)

// Works are the sorts of work that a role of the database is made for, in the order in which they are shown.
func Works() []string { return []string{"plan", "apply", "schema", "support"} }

// Rights are what roles of the database need, as far as the database, or else the configuration, says.
type Rights struct {
	Offline  bool   // no database was asked: tables have no schema, and all columns are taken to be there
	Database string // "" offline
	Roles    []RoleRights
	Unmade   []string           // columns that steps of the schema make, and that are not there yet
	NoState  bool               // nothing is recorded yet
	Outdated bool               // what is recorded is of an earlier version, and the next writing command brings it to this one
	Triggers []postgres.Trigger // that run with the rights of whoever writes rows
}

// RoleRights are what one role needs for its work.
type RoleRights struct {
	For      string
	Role     string
	There    bool // the database has the role
	Rights   []state.Right
	Optional []state.Right // without which letters are in no language of the user's
}

// GrantsOf gathers the rights for works, of which each has its role. Of the database the catalogue alone is read.
//
// Errors: *DiagnosticsError, or what looking at the database says.
func GrantsOf(ctx context.Context, settings Settings, roles []RoleRights) (r Rights, err error) {
	s := &Session{settings: settings}
	defer s.Close()
	m, diags := settings.load(ctx)
	s.module = m
	if diags.HasErrors() {
		return r, s.mistakes(diags)
	}
	file, diags := m.Settings()
	if diags.HasErrors() {
		return r, s.mistakes(diags)
	}
	r.Roles = slices.Clone(roles)
	if file.PostgresURL == "" && settings.Env("DATABASE_URL") == "" {
		return r, r.offline(file)
	}
	if err := s.connectPostgres(ctx, file); err != nil {
		return r, err
	}
	if err := s.postgres.Found(ctx); err != nil {
		return r, err
	}
	return r, r.look(ctx, s)
}

// workUse is what work does with the application's tables, and whether it records anything.
func workUse(work string) (u postgres.Use, records bool) {
	switch work {
	case "plan":
		return postgres.Use{Counts: true}, false
	case "support":
		return postgres.Use{Invites: true}, false
	}
	return postgres.Everything(work == "schema"), true
}

func (r *Rights) offline(file config.Settings) error {
	r.Offline = true
	for i := range r.Roles {
		use, records := workUse(r.Roles[i].For)
		rights, err := postgres.RightsOffline(file.Naming, file.Names, use)
		if err != nil {
			return err
		}
		r.Roles[i].Rights = append(rights, pg.RightsOffline(file.StateSchema, records)...)
		if r.Roles[i].For == "support" {
			r.Roles[i].Rights = append(r.Roles[i].Rights, pg.DeskRights(file.StateSchema)...)
		}
	}
	return nil
}

func (r *Rights) look(ctx context.Context, s *Session) (err error) {
	for i := range r.Roles {
		one := &r.Roles[i]
		use, records := workUse(one.For)
		rights, err := s.postgres.Rights(ctx, use)
		if err != nil {
			return err
		}
		recording, is, err := s.store.Rights(ctx, records)
		if err != nil {
			return err
		}
		r.NoState, r.Outdated = !is.Tables, r.Outdated || is.Outdated
		if one.For == "support" && is.Tables {
			recording = append(recording, s.store.DeskRights()...)
		}
		if one.Rights, err = s.postgres.Owned(ctx, append(rights, recording...)); err != nil {
			return err
		}
		if records {
			if one.Optional, err = s.postgres.Profiles(ctx); err != nil {
				return err
			}
		}
		if one.There, err = s.postgres.HasRole(ctx, one.Role); err != nil {
			return err
		}
	}
	if r.Database, r.Unmade, err = s.postgres.Unmade(ctx); err != nil {
		return err
	}
	r.Triggers, err = s.postgres.Triggers(ctx)
	return err
}
