package providers

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// Enrolment is how a person comes to a first credential in Self-auth. A client has it beside Accounts.
type Enrolment interface {
	// Mint makes a one-time code by which whoever has it sets the person's credentials: as good as the account itself. It
	// ends after the life, which is LeastLife to MostLife, or when it has been used; nobody can take it back before. Others
	// of the same person stay good beside it. An expired person gets one too, and enrols, but cannot log in.
	//
	// Errors: Refused for another life, before anything is sent; NotFound; Denied; Unreachable where no answer came. It is
	// never tried again by itself: a code that may have been made and that nobody has seen ends by itself.
	Mint(ctx context.Context, person uuid.UUID, life time.Duration) (Code, error)
	// Pages are where people go. Nothing is asked of the server.
	Pages() Pages
}

// How long a one-time code may live.
const (
	LeastLife = 5 * time.Minute
	MostLife  = 24 * time.Hour
)

// Pages are the server's addresses for browsers.
type Pages struct {
	Login   string
	Reset   string // where a one-time code is entered
	Recover string // where a link is asked for by e-mail, if the server's administrator allows that and mail is sent there
}

// WithCode is the page at which a code is entered already. It is as secret as the code.
func (p Pages) WithCode(c Code) string { return p.Reset + "?token=" + url.QueryEscape(c.Reveal()) }

// Code is a one-time code. It prints as a word, whatever the verb, and is no JSON: what wants the code itself must ask.
type Code struct {
	Expires time.Time // UTC
	// A function, as fmt looks into structs and shows their texts, also where it may not call their methods.
	reveal func() string
}

// NewCode keeps a code.
func NewCode(secret string, expires time.Time) Code {
	return Code{Expires: expires, reveal: func() string { return secret }}
}

// Reveal is the code itself; "" of the zero Code.
func (c Code) Reveal() string {
	if c.reveal == nil {
		return ""
	}
	return c.reveal()
}

const hiddenCode = "(one-time code)"

// Format writes the word.
func (Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenCode) }

// String is the word.
func (Code) String() string { return hiddenCode }

// MarshalText gives the word, to JSON and to logs too.
func (Code) MarshalText() ([]byte, error) { return []byte(hiddenCode), nil }
