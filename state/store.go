package state

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Store is recorded state as the planner, apply and the commands see it. Reading needs only the right to read; a state
// that is absent reads as empty. One process writes at a time, the one that holds the Lock. Each writing method is one
// transaction that raises the serial.
type Store interface {
	// Read returns the small part of the state.
	Read(ctx context.Context) (*State, error)

	// Users streams what is recorded of every user in the order of (TenantNow, User), uuid bytes. Each user once.
	Users(ctx context.Context) iter.Seq2[User, error]

	// UsersByID returns what is recorded of some users; those of whom nothing is are missing.
	UsersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]User, error)

	// UsersByPerson returns what is recorded of the users of some persons, whatever their standing, in no order.
	UsersByPerson(ctx context.Context, persons []uuid.UUID) ([]User, error)

	// UsersIn streams what is recorded of moved users who are recorded in one of some groups, in no order. It is meant for
	// groups from which a run has taken its users: few are left.
	UsersIn(ctx context.Context, groups []uuid.UUID) iter.Seq2[User, error]

	// Logins streams the logins of moved users whose link we wrote: whose row has another synced time than the one that is
	// recorded as written, and no time of completion. In another order each time, as who reads them may not come to the end. None
	// where the application's rows have no such times.
	Logins(ctx context.Context) iter.Seq2[Login, error]

	// The outbox.
	Outbox

	// Lock takes the lock on the target, waiting at most timeout, and fences off whoever had it before: from then on
	// that process writes nothing, even if it only slept. *LockedError when somebody else holds it; *LeftoverError when
	// what a process that lost it had begun can neither end nor be ended.
	Lock(ctx context.Context, who string, timeout time.Duration) (Lock, error)

	// Bind creates the state where there is none, with target and lineage. It leaves a state that is bound already:
	// *TargetError when that is bound to another target. Under the lock.
	Bind(ctx context.Context, target Target, lineage uuid.UUID) error

	// Retarget binds the state to another target than the one that it is bound to, and records that as a run that is done, with its
	// plan. An open run stays open, and belongs to the new target as well. Under the lock. *TargetError when it is bound to neither.
	Retarget(ctx context.Context, was, target Target, info RunInfo, plan io.Reader) (RunInfo, error)

	// Begin opens a run and stores its plan. Under the lock. ErrOpenRun when one is open.
	Begin(ctx context.Context, info RunInfo, plan io.Reader) (Run, error)

	// Resume opens the open run again. Under the lock.
	Resume(ctx context.Context, id string) (Run, error)

	// Plan returns the stored plan file of a run.
	Plan(ctx context.Context, run string) (io.ReadCloser, error)

	// Records streams the journal records of runs in the order of (tenant now, user, record id): what a rollback folds.
	// Those of intents that are not settled come too, Settled false; those of users for whom nothing was intended do not.
	Records(ctx context.Context, runs []string) iter.Seq2[Record, error]

	// RecordsByID reads journal records back, in no order.
	RecordsByID(ctx context.Context, ids []int64) ([]Record, error)

	// RecordsOf returns the journal records of one user, oldest first: those too for whom nothing was intended. It reads all of
	// the journal.
	RecordsOf(ctx context.Context, user uuid.UUID) ([]Record, error)

	// ObjectRecords returns the journal records of objects of the runs, oldest first; those of schema steps are left out.
	ObjectRecords(ctx context.Context, runs []string) ([]ObjectRecord, error)

	// Remainder returns records of a run's users that did not reach their after-state (changed, failed, paused,
	// in conflict), at most limit, by record id.
	Remainder(ctx context.Context, run string, limit int) ([]Record, error)

	// Tally counts the users of a run who are settled so far, Already ones too, in no order: what a resumed run knows of those
	// before, and what an auditor asks.
	Tally(ctx context.Context, run string) ([]Tally, error)

	// UserWaves names the waves that have moved users, or were about to when their run was stopped, whatever became of the
	// users since; sorted.
	UserWaves(ctx context.Context) ([]string, error)

	// UserPolicies names the policies under which users are moved now; sorted.
	UserPolicies(ctx context.Context) ([]string, error)
	// Pause records a pause that somebody asks for, and needs no lock: a run that goes on beside it finds it before its next
	// batch. It reports whether a person's was not there yet; where one was, nothing is changed. ErrNoState where there is
	// no state of this version yet (Bind makes it).
	Pause(ctx context.Context, p Pause) (bool, error)

	// Pauses are those that stand just now, in the order of State.Pauses. The state is bound.
	Pauses(ctx context.Context) ([]Pause, error)

	// Confirm records the confirmation of a manual gate. Under the lock.
	Confirm(ctx context.Context, c Confirmation) error

	// Unconfirm takes back the confirmations of a manual gate, or of a tenant only its own, and reports whether there were any.
	// Under the lock.
	Unconfirm(ctx context.Context, g WaveGate, s Signed) (bool, error)

	// Resumed lifts the pauses of a wave, or with a tenant only those of that tenant in it, and returns them. Where the wave is
	// paused as a whole, those of tenants stay. Objects that waited for them may be made again. Under the
	// lock.
	Resumed(ctx context.Context, wave string, tenant uuid.UUID, s Signed) ([]Pause, error)

	// Wish records a wish, in the place of one of the same wave and kind. Under the lock.
	Wish(ctx context.Context, w Wish) error

	// Withdraw takes back a wish of a wave and reports whether there was one. Under the lock.
	Withdraw(ctx context.Context, wave string, kind WishKind, s Signed) (bool, error)

	// Forget takes out of the state and the journal what is kept of a user whose row is gone, and records by whom and why, without
	// the user. Counts and digests of runs stay. Under the lock. ErrRowThere, ErrOpenRun, ErrNothingKept.
	Forget(ctx context.Context, user uuid.UUID, s Signed) (Forgotten, error)

	// WasForgotten says when a user was forgotten last, and by whom; nil: it was not.
	WasForgotten(ctx context.Context, user uuid.UUID) (*Forgotten, error)

	// ForgottenOf counts the users who were forgotten and of whom one of some runs had journal records.
	ForgottenOf(ctx context.Context, runs []string) (int64, error)

	// WaveEvents are what was done to waves, oldest first.
	WaveEvents(ctx context.Context) ([]WaveEvent, error)
}

