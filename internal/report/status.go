package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/survey"
	"anthill/providers"
	"anthill/state"
)

// Status is what `anthill status` shows.
type Status struct {
	State    *state.State
	Survey   *survey.Survey
	Target   state.Target
	Holder   *state.Holder // of the lock; nil: nobody writes now
	Total    int64         // users of the open run's plan; 0: no run is open, or it has none
	Alone    bool          // the open run takes something back in Postgres alone
	Rate     float64       // users a second of the run under way, where somebody has measured it; 0: nobody has
	Level    providers.Level
	Gone     []string // what somebody has taken away of the tables
	Server   string   // version of Self-auth
	Away     string   // why Self-auth was not asked; "": it was
	Unseen   string   // why it is not known who has enrolled, though Self-auth was asked; "": it is
	Mistakes string   // why the configuration cannot be used, diagnostics written out; "": it can
	AsOf     time.Time
	Tenants  map[uuid.UUID]string // slugs
	Sessions []providers.SessionCount
	New      []uuid.UUID // new users who log in by password, the first few
	Show     StatusParts
}

// StatusParts are what is asked for; none: the screen that has something of all.
type StatusParts struct{ Tenants, Daily, Sessions, KPI bool }

func (s StatusParts) any() bool { return s.Tenants || s.Daily || s.Sessions || s.KPI }

// statusPage is a status as text.
type statusPage struct {
	*page
	Status
	words *voice
}

// WriteStatus writes a status for people.
func WriteStatus(w io.Writer, s Status, o Options) error {
	p := statusPage{newPage(w, o), s, nil}
	p.words = p.voice()
	p.head()
	p.unseen()
	if s.Show.any() {
		for _, part := range []struct {
			asked bool
			write func()
		}{{s.Show.Tenants, p.tenants}, {s.Show.Daily, p.daily}, {s.Show.Sessions, p.sessions}, {s.Show.KPI, p.kpi}} {
			if part.asked {
				p.gap()
				part.write()
			}
		}
		return p.flush()
	}
	if p.Away+p.Unseen+p.Mistakes != "" {
		p.gap()
	}
	p.phases()
	p.totals()
	p.run()
	p.leftOpen()
	p.waves()
	p.next()
	p.newUsers()
	p.pauses()
	p.runs()
	return p.flush()
}

func (p *statusPage) head() {
	server := "Self-auth " + Escape(p.Server)
	if p.Away != "" {
		server = "Self-auth not seen"
	}
	parts := []string{"as of " + stamp(p.AsOf)}
	if p.Target.Environment != "" {
		parts = append(parts, Escape(p.Target.Environment))
	}
	p.hang("Status   ", strings.Join(append(parts, "schema "+levelWords(p.Level), server), p.dot()))
}

// unseen says what could not be looked at, and what is shown all the same.
func (p *statusPage) unseen() {
	if p.Away != "" {
		p.gap()
		p.line("%s", p.bold("Self-auth could not be asked. The rest is what database and state know:"))
		p.line("%s", escapeLines(p.Away))
		p.para("Not seen: who has enrolled there, and whether persons and groups are as recorded.")
	}
	if p.Unseen != "" {
		p.gap()
		p.line("%s", p.bold("Who has enrolled in Self-auth could not be seen:"))
		p.line("%s", escapeLines(p.Unseen))
	}
	if p.Mistakes != "" {
		p.gap()
		p.line("%s", p.bold("The waves cannot be judged now, as the configuration cannot be used:"))
		p.line("%s", escapeLines(p.Mistakes))
	}
}

// share writes a share without digits behind the point that nobody reads.
func share(part, whole int64) string {
	if part > 0 && part < whole {
		// Neither nobody nor everybody.
		return fmt.Sprintf("%.0f %%", min(99, max(1, math.Floor(100*float64(part)/float64(whole)))))
	}
	return fmt.Sprintf("%.0f %%", survey.Percent(part, whole))
}

// phaseWords say how far a phase of the plan is.
func (p *statusPage) phaseWords(f survey.Phase) string {
	state := map[survey.PhaseState]string{survey.PhasePending: "not started", survey.PhaseBegun: "begun", survey.PhaseDone: "done"}[f.State]
	switch f.Number {
	case "4.1":
		if f.State == survey.PhaseBegun {
			state = "half made"
		}
		return "4.1 schema " + state
	case "4.2":
		if f.Of > 0 && f.State == survey.PhaseBegun {
			state = share(f.Done, f.Of) + " linked"
		}
		return "4.2 persons " + state
	case "4.3":
		return "4.3 tests: Anthill keeps no record"
	case "4.4":
		if f.Of > 0 && f.State == survey.PhaseBegun {
			state = fmt.Sprintf("%d of %d waves done", f.Done, f.Of)
		}
		return "4.4 rollout " + state
	}
	return f.Number + " cleanup " + state
}

func (p *statusPage) phases() {
	var list []string
	for _, f := range p.Survey.Phases {
		list = append(list, strings.ReplaceAll(p.phaseWords(f), " ", bound))
	}
	p.hang("Phases   ", strings.Join(list, p.dot()))
}

