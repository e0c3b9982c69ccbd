package config

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

func (e *evaluator) policies() (list []Policy) {
	for _, n := range e.m.all("auth_policy") {
		r := e.reader(n, scope{})
		p := Policy{Name: n.label, From: r.one("from"), Pos: posOf(n.at), CompleteOnLink: r.text("complete_on") == "link",
			PasswordUntil: r.date("password_until")}
		method := r.text("method")
		switch method {
		case "dual":
			p.Method = state.MethodDual
		case "self_auth":
			p.Method = state.MethodSelfAuth
		}
		// Nobody has a credential in Self-auth before being moved there, so nobody's password may end with the move.
		switch from := n.args["from"]; {
		case method == "self_auth" && from == nil:
			r.wrong("method", "self_auth is for users who were moved before and have enrolled in Self-auth. Name the policy "+
				"under which they were moved, as from = auth_policy.NAME")
		case method == "self_auth" && n.args["password_until"] != nil:
			r.wrong("password_until", "it goes with method = \"dual\": under self_auth nobody logs in by password")
		case method == "dual" && from != nil:
			r.wrong("from", "it goes with method = \"self_auth\": from dual there is nothing that dual could raise")
		}
		list = append(list, p)
	}
	e.checkFrom(list)
	return list
}

// checkFrom demands that a policy raises users from one with a method below its own.
func (e *evaluator) checkFrom(list []Policy) {
	for _, n := range e.m.all("auth_policy") {
		i := slices.IndexFunc(list, func(p Policy) bool { return p.Name == n.label })
		k := slices.IndexFunc(list, func(p Policy) bool { return p.Name == list[i].From })
		if list[i].Method == state.MethodSelfAuth && k >= 0 && list[k].Method == state.MethodSelfAuth {
			e.reader(n, scope{}).wrong("from", "auth_policy.%s has the method self_auth as well, which is the last one", list[k].Name)
		}
	}
}

// promise notes in waves until when the passwords of those whom they raise are promised (L10).
func promise(waves []Wave, policies []Policy) {
	of := map[string]Policy{}
	for _, p := range policies {
		of[p.Name] = p
	}
	for i := range waves {
		if from := of[waves[i].Policy].From; from != "" {
			waves[i].Promised = of[from].PasswordUntil
		}
	}
}

// waves are all waves in `after` order, ties by name.
func (e *evaluator) waves() []Wave {
	var waves []Wave
	steps := map[string][]float64{}
	for _, n := range e.m.all("wave") {
		waves = append(waves, e.wave(n))
		steps[n.label] = e.reader(n, scope{}).steps("steps")
	}
	if e.checkOrder(waves) {
		return InOrder(stepped(waves, steps))
	}
	return waves
}

func (e *evaluator) wave(n *node) Wave {
	r := e.reader(n, scope{})
	start, finish := e.reader(n.child("start"), r.sc), e.reader(n.child("finish"), r.sc)
	w := Wave{
		Name:        n.label,
		Policy:      r.one("auth_policy"),
		Enabled:     r.bool("enabled"),
		MaxFailures: r.count("max_failures"),
		AllowEmpty:  r.bool("allow_empty"),
		IgnoreLate:  r.text("late") == "ignore",
		After:       start.several("after"),
		At:          start.time("at"),
		StartGates:  start.several("gates"),
		Soak:        finish.duration("soak"),
		FinishGates: finish.several("gates"),
		Pos:         posOf(n.at),
	}
	for _, b := range n.blocks {
		if b.spec.Type == "users" {
			w.Users = append(w.Users, e.selector(b))
		}
	}
	slices.SortFunc(w.Users, compareSelectors)
	w.Gates = e.gatesOf(finish, w)
	w.Window = e.window(n.child("window"))
	w.Invitation, w.Reminder, w.Announcement = e.invitation(n), e.reminder(n), e.announcement(n)
	return w
}

// compareSelectors makes the order of users blocks, which means nothing, one.
func compareSelectors(a, b Selector) int {
	key := func(s Selector) string {
		var k strings.Builder
		if !s.All {
			k.WriteString("1")
		}
		for _, list := range [][]string{s.Tenants, s.Roles} {
			if list != nil {
				k.WriteString("\x01")
			}
			for _, v := range list {
				k.WriteString(v + "\x02")
			}
			k.WriteString("\x03")
		}
		return k.String()
	}
	if c := strings.Compare(key(a), key(b)); c != 0 {
		return c
	}
	switch {
	case a.HasPercent != b.HasPercent:
		if b.HasPercent {
			return -1
		}
		return 1
	case a.Percent < b.Percent:
		return -1
	case a.Percent > b.Percent:
		return 1
	}
	return 0
}

// selector reads one users block. One that selects nobody is a mistake: an empty set of conditions must not mean
// everybody, and all = false means nothing.
func (e *evaluator) selector(n *node) Selector {
	r := e.reader(n, scope{})
	all, known := r.primitive("all", cty.Bool, "true or false")
	s := Selector{All: known && all.True()}
	s.Tenants, _ = r.strings("tenants")
	s.Roles, _ = r.strings("roles")
	s.Percent, s.HasPercent = r.percent("percent")
	given := 0
	for name := range n.args {
		if name != "all" {
			given++
		}
	}
	_, hasAll := n.args["all"]
	switch {
	case given == 0 && !hasAll:
		e.fail(n.at, "Empty selector",
			"A users block must say whom it selects: all = true, tenants, roles or percent. An empty set selects "+
				"nobody.")
	case given == 0 && known && !s.All:
		e.fail(r.at("all"), "Empty selector",
			"all = false selects nobody and leaves nobody out. Give the users block tenants, roles or percent, or "+
				"remove it.")
	}
	s.Tenants = e.tenantSlugs(r, "tenants", s.Tenants)
	e.checkRoles(r, s.Roles)
	return s
}

// checkOrder reports waves that wait for each other.
func (e *evaluator) checkOrder(waves []Wave) bool {
	after := map[string][]string{}
	for _, w := range waves {
		after[w.Name] = w.After
	}
	done := map[string]bool{}
	for _, w := range waves {
		if cycle := findCycle(after, done, nil, w.Name); cycle != nil {
			e.fail(e.m.index["wave."+cycle[0]].at, "Waves in a circle",
				"These waves wait for each other, so none of them could ever start: wave.%s. Remove one of the "+
					"references in `after`.", strings.Join(cycle, " -> wave."))
			return false
		}
	}
	return true
}

// findCycle follows name's references; the way round comes back from where it closes, the first name at its end too.
func findCycle(after map[string][]string, done map[string]bool, path []string, name string) []string {
	if i := slices.Index(path, name); i >= 0 {
		return append(slices.Clone(path[i:]), name)
	}
	if done[name] {
		return nil
	}
	path = append(path, name)
	for _, a := range after[name] {
		if cycle := findCycle(after, done, path, a); cycle != nil {
			return cycle
		}
	}
	done[name] = true
	return nil
}

// InOrder are waves in the order of `after`, ties by name. Those that they come after are among them, and none waits for itself.
func InOrder(waves []Wave) []Wave {
	left := slices.Clone(waves)
	// The first by name whose predecessors are all taken, again and again.
	slices.SortFunc(left, func(a, b Wave) int { return strings.Compare(a.Name, b.Name) })
	taken := map[string]bool{}
	var ordered []Wave
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(w Wave) bool {
			return !slices.ContainsFunc(w.After, func(a string) bool { return !taken[a] })
		})
		ordered = append(ordered, left[i])
		taken[left[i].Name] = true
		left = slices.Delete(left, i, i+1)
	}
	return ordered
}
