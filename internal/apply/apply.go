package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// Deps is what a run works with.
type Deps struct {
	Store      state.Store // the caller holds its lock
	Rows       providers.Rows
	Accounts   providers.Accounts
	Target     state.Target // as found now; it must be the plan's
	Now        func() time.Time
	Who        string // user@host
	ApprovedBy string
	FailStale  bool // -on-stale fail: every user is looked at before any effect
	BatchSize  int  // users a batch; 0: as many as the server takes in the time that one write may have
}

// EventKind is what an Event tells.
type EventKind uint8

// Began: the run has an id. Progress: Done of Total of Stage. Note: a line for people.
const (
	Began EventKind = iota + 1
	Progress
	Note
)

// Event is something that happened during a run.
type Event struct {
	Kind        EventKind
	Run         string
	Stage       string // "schema", "objects", "follow", "restore", or a wave
	Done, Total int64
	Text        string
}

// Left is a user that a run did not bring to its after-state.
type Left struct {
	User    string // uuid
	Wave    string
	Verdict state.Verdict // Changed, Refused, Paused, Conflict
	Reason  string
}

// Result is how a run ended.
type Result struct {
	Run     state.RunInfo
	Nothing bool     // the plan's run was closed already, or there was nothing to do: nothing was done
	Left    []Left   // the first 100
	Stopped bool     // the run is open: a server went away, the token was refused, or ctx ended; the error says why
	Held    []string // waves that were not started, sentences
	Objects []string // objects that were not done, with the reason
	Half    bool     // one of them was refused in part, and what was done of it could not be put back
}

// BlockedError says that the plan has a hazard that is not allowed. Nothing was changed.
type BlockedError struct{ Reason string }

func (e *BlockedError) Error() string { return e.Reason }

// StaleError says that the plan was made from another world. Nothing was changed.
type StaleError struct{ Reason string }

func (e *StaleError) Error() string { return e.Reason }

// OpenRunError says that the run of another plan is still open. Nothing was changed.
type OpenRunError struct {
	Run  string
	Plan state.Hash
}

func (e *OpenRunError) Error() string {
	return "run " + e.Run + " of plan " + e.Plan.Short() + " is still open"
}

const maxLeft = 100