func (p *statusPage) totals() {
	t := p.Survey.Totals
	by := fmt.Sprintf("%s: %s by password, %s dual, %s Self-auth alone (%.2f %% by Self-auth)", count(t.Users), count(t.PasswordOnly),
		count(t.DualAuth), count(t.SelfAuthOnly), t.Percent)
	p.hang("Users    ", by+p.dot()+count(t.Linked)+" linked, "+count(t.Completed)+" completed")
	if t.Alone > 0 {
		p.hang("Alone    ", of(t.Alone, "user has", "users have")+" no other way in than Self-auth: no password would do if it were down ("+
			p.command("status", "-alone")+")")
	}
}

// settled are the users of a run whose outcome is recorded.
func settledOf(c state.Counts) int64 { return c.Done + c.Already + c.Changed + c.Failed + c.Paused }

// holderWords say who has the lock.
func holderWords(h *state.Holder) string {
	who := cmp.Or(Escape(h.Who), "somebody unknown")
	if !h.Since.IsZero() {
		who += " since " + h.Since.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	where := fmt.Sprintf("session %d of the database", h.PID)
	if h.Address != "" {
		where += " from " + Escape(h.Address)
	}
	return who + " (" + where + ")"
}

// far says how far the open run is.
func (p *statusPage) far(r *state.RunInfo) string {
	text := countText(r.Counts)
	if p.Total > 0 {
		text = count(settledOf(r.Counts)) + " of " + users(p.Total) + " (" + text + ")"
	}
	return text
}

// pace says how fast the run under way is, where that can be told.
func (p *statusPage) pace(r *state.RunInfo) string {
	rate := p.rate(r)
	if rate <= 0 {
		return ""
	}
	text := p.dot() + fmt.Sprintf("%.0f users/s", rate)
	if rate < 10 {
		text = p.dot() + fmt.Sprintf("%.1f users/s", rate)
	}
	if left := p.Total - settledOf(r.Counts); left > 0 {
		text += ", about " + roughly(float64(left)/rate) + " left"
	}
	return text
}

// rate is of the run under way. One that was resumed does not say when it was, so only two looks at it tell.
func (p *statusPage) rate(r *state.RunInfo) float64 {
	since := p.AsOf.Sub(r.Started).Seconds()
	if p.Rate > 0 || p.Holder == nil || p.Holder.Since.After(r.Started.Add(time.Second)) || since < 1 {
		return p.Rate
	}
	return float64(settledOf(r.Counts)) / since
}

// kindWords are what a run is called.
func (p *statusPage) kindWords(r *state.RunInfo) string {
	switch {
	case r.Kind == state.RunRollback && p.Alone:
		return "Rollback " + Escape(r.ID) + " in Postgres alone"
	case r.Kind == state.RunRollback:
		return "Rollback " + Escape(r.ID)
	}
	return "Run " + Escape(r.ID)
}

// run says what goes on now, or was stopped.
func (p *statusPage) run() {
	r := p.State.OpenRun()
	switch {
	case r == nil && p.Holder == nil:
		switch {
		case len(p.Gone) > 0:
			p.gap()
			p.hang("", p.bold("Somebody has taken away "+Escape(strings.Join(p.Gone, ", ")))+". What that means, and what to do, is said by: "+
				p.command("plan"))
		case p.Level == providers.LevelBetween:
			p.gap()
			p.hang("", "The schema is half made. What is missing is said by: "+p.command("plan"))
		}
		return
	case r == nil:
		p.gap()
		p.hang("", p.bold("A command that writes is at work")+": "+holderWords(p.Holder)+".")
		return
	case p.Holder != nil:
		p.gap()
		p.hang("", p.bold(p.kindWords(r)+" is under way")+": "+holderWords(p.Holder)+".")
		p.para(p.far(r) + p.pace(r) + p.dot() + "begun " + stamp(r.Started) + " by " + Escape(r.Who) + approved(*r))
		return
	}
	p.gap()
	p.hang("", p.bold(p.kindWords(r)+" was stopped and is still open")+": "+p.far(r)+", begun "+stamp(r.Started)+" by "+Escape(r.Who)+". Finish it:")
	p.gap()
	p.line("    %s", p.command("apply"))
	switch {
	case onlySchema(r):
		p.gap()
		p.line("or end it as it is. What is made of the schema stays, and a later apply makes the rest:")
		p.gap()
		p.line("    %s", p.command("apply", "-close"))
	case r.Kind == state.RunApply:
		p.gap()
		p.line("or take back what it has done:")
		p.gap()
		p.line("    %s", p.command("rollback"))
	}
	if p.Away != "" {
		p.gap()
		p.hang("", "That needs Self-auth. If it takes rows back in Postgres alone, this goes on with it now:")
		p.gap()
		p.line("    %s", p.command("rollback", "-postgres-only"))
	}
}

// leftOpen says what a rollback of Postgres alone has left open in Self-auth.
func (p *statusPage) leftOpen() {
	for i, f := range p.Survey.LeftOpen {
		if i == 0 {
			p.gap()
		}
		p.hang("", p.bold(p.words.say(f)+"."))
	}
}

// eventWords say what happens on a date.
func eventWords(e survey.Event) string {
	name := Escape(e.Name)
	switch e.Kind {
	case survey.EventStart:
		return "wave " + name + " may start"
	case survey.EventSoak:
		return "soak of " + name + " ends"
	case survey.EventPassword:
		return "the password is promised until then (auth_policy." + name + ")"
	case survey.EventAllow:
		return "allow " + name + " ends"
	case survey.EventNewUsers:
		return "new users need Self-auth from then on"
	case survey.EventAnnounce:
		return "wave " + name + " is announced from then on"
	case survey.EventWindow:
		return "the window of " + name + " opens"
	}
	return name
}

// next says when to look again.
func (p *statusPage) next() {
	if list := p.Survey.Events; len(list) > 0 {
		p.gap()
		p.hang("", "Next event: "+stamp(list[0].At)+", "+eventWords(list[0])+".")
	}
	for _, f := range p.Survey.Overdue {
		p.gap()
		p.hang("Overdue  ", p.words.say(f))
	}
	if p.Mistakes == "" && p.Away == "" {
		p.gap()
		p.hang("", "What the next apply would do: "+p.command("plan"))
	}
}

func (p *statusPage) newUsers() {
	n := p.Survey.NewUsers
	if n == nil || n.Users == 0 {
		return
	}
	p.gap()
	p.hang("", p.bold(of(n.Users, "new user logs", "new users log")+" in by password alone")+", though new users need Self-auth since "+day(n.From)+":")
	for _, id := range p.New {
		p.line("  %s", id)
	}
	if rest := n.Users - int64(len(p.New)); rest > 0 {
		p.line("  and %s more", count(rest))
	}
}

func (p *statusPage) pauses() {
	for _, f := range p.Survey.Undeclared {
		p.gap()
		p.hang("", p.words.say(f)+".")
	}
	if len(p.State.Pauses) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Paused"))
	for _, is := range p.State.Pauses {
		one := pauseIs(is, p.Tenants)
		p.hang("  ", one.where()+": "+pauseWords(is)+"   "+p.command(one.resume()...))
	}
}

// pauseIs is a pause that stands; slugs are of the tenants that there are.
func pauseIs(p state.Pause, slugs map[uuid.UUID]string) pause {
	one := pause{wave: p.Wave}
	if p.Tenant != uuid.Nil {
		one.tenant = cmp.Or(slugs[p.Tenant], p.Tenant.String())
	}
	return one
}

// where says where a pause holds.
func (p pause) where() string {
	where := "wave " + Escape(p.wave)
	if p.tenant != "" {
		where += ", tenant " + Escape(p.tenant)
	}
	return where
}

// pauseWords say whose a pause is, since when, and why.
func pauseWords(p state.Pause) string {
	if p.Run == "" {
		return signedWords("by", state.Signed{By: p.By, Reason: p.Reason, At: p.At})
	}
	s := "rolled back by run " + Escape(p.Run) + " on " + day(p.At)
	if p.By != "" {
		s += " (" + Escape(p.By) + ")"
	}
	return s
}

// signedWords say who did something, when, and why.
func signedWords(how string, s state.Signed) string {
	text := how + " " + Escape(s.By) + " on " + stamp(s.At)
	if s.Reason != "" {
		text += ": " + Escape(s.Reason)
	}
	return text
}

const listedRuns = 5

func (p *statusPage) runs() {
	runs := p.State.Runs
	p.gap()
	if len(runs) == 0 {
		p.line("No run yet.")
		return
	}
	p.line("%s", p.bold("Runs, newest first"))
	for i, r := range slices.Backward(runs) {
		if len(runs)-1-i == listedRuns {
			p.hang("  ", "and "+of(int64(i+1), "older run", "older runs")+" ("+p.command("status", "-json")+" lists all)")
			break
		}
		parts := []string{string(r.Kind), stamp(r.Started), Escape(r.Who)}
		if r.ApprovedBy != "" {
			parts = append(parts, "approved by "+Escape(r.ApprovedBy))
		}
		text := countText(r.Counts)
		if r.Undone {
			text += "; undone"
		}
		if len(r.Undoes) > 0 {
			text += "; undid " + strings.Join(each(r.Undoes, Escape), ", ")
		}
		p.hang("  "+Escape(r.ID)+"  ", strings.Join(append(parts, outcome(r), "plan "+r.Plan.Short(), text), p.dot()))
	}
}

func outcome(r state.RunInfo) string {
	if r.Open {
		return "open"
	}
	return string(r.Outcome)
}

// Measure measures the rate of the run under way by an earlier look at the same one.
func (s *Status) Measure(before Status) {
	if before.State == nil || s.Holder == nil {
		return
	}
	was, is := before.State.OpenRun(), s.State.OpenRun()
	if was == nil || is == nil || was.ID != is.ID {
		return
	}
	if since := s.AsOf.Sub(before.AsOf).Seconds(); since > 0 {
		s.Rate = float64(settledOf(is.Counts)-settledOf(was.Counts)) / since
	}
}