// Outbox is what is recorded of mails to users. Runs add to it (Outcome.Mail). There are none in a state of an earlier version.
type Outbox interface {
	// Mails streams all of them in the order of Users, those of a user in the order in which they were chosen: User, Letter, Round,
	// Status, Past and Ended, and no more.
	Mails(ctx context.Context) iter.Seq2[Mail, error]
	// MailsOf returns those of some users, in the order in which they were chosen.
	MailsOf(ctx context.Context, users []uuid.UUID) ([]Mail, error)
	// DoubtfulMails returns those of which nobody knows whether they were sent, in the order in which they were chosen; but for users
	// who were invited once more since, or taken back.
	DoubtfulMails(ctx context.Context) ([]Mail, error)
	// MailTally counts those that a run has chosen.
	MailTally(ctx context.Context, run string) ([]MailTally, error)
	// MailsLeft returns those that a run has chosen and that were not taken, at most limit.
	MailsLeft(ctx context.Context, run string, limit int) ([]Mail, error)
	// Invites streams when moved users were invited of whom the row keeps no time of it, by user. None where the application's
	// rows have no such time.
	Invites(ctx context.Context) iter.Seq2[Invite, error]
	// Bounced records that mails came back, and returns those that were taken or in doubt until now, as they were. Under the lock.
	Bounced(ctx context.Context, list []MailOutcome) ([]Mail, error)
	// SettleDoubtful records that the mails in doubt were sent, and counts them. Invitations that a run has chosen for the same users, and
	// has not sent, are withdrawn. Under the lock.
	SettleDoubtful(ctx context.Context, at time.Time) (int64, error)
	// AskedLately counts the mails that a user was sent within AskedWithin, or is about to be, codes that were shown included.
	AskedLately(ctx context.Context, user uuid.UUID, now time.Time) (int, error)
	// Shown records that a code was shown to somebody (LetterPrinted), and needs no lock; ID and Round are chosen here. ErrNoState
	// where there is no state of this version yet; ErrAskedEnough where the user had MostAsked, counted under one lock with all others
	// who ask.
	Shown(ctx context.Context, m Mail) error
}

