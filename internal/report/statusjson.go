package report

import (
	"io"
	"time"

	"github.com/google/uuid"

	"anthill/internal/survey"
	"anthill/providers"
	"anthill/state"
)

// statusJSON is a status for programs.
type statusJSON struct {
	FormatVersion string                   `json:"format_version"`
	AsOf          time.Time                `json:"as_of"`
	Environment   string                   `json:"environment"`
	Schema        string                   `json:"schema"`               // baseline, dual or between
	SelfAuth      string                   `json:"self_auth,omitempty"`  // version of the server; absent: it was not asked
	NotSeen       []notSeenJSON            `json:"not_seen"`             // what could not be looked at
	Phases        []survey.Phase           `json:"phases"`               // of the plan, in their order
	Users         survey.Totals            `json:"users"`                // live ones: row and tenant not deleted
	Population    survey.Population        `json:"population"`           // whom the migration rate is about
	Running       *runningJSON             `json:"running,omitempty"`    // a run that is under way, or another command that writes
	Stopped       string                   `json:"stopped,omitempty"`    // the run that was stopped and is still to be finished
	LeftOpen      []state.Finding          `json:"left_open,omitempty"`  // in Self-auth, by a rollback of Postgres alone
	Waves         []survey.Wave            `json:"waves"`                // declared ones, in the order of after
	Other         []otherWaveJSON          `json:"other_waves"`          // of which only something is recorded, or which cannot be judged now
	Events        []survey.Event           `json:"events"`               // dates to come, the next one first
	Overdue       []state.Finding          `json:"overdue,omitempty"`    // policies whose promise has passed
	NewUsers      *newUsersJSON            `json:"new_users,omitempty"`  // who log in by password though new users need Self-auth
	Tenants       []survey.Tenant          `json:"tenants,omitempty"`    // with -tenants: the furthest first
	Daily         []survey.Day             `json:"daily,omitempty"`      // with -daily: of the last 30 days, newest first
	Adoption      []survey.Point           `json:"adoption,omitempty"`   // with -daily: by day, oldest first
	Sessions      []providers.SessionCount `json:"sessions,omitempty"`   // with -sessions
	KPI           *kpiJSON                 `json:"kpi,omitempty"`        // with -kpi
	Runs          []runJSON                `json:"runs"`                 // oldest first
	Pauses        []pauseJSON              `json:"pauses"`               // that stand
	Undeclared    []state.Finding          `json:"undeclared,omitempty"` // pauses of waves that are not declared
}

// notSeenJSON is something that could not be looked at.
type notSeenJSON struct {
	What  string `json:"what"`  // self_auth, enrolled or configuration
	Error string `json:"error"` // why, for people
}

// runningJSON is what goes on.
type runningJSON struct {
	Run      string        `json:"run,omitempty"` // absent: another command has the lock
	Kind     state.RunKind `json:"kind,omitempty"`
	Who      string        `json:"who"`
	Since    time.Time     `json:"since,omitzero"`
	Session  int32         `json:"session"`           // of the holder of the lock in the database
	Address  string        `json:"address,omitempty"` // from which that comes
	Settled  int64         `json:"settled"`           // users of the run whose outcome is recorded
	Total    int64         `json:"total"`             // users of its plan
	PerSec   float64       `json:"users_per_second,omitempty"`
	Approved string        `json:"approved_by,omitempty"`
}

// otherWaveJSON is a wave that is only recorded, or that cannot be judged.
type otherWaveJSON struct {
	Name    string            `json:"name"`
	Since   time.Time         `json:"since,omitzero"` // when it was started
	Moved   int64             `json:"moved"`          // users recorded as moved under it
	Figures state.WaveFigures `json:"figures"`
}

// newUsersJSON are new users who log in by password.
type newUsersJSON struct {
	survey.NewUsers
	First []uuid.UUID `json:"first"` // the first few
}

// kpiJSON are the five key figures.
type kpiJSON struct {
	*survey.KPI
	Latency measureJSON `json:"auth_latency"`
	Errors  measureJSON `json:"error_rate"`
}

// measureJSON is a key figure that this version does not measure.
type measureJSON struct {
	Measured bool `json:"measured"`
}

