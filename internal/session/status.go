package session

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/internal/survey"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/state"
	"anthill/state/pg"
)

// Glance is a session that only looks how far everything is. What it cannot see it says, and shows the rest: the state and the rows
// are enough.
type Glance struct {
	*Session
	unusable error // why the configuration was not read at all; nil: it was
}

// OpenGlance connects the database, and Self-auth where it can be asked. Where the configuration cannot be read, the database is the
// one that DATABASE_URL names.
//
// Errors: *DiagnosticsError where it is not known which database; *state.Error where that cannot be read.
func OpenGlance(ctx context.Context, settings Settings) (_ *Glance, err error) {
	s := &Session{settings: settings, counts: true}
	g := &Glance{Session: s}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	var diags hcl.Diagnostics
	s.module, diags = settings.load(ctx)
	s.warnings = diags
	var file config.Settings
	if diags.HasErrors() {
		g.unusable = s.mistakes(diags)
		if file, err = g.guess(ctx); err != nil {
			return nil, err
		}
	} else {
		if file, diags = s.module.Settings(); diags.HasErrors() {
			return nil, s.mistakes(diags)
		}
		if err := s.openPostgres(ctx, file); err != nil {
			return nil, err
		}
		if file.Unsettled {
			if file.Environment, err = s.settled(ctx); err != nil {
				return nil, err
			}
		}
	}
	return g, g.aim(ctx, file)
}

// guess opens the database of DATABASE_URL under the naming that fits it.
func (g *Glance) guess(ctx context.Context) (file config.Settings, err error) {
	if g.settings.Env("DATABASE_URL") == "" {
		return file, g.unusable
	}
	file = config.Defaults()
	for _, file.Naming = range postgres.Namings() {
		err = g.openPostgres(ctx, file)
		// Another naming does not help where there is no connection.
		if state.ErrorKindOf(err) != state.ErrorMissing || g.postgres == nil {
			return file, err
		}
		if g.postgres != nil {
			g.postgres.Close()
			g.postgres = nil
		}
	}
	return file, g.unusable
}

// aim asks Self-auth who it is, and says what the target is. Where Self-auth cannot be asked, or the configuration says nothing of
// it, the recorded state says.
func (g *Glance) aim(ctx context.Context, file config.Settings) error {
	if g.away = g.openSelfAuth(file); g.away == nil {
		g.away = within(ctx, whoPatience, "identify the token", func(ctx context.Context) (err error) {
			g.identity, err = g.selfauth.Whoami(ctx)
			return err
		})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.target = state.Target{Environment: file.Environment, System: g.inspection.System, Database: g.inspection.Database}
	if g.selfauth != nil {
		g.target.Origin = g.selfauth.Origin()
	}
	g.target.Domain = g.identity.Domain
	if g.away == nil && g.unusable == nil {
		return nil
	}
	st, err := g.store.Read(ctx)
	if err != nil {
		return err
	}
	if g.away != nil {
		g.target.Domain = st.Target.Domain
	}
	if g.selfauth == nil || g.unusable != nil {
		g.target.Origin = st.Target.Origin
	}
	if g.unusable != nil {
		g.target.Environment, g.target.Domain = st.Target.Environment, st.Target.Domain
	}
	return nil
}

// How long a server that does not answer keeps a glance waiting. A listing takes as long as there are persons.
const (
	whoPatience      = 15 * time.Second
	enrolledPatience = time.Minute
)

// within asks Self-auth something that need not be known.
func within(ctx context.Context, patience time.Duration, doing string, ask func(context.Context) error) error {
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := ask(asked)
	if err != nil && asked.Err() != nil && ctx.Err() == nil {
		return &state.Error{Kind: state.ErrorUnreachable, Side: "Self-auth", Doing: doing, Reason: "no answer within " + patience.String()}
	}
	return err
}

// StatusRequest says what is looked at besides what every status has.
type StatusRequest struct {
	AsOf     time.Time
	Days     bool // links and completions by day, and the key figures
	Sessions bool
}

// Status is how far everything is.
type Status struct {
	State    *state.State
	Survey   *survey.Survey
	Target   state.Target
	Holder   *state.Holder // of the lock; nil: nobody writes now
	Total    int64         // users of the open run's plan; 0: no run is open, or it has none
	Alone    bool          // the open run takes something back in Postgres alone
	Level    providers.Level
	Gone     []string // what somebody has taken away of the tables
	SelfAuth string   // version of the server
	Away     error    // why Self-auth was not asked; nil: it was
	Unseen   error    // why it is not known who has enrolled, though Self-auth was asked; nil: it is
	Mistakes error    // why the configuration cannot be used, mostly a *DiagnosticsError; nil: it can
	Warnings Diagnostics
	Sessions []providers.SessionCount
	New      []uuid.UUID          // new users who log in by password, the first few
	Tenants  map[uuid.UUID]string // slugs
}

// FewNew is how many new users Status.New has at most.
const FewNew = 10

// seen is what one look reads in one moment.
type seen struct {
	snapshot      *postgres.Snapshot
	store         *pg.Store
	state         *state.State
	tenants       []providers.Tenant
	config        *config.Config // nil: it cannot be used
	mistakes      error
	warnings      hcl.Diagnostics
	by            providers.CountBy
	announcements []state.MailTally
	enrolled      bool  // by says who has a credential
	unseen        error // why it does not, though Self-auth was asked
}

// see opens a moment. The caller closes its snapshot.
func (g *Glance) see(ctx context.Context) (l *seen, err error) {
	snapshot, err := g.postgres.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			snapshot.Close()
		}
	}()
	l = &seen{snapshot: snapshot}
	l.store = g.store.At(l.snapshot.ID())
	if l.state, err = g.recorded(ctx, l.store); err != nil {
		return nil, err
	}
	if l.tenants, err = l.snapshot.Tenants(ctx); err != nil {
		return nil, err
	}
	if l.mistakes = g.unusable; l.mistakes == nil {
		var diags hcl.Diagnostics
		if l.config, diags = g.evaluate(l.tenants, l.state); diags.HasErrors() {
			l.mistakes = g.mistakes(diags)
		} else {
			l.warnings = diags
		}
	}
	l.by = survey.By(l.config)
	if l.by.Recorded, l.by.Synced, err = l.store.RecordedTable(ctx); err == nil && len(l.by.Announced) > 0 {
		l.by.Outbox, l.announcements, err = l.store.Outbox(ctx)
	}
	return l, err
}

