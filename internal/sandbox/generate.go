package sandbox

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"
)

const clockStep = time.Minute

func timeStep(n int) time.Duration { return time.Duration(n) }

// generated is data of any size: n tenants, few of them big and many small, and rows made while they are asked for.
type generated struct {
	src     *source
	tenants []tenantRow
	sizes   []int
	dual    bool
}

// generate makes exactly so many tenants and users.
func generate(tenants, users int, seed int64, dual bool) *generated {
	g := &generated{src: newSource(seed), dual: dual}
	for i := range tenants {
		t := tenantRow{id: g.src.id(), plan: g.src.pick([]string{"free", "starter", "professional", "enterprise"}),
			status: "active"}
		switch i {
		case 0:
			t.slug, t.name = "anthill", "Anthill"
		case 1:
			t.slug, t.name = "acme", "Acme Corporation"
		case 2:
			t.slug, t.name = "globex", "Globex"
		default:
			t.slug, t.name = generatedSlug(i), fmt.Sprintf("Tenant %d", i)
			switch {
			case g.src.chance(15):
				t.status = "suspended"
			case g.src.chance(10):
				t.status = "cancelled"
			case g.src.chance(10):
				t.deleted = true
			}
		}
		g.tenants = append(g.tenants, t)
	}
	g.sizes = shares(tenants, users)
	// Rows are loaded tenant by tenant; the big ones should not all come first.
	g.src.Shuffle(len(g.sizes), func(i, j int) {
		if i >= 3 && j >= 3 {
			g.sizes[i], g.sizes[j] = g.sizes[j], g.sizes[i]
		}
	})
	return g
}

func generatedSlug(i int) string {
	switch i % 50 {
	case 11:
		return fmt.Sprintf("under_score_%d", i)
	case 17:
		return fmt.Sprintf("%d-digits", i)
	case 23:
		return fmt.Sprintf("Upper-%d", i)
	case 29:
		return fmt.Sprintf("cà-phê-%d", i)
	case 37:
		return fmt.Sprintf("a-very-long-slug-that-no-group-name-can-hold-as-it-is-%d", i)
	}
	return fmt.Sprintf("tenant-%d", i)
}

// shares divides users among tenants by Zipf's law; the parts add up.
func shares(tenants, users int) []int {
	if tenants == 0 {
		return nil
	}
	weights := make([]float64, tenants)
	var sum float64
	for i := range weights {
		// The internal tenant, the first, is a small one.
		rank := float64(i)
		if i == 0 {
			rank = float64(tenants) / 2
		}
		weights[i] = 1 / math.Pow(rank+1, 0.9)
		sum += weights[i]
	}
	sizes := make([]int, tenants)
	left := users
	for i := range sizes {
		sizes[i] = int(float64(users) * weights[i] / sum)
		left -= sizes[i]
	}
	for i := 0; left > 0; i = (i + 1) % tenants {
		sizes[i]++
		left--
	}
	return sizes
}

// users yields the rows tenant by tenant. One user in 500 has the address of a user of another tenant.
func (g *generated) users() iter.Seq[userRow] {
	return func(yield func(userRow) bool) {
		n := 0
		var others []string // addresses of the tenants before
		for i, t := range g.tenants {
			var here []string
			taken := map[string]bool{}
			for k := range g.sizes[i] {
				n++
				u := g.user(t, i, k, n)
				switch {
				case g.src.chance(2) && len(others) > 0:
					if email := g.src.pick(others); !taken[email] {
						u.email, taken[email] = email, true
					}
				case g.src.chance(2) && len(here) < 1000:
					here = append(here, u.email)
				}
				if !yield(u) {
					return
				}
			}
			others = append(others, here...)
			if len(others) > 2000 {
				others = others[len(others)-2000:]
			}
		}
	}
}

func (g *generated) user(t tenantRow, tenant, k, n int) userRow {
	s := g.src
	first, last := s.pick(firstNames), s.pick(lastNames)
	u := userRow{id: s.id(), tenant: t.id, email: fmt.Sprintf("%s.%s.%d@t%d.example.org", strings.ToLower(first),
		strings.ToLower(last), n, tenant),
		verified: !s.chance(100), name: text(first + " " + last), role: g.role(tenant, k), status: "active",
		created: base.Add(time.Duration(n) * time.Second)}
	switch {
	case s.chance(30):
		u.name = nil
	case s.chance(20):
		u.name = text(s.pick([]string{"Nguyễn Thị Minh", "محمد علي", "Zoë 🐜 Ant", "Đặng Văn Lâm", "null", "  ",
			"<b>Bold</b>"}))
	}
	switch {
	case s.chance(20):
		u.status = "suspended"
	case s.chance(10):
		u.status = "inactive"
	case s.chance(20):
		u.deleted = true
	}
	switch {
	case s.chance(1):
		u.email = fmt.Sprintf("đặng%d@t%d.example.org", n, tenant)
	case s.chance(5):
		u.email = fmt.Sprintf("%s.%s.%d@T%d.Example.org", first, last, n, tenant)
	case n%300 == 0: // and the next one: names that collide once cleaned
		u.email = fmt.Sprintf("dup+%d@t%d.example.org", n, tenant)
	case n%300 == 1:
		u.email = fmt.Sprintf("dup-%d@t%d.example.org", n-1, tenant)
	}
	if g.dual && s.chance(3) {
		u.noHash = true
	}
	return u
}

// role makes the first user of a tenant an admin, mostly.
func (g *generated) role(tenant, k int) string {
	switch r := g.src.IntN(100); {
	case tenant == 0 && k < 2:
		return "super_admin"
	case k == 0 && r < 95, r < 3:
		return "admin"
	case r < 9:
		return "manager"
	case r < 19:
		return "viewer"
	}
	return "user"
}

func rowsOf(list []userRow) iter.Seq[userRow] { return slices.Values(list) }
