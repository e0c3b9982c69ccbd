package report

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Waves is what `anthill wave list` shows.
type Waves struct {
	State     *state.State
	Plan      *planfile.File // as it would be made now; nil where it cannot be made
	PlanError string         // why, in one line or several, diagnostics written out; "" when Plan is there
	AsOf      time.Time
	Tenants   map[uuid.UUID]string // slugs

	Declared []string
	Gates    []state.WaveGate // manual ones of declared waves
	OptIn    []state.WaveGate // of Gates, those that each tenant opens for itself
	Events   []state.WaveEvent
	Wave     string // only this one; "": all
	History  bool   // Events are shown
}

// names are the waves to be shown: those that are declared, in the order of `after` where that is known, then those of which only
// something is recorded.
func (w *Waves) names() (list []string) {
	if w.Plan != nil {
		for _, v := range w.Plan.Context().Waves {
			list = append(list, v.Name)
		}
	}
	list = append(list, w.Declared...)
	for _, r := range w.State.Waves {
		list = append(list, r.Name)
	}
	steps := map[string]bool{} // waves that are shown by their steps
	for _, name := range list {
		if of := state.WholeWave(name); of != name {
			steps[of] = true
		}
	}
	for _, p := range w.State.Pauses {
		list = append(list, p.Wave)
	}
	for _, is := range w.State.Wishes {
		list = append(list, is.Wave)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(name string) bool {
		was := seen[name] || w.Wave != "" && !state.InWave(name, w.Wave) || steps[name] && !slices.Contains(w.Declared, name)
		seen[name] = true
		return was
	})
}

// Known reports whether anything is declared or recorded of a wave.
func (w *Waves) Known(name string) bool {
	of := *w
	of.Wave = name
	return len(of.names()) > 0
}

// wavesPage is a list of waves as text.
type wavesPage struct {
	*page
	Waves
}

// WriteWaves writes how waves stand for people.
func WriteWaves(out io.Writer, w Waves, o Options) error {
	p := wavesPage{newPage(out, o), w}
	p.line("Waves    as of %s", stamp(w.AsOf))
	if w.Plan == nil {
		p.gap()
		p.line("The waves cannot be judged now:")
		p.line("%s", escapeLines(w.PlanError))
	}
	whole := ""
	for _, name := range p.names() {
		if of := state.WholeWave(name); of != name && of != whole {
			whole = of
			p.gap()
			p.line("%s  in steps", p.bold(Escape(of)))
			p.pauses(of)
		}
		p.gap()
		p.wave(name)
	}
	if len(p.names()) == 0 {
		p.gap()
		p.line("There are no waves.")
	}
	if w.History {
		p.history()
	}
	return p.flush()
}

func (p *wavesPage) wave(name string) {
	head := p.bold(Escape(name))
	if p.Plan == nil {
		p.line("%s", head)
	} else if v := newView(p.Plan); !p.judged(v, name, head) {
		p.line("%s  not declared any more", head)
	}
	p.pauses(name)
	for _, w := range p.State.Wishes {
		if w.Wave == name {
			p.told(wishWords(w), withdraw(w))
		}
	}
	for _, g := range p.Gates {
		if g.Wave != name {
			continue
		}
		list := confirmations(p.State.Confirmations, g, p.opensByTenant(g))
		for _, c := range list {
			p.hang("  ", "gate "+Escape(g.Name)+p.forTenantOf(c.Tenant)+valued(c.Value)+": "+
				signedWords("confirmed by", state.Signed{By: c.By, Reason: c.Note, At: c.At}))
		}
		switch {
		case p.opensByTenant(g):
			who := "all tenants"
			if len(list) > 0 {
				who = "the other tenants"
			}
			p.told("gate "+Escape(g.Name)+": closed for "+who, []string{"wave", "confirm", "-tenant", "SLUG", g.Wave, g.Name})
		case len(list) == 0:
			p.told("gate "+Escape(g.Name)+": closed", []string{"wave", "confirm", g.Wave, g.Name})
		}
	}
}

// pauses are those of a wave by its own name.
func (p *wavesPage) pauses(name string) {
	for _, is := range p.State.Pauses {
		if is.Wave == name {
			one := pauseIs(is, p.Tenants)
			p.told("paused"+forTenant(one.tenant)+": "+pauseWords(is), one.resume())
		}
	}
}

// opensByTenant reports whether each tenant opens a gate for itself.
func (w *Waves) opensByTenant(g state.WaveGate) bool { return slices.Contains(w.OptIn, g) }

