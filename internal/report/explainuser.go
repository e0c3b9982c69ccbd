package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// Shown is which personal data of a user is shown: what whoever asks has typed, or has asked for.
type Shown struct{ Mail, Name bool }

// explainPage is the page about one user.
type explainPage struct {
	*page
	*plan.Explained
	show Shown
}

// Explained writes all that is known about one user, for the support desk: what to tell the user stands last.
func Explained(w io.Writer, e *plan.Explained, show Shown, o Options) error {
	p := explainPage{newPage(w, o), e, show}
	for _, section := range []func(){p.user, p.person, p.waves, p.runs, p.mails, p.ways, p.unseen, p.next, p.tell} {
		section()
	}
	return p.flush()
}

// labelled writes a line behind a label; the lines of more than one part stand below each other.
func (p *explainPage) labelled(label string, lines ...string) {
	for _, l := range lines {
		p.hang(padded(label, 9), l)
		label = ""
	}
}

func (p *explainPage) user() {
	tenant := "its tenant is gone"
	if t := p.Tenant; t.ID != uuid.Nil {
		tenant = "tenant " + Escape(t.Slug) + " (" + tenantStatus(t) + ")"
	}
	p.line("%s", "User     "+p.bold(p.User.String())+p.dot()+tenant)
	r := p.Row
	if r == nil {
		p.labelled("Row", "there is none any more")
		return
	}
	parts := []string{rowStatus(r), "role " + Escape(r.Role), methodWords(r.Method)}
	if r.Link == uuid.Nil {
		parts = append(parts, "not linked to a person")
	} else {
		parts = append(parts, "linked"+since(r.Synced, ", last synced "))
	}
	p.labelled("Row", strings.Join(parts, p.dot()))
	parts = nil
	if r.Image.Invited.IsZero() {
		parts = append(parts, "not invited, by its row")
	} else {
		parts = append(parts, "invited "+stamp(r.Image.Invited))
	}
	switch {
	case p.Completed():
		parts = append(parts, "completed: it has logged in through Self-auth"+since(r.Image.Completed, ", "))
	case !r.Image.Completed.IsZero():
		parts = append(parts, "time of completion "+stamp(r.Image.Completed)+", which is no login")
	default:
		parts = append(parts, "not completed")
	}
	p.labelled("", strings.Join(parts, p.dot()))
	if !p.show.Mail && !p.show.Name {
		return
	}
	parts = nil
	if p.show.Mail {
		verified := "verified"
		if !r.Verified {
			verified = "never verified"
		}
		parts = append(parts, cmp.Or(Escape(r.Email), "none")+" ("+verified+")")
	}
	if p.show.Name && r.FullName != "" {
		parts = append(parts, Escape(r.FullName))
	}
	p.labelled("Address", strings.Join(parts, p.dot()))
}

func since(t time.Time, before string) string {
	if t.IsZero() {
		return ""
	}
	return before + stamp(t)
}

func tenantStatus(t providers.Tenant) string {
	if t.Deleted {
		return "deleted"
	}
	return Escape(t.Status)
}

func rowStatus(r *providers.UserRow) string {
	if r.Deleted {
		return "deleted"
	}
	return Escape(r.Status)
}

func methodWords(m state.Method) string {
	switch m {
	case state.MethodPassword:
		return "method password"
	case state.MethodDual:
		return "method dual: password and Self-auth"
	case state.MethodSelfAuth:
		return "method self_auth: Self-auth alone"
	}
	return "a method that Anthill does not know"
}

