package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/survey"
	"anthill/planner/plan"
)

// percentOf writes a share as the plan's dashboard has it.
func percentOf(x float64) string { return fmt.Sprintf("%.2f %%", x) }

// tenants shows how far the users of each tenant are, the furthest first.
func (p *statusPage) tenants() {
	rows := [][]string{{"Tenant", "users", "password", "dual", "self-auth", "migrated", "linked", "completed"}}
	for _, t := range p.Survey.Tenants {
		rows = append(rows, []string{"", count(t.Users), count(t.PasswordOnly), count(t.DualAuth), count(t.SelfAuthOnly), percentOf(t.Percent),
			count(t.Linked), count(t.Completed)})
	}
	all := p.Survey.Totals
	rows = append(rows, []string{"all", count(all.Users), count(all.PasswordOnly), count(all.DualAuth), count(all.SelfAuthOnly),
		percentOf(all.Percent), count(all.Linked), count(all.Completed)})
	rows[0][0], rows[len(rows)-1][0] = "", ""
	width := min(max(p.o.Width-widthOf(rows), 8), 32) // the figures are whole, and names have what is left
	rows[0][0], rows[len(rows)-1][0] = "Tenant", "all"
	for i, t := range p.Survey.Tenants {
		rows[i+1][0] = short(Escape(t.Slug), width)
		if t.Status != "active" {
			rows[i+1][0] = short(Escape(t.Slug), width-2) + " *"
		}
	}
	p.table(0, []bool{false, true, true, true, true, true, true, true}, rows)
	if slices.ContainsFunc(p.Survey.Tenants, func(t survey.Tenant) bool { return t.Status != "active" }) {
		p.line("* not active: its users are not moved")
	}
	var alone [][]string
	for _, t := range p.Survey.Tenants {
		if t.Alone > 0 {
			alone = append(alone, []string{short(Escape(t.Slug), 32), count(t.Alone)})
		}
	}
	if len(alone) > 0 {
		p.gap()
		p.hang("", "Users who have no other way in than Self-auth ("+p.command("status", "-alone")+" lists them):")
		p.table(2, []bool{false, true}, alone)
	}
}

// daily shows the last 30 days in which something happened, the newest first.
func (p *statusPage) daily() {
	if len(p.Survey.Days) == 0 {
		p.line("Nobody was linked and nobody has completed in the last 30 days.")
		return
	}
	rows := [][]string{{"Day (UTC)", "linked", "completed"}}
	var most int64
	for _, d := range p.Survey.Days {
		most = max(most, d.Linked, d.Completed)
	}
	for _, d := range p.Survey.Days {
		rows = append(rows, []string{d.Date, count(d.Linked), count(d.Completed)})
	}
	if width := min(p.o.Width-widthOf(rows)-2, 2*mostCells); width >= fewCells {
		rows[0] = append(rows[0], "# completed, = linked besides")
		for i, d := range p.Survey.Days {
			rows[i+1] = append(rows[i+1], strings.TrimRight(progressBar(width, most, max(d.Linked, d.Completed), d.Completed), "-"))
		}
	}
	p.table(0, []bool{false, true, true}, rows)
}

// sessions shows the application's sessions by method.
func (p *statusPage) sessions() {
	if len(p.Sessions) == 0 {
		p.line("The application has no sessions.")
		return
	}
	rows := [][]string{{"Sessions", "all", "not revoked", "begun in 30 days", "by users", "newest"}}
	for _, s := range p.Sessions {
		rows = append(rows, []string{short(Escape(s.Method), 20), count(s.All), count(s.Open), count(s.Recent), count(s.Users), day(s.Last)})
	}
	p.table(0, []bool{false, true, true, true, true}, rows)
	p.gap()
	p.hang("", "A refresh counts as a session that begins. The application writes no session at a login through Self-auth, and deletes old ones: "+
		"that there are none proves nothing.")
}