// forTenantOf names a tenant by its slug, or else by its id; zero: it is about the whole wave.
func (p *wavesPage) forTenantOf(tenant uuid.UUID) string {
	if tenant == uuid.Nil {
		return ""
	}
	return forTenant(cmp.Or(p.Tenants[tenant], tenant.String()))
}

// told says something that stands, and the command that changes it.
func (p *wavesPage) told(what string, command []string) {
	p.hang("  ", what+" ("+p.command(command...)+")")
}

// judged says how a declared wave stands.
func (p *wavesPage) judged(v *view, name, head string) bool {
	i := slices.IndexFunc(v.context.Waves, func(w plan.WaveView) bool { return w.Name == name })
	if i < 0 {
		return false
	}
	w := v.context.Waves[i]
	parts := []string{Escape(string(w.State))}
	if !w.Since.IsZero() {
		parts[0] += " since " + day(w.Since)
	}
	if w.Matched > 0 {
		parts = append(parts, count(w.Moved)+" of "+of(w.Matched, "user", "users")+" moved")
	}
	switch n := v.due(w); {
	case n > 0 && w.State == plan.WaveDone:
		parts = append(parts, count(n)+" late")
	case n > 0:
		parts = append(parts, count(n)+" due")
	}
	for _, f := range w.Reasons {
		// Pauses stand below, each with who and when, and so do gates that are closed.
		if !slices.Contains([]state.Code{state.CodeWavePaused, state.CodeTenantPaused, state.CodeGateClosed}, f.Code) {
			parts = append(parts, v.speaks(p.voice()).say(f))
		}
	}
	p.hang(head+"  ", strings.Join(parts, p.dot()))
	return true
}

func forTenant(slug string) string {
	if slug == "" {
		return ""
	}
	return " for " + Escape(slug)
}

// confirmations are the latest ones of a gate that count: of a gate that each tenant opens one for each of them, of another one
// at most one.
func confirmations(list []state.Confirmation, g state.WaveGate, byTenant bool) (last []state.Confirmation) {
	for _, c := range list {
		if !state.InWave(g.Wave, c.Wave) || c.Gate != g.Name || byTenant == (c.Tenant == uuid.Nil) {
			continue
		}
		if i := slices.IndexFunc(last, func(l state.Confirmation) bool { return l.Tenant == c.Tenant }); i >= 0 {
			last[i] = c
		} else {
			last = append(last, c)
		}
	}
	return last
}

// valued is what was measured when a gate was confirmed; "" where nothing was.
func valued(value string) string {
	if value == "" {
		return ""
	}
	return " (" + Escape(value) + ")"
}

// wishWords say what somebody wants of a wave.
func wishWords(w state.Wish) string {
	return signedWords("wished "+wishes(w.Kind)+", by", w.Signed)
}

// withdraw are the arguments of the command that takes a wish back.
func withdraw(w state.Wish) []string {
	command := "promote"
	if w.Kind == state.WishAccept {
		command = "accept"
	}
	return []string{"wave", command, "-withdraw", w.Wave}
}

func (p *wavesPage) history() {
	var rows [][]string
	for _, e := range p.Events {
		if p.Wave == "" || state.InWave(e.Wave, p.Wave) {
			rows = append(rows, []string{stamp(e.At), Escape(e.Wave), p.eventWords(e)})
		}
	}
	p.gap()
	if len(rows) == 0 {
		p.line("Nothing was done to them by hand.")
		return
	}
	p.line("%s", p.bold("History, oldest first"))
	p.table(2, nil, rows)
}

// eventWords say what was done to a wave.
func (p *wavesPage) eventWords(e state.WaveEvent) string {
	s := Escape(string(e.Act))
	tenant := p.forTenantOf(e.Tenant)
	switch gate := Escape(e.Gate); e.Act {
	case state.ActPause:
		s = "paused" + tenant
	case state.ActResume:
		s = "resumed" + tenant
	case state.ActConfirm:
		s = "gate " + gate + " confirmed" + tenant + valued(e.Value)
	case state.ActUnconfirm:
		s = "gate " + gate + " closed again" + tenant
	case state.ActPromote:
		s = "promoted (" + gate + ")"
	case state.ActAccept:
		s = "failures accepted"
	case state.ActWithdraw:
		s = "wish withdrawn (" + gate + ")"
	case state.ActUse:
		s = "wish used up (" + gate + ")"
	}
	if e.Run != "" {
		s += " by run " + Escape(e.Run)
	}
	if e.By != "" {
		s += " by " + Escape(e.By)
	}
	if e.Reason != "" {
		s += ": " + Escape(e.Reason)
	}
	return s
}