func (p *explainPage) person() {
	s := p.Sight
	switch {
	case p.Person == uuid.Nil:
		p.labelled("Person", "none")
		return
	case s == nil:
		p.labelled("Person", p.Person.String()+p.dot()+"not looked at")
		return
	case s.Hidden:
		p.labelled("Person", p.Person.String()+p.dot()+"this account may not see persons")
		return
	case s.Person == nil:
		p.labelled("Person", p.Person.String()+p.dot()+"Self-auth does not have it")
		return
	}
	parts := []string{p.Person.String(), "login name " + p.bold(Escape(s.Person.Name)), personStanding(s.Person)}
	if s.Enrols {
		parts = append(parts, enrolledWords(s.Enrolled))
	}
	lines := []string{strings.Join(parts, p.dot())}
	if s.InGroups {
		var groups []string
		for _, g := range s.Groups {
			name := Escape(g.Name)
			if role, mapped := p.Roles[g.ID]; mapped {
				name += " (" + cmp.Or(role.String(), "unknown role") + " of the tenant)"
			}
			groups = append(groups, name)
		}
		in := "in no group but Self-auth's own"
		if len(groups) > 0 {
			in = "in " + strings.Join(groups, ", ")
		}
		lines = append(lines, in)
	}
	if r := p.Recorded; r != nil && p.Moved() && r.Person != p.Person {
		lines = append(lines, "this is another person than the one that it was moved with: "+r.Person.String())
	}
	p.labelled("Person", lines...)
}

func personStanding(one *providers.Person) string {
	switch {
	case one.Closed:
		return "expired, by Anthill"
	case one.Expired:
		return "expired, by somebody else"
	case one.Early:
		return "valid only from a time that lies ahead"
	}
	return "enabled"
}

func enrolledWords(enrolled bool) string {
	if enrolled {
		return "credential enrolled"
	}
	return "no credential yet"
}

// waves say under which wave the user was moved, or which would, and why it does or does not.
func (p *explainPage) waves() {
	var lines []string
	switch r := p.Recorded; {
	case p.Moved():
		lines = append(lines, fmt.Sprintf("moved under wave %s, auth_policy %s, by run %s", Escape(r.Wave), Escape(r.Policy), Escape(r.Run)))
	case r != nil:
		lines = append(lines, standingWords(r)+": wave "+cmp.Or(Escape(r.Wave), "none")+", run "+Escape(r.Run))
	}
	if a := p.Asked; a != nil {
		lines = append(lines, p.asked(a)...)
	}
	if len(lines) > 0 {
		p.labelled("Wave", lines...)
	}
}

func standingWords(r *state.User) string {
	switch r.Standing {
	case state.RolledBack:
		return "taken back by a rollback"
	case state.Failed:
		return "could not be moved"
	case state.RowBack:
		return "its row was taken back alone, and what is left in Self-auth is not yet"
	}
	return "not moved"
}

func (p *explainPage) asked(a *plan.Asked) (lines []string) {
	say := p.voice().say
	switch {
	case len(a.Selected) > 0:
		first := ""
		if len(a.Selected) > 1 && !p.Moved() {
			first = ": the first one moves it"
		}
		lines = append(lines, "selected by "+strings.Join(each(a.Selected, Escape), ", ")+first)
	case p.Row != nil && !p.Row.Deleted:
		lines = append(lines, "no wave selects it")
	}
	for _, s := range a.Skipped {
		if a.Blind && s.Reason.NeedsSelfAuth() {
			lines = append(lines, "wave "+Escape(s.Wave)+" may not move it: that depends on Self-auth, which was not asked")
			continue
		}
		lines = append(lines, "wave "+Escape(s.Wave)+" does not move it: "+skipped(s.Reason))
	}
	for _, c := range a.Changes {
		doing := changeWords(c.Shape.Effect, c.Join, c.Leave)
		switch {
		case c.Waits:
			lines = append(lines, "wave "+Escape(c.Wave)+" would: "+doing)
		case a.Blind:
			lines = append(lines, "as far as Postgres tells, the next plan moves it, or follows its row")
		default:
			lines = append(lines, "the next plan: "+doing)
		}
	}
	for _, name := range p.concerned(a) {
		v := a.Views[name]
		stands := "is " + p.voice().waveState(v.State)
		if v.State == plan.WaveStarts {
			stands = "starts with the next apply"
		}
		parts := []string{"wave " + Escape(name) + " " + stands}
		for _, f := range v.Reasons {
			parts = append(parts, say(f))
		}
		lines = append(lines, strings.Join(parts, p.dot()))
	}
	return lines
}

