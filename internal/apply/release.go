package apply

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// lookReleased finds out which addresses the persons of users keep who are to give some up: all but those that a live row of
// another user holds by now and their own does not. Where there is none of those, nothing is to be done.
func (x *executor) lookReleased(ctx context.Context, segment int, items []*item) error {
	if x.effects.Segments[segment].Kind != plan.SegmentRelease {
		return nil
	}
	some := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.verdict != 0 })
	if len(some) == 0 {
		return nil
	}
	persons := make([]uuid.UUID, len(some))
	for i, it := range some {
		persons[i] = x.personOf(it)
	}
	found, err := x.Accounts.Lookup(ctx, persons)
	if err != nil {
		return err
	}
	mails := map[uuid.UUID][]string{}
	var all []string
	for _, p := range found {
		mails[p.ID] = p.Mails
		all = append(all, p.Mails...)
	}
	holders, err := x.Rows.Addressed(ctx, all)
	if err != nil {
		return err
	}
	for i, it := range some {
		held := mails[persons[i]]
		it.keeps = slices.DeleteFunc(slices.Clone(held), func(m string) bool {
			users := holders[strings.ToLower(m)]
			return len(users) > 0 && !slices.Contains(users, it.change.User)
		})
		if len(it.keeps) == len(held) {
			it.verdict = state.Already
		}
	}
	return nil
}

// release takes from persons the addresses that they give up. Each has its own, so it is one call each.
func (x *executor) release(ctx context.Context, items []*item) error {
	for _, it := range items {
		if it.failed != nil || !it.intent.Effect.OnlyReleases() {
			continue
		}
		if err := x.readdressOne(ctx, it, it.keeps); err != nil {
			return err
		}
	}
	return nil
}