// wavesJSON is a list of waves for programs.
type wavesJSON struct {
	FormatVersion string      `json:"format_version"`
	AsOf          time.Time   `json:"as_of"`
	Waves         []waveJSON  `json:"waves"`
	Error         string      `json:"error,omitempty"` // why they cannot be judged now
	History       []eventJSON `json:"history,omitempty"`
}

type waveJSON struct {
	Name   string         `json:"name"`
	View   *plan.WaveView `json:"view,omitempty"` // how it stands; none where it is not declared, or cannot be judged
	Pauses []pauseJSON    `json:"pauses"`
	Gates  []gateJSON     `json:"gates"`
	Wishes []wishJSON     `json:"wishes"`
}

type gateJSON struct {
	Gate      string           `json:"gate"`
	Confirmed bool             `json:"confirmed"` // of one that each tenant opens: by one of them
	By        string           `json:"by,omitempty"`
	Note      string           `json:"note,omitempty"`
	Value     string           `json:"value,omitempty"` // a decimal
	At        time.Time        `json:"at,omitzero"`
	PerTenant bool             `json:"per_tenant,omitempty"`
	Tenants   []tenantGateJSON `json:"tenants,omitempty"` // for which it is confirmed
}

type tenantGateJSON struct {
	Tenant uuid.UUID `json:"tenant"`
	By     string    `json:"by"`
	Note   string    `json:"note,omitempty"`
	Value  string    `json:"value,omitempty"`
	At     time.Time `json:"at"`
}

type wishJSON struct {
	Kind   state.WishKind `json:"kind"`
	By     string         `json:"by"`
	Reason string         `json:"reason,omitempty"`
	At     time.Time      `json:"at"`
}

type eventJSON struct {
	Wave   string        `json:"wave"`
	Act    state.WaveAct `json:"act"`
	Tenant uuid.UUID     `json:"tenant,omitzero"`
	Gate   string        `json:"gate,omitempty"` // of a wish: its kind
	Run    string        `json:"run,omitempty"`
	Value  string        `json:"value,omitempty"`
	By     string        `json:"by,omitempty"`
	Reason string        `json:"reason,omitempty"`
	At     time.Time     `json:"at"`
}

// WavesJSON writes how waves stand as JSON.
func WavesJSON(out io.Writer, w Waves) error {
	j := wavesJSON{FormatVersion: FormatVersion, AsOf: w.AsOf.UTC(), Waves: []waveJSON{}, Error: w.PlanError}
	for _, name := range w.names() {
		one := waveJSON{Name: name, Pauses: []pauseJSON{}, Gates: []gateJSON{}, Wishes: []wishJSON{}}
		if w.Plan != nil {
			v := newView(w.Plan)
			if i := slices.IndexFunc(v.context.Waves, func(x plan.WaveView) bool { return x.Name == name }); i >= 0 {
				of := v.context.Waves[i]
				of.Due = v.due(of)
				one.View = &of
			}
		}
		for _, p := range w.State.Pauses {
			if state.InWave(name, p.Wave) {
				one.Pauses = append(one.Pauses, pauseOf(p))
			}
		}
		for _, g := range w.Gates {
			if g.Wave != name {
				continue
			}
			gate := gateJSON{Gate: g.Name, PerTenant: w.opensByTenant(g)}
			for _, c := range confirmations(w.State.Confirmations, g, gate.PerTenant) {
				gate.Confirmed = true
				if gate.PerTenant {
					gate.Tenants = append(gate.Tenants, tenantGateJSON{c.Tenant, c.By, c.Note, c.Value, c.At})
				} else {
					gate.By, gate.Note, gate.Value, gate.At = c.By, c.Note, c.Value, c.At
				}
			}
			one.Gates = append(one.Gates, gate)
		}
		for _, wish := range w.State.Wishes {
			if wish.Wave == name {
				one.Wishes = append(one.Wishes, wishJSON{wish.Kind, wish.By, wish.Reason, wish.At})
			}
		}
		j.Waves = append(j.Waves, one)
	}
	for _, e := range w.Events {
		if w.History && (w.Wave == "" || state.InWave(e.Wave, w.Wave)) {
			j.History = append(j.History, eventJSON{e.Wave, e.Act, e.Tenant, e.Gate, e.Run, e.Value, e.By, e.Reason, e.At})
		}
	}
	return writeJSON(out, j)
}

