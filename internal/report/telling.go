package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// telling is a plan in words, for one form: what is said of it, and in what order, but not where it stands. The texts
// are safe for the form, as its voice is, and hold no line break.
type telling struct {
	*view
	words *voice
	file  string // where the plan is saved, for commands that are told; "": nowhere
}

func (v *view) tell(words *voice, file string) *telling {
	return &telling{v, v.speaks(words), file}
}

// said is a sentence; one that is strong must not be missed.
type said struct {
	text   string
	strong bool
}

// show is the command that shows this plan with flags.
func (t *telling) show(flags ...string) string {
	return t.words.command(append(append([]string{"show"}, flags...), cmp.Or(t.file, "PLANFILE"))...)
}

// early says that the plan must not be carried out yet; "" where it may.
func (t *telling) early() string {
	if at := t.effects.NotBefore; !at.IsZero() {
		return "Made as of " + stamp(at) + ", a time that lies ahead: apply refuses this plan until then."
	}
	return ""
}

// openRun says that a run must be finished first; "" where none is open.
func (t *telling) openRun() string {
	if t.context.OpenRun == "" {
		return ""
	}
	if t.effects.Was != nil {
		return fmt.Sprintf("Run %s is still open. Once what is recorded belongs to this target, %s finishes it.",
			t.words.escape(t.context.OpenRun), t.words.inline("apply"))
	}
	return fmt.Sprintf("Run %s is still open: its users are left out of this plan. %s finishes it first.",
		t.words.escape(t.context.OpenRun), t.words.inline("apply"))
}

// origin says where the plan was made, as far as that is known, in parts.
func (t *telling) origin() (parts []string) {
	o := t.context.Origin
	if o.Commit != "" {
		at := "of commit " + t.words.escape(o.Commit[:min(len(o.Commit), 12)])
		switch o.Files {
		case plan.FilesCommitted:
		case plan.FilesOtherwise:
			at += ", with files that are not as in it"
		default:
			at += ", with which the files were not compared"
		}
		parts = append(parts, at)
	}
	if o.Author != "" {
		parts = append(parts, "by "+t.words.escape(o.Author))
	}
	return parts
}

// job is the address of the job that made the plan; "" where none is known.
func (t *telling) job() string { return t.words.escape(t.context.Origin.Job) }

// risk is a hazard in words.
type risk struct {
	code    string
	count   int64
	made    []state.Finding // what it is made of
	of      []string        // the same in words; where that is much, the last one counts the rest
	allowed bool
	explain string // the command that says what to do about it
	allow   string // the flag that allows it
}

func (t *telling) hazards() (list []risk) {
	for _, h := range t.effects.Hazards {
		one := risk{
			code: t.words.hazard(h.Code), count: h.Count, made: h.Of, allowed: t.effects.Allows(h),
			explain: t.words.command("explain", string(h.Code)), allow: fmt.Sprintf("-allow %s=%d", h.Code, h.Count),
		}
		one.of = t.words.sayFew(h.Of)
		if one.allowed {
			one.of = append(one.of, t.allowedBy(h)...)
		}
		list = append(list, one)
	}
	return list
}

// allowedBy says which block of the configuration allows a hazard, until when and why; empty where the command line does.
func (t *telling) allowedBy(h plan.Hazard) []string {
	i := slices.IndexFunc(t.context.Allowed, func(a plan.AllowView) bool { return a.Code == h.Code })
	k := slices.IndexFunc(t.effects.Allowed, func(a plan.Allowance) bool { return a.Code == h.Code && a.Count == h.Count })
	if k < 0 || t.effects.Allowed[k].Until.IsZero() {
		return nil
	}
	said := "Allowed until " + stamp(t.effects.Allowed[k].Until)
	if i >= 0 {
		a := t.context.Allowed[i]
		said += " by " + t.words.escape(fmt.Sprintf("%s:%d", a.Where.File, a.Where.Line)) + ": " + t.words.escape(a.Reason)
	}
	return []string{said}
}

