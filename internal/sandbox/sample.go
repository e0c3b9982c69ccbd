package sandbox

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// sample is the sample data: small enough to read, with every trap in it.
type sample struct {
	src      *source
	dual     bool // traps that the baseline's constraints forbid are there too
	tenants  []tenantRow
	users    []userRow
	mappings []mappingRow
	sessions []sessionRow
	persons  []personTrap
	groups   []groupTrap
	bySlug   map[string]uuid.UUID
}

type mappingRow struct {
	tenant, group uuid.UUID
	name, role    string
}

// sessionRow is a session so many days old; at the dual level its method is one of the three.
type sessionRow struct {
	user, tenant uuid.UUID
	days         int
	method       string // jwt, idp, dual
	revoked      bool
	expired      bool
}

// personTrap and groupTrap are entries of the directory that were there before Anthill.
type personTrap struct {
	id                  uuid.UUID
	name, display, mail string
}

type groupTrap struct {
	id   uuid.UUID
	name string
}

func makeSample(seed int64, dual bool) *sample {
	s := &sample{src: newSource(seed), dual: dual, bySlug: map[string]uuid.UUID{}}
	s.addTenants()
	s.addCrowd()
	s.addNames()
	s.addEmails()
	s.addStatuses()
	s.addLinks()
	s.addMappings()
	s.addSessions()
	return s
}

// slugTraps are slugs that a group name cannot simply hold.
func slugTraps() []string {
	return []string{"north-wind", "blue_sky", "42labs", strings.Repeat("long", 12) + "-x",
		strings.Repeat("long", 12) + "-xy",
		strings.Repeat("verylongslug", 8) + "-end", "ACME-Europe", "cà-phê", "soylent corp", "soylent.corp "}
}

func (s *sample) addTenants() {
	s.tenant("anthill", "Anthill", "enterprise", "active")
	s.tenant("acme", "Acme Corporation", "enterprise", "active")
	s.tenant("globex", "Globex", "professional", "active")
	s.tenant("initech", "Initech", "enterprise", "active")
	s.tenant("stark", "Stark Industries (one admin)", "starter", "active")
	s.tenant("wayne", "Wayne Enterprises (no admin)", "starter", "active")
	s.tenant("vacant", "Vacant (no users)", "free", "active")
	s.tenant("solo", "Solo (one user)", "free", "active")
	s.tenant("hooli", "Hooli (suspended)", "professional", "suspended")
	s.tenant("pied-piper", "Pied Piper (cancelled)", "free", "cancelled")
	s.tenant("umbrella", "Umbrella (deleted)", "free", "active")
	s.tenants[len(s.tenants)-1].deleted = true
	s.tenant("twin-a", "Twin A (shares a group)", "free", "active")
	s.tenant("twin-b", "Twin B (shares a group)", "free", "active")
	s.tenant("squatted", "Squatted (its group name is taken)", "free", "active")
	s.tenant("stale", "Stale (mapping row with an old name)", "free", "active")
	s.tenant("ghost", "Ghost (mapping row of a group that is gone)", "free", "active")
	for i, slug := range slugTraps() {
		s.tenant(slug, fmt.Sprintf("Slug trap %d", i+1), "free", "active")
	}
	s.tenants = append(s.tenants, tenantRow{id: uuid.UUID{}, name: "Default Tenant", slug: "default", plan: "free",
		status: "active"})
	s.bySlug["default"] = uuid.UUID{}
}

func (s *sample) tenant(slug, name, plan, status string) {
	t := tenantRow{id: s.src.id(), name: name, slug: slug, plan: plan, status: status}
	s.tenants = append(s.tenants, t)
	s.bySlug[slug] = t.id
}

// user adds a plain user and returns it to be changed.
func (s *sample) user(slug, email, role string, name *string) *userRow {
	s.users = append(s.users, userRow{id: s.src.id(), tenant: s.bySlug[slug], email: email,
		verified: !s.src.chance(100), name: name, role: role,
		status: "active", created: base.Add(clockStep * timeStep(len(s.users)))})
	return &s.users[len(s.users)-1]
}

// addCrowd adds the plain users: every large tenant has all roles, and initech about 40 % of everybody.
func (s *sample) addCrowd() {
	crowd := []struct {
		slug                                 string
		super, admin, manager, viewer, plain int
	}{
		{"anthill", 3, 1, 2, 1, 5}, {"acme", 1, 3, 6, 6, 24}, {"globex", 1, 2, 4, 4, 24}, {"initech", 1, 5, 14, 14, 106},
		{"stark", 0, 1, 1, 0, 4}, {"wayne", 0, 0, 1, 1, 4}, {"solo", 0, 1, 0, 0, 0}, {"hooli", 0, 1, 1, 0, 5},
		{"pied-piper", 0, 1, 0, 0, 4}, {"umbrella", 0, 1, 0, 0, 3}, {"twin-a", 0, 1, 0, 0, 2}, {"twin-b", 0, 1, 0, 0, 2},
		{"squatted", 0, 1, 0, 0, 3}, {"stale", 0, 1, 0, 0, 2}, {"ghost", 0, 1, 0, 0, 2},
	}
	for _, c := range crowd {
		n := 0
		for _, r := range []struct {
			role  string
			count int
		}{{"super_admin", c.super}, {"admin", c.admin}, {"manager", c.manager}, {"viewer", c.viewer}, {"user", c.plain}} {
			for range r.count {
				n++
				first, last := s.src.pick(firstNames), s.src.pick(lastNames)
				s.user(c.slug, fmt.Sprintf("%s.%s%d@%s.example", strings.ToLower(first), strings.ToLower(last), n, c.slug),
					r.role, text(first+" "+last))
			}
		}
	}
	for i, slug := range slugTraps() {
		s.user(slug, fmt.Sprintf("admin@slug%d.example", i+1), "admin", text("Slug Admin"))
		s.user(slug, fmt.Sprintf("user@slug%d.example", i+1), "user", text("Slug User"))
	}
}

