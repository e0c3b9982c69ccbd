package session

import (
	"context"
	"slices"
	"strings"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/state"
)

// MayWrite refuses a database server, role or token that only reads. It is asked before anything is planned that is to be carried out.
func (s *Session) MayWrite(ctx context.Context) error {
	if err := s.postgres.MayWrite(ctx); err != nil {
		return err
	}
	// A compact token does not say whether it may write; then the server says so at the first write.
	if s.identity.Writes == providers.WriteNo {
		return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth",
			Doing:  "look at the token of " + s.identity.Account,
			Reason: "it is a read-only token",
			Cure: "It is enough to plan. To apply, put a read-write token into SELF_AUTH_ADMIN_TOKEN. " +
				"Nothing was changed."}
	}
	if len(s.identity.Missing) > 0 {
		return lacks(s.identity, s.identity.Missing, "apply")
	}
	return nil
}

// MayCarryOut refuses a database server, role or token that could not carry out a plan, by exactly what the plan does: before the first
// effect, and before people are asked to approve what could not be done. All rights that the role lacks are in one *state.DeniedError.
func (s *Session) MayCarryOut(ctx context.Context, e *plan.Effects) error {
	if e.Kind == state.RunInvite { // which the desk may carry out as well
		return s.maySend(ctx, e)
	}
	if err := s.MayWrite(ctx); err != nil {
		return err
	}
	return s.mayDo(ctx, s.useOf(e))
}

// MayTakeBackSchema is MayCarryOut for what a rollback with -schema reads, and then does to the tables whatever is in its plan.
func (s *Session) MayTakeBackSchema(ctx context.Context, writes bool) error {
	u := postgres.Use{Columns: true}
	if writes {
		u.Back = postgres.Everything(true).Back
		return s.mayDo(ctx, u)
	}
	rights, err := s.postgres.Rights(ctx, u)
	if err != nil {
		return err
	}
	return s.postgres.Has(ctx, "schema", rights)
}

// mayDo refuses a role that lacks a right to record, or one that a use of the application's tables needs.
func (s *Session) mayDo(ctx context.Context, u postgres.Use) error {
	what := "apply"
	if len(u.Steps)+len(u.Back) > 0 {
		what = "schema"
	}
	recording, is, err := s.store.Rights(ctx, true)
	if err != nil {
		return err
	}
	u.Logins = u.Logins && is.Tables // else nobody is moved
	rights, err := s.postgres.Rights(ctx, u)
	if err != nil {
		return err
	}
	return s.postgres.Has(ctx, what, append(rights, recording...))
}

var counting = postgres.Use{Counts: true}

// mayRead refuses a role that lacks a right to read what a plan reads, or what u adds to that.
func (s *Session) mayRead(ctx context.Context, u postgres.Use) error {
	what := "plan"
	if s.settings.Less {
		what = "support"
	}
	rights, err := s.postgres.Rights(ctx, u)
	if err != nil {
		return err
	}
	if !s.stateless {
		reading, _, err := s.store.Rights(ctx, false)
		if err != nil {
			return err
		}
		rights = append(rights, reading...)
	}
	return s.postgres.Has(ctx, what, rights)
}

// useOf is what carrying out a plan does with the application's tables.
func (s *Session) useOf(e *plan.Effects) (u postgres.Use) {
	u.Steps, u.Back = e.Schema, e.SchemaBack()
	u.Logins = e.Kind == state.RunApply // which may be due by then, in any plan (L13)
	u.Invites = len(e.Mailings) > 0
	for _, segment := range e.Segments {
		switch segment.Kind {
		case plan.SegmentMail, plan.SegmentAnnounce, plan.SegmentRelease:
		case plan.SegmentRestore:
			u.Restores = true
		default:
			u.Links = true
		}
	}
	for _, c := range e.Objects {
		switch {
		case c.Action == state.ActionRecord:
		case c.Kind == state.KindGroup:
			// A group that goes takes its mapping row along, and one that could not be made as a whole is taken back.
			mapped := c.Was[state.AttrMapping].IsSet() || c.Will[state.AttrMapping].IsSet()
			u.Maps = u.Maps || mapped || c.Will == nil || c.Action == state.ActionForget || len(c.Unmap) > 0
		case c.Kind == state.KindTenant:
			tenantUse(&u, c)
		}
	}
	return u
}

// tenantUse adds what the change of a tenant's row writes.
func tenantUse(u *postgres.Use, c plan.ObjectChange) {
	switch {
	case c.Will == nil:
		u.Changes = append(u.Changes, state.AttrDeleted)
	case c.Was == nil:
		u.Makes = append(u.Makes, c.Will.Sorted()...)
	default:
		for _, name := range c.Will.Sorted() {
			if !c.Will[name].Equal(c.Was[name]) {
				u.Changes = append(u.Changes, name)
			}
		}
	}
}

func lacks(who providers.Identity, groups []string, to string) error {
	return &state.Error{Kind: state.ErrorDenied, Side: "Self-auth", Doing: "look at the rights of " + who.Account,
		Reason: "the account lacks the rights to " + to + ": " + strings.Join(groups, ", "),
		Cure: "Absence would look like emptiness, so nothing was concluded and nothing changed. " +
			"Make it a member of those groups, as idm_admin."}
}

// rightsOf are the built-in groups that objects of a kind need, besides what every plan needs.
var rightsOf = map[state.Kind]string{
	state.KindPolicy: "idm_account_policy_admins",
	state.KindClient: "idm_oauth2_admins",
}

// maySee refuses an account that could not see objects of these kinds: their absence would say nothing.
func (s *Session) maySee(kinds []state.Kind) error {
	var missing []string
	for _, k := range kinds {
		if right := rightsOf[k]; right != "" && !s.identity.In(right) && !slices.Contains(missing, right) {
			missing = append(missing, right)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return lacks(s.identity, missing, "see all that is declared or recorded")
}

func recordedKinds(st *state.State) (kinds []state.Kind) {
	for _, o := range st.Objects {
		kinds = append(kinds, o.Kind)
	}
	return kinds
}

func declaredKinds(cfg *config.Config) (kinds []state.Kind) {
	if len(cfg.Accounts) > 0 {
		kinds = append(kinds, state.KindPolicy)
	}
	if len(cfg.Clients) > 0 {
		kinds = append(kinds, state.KindClient)
	}
	return kinds
}

func plannedKinds(e *plan.Effects) (kinds []state.Kind) {
	for _, o := range e.Objects {
		kinds = append(kinds, o.Kind)
	}
	return kinds
}