// ask asks Self-auth who has enrolled, if somebody is moved.
func (g *Glance) ask(ctx context.Context, l *seen, moved bool) {
	switch {
	case !moved:
		l.enrolled = true // of nobody
	case g.away != nil:
	default:
		l.unseen = within(ctx, enrolledPatience, "list enrolled persons", func(ctx context.Context) (err error) {
			l.by.Enrolled, err = g.selfauth.Directory().Enrolled(ctx)
			return err
		})
		l.enrolled = l.unseen == nil
	}
}

// Status looks how far everything is, in one moment of the database. Its work is a few statements, however many tenants there are.
func (g *Glance) Status(ctx context.Context, r StatusRequest) (v Status, err error) {
	l, err := g.see(ctx)
	if err != nil {
		return v, err
	}
	defer l.snapshot.Close()
	if r.Sessions || !l.by.NewSince.IsZero() {
		if err := g.mayRead(ctx, counting); err != nil {
			return v, err
		}
	}
	in := survey.Input{State: l.state, Level: g.inspection.Level, Config: l.config, Tenants: l.tenants, AsOf: r.AsOf,
		Announcements: l.announcements}
	if in.MovedOf, err = l.store.MovedOf(ctx); err != nil {
		return v, err
	}
	if err := l.snapshot.Sees(ctx, func() (bool, error) { return len(in.MovedOf) > 0, nil }); err != nil {
		return v, err
	}
	g.ask(ctx, l, len(in.MovedOf) > 0)
	in.Enrolled = l.enrolled
	if in.Counts, err = l.snapshot.CountUsers(ctx, l.by); err != nil {
		return v, err
	}
	if r.Days {
		in.Days = []providers.DayCount{}
		days, err := l.snapshot.CountDays(ctx, l.by)
		if err != nil {
			return v, err
		}
		in.Days = append(in.Days, days...)
	}
	if in.Left, err = l.left(ctx); err != nil {
		return v, err
	}
	v = Status{State: l.state, Survey: survey.Make(in), Target: g.target, Level: g.inspection.Level, Gone: g.inspection.Gone, SelfAuth: g.identity.Version, Away: g.away,
		Unseen: l.unseen, Mistakes: l.mistakes, Warnings: Diagnostics{l.warnings, g.module.Files()}, Tenants: map[uuid.UUID]string{}}
	for _, t := range l.tenants {
		v.Tenants[t.ID] = t.Slug
	}
	if r.Sessions {
		if v.Sessions, err = l.snapshot.CountSessions(ctx, r.AsOf); err != nil {
			return v, err
		}
	}
	if n := v.Survey.NewUsers; n != nil && n.Users > 0 {
		for u, err := range l.snapshot.UserLines(ctx, postgres.ListNew, l.by) {
			if err != nil {
				return v, err
			}
			if v.New = append(v.New, u.ID); len(v.New) == FewNew {
				break
			}
		}
	}
	if v.Holder, err = g.store.Holder(ctx); err != nil {
		return v, err
	}
	return v, g.total(ctx, l, &v)
}