// cure says what can be done about a reason for which users cannot be moved.
func cure(reason string) string {
	switch reason {
	case survey.NoWave:
		return "let a wave select them"
	case plan.SkipInactive.String(), plan.SkipSuspended.String():
		return "activate the row, or delete it in the application"
	case plan.SkipTenantSuspended.String(), plan.SkipTenantCancelled.String():
		return "activate the tenant"
	case plan.SkipNoEmail.String(), plan.SkipEmailRefused.String():
		return "correct the address in the row"
	case plan.SkipShared.String(), plan.SkipEmailTaken.String(), plan.SkipHolderForeign.String(), plan.SkipHolderAway.String():
		return "give one of them another address, or see identity.shared_email and identity.adopt"
	case plan.SkipUnverified.String():
		return `have it confirmed, or identity.unverified = "allow"`
	case plan.SkipTenantBlocked.String(), plan.SkipGroupTaken.String(), plan.SkipGroupHidden.String():
		return "mend the tenant's groups in Self-auth, as a plan says"
	case plan.SkipLinkUnknown.String(), plan.SkipPersonTwice.String(), plan.SkipPersonExpired.String():
		return "mend the link of the row, or the person in Self-auth"
	case plan.SkipName.String():
		return "see identity.name"
	}
	return ""
}

// reasonWords say why users cannot be moved.
func reasonWords(code string) string {
	if code == survey.NoWave {
		return "no wave selects them"
	}
	var r plan.SkipReason
	if r.UnmarshalText([]byte(code)) != nil {
		return Escape(code)
	}
	return skipped(r)
}

// kpi shows the key figures.
func (p *statusPage) kpi() {
	k, of := p.Survey.KPI, p.Survey.Population
	p.line("%s", p.bold("Key figures"))
	p.hang("  Migration rate    ", fmt.Sprintf("%s completed (%s of %s), %s linked (%s); the target is %.0f %% in 60 days", percentOf(k.Rate),
		count(of.Completed), users(of.Users), percentOf(k.Linked), count(of.Linked), k.Target))
	p.hang("                    ", p.term(k))
	p.hang("                    ", p.projected(k))
	p.hang("  Auth latency      ", "not measured (target: below 100 ms, p99)")
	p.hang("  Error rate        ", "not measured (target: below 0.1 % of callbacks)")
	p.hang("  Satisfaction      ", p.measured(k.Satisfaction, survey.GateSatisfaction, "4.5 of 5"))
	p.hang("  Support tickets   ", p.measured(k.Tickets, survey.GateTickets, "fewer than 10"))
	p.gap()
	p.hang("", "The rate is about live users of active tenants who are not excluded. Linked is not completed: who has completed has logged in "+
		"through Self-auth.")
	if len(of.Cannot) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Cannot be moved as it is, and count all the same"))
	width := 0
	for _, c := range of.Cannot {
		width = max(width, len(count(c.Users)))
	}
	for _, c := range of.Cannot {
		text := reasonWords(c.Reason)
		if what := cure(c.Reason); what != "" {
			text += ": " + what
		}
		p.hang(fmt.Sprintf("  %*s  ", width, count(c.Users)), text)
	}
}

// measured says what somebody has measured, and how it is recorded where nobody has.
func (p *statusPage) measured(m *survey.Measured, gate, target string) string {
	if m == nil {
		return "not recorded (target: " + target + "; " + p.words.command("wave", "confirm", "-value", "NUMBER", "WAVE", gate) + ")"
	}
	met := "no"
	if m.Met {
		met = "yes"
	}
	return met + ", " + Escape(m.Value) + " (target: " + target + "), wave " + Escape(m.Wave) + ", by " + Escape(m.By) + " on " + stamp(m.At)
}

