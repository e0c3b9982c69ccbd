package rollout_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/rollout"
	"anthill/state"
)

func userID(n int) uuid.UUID { return uuid.NewSHA1(acme, []byte{byte(n >> 8), byte(n)}) }

// TestInPercent: a user who is in a share is in each greater one (L11), so that widening a wave moves more users and
// takes nobody out; and a share is about as large as it says.
func TestInPercent(t *testing.T) {
	t.Parallel()
	shares := []float64{0, 0.5, 1, 10, 25, 50, 99.5, 100}
	counts := make([]int, len(shares))
	for n := range 4000 {
		was := false
		for i, p := range shares {
			in := rollout.InPercent(userID(n), p)
			if was && !in {
				t.Fatalf("user %d is in %v %% and not in %v %%", n, shares[i-1], p)
			}
			if was = in; in {
				counts[i]++
			}
		}
	}
	if counts[0] != 0 || counts[len(counts)-1] != 4000 {
		t.Errorf("no share has %d users, the whole %d", counts[0], counts[len(counts)-1])
	}
	for i, p := range shares {
		if want := 40 * p; float64(counts[i]) < want-100 || float64(counts[i]) > want+100 {
			t.Errorf("%v %% of 4000 users are %d", p, counts[i])
		}
	}
	// Who is in a share must not change from version to version: SHA-256 of sixteen bytes 11 begins with b8f12ea8.
	if one := uuid.MustParse("11111111-1111-1111-1111-111111111111"); rollout.InPercent(one, 72.24) ||
		!rollout.InPercent(one, 72.25) {
		t.Error("the share that a user is in is another one")
	}
}

// TestMatching: all that a users block gives must hold, one of the blocks must (L7), and an empty set selects nobody.
func TestMatching(t *testing.T) {
	t.Parallel()
	waves := []config.Wave{
		{Name: "admins of acme", Enabled: true,
			Users: []config.Selector{{Tenants: []string{"acme"}, Roles: []string{"admin"}}}},
		{Name: "either", Enabled: true, Users: []config.Selector{{Tenants: []string{"globex"}},
			{Roles: []string{"admin"}}}},
		{Name: "off", Users: []config.Selector{{All: true}}},
		{Name: "no tenant", Enabled: true, Users: []config.Selector{{Tenants: []string{}}}},
		{Name: "no role", Enabled: true, Users: []config.Selector{{Roles: []string{}}}},
		{Name: "no share", Enabled: true, Users: []config.Selector{{HasPercent: true}}},
		{Name: "everybody", Enabled: true, Users: []config.Selector{{All: true}}},
	}
	c := rollout.NewCohorts(waves, []string{"acme", "globex"})
	for _, one := range []struct {
		tenant int
		role   string
		want   []string
	}{
		{0, "admin", []string{"admins of acme", "either", "everybody"}},
		{0, "user", []string{"everybody"}},
		{1, "admin", []string{"either", "everybody"}},
		{1, "user", []string{"either", "everybody"}},
	} {
		var got []string
		for _, i := range c.Matching(nil, one.tenant, userID(1), one.role) {
			got = append(got, waves[i].Name)
		}
		if diff := cmp.Diff(one.want, got); diff != "" {
			t.Errorf("%s of tenant %d (-want +got):\n%s", one.role, one.tenant, diff)
		}
	}
}

// TestOrder: a wave comes before another by way of others too, and a disabled one passes on what it waits for itself.
func TestOrder(t *testing.T) {
	t.Parallel()
	waves := []config.Wave{
		{Name: "a", Enabled: true}, {Name: "b", Enabled: true}, {Name: "off", After: []string{"b", "a"}},
		{Name: "c", Enabled: true, After: []string{"off", "a", "not there"}},
	}
	c := rollout.NewCohorts(waves, nil)
	if !c.Before(0, 2) || !c.Before(0, 3) || !c.Before(1, 3) || c.Before(0, 1) || c.Before(1, 0) ||
		c.Before(3, 0) || c.Before(0, 0) {
		t.Error("another order than that of after")
	}
	if got := rollout.EnabledAfter(waves, waves[3]); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("c waits for %q", got)
	}
}