// hazard is a code of those that there are; a file may have any other.
func (v *voice) hazard(c plan.HazardCode) string {
	if slices.Contains(plan.HazardCodes(), c) {
		return string(c)
	}
	return v.escape(string(c))
}

// blocked are the hazards that nobody allowed.
func (t *telling) blocked() []risk {
	return slices.DeleteFunc(t.hazards(), func(r risk) bool { return r.allowed })
}

// headline says in one sentence what the plan does.
func (t *telling) headline() string {
	switch n, live := t.changed(), t.context.Population.Live; {
	case t.isRollback():
		return "This plan " + t.undoes() + "."
	case t.context.Drift != nil:
		return t.drifted()
	case t.effects.Was != nil:
		return "What is recorded is bound to another target. Nothing else changes."
	case t.effects.Empty():
		return "Nothing to do."
	case t.effects.Kind == state.RunInvite:
		return "Nobody changes: mails go out to users who are moved"
	case n+t.effects.Strangers() == 0 && !t.groupsGo():
		return "None of " + of(live, "live user", "live users") + " changes"
	default:
		return fmt.Sprintf("%s of %s %s (%s): %s", count(n), of(live, "live user", "live users"),
			plural(n, "changes", "change"), percent(n, live), t.gains())
	}
}

// movedAlready says how many users are.
func (t *telling) movedAlready() string {
	all := t.context.Population
	return fmt.Sprintf("%s of %s moved already.", count(all.Moved), of(all.Live, "live user is", "live users are"))
}

// gains says in few words who gains and who loses.
func (t *telling) gains() string {
	all := t.total()
	gain := all.Gains()
	s := count(gain) + plural(gain, " gains", " gain") + " Self-auth login"
	strange := t.effects.Strangers()
	switch lose := all.Loses(); {
	case lose > 0:
		s += ", " + count(lose) + plural(lose, " loses it", " lose it")
	case all[plan.FigureLeave]+strange+all[plan.FigureRaised]+all["release"] == 0 && !t.groupsGo():
		s += ", none loses anything"
	}
	if n := all[plan.FigureRaised]; n > 0 {
		s += ", " + of(n, "logs in", "log in") + " through Self-auth alone from now on"
	}
	if n := all["release"]; n > 0 {
		s += ", " + of(n, "person gives", "persons give") + " up an address that another user has now"
	}
	if n := all[plan.FigureLeavers]; n > 0 {
		s += ", " + of(n, "leaves groups", "leave groups") + " (" +
			of(all[plan.FigureLeave], "membership ends", "memberships end") + ")"
	}
	if strange > 0 {
		s += "; " + of(strange, "member who does not belong leaves a group", "members who do not belong leave their groups") +
			` (manage = "full")`
	}
	return s
}

// groupsGo says whether a group goes, or its mapping row, which its members lose with it.
func (t *telling) groupsGo() bool {
	return slices.ContainsFunc(t.effects.Objects, func(o plan.ObjectChange) bool {
		return o.Kind == state.KindGroup && (o.Action == state.ActionDelete || o.Action == state.ActionForget)
	})
}