func (s *sample) addNames() {
	for i, name := range []*string{nil, text(""), text("   "), text("null"),
		text(strings.Repeat("Long Name ", 25) + "Final"),
		text("Nguyễn Thị Minh Khai"), text("محمد علي"), text("Zoë 🐜 Ant"), text("New\nLine\tTab"),
		text("<script>alert(1)</script>"),
		text("\x1b[31mRed\x1b[0m"), text("{{ .Secret }}")} {
		s.user("acme", fmt.Sprintf("name%d@acme.example", i+1), "user", name)
	}
}

func (s *sample) addEmails() {
	for _, email := range []string{"Upper.Case@Acme.example", "plus+tag@acme.example", "dots.in.it@acme.example",
		strings.Repeat("l", 64) + "@acme.example",
		"kim+ops@acme.example", "kim-ops@acme.example", "đặng@acme.example", "o'neil@acme.example", "no-at-sign"} {
		s.user("acme", email, "user", text("Mail Trap"))
	}
	s.user("acme", "pat@shared.example", "user", text("Pat Shared"))
	s.user("globex", "pat@shared.example", "user", text("Pat Shared"))
	s.user("initech", "Chris@initech.example", "user", text("Chris Upper"))
	s.user("initech", "chris@initech.example", "user", text("Chris Lower"))
	system := s.user("default", "system@anthill.local", "user", text("System"))
	system.id, system.system = uuid.UUID{15: 2}, true
}

func (s *sample) addStatuses() {
	for _, slug := range []string{"acme", "globex", "initech"} {
		s.user(slug, "inactive@"+slug+".example", "user", text("In Active")).status = "inactive"
		s.user(slug, "suspended@"+slug+".example", "user", text("Sus Pended")).status = "suspended"
		s.user(slug, "deleted@"+slug+".example", "user", text("De Leted")).deleted = true
	}
}

// addLinks adds users who were linked before Anthill came, and entries of the directory to go with them.
func (s *sample) addLinks() {
	person := func(name, mail string) uuid.UUID {
		id := s.src.id()
		s.persons = append(s.persons, personTrap{id: id, name: name, display: "Earlier " + name, mail: mail})
		return id
	}
	s.user("initech", "linked@initech.example", "user", text("Linked With Password")).link = person("earlier.linked",
		"linked@initech.example")
	s.user("initech", "linked-admin@initech.example", "admin", text("Linked Admin")).link = person("earlier.admin",
		"linked-admin@initech.example")
	s.user("stark", "lost@stark.example", "user", text("Linked To Nobody")).link = s.src.id()
	// Two rows want one person: the same mail, and the person exists already.
	person("earlier.wanted", "wanted@stark.example")
	s.user("stark", "wanted@stark.example", "user", text("Wanted Once"))
	s.user("wayne", "wanted@stark.example", "user", text("Wanted Twice"))
	if s.dual {
		u := s.user("initech", "idp-only@initech.example", "user", text("Linked Without Password"))
		u.link, u.noHash = person("earlier.only", "idp-only@initech.example"), true
		s.user("initech", "neither@initech.example", "user", text("Neither Password Nor Link")).noHash = true
	}
}

func (s *sample) addMappings() {
	group := func(name string) uuid.UUID {
		id := s.src.id()
		s.groups = append(s.groups, groupTrap{id: id, name: name})
		return id
	}
	twins := group("legacy_twins")
	s.mappings = append(s.mappings,
		mappingRow{s.bySlug["twin-a"], twins, "legacy_twins", "member"},
		mappingRow{s.bySlug["twin-b"], twins, "legacy_twins", "member"},
		mappingRow{s.bySlug["stale"], group("legacy_stale_now"), "legacy_stale_once", "viewer"},
		mappingRow{s.bySlug["ghost"], s.src.id(), "legacy_ghost", "viewer"})
	group("tenant_squatted_users")
}

func (s *sample) addSessions() {
	if len(s.users) < 20 {
		return
	}
	add := func(i, days int, method string, revoked, expired bool) {
		u := s.users[i]
		s.sessions = append(s.sessions, sessionRow{u.id, u.tenant, days, method, revoked, expired})
	}
	add(0, 0, "jwt", false, false)
	add(1, 1, "idp", false, false)
	add(2, 2, "dual", false, false)
	add(3, 3, "jwt", true, false)
	add(4, 9, "jwt", false, true)
	add(14, 31, "jwt", false, true)
	add(15, 29, "jwt", false, true)
}

var firstNames = []string{"Ana", "Ben", "Carla", "Dinh", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira",
	"Liam", "Mina", "Noah", "Olga",
	"Paul", "Quinn", "Rosa", "Sven", "Tara", "Uma", "Viktor", "Wendy", "Xenia", "Yusuf", "Zora"}

var lastNames = []string{"Adams", "Baker", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jensen",
	"Kaya", "Lopez", "Meyer", "Nowak",
	"Okafor", "Park", "Quist", "Rossi", "Silva", "Tran", "Ueda", "Vega", "Weber", "Young", "Zhang"}