// term says from when to when the target counts.
func (p *statusPage) term(k *survey.KPI) string {
	if k.Start.IsZero() {
		return "the 60 days have not begun: no run has linked anybody yet"
	}
	text := "begun " + day(k.Start) + " with run " + Escape(k.Run) + ", until " + day(k.Deadline)
	switch left := k.Deadline.Sub(p.AsOf); {
	case left < 0:
		text += fmt.Sprintf(" (over since %s)", plural2(-left))
	default:
		text += fmt.Sprintf(" (%s left)", plural2(left))
	}
	return text
}

// plural2 writes a time in whole days.
func plural2(d time.Duration) string { return of(int64(d/(24*time.Hour)), "day", "days") }

// projected says where the present pace leads.
func (p *statusPage) projected(k *survey.KPI) string {
	x := k.Projection
	if x == nil {
		return "at the present pace: unknown (it takes 7 whole days since the start)"
	}
	text := fmt.Sprintf("at the pace of the last %d days (%.1f users a day): ", x.Days, x.PerDay)
	if p.AsOf.Before(k.Deadline) {
		verdict := "no"
		if x.AtDeadline >= k.Target {
			verdict = "yes"
		}
		text += fmt.Sprintf("%s, %s by %s", verdict, percentOf(x.AtDeadline), day(k.Deadline))
	} else {
		text += "the term is over"
	}
	switch {
	case x.Reached.IsZero():
		text += fmt.Sprintf("; %.0f %% is not in sight", k.Target)
	case x.Reached.After(p.AsOf):
		text += fmt.Sprintf("; %.0f %% on %s", k.Target, day(x.Reached))
	default:
		text += fmt.Sprintf("; %.0f %% is reached", k.Target)
	}
	return text
}

// StatusUser is a user in a list of a status.
type StatusUser struct {
	User    uuid.UUID   `json:"user"`
	Tenant  plan.Tenant `json:"tenant"`
	Seen    time.Time   `json:"last_seen,omitzero"` // zero: never
	Invited time.Time   `json:"invited,omitzero"`   // zero: never
	Wave    string      `json:"wave,omitempty"`     // that is to move it, or has moved it
	Reason  string      `json:"reason,omitempty"`   // why it is not moved, apart from how its wave stands
	Moved   bool        `json:"moved"`
}

// waits says what a user waits for.
func (u StatusUser) waits() string {
	switch {
	case u.Reason != "":
		var r plan.SkipReason
		if r.UnmarshalText([]byte(u.Reason)) == nil {
			return skipped(r)
		}
		return Escape(u.Reason)
	case u.Moved:
		return "moved"
	case u.Wave != "":
		return "wave " + Escape(u.Wave)
	}
	return "no wave selects it"
}

// StatusUsers lists users of a status, one a line: id, tenant, when last seen, when invited, what is looked up (nil: nothing), and what
// each waits for.
func StatusUsers(w io.Writer, list iter.Seq2[StatusUser, error], o Options, look *Lookup) error {
	p := newPage(w, o)
	lines := listing{p: p, look: look}
	for u, err := range list {
		if err != nil {
			return err
		}
		head := strings.Join([]string{u.User.String(), padded(short(cmp.Or(Escape(u.Tenant.Slug), "-"), 12), 12), dayOrNever(u.Seen)}, "  ")
		if err := lines.add(listedUser{user: u.User, head: head, tail: u.waits()}); err != nil {
			return err
		}
	}
	if err := lines.flush(); err != nil {
		return err
	}
	return p.flush()
}

func dayOrNever(t time.Time) string {
	if t.IsZero() {
		return "never     "
	}
	return day(t)
}

// StatusUsersJSON lists the same as JSON, one object a line.
func StatusUsersJSON(w io.Writer, list iter.Seq2[StatusUser, error]) error {
	p := newPage(w, Options{})
	lines := json.NewEncoder(visible{p.w})
	for u, err := range list {
		if err != nil {
			return err
		}
		if err := lines.Encode(u); err != nil {
			return err
		}
	}
	return p.flush()
}