// TestSelectionDigest: another selection or policy is another digest; when a wave may start is none of it.
func TestSelectionDigest(t *testing.T) {
	t.Parallel()
	w := config.Wave{Name: "w", Policy: "dual", Enabled: true, Users: []config.Selector{{Tenants: []string{"acme"}}}}
	digest := rollout.SelectionDigest(w)
	same, policy, users := w, w, w
	same.At, same.Soak, same.After, same.MaxFailures = now, day, []string{"x"}, 3
	policy.Policy = "other"
	users.Users = []config.Selector{{Tenants: []string{"acme", "globex"}}}
	if rollout.SelectionDigest(same) != digest || rollout.SelectionDigest(policy) == digest ||
		rollout.SelectionDigest(users) == digest {
		t.Error("the digest is of something else than policy and users")
	}
}

// TestStepsNest (L11, L18): of 100,000 users in ten tenants each step keeps all of those before, and has its share of
// every tenant, within three standard deviations.
func TestStepsNest(t *testing.T) {
	t.Parallel()
	const tenants, users = 10, 100_000
	var waves []config.Wave
	shares := []float64{5, 10, 25, 100}
	for _, p := range shares {
		waves = append(waves, config.Wave{Name: state.StepName("everyone", fmt.Sprint(p)), Enabled: true,
			Users: []config.Selector{{All: true, HasPercent: true, Percent: p}}})
	}
	slugs := make([]string, tenants)
	c := rollout.NewCohorts(waves, slugs)
	var counts [tenants][]int
	for i := range users {
		tenant := i % tenants
		if counts[tenant] == nil {
			counts[tenant] = make([]int, len(waves))
		}
		id := uuid.NewSHA1(acme, []byte(fmt.Sprint(i)))
		steps := c.Matching(nil, tenant, id, "user")
		// Once it is in a step it is in all that follow.
		for k, step := range steps {
			if step != len(waves)-len(steps)+k {
				t.Fatalf("user %s is in the steps %v", id, steps)
			}
			counts[tenant][step]++
		}
	}
	for tenant, in := range counts {
		for step, got := range in {
			n, p := float64(users/tenants), shares[step]/100
			if deviation := 3 * math.Sqrt(n*p*(1-p)); math.Abs(float64(got)-n*p) > deviation {
				t.Errorf("tenant %d: %d of %.0f users are in the step of %v %%, which is more than %.0f off", tenant, got, n, shares[step], deviation)
			}
		}
	}
}

// TestShares: a percentage as a number parts users as the percentage does, also right at it.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, percent := range []float64{0, 0.001, 1, 5, 12.5, 33.3, 50, 66.6, 99.99, math.Nextafter(100, 0)} {
		limit := math.Ldexp(percent/100, 64)
		share := rollout.Shares([]config.Wave{{Users: []config.Selector{{Percent: percent, HasPercent: true}}}})[0]
		if share > 0 && float64(share-1) >= limit {
			t.Errorf("%v: %d is outside already", percent, share-1)
		}
		if share < math.MaxUint64 && float64(share) < limit {
			t.Errorf("%v: %d is not outside", percent, share)
		}
	}
	waves := []config.Wave{
		{Name: "a", Enabled: true, Users: []config.Selector{{Percent: 5, HasPercent: true}}},
		{Name: "b", Enabled: true, Users: []config.Selector{{Percent: 25, HasPercent: true}, {Roles: []string{"admin"}, Percent: 5, HasPercent: true}}},
		{Name: "c", Enabled: true, Users: []config.Selector{{Percent: 100, HasPercent: true}}},
	}
	shares := rollout.Shares(waves)
	if len(shares) != 2 || shares[0] >= shares[1] {
		t.Fatalf("shares %v", shares)
	}
	c := rollout.NewCohorts(waves, []string{"acme"})
	for range 2000 {
		user := uuid.New()
		sum := sha256.Sum256(user[:])
		hash, outside := binary.BigEndian.Uint64(sum[:8]), 0
		for _, s := range shares {
			if hash >= s {
				outside++
			}
		}
		if diff := cmp.Diff(c.Matching(nil, 0, user, "admin"), c.MatchingOutside(nil, 0, outside, "admin")); diff != "" {
			t.Fatalf("%s (-by id +by shares):\n%s", user, diff)
		}
	}
}
