package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/state"
)

// Confirm records that a manual gate of a wave is open, or is for the tenant with this slug, or id; note and value, a decimal, may be "".
func (s *Session) Confirm(ctx context.Context, wave, gate, slug, note, value string) error {
	g, err := s.gateOf(wave, gate, slug)
	if err != nil {
		return err
	}
	if g.PerTenant && slug == "" {
		return fmt.Errorf("gate %q is opened by each tenant for itself (per = \"tenant\"): say which one has confirmed:\n\n"+
			"    anthill wave confirm -tenant SLUG %s %s", gate, wave, gate)
	}
	if !g.Value.IsZero() && value == "" {
		of := ""
		if slug != "" {
			of = "-tenant " + slug + " "
		}
		return fmt.Errorf("gate %q is opened by what was measured (%s): give the number\n\n    anthill wave confirm %s-value NUMBER %s %s",
			gate, g.Value.Text(), of, wave, gate)
	}
	if g.PerTenant { // it is opened for all steps of a wave at once
		wave = state.WholeWave(wave)
	}
	c := state.Confirmation{Wave: wave, Gate: gate, By: s.settings.Who, Note: note, Value: value, At: s.settings.Now().UTC()}
	if slug != "" {
		st, tenants, err := s.paused(ctx)
		if err != nil {
			return err
		}
		if c.Tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return err
		}
	}
	return s.writing(ctx, postgres.Use{}, func() error { return s.store.Confirm(ctx, c) })
}

// gateOf is a gate of a declared wave that is opened by hand, and by each tenant where slug says which.
func (s *Session) gateOf(wave, gate, slug string) (g config.Gate, err error) {
	w, err := s.declared(wave)
	if err != nil {
		return g, err
	}
	gates := gatesOf(w)
	if missing := s.module.Missing(); !slices.Contains(gates, gate) && missing.HasErrors() {
		return g, s.mistakes(missing)
	}
	if !slices.Contains(gates, gate) {
		return g, fmt.Errorf("wave %q has no gate %q; it has %s", wave, gate, listed(gates))
	}
	switch g = w.Gate(gate); {
	case !g.Manual():
		return g, fmt.Errorf("gate %q is opened by the figures of the wave (%s), and by nobody's hand. How it stands is shown by:\n\n"+
			"    anthill status", gate, g.Condition.Text())
	case !g.PerTenant && slug != "":
		return g, fmt.Errorf("gate %q is opened once for all of wave %s: leave -tenant out, or declare the gate with per = \"tenant\"",
			gate, wave)
	}
	return g, nil
}

// signed says who does something now, and why.
func (s *Session) signed(reason string) state.Signed {
	return state.Signed{By: s.settings.Who, Reason: reason, At: s.settings.Now().UTC()}
}

// Paused is what became of a pause that was asked for.
type Paused struct {
	Pause state.Pause   // that stands now
	Was   bool          // it stood before, or one of the whole wave did, and nothing was changed
	Back  []state.Pause // of rollbacks, that stand besides
}

// Pause pauses a wave, or the tenant of it with this slug, or id; slug "" is the whole wave. It takes no lock, but where there is
// no state of this version yet, which is made first.
func (s *Session) Pause(ctx context.Context, wave, slug, reason string) (p Paused, err error) {
	if err := s.NoWave(wave); err != nil {
		return p, err
	}
	st, tenants, err := s.paused(ctx)
	if err != nil {
		return p, err
	}
	by := s.signed(reason)
	p.Pause = state.Pause{Wave: wave, By: by.By, Reason: by.Reason, At: by.At}
	if slug != "" {
		if p.Pause.Tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return p, err
		}
	}
	if p.standing(st.Pauses); p.Was {
		return p, nil
	}
	if err := s.mayDo(ctx, postgres.Use{}); err != nil {
		return p, err
	}
	paused, err := s.store.Pause(context.WithoutCancel(ctx), p.Pause)
	if errors.Is(err, state.ErrNoState) {
		paused, err = s.pauseFirst(ctx, p.Pause)
	}
	if err != nil || paused {
		return p, err
	}
	// Somebody else was quicker.
	if st, err = s.store.Read(ctx); err == nil {
		p.standing(st.Pauses)
	}
	return p, err
}

