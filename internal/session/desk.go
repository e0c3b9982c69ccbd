package session

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/state"
	"anthill/state/pg"
)

// The support desk gives one user a way in. That takes the sight of one person, and the right to make codes: it needs neither the
// groups nor the addresses that a plan of everybody goes by. What the account cannot see of that person is not known, and never taken
// for absent.

// codeMakers are the built-in groups whose members may make one-time codes (docs/selfauth-facts.md F12).
var codeMakers = []string{"idm_people_admins", "idm_service_desk", "idm_people_on_boarding"}

// mayMakeCodes refuses an account that could not make a code, before anything is recorded or sent.
func (s *Session) mayMakeCodes() error {
	if s.identity.Writes == providers.WriteNo {
		return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the token of " + s.identity.Account,
			Reason: "it is a read-only token, and making a code is a write",
			Cure:   "Put a read-write token into SELF_AUTH_ADMIN_TOKEN. Nothing was changed."}
	}
	if slices.ContainsFunc(codeMakers, s.identity.In) {
		return nil
	}
	return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the rights of " + s.identity.Account,
		Reason: "the account may not make one-time codes",
		Cure:   "Make it a member of idm_service_desk, as idm_admin. Nothing was changed."}
}

// maySend refuses whoever could not carry out a plan of mails alone, before anything is recorded or sent: in the middle, it would
// leave a run that is open.
func (s *Session) maySend(ctx context.Context, e *plan.Effects) error {
	if len(e.Mailings) > 0 {
		if err := s.seesCredentials(); err != nil {
			return err
		}
	}
	for _, m := range e.Mailings {
		if m.Link != state.LinkCode {
			continue
		}
		if err := s.mayMakeCodes(); err != nil {
			return err
		}
	}
	rights, err := s.store.ToMail(ctx)
	if err != nil {
		return err
	}
	invites, err := s.postgres.Rights(ctx, postgres.Use{Invites: true})
	if err != nil {
		return err
	}
	return s.postgres.Has(ctx, "support", append(rights, invites...))
}

// seesCredentials refuses an account that does not see who has a credential: whoever has one gets another letter than whoever has none.
// It is the same groups whose members see it and may make codes.
func (s *Session) seesCredentials() error {
	if slices.ContainsFunc(codeMakers, s.identity.In) {
		return nil
	}
	return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the rights of " + s.identity.Account,
		Reason: "the account does not see who has a credential, which a mail depends on",
		Cure:   "Make it a member of idm_service_desk, as idm_admin. Nothing was changed."}
}

// seesOne looks at one person. It is an error where the account does not see whether that is there, or has a credential.
func (s *Session) seesOne(ctx context.Context, person uuid.UUID) (*providers.Sight, error) {
	seen, err := s.selfauth.See(ctx, person)
	if err != nil {
		return nil, err
	}
	if seen.Hidden || !seen.Enrols {
		return nil, &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at a person as " + s.identity.Account,
			Reason: "the account does not see whether the person is there, and has a credential",
			Cure:   "Make it a member of idm_service_desk, as idm_admin. Nothing was changed."}
	}
	return &seen, nil
}

// narrow has a plan about one user go by its person alone, where the account does not see what a plan of everybody needs.
func (s *Session) narrow(ctx context.Context, in *planner.Input, store *pg.Store, user uuid.UUID, kinds []state.Kind) error {
	if s.less == nil && s.maySee(kinds) == nil {
		return nil
	}
	in.Directory = nil
	recorded, err := store.UsersByID(ctx, []uuid.UUID{user})
	if err != nil {
		return err
	}
	if is, known := recorded[user]; known && is.Person != uuid.Nil {
		in.Seen, err = s.seesOne(ctx, is.Person)
	}
	return err
}

// barred says why a user is given no code whoever asks for it: "" where nothing is in the way. It goes by the configuration, by the
// pauses, and by a run that is open.
func (s *Session) barred(ctx context.Context, row *providers.UserRow, wave string) (string, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return "", err
	}
	tenants, err := s.tenantRows(ctx)
	if err != nil {
		return "", err
	}
	exclude, diags := s.module.Excluded(dataOf(tenants, st))
	if diags.HasErrors() {
		return "", s.mistakes(diags)
	}
	if exclude.Has(row.ID, row.Email) {
		return "user " + row.ID.String() + " is excluded by the configuration: nobody of those is given a way in", nil
	}
	waves, diags := s.module.Waves()
	if diags.HasErrors() {
		return "", s.mistakes(diags)
	}
	if p := pausedBy(waves, st.Pauses, wave, row.Tenant); p != "" {
		return "wave " + p + " is paused there: nobody of it is given a way in", nil
	}
	run := st.OpenRun()
	if run == nil {
		return "", nil
	}
	for id, err := range openUsers(s.store, run.ID)(ctx) {
		if err != nil {
			return "", err
		}
		if id == row.ID && run.Kind != state.RunInvite {
			return "user " + row.ID.String() + " is in run " + run.ID + ", which was stopped: finish that first, by anthill apply", nil
		}
	}
	return "", nil
}

// pausedBy is the paused wave that holds a user of a wave and a tenant; "": none does.
func pausedBy(waves []config.Wave, pauses []state.Pause, wave string, tenant uuid.UUID) string {
	for _, p := range rollout.Pauses(waves, pauses) {
		if state.InWave(wave, p.Wave) && (p.Tenant == uuid.Nil || p.Tenant == tenant) {
			return p.Wave
		}
	}
	return ""
}
