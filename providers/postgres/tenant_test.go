package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/state"
)

// TestTenants writes each attribute that the table of kinds gives a tenant, reads it back, and puts it back.
func TestTenants(t *testing.T) {
	t.Parallel()
	p, _, _ := opened(t, sandbox.Options{})
	id := uuid.New()
	read := func() state.Attributes {
		t.Helper()
		a, got, err := p.ReadObject(t.Context(), state.KindTenant, id, "")
		if err != nil || got != id {
			t.Fatal(got, err)
		}
		return a
	}
	wants := func(what string, want state.Attributes) {
		t.Helper()
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("tenant after %s (-want +got):\n%s", what, diff)
		}
	}
	change := func(from, to state.Attributes) {
		t.Helper()
		if err := p.ChangeObject(t.Context(), state.KindTenant, id, from, to); err != nil {
			t.Fatal(err)
		}
	}
	wants("nothing", nil)
	first := state.Attributes{
		state.AttrSlug: state.TextValue("new-co"), state.AttrName: state.TextValue("New & Co"),
		state.AttrPlan: state.TextValue("free"), state.AttrStatus: state.TextValue("active"),
		state.AttrSettings: state.TextValue(`{"a":[1,{"b":"\u003c"}]}`), // as CanonicalJSON writes "<"
	}
	if got, err := p.CreateObject(t.Context(), state.KindTenant, id, first); err != nil || got != id {
		t.Fatal(got, err)
	}
	wants("create", first)
	values := map[state.Attribute]string{
		state.AttrSlug: "other-co", state.AttrName: "Other", state.AttrPlan: "enterprise",
		state.AttrStatus:  "suspended",
		state.AttrDeleted: "true", state.AttrSettings: `{"b":true}`,
	}
	for _, spec := range state.KindTenant.Spec().Attributes {
		value, ok := values[spec.Name]
		if !ok {
			t.Errorf("the table has %s, which this test knows nothing of", spec.Name)
			continue
		}
		to := state.Attributes{spec.Name: state.TextValue(value)}
		was, will := first.Diff(to)
		change(first, will)
		want := first.Without(spec.Name)
		want[spec.Name] = to[spec.Name]
		wants("writing "+string(spec.Name), want)
		if !was[spec.Name].IsSet() {
			was[spec.Name] = state.Value{}
		}
		change(want, was)
		wants("putting "+string(spec.Name)+" back", first)
	}

	bySlug, got, err := p.ReadObject(t.Context(), state.KindTenant, uuid.Nil, "new-co")
	if err != nil || got != id || !bySlug.Equal(first) {
		t.Errorf("by slug: %v, %s, %v; want %v", bySlug, got, err, first)
	}
	_, err = p.CreateObject(t.Context(), state.KindTenant, uuid.New(), first)
	if state.ErrorKindOf(err) != state.ErrorConflict {
		t.Errorf("the slug again: %v, want a conflict", err)
	}
	if err := p.DeleteObject(t.Context(), state.KindTenant, id, first); err != nil {
		t.Fatal(err)
	}
	if a := read(); a.Text(state.AttrDeleted) != "true" {
		t.Errorf("deleted: %v", a)
	}
	if err := p.DeleteObject(t.Context(), state.KindTenant, id, first); state.ErrorKindOf(err) != state.ErrorNotFound {
		t.Errorf("deleted again: %v, want it not found", err)
	}
	if _, _, err := p.ReadObject(t.Context(), state.KindGroup, id, ""); err == nil {
		t.Error("a group was looked for among the tenants")
	}
}
