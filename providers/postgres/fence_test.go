package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestFence: what may not be written is not, by no method, and the fence's own error comes back. What may be is written
// in a transaction that has passed it.
func TestFence(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{})
	_, dual, _ := opened(t, sandbox.Options{Level: "dual"})
	users := usersOf(t, p)
	mapping := providers.Mapping{Tenant: users[0].Tenant, Group: uuid.New(), GroupName: "g", Role: state.RoleMember}
	tenant := uuid.New()
	slug := func(text string) state.Attributes {
		return state.Attributes{state.AttrSlug: state.TextValue(text), state.AttrName: state.TextValue("New")}
	}
	type way struct {
		name string
		do   func(context.Context) error
	}
	ways := []way{
		{"map", func(ctx context.Context) error { return p.Map(ctx, []providers.Mapping{mapping}) }},
		{"unmap", func(ctx context.Context) error { return p.Unmap(ctx, mapping) }},
		{"create a tenant", func(ctx context.Context) error {
			_, err := p.CreateObject(ctx, state.KindTenant, tenant, slug("new-co"))
			return err
		}},
		{"change a tenant", func(ctx context.Context) error {
			return p.ChangeObject(ctx, state.KindTenant, tenant, slug("new-co"), slug("other-co"))
		}},
		{"delete a tenant", func(ctx context.Context) error {
			return p.DeleteObject(ctx, state.KindTenant, tenant, nil)
		}},
	}
	for _, s := range i.Steps {
		ways = append(ways, way{s.Name, func(ctx context.Context) error { return p.Upgrade(ctx, s.Name, nil) }})
	}
	ways = append(ways, way{"users", func(ctx context.Context) error {
		return p.WriteUsers(ctx, nil, func(state.Tx, []providers.UserResult) error { return nil })
	}})
	for _, w := range ways {
		p.SetFence(func(context.Context, state.Tx) error { return &state.LockLostError{Taken: true} })
		var lost *state.LockLostError
		if err := w.do(t.Context()); !errors.As(err, &lost) {
			t.Errorf("%s: %v", w.name, err)
		}
		passed := false
		p.SetFence(func(ctx context.Context, tx state.Tx) error {
			passed = true
			_, err := tx.Exec(ctx, "select pg_current_xact_id()")
			return err
		})
		if err := w.do(t.Context()); err != nil || !passed {
			t.Errorf("%s: fence passed %v, %v", w.name, passed, err)
		}
	}
	if shapeOf(t, c) != shapeOf(t, dual) {
		t.Error("not all steps were done")
	}
}

// TestFencedOffChangesNothing: with the fence down from the start, the database stays as it is.
func TestFencedOffChangesNothing(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{})
	before := shapeOf(t, c)
	p.SetFence(func(context.Context, state.Tx) error { return &state.LockLostError{Taken: true} })
	for _, s := range i.Steps {
		if err := p.Upgrade(t.Context(), s.Name, nil); err == nil {
			t.Errorf("%s was done", s.Name)
		}
	}
	if shapeOf(t, c) != before {
		t.Error("the schema was changed")
	}
}
