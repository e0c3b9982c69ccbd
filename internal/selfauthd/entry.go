package selfauthd

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"
)

type kind uint8

const (
	invalidKind kind = iota
	person
	group
	serviceAccount
	builtinAccount // admin, idm_admin, anonymous
	client         // of OAuth2
)

// entry is anything in the directory. A person takes a few hundred bytes.
type entry struct {
	id            uuid.UUID
	kind          kind
	builtin       bool
	dynamic       bool // members follow from a rule
	wasMember     bool // it carries the class memberof, which stays
	policy        bool // it carries the class account_policy
	recycled      bool
	seq           uint64 // order of creation
	changed       int64  // unix seconds
	name          string
	display       string
	legal         string
	description   string
	mails         []string // the primary one first, the rest sorted
	expire, valid time.Time
	managedBy     uuid.UUID
	parents       []*entry // groups that it is a direct member of
	group         *groupPart
	account       *accountPart
	client        *clientPart
	cred          *credPart           // of persons and accounts that have, or may soon have, a credential; nil: none
	more          map[string][]string // attributes that the schema keeps; changed in copies only
}

type groupPart struct{ members map[uuid.UUID]*entry }

type accountPart struct{ tokens map[uuid.UUID]apiToken }

// system is an id of the range that is reserved for built-in entries; n as its last digits are read, in hexadecimal.
func system(n uint16) uuid.UUID {
	var id uuid.UUID
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// firstFree is the lowest id that callers may choose.
var firstFree = uuid.MustParse("00000000-0000-0000-0001-000000000000")

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

func byID(a, b *entry) int { return compareIDs(a.id, b.id) }

func (s *store) spn(e *entry) string {
	if last := e.more["spn"]; last != nil { // it has no name any more
		return last[0]
	}
	return e.name + "@" + s.domain
}

// directGroups are the groups that an entry is a direct member of, dynamic ones included, sorted by id.
func (s *store) directGroups(e *entry) []*entry {
	list := slices.Clone(e.parents)
	if e.kind == person {
		list = append(list, s.allPersons)
	}
	if e.kind != group {
		list = append(list, s.allAccounts)
	}
	slices.SortFunc(list, byID)
	return slices.Compact(list)
}

// memberOf is the transitive closure, sorted by id.
func (s *store) memberOf(e *entry) []*entry {
	seen := map[*entry]bool{}
	var list []*entry
	for next := s.directGroups(e); len(next) > 0; {
		g := next[0]
		next = next[1:]
		if seen[g] {
			continue
		}
		seen[g] = true
		list = append(list, g)
		next = append(next, g.parents...)
	}
	slices.SortFunc(list, byID)
	return list
}

// below are all entries that have a group in their closure.
func (s *store) below(g *entry) (list []*entry) {
	seen := map[*entry]bool{}
	for next := []*entry{g}; len(next) > 0; {
		at := next[0]
		next = next[1:]
		for _, m := range at.group.members {
			if seen[m] || !slices.Contains(m.parents, at) {
				continue
			}
			seen[m] = true
			list = append(list, m)
			if m.kind == group {
				next = append(next, m)
			}
		}
	}
	return list
}

// manager is who manages an entry; nil: nobody. The id of admin is the zero one, so that it cannot be one.
func (s *store) manager(e *entry) *entry {
	if e.managedBy == uuid.Nil {
		return nil
	}
	return s.byID[e.managedBy]
}

func (e *entry) members() []*entry {
	list := make([]*entry, 0, len(e.group.members))
	for _, m := range e.group.members {
		list = append(list, m)
	}
	slices.SortFunc(list, byID)
	return list
}

// knowing are the members of a group that know of it, and those that do not (see store.wake).
func (e *entry) knowing() (know, not []*entry) {
	for _, m := range e.members() {
		if slices.Contains(m.parents, e) {
			know = append(know, m)
		} else {
			not = append(not, m)
		}
	}
	return know, not
}

func (s *store) classes(e *entry) (list []string) {
	switch e.kind {
	case person:
		list = []string{"account", "memberof", "object", "person"}
	case group:
		list = []string{"group", "object"}
		if e.dynamic {
			list = append(list, "dyngroup", "system")
		}
		if e.policy {
			list = append(list, classPolicy)
		}
		if e.wasMember {
			list = append(list, "memberof")
		}
	case client:
		list = append(e.client.classes(), "account", "memberof", "object")
	default:
		list = []string{"account", "memberof", "object", "service_account"}
	}
	if e.builtin {
		list = append(list, "builtin")
	}
	if e.recycled {
		list = append(list, "recycled")
	}
	slices.Sort(list)
	return list
}

func one(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

func (s *store) spns(list []*entry) (out []string) {
	for _, e := range list {
		out = append(out, s.spn(e))
	}
	return out
}

// values are those of one attribute as /v1 shows them; nil: none.
func (s *store) values(e *entry, attr string) []string {
	switch attr {
	case "class":
		return s.classes(e)
	case "uuid":
		return []string{e.id.String()}
	case "name":
		return one(e.name)
	case "spn":
		return []string{s.spn(e)}
	case "displayname":
		return one(e.display)
	case "legalname":
		return one(e.legal)
	case "description":
		return one(e.description)
	case "mail":
		return slices.Clone(e.mails)
	case "account_expire":
		return date(e.expire)
	case "account_valid_from":
		return date(e.valid)
	case "member":
		if e.group != nil {
			return s.spns(e.members())
		}
	case "dynmember":
		return s.spns(s.dynamicMembers(e))
	case "memberof":
		return s.spns(s.memberOf(e))
	case "directmemberof":
		return s.spns(s.directGroups(e))
	case "entry_managed_by":
		if m := s.manager(e); m != nil {
			return []string{s.spn(m)}
		}
	case "webauthn_attestation_ca_list":
		if v := e.more[attr]; v != nil {
			list, _ := parseAuthorities(v[0]) // it was checked when it came in
			return list.names()
		}
	default:
		switch {
		case e.cred != nil && credentialAttributes[attr] != nil:
			return credentialAttributes[attr](e)
		case e.client != nil && clientAttributes[attr] != nil:
			return clientAttributes[attr](s, e)
		}
		return e.more[attr]
	}
	return nil
}

// dynamicMembers are the entries that a rule makes members, sorted by id.
func (s *store) dynamicMembers(g *entry) (list []*entry) {
	if !g.dynamic {
		return nil
	}
	for _, e := range s.byID {
		if e.kind == person || g == s.allAccounts && e.kind != group {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, byID)
	return list
}

func date(t time.Time) []string {
	if t.IsZero() {
		return nil
	}
	return []string{t.UTC().Format(time.RFC3339Nano)}
}

// view is an entry as /v1 shows it to who may see the attributes.
func (s *store) view(e *entry, may func(string) bool) map[string]any {
	attrs := map[string][]string{}
	for _, a := range attributeNames {
		if may(a) {
			if v := s.values(e, a); v != nil {
				attrs[a] = v
			}
		}
	}
	return map[string]any{"attrs": attrs}
}