// total says how many users the plan of the open run has.
func (g *Glance) total(ctx context.Context, l *seen, v *Status) error {
	run := l.state.OpenRun()
	if run == nil {
		return nil
	}
	e, err := kept(ctx, l.store, run.ID, planfile.Begun)
	if err != nil || e == nil {
		return err
	}
	for _, s := range e.Segments {
		v.Total += s.Users
	}
	v.Alone = e.PostgresOnly()
	return nil
}

// kept reads something of the plan that a run keeps; nil: it is in the form of another version.
func kept[T any](ctx context.Context, store state.Store, run string, read func(io.Reader) (*T, error)) (*T, error) {
	in, err := store.Plan(ctx, run)
	if err != nil {
		return nil, err
	}
	v, err := read(in)
	err = errors.Join(err, in.Close())
	if form := (*planfile.FormatError)(nil); errors.As(err, &form) {
		return nil, nil
	}
	return v, err
}

// last is the last apply; nil: there was none.
func last(st *state.State) *state.RunInfo {
	for i, r := range slices.Backward(st.Runs) {
		if r.Kind == state.RunApply {
			return &st.Runs[i]
		}
	}
	return nil
}

// left are those whom the last apply has left, by wave and reason.
func (l *seen) left(ctx context.Context) (map[string][]plan.Skipped, error) {
	run := last(l.state)
	if run == nil {
		return nil, nil
	}
	c, err := kept(ctx, l.store, run.ID, planfile.Reported)
	if err != nil || c == nil {
		return nil, err
	}
	of := map[string][]plan.Skipped{}
	for _, w := range c.Waves {
		of[w.Name] = w.NotMoved
	}
	return of, nil
}

// StatusUser is a user in a list of a status.
type StatusUser struct {
	providers.UserLine
	Slug   string          // of its tenant
	Waits  string          // the wave that is to move it, or has moved it; "": none
	Reason plan.SkipReason // why it is not moved, apart from how its wave stands; SkipNone: nothing keeps it
}

// Users streams users: those who log in by password alone, or those whom nothing but Self-auth lets in. Those who were seen last
// come first.
func (g *Glance) Users(ctx context.Context, which postgres.Listed) iter.Seq2[StatusUser, error] {
	return func(yield func(StatusUser, error) bool) {
		if err := g.users(ctx, which, yield); err != nil {
			yield(StatusUser{}, err)
		}
	}
}

func (g *Glance) users(ctx context.Context, which postgres.Listed, yield func(StatusUser, error) bool) error {
	if err := g.mayRead(ctx, counting); err != nil {
		return err
	}
	l, err := g.see(ctx)
	if err != nil {
		return err
	}
	defer l.snapshot.Close()
	reasons, err := l.reasons(ctx)
	if err != nil {
		return err
	}
	placer := survey.NewPlacer(survey.Input{State: l.state, Config: l.config, Tenants: l.tenants})
	for u, err := range l.snapshot.UserLines(ctx, which, l.by) {
		if err != nil {
			return err
		}
		one := StatusUser{UserLine: u}
		one.Slug, one.Waits, one.Reason = placer.Place(&u.UserFacts)
		if left, was := reasons[u.ID]; was && one.Reason == plan.SkipNone && one.Waits != "" {
			one.Reason = left
		}
		if !yield(one, nil) {
			return nil
		}
	}
	return nil
}

// reasons are why the last apply has left users, as far as no row tells.
func (l *seen) reasons(ctx context.Context) (map[uuid.UUID]plan.SkipReason, error) {
	run := last(l.state)
	if run == nil {
		return nil, nil
	}
	stored, err := storedPlan(ctx, l.store, run.ID)
	if form := (*planfile.FormatError)(nil); errors.As(err, &form) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	of := map[uuid.UUID]plan.SkipReason{}
	for u, err := range stored.Skipped() {
		if err != nil {
			return nil, err
		}
		if survey.Hidden(u.Reason) {
			of[u.User] = u.Reason
		}
	}
	return of, nil
}

// Mails looks up the addresses of some users, as their rows are now.
func (g *Glance) Mails(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]string, error) {
	rows, err := g.postgres.Fetch(ctx, users)
	mails := make(map[uuid.UUID]string, len(rows))
	for _, r := range rows {
		mails[r.ID] = r.Email
	}
	return mails, err
}
