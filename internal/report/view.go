package report

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// view is all that a form shows of a plan. What the plan does to users is counted here, from its effects alone.
type view struct {
	id, seal state.Hash
	effects  *plan.Effects
	basis    *plan.Basis
	context  *plan.Context
	parts    []part // users moved before, then waves in the order in which they are moved or taken back
	actions  map[state.Action]int64
	undo     map[plan.UndoKind]int64 // users, by how they would be taken back
	letters  []mailsOf
}

// part is what happens to users of one sort: those moved before, or those of one wave.
type part struct {
	Kind    plan.SegmentKind     `json:"kind"`
	Wave    string               `json:"wave,omitempty"`
	Tenants []plan.TenantFigures `json:"tenants"` // sorted by slug
	All     plan.Figures         `json:"all"`
}

// repeats says whether a figure only says once more what another one says: where users are moved and all admins among
// them come to be so, which is what moving means.
func (p part) repeats(f plan.Figure) bool {
	return p.Kind == plan.SegmentMove && f == plan.FigureGainAdmin && p.All[f] == p.All[plan.FigureAdmins]
}

func newView(f *planfile.File) *view {
	v := &view{id: f.ID(), seal: f.Seal(), effects: f.Effects(), basis: f.Basis(), context: f.Context()}
	v.parts, v.actions, v.letters = partsOf(f), map[state.Action]int64{}, mailsIn(f)
	for _, o := range v.effects.Objects {
		v.actions[o.Action]++
	}
	v.undo = map[plan.UndoKind]int64{}
	for i, s := range v.effects.Segments {
		for _, c := range f.Counted(i) {
			if c.Users > 0 && !s.Kind.Mails() {
				v.undo[c.Shape.UndoKind(s.Kind)] += c.Users
			}
		}
	}
	return v
}

// partsOf counts what happens to users, from the effects of a plan alone.
func partsOf(f *planfile.File) (parts []part) {
	e := f.Effects()
	for _, i := range e.InOrder() {
		s := e.Segments[i]
		if s.Kind.Mails() { // whose users do not change
			continue
		}
		p := part{Kind: s.Kind, Wave: s.Wave, Tenants: e.ByTenant(s.Kind, f.Counted(i)), All: plan.Figures{}}
		for _, t := range p.Tenants {
			p.All.Add(t.Figures)
		}
		parts = append(parts, p)
	}
	return parts
}

// total are the figures of all users whom the plan changes.
func (v *view) total() plan.Figures {
	sum := plan.Figures{}
	for _, p := range v.parts {
		sum.Add(p.All)
	}
	return sum
}

// moved is the part of a wave that is moved; nil where nobody of it is.
func (v *view) moved(wave string) *part {
	i := slices.IndexFunc(v.parts, func(p part) bool { return p.Kind == plan.SegmentMove && p.Wave == wave })
	if i < 0 {
		return nil
	}
	return &v.parts[i]
}

// due is how many users of a wave are to be moved: those whom the plan moves, or, if it leaves the wave alone, those
// who wait for it.
func (v *view) due(w plan.WaveView) int64 {
	if p := v.moved(w.Name); p != nil {
		return p.All[plan.FigureUsers]
	}
	if slices.ContainsFunc(v.effects.Waves, func(e plan.WaveEffect) bool { return e.Name == w.Name }) {
		return 0
	}
	return w.Due
}

// changed is how many users the plan changes.
func (v *view) changed() int64 { return v.total()[plan.FigureUsers] }

// schema are the steps of the schema, made or taken back: what each does, or where nothing is said of it its name.
func (v *view) schema() []state.Finding {
	steps := slices.Concat(v.effects.Schema, v.effects.SchemaBack())
	if len(v.context.Schema) == len(steps) {
		return v.context.Schema
	}
	list := make([]state.Finding, len(steps))
	for i, name := range steps {
		list[i] = state.Found(state.Code(name))
	}
	return list
}

// clients says whether one of the actions happens to a client.
func (v *view) clients(actions ...state.Action) bool {
	return slices.ContainsFunc(v.effects.Objects, func(o plan.ObjectChange) bool {
		return o.Kind == state.KindClient && slices.Contains(actions, o.Action)
	})
}

// isRollback says whether the plan takes runs back.
func (v *view) isRollback() bool { return v.effects.Kind == state.RunRollback }

// speaks gives a voice what sentences about this plan refer to.
func (v *view) speaks(s *voice) *voice {
	s.groups = map[uuid.UUID]string{}
	for _, g := range v.effects.Groups {
		s.groups[g.ID] = g.Name
	}
	return s
}

// pause is one that a rollback leaves behind.
type pause struct{ wave, tenant string } // tenant: its slug; "": the whole wave

func pausesOf(e *plan.Effects) (list []pause) {
	if e.Undo == nil {
		return nil
	}
	slugs := e.Slugs()
	for _, p := range e.Undo.Pauses {
		one := pause{wave: p.Wave}
		if p.Tenant != uuid.Nil {
			one.tenant = cmp.Or(slugs[p.Tenant], p.Tenant.String())
		}
		list = append(list, one)
	}
	return list
}

// resume are the arguments of the command that lifts the pause.
func (p pause) resume() []string {
	if p.tenant == "" {
		return []string{"wave", "resume", p.wave}
	}
	return []string{"wave", "resume", "-tenant", p.tenant, p.wave}
}

// goesOn are the arguments of the commands that take back what a rollback has left, and nothing else.
func goesOn(e *plan.Effects) (commands [][]string) {
	var flags []string
	if e.Undo.DeletePersons {
		flags = append(flags, "-delete-persons")
	}
	if e.PostgresOnly() {
		flags = append(flags, "-postgres-only")
	}
	return again(e, flags)
}

// AloneAgain are the arguments of the command that goes on with a rollback of Postgres alone that was stopped.
func AloneAgain(e *plan.Effects) []string {
	if commands := goesOn(e); len(commands) == 1 {
		return commands[0]
	}
	return []string{"rollback", "-postgres-only"} // of all runs
}

// again are the arguments of the commands that take back, with some flags, what a rollback was to take back.
func again(e *plan.Effects, flags []string) (commands [][]string) {
	var scope []string
	for _, w := range e.Undo.Waves {
		scope = append(scope, "-wave", w)
	}
	slugs := e.Slugs()
	for _, t := range e.Undo.Tenants {
		scope = append(scope, "-tenant", cmp.Or(slugs[t], t.String()))
	}
	scope = append(scope, flags...)
	if len(e.Undo.Runs) > 1 && len(e.Undo.Waves)+len(e.Undo.Tenants) > 0 {
		return [][]string{append([]string{"rollback"}, scope...)} // whichever runs moved them
	}
	// One command has one run.
	for _, run := range slices.Backward(e.Undo.Runs) {
		commands = append(commands, append([]string{"rollback", "-run", run}, scope...))
	}
	return commands
}
