package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// Confirm records that a manual gate of a wave is open, or is for the tenant with this slug, or id; note may be "".
func (s *Session) Confirm(ctx context.Context, wave, gate, slug, note string) error {
	w, err := s.waveOf(wave)
	if err != nil {
		return err
	}
	gates := gatesOf(w)
	if missing := s.module.Missing(); !slices.Contains(gates, gate) && missing.HasErrors() {
		return s.mistakes(missing)
	}
	if !slices.Contains(gates, gate) {
		return fmt.Errorf("wave %q has no gate %q; it has %s", wave, gate, listed(gates))
	}
	switch g := w.Gate(gate); {
	case !g.Manual():
		return fmt.Errorf("gate %q is opened by the figures of the wave (%s), and by nobody's hand. How it stands is shown by:\n\n"+
			"    anthill status", gate, g.Condition.Text())
	case g.PerTenant && slug == "":
		return fmt.Errorf("gate %q is opened by each tenant for itself (per = \"tenant\"): say which one has confirmed:\n\n"+
			"    anthill wave confirm -tenant SLUG %s %s", gate, wave, gate)
	case !g.PerTenant && slug != "":
		return fmt.Errorf("gate %q is opened once for all of wave %s: leave -tenant out, or declare the gate with per = \"tenant\"",
			gate, wave)
	}
	c := state.Confirmation{Wave: wave, Gate: gate, By: s.settings.Who, Note: note, At: s.settings.Now().UTC()}
	if slug != "" {
		st, tenants, err := s.paused(ctx)
		if err != nil {
			return err
		}
		if c.Tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return err
		}
	}
	return s.writing(ctx, func() error { return s.store.Confirm(ctx, c) })
}

// Resume lifts the pauses that rollbacks left on a wave, or on the tenant of it with this slug, or id, and returns how many;
// none is no error.
func (s *Session) Resume(ctx context.Context, wave, slug string) (lifted int, err error) {
	st, tenants, err := s.paused(ctx)
	if err != nil {
		return 0, err
	}
	tenant := uuid.Nil
	if slug != "" {
		if tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return 0, err
		}
	}
	// A wave that is no longer declared may still be paused, and must be resumable: only if nothing is paused under the
	// name is it looked for in the configuration.
	pauses := slices.DeleteFunc(slices.Clone(st.Pauses), func(p state.Pause) bool { return p.Wave != wave })
	if len(pauses) == 0 {
		_, err := s.waveOf(wave)
		return 0, err
	}
	whole := slices.ContainsFunc(pauses, func(p state.Pause) bool { return p.Tenant == uuid.Nil })
	if tenant != uuid.Nil && whole {
		return 0, fmt.Errorf("the whole wave %s is paused, not one tenant of it. To let all of it go on:\n\n"+
			"    anthill wave resume %s", wave, wave)
	}
	err = s.writing(ctx, func() error {
		lifted, err = s.store.Resumed(context.WithoutCancel(ctx), wave, tenant)
		return err
	})
	return lifted, err
}

// paused reads what is recorded, pauses among it, and the tenants of the same moment.
func (s *Session) paused(ctx context.Context) (*state.State, []providers.Tenant, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer snapshot.Close()
	st, err := s.recorded(ctx, s.store.At(snapshot.ID()))
	if err != nil {
		return nil, nil, err
	}
	tenants, err := snapshot.Tenants(ctx)
	return st, tenants, err
}

// gatesOf are the names of a wave's gates.
func gatesOf(w config.Wave) []string { return slices.Concat(w.StartGates, w.FinishGates) }

// waveOf is a declared wave. Variables that have no value are asked for only where its gates depend on them.
func (s *Session) waveOf(name string) (w config.Wave, err error) {
	missing := s.module.Missing()
	if !missing.HasErrors() {
		if diags := s.module.Validate(); diags.HasErrors() {
			return w, s.mistakes(diags)
		}
	}
	waves, diags := s.module.Waves()
	if diags.HasErrors() {
		return w, s.mistakes(diags)
	}
	var names []string
	for _, wave := range waves {
		if wave.Name == name {
			return wave, nil
		}
		names = append(names, wave.Name)
	}
	return w, fmt.Errorf("there is no wave %q in this configuration; there are %s", name, listed(names))
}

// listed writes names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