// concerned are the waves whose standing matters to the user now: the one that it was moved under, and those that do or do not
// do something to it.
func (p *explainPage) concerned(a *plan.Asked) (names []string) {
	if p.Moved() {
		names = append(names, p.Recorded.Wave)
	}
	for _, s := range a.Skipped {
		names = append(names, s.Wave)
	}
	for _, c := range a.Changes {
		names = append(names, c.Wave)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return a.Views[name].Name == "" })
}

// changeWords say what is done to one user.
func changeWords(e state.Effect, join, leave []string) string {
	var parts []string
	for _, l := range figures() {
		if e.Act != state.PersonNone && l.Figure == plan.FigureOf(e.Act) {
			parts = append(parts, l.label)
		}
	}
	for _, one := range []struct {
		is   bool
		word string
	}{
		{e.NoMail, "without an address"},
		{e.Link, "link the row"},
		{e.Method != state.MethodInvalid, "method becomes " + e.Method.String()},
		{e.Complete, "set the time of completion"},
		{e.Mail, "address follows the row"},
		{e.Restore, "row goes back"},
		{len(join) > 0, "join " + strings.Join(each(join, Escape), ", ")},
		{len(leave) > 0, "leave " + strings.Join(each(leave, Escape), ", ")},
	} {
		if one.is {
			parts = append(parts, one.word)
		}
	}
	if len(parts) == 0 {
		return "only what is recorded changes"
	}
	return strings.Join(parts, "; ")
}

// runs are those that had to do with the user, oldest first.
func (p *explainPage) runs() {
	p.gap()
	if len(p.Touched) == 0 {
		p.line("No run has had to do with this user.")
		return
	}
	p.line("%s", p.bold("Runs, oldest first"))
	for _, t := range p.Touched {
		head := fmt.Sprintf("  %s  %s  %s  ", stamp(t.Run.Started), Escape(t.Record.Run), t.Run.Kind)
		p.hang(head, p.touched(t))
	}
}

func (p *explainPage) touched(t plan.Touched) string {
	r := t.Record
	doing := changeWords(r.Effect, t.Join, t.Leave)
	if r.Person == uuid.Nil && doing == changeWords(state.Effect{}, nil, nil) {
		doing = "" // nothing was intended
	}
	how := r.Verdict.String()
	switch {
	case !r.Settled:
		how = "begun, and not settled yet"
	case r.Verdict == state.Done && doing != "":
		how = ""
	case r.Verdict == state.Already:
		how = "was as planned already"
	case r.Verdict == state.Changed:
		how = "left: changed meanwhile"
	case r.Verdict == state.Refused:
		how = "failed"
	case r.Verdict == state.Paused:
		how = "left: paused"
	}
	if !r.Reason.IsZero() {
		how += " (" + p.voice().say(r.Reason) + ")"
	}
	if t.Run.Undone {
		how = strings.TrimPrefix(how+"; the run was taken back since", "; ")
	}
	return strings.Join(slices.DeleteFunc([]string{doing, how}, func(s string) bool { return s == "" }), ": ")
}

// mails are what the user was sent, and codes that were shown to somebody. No address is known of them, and no code.
func (p *explainPage) mails() {
	if len(p.Mails) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Mails, oldest first"))
	for _, m := range p.Mails {
		at := m.Ended
		if at.IsZero() {
			at = m.Chosen
		}
		p.hang("  "+stamp(at)+"  ", p.mail(m))
	}
}

