package apply

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
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
	Bare       bool // as providers.Inspection has it
	// Observe opens a moment of Postgres, and Enrolled lists who has a credential in Self-auth, as providers.Directory does: for
	// the gates of waves, where a plan has some that are sampled.
	Observe   func(context.Context) (Observed, error)
	Enrolled  func(context.Context) ([]uuid.UUID, error)
	Post      Post // for plans that write to users
	BatchSize int  // users a batch; 0: as many as the server takes in the time that one write may have
}

const maxLeft = 100 // users whom Result.Left lists

// Run carries out a plan, or goes on with its open run, and returns how it ended.
//
// Errors before any effect: *BlockedError, *StaleError, *state.TargetError, *OpenRunError, or what reading the state
// says. With Result.Stopped the run is open and the error is why it stopped; the same call finishes it. ctx ends the
// run between batches only.
func Run(ctx context.Context, file *planfile.Reader, d Deps, events func(Event)) (Result, error) {
	if events == nil {
		events = func(Event) {}
	}
	st, err := d.Store.Read(ctx)
	if err != nil {
		return Result{}, err
	}
	if file.Effects().Kind == state.RunRetarget {
		return retarget(ctx, file, st, d)
	}
	open := st.OpenRun()
	if err := check(file.Effects(), st, d, open != nil && open.Plan == file.ID()); err != nil {
		return Result{}, err
	}
	x, err := newExecutor(file, st, d, events)
	if err != nil {
		return Result{}, err
	}
	if open == nil {
		// Applying a plan twice is safe, and says so instead of doing it again.
		if done := closedRun(st, file.ID(), file.Last().Run); done != nil {
			left, err := x.left(ctx, done.ID)
			if err == nil {
				err = x.noteLogins(ctx)
			}
			return Result{Run: *done, Nothing: true, Left: left, Logins: x.logins, Unnoted: x.unnoted}, err
		}
		if x.effects.Empty() && !x.latches() && x.effects.Undo == nil {
			err := x.noteLogins(ctx)
			return Result{Nothing: true, Logins: x.logins, Unnoted: x.unnoted}, err
		}
		if held := x.notYet(); len(held) > 0 {
			return Result{Nothing: true, Held: held}, nil
		}
		// A run that was begun in time may be finished.
		if err := lapsed(x.effects, d); err != nil {
			return Result{}, err
		}
		if d.FailStale {
			if err := x.lookForStale(ctx); err != nil {
				return Result{}, err
			}
		}
	}
	if d.FailStale && x.overtaken && len(x.effects.Waves) > 0 {
		return Result{}, &StaleError{Reason: "another apply has recorded what holds waves back, or what is promised to users, since this " +
			"plan was made: plan again"}
	}
	// Its own run, which goes on here, does not count.
	if open == nil || open.Plan != file.ID() {
		if err := x.laterRun(); err != nil {
			return Result{}, err
		}
	}
	if err := x.usedSince(ctx); err != nil {
		return Result{}, err
	}
	if err := x.checkGroups(ctx); err != nil {
		return Result{}, err
	}
	resumed := open != nil && open.Plan == file.ID()
	if open != nil && !resumed && d.FailStale {
		if err := x.lookForStale(ctx); err != nil {
			return Result{}, err
		}
	}
	if err := x.checkPost(ctx); err != nil {
		return Result{}, err
	}
	if err := x.begin(ctx, open); err != nil {
		return Result{}, err
	}
	if resumed && d.FailStale {
		if err := x.lookForStale(ctx); err != nil {
			return Result{}, err
		}
	}
	return x.run(ctx, resumed)
}

// laterRun refuses a rollback that was planned before the last run: it folds the journal of all runs since the one that it
// takes back, and one that came, or went on, later is not in it.
func (x *executor) laterRun() error {
	if after, now := x.effects.After, plan.Now(x.st); after != nil && !after.Equal(now) {
		return &StaleError{Reason: "run " + now.Run + " came, or went on, after this rollback was " +
			"planned, which does not know what that did: plan it again"}
	}
	return nil
}