// admins says who becomes admin of a tenant in Self-auth, and who ceases to be; "" where nobody does.
func (t *telling) admins() string {
	all := t.total()
	gain, lose := all[plan.FigureGainAdmin], all[plan.FigureLoseAdmin]
	var parts []string
	if gain > 0 {
		parts = append(parts, of(gain, "user becomes admin of a tenant", "users become admin of their tenants"))
	}
	switch {
	case lose > 0 && gain > 0:
		parts = append(parts, count(lose)+plural(lose, " ceases to be admin", " cease to be admin"))
	case lose > 0:
		parts = append(parts, of(lose, "user ceases to be admin", "users cease to be admin"))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " in Self-auth"
}

// objectCounts says how many objects change, how many steps the schema takes and which mails go out, each where there are any.
func (t *telling) objectCounts() (list []string) {
	if t.effects.Was != nil {
		return t.retargets()
	}
	n := t.actions
	if all := len(t.effects.Objects); all > 0 && t.effects.Kind == state.RunRefresh {
		list = append(list, of(int64(all), "object", "objects")+" to record otherwise")
	} else if all > 0 {
		s := fmt.Sprintf("%s: %s to create, %s to change, %s to delete", of(int64(all), "object", "objects"),
			count(n[state.ActionCreate]), count(n[state.ActionUpdate]+n[state.ActionRecover]), count(n[state.ActionDelete]))
		for _, more := range []struct {
			action state.Action
			words  string
		}{
			{state.ActionReplace, "to make again"}, {state.ActionAdopt, "to take over"}, {state.ActionForget, "to forget"},
			{state.ActionRecord, "to record otherwise"},
		} {
			if n[more.action] > 0 {
				s += ", " + count(n[more.action]) + " " + more.words
			}
		}
		list = append(list, s+"; "+count(int64(t.context.Objects.Unchanged))+" unchanged")
	}
	if n := int64(len(t.effects.Schema)); n > 0 {
		list = append(list, of(n, "schema step", "schema steps")+t.toDual())
	}
	if n := int64(len(t.effects.SchemaBack())); n > 0 {
		list = append(list, of(n, "schema step", "schema steps")+" back from dual to the baseline")
	}
	return append(list, t.mailings()...)
}

// toDual says from where steps of the schema lead to dual: they may only make again what others have taken away.
func (t *telling) toDual() string {
	again := func(f state.Finding) bool { return f.Code == state.CodeDriftPart || f.Code == state.CodeDriftPartGone }
	if slices.ContainsFunc(t.context.Outside, again) {
		return " to dual again"
	}
	return " from the baseline to dual"
}

// logins says who loses a way to log in, or that nobody does.
func (t *telling) logins() (list []said) {
	if lose := t.total().Loses(); lose > 0 {
		list = append(list, said{of(lose,
			"user whose row is gone, not active or not linked loses the Self-auth login; the person expires.",
			"users whose row is gone, not active or not linked lose their Self-auth login; their persons expire."), true})
	}
	if t.effects.Has(plan.LocksOut) {
		list = append(list, said{"Users lose a way to log in: see " + string(plan.LocksOut) + ".", true})
	}
	if len(list) == 0 {
		list = append(list, said{"Nobody loses a way to log in.", false})
	}
	return list
}

// isolation says whether tenants are kept apart, what follows where they are not, and what is wrong then.
func (t *telling) isolation() (verdict said, follows string, violations []state.Finding) {
	i := t.context.Isolation
	switch {
	case t.effects.Was != nil:
		return said{"Tenant isolation is as it was: nobody joins or leaves a group.", false}, "", nil
	case len(i.Violations) == 0 && i.Unseen:
		return said{"Tenant isolation was not looked at: this account does not see groups.", false}, "", nil
	case len(i.Violations) == 0:
		return said{fmt.Sprintf("Tenant isolation holds (%s, %s).", of(int64(i.Groups), "group", "groups"),
			of(i.Memberships, "membership", "memberships")), false}, "", nil
	}
	verdict = said{"Tenant isolation does not hold.", true}
	if !slices.ContainsFunc(i.Violations, func(f state.Finding) bool { return f.Code != state.CodeGroupHidden }) {
		verdict.text = "Tenant isolation cannot be seen."
	}
	return verdict, "The tenants concerned are left out:", i.Violations
}

// undo says whether what the plan does can be taken back; "" where it does nothing.
func (t *telling) undo() string {
	switch {
	case t.isRollback():
		return "This rollback can itself be rolled back."
	case t.effects.Was != nil:
		return "The way back is " + t.words.inline("state", "retarget") + " with the settings of before."
	case t.view.undo[plan.UndoNever] > 0:
		return t.undoBut(t.view.undo[plan.UndoNever])
	case t.effects.Kind == state.RunInvite || !t.effects.GivesBack() && t.effects.Mails() > 0 && t.view.undo[plan.UndoNever] == 0:
		return "A mail that is sent cannot be taken back."
	case len(t.effects.Schema) > 0:
		return "Everything can be undone; the schema, which is only added to and relaxed, with -schema." + t.butMails()
	case !t.effects.Empty():
		return "Everything can be undone." + t.butMails()
	}
	return ""
}

// butMails says that what is sent stays sent; "" where nothing is.
func (t *telling) butMails() string {
	if len(t.effects.Mailings) == 0 {
		return ""
	}
	if !slices.ContainsFunc(t.effects.Mailings, func(m plan.Mailing) bool { return m.Link == state.LinkCode }) {
		return " A mail that is sent is not."
	}
	return " A mail that is sent is not: a code in it can still set a credential until it ends, but lets nobody in who was taken back."
}

// undoBut says what can be taken back where the plan takes something from users who are not moved.
func (t *telling) undoBut(never int64) string {
	stays := "what is taken from " + of(never, "user who is not moved", "users who are not moved") + " stays taken, as " +
		map[bool]string{true: "its row does", false: "their rows do"}[never == 1] + " not ask for it."
	if !t.effects.GivesBack() {
		return "No rollback of this plan gives anything back: " + stays
	}
	schema := ""
	if len(t.effects.Schema) > 0 {
		schema = ", the schema with -schema"
	}
	return "Everything else can be undone" + schema + ": " + stays
}

// recycled says what is deleted, and so comes back as it was for some days only; "" where nothing is.
func (t *telling) recycled() string {
	n := map[state.Kind]int64{}
	for _, c := range t.effects.Objects {
		if c.UndoKind() == plan.UndoRecycled {
			n[c.Kind]++
		}
	}
	var parts []string
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	add(n[state.KindGroup], "group", "groups")
	add(n[state.KindClient], "client with its secret", "clients with their secrets")
	add(t.total()[plan.FigureOf(state.PersonDelete)], "person with its credentials", "persons with their credentials")
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("What is deleted comes back as it was for %d days, and is made anew after that: %s.",
		plan.RecycleDays, strings.Join(parts, ", "))
}

// wave says how a wave stands, behind its name and state.
func (t *telling) wave(w plan.WaveView) string {
	var parts []string
	moves, due := t.moved(w.Name), t.due(w)
	reasons := func() { parts = append(parts, t.words.reasons(w)...) }
	switch {
	case w.State == plan.WaveDone:
		parts = append(parts, fmt.Sprintf("%s moved%s, since %s", users(w.Moved), reached(w.Figures), day(w.Since)))
		switch {
		case moves != nil:
			parts = append(parts, fmt.Sprintf("%s late: %s", users(due), t.tenants(moves.Tenants)))
		case due > 0:
			parts = append(parts, users(due)+" late")
		}
		reasons()
	case w.State == plan.WaveDisabled && moves == nil:
		parts = append(parts, "disabled")
		reasons()
		return strings.Join(parts, "; ")
	case moves == nil && w.State == plan.WaveHeld:
		reasons()
		if due > 0 {
			parts = append(parts, users(due)+" to move")
		}
	default:
		if w.Moved > 0 {
			parts = append(parts, users(w.Moved)+" moved"+reached(w.Figures))
		}
		if moves != nil {
			parts = append(parts, users(due)+" to move: "+t.tenants(moves.Tenants))
		}
		reasons()
	}
	parts = append(parts, waiting(w)...)
	if w.Left > 0 && w.State != plan.WaveHeld {
		parts = append(parts, users(w.Left)+" left out of this plan")
	}
	if w.Skipped > 0 {
		parts = append(parts, users(w.Skipped)+" skipped")
	}
	if len(parts) == 0 {
		return "nobody to move"
	}
	return strings.Join(parts, "; ")
}

// reached says how far those have come who were moved: invited, enrolled, completed; "" where none has, as far as is known.
func reached(f state.WaveFigures) string {
	var parts []string
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what)
		}
	}
	add(f.Invited, "invited")
	if f.Enrolled != nil {
		add(*f.Enrolled, "enrolled")
	}
	add(f.Completed, "completed")
	return enclosed(" (", strings.Join(parts, ", "))
}

