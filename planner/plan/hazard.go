package plan

import (
	"slices"
	"strings"
	"time"

	"anthill/state"
)

// HazardCode names a risk.
type HazardCode string

// The hazards of this version.
const (
	OverLimit        HazardCode = "OVER_LIMIT"
	OverLimitRemoved HazardCode = "OVER_LIMIT_REMOVED"
	RowsGone         HazardCode = "ROWS_GONE"
	LastAdmin        HazardCode = "LAST_ADMIN"
	DeletesData      HazardCode = "DELETES_DATA"
	LoginGap         HazardCode = "LOGIN_GAP"
	EndsSessions     HazardCode = "ENDS_SESSIONS"
	LocksOut         HazardCode = "LOCKS_OUT_USERS"
	// MembersAsAdmins: everybody in a group becomes admin.
	MembersAsAdmins HazardCode = "MEMBERS_AS_ADMINS"
	// WeakensClient: a client does without what protects a login.
	WeakensClient HazardCode = "WEAKENS_CLIENT"
	// LoginWithoutTenant: users come in with tokens by which the application does not find their tenant.
	LoginWithoutTenant HazardCode = "LOGIN_WITHOUT_TENANT"
	// LoginRefused: Self-auth refuses users at an application, which asks for a scope that they are not given.
	LoginRefused HazardCode = "LOGIN_REFUSED"
	AdoptsPerson HazardCode = "ADOPTS_PERSON"
	// AdminsAsMembers: users come in with less than their role.
	AdminsAsMembers HazardCode = "ADMINS_AS_MEMBERS"
	// LoosensBrake: a wave starts because what held it back was edited.
	LoosensBrake HazardCode = "LOOSENS_BRAKE"
	// SendsMail: users are invited who were moved before there was an invitation, or are invited once more; or a wave is announced too late.
	SendsMail HazardCode = "SENDS_MAIL"
	// LinkToUnverified: a mail to an address that nobody has confirmed gives the account to whoever reads it.
	LinkToUnverified HazardCode = "LINK_TO_UNVERIFIED"
	// TargetUnlike: what is recorded is not found at the target that the state is to be bound to.
	TargetUnlike HazardCode = "TARGET_UNLIKE"
)

// HazardCodes are the codes that -allow takes, sorted.
func HazardCodes() []HazardCode {
	return []HazardCode{
		AdminsAsMembers, AdoptsPerson, DeletesData, EndsSessions, LastAdmin, LinkToUnverified, LocksOut, LoginGap, LoginRefused, LoginWithoutTenant,
		LoosensBrake, MembersAsAdmins, OverLimit, OverLimitRemoved, RowsGone, SendsMail, TargetUnlike, WeakensClient,
	}
}

// Hazard is a risk of a plan, to be allowed by code and count when the plan is made (L41).
type Hazard struct {
	Code  HazardCode      `json:"code"`
	Count int64           `json:"count"`
	Of    []state.Finding `json:"of"` // what it is made of, each with its count
}

// Allowance is one -allow CODE=COUNT, or what an allow block of the configuration allows of a plan.
type Allowance struct {
	Code  HazardCode `json:"code"`
	Count int64      `json:"count"`
	Until time.Time  `json:"until,omitzero"` // of a block: from then on no run of the plan is begun
}

// Raise adds a finding to the hazard of a code, and n to its count. There is one hazard of each code, so that it can be
// allowed by one count.
func (r *Risk) Raise(code HazardCode, n int64, f state.Finding) {
	i := slices.IndexFunc(r.Hazards, func(h Hazard) bool { return h.Code == code })
	if i < 0 {
		i = len(r.Hazards)
		r.Hazards = append(r.Hazards, Hazard{Code: code})
	}
	r.Hazards[i].Count += n
	r.Hazards[i].Of = append(r.Hazards[i].Of, f)
}

// Add raises all hazards of another risk.
func (r *Risk) Add(o Risk) {
	for _, h := range o.Hazards {
		i := slices.IndexFunc(r.Hazards, func(x Hazard) bool { return x.Code == h.Code })
		if i < 0 {
			r.Hazards = append(r.Hazards, h)
			continue
		}
		r.Hazards[i].Count += h.Count
		r.Hazards[i].Of = append(slices.Clone(r.Hazards[i].Of), h.Of...)
	}
}

// Allow sets what is allowed; the list is copied.
func (r *Risk) Allow(list []Allowance) {
	r.Allowed = slices.Clone(list)
	slices.SortStableFunc(r.Allowed, func(a, b Allowance) int { return strings.Compare(string(a.Code), string(b.Code)) })
}

// Allows reports whether a hazard is allowed, by its code and its exact count.
func (r *Risk) Allows(h Hazard) bool {
	return slices.ContainsFunc(r.Allowed, func(a Allowance) bool { return a.of(h) })
}

func (a Allowance) of(h Hazard) bool { return a.Code == h.Code && a.Count == h.Count }

// Lapsed are the hazards that were allowed for a time, which is over.
func (r *Risk) Lapsed(now time.Time) (list []Allowance) {
	for _, h := range r.Hazards {
		lasts := func(a Allowance) bool { return a.of(h) && (a.Until.IsZero() || a.Until.After(now)) }
		i := slices.IndexFunc(r.Allowed, func(a Allowance) bool { return a.of(h) })
		if i >= 0 && !slices.ContainsFunc(r.Allowed, lasts) {
			list = append(list, r.Allowed[i])
		}
	}
	return list
}

// Blocked reports whether any hazard is not allowed: then apply refuses the plan.
func (r *Risk) Blocked() bool {
	return slices.ContainsFunc(r.Hazards, func(h Hazard) bool { return !r.Allows(h) })
}

// Has reports whether there is a hazard of a code.
func (r *Risk) Has(code HazardCode) bool {
	return slices.ContainsFunc(r.Hazards, func(h Hazard) bool { return h.Code == code })
}

// Unused are the allowances that met no hazard of their count.
func (r *Risk) Unused() (list []Allowance) {
	for _, a := range r.Allowed {
		if !slices.ContainsFunc(r.Hazards, a.of) {
			list = append(list, a)
		}
	}
	return list
}
