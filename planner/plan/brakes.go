package plan

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"anthill/state"
)

// BrakesDigest is the digest of brakes, in whatever order, and promises, in theirs; zero: there are none.
func BrakesDigest(brakes []state.Brakes, promises []state.Promise) (d state.Digest) {
	if len(brakes)+len(promises) == 0 {
		return d
	}
	brakes = slices.SortedFunc(slices.Values(brakes), func(a, b state.Brakes) int { return strings.Compare(a.Wave, b.Wave) })
	for i := range brakes {
		brakes[i].At = brakes[i].At.UTC()
	}
	text, err := json.Marshal(struct {
		Brakes   []state.Brakes
		Promises []state.Promise
	}{brakes, promises})
	if err != nil {
		panic(err) // they are texts, numbers and times
	}
	sum := sha256.Sum256(text)
	copy(d[:], sum[:])
	return d
}

// Overtaken reports whether brakes or promises are recorded that the plan knows nothing of: neither those by which it was judged
// whether its waves may move somebody, nor its own. Another plan has recorded them since, or that there are none any more.
func (e *Effects) Overtaken(st *state.State) bool {
	now := BrakesDigest(st.Brakes, st.Promises)
	return e.Kind == state.RunApply && now != e.Braked && now != BrakesDigest(e.Brakes, e.Promises)
}
