package report

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// explainedJSON is what is known about one user, for programs. Neither name nor address of the row is in it; the login name is,
// which is what it is asked for.
type explainedJSON struct {
	FormatVersion string          `json:"format_version"`
	AsOf          time.Time       `json:"as_of"`
	User          uuid.UUID       `json:"user"`
	Tenant        *tenantJSON     `json:"tenant"` // null: it is gone
	Row           *rowJSON        `json:"row"`    // null: it is gone
	Recorded      *recordJSON     `json:"recorded"`
	Person        *sightJSON      `json:"person"` // null: none
	Selected      []string        `json:"selected_by"`
	Skipped       []skipJSON      `json:"skipped"`
	Planned       []plannedJSON   `json:"planned"`
	Waves         []plan.WaveView `json:"waves"`
	Runs          []touchedJSON   `json:"runs"`
	Mails         []mailJSON      `json:"mails"` // that the user was sent, or is to be, and codes that were shown; oldest first
	Ways          waysJSON        `json:"ways"`
	Completed     bool            `json:"completed"`
	Next          plan.Next       `json:"next"`
	OpenRun       string          `json:"open_run,omitempty"`
	Unseen        []unseenJSON    `json:"unseen"`
	Tell          string          `json:"tell"`
}

type tenantJSON struct {
	ID      uuid.UUID `json:"id"`
	Slug    string    `json:"slug"`
	Status  string    `json:"status"`
	Deleted bool      `json:"deleted"`
}

type rowJSON struct {
	Status    string       `json:"status"`
	Deleted   bool         `json:"deleted"`
	Role      string       `json:"role"`
	Method    state.Method `json:"method"`
	Verified  bool         `json:"email_verified"`
	Link      uuid.UUID    `json:"link,omitzero"`
	Synced    time.Time    `json:"synced_at,omitzero"`
	Invited   time.Time    `json:"invited_at,omitzero"`
	Completed time.Time    `json:"completed_at,omitzero"`
}

type recordJSON struct {
	state.UserState
	Run string `json:"run"`
}

type sightJSON struct {
	ID       uuid.UUID `json:"id"`
	There    *bool     `json:"there"` // null: not seen, as all below
	Login    string    `json:"login_name,omitempty"`
	Expired  *bool     `json:"expired"`
	Enrolled *bool     `json:"enrolled"`
	Groups   []string  `json:"groups"`
}

type skipJSON struct {
	Wave   string          `json:"wave"`
	Reason plan.SkipReason `json:"reason"`
	Sure   bool            `json:"sure"` // false: it goes by what Self-auth holds, which was not asked
}

type plannedJSON struct {
	Kind   plan.SegmentKind `json:"kind"`
	Wave   string           `json:"wave,omitempty"`
	Effect state.Effect     `json:"effect"`
	Join   []string         `json:"join"`
	Leave  []string         `json:"leave"`
	Waits  bool             `json:"waits"` // its wave does not move anybody now
}

type touchedJSON struct {
	Run     string         `json:"run"`
	Kind    state.RunKind  `json:"kind"`
	Started time.Time      `json:"started"`
	Undone  bool           `json:"undone"`
	Wave    string         `json:"wave,omitempty"`
	Effect  state.Effect   `json:"effect"`
	Join    []string       `json:"join"`
	Leave   []string       `json:"leave"`
	Settled bool           `json:"settled"`
	Verdict string         `json:"verdict,omitempty"`
	Reason  *state.Finding `json:"reason,omitempty"`
}

type mailJSON struct {
	ID       uuid.UUID        `json:"id"` // as in its Message-ID
	Letter   state.LetterKind `json:"letter"`
	Round    int              `json:"round"`
	Wave     string           `json:"wave"`
	Link     state.MailLink   `json:"link"`
	Status   state.MailStatus `json:"status"`
	Run      string           `json:"run,omitempty"`
	Chosen   time.Time        `json:"chosen_at"`
	Ended    time.Time        `json:"ended_at,omitzero"`
	Reply    int              `json:"reply,omitempty"` // of SMTP
	Enhanced string           `json:"enhanced,omitempty"`
	Why      state.Code       `json:"why,omitempty"`      // it was not sent
	Past     bool             `json:"past"`               // its user was taken back since
	ShownTo  string           `json:"shown_to,omitempty"` // of a code that was shown
}