// waiting says what users wait for who are neither to be moved now nor skipped.
func waiting(w plan.WaveView) (parts []string) {
	n := map[plan.SkipReason]int64{}
	for _, s := range w.NotMoved {
		n[s.Reason] = s.Count
	}
	enrol, letIn, follow, confirm := n[plan.SkipNotEnrolled], n[plan.SkipNotLetIn], n[plan.SkipFollows], n[plan.SkipUnconfirmed]
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, of(n, "user waits", "users wait")+what)
		}
	}
	add(w.Waiting-enrol-letIn-follow-confirm-n[plan.SkipWidened], " for a pause to end")
	add(enrol, " until enrolled in Self-auth")
	add(letIn, " for a client that lets them in")
	add(follow, " for the next plan")
	return parts
}

const listedTenants = 6

// tenants names the tenants with most users.
func (t *telling) tenants(list []plan.TenantFigures) string {
	list = bySize(list)
	var parts []string
	for i, one := range list {
		if i == listedTenants {
			var rest int64
			for _, r := range list[i:] {
				rest += r.Figures[plan.FigureUsers]
			}
			parts = append(parts, of(int64(len(list)-i), "other tenant", "other tenants")+" "+count(rest))
			break
		}
		parts = append(parts, t.words.tenant(one)+" "+count(one.Figures[plan.FigureUsers]))
	}
	return strings.Join(parts, ", ")
}

