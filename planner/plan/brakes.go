package plan

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"anthill/state"
)

// BrakesDigest is the digest of brakes, in whatever order, and policies, in theirs; zero: there are none. Whom waves
// select holds none back.
func BrakesDigest(brakes []state.Brakes, policies []state.Policy) (d state.Digest) {
	if len(brakes)+len(policies) == 0 {
		return d
	}
	brakes = slices.SortedFunc(slices.Values(brakes), func(a, b state.Brakes) int { return strings.Compare(a.Wave, b.Wave) })
	for i := range brakes {
		brakes[i].At, brakes[i].Users = brakes[i].At.UTC(), nil
	}
	text, err := json.Marshal(struct {
		Brakes   []state.Brakes
		Policies []state.Policy
	}{brakes, policies})
	if err != nil {
		panic(err) // they are texts, numbers and times
	}
	sum := sha256.Sum256(text)
	copy(d[:], sum[:])
	return d
}

// PoliciesChanged are the recorded policies that the plan records with another method or another `from`, sorted.
func (e *Effects) PoliciesChanged(st *state.State) (names []string) {
	if e.Kind != state.RunApply {
		return nil
	}
	for _, was := range st.Policies {
		i := slices.IndexFunc(e.Policies, func(p state.Policy) bool { return p.Name == was.Name })
		if i >= 0 && was.Method != state.MethodInvalid && !was.Does(e.Policies[i]) {
			names = append(names, was.Name)
		}
	}
	return names
}

// Overtaken reports whether brakes or policies are recorded that the plan knows nothing of: neither those by which it was judged
// whether its waves may move somebody, nor its own. Another plan has recorded them since, or that there are none any more.
func (e *Effects) Overtaken(st *state.State) bool {
	now := BrakesDigest(st.Brakes, st.Policies)
	return e.Kind == state.RunApply && now != e.Braked && now != BrakesDigest(e.Brakes, e.Policies)
}