// Paused says what became of a pause that was asked for: is stands now, was says that it stood before, back are those of
// rollbacks in the same place. slug is of the tenant that was asked for; "": the whole wave.
func Paused(out io.Writer, is state.Pause, was bool, back []state.Pause, slug string, o Options) error {
	p := newPage(out, o)
	where := "Wave " + Escape(is.Wave)
	asked := pause{is.Wave, slug}
	if was && is.Tenant == uuid.Nil {
		asked.tenant = ""
	}
	where += " is paused" + forTenant(asked.tenant)
	if was {
		p.hang("", where+" already, "+pauseWords(is)+". Nothing was changed.")
	} else {
		p.hang("", where+": it moves nobody there. An apply that is under way stops before its next batch.")
		for _, b := range back {
			p.hang("", "It was "+pauseWords(b)+" before, and stays paused where that is undone.")
		}
	}
	p.line("To let it go on:")
	p.gap()
	p.line("    %s", p.command(asked.resume()...))
	return p.flush()
}

// Resumed says which pauses were lifted, and which of tenants stay. slug is of the tenant that was asked for; "": the whole wave.
func Resumed(out io.Writer, wave, slug string, lifted, stay []state.Pause, slugs map[uuid.UUID]string, o Options) error {
	p := newPage(out, o)
	if len(lifted) == 0 {
		p.line("Wave %s is not paused%s: nothing to resume.", Escape(wave), forTenant(slug))
		return p.flush()
	}
	p.line("Wave %s goes on%s. See what that moves:", Escape(wave), forTenant(slug))
	p.gap()
	p.line("    %s", p.command("plan"))
	p.gap()
	p.line("Lifted:")
	for _, is := range lifted {
		p.line("  %s: %s", pauseIs(is, slugs).where(), pauseWords(is))
	}
	for i, is := range stay {
		if i == 0 {
			p.gap()
			p.line("Tenants of it that stay paused, each until:")
		}
		p.line("  %s: %s", pauseIs(is, slugs).where(), pauseWords(is))
		p.line("    %s", p.command(pauseIs(is, slugs).resume()...))
	}
	return p.flush()
}

// Unconfirmed says that a gate is closed again; was says whether it was open. slug is of the tenant that was asked for; "": all.
func Unconfirmed(out io.Writer, wave, gate, slug string, was bool, o Options) error {
	p := newPage(out, o)
	if !was {
		p.line("Gate %s of wave %s was not confirmed%s: nothing was changed.", Escape(gate), Escape(wave), forTenant(slug))
		return p.flush()
	}
	p.line("Gate %s of wave %s is closed again%s. The next plan takes it into account:", Escape(gate), Escape(wave), forTenant(slug))
	p.gap()
	p.line("    %s", p.command("plan"))
	return p.flush()
}

// Wished says that a wish is recorded, and what comes of it.
func Wished(out io.Writer, w state.Wish, o Options) error {
	p := newPage(out, o)
	p.hang("", "It is recorded what is wished of wave "+Escape(w.Wave)+": "+wishes(w.Kind)+". That alone changes nothing: a plan that goes by "+
		"it is blocked by "+string(plan.LoosensBrake)+" until it is allowed, and uses it up when it is applied.")
	p.gap()
	p.line("    %s", p.command("plan"))
	p.gap()
	p.line("To take it back:")
	p.gap()
	p.line("    %s", p.command(withdraw(w)...))
	return p.flush()
}

// Withdrawn says that what a command has asked for is taken back; was says whether anything was.
func Withdrawn(out io.Writer, wave, command string, was bool, o Options) error {
	p := newPage(out, o)
	if was {
		p.line("What anthill wave %s has asked for of wave %s is taken back.", command, Escape(wave))
	} else {
		p.line("anthill wave %s has asked for nothing of wave %s: nothing was changed.", command, Escape(wave))
	}
	return p.flush()
}

// TakesBack says how what a wave has done is taken back; moved says whether it has done anything.
func TakesBack(out io.Writer, wave string, moved bool, o Options) error {
	p := newPage(out, o)
	p.gap()
	if !moved {
		p.line("It has moved nobody: there is nothing to take back.")
		return p.flush()
	}
	p.line("To take back whom it has moved:")
	p.gap()
	p.line("    %s", p.command("rollback", "-wave", wave))
	return p.flush()
}