// reason is why users are not moved.
type reason struct {
	users int64
	why   string
}

// notMoved counts the users whom waves that the plan moves, or that were moved before, leave out. What waves that are
// held will leave out stands beside each of them.
func (t *telling) notMoved() (all int64, list []reason) {
	counts := map[plan.SkipReason]int64{}
	for _, w := range t.context.Waves {
		if w.State == plan.WaveHeld || w.State == plan.WaveDisabled {
			continue
		}
		for _, s := range w.NotMoved {
			counts[s.Reason] += s.Count
			all += s.Count
		}
	}
	for _, r := range plan.SkipReasons() {
		if n := counts[r]; n > 0 {
			list = append(list, reason{n, skipped(r)})
		}
	}
	return all, list
}

// remark is a list of findings under a title.
type remark struct {
	title string
	list  []state.Finding
}

func (t *telling) remarks() []remark {
	return slices.DeleteFunc([]remark{
		{"Dormant", t.context.Objects.Dormant},
		{"Changed outside Anthill", t.context.Outside},
		{"Notes", otherNotes(t.context)},
	}, func(r remark) bool { return len(r.list) == 0 })
}

// ofEachKind are n of some findings, in their order: what is said of a thousand tenants hides nothing that is said once.
func ofEachKind(list []state.Finding, n int) []state.Finding {
	type place struct{ at, nth int }
	seen := map[state.Code]int{}
	places := make([]place, len(list))
	for i, f := range list {
		places[i] = place{i, seen[f.Code]}
		seen[f.Code]++
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.nth, b.nth) })
	places = places[:min(n, len(places))]
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	kept := make([]state.Finding, len(places))
	for i, p := range places {
		kept[i] = list[p.at]
	}
	return kept
}

// cost says what carrying out the plan takes; "" where it writes to neither server.
func (t *telling) cost() string {
	if t.effects.Empty() || t.effects.Kind == state.RunRefresh || t.effects.Kind == state.RunInvite {
		return ""
	}
	c, takes := t.context.Cost, ""
	if len(t.parts)+len(t.effects.Objects)+len(t.schema()) == 0 { // mails alone
		return ""
	}
	if c.WriteSeconds >= 1 {
		takes = fmt.Sprintf(" (writing the persons takes a server with two cores about %s)", roughly(c.WriteSeconds))
	}
	s := fmt.Sprintf("about %s to Self-auth%s and %s on Postgres", of(c.Calls, "call", "calls"), takes,
		of(c.Transactions, "transaction", "transactions"))
	switch {
	case c.Run != "":
		s += fmt.Sprintf("; the users take %s at the %s/s of run %s", roughly(c.Seconds), count(int64(c.Rate)),
			t.words.escape(c.Run))
	case t.changed() > 0:
		s += "; no earlier run says how long it takes"
	}
	return s
}