// Lock is a held lock. A process may lose it without noticing: it sleeps, its connection ends, somebody else takes it.
// So whatever is written outside this package asks first, by one of two methods, which return a *LockLostError.
type Lock interface {
	// Confirm says whether the lock is still held, just now. Safe for concurrent use.
	Confirm(ctx context.Context) error
	// Fence says so within a transaction on the target database, as its first statement: nobody takes the lock over
	// until that ends. Safe for concurrent use.
	Fence(ctx context.Context, tx Tx) error
	// Release is safe to call twice.
	Release(ctx context.Context) error
}

// Holder is whoever has the lock on the target.
type Holder struct {
	Who     string    // user@host, as the holder wrote it; "": not known
	Since   time.Time // zero: not known
	PID     int32     // of its session in the database
	Address string    // from which that session comes; "": this machine, or not known
}

// Tx is the transaction on the target database in which a provider changes rows, as far as a backend in the same
// database needs it to commit outcomes together with them.
type Tx interface {
	Exec(ctx context.Context, sql string, args ...any) (rows int64, err error)
}

// Run is an open run. Intend may be called while Settle runs, nothing else at the same time.
type Run interface {
	ID() string
	// Position is how far the run has come: where a resumed one goes on.
	Position() Position
	// Open returns the intents of the batches that were not settled, in their order; empty if there are none.
	// Those of them that are lost have a verdict.
	Open(ctx context.Context) ([]Record, error)
	// Intend makes the intents of a batch durable and fills in the ID of each. Batches before it may be unsettled
	// still, and one of them in the middle of Settle.
	Intend(ctx context.Context, intents []Intent) error
	// Settle records the outcomes of a batch and moves the run's position to next: inside tx, so that they are durable
	// when that commits, or, if tx is nil, in a transaction of its own.
	Settle(ctx context.Context, tx Tx, outcomes []Outcome, next Position) error
	// Called notes write calls that the identity server has carried out; they are recorded with the next settlement.
	Called(calls []Call)
	// IntendObjects and SettleObjects do the same for objects (and for a schema step), some in one transaction. again
	// says of each intent that the run was stopped with this very one unsettled.
	IntendObjects(ctx context.Context, intents ...ObjectIntent) (again []bool, err error)
	SettleObjects(ctx context.Context, outcomes ...ObjectOutcome) error
	// Waves records waves as they stand now, and moves the run's position to next in the same transaction, so that a
	// resumed run does not count the same users for a wave twice. All batches before are settled.
	Waves(ctx context.Context, waves []Wave, next Position) error
	// Brakes records the brakes of the declared waves, and policies, in the place of what is recorded.
	Brakes(ctx context.Context, brakes []Brakes, policies []Policy) error
	// Pause records pauses that the run leaves; Lift removes those left by the named runs (a rollback that is itself rolled
	// back).
	Pause(ctx context.Context, pauses []Pause) error
	Lift(ctx context.Context, runs []string, at time.Time) error
	// Unconfirm takes back the confirmations of manual gates, of a tenant only its own: users of their waves were taken back. Wished ends wishes, by
	// ActUse, as the run has gone by them, or by ActWithdraw.
	Unconfirm(ctx context.Context, gates []WaveGate, at time.Time) error
	Wished(ctx context.Context, wishes []Wish, act WaveAct, at time.Time) error
	// OpenMails returns mails that the run has chosen and that are still to be sent, at most limit: by wave and user, those behind that
	// were refused for good before.
	OpenMails(ctx context.Context, limit int) ([]Mail, error)
	// DoubtMails records that nobody knows of the mails that were rendered: the process that was about to hand them over was stopped.
	DoubtMails(ctx context.Context, at time.Time) error
	// Handing makes durable that a mail is about to be handed over, and how its user is led in. Handed records how mails ended.
	// Both are safe for concurrent use, beside each other too.
	Handing(ctx context.Context, id uuid.UUID, link MailLink, at time.Time) error
	Handed(ctx context.Context, list ...MailOutcome) error
	// Undone marks runs as wholly undone (or, when a rollback is undone, as standing again).
	Undone(ctx context.Context, runs []string, undone bool) error
	// Close ends the run with its outcome and counts and chains its digest. retries is how many calls were tried again
	// since the run was begun or resumed.
	Close(ctx context.Context, outcome RunOutcome, retries int64) (RunInfo, error)
	// Counts is what has been settled so far.
	Counts() Counts
}