// runJSON is a run.
type runJSON struct {
	ID         string           `json:"id"`
	Kind       state.RunKind    `json:"kind"`
	PlanID     state.Hash       `json:"plan_id"`
	Seal       state.Hash       `json:"seal"`
	Who        string           `json:"who"`
	ApprovedBy string           `json:"approved_by,omitempty"`
	Started    time.Time        `json:"started"`
	Ended      time.Time        `json:"ended,omitzero"`
	Open       bool             `json:"open"`
	Outcome    state.RunOutcome `json:"outcome,omitempty"` // absent while it is open
	Undone     bool             `json:"undone"`
	Undoes     []string         `json:"undoes,omitempty"`
	Counts     state.Counts     `json:"counts"`
	Previous   state.Hash       `json:"previous"`
	Digest     state.Hash       `json:"digest"`
}

// pauseJSON is a pause that stands.
type pauseJSON struct {
	Wave   string    `json:"wave"`
	Tenant uuid.UUID `json:"tenant,omitzero"`
	Run    string    `json:"run"` // the rollback that left it; "": somebody has asked for it
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

func pauseOf(p state.Pause) pauseJSON {
	return pauseJSON{p.Wave, p.Tenant, p.Run, p.By, p.Reason, p.At}
}

// StatusJSON writes a status as JSON.
func StatusJSON(w io.Writer, s Status) error {
	v := s.Survey
	j := statusJSON{
		FormatVersion: FormatVersion,
		AsOf:          s.AsOf.UTC(),
		Environment:   s.Target.Environment,
		Schema:        s.Level.String(),
		NotSeen:       []notSeenJSON{},
		Phases:        v.Phases,
		Users:         v.Totals,
		Population:    v.Population,
		LeftOpen:      v.LeftOpen,
		Waves:         []survey.Wave{},
		Other:         []otherWaveJSON{},
		Events:        listed(v.Events),
		Overdue:       v.Overdue,
		Undeclared:    v.Undeclared,
		Runs:          []runJSON{},
		Pauses:        []pauseJSON{},
	}
	for _, w := range v.Waves {
		if w.Declared {
			j.Waves = append(j.Waves, w)
		} else {
			j.Other = append(j.Other, otherWaveJSON{w.Name, w.Since, w.Moved, w.Figures})
		}
	}
	j.Population.Cannot = listed(j.Population.Cannot)
	if s.Away == "" {
		j.SelfAuth = s.Server
	}
	for _, one := range []notSeenJSON{{"self_auth", s.Away}, {"enrolled", s.Unseen}, {"configuration", s.Mistakes}} {
		if one.Error != "" {
			j.NotSeen = append(j.NotSeen, one)
		}
	}
	j.Running, j.Stopped = s.running()
	if v.NewUsers != nil {
		j.NewUsers = &newUsersJSON{*v.NewUsers, listed(s.New)}
	}
	if s.Show.Tenants {
		j.Tenants = listed(v.Tenants)
	}
	if s.Show.Daily {
		j.Daily, j.Adoption = listed(v.Days), listed(v.Adoption)
	}
	if s.Show.Sessions {
		j.Sessions = listed(s.Sessions)
	}
	if s.Show.KPI {
		j.KPI = &kpiJSON{KPI: v.KPI}
	}
	for _, r := range s.State.Runs {
		j.Runs = append(j.Runs, runOf(r))
	}
	for _, p := range s.State.Pauses {
		j.Pauses = append(j.Pauses, pauseOf(p))
	}
	return writeJSON(w, j)
}

// running is what goes on now, and the run that was stopped.
func (s Status) running() (r *runningJSON, stopped string) {
	open := s.State.OpenRun()
	if s.Holder == nil {
		if open != nil {
			stopped = open.ID
		}
		return nil, stopped
	}
	r = &runningJSON{Who: s.Holder.Who, Since: s.Holder.Since, Session: s.Holder.PID, Address: s.Holder.Address}
	if open != nil {
		page := statusPage{Status: s}
		r.Run, r.Kind, r.Settled, r.Total, r.Approved = open.ID, open.Kind, settledOf(open.Counts), s.Total, open.ApprovedBy
		r.PerSec = page.rate(open)
	}
	return r, ""
}

func runOf(r state.RunInfo) runJSON {
	return runJSON{
		ID:         r.ID,
		Kind:       r.Kind,
		PlanID:     r.Plan,
		Seal:       r.Seal,
		Who:        r.Who,
		ApprovedBy: r.ApprovedBy,
		Started:    r.Started,
		Ended:      r.Ended,
		Open:       r.Open,
		Outcome:    r.Outcome,
		Undone:     r.Undone,
		Undoes:     r.Undoes,
		Counts:     r.Counts,
		Previous:   r.Previous,
		Digest:     r.Digest,
	}
}