// usedSince refuses a plan that gives a policy another method, or another `from`, under which users have come since (L8): when it was
// made there were none. Otherwise the record would say of them what they were not moved by. A plan that was overtaken records nothing.
func (x *executor) usedSince(ctx context.Context) error {
	changed := x.effects.PoliciesChanged(x.st)
	if x.overtaken || len(changed) == 0 {
		return nil
	}
	used, err := x.Store.UserPolicies(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(changed, func(p string) bool { return slices.Contains(used, p) }); i >= 0 {
		return &StaleError{Reason: "users have moved under auth_policy " + changed[i] + " since this plan was made, which gives it " +
			"another method or another from: plan again"}
	}
	return nil
}

// check says why a plan may not run here and now: a *state.TargetError, *BlockedError or *StaleError. goesOn: its run is open. That
// belongs to what the state is bound to by now.
func check(e *plan.Effects, st *state.State, d Deps, goesOn bool) error {
	if diff := e.Target.Differs(d.Target); diff != "" && !goesOn {
		return &state.TargetError{What: "plan", Differs: diff}
	}
	lineage := d.Target.FirstLineage()
	if st.Exists {
		lineage = st.Lineage
		diff := st.Target.Differs(d.Target)
		if e.Was != nil && diff != "" {
			diff = st.Target.Differs(*e.Was)
		}
		if diff != "" {
			return &state.TargetError{What: "state", Differs: diff}
		}
	}
	switch {
	case e.Blocked():
		return &BlockedError{Reason: "the plan is blocked by a hazard that was not allowed when it was made"}
	case lineage != e.Lineage:
		return &StaleError{Reason: "the plan was made from another recorded state (its lineage differs): plan again"}
	case d.Bare && len(e.Schema) == 0 && (e.Undo == nil || e.Undo.Schema == nil) && writesRows(e):
		return &StaleError{Reason: "the columns are gone that the rows of this plan's users need (a rollback with -schema takes " +
			"them back): make them again with apply, and plan again"}
	case e.NotBefore.After(d.Now()):
		return &StaleError{Reason: "the plan was made as of " + e.NotBefore.UTC().Format("2006-01-02 15:04 UTC") +
			", which has not come: apply it then"}
	}
	return nil
}

// writesRows reports whether a plan links users, raises them or gives rows back what they held.
func writesRows(e *plan.Effects) bool {
	return slices.ContainsFunc(e.Segments, func(s plan.Segment) bool {
		return s.Kind == plan.SegmentMove || s.Kind == plan.SegmentRestore
	})
}

// lapsed says that a plan rests on an allowance whose time is over.
func lapsed(e *plan.Effects, d Deps) error {
	for _, a := range e.Lapsed(d.Now()) {
		return &BlockedError{Reason: fmt.Sprintf("what allowed %s=%d has expired at %s: plan again", a.Code, a.Count,
			a.Until.UTC().Format("2006-01-02 15:04 UTC"))}
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
	plan    *planfile.Reader
	effects *plan.Effects
	sets    [][]uuid.UUID // groups by plan.Set
	groups  map[uuid.UUID]plan.Group
	slugs   map[uuid.UUID]string
	st      *state.State
	journal state.Run
	events  func(Event)
	namer   plan.Namer
	waves   map[string]state.Wave // as recorded now
	// What holds waves back was recorded anew since the plan was made: none of its waves moves anybody. It is so for all of a run,
	// as no other one can come in between.
	overtaken bool
	ahead     bool                          // users are looked at before anything is done
	pauses    atomic.Pointer[[]state.Pause] // as last read; batches are looked at in the background
	tally
	flight
}

// tally is what a run has come to so far.
type tally struct {
	held    []state.Finding // waves that were not started
	through map[string]bool // waves that it has come to, and of which nobody is due any more
	failed  []state.Finding // objects that were not done
	half    bool            // one of them was refused in part, and what was done of it stands
	mails   []state.MailTally
	unsent  []state.Mail // of them, the first
	logins  int64        // rows that got their time of completion
	// why rows of users who were invited did not get their time of it
	uninvited state.Finding
	unnoted   state.Finding // why others did not
	// by wave: what the gates go by that are sampled again
	sampled map[string]*state.WaveFigures
	missed  map[uuid.UUID]int64         // users who were refused or had changed, by tenant: they still need its objects
	inside  map[uuid.UUID]int64         // users who are left in groups that go, by group
	absent  map[uuid.UUID]state.Finding // groups of this plan that could not be made, with the reason
	// groups whose rule is not what this plan goes by, with the reason why it was not changed
	unruled map[uuid.UUID]state.Finding
	figure  map[string]*waveFigure
}

// waveFigure counts the users of a wave in this run.
type waveFigure struct{ done, failed, paused, tried int64 }

// flight is what is known of the users who are on their way.
type flight struct {
	open     map[uuid.UUID]state.Intent // intents of the batches that a stopped run left; nil once they are settled
	lost     []*item                    // users whom that run had still to put back
	size     int                        // users in one slow call; a batch is some of those (enough)
	fit      fit
	inVain   int               // batches in a row that waited in vain for what another session holds
	settling chan settledBatch // of the batch that is being written in Postgres; nil: none is
}

// newExecutor prepares a run. The error is one of the plan's templates, which were parsed when it was made.
func newExecutor(file *planfile.Reader, st *state.State, d Deps, events func(Event)) (*executor, error) {
	e := file.Effects()
	x := &executor{
		Deps:      d,
		plan:      file,
		effects:   e,
		st:        st,
		overtaken: e.Overtaken(st),
		events:    inTurn(events),
		waves:     map[string]state.Wave{},
		slugs:     e.Slugs(),
		sets:      make([][]uuid.UUID, max(1, len(e.Sets))),
		groups:    make(map[uuid.UUID]plan.Group, len(e.Groups)),
	}
	x.missed, x.absent, x.figure = map[uuid.UUID]int64{}, map[uuid.UUID]state.Finding{}, map[string]*waveFigure{}
	x.unruled, x.through = map[uuid.UUID]state.Finding{}, map[string]bool{}
	if e.PostgresOnly() {
		x.Accounts = unasked{}
	}
	x.pauses.Store(&st.Pauses)
	x.size = x.nextSize(0)
	var err error
	if x.namer.Name, err = config.ParseTemplate(e.Identity.Name); err != nil {
		return nil, fmt.Errorf("read the plan's name template: %w", err)
	}
	if x.namer.Display, err = config.ParseTemplate(e.Identity.Display); err != nil {
		return nil, fmt.Errorf("read the plan's display name template: %w", err)
	}
	for s := range e.Sets {
		for _, g := range e.GroupsOf(plan.Set(s)) {
			x.sets[s] = append(x.sets[s], g.ID)
		}
	}
	for _, g := range e.Groups {
		x.groups[g.ID] = g
	}
	for _, w := range st.Waves {
		x.waves[w.Name] = w
	}
	for _, w := range e.Waves {
		x.figure[w.Name] = &waveFigure{}
	}
	return x, nil
}

// inTurn tells events one after another: batches are settled, and waits looked at, in the background.
func inTurn(events func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events(e)
	}
}

// nextSize is how many users go into the next slow call, after one of last users.
func (x *executor) nextSize(last int) int {
	if x.BatchSize > 0 {
		return x.BatchSize
	}
	return x.Accounts.NextBatch(last)
}

// begin opens the run, or goes on with it where it is open, and reads what that had left. An open run of another plan
// must be finished or closed before.
func (x *executor) begin(ctx context.Context, open *state.RunInfo) error {
	if open != nil && open.Plan != x.plan.ID() {
		return &OpenRunError{Run: open.ID, Plan: open.Plan}
	}
	if err := x.Store.Bind(ctx, x.Target, x.effects.Lineage); err != nil {
		return err
	}
	var err error
	if open != nil {
		x.journal, err = x.Store.Resume(ctx, open.ID)
	} else {
		info := state.RunInfo{
			Kind:       x.effects.Kind,
			Plan:       x.plan.ID(),
			Seal:       x.plan.Seal(),
			Who:        x.Who,
			ApprovedBy: x.ApprovedBy,
			Started:    x.Now(),
		}
		if u := x.effects.Undo; u != nil && len(u.Waves)+len(u.Tenants) == 0 && !u.PostgresOnly {
			// Narrowed, it takes back users of them; of Postgres alone, half of what they did.
			info.Undoes = u.Runs
		}
		x.journal, err = x.Store.Begin(ctx, info, x.plan.Bytes())
	}
	if err != nil {
		return err
	}
	x.events(Event{Kind: Begun})
	return x.takeOpen(context.WithoutCancel(ctx))
}

// takeOpen reads the intents of batches that were not settled, and counts how all others were settled.
func (x *executor) takeOpen(ctx context.Context) error {
	open, err := x.journal.Open(ctx)
	if err != nil {
		return err
	}
	x.open = make(map[uuid.UUID]state.Intent, len(open))
	for _, r := range open {
		// Its row was lost to somebody else, and it is still to be taken back.
		if r.Verdict != 0 {
			x.lost = append(x.lost, lostIntent(r.Intent, r.Verdict, r.Reason))
			continue
		}
		x.open[r.User] = r.Intent
	}
	tallies, err := x.Store.Tally(ctx, x.journal.ID())
	if err != nil {
		return err
	}
	for _, t := range tallies {
		x.count(t)
	}
	return nil
}

// countOutcomes counts users who were settled.
func (x *executor) countOutcomes(list []state.Outcome) {
	for _, o := range list {
		x.half = x.half || o.Reason.Code == state.CodeNotPutBack
		x.count(state.Tally{Segment: o.Segment, Tenant: o.Tenant, Verdict: o.Verdict, Users: 1})
	}
}

// count adds users to the figures of the wave that moves them, and to those whom their tenant's objects still need. Who
// was moved before, and only follows, is none of those whom a wave moves.
func (x *executor) count(t state.Tally) {
	s := x.effects.Segments[t.Segment]
	if !s.Kind.Mails() && (t.Verdict == state.Refused || t.Verdict == state.Changed) {
		x.missed[t.Tenant] += t.Users
	}
	f := x.figure[s.Wave]
	if s.Kind != plan.SegmentMove || f == nil {
		return
	}
	f.tried += t.Users
	switch t.Verdict {
	case state.Done, state.Already:
		f.done += t.Users
	case state.Refused:
		f.failed += t.Users
	case state.Paused:
		f.paused += t.Users
	}
}

// run does the stages in their order and closes the run. ^C ends it between batches; what is in hand is finished.
func (x *executor) run(ctx context.Context, resumed bool) (Result, error) {
	work := context.WithoutCancel(ctx)
	// A plan of mails alone marks nobody and takes nothing away: it needs no right to do so.
	bulk := x.effects.Kind != state.RunInvite
	if resumed && bulk {
		// What the process had sent that was stopped is done first: what is looked at afterwards stays so.
		if err := x.Accounts.Drain(work); err != nil && !refused(err) { // a refusal has waited for its turn, too
			return x.stopped(err)
		}
	}
	if bulk {
		if err := x.Accounts.Tidy(work); err != nil { // what a killed run has left
			return x.stopped(err)
		}
	}
	// Groups stand before users join them, and go only when users have left them, and columns only when no row holds
	// anything of ours in them; what a rollback leaves behind is recorded last, since a run that stops before has taken
	// nothing back as a whole.
	for _, stage := range []func(context.Context) error{
		x.brakes, x.resumeLost, x.schema, x.objects, x.segments, x.lastObjects, x.schemaBack, x.aftermath, x.noteLogins, x.send,
	} {
		if err := stage(ctx); err != nil {
			return x.stopped(err)
		}
	}
	if err := x.tallyMails(work); err != nil {
		return x.stopped(err)
	}
	outcome := state.OutcomeDone
	if counts := x.journal.Counts(); counts.Failed+counts.Changed+counts.Paused > 0 || len(x.held) > 0 || x.mailsRemain() {
		outcome = state.OutcomeRemainder
	}
	if bulk {
		if err := x.Accounts.Tidy(work); err != nil {
			return x.stopped(err)
		}
	}
	x.called()
	info, err := x.journal.Close(work, outcome, x.Accounts.Retries())
	if err != nil {
		return x.stopped(err)
	}
	left, err := x.left(work, info.ID)
	return Result{Run: info, Left: left, Held: x.held, Objects: x.failed, Half: x.half, Logins: x.logins, Unnoted: x.unnoted,
		Mails: x.mails, Unsent: x.unsent, Uninvited: x.uninvited}, err
}

// called hands the calls that the client has made on to the journal, and its notes to the caller.
func (x *executor) called() {
	calls, notes := x.Accounts.Taken()
	x.journal.Called(calls)
	for _, n := range notes {
		x.events(Event{Kind: Note, Note: n})
	}
}

func (x *executor) stopped(err error) (Result, error) {
	counts := x.journal.Counts()
	counts.Retries += x.Accounts.Retries()
	info := state.RunInfo{
		ID:     x.journal.ID(),
		Kind:   x.effects.Kind,
		Plan:   x.plan.ID(),
		Seal:   x.plan.Seal(),
		Open:   true,
		Counts: counts,
	}
	_ = x.tallyMails(context.Background()) // the error at hand says more
	return Result{Run: info, Stopped: true, Held: x.held, Objects: x.failed, Mails: x.mails, Unsent: x.unsent}, err
}

func (x *executor) left(ctx context.Context, run string) ([]Left, error) {
	records, err := x.Store.Remainder(ctx, run, maxLeft)
	if err != nil {
		return nil, err
	}
	var left []Left
	for _, r := range records {
		left = append(left, Left{User: r.User, Wave: r.Wave, Verdict: r.Verdict, Reason: r.Reason})
	}
	return left, nil
}