// standing finds a person's pause that holds what p is about, and those of rollbacks.
func (p *Paused) standing(list []state.Pause) {
	p.Back = nil
	for _, is := range list {
		switch {
		case !state.InWave(p.Pause.Wave, is.Wave) || is.Tenant != uuid.Nil && is.Tenant != p.Pause.Tenant:
		case is.Run != "":
			p.Back = append(p.Back, is)
		case !p.Was: // that of the whole wave is the first
			p.Pause, p.Was = is, true
		}
	}
}

// pauseFirst pauses where there is no state of this version. Whoever has the lock may be about to make it.
func (s *Session) pauseFirst(ctx context.Context, p state.Pause) (bool, error) {
	if s.away != nil {
		return false, s.away
	}
	if err := s.writing(ctx, postgres.Use{}, func() error { return nil }); err != nil {
		locked := (*state.LockedError)(nil)
		paused, again := s.store.Pause(ctx, p)
		if errors.As(err, &locked) && again == nil {
			return paused, nil
		}
		return false, err
	}
	return s.store.Pause(context.WithoutCancel(ctx), p)
}

// Resume lifts the pauses of a wave, or of the tenant of it with this slug, or id: those that rollbacks left, and those that
// persons asked for. Of a wave that is paused as a whole, the pauses of tenants stay. none is no error. reason may be "".
func (s *Session) Resume(ctx context.Context, wave, slug, reason string) (r Resumption, err error) {
	st, tenants, err := s.paused(ctx)
	if err != nil {
		return r, err
	}
	r.Slugs = map[uuid.UUID]string{}
	for _, t := range tenants {
		r.Slugs[t.ID] = t.Slug
	}
	tenant := uuid.Nil
	if slug != "" {
		if tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return r, err
		}
	}
	// A wave that is no longer declared may still be paused, and must be resumable: only if nothing is paused under the
	// name is it looked for in the configuration.
	pauses := slices.DeleteFunc(slices.Clone(st.Pauses), func(p state.Pause) bool { return !state.InWave(p.Wave, wave) })
	if of := state.WholeWave(wave); len(pauses) == 0 && of != wave &&
		slices.ContainsFunc(st.Pauses, func(p state.Pause) bool { return p.Wave == of }) {
		return r, fmt.Errorf("all steps of wave %s are paused, not one of them. To let all of them go on:\n\n    anthill wave resume %s", of, of)
	}
	if len(pauses) == 0 {
		return r, s.NoWave(wave)
	}
	whole := slices.ContainsFunc(pauses, func(p state.Pause) bool { return p.Tenant == uuid.Nil })
	if tenant != uuid.Nil && whole {
		return r, fmt.Errorf("the whole wave %s is paused, not one tenant of it. To let all of it go on:\n\n"+
			"    anthill wave resume %s", wave, wave)
	}
	err = s.writing(ctx, postgres.Use{}, func() error {
		var names []string // of the wave, and of steps of it
		for _, p := range pauses {
			names = append(names, p.Wave)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			lifted, err := s.store.Resumed(context.WithoutCancel(ctx), name, tenant, s.signed(reason))
			if err != nil {
				return err
			}
			r.Lifted = append(r.Lifted, lifted...)
		}
		return nil
	})
	if whole {
		r.Stay = slices.DeleteFunc(pauses, func(p state.Pause) bool {
			return slices.ContainsFunc(r.Lifted, func(l state.Pause) bool { return l.Wave == p.Wave && l.Tenant == p.Tenant && l.Run == p.Run })
		})
	}
	return r, err
}

