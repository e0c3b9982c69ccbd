package providers

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Database is what the planner reads of Postgres: one snapshot, read only. One that is a SchemaReader as well can take
// steps of the schema back. Errors are *state.Error or of ctx; the same
// holds for all interfaces here.
type Database interface {
	Tenants(ctx context.Context) ([]Tenant, error) // sorted by id, all of them, deleted ones too
	// Users streams all rows of users, soft-deleted ones too, in the order of tenant id, user id (bytes). The
	// yielded value is the consumer's.
	Users(ctx context.Context) iter.Seq2[User, error]
	Mappings(ctx context.Context) ([]Mapping, error) // sorted by tenant, group
}

// Directory is what the planner reads of Self-auth.
type Directory interface {
	Persons(ctx context.Context) iter.Seq2[Person, error] // all, in no order; decoded while they arrive
	// Groups are all groups, built-in ones too, sorted by id. Of a Hidden one no more is known than that it is there.
	Groups(ctx context.Context) ([]Group, error)
	// OtherNames are the names in use that are neither persons' nor groups': service accounts, clients.
	OtherNames(ctx context.Context) ([]string, error)
	Clients(ctx context.Context) ([]Client, error) // OAuth2 clients, sorted by name
	// Discovery is what an OAuth2 client's discovery document says; the zero value where there is none.
	Discovery(ctx context.Context, client string) (Discovery, error)
	// RefusedRedirects are those of some redirect URLs to which Self-auth sends no login of a client, whoever logs in; nobody
	// does for this. A URL of which its answer tells nothing is not among them.
	RefusedRedirects(ctx context.Context, client string, urls []string) ([]string, error)
	// Enrolled are the persons who have a credential in Self-auth, sorted by id. That there are none counts only where the
	// account may see them; else it is Denied.
	Enrolled(ctx context.Context) ([]uuid.UUID, error)
	// Recycled are the ids of the deleted entries that can be brought back; none where the account may not see them.
	Recycled(ctx context.Context) ([]uuid.UUID, error)
}

// Locale is how a user reads dates. The zero Locale: nothing is known.
type Locale struct {
	Language string         // "en", "de"
	Zone     *time.Location // nil: not known
}

// Noted is what became of times of completion, or of invitation.
type Noted struct {
	Rows int64         // that got theirs
	Left state.Finding // why it is of no use to try more of them now; zero: it is
}

// Rows is what apply does to Postgres.
type Rows interface {
	// Fetch reads rows of users again, in no order; rows that are gone are missing. Where they only cannot be seen, it is
	// an error.
	Fetch(ctx context.Context, users []uuid.UUID) ([]UserRow, error)
	// Linked reads the rows that are linked to some persons, in no order.
	Linked(ctx context.Context, persons []uuid.UUID) ([]UserRow, error)
	// Addressed are the users, neither they nor their tenants deleted, whose rows hold some addresses: by address, both compared
	// in small letters, as which they are the keys.
	Addressed(ctx context.Context, addresses []string) (map[string][]uuid.UUID, error)
	// WriteUsers is one transaction: it locks the rows that nobody else holds, compares digests, writes those that match, calls
	// settle with the results (in the order of writes) and the transaction, and commits. An error of settle rolls back. A row
	// that is held is refused (CodeRowHeld). Where writing would wait for something else, all are (CodeTableHeld), and the caller
	// finds by fewer at a time which it is.
	WriteUsers(ctx context.Context, writes []UserWrite, settle func(state.Tx, []UserResult) error) error
	// NoteLogins writes the synced time of rows as their time of completion, in one transaction, where the row still has that
	// link and that synced time, and no time of completion. It leaves rows that somebody else holds, or whose writing the
	// database refuses.
	NoteLogins(ctx context.Context, logins []state.Login) (Noted, error)
	// NoteInvites writes the time of invitation of rows that still have that link, and none; UnnoteInvites takes that very time back.
	// Both as NoteLogins.
	NoteInvites(ctx context.Context, invites []state.Invite) (Noted, error)
	UnnoteInvites(ctx context.Context, invites []state.Invite) (Noted, error)
	// Locale is what the application knows of a user's language and time zone.
	Locale(ctx context.Context, user uuid.UUID) (Locale, error)
	// Map makes mapping rows be as given (insert, or update name and role on the primary key); Unmap deletes
	// those of the same tenant and group.
	Map(ctx context.Context, m []Mapping) error
	Unmap(ctx context.Context, m ...Mapping) error
	// Mapping returns a mapping row; nil: there is none.
	Mapping(ctx context.Context, tenant, group uuid.UUID) (*Mapping, error)
	// MappingsOf returns all mapping rows of some tenants, and of some groups, in no order.
	MappingsOf(ctx context.Context, tenants, groups []uuid.UUID) ([]Mapping, error)
	// Tenants, read and written one by one; see Objects.
	Objects
	// Upgrade carries out the schema step of a name. It is idempotent: a step in effect already is left alone, what a
	// kill left half (an invalid index) is recognised and made again. progress may be nil.
	Upgrade(ctx context.Context, step string, progress func(done, total int64)) error
	// Downgrade takes a schema step back, as idempotent as Upgrade. What its columns hold is moved to an archive, from which
	// Upgrade brings it back. since is as of NeedsSchema. *SchemaNeededError where something needs the step: it stands then.
	Downgrade(ctx context.Context, step string, since time.Time) error
	// SchemaNeeded says what keeps steps of the schema from being taken back; nil: nothing does.
	SchemaNeeded(ctx context.Context, since time.Time) ([]state.Finding, error)
}

