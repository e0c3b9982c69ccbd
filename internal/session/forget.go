package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/providers/postgres"
	"anthill/state"
)

// ForgottenError says that what was kept of a user has been forgotten.
type ForgottenError struct{ state.Forgotten }

// Error says who wanted it, when and why.
func (e *ForgottenError) Error() string {
	return fmt.Sprintf("what was kept of this user was forgotten on %s by %s: %s", e.At.UTC().Format("2006-01-02 15:04 UTC"), e.By, e.Reason)
}

// unknown is the error of a user of whom nothing is known.
func (s *Session) unknown(ctx context.Context, user uuid.UUID) error {
	was, err := s.store.WasForgotten(ctx, user)
	switch {
	case err != nil:
		return err
	case was != nil:
		return &ForgottenError{*was}
	}
	return ErrNoUser
}

// Kept is what is kept of a user whose row is gone.
type Kept struct {
	User    uuid.UUID
	Runs    []string // with journal records of it
	Records int
	Wave    string    // that it is recorded under; "": none
	Person  uuid.UUID // that was there before us and stays in Self-auth; zero: none
}

// Forgettable looks whether what is kept of a user may be forgotten, and changes nothing: its row is gone, no run is open, and
// nothing is left of it in Self-auth that Anthill alone knows to be its own.
//
// Errors say what stands in the way, and what to do: ErrNoUser, *ForgottenError, *DiagnosticsError, others.
func (s *Session) Forgettable(ctx context.Context, r Request, user uuid.UUID) (k Kept, err error) {
	k.User = user
	if err := s.mayDo(ctx, forgets); err != nil {
		return k, err
	}
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return k, err
	}
	defer snapshot.Close()
	rows, err := s.postgres.Fetch(ctx, []uuid.UUID{user})
	if err != nil {
		return k, err
	}
	if len(rows) > 0 {
		return k, fmt.Errorf("the row of user %s is still there, so what is kept of it is needed: for following the row, and for the way back. "+
			"Delete the row first, in the application, and then:\n\n    anthill apply", user)
	}
	if run := in.State.OpenRun(); run != nil {
		return k, fmt.Errorf("run %s is open, and may still need what is kept of this user. Finish it first:\n\n    anthill apply", run.ID)
	}
	recorded, err := s.store.UsersByID(ctx, []uuid.UUID{user})
	if err != nil {
		return k, err
	}
	records, err := s.store.RecordsOf(ctx, user)
	if err != nil {
		return k, err
	}
	rec, is := recorded[user]
	if !is && len(records) == 0 {
		return k, s.unknown(ctx, user)
	}
	k.Wave, k.Records = rec.Wave, len(records)
	for _, one := range records {
		if !slices.Contains(k.Runs, one.Run) {
			k.Runs = append(k.Runs, one.Run)
		}
	}
	if is && !rec.MadePerson {
		k.Person = rec.Person
	}
	if err := s.settledInSelfAuth(ctx, in, user); err != nil {
		return k, err
	}
	return k, s.personsGone(ctx, rec, records)
}

var forgets = postgres.Use{Forgets: true}

// settledInSelfAuth refuses a user for whom the next plan has something to do: once it is forgotten, nobody would.
func (s *Session) settledInSelfAuth(ctx context.Context, in planner.Input, user uuid.UUID) error {
	tenants, err := in.Database.Tenants(ctx)
	if err != nil {
		return err
	}
	cfg, diags := s.evaluate(tenants, in.State)
	if diags.HasErrors() {
		return s.mistakes(diags)
	}
	if err := s.maySee(append(declaredKinds(cfg), recordedKinds(in.State)...)); err != nil {
		return err
	}
	in.Config = cfg
	asked, diags, err := planner.Ask(ctx, in, user)
	switch {
	case err != nil:
		return err
	case diags.HasErrors():
		return s.mistakes(s.module.Locate(diags))
	case asked != nil && len(asked.Changes) > 0:
		return fmt.Errorf("the next plan still takes away what user %s has in Self-auth, and nobody would once it is forgotten. First:\n\n    anthill apply", user)
	}
	return nil
}

// personsGone refuses a user of whom a person that we have made is still there: it holds the name and the address, and once the
// user is forgotten nobody knows whose it is.
func (s *Session) personsGone(ctx context.Context, rec state.User, records []state.Record) error {
	var made []uuid.UUID
	add := func(id uuid.UUID) {
		if id != uuid.Nil && !slices.Contains(made, id) {
			made = append(made, id)
		}
	}
	if rec.MadePerson {
		add(rec.Person)
	}
	for _, r := range records {
		if r.Effect.Act == state.PersonCreate {
			add(r.Person)
		}
	}
	if len(made) == 0 {
		return nil
	}
	found, err := s.selfauth.Accounts().Lookup(ctx, made)
	if err != nil || len(found) == 0 {
		return err
	}
	var commands []string
	for _, p := range found {
		commands = append(commands, "    kanidm person delete "+p.ID.String())
	}
	return errors.New("a person that Anthill has made for this user is still in Self-auth, with name and address, and once the user is forgotten nobody knows " +
		"whose it is. Delete it there first, as an administrator of persons:\n\n" + strings.Join(commands, "\n"))
}

// Forget takes what is kept of a user out of the recorded state and the journal, for good. Forgettable has let it pass.
//
// Errors: state.ErrRowThere, state.ErrOpenRun or state.ErrNothingKept where that has changed since.
func (s *Session) Forget(ctx context.Context, user uuid.UUID, reason string) (f state.Forgotten, err error) {
	err = s.writing(ctx, forgets, func() error {
		f, err = s.store.Forget(context.WithoutCancel(ctx), user, s.signed(reason))
		return err
	})
	return f, err
}