// Resumption is what lifting pauses comes to.
type Resumption struct {
	Lifted []state.Pause
	Stay   []state.Pause        // of tenants, where the whole wave goes on
	Slugs  map[uuid.UUID]string // of the tenants that there are
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

// NoWave is the error of a wave that is not declared, with steps or without; nil: it is.
func (s *Session) NoWave(name string) error {
	_, err := s.inWave(name)
	return err
}

// inWave are the declared waves that a name means: the one of that name, or all steps of it.
func (s *Session) inWave(name string) (list []config.Wave, err error) {
	waves, err := s.waves()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, wave := range waves {
		if state.InWave(wave.Name, name) {
			list = append(list, wave)
		}
		if whole := state.WholeWave(wave.Name); !slices.Contains(names, whole) {
			names = append(names, whole)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no wave %q in this configuration; there are %s", name, listed(names))
	}
	return list, nil
}

// DueStep is the step that is meant where a wave with steps is named: the first that is not done. Any other wave is
// meant itself. An error lists the steps where all are done.
func (s *Session) DueStep(ctx context.Context, name string) (string, error) {
	waves, _ := s.inWave(name) // that there is no such wave is up to whoever asks: some of it may be recorded still
	if !slices.ContainsFunc(waves, func(w config.Wave) bool { return w.Name != name }) {
		return name, nil
	}
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return "", err
	}
	var names []string
	for _, w := range waves {
		if !slices.ContainsFunc(st.Waves, func(r state.Wave) bool { return r.Name == w.Name && !r.DoneAt.IsZero() }) {
			return w.Name, nil
		}
		names = append(names, w.Name)
	}
	return "", fmt.Errorf("all steps of wave %s are done: say which one is meant; there are %s", name, listed(names))
}

// gatesOf are the names of a wave's gates.
func gatesOf(w config.Wave) []string {
	list := slices.Concat(w.StartGates, w.FinishGates)
	slices.Sort(list)
	return slices.Compact(list)
}

// declared is the wave of a name. Variables that have no value are asked for only where the waves depend on them.
func (s *Session) declared(name string) (config.Wave, error) {
	waves, err := s.inWave(name)
	if err != nil {
		return config.Wave{}, err
	}
	return waves[0], nil // DueStep has chosen
}

// waves are those that are declared.
func (s *Session) waves() ([]config.Wave, error) {
	missing := s.module.Missing()
	if !missing.HasErrors() {
		if diags := s.module.Validate(); diags.HasErrors() {
			return nil, s.mistakes(diags)
		}
	}
	waves, diags := s.module.Waves()
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	return waves, nil
}

// listed writes names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Waves is how waves stand, and what was done to them by hand.
type Waves struct {
	Judged
	Declared []string
	Gates    []state.WaveGate  // manual ones, of each declared wave sorted by name
	OptIn    []state.WaveGate  // of Gates, those that each tenant opens for itself
	Events   []state.WaveEvent // oldest first
}

// Waves reads how waves stand by the plan that would be made now, and what was done to them. The caller closes it.
func (s *Session) Waves(ctx context.Context, r Request) (w Waves, err error) {
	if w.Judged, err = s.judged(ctx, r); err != nil {
		return w, err
	}
	if w.Events, err = s.store.WaveEvents(ctx); err != nil {
		return w, errors.Join(err, w.Close())
	}
	waves, err := s.waves()
	if err != nil && w.NoPlan == nil { // else it is why there is no plan
		return w, errors.Join(err, w.Close())
	}
	for _, wave := range waves {
		w.Declared = append(w.Declared, wave.Name)
		for _, name := range gatesOf(wave) {
			is, g := state.WaveGate{Wave: wave.Name, Name: name}, wave.Gate(name)
			if g.Manual() {
				w.Gates = append(w.Gates, is)
			}
			if g.PerTenant {
				w.OptIn = append(w.OptIn, is)
			}
		}
	}
	return w, nil
}

// Unconfirm takes back the confirmations of a manual gate, or that of the tenant with this slug, or id, and reports whether there
// were any. What is recorded goes however the gate is declared now, if at all.
func (s *Session) Unconfirm(ctx context.Context, wave, gate, slug, reason string) (was bool, err error) {
	st, tenants, err := s.paused(ctx)
	if err != nil {
		return false, err
	}
	tenant := uuid.Nil
	if slug != "" {
		if tenant, err = s.tenantID(ctx, st, tenants, slug); err != nil {
			return false, err
		}
	}
	i := slices.IndexFunc(st.Confirmations, func(c state.Confirmation) bool {
		return state.InWave(wave, c.Wave) && c.Gate == gate && (tenant == uuid.Nil || c.Tenant == tenant)
	})
	if i < 0 {
		_, err := s.gateOf(wave, gate, slug)
		return false, err
	}
	wave = st.Confirmations[i].Wave // of a gate that each tenant opens: the wave that this is a step of
	err = s.writing(ctx, postgres.Use{}, func() error {
		was, err = s.store.Unconfirm(context.WithoutCancel(ctx), state.WaveGate{Wave: wave, Name: gate, Tenant: tenant}, s.signed(reason))
		return err
	})
	return was, err
}

// Promote records the wish that a wave does not wait any longer: for its start date, where it has not started, else for the rest
// of its soak. An error says that there is nothing to skip.
func (s *Session) Promote(ctx context.Context, wave, reason string) (state.Wish, error) {
	w, err := s.declared(wave)
	if err != nil {
		return state.Wish{}, err
	}
	is, err := s.recordedWave(ctx, wave)
	if err != nil {
		return state.Wish{}, err
	}
	now := s.settings.Now()
	switch {
	case is.Started.IsZero() && !w.At.After(now):
		return state.Wish{}, fmt.Errorf("wave %s has no start date that lies ahead: there is nothing to skip. What it waits for is shown by:\n\n"+
			"    anthill wave list %s", wave, state.WholeWave(wave))
	case is.Started.IsZero():
		return s.wish(ctx, wave, state.WishStart, reason)
	case !is.DoneAt.IsZero():
		return state.Wish{}, fmt.Errorf("wave %s is done since %s: there is nothing to skip", wave, is.DoneAt.Format("2006-01-02 15:04 UTC"))
	case is.Soaking.IsZero() || !is.Soaking.Add(w.Soak).After(now):
		return state.Wish{}, fmt.Errorf("wave %s is not soaking: there is nothing to skip. What it waits for is shown by:\n\n"+
			"    anthill wave list %s", wave, state.WholeWave(wave))
	}
	return s.wish(ctx, wave, state.WishSoak, reason)
}

// Accept records the wish that those of a wave who failed do not keep it from being moved.
func (s *Session) Accept(ctx context.Context, wave, reason string) (state.Wish, error) {
	if err := s.NoWave(wave); err != nil {
		return state.Wish{}, err
	}
	is, err := s.recordedWave(ctx, wave)
	switch {
	case err != nil:
		return state.Wish{}, err
	case is.Started.IsZero():
		return state.Wish{}, fmt.Errorf("wave %s has not started, so nobody of it has failed: how many may is max_failures in its block", wave)
	case !is.DoneAt.IsZero():
		return state.Wish{}, fmt.Errorf("wave %s is done: who fails now keeps nothing from being moved", wave)
	}
	return s.wish(ctx, wave, state.WishAccept, reason)
}

func (s *Session) wish(ctx context.Context, wave string, kind state.WishKind, reason string) (state.Wish, error) {
	w := state.Wish{Wave: wave, Kind: kind, Signed: s.signed(reason)}
	return w, s.writing(ctx, postgres.Use{}, func() error { return s.store.Wish(context.WithoutCancel(ctx), w) })
}

// Withdraw takes back what is wished of a wave, of some kinds, and reports whether anything was. The wave need not be declared any
// more.
func (s *Session) Withdraw(ctx context.Context, wave string, kinds ...state.WishKind) (was bool, err error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return false, err
	}
	stands := func(w state.Wish) bool { return w.Wave == wave && slices.Contains(kinds, w.Kind) }
	if !slices.ContainsFunc(st.Wishes, stands) {
		return false, s.NoWave(wave)
	}
	err = s.writing(ctx, postgres.Use{}, func() error {
		for _, kind := range kinds {
			one, err := s.store.Withdraw(context.WithoutCancel(ctx), wave, kind, s.signed(""))
			if err != nil {
				return err
			}
			was = was || one
		}
		return nil
	})
	return was, err
}

func (s *Session) recordedWave(ctx context.Context, name string) (state.Wave, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return state.Wave{}, err
	}
	if i := slices.IndexFunc(st.Waves, func(w state.Wave) bool { return w.Name == name }); i >= 0 {
		return st.Waves[i], nil
	}
	return state.Wave{}, nil
}

// HasMoved reports whether a wave has moved users, or was about to, so that a rollback may have something to take back.
func (s *Session) HasMoved(ctx context.Context, wave string) (bool, error) {
	waves, err := s.store.UserWaves(ctx)
	return slices.ContainsFunc(waves, func(w string) bool { return state.InWave(w, wave) }), err
}