// Run carries out plan, or goes on with its open run, and returns how it ended.
//
// Errors before any effect: *BlockedError, *StaleError, *state.TargetError, *OpenRunError, or what reading the state
// says. With Result.Stopped the run is open and the error is why it stopped; the same call finishes it. ctx ends the
// run between batches only.
func Run(ctx context.Context, plan *planfile.Reader, d Deps, events func(Event)) (Result, error) {
	if events == nil {
		events = func(Event) {}
	}
	p := plan.Plan()
	st, err := d.Store.Read(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := check(p, st, d); err != nil {
		return Result{}, err
	}
	x := &executor{Deps: d, plan: plan, p: p, st: st, events: events, work: context.WithoutCancel(ctx)}
	x.size = x.nextSize(0)
	if err := x.prepare(); err != nil {
		return Result{}, err
	}
	open := st.OpenRun()
	if open == nil {
		if done := closedRun(st, plan.ID(), p.Analysis.LastRun); done != nil {
			left, err := x.left(done.ID)
			return Result{Run: *done, Nothing: true, Left: left}, err
		}
		if p.Empty() && !x.latches() && p.Undo == nil {
			return Result{Nothing: true}, nil
		}
		if d.FailStale {
			if err := x.lookForStale(); err != nil {
				return Result{}, err
			}
		}
	}
	if p.Kind == state.RunRollback && (open == nil || open.Plan != plan.ID()) {
		last, counts := planner.LastRun(st)
		known := p.Analysis.LastCounts
		if last != p.Analysis.LastRun || (counts == nil) != (known == nil) || counts != nil && *counts != *known {
			return Result{}, &StaleError{Reason: "run " + last + " came, or went on, after this rollback was planned, which does not know what that did: plan it again"}
		}
	}
	if err := x.begin(ctx, open); err != nil {
		return Result{}, err
	}
	return x.run(ctx)
}

// check says why a plan may not run here and now.
func check(p *planner.Plan, st *state.State, d Deps) error {
	if diff := p.Target.Differs(d.Target); diff != "" {
		return &state.TargetError{What: "plan", Differs: diff}
	}
	if st.Exists {
		if diff := st.Target.Differs(d.Target); diff != "" {
			return &state.TargetError{What: "state", Differs: diff}
		}
	}
	if p.Blocked() {
		return &BlockedError{Reason: "the plan is blocked by a hazard that was not allowed when it was made"}
	}
	if planner.Lineage(st, d.Target) != p.Lineage {
		return &StaleError{Reason: "the plan was made from another recorded state (its lineage differs): plan again"}
	}
	if p.Analysis.Future && p.Analysis.AsOf.After(d.Now()) {
		return &StaleError{Reason: "the plan was made as of " + p.Analysis.AsOf.UTC().Format("2006-01-02 15:04 UTC") + ", which has not come: apply it then"}
	}
	return nil
}

// closedRun returns the run of a plan that is closed and not undone. Runs up to last were there when the plan was made:
// where the world is again as it was before one of them, the same plan is needed again.
func closedRun(st *state.State, id state.Hash, last string) *state.RunInfo {
	for i := len(st.Runs) - 1; i >= 0 && st.Runs[i].ID != last; i-- {
		if r := &st.Runs[i]; r.Plan == id && !r.Open && !r.Undone {
			return r
		}
	}
	return nil
}

// executor is one Run in progress.
type executor struct {
	Deps
	plan   *planfile.Reader
	p      *planner.Plan
	st     *state.State
	work   context.Context // does not end with ^C: a batch in hand is finished
	events func(Event)
	record state.Run
	namer  planner.Namer
	held   []string
	failed []string              // objects
	missed map[uuid.UUID]int64   // users who are not at their after-state, by tenant
	half   bool                  // one of them was refused in part, and what was done of it stands
	waves  map[string]state.Wave // as recorded now
	figure map[string]*waveFigure
	open   map[uuid.UUID]state.Intent // intents of the batches that a killed run left
	lost   []*item                    // whom it has not taken back
	size   int                        // users of the next batch

	settling chan settled         // of the batch that is being written in Postgres; nil: none is
	absent   map[uuid.UUID]string // groups of this plan that could not be made, with the reason
}

// waveFigure counts the users of a wave in this run.
type waveFigure struct{ done, failed, paused int64 }

// nextSize is the size of the next batch, after one of last users.
func (x *executor) nextSize(last int) int {
	if x.BatchSize > 0 {
		return x.BatchSize
	}
	return x.Accounts.NextBatch(last)
}

func (x *executor) prepare() error {
	var err error
	if x.namer.Name, err = config.ParseTemplate(x.p.Identity.Name); err != nil {
		return fmt.Errorf("read the plan's name template: %w", err)
	}
	if x.namer.Display, err = config.ParseTemplate(x.p.Identity.Display); err != nil {
		return fmt.Errorf("read the plan's display name template: %w", err)
	}
	x.absent, x.missed = map[uuid.UUID]string{}, map[uuid.UUID]int64{}
	x.waves = map[string]state.Wave{}
	for _, w := range x.st.Waves {
		x.waves[w.Name] = w
	}
	x.figure = map[string]*waveFigure{}
	for _, w := range x.p.Waves {
		x.figure[w.Name] = &waveFigure{}
	}
	return nil
}

func (x *executor) begin(ctx context.Context, open *state.RunInfo) error {
	if open != nil && open.Plan != x.plan.ID() {
		// A rollback takes back a run that was stopped, but one that was stopped itself is finished first.
		if x.p.Kind != state.RunRollback || open.Kind == state.RunRollback {
			return &OpenRunError{Run: open.ID, Plan: open.Plan}
		}
		if err := x.closeOpen(ctx, open); err != nil {
			return err
		}
		open = nil
	}
	if err := x.Store.Bind(ctx, x.Target, x.p.Lineage); err != nil {
		return err
	}
	var err error
	if open != nil {
		x.record, err = x.Store.Resume(ctx, open.ID)
	} else {
		info := state.RunInfo{Kind: x.p.Kind, Plan: x.plan.ID(), Who: x.Who, ApprovedBy: x.ApprovedBy, Started: x.Now()}
		if x.p.Undo != nil {
			info.Undoes = x.p.Undo.Runs
			if len(x.p.Undo.Waves)+len(x.p.Undo.Tenants) > 0 {
				info.Undoes = nil // it takes back users of them
			}
		}
		x.record, err = x.Store.Begin(ctx, info, x.plan.Bytes())
	}
	if err != nil {
		return err
	}
	return x.takeOpen()
}

// takeOpen reads the intents of a batch that was not settled, and what has failed so far.
func (x *executor) takeOpen() error {
	open, err := x.record.Open(x.work)
	if err != nil {
		return err
	}
	x.open = make(map[uuid.UUID]state.Intent, len(open))
	for _, r := range open {
		if r.Verdict != 0 {
			x.lost = append(x.lost, lostIntent(r.Intent, r.Verdict, r.Reason))
			continue
		}
		x.open[r.User] = r.Intent
	}
	records, err := x.Store.Remainder(x.work, x.record.ID(), 1<<30)
	if err != nil {
		return err
	}
	for _, r := range records {
		x.count(r.Wave, r.Tenant, r.Verdict)
	}
	return nil
}

func (x *executor) count(wave string, tenant uuid.UUID, v state.Verdict) {
	if v == state.Refused || v == state.Changed {
		x.missed[tenant]++
	}
	f := x.figure[wave]
	if f == nil {
		return
	}
	switch v {
	case state.Done, state.Already:
		f.done++
	case state.Refused:
		f.failed++
	case state.Paused:
		f.paused++
	}
}

// run does the stages in their order and closes the run.
func (x *executor) run(ctx context.Context) (Result, error) {
	x.events(Event{Kind: Began, Run: x.record.ID()})
	if err := x.Accounts.Tidy(x.work); err != nil { // what a killed run has left
		return x.stopped(err)
	}
	for _, stage := range []func(context.Context) error{x.takeLostBack, x.schema, x.objects, x.segments, x.removals, x.aftermath} {
		if err := stage(ctx); err != nil {
			return x.stopped(err)
		}
	}
	counts := x.record.Counts()
	outcome := "done"
	if counts.Failed+counts.Changed+counts.Paused > 0 || len(x.held) > 0 {
		outcome = "remainder"
	}
	if err := x.Accounts.Tidy(x.work); err != nil {
		return x.stopped(err)
	}
	x.called()
	info, err := x.record.Close(x.work, outcome, x.Accounts.Retries())
	if err != nil {
		return x.stopped(err)
	}
	left, err := x.left(info.ID)
	return Result{Run: info, Left: left, Held: x.held, Objects: x.failed, Half: x.half}, err
}

// called hands on what the client has noted of its calls.
func (x *executor) called() {
	calls, notes := x.Accounts.Taken()
	x.record.Called(calls)
	for _, n := range notes {
		x.events(Event{Kind: Note, Text: n})
	}
}

func (x *executor) stopped(err error) (Result, error) {
	counts := x.record.Counts()
	counts.Retries += x.Accounts.Retries()
	info := state.RunInfo{ID: x.record.ID(), Kind: x.p.Kind, Plan: x.plan.ID(), Open: true, Counts: counts}
	return Result{Run: info, Stopped: true, Held: x.held, Objects: x.failed}, err
}

func (x *executor) left(run string) ([]Left, error) {
	records, err := x.Store.Remainder(x.work, run, maxLeft)
	if err != nil {
		return nil, err
	}
	var left []Left
	for _, r := range records {
		left = append(left, Left{User: r.User.String(), Wave: r.Wave, Verdict: r.Verdict, Reason: r.Reason})
	}
	return left, nil
}

// errInterrupted says that ctx ended between two batches.
var errInterrupted = errors.New("interrupted: what was begun is finished, the rest is left")

func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// Interrupted says whether a stopped run was stopped by the caller's context.
func Interrupted(err error) bool { return errors.Is(err, errInterrupted) }

// schema carries out the schema's steps; each is idempotent by the catalogue.
func (x *executor) schema(ctx context.Context) error {
	for i, step := range x.p.Schema {
		if err := interrupted(ctx); err != nil {
			return err
		}
		x.events(Event{Kind: Progress, Stage: "schema", Done: int64(i), Total: int64(len(x.p.Schema)), Text: step.Text})
		address := state.Address("schema." + step.Name)
		if _, err := x.record.IntendObjects(x.work, state.ObjectIntent{Address: address, Action: string(planner.Update)}); err != nil {
			return err
		}
		if err := x.Rows.Upgrade(ctx, step, nil); err != nil {
			return err
		}
		if err := x.record.SettleObjects(x.work, state.ObjectOutcome{Address: address, Verdict: state.Done}); err != nil {
			return err
		}
	}
	if n := int64(len(x.p.Schema)); n > 0 {
		x.events(Event{Kind: Progress, Stage: "schema", Done: n, Total: n})
	}
	return nil
}

// segments carries out the users: follow-ups and restorations first, then the waves in their order, each only when
// those that it comes after got moved.
func (x *executor) segments(ctx context.Context) error {
	place := 0
	for i, s := range x.p.Segments {
		if s.Kind == planner.SegmentMove {
			continue
		}
		if err := x.segment(ctx, i, place); err != nil {
			return err
		}
		place++
	}
	stuck := map[string]bool{}
	for _, w := range x.p.Waves {
		if a := slices.IndexFunc(w.After, func(a string) bool { return stuck[a] }); a >= 0 {
			stuck[w.Name] = true
			if x.segmentOf(w.Name) >= 0 {
				place++
			}
			x.held = append(x.held, fmt.Sprintf("wave %s was not started: wave %s did not get moved", w.Name, w.After[a]))
			continue
		}
		if i := x.segmentOf(w.Name); i >= 0 {
			if err := x.segment(ctx, i, place); err != nil {
				return err
			}
			place++
		}
		moved, err := x.latch(w)
		if err != nil {
			return err
		}
		stuck[w.Name] = !moved && x.waves[w.Name].DoneAt.IsZero()
	}
	return nil
}

func (x *executor) segmentOf(wave string) int {
	return slices.IndexFunc(x.p.Segments, func(s planner.Segment) bool { return s.Kind == planner.SegmentMove && s.Wave == wave })
}

// latch records a wave as it stands after its users were tried (L15), and says whether it got moved.
func (x *executor) latch(w planner.WaveEffect) (bool, error) {
	f := x.figure[w.Name]
	moved := f.failed <= w.MaxFailures && f.paused == 0
	after := x.latched(w, moved)
	if after != x.waves[w.Name] {
		x.waves[w.Name] = after
		return moved, x.record.Waves(x.work, []state.Wave{after})
	}
	return moved, nil
}

func (x *executor) latched(w planner.WaveEffect, moved bool) state.Wave {
	f := x.figure[w.Name]
	now := x.Now().UTC().Truncate(time.Microsecond)
	after := x.waves[w.Name]
	after.Name = w.Name
	if after.Started.IsZero() && w.Starts {
		after.Started = now
	}
	if f.done > 0 {
		after.Users += f.done
		if w.RestartSoak {
			after.Soaking = now
		}
	}
	if !moved || !w.Moved {
		return after
	}
	after.Digest = w.Digest
	if after.Soaking.IsZero() {
		after.Soaking = now
	}
	if after.MovedAt.IsZero() {
		after.MovedAt = now
	}
	if w.Done && after.DoneAt.IsZero() {
		after.DoneAt = now
	}
	return after
}

// latches says whether carrying out a plan without changes would record another state of a wave.
func (x *executor) latches() bool {
	for _, w := range x.p.Waves {
		if x.latched(w, true) != x.waves[w.Name] {
			return true
		}
	}
	return false
}
