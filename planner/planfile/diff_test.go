package planfile_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// TestDiffSeesWhatIDSees: whatever leaf of the effects is changed, if the plan ID is another, the comparison says of
// something that it is not the same, and if not, of nothing. Fields are found by reflection, as for the ID.
func TestDiffSeesWhatIDSees(t *testing.T) {
	t.Parallel()
	b, _ := full().write(t)
	old := mustOpen(t, b)
	told, same := 0, 0
	for n := 0; ; n++ {
		w := full()
		at := change(w, n)
		if at == "" {
			break
		}
		b, _ := w.write(t)
		new, err := open(t, b)
		if err != nil {
			continue // it does not fit together any more
		}
		d, err := planfile.Compare(old, new, nil)
		if err != nil && strings.HasSuffix(at, ".Shape.Tenant") {
			continue // its users are in no order any more
		}
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		switch says := saysSomething(d); {
		case d.Same != (old.ID() == new.ID()):
			t.Errorf("%s: the comparison takes the plan IDs for the same: %v", at, d.Same)
		case says == d.Same:
			t.Errorf("%s: the plan IDs are the same: %v, and the comparison says %+v", at, d.Same, d)
		case says:
			told++
		default:
			same++
		}
	}
	if told < 60 || same < 80 {
		t.Errorf("only %d changes were told and %d others were none", told, same)
	}
}

func saysSomething(d *planfile.Diff) bool {
	n := len(d.Changes) + len(d.Schema) + len(d.Hazards) + len(d.Other)
	for _, counts := range []planfile.DiffCounts{d.Users, d.Objects} {
		for kind, of := range counts {
			if kind != planfile.DiffSame && of > 0 {
				n++
			}
		}
	}
	return n > 0
}

// fates are what plans of TestDiffOfUsers do with users.
type fates map[uuid.UUID]fateOf

type fateOf struct {
	segment int // of diffSegments
	join    int // group
	before  byte
	adopts  byte // PersonAdopt, of this person; 0: nobody is taken over
}

var diffSegments = []plan.Segment{
	{Kind: plan.SegmentFollow}, {Kind: plan.SegmentMove, Wave: "pilot"}, {Kind: plan.SegmentMove, Wave: "rest"},
}

// tenantIn is the tenant of a user, which its id says.
func tenantIn(user uuid.UUID) uuid.UUID { return uuid.UUID{0: 7, 1: user[1] % 4} }

func (f fates) plan(r *rand.Rand) *whole {
	w := &whole{}
	e := &w.Plan.Effects
	e.Kind, e.Waves, e.Sets = state.RunApply, []plan.WaveEffect{{Name: "pilot"}, {Name: "rest"}}, [][]int{{}}
	// Groups and sets stand in another order each time: what shapes mean does not depend on it.
	sets := map[int]plan.Set{}
	for _, g := range r.Perm(5) {
		e.Groups = append(e.Groups, plan.Group{ID: uuid.UUID{0: 9, 1: byte(g)}})
		sets[g] = plan.Set(len(e.Sets))
		e.Sets = append(e.Sets, []int{len(e.Groups) - 1})
	}
	for t := range 4 {
		e.Tenants = append(e.Tenants, plan.Tenant{ID: uuid.UUID{0: 7, 1: byte(t)}, Slug: fmt.Sprint("t", t)})
	}
	users := make([]uuid.UUID, 0, len(f))
	for u := range f {
		users = append(users, u)
	}
	slices.SortFunc(users, func(a, b uuid.UUID) int {
		s, t := tenantIn(a), tenantIn(b)
		return cmp.Or(bytes.Compare(s[:], t[:]), bytes.Compare(a[:], b[:]))
	})
	for n, s := range diffSegments {
		one := segment{Kind: s.Kind, Wave: s.Wave}
		for _, u := range users {
			fate := f[u]
			if fate.segment != n {
				continue
			}
			shape := plan.Shape{Tenant: tenantIn(u), Join: sets[fate.join], After: state.UserState{Standing: state.Moved, Wave: s.Wave}}
			c := plan.UserChange{User: u, Before: state.Digest{fate.before}}
			if fate.adopts > 0 {
				shape.Effect.Act, c.Person = state.PersonAdopt, uuid.UUID{fate.adopts}
			}
			one.Users = append(one.Users, user{shape, c})
		}
		w.Segments = append(w.Segments, one)
	}
	return w
}

// TestDiffOfUsers compares random plans with what a comparison in memory says, user by user and in all.
func TestDiffOfUsers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 18))
		some := func() fateOf {
			return fateOf{r.IntN(3), r.IntN(5), byte(r.IntN(200)), byte(max(0, r.IntN(6)-3))}
		}
		olds, news := fates{}, fates{}
		for i := range 1 + r.IntN(200) {
			u := uuid.UUID{1: byte(r.IntN(256)), 2: byte(i)}
			fate := some()
			switch r.IntN(8) {
			case 0:
				olds[u] = fate
			case 1:
				news[u] = fate
			case 2:
				olds[u], news[u] = fate, some()
			case 3:
				olds[u] = fate
				fate.before++
				news[u] = fate
			default:
				olds[u], news[u] = fate, fate
			}
		}
		a, _ := olds.plan(r).write(t)
		b, _ := news.plan(r).write(t)
		want, got := map[uuid.UUID]planfile.DiffKind{}, map[uuid.UUID]planfile.DiffKind{}
		for u, was := range olds {
			is, there := news[u]
			bare := is
			bare.before = was.before
			switch {
			case !there:
				want[u] = planfile.DiffGone
			case is == was:
				want[u] = planfile.DiffSame
			case bare == was:
				want[u] = planfile.DiffRebased
			default:
				want[u] = planfile.DiffChanged
			}
		}
		for u := range news {
			if _, there := olds[u]; !there {
				want[u] = planfile.DiffNew
			}
		}
		d, err := planfile.Compare(mustOpen(t, a), mustOpen(t, b), func(u planfile.UserDiff) error {
			if _, twice := got[u.User]; twice {
				t.Errorf("seed %d: user %s twice", seed, u.User)
			}
			got[u.User] = u.Kind
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: users (-want +got):\n%s", seed, diff)
		}
		all, byTenant := planfile.DiffCounts{}, planfile.DiffCounts{}
		for _, kind := range want {
			all[kind]++
		}
		for _, one := range d.Tenants {
			if !strings.HasPrefix(one.Tenant.Slug, "t") {
				t.Errorf("seed %d: tenant %+v", seed, one.Tenant)
			}
			for kind, n := range one.Users {
				byTenant[kind] += n
			}
		}
		for what, counts := range map[string]planfile.DiffCounts{"in all": d.Users, "by tenant": byTenant} {
			if diff := gocmp.Diff(all, counts); diff != "" {
				t.Errorf("seed %d: figures %s (-want +got):\n%s", seed, what, diff)
			}
		}
	}
}