type waysJSON struct {
	Password plan.Way `json:"password"`
	SelfAuth plan.Way `json:"self_auth"`
}

type unseenJSON struct {
	What plan.Aspect `json:"what"`
	Why  string      `json:"why,omitempty"` // "": the account lacks the right
}

// ExplainedJSON writes what is known about one user as JSON.
func ExplainedJSON(w io.Writer, e *plan.Explained) error {
	j := explainedJSON{FormatVersion: FormatVersion, AsOf: e.AsOf.UTC(), User: e.User, Selected: []string{}, Skipped: []skipJSON{},
		Planned: []plannedJSON{}, Waves: []plan.WaveView{}, Runs: []touchedJSON{}, Mails: []mailJSON{}, Completed: e.Completed(), Next: e.Next(),
		Ways: waysJSON{e.ByPassword(), e.BySelfAuth()}, OpenRun: e.OpenRun, Unseen: []unseenJSON{},
		Tell: strings.Join(tellUser(e), "\n")}
	if t := e.Tenant; t.ID != uuid.Nil {
		j.Tenant = &tenantJSON{t.ID, t.Slug, t.Status, t.Deleted}
	}
	if r := e.Row; r != nil {
		j.Row = &rowJSON{Status: r.Status, Deleted: r.Deleted, Role: r.Role, Method: r.Method, Verified: r.Verified, Link: r.Link,
			Synced: r.Synced, Invited: r.Image.Invited, Completed: r.Image.Completed}
	}
	if r := e.Recorded; r != nil {
		j.Recorded = &recordJSON{r.UserState, r.Run}
	}
	if e.Person != uuid.Nil {
		j.Person = sightOf(e)
	}
	if a := e.Asked; a != nil {
		j.Selected = listed(a.Selected)
		for _, s := range a.Skipped {
			j.Skipped = append(j.Skipped, skipJSON{s.Wave, s.Reason, !a.Blind || !s.Reason.NeedsSelfAuth()})
		}
		for _, c := range a.Changes {
			j.Planned = append(j.Planned, plannedJSON{c.Kind, c.Wave, c.Shape.Effect, listed(c.Join), listed(c.Leave), c.Waits})
		}
		for _, v := range a.Views {
			j.Waves = append(j.Waves, v)
		}
		slices.SortFunc(j.Waves, func(a, b plan.WaveView) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, t := range e.Touched {
		one := touchedJSON{Run: t.Record.Run, Kind: t.Run.Kind, Started: t.Run.Started, Undone: t.Run.Undone, Wave: t.Record.Wave,
			Effect: t.Record.Effect, Join: listed(t.Join), Leave: listed(t.Leave), Settled: t.Record.Settled}
		if t.Record.Settled {
			one.Verdict = t.Record.Verdict.String()
		}
		if why := t.Record.Reason; !why.IsZero() {
			one.Reason = &why
		}
		j.Runs = append(j.Runs, one)
	}
	for _, m := range e.Mails {
		j.Mails = append(j.Mails, mailJSON{m.ID, m.Letter, m.Round, m.Wave, m.Link, m.Status, m.Run, m.Chosen, m.Ended, m.Code, m.Enhanced,
			m.Why, m.Past, m.By})
	}
	for _, u := range e.Unseen {
		one := unseenJSON{What: u.What}
		if u.Why != nil {
			one.Why, _, _ = strings.Cut(u.Why.Error(), "\n")
		}
		j.Unseen = append(j.Unseen, one)
	}
	return writeJSON(w, j)
}

func sightOf(e *plan.Explained) *sightJSON {
	j := &sightJSON{ID: e.Person}
	s := e.Sight
	if s == nil || s.Hidden {
		return j
	}
	there := s.Person != nil
	if j.There = &there; !there {
		return j
	}
	j.Login, j.Expired = s.Person.Name, &s.Person.Expired
	if s.Enrols {
		j.Enrolled = &s.Enrolled
	}
	if s.InGroups {
		j.Groups = []string{}
		for _, g := range s.Groups {
			j.Groups = append(j.Groups, g.Name)
		}
	}
	return j
}
