package report

import (
	"fmt"
	"io"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

const listedConflicts = 10

// undoSummary is the first screen of a rollback.
func (p *planPage) undoSummary() {
	p.gap()
	p.para("This plan " + p.undoes() + ".")
	all := p.total()
	say := func(n int64, s string) {
		if n > 0 {
			p.para(s)
		}
	}
	p.gap()
	n := all[plan.FigureOf(state.PersonExpire)]
	say(n, of(n, "person expires", "persons expire")+
		" at once; credentials are kept (deleted only with -delete-persons).")
	n = p.context.Asleep
	say(n, of(n, "of them is", "of them are")+" expired by now.")
	n = all[plan.FigureOf(state.PersonDelete)]
	say(n, of(n, "person is", "persons are")+" deleted with the credentials enrolled.")
	n = all[plan.FigureOf(state.PersonEnable)]
	say(n, of(n, "person is", "persons are")+" enabled again.")
	n = all[plan.FigureOf(state.PersonRevive)]
	say(n, of(n, "person comes", "persons come")+" back from the recycle bin, one by one.")
	n = all[plan.FigureKeepsLogin]
	say(n, of(n, "person was in Self-auth before Anthill and stays, with the login that it had.",
		"persons were in Self-auth before Anthill and stay, with the logins that they had."))
	n = all[plan.FigureAsItIs]
	say(n, of(n, "person stays as it is", "persons stay as they are")+": expired already, or another row is linked to it.")
	n = all[plan.FigureStaysMoved]
	say(n, of(n, "user was moved by an earlier run and stays moved", "users were moved by earlier runs and stay moved")+
		": only what was changed since is taken back.")
	n = all["mail"]
	say(n, of(n, "person gets back the addresses that it had", "persons get back the addresses that they had")+".")
	p.para(fmt.Sprintf("%s removed, %s added.", of(all[plan.FigureLeave], "membership is", "memberships are"),
		count(all[plan.FigureJoin])))
	p.admins()
	p.para(of(all["restore"], "row goes back to what it held", "rows go back to what they held") +
		" before, link and method included.")
	n = p.context.Completed
	say(n, of(n, "of them has", "of them have")+
		" logged in through Self-auth since: that way closes, their password stays.")
	if len(p.effects.Objects) > 0 {
		p.objectCounts()
	}
	p.conflicts()
	p.gap()
	if !p.effects.Has(plan.LocksOut) {
		p.line("  Nobody loses the last way to log in.")
	}
	if p.clients(state.ActionDelete) {
		p.line("  %s", p.bold("Clients are deleted: logins through them end."))
	}
	p.line("  This rollback can itself be rolled back.")
	p.recycled()
	p.allowed()
	p.pauses()
}

// undoes says which runs, and how much of them, are undone.
func (p *planPage) undoes() string {
	var u plan.Undoing
	if p.effects.Undo != nil {
		u = *p.effects.Undo
	}
	runs := each(u.Runs, Escape)
	s := "undoes " + users(p.changed()) + " of run " + strings.Join(runs, ", ")
	if len(runs) > 3 {
		s = fmt.Sprintf("undoes %s of %d runs, %s to %s", users(p.changed()), len(runs), runs[0], runs[len(runs)-1])
	}
	if len(u.Waves) > 0 {
		s += ", wave " + strings.Join(each(u.Waves, Escape), ", ")
	}
	if len(u.Tenants) > 0 {
		s += ", " + of(int64(len(u.Tenants)), "tenant", "tenants")
	}
	return s
}

func (p *planPage) conflicts() {
	list := p.context.Conflicts
	if len(list) == 0 {
		return
	}
	p.line("  %s:", inConflict(int64(len(list))))
	for i, c := range list {
		if i == listedConflicts {
			p.line("     and %s more", count(int64(len(list)-i)))
			return
		}
		p.line("     %s  %s", c.User, p.words.say(c.Why))
	}
}

func (p *planPage) pauses() {
	for _, one := range pausesOf(p.effects) {
		what := "Wave " + Escape(one.wave)
		if one.tenant != "" {
			what = Escape(one.tenant) + " in wave " + Escape(one.wave)
		}
		p.line("  %s stays paused until:  %s", what, p.command(one.resume()...))
	}
}

// NothingToUndo writes that a rollback has nothing to do, and which users it would have to leave as they are.
func NothingToUndo(w io.Writer, f *planfile.File, o Options) error {
	p := newPlanPage(w, newView(f), o)
	if len(p.context.Conflicts) == 0 {
		p.line("Nothing to take back: no run that changed anything is left.")
	} else {
		p.line("Nothing to take back as things stand.")
		p.conflicts()
	}
	return p.flush()
}