func (p *explainPage) mail(m state.Mail) string {
	if m.Letter == state.LetterPrinted {
		return "no mail: a one-time code was shown to " + Escape(m.By)
	}
	how := mailBecame(m.Status)
	switch {
	case m.Why != "":
		how += " (" + p.voice().say(state.Found(m.Why).Times(1)) + ")"
	case m.Code > 0 && m.Status != state.MailTaken:
		how += fmt.Sprintf(" (the server answers %s)", strings.TrimSpace(fmt.Sprintf("%d %s", m.Code, Escape(m.Enhanced))))
	}
	if m.Past {
		how += "; its user was taken back since"
	}
	letter := letterWords(plan.Letter{Kind: m.Letter, Link: m.Link, Unverified: m.Unverified})
	if m.Letter == state.LetterAnnouncement {
		letter += " of wave " + Escape(m.Wave)
	}
	return letter + ": " + how
}

func (p *explainPage) ways() {
	p.gap()
	p.line("%s", p.bold("Ways to log in"))
	p.hang("  by password    ", wayWords(p.ByPassword()))
	p.hang("  by Self-auth   ", wayWords(p.BySelfAuth()))
}

func wayWords(w plan.Way) string {
	switch w {
	case plan.WayOpen:
		return "yes"
	case plan.WayNoRow:
		return "no: there is no row, or it is deleted"
	case plan.WayInactive:
		return "no: the row is not active"
	case plan.WayTenant:
		return "no: the tenant is not active"
	case plan.WayNoPassword:
		return "no: the row has no password that lets anybody in"
	case plan.WayRetired:
		return "no: the application takes no password of this user any more"
	case plan.WayNotLinked:
		return "no: the row is not linked to a person"
	case plan.WayNoPerson:
		return "no: the row is linked to a person that Self-auth does not have"
	case plan.WayExpired:
		return "no: the person is expired"
	case plan.WayEarly:
		return "no: the person is valid only from a time that lies ahead"
	case plan.WayNotEnrolled:
		return "not yet: no credential"
	case plan.WayNoGroup:
		return "no: the person is in no group that is mapped to the tenant"
	}
	return "not known"
}

func (p *explainPage) unseen() {
	if len(p.Unseen) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Could not be seen"))
	for _, u := range p.Unseen {
		p.hang("  ", unseenWords(u))
	}
}

// unseenWords say what could not be seen, and the first line of why.
func unseenWords(u plan.Unseen) string {
	why := "the account lacks the right"
	if u.Why != nil {
		why, _, _ = strings.Cut(u.Why.Error(), "\n")
	}
	what := map[plan.Aspect]string{
		plan.AspectSelfAuth:   "Self-auth: what is known of the person is what the row and the recorded state say",
		plan.AspectPerson:     "whether the person is there",
		plan.AspectMails:      "the address of the person",
		plan.AspectGroups:     "the groups of the person",
		plan.AspectCredential: "whether the person has a credential",
		plan.AspectPlan:       "what a plan does in Self-auth, and what of the decision depends on that",
	}[u.What]
	return what + " (" + Escape(why) + ")"
}

func (p *explainPage) next() {
	p.gap()
	p.line("%s", p.bold("Next step"))
	words, command := p.nextStep()
	p.para(words)
	if command != "" {
		p.gap()
		p.line("    %s", command)
	}
}

