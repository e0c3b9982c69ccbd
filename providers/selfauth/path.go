package selfauth

import (
	"net/url"
	"strings"

	"github.com/google/uuid"

	"anthill/internal/regex"
	"anthill/state"
)

// Ids reach a URL as uuid.UUID alone. Names and claims come from files, and reach it only if they are of the form that
// the server gives to names: whatever else they hold, it could mean another entry (`a=b` is read as `b`, a number as
// that of a posix account) or another path to what stands in between (`..`, `%2f`).
var (
	nameForm  = regex.Lazy(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)
	claimForm = regex.Lazy(`^[0-9a-zA-Z_]+([:-][0-9a-zA-Z_]+)*$`)
)

// nameSegment is the name of an entry as a part of a path, and whether it can be the name of one at all.
func nameSegment(name string) (segment string, ok bool) {
	// A name in the form of an id would find the entry of that id.
	_, err := uuid.Parse(name)
	return strings.ToLower(name), err != nil && nameForm().MatchString(name)
}

// noSuchName is the error of a write to an entry of a name that none can have.
func noSuchName(doing, what string) error {
	return &state.Error{
		Kind: state.ErrorRefused, Side: side, Doing: doing, Reason: "nothing in Self-auth can have this " + what,
		Cure: "Names are made of small letters, digits, hyphens, underscores and dots, begin with a letter, and are at " +
			"most 64 characters long.",
	}
}

// query is a query of /scim/v1/Entry.
func query(scim, attributes string) string {
	// Not PathEscape, which lets & and + through.
	return "/scim/v1/Entry?filter=" + strings.ReplaceAll(url.QueryEscape(scim), "+", "%20") + "&attributes=" + attributes
}
