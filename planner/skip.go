package planner

import "fmt"

// SkipReason says why a user in scope is not moved. Its text is for people, its String is stable.
type SkipReason uint8

// The reasons, in the order in which they are judged: a user counts once, with the first that holds.
const (
	SkipInvalid SkipReason = iota
	SkipExcluded
	SkipInactive
	SkipSuspended
	SkipTenantSuspended
	SkipTenantCancelled
	SkipTenantBlocked
	SkipGroupTaken
	SkipOpenRun
	SkipPaused
	SkipLinkUnknown
	SkipPersonTwice
	SkipNoEmail
	SkipEmailRefused
	SkipShared
	SkipEmailTaken
	SkipUnverified
	SkipName
	SkipHolderAway
	SkipHolderForeign
	skipEnd
)

var skipWords = [...]struct{ code, text string }{
	SkipInvalid:         {"invalid", "invalid"},
	SkipExcluded:        {"excluded", "excluded by the configuration (service accounts)"},
	SkipInactive:        {"inactive", "inactive"},
	SkipSuspended:       {"suspended", "suspended"},
	SkipTenantSuspended: {"tenant_suspended", "tenant suspended"},
	SkipTenantCancelled: {"tenant_cancelled", "tenant cancelled"},
	SkipTenantBlocked:   {"isolation", "tenant blocked: its isolation does not hold"},
	SkipGroupTaken:      {"group_taken", "tenant blocked: a wanted group name is held by an entry that is not ours"},
	SkipOpenRun:         {"open_run", "belongs to a run that is still open"},
	SkipPaused:          {"paused", "waits for a paused wave"},
	SkipLinkUnknown:     {"link_unknown", "linked to a person that Self-auth does not have"},
	SkipPersonTwice:     {"person_twice", "linked to a person that another row has too"},
	SkipNoEmail:         {"no_email", "no e-mail address"},
	SkipEmailRefused:    {"email_refused", "e-mail that Self-auth refuses"},
	SkipShared:          {"shared_email", "same address on another live user"},
	SkipEmailTaken:      {"email_taken", "a person in Self-auth has the address already"},
	SkipUnverified:      {"unverified", "address never verified"},
	SkipHolderAway:      {"holder_expired", "the person with the address is expired in Self-auth"},
	SkipHolderForeign:   {"holder_foreign", "the person with the address is in a group of another tenant, or has another user"},
	SkipName:            {"name", "no name can be made that Self-auth takes"},
}

func (r SkipReason) String() string {
	if r < skipEnd {
		return skipWords[r].code
	}
	return fmt.Sprintf("skip reason %d", uint8(r))
}

// Text is the reason in words.
func (r SkipReason) Text() string {
	if r < skipEnd {
		return skipWords[r].text
	}
	return r.String()
}

// MarshalText writes the stable code.
func (r SkipReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *SkipReason) UnmarshalText(b []byte) error {
	for i := SkipExcluded; i < skipEnd; i++ {
		if i.String() == string(b) {
			*r = i
			return nil
		}
	}
	return fmt.Errorf("unknown skip reason %q", b)
}
