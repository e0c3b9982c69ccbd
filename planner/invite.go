package planner

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/state"
)

// InviteInput is what a plan of mails alone is made from.
type InviteInput struct {
	Input
	Wave     string    // only to users moved under it, or a step of it; "": any
	User     uuid.UUID // only to this one, also once more; zero: whoever is due something
	Doubtful bool      // also to those of whom nobody knows whether they have their invitation
}

// NotInvitedError says why a user is not written to.
type NotInvitedError struct {
	User uuid.UUID
	Why  state.Code
}

func (e *NotInvitedError) Error() string {
	return "user " + e.User.String() + " is not written to: " + string(e.Why)
}

// Invite makes the plan of the mails that are due to users who are moved, and of nothing else. Of one user in.Directory may be nil, where
// in.Seen is its person. Errors as of Make; *TargetError where no such wave is declared; *NotInvitedError where the one user gets no mail.
func Invite(ctx context.Context, in InviteInput, sink plan.Sink) (*plan.Plan, hcl.Diagnostics, error) {
	if diags := CheckAllows(in.Config.Allows); diags.HasErrors() {
		return nil, diags, nil
	}
	in.State = in.pausedSteps()
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	joined, err := observed.Join(ctx, in.streams())
	if err != nil {
		return nil, nil, err
	}
	defer joined.Entries.Close()
	if in.Wave != "" {
		if err := (&selection{Joined: joined}).check(plan.Target{Kind: plan.TargetWave, Name: in.Wave}); err != nil {
			return nil, nil, err
		}
	}
	// Objects that are still to be made, or wrong, are the business of other plans.
	declared, diags := objects.Forward(joined, nil)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	scope := users.Scope{Writes: &users.Writing{AsOf: in.AsOf, Wave: in.Wave, User: in.User, Doubtful: in.Doubtful}}
	var table plan.Table
	mails := mailsOnly{sink}
	decided, _, err := users.Decide(joined, declared, scope, &table, mails)
	if err != nil {
		return nil, nil, err
	}
	m := maker{Input: in.Input, world: joined, declared: declared, decided: decided, sink: mails, named: in.User != uuid.Nil}
	for i := range decided.Waves {
		decided.Waves[i].Segment = -1
	}
	e := &m.plan.Effects
	e.Kind, e.Target, e.Lineage, e.Tenants = state.RunInvite, in.Target, joined.Lineage, tenants(joined.Observed)
	if in.Future {
		e.NotBefore = in.AsOf.UTC()
	}
	if err := m.announced(rollout.Judge(m.rollout()), in.Wave != ""); err != nil {
		return nil, nil, err
	}
	m.mailings()
	m.sends()
	m.unannounced()
	m.allow()
	if in.User != uuid.Nil && len(e.Mailings) == 0 {
		why := decided.NotWritten
		if why == "" {
			why = state.CodeMailNotMoved
		}
		return nil, nil, &NotInvitedError{in.User, why}
	}
	m.plan.Basis = m.basis()
	c := &m.plan.Context
	c.AsOf, c.Origin, c.OpenRun = in.AsOf.UTC(), in.Origin, openRun(in.State)
	c.Population = plan.Population{Live: joined.AllLive, Moved: decided.Moved}
	c.Isolation = plan.Isolation{Groups: len(joined.Index.Groups), Memberships: joined.Index.Memberships, Unseen: in.Directory == nil,
		Violations: slices.Concat(joined.Violations, declared.Violations)}
	c.Notes = slices.Concat(decided.Unwritten(), m.heard, m.allowances())
	return &m.plan, nil, nil
}

// Declares reports whether a configuration declares a wave, with steps or without; "" is any.
func Declares(c *config.Config, wave string) bool {
	return wave == "" || slices.ContainsFunc(c.Waves, func(w config.Wave) bool { return state.InWave(w.Name, wave) })
}

// mailsOnly passes on the users who are written to.
type mailsOnly struct{ to plan.Sink }

const noSegment = 1 << 30

func (s mailsOnly) Segment(kind plan.SegmentKind, wave string) int {
	if !kind.Mails() {
		return noSegment
	}
	return s.to.Segment(kind, wave)
}

func (s mailsOnly) Add(segment int, shape plan.Shape, c plan.UserChange) error {
	if segment == noSegment {
		return nil
	}
	return s.to.Add(segment, shape, c)
}

func (s mailsOnly) Drop(segment int) error {
	if segment == noSegment {
		return nil
	}
	return s.to.Drop(segment)
}

func (s mailsOnly) Shapes(segment int) []plan.Counted {
	if segment == noSegment {
		return nil
	}
	return s.to.Shapes(segment)
}

func (s mailsOnly) Skip(plan.SkippedUser) error { return nil }
