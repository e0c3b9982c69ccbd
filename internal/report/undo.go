package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/state"
)

const listedConflicts = 10

// undoSummary is the first screen of a rollback.
func (p *planPage) undoSummary() {
	u := p.plan.Undo
	what := "undoes " + users(p.a.Changed) + " of run " + strings.Join(u.Runs, ", ")
	if len(u.Runs) > 3 {
		what = fmt.Sprintf("undoes %s of %d runs, %s to %s", users(p.a.Changed), len(u.Runs), u.Runs[0], u.Runs[len(u.Runs)-1])
	}
	if len(u.Waves) > 0 {
		what += ", wave " + strings.Join(escapeAll(u.Waves), ", ")
	}
	if len(u.Tenants) > 0 {
		what += ", " + of(int64(len(u.Tenants)), "tenant", "tenants")
	}
	p.gap()
	p.para("This plan " + what + ".")
	var all planner.TenantEffect
	for _, w := range p.a.Waves {
		for _, t := range w.Tenants {
			all.Expire += t.Expire
			all.Delete += t.Delete
			all.Enable += t.Enable
			all.Revive += t.Revive
			all.Leave += t.Leave
			all.Join += t.Join
			all.Restore += t.Restore
			all.Used += t.Used
		}
	}
	p.gap()
	if all.Expire > 0 {
		p.para(of(all.Expire, "person expires", "persons expire") + " at once; credentials are kept (deleted only with -delete-persons).")
	}
	if all.Delete > 0 {
		p.para(of(all.Delete, "person is", "persons are") + " deleted with the credentials enrolled.")
	}
	if all.Enable > 0 {
		p.para(of(all.Enable, "person is", "persons are") + " enabled again.")
	}
	if all.Revive > 0 {
		p.para(of(all.Revive, "person comes", "persons come") + " back from the recycle bin, one by one.")
	}
	p.para(fmt.Sprintf("%s removed, %s added.", of(all.Leave, "membership is", "memberships are"), count(all.Join)))
	p.para(fmt.Sprintf("%s to what they held before, link and method included.", of(all.Restore, "row goes back", "rows go back")))
	if all.Used > 0 {
		p.para(fmt.Sprintf("%s logged in through Self-auth since: that way closes, their password stays.", of(all.Used, "of them has", "of them have")))
	}
	if len(p.plan.Objects) > 0 {
		p.objectCounts()
	}
	p.conflicts()
	p.gap()
	if !slices.ContainsFunc(p.plan.Hazards, func(h planner.Hazard) bool { return h.Code == planner.LocksOut }) {
		p.line("  Nobody loses the last way to log in.")
	}
	if slices.ContainsFunc(p.plan.Objects, func(o planner.ObjectChange) bool { return o.Kind == state.KindClient && o.Will == nil }) {
		p.line("  %s", p.bold("Clients are deleted: logins through them end. They can be brought back for seven days."))
	}
	p.line("  This rollback can itself be rolled back.")
	p.allowed()
	p.pauses()
}

func (p *planPage) conflicts() {
	if len(p.a.Conflicts) == 0 {
		return
	}
	p.line("  %s and stay as they are:", of(int64(len(p.a.Conflicts)), "user is in conflict", "users are in conflict"))
	for i, c := range p.a.Conflicts {
		if i == listedConflicts {
			p.line("     and %s more", count(int64(len(p.a.Conflicts)-i)))
			return
		}
		p.line("     %s  %s", c.User, Escape(c.Reason))
	}
}

func (p *planPage) pauses() {
	for _, c := range resumeCommands(p.plan) {
		p.line("  %s stays paused until:  %s", c.what, c.command)
	}
}

// resumeCommand lifts one of the pauses that a rollback leaves.
type resumeCommand struct{ what, command string }

func resumeCommands(plan *planner.Plan) (list []resumeCommand) {
	slugs := map[uuid.UUID]string{}
	for _, w := range plan.Analysis.Waves {
		for _, t := range w.Tenants {
			slugs[t.Tenant] = t.Slug
		}
	}
	for _, pause := range plan.Undo.Pauses {
		wave := Escape(pause.Wave)
		if pause.Tenant == uuid.Nil {
			list = append(list, resumeCommand{"Wave " + wave, "anthill wave resume " + wave})
			continue
		}
		slug := Escape(slugs[pause.Tenant])
		list = append(list, resumeCommand{slug + " in wave " + wave, "anthill wave resume -tenant " + slug + " " + wave})
	}
	return list
}

// NothingToUndo says that a rollback has nothing to do, and who stands in spite of it.
func NothingToUndo(w io.Writer, plan *planner.Plan, o Options) error {
	p := planPage{page: newPage(w, o), plan: plan, a: &plan.Analysis}
	if len(p.a.Conflicts) == 0 {
		p.line("Nothing to take back: no run that changed anything is left.")
	} else {
		p.line("Nothing to take back as things stand.")
		p.conflicts()
	}
	return p.flush()
}
