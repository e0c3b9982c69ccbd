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

// Confirm records that a manual gate of a wave is open; note may be "".
func (s *Session) Confirm(ctx context.Context, wave, gate, note string) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	declared, err := w.wave(wave)
	if err != nil {
		return err
	}
	if gates := slices.Concat(declared.StartGates, declared.FinishGates); !slices.Contains(gates, gate) {
		return fmt.Errorf("wave %q has no gate %q; it has %s", wave, gate, listed(gates))
	}
	return s.writing(ctx, func() error {
		return s.store.Confirm(ctx, state.Confirmation{
			Wave: wave, Gate: gate, By: s.settings.Who, Note: note, At: s.settings.Now().UTC(),
		})
	})
}

// Resume lifts the pauses that rollbacks left on a wave, or on the tenant of it with this slug, and returns how many;
// none is no error.
func (s *Session) Resume(ctx context.Context, wave, slug string) (lifted int, err error) {
	w, err := s.world(ctx)
	if err != nil {
		return 0, err
	}
	tenant := uuid.Nil
	if slug != "" {
		if tenant, err = tenantID(w.tenants, slug); err != nil {
			return 0, err
		}
	}
	// A wave that is no longer declared may still be paused, and must be resumable: only if nothing is paused under the
	// name is it looked for in the configuration.
	pauses := slices.DeleteFunc(slices.Clone(w.state.Pauses), func(p state.Pause) bool { return p.Wave != wave })
	if len(pauses) == 0 {
		_, err := w.wave(wave)
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

// world is a configuration over the live tenants, beside what is recorded.
type world struct {
	config  *config.Config
	tenants []providers.Tenant
	state   *state.State
}

// world evaluates the configuration in a snapshot of its own.
func (s *Session) world(ctx context.Context) (*world, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	st, err := s.recorded(ctx, s.store.At(snapshot.ID()))
	if err != nil {
		return nil, err
	}
	tenants, err := snapshot.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	cfg, diags := s.evaluate(tenants, st)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	return &world{cfg, tenants, st}, nil
}

func (w *world) wave(name string) (config.Wave, error) {
	var names []string
	for _, wave := range w.config.Waves {
		if wave.Name == name {
			return wave, nil
		}
		names = append(names, wave.Name)
	}
	return config.Wave{}, fmt.Errorf("there is no wave %q in this configuration; there are %s", name, listed(names))
}

// listed writes names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