// nextStep is the next step in words, with the command for it; "": there is none.
func (p *explainPage) nextStep() (words, command string) {
	name := p.Person.String()
	if p.Sight != nil && p.Sight.Person != nil && p.Sight.Person.Name != "" {
		name = p.Sight.Person.Name
	}
	switch p.Next() {
	case plan.NextNothing:
		return "None: this user logs in through Self-auth.", ""
	case plan.NextGone:
		return "None for the user. What the next plan takes away in Self-auth, an apply does.", p.command("plan")
	case plan.NextInactive:
		return "Whoever looks after the application makes the row, or its tenant, active again. The next apply follows.", ""
	case plan.NextLogin:
		return "The user has a credential and has not logged in by it yet.", ""
	case plan.NextEnrol:
		if p.Invites {
			return "The user needs a credential in Self-auth. How to come in is sent once more by:", p.command("invite", "-user", p.User.String())
		}
		return "The user needs a credential in Self-auth. Who is sure whom they speak with hands out a one-time code; it is good for a day at most, and a right of " +
			"idm_service_desk is enough:", Escape("kanidm person credential create-reset-token " + quote(name))
	case plan.NextMend:
		return "Something keeps this user from coming in through Self-auth (see above). What others have changed is shown by:",
			p.command("plan", "-refresh-only")
	case plan.NextApply:
		return "The next apply moves this user. See it first:", p.command("plan")
	case plan.NextWait:
		return "Its wave does not move anybody of this tenant now. What it waits for is shown by:", p.command("wave", "list")
	case plan.NextOpenRun:
		return "Run " + Escape(p.OpenRun) + " is open, and decides about this user first. It is finished by:", p.command("apply")
	case plan.NextSkipped:
		_, why := p.Asked.Skip()
		return "It is not moved as long as this holds: " + skipped(why) + ". Once that is mended, the next plan has it.", ""
	case plan.NextNobody:
		return "No wave selects this user: a `users` block in the configuration would.", ""
	}
	return "It depends on what could not be seen. Try again when that can be.", ""
}

func (p *explainPage) tell() {
	p.gap()
	p.line("%s", p.bold("What to tell the user"))
	for _, s := range tellUser(p.Explained) {
		p.para(s)
	}
}

// tellUser is what the support desk says to the user, in words that need no knowledge of how it works.
func tellUser(e *plan.Explained) []string {
	password, selfAuth := e.ByPassword(), e.BySelfAuth()
	switch password {
	case plan.WayNoRow:
		return []string{"\"There is no account of yours in the application any more. If that is a mistake, the administrator of your organisation can " +
			"add you again.\""}
	case plan.WayInactive, plan.WayTenant:
		return []string{"\"Your account is not active at the moment, so neither a password nor Self-auth lets you in. The administrator of your " +
			"organisation can say why, and have it made active again.\""}
	}
	byPassword := "\"Log in with your e-mail address and your password, as before."
	login := ""
	if e.Sight != nil && e.Sight.Person != nil && e.Sight.Person.Name != "" {
		login = " Your login name there is " + Escape(e.Sight.Person.Name) + "; it does not take your e-mail address as one."
	}
	open := password == plan.WayOpen
	switch {
	case selfAuth == plan.WayOpen && open:
		return []string{"\"Choose 'Login with Self-auth' on the login page." + login + " Your password works as before, too.\""}
	case selfAuth == plan.WayOpen:
		return []string{"\"Choose 'Login with Self-auth' on the login page." + login + " A password for the application itself is no longer taken.\""}
	case selfAuth == plan.WayNotEnrolled && open:
		return []string{byPassword + " You can also set up Self-auth now: for that you need a one-time code." + login + "\""}
	case selfAuth == plan.WayNotEnrolled:
		return []string{"\"Before you can log in, Self-auth must be set up. For that you need a one-time code." + login +
			" Then choose 'Login with Self-auth' on the login page.\""}
	case selfAuth == plan.WayNotLinked && open && e.Recorded != nil && e.Recorded.Standing == state.RolledBack:
		return []string{byPassword + " Self-auth was switched on for you for a while, and is switched off again; there is nothing that you need to do.\""}
	case selfAuth == plan.WayNotLinked && open:
		return []string{byPassword + " Nothing has changed for you, and there is nothing that you need to do.\""}
	case selfAuth == plan.WayUnknown && open:
		return []string{byPassword + "\""}
	case selfAuth == plan.WayUnknown:
		return []string{"\"Choose 'Login with Self-auth' on the login page. If that does not let you in, we look into it and come back to you: at this moment we " +
			"cannot see all of it.\""}
	case open:
		return []string{byPassword + " Logging in through Self-auth does not work for you at the moment; we look into it.\""}
	}
	return []string{"\"You cannot log in at the moment, and the fault is not yours. We look into it and come back to you.\""}
}
