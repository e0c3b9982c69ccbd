package state

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Standing says how a recorded user stands with us.
type Standing uint8

// Moved: linked (by us or found so) and settled under its wave. RolledBack: taken back by a rollback; person
// id and generation are kept for the next time (L23). Gone: the row was gone and the person has been expired (L28).
// Failed: a person may exist for the recorded generation, or the id is burnt; not moved.
const (
	StandingInvalid Standing = iota
	Moved
	RolledBack
	Gone
	Failed
)

func (s Standing) String() string {
	switch s {
	case Moved:
		return "moved"
	case RolledBack:
		return "rolled_back"
	case Gone:
		return "gone"
	case Failed:
		return "failed"
	}
	return "invalid"
}

// User is what is recorded of one user. It is never recomputed (L1).
type User struct {
	User       uuid.UUID
	Tenant     uuid.UUID // as recorded when the user was last settled
	TenantNow  uuid.UUID // of the live row when streamed by Store.Users; the recorded one where the row is gone
	RowGone    bool      // when streamed: there is no such row any more
	Standing   Standing
	Wave       string
	Policy     string
	Person     uuid.UUID   // the linked person; zero if never known
	Generation int         // of the person id, from 1; 0 for a person that is not ours
	Ours       bool        // we created the person
	LinkOurs   bool        // we wrote the link (false: found linked, L29)
	Groups     []uuid.UUID // memberships that we added, sorted by bytes
	Method     Method      // written or found when settled
	Away       bool        // its person was expired because its row is not active (L27); active again reverses it
	Run        string      // the run that settled the user last
}

// Kind is what sort of thing an object is: the type of its block.
type Kind string

// The kinds.
const (
	KindTenant Kind = "tenant"
	KindGroup  Kind = "group"
	KindPolicy Kind = "account_policy"
	KindClient Kind = "oauth2_client"
)

// Attributes are the values of an object by name, each in one canonical text: sets and maps are JSON with sorted keys
// and elements, so that equal values are equal texts. A name that is not there is a value that is not set. nil: there
// is no such object.
type Attributes map[string]string

// CanonicalJSON writes a JSON text with sorted keys and no blanks; not ok where it is none.
func CanonicalJSON(text string) (canonical string, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return "", false
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// Object is a recorded object.
type Object struct {
	Address    Address    `json:"address"`
	Kind       Kind       `json:"kind"`
	ID         uuid.UUID  `json:"id"` // group: of the entry; account_policy: of the group it binds; tenant: of the row; oauth2_client: the server's
	Generation int        `json:"generation,omitempty"`
	Tenant     uuid.UUID  `json:"tenant,omitzero"` // group: whose
	TenantSlug string     `json:"tenant_slug,omitempty"`
	Attributes Attributes `json:"attributes,omitempty"` // as last written: what we own of it
	Adopted    bool       `json:"adopted,omitempty"`    // it was there before us: never deleted
	Deleted    bool       `json:"deleted,omitempty"`    // taken back or deleted: Generation is the last one used
	Paused     bool       `json:"paused,omitempty"`     // with Deleted: not made again until a wave of that rollback is resumed (Store.Resumed clears it)
	Run        string     `json:"run"`                  // the run that made it, or with Deleted the one that took it back
}

// Equal compares two objects.
func (o Object) Equal(p Object) bool {
	a, b := o, p
	a.Attributes, b.Attributes = nil, nil
	return maps.Equal(o.Attributes, p.Attributes) && reflect.DeepEqual(a, b)
}

// Role is the role that a group is mapped as; RoleInvalid where it is not mapped.
func (o Object) Role() Role {
	role, _, _ := strings.Cut(o.Attributes["mapping"], " ")
	return ParseRole(role)
}

// Wave is what is remembered of a wave between runs.
type Wave struct {
	Name    string
	Started time.Time // when the first of its users was moved by a run; zero: never
	Soaking time.Time // start of the clock of soak: the last run that moved somebody because selection or configuration changed; zero: never moved
	MovedAt time.Time // when the wave was last latched as moved; zero: not
	DoneAt  time.Time // latched; zero: not done
	Digest  Digest    // of the wave's selection as configured when it last ran, to tell late joiners from widening
	Users   int64     // moved under this wave so far
}

// Confirmation is one `anthill wave confirm`.
type Confirmation struct {
	Wave, Gate string
	By, Note   string
	At         time.Time
}

// Pause keeps a wave, or a tenant in it, from moving anybody (L23).
type Pause struct {
	Wave   string
	Tenant uuid.UUID // zero: the whole wave and its future tenants
	Run    string    // the rollback that left it
	At     time.Time
	Reason string // "rolled back by run R"
}

// RunKind is what a run did.
type RunKind string

// The kinds of runs.
const (
	RunApply    RunKind = "apply"
	RunRollback RunKind = "rollback"
)

// RunInfo is the head of a run.
type RunInfo struct {
	ID         string // 2026-12-07-1: date of its start in UTC and a number
	Kind       RunKind
	Plan       Hash
	Who        string // user@host, for people
	ApprovedBy string
	Started    time.Time
	Ended      time.Time // zero while open
	Open       bool      // a batch is unsettled or users are untried because the run was stopped from outside
	Outcome    string    // "done", "remainder", ""
	Counts     Counts
	Undoes     []string // rollback: the runs it undid
	Undone     bool     // apply: wholly undone by a later rollback that is not itself undone
	Changed    bool     // it changed at least one user or object
	Previous   Hash     // digest of the run before; zero for the first
	Digest     Hash     // of this run's head, plan id and outcomes, set when it is closed
}

// Counts are the figures of a run's users and objects.
type Counts struct {
	Done    int64 `json:"done"`
	Already int64 `json:"already"` // found at their after-state
	Changed int64 `json:"changed"` // changed meanwhile and left alone
	Failed  int64 `json:"failed"`
	Paused  int64 `json:"paused"`
	Objects int64 `json:"objects"`
	Retries int64 `json:"retries"`
}

// State is the small part of what is recorded, read at once. Users are streamed (Store.Users).
type State struct {
	Exists        bool // false: no state yet; all else but Lineage is zero
	Lineage       uuid.UUID
	Serial        int64
	Target        Target
	Objects       []Object // sorted by Address
	Waves         []Wave   // sorted by Name
	Confirmations []Confirmation
	Pauses        []Pause
	Runs          []RunInfo // oldest first
}

// OpenRun returns the run that is not closed, or nil.
func (s *State) OpenRun() *RunInfo {
	for i := range s.Runs {
		if s.Runs[i].Open {
			return &s.Runs[i]
		}
	}
	return nil
}