// UserRow is a row read again for apply, with the image that its journal record keeps.
type UserRow struct {
	User
	Image state.Image
}

// Accounts is what apply does to persons, groups and memberships. A call for many is one write transaction of the
// server, or few; the caller chooses the size of batches as NextBatch says.
type Accounts interface {
	// Tidy deletes what a killed process has left behind, and what this one no longer needs. The caller holds the lock of
	// the state.
	Tidy(ctx context.Context) error
	// Drain returns when the writes are through that the server had received before, from whomever: those of a process that
	// was killed go on without it.
	Drain(ctx context.Context) error
	// NextBatch is how many users the next batch holds, after one of last users (0: the first).
	NextBatch(last int) int
	// Taken returns the writes that went through since it was last called, and what is to be said once.
	Taken() (calls []state.Call, notes []state.Finding)
	// Retries counts the calls that were tried again.
	Retries() int64

	// Lookup returns those of the persons that exist, in no order.
	Lookup(ctx context.Context, ids []uuid.UUID) ([]Person, error)
	// CanLogIn returns those of the persons who have a credential and have not expired, with the groups that they are in,
	// nested ones too. Who is missing has none, or has expired: it is Denied where the account may not see credentials.
	CanLogIn(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error)
	// Clients are the OAuth2 clients as they are now, sorted by name.
	Clients(ctx context.Context) ([]Client, error)
	// Create makes all persons in one transaction, or none. The error says why (kind Conflict, Refused, ...) but not which
	// of them it was: the caller bisects. For a single person it is Burnt where a deleted entry has the id.
	Create(ctx context.Context, persons []NewPerson) error
	// Expire, Enable and Delete end well only when each person was seen to be as it is to be; absent ones are fine. Where
	// some were not reached, the error is Refused, and the caller bisects.
	Expire(ctx context.Context, ids []uuid.UUID) error // at once
	Enable(ctx context.Context, ids []uuid.UUID) error // purges the expiry
	Delete(ctx context.Context, ids []uuid.UUID) error
	AddMembers(ctx context.Context, group uuid.UUID, members []uuid.UUID) error
	// RemoveMembers is never called with a group and no persons. A group that is absent is NotFound, or fine; one that is
	// only hidden, and still has members, is Refused. Of several groups it does not say which, and may have changed some:
	// the caller tries each alone.
	RemoveMembers(ctx context.Context, from ...Members) error
	// CreateGroups makes all groups together, or none. For several it does not say which is refused, and it is Conflict
	// also where they are made already: the caller tries each alone. A single group that is made already, by its id, is no
	// error; it is Burnt where a deleted entry has the id.
	CreateGroups(ctx context.Context, groups []NewGroup) error
	// DeleteGroups deletes together; absent ones are fine. It is Refused where one that the token may not see has members.
	DeleteGroups(ctx context.Context, ids []uuid.UUID) error
	// Members returns which of the persons are direct members of the group, also of a hidden one.
	Members(ctx context.Context, group uuid.UUID, of []uuid.UUID) ([]uuid.UUID, error)
	// Readdress gives a person these addresses in place of its own, the primary one first; none takes them all away.
	Readdress(ctx context.Context, person uuid.UUID, mails []string) error
	// Revive brings entries back from the recycle bin. Those that are there already are left alone.
	Revive(ctx context.Context, ids []uuid.UUID) error
	// Groups, policies and clients, read and written one by one.
	Objects
}

// Objects is what apply does to declared objects of a provider's kinds, by the attributes of state.Kinds. The mapping
// row of a group is none of a provider's attributes: Rows.Map writes it.
type Objects interface {
	// ReadObject returns what an object is now, and its id: by id, or by name where the id is zero. nil: there is none.
	ReadObject(ctx context.Context, kind state.Kind, id uuid.UUID, name string) (state.Attributes, uuid.UUID, error)
	// CreateObject makes a tenant, a policy or a client (groups: CreateGroups) and returns its id: the one that is
	// given, or where the server chooses (an oauth2_client) that one. Conflict when the name is in use. A policy is
	// made without its values, and a client with its name, type, display name and landing URL: the caller writes the
	// rest with ChangeObject.
	CreateObject(ctx context.Context, kind state.Kind, id uuid.UUID, a state.Attributes) (uuid.UUID, error)
	// ChangeObject writes those attributes of to that differ from from, what the object has now.
	ChangeObject(ctx context.Context, kind state.Kind, id uuid.UUID, from, to state.Attributes) error
	// DeleteObject deletes it; a policy is taken off its group, a tenant's row is only marked. NotFound when there is
	// none.
	DeleteObject(ctx context.Context, kind state.Kind, id uuid.UUID, was state.Attributes) error
}
