package selfauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"anthill/providers"
	"anthill/state"
)

// rightsFor is how long an answer about the token's rights is good: five hundred entries that are refused one after the
// other must not cost five hundred questions.
const rightsFor = time.Second

// rights are what the token's account was last said to be in.
type rights struct {
	mu    sync.Mutex
	asked time.Time // zero: never
	who   providers.Identity
}

// rightsNow is whoami, of a moment ago at most.
func (c *conn) rightsNow(ctx context.Context) (providers.Identity, error) {
	r := &c.rights
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && time.Since(r.asked) < rightsFor {
		return r.who, nil
	}
	asked := time.Now()
	who, err := c.whoami(ctx)
	if err == nil {
		r.who, r.asked = who, asked
	}
	return who, err
}

// ofOne tells what is denied of one entry, which Self-auth protects, from what is denied to the token: the first is
// Refused, and others may still be tried. It asks what the account is in now; an error of that stands in place of err.
func (c *conn) ofOne(ctx context.Context, k call, err error) error {
	var e *state.Error
	if !errors.As(err, &e) || e.Kind != state.ErrorDenied || k.right == "" || !c.mayWrite() {
		return err
	}
	who, askErr := c.rightsNow(ctx)
	switch {
	case askErr != nil:
		return askErr
	case !who.In(k.right) && !slices.ContainsFunc(k.also, who.In):
		return err
	}
	return &state.Error{
		Kind: state.ErrorRefused, Side: side, Doing: e.Doing, Request: e.Request,
		Reason: "Self-auth protects an entry that this is about: the token has its rights and is denied all the same",
		Cure: "Groups inside idm_high_privilege, or inside a group of Self-auth's own, are closed to the token. " +
			"Take the group out of there, as an administrator.",
	}
}

// mayWrite says whether the token may write at all. A compact token does not say; a write that went through does.
func (c *conn) mayWrite() bool {
	switch c.token.writes {
	case providers.WriteYes:
		return true
	case providers.WriteUnknown:
		return c.wrote.Load()
	}
	return false
}

// judgeAbsence refuses to take nothing for nothing where the account lacks the right to see it.
func (c *conn) judgeAbsence(ctx context.Context, doing string, rights ...string) error {
	who, err := c.rightsNow(ctx)
	if err != nil {
		return err
	}
	for _, r := range rights {
		if who.In(r) {
			return nil
		}
	}
	return &state.Error{
		Kind: state.ErrorDenied, Side: side, Doing: doing,
		Reason: "the account lacks the right, so that nothing is seen that it could be done to",
		Cure:   "The right comes with the built-in group " + rights[0] + ": add the account to it.",
	}
}
