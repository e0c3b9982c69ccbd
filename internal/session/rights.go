package session

import (
	"context"
	"slices"
	"strings"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// MayWrite refuses a database role or a token that could not carry out a plan: a *state.DeniedError or *state.Error.
// It is asked before the first effect, and before people are asked to approve what could not be done. alters says that
// the schema will be changed, which it also is where it is at the baseline.
func (s *Session) MayWrite(ctx context.Context, alters bool) error {
	if err := s.postgres.MayWrite(ctx, alters || s.inspection.Level == providers.LevelBaseline); err != nil {
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
