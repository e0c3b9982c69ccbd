package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// undoes says which runs, and how much of them, are undone.
func (t *telling) undoes() string {
	var u plan.Undoing
	if t.effects.Undo != nil {
		u = *t.effects.Undo
	}
	runs := each(u.Runs, t.words.escape)
	s := "undoes " + users(t.changed()) + " of run " + strings.Join(runs, ", ")
	if len(runs) > 3 {
		s = fmt.Sprintf("undoes %s of %d runs, %s to %s", users(t.changed()), len(runs), runs[0], runs[len(runs)-1])
	}
	if u.PostgresOnly {
		s += " in Postgres alone"
	}
	if len(u.Waves) > 0 {
		s += ", wave " + t.words.names(u.Waves)
	}
	if len(u.Tenants) > 0 {
		s += ", " + of(int64(len(u.Tenants)), "tenant", "tenants")
	}
	return s
}

// undone says what a rollback does to persons, memberships and rows.
func (t *telling) undone() (list []string) {
	all := t.total()
	say := func(n int64, s string) {
		if n > 0 {
			list = append(list, s)
		}
	}
	n := all[plan.FigureOf(state.PersonExpire)]
	say(n, of(n, "person expires", "persons expire")+
		" at once; credentials are kept (deleted only with -delete-persons).")
	n = t.context.Asleep
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
	n = all[plan.FigureRowBack]
	say(n, "Self-auth is not asked, and nothing is changed there: "+of(n, "person stays as it is", "persons stay as they are")+
		", with login and groups. That half stays open until a later plan, or "+t.words.inline("rollback")+", takes it back.")
	n = all["mail"]
	say(n, of(n, "person gets back the addresses that it had", "persons get back the addresses that they had")+".")
	if !t.effects.PostgresOnly() {
		list = append(list, fmt.Sprintf("%s removed, %s added.",
			of(all[plan.FigureLeave], "membership is", "memberships are"), count(all[plan.FigureJoin])))
	}
	if s := t.admins(); s != "" {
		list = append(list, s+"   ("+t.show("-users", "-admins")+")")
	}
	n = all["restore"]
	if n == 0 && t.changed() > 0 {
		return append(list, "No row is changed.")
	}
	back := of(n, "row goes back to what it held", "rows go back to what they held") + " before, link and method included."
	if t.effects.PostgresOnly() {
		back += " Each lets its password in again."
	}
	list = append(list, back)
	n = t.context.Completed
	say(n, of(n, "of them has", "of them have")+
		" logged in through Self-auth since: that way closes, their password stays.")
	return list
}

// closes says what a rollback takes from everybody.
func (t *telling) closes() (list []said) {
	if !t.effects.Has(plan.LocksOut) {
		list = append(list, said{"Nobody loses the last way to log in.", false})
	}
	if t.clients(state.ActionDelete) {
		list = append(list, said{"Clients are deleted: logins through them end.", true})
	}
	return list
}

// stay says what stays paused, and until when.
func (t *telling) stay() (list []string) {
	for _, one := range pausesOf(t.effects) {
		what := "Wave " + t.words.escape(one.wave)
		if one.tenant != "" {
			what = t.words.escape(one.tenant) + " in wave " + t.words.escape(one.wave)
		}
		list = append(list, what+" stays paused until:  "+t.words.command(one.resume()...))
	}
	if t.effects.Undo == nil {
		return nil
	}
	slugs := t.effects.Slugs()
	gates := t.effects.Undo.Gates // sorted by wave, name, tenant
	for len(gates) > 0 {
		g, n := gates[0], 1
		for n < len(gates) && gates[n].Wave == g.Wave && gates[n].Name == g.Name {
			n++
		}
		var who []string
		for _, one := range gates[:n] {
			if one.Tenant != uuid.Nil {
				who = append(who, cmp.Or(slugs[one.Tenant], one.Tenant.String()))
			}
		}
		gates = gates[n:]
		of, args := "", []string{"wave", "confirm", g.Wave, g.Name}
		if len(who) > 0 {
			of, args = " for "+strings.Join(t.words.fewNames(who), ", "), []string{"wave", "confirm", "-tenant", who[0], g.Wave, g.Name}
		}
		list = append(list, "Gate "+t.words.escape(g.Name)+" of wave "+t.words.escape(g.Wave)+" is closed"+of+" until it is confirmed anew:  "+
			t.words.command(args...))
	}
	return list
}

// undoKinds says how what the plan does is taken back, each sort of it.
func (t *telling) undoKinds() (list []string) {
	objects := map[plan.UndoKind]int64{}
	for _, c := range t.effects.Objects {
		objects[c.UndoKind()]++
	}
	for _, kind := range []plan.UndoKind{plan.UndoExact, plan.UndoExpire, plan.UndoRecycled, plan.UndoNever} {
		var what []string
		if n := t.view.undo[kind]; n > 0 {
			what = append(what, users(n))
		}
		if n := objects[kind]; n > 0 {
			what = append(what, of(n, "object", "objects"))
		}
		if len(what) > 0 {
			list = append(list, strings.Join(what, ", ")+": "+undoWords(kind))
		}
	}
	if n := int64(len(t.effects.Schema)); n > 0 {
		list = append(list, of(n, "schema step", "schema steps")+": "+undoWords(plan.UndoAsked))
	}
	if n := int64(len(t.effects.SchemaBack())); n > 0 {
		list = append(list, of(n, "schema step", "schema steps")+" taken back: "+undoWords(plan.UndoExact))
	}
	return list
}

// undoWords say how a change is taken back.
func undoWords(k plan.UndoKind) string {
	switch k {
	case plan.UndoExact:
		return "as it was, but for what others change until then"
	case plan.UndoExpire:
		return "as it was, and the person expires; it keeps the credential that it may have enrolled by then"
	case plan.UndoNever:
		return "stays, as their rows do not ask for it; what is left of a rollback of Postgres alone is undone with that rollback"
	case plan.UndoRecycled:
		return fmt.Sprintf("as it was for %d days; made anew after that, with another id and without credential or secret",
			plan.RecycleDays)
	}
	return "stays, unless the rollback is told -schema"
}
