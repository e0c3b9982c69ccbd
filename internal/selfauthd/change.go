package selfauthd

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// newEntry makes an entry of parsed attributes; it is not in the store yet.
func (s *store) newEntry(k kind, attrs map[string][]string) (*entry, *fault) {
	e := &entry{kind: k}
	if k == group {
		e.group = &groupPart{members: map[uuid.UUID]*entry{}}
	}
	if k == serviceAccount {
		e.account = &accountPart{tokens: map[uuid.UUID]apiToken{}}
	}
	if v := attrs["uuid"]; len(v) > 0 {
		e.id = uuid.MustParse(v[0])
		if compareIDs(e.id, firstFree) < 0 {
			return nil, plugin("base", "Uuid must not be in protected range")
		}
	} else {
		e.id = uuid.New()
	}
	for _, a := range slices.Sorted(maps.Keys(attrs)) {
		if a == "class" || a == "uuid" || a == "member" {
			continue
		}
		if err := s.set(e, a, attrs[a]); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// set gives an attribute its values; what breaks a schema rule alone is found by check.
func (s *store) set(e *entry, attr string, values []string) *fault {
	if len(values) > 1 && attr != "mail" && attr != "member" {
		return badSyntax(attr)
	}
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch attr {
	case "name":
		e.name = lower(first)
	case "displayname":
		e.display = first
	case "legalname":
		e.legal = first
	case "description":
		e.description = first
	case "mail":
		e.mails = ordered(values)
	case "account_expire":
		e.expire = moment(first)
	case "account_valid_from":
		e.valid = moment(first)
	case "entry_managed_by":
		e.managedBy = uuid.Nil
		if first != "" {
			m := s.resolve(first)
			if m == nil {
				return unresolved
			}
			e.managedBy = m.id
		}
	default:
		return violation("attributenotvalidforclass", attr)
	}
	return nil
}

func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{} // purged; the syntax was checked
	}
	return t.UTC()
}

// checkNew checks what a new entry must be beside those of its own request: its id.
func (s *store) checkNew(request map[uuid.UUID]bool, e *entry) *fault {
	switch {
	case request[e.id]:
		return plugin("base", "Uuid duplicate detected in request")
	case s.used(e.id):
		return plugin("base", "Uuid duplicate found in database")
	case e.name == "":
		return internal("invalidentrystate")
	}
	request[e.id] = true
	return nil
}

// unique finds attributes that others have already, in the store or in the same request.
func (s *store) unique(list []*entry) *fault {
	ids := map[uuid.UUID]bool{}
	for _, e := range list {
		ids[e.id] = true
	}
	names, mails := map[string]bool{}, map[string]bool{}
	var clashes []string
	for _, e := range list {
		if o := s.byName[e.name]; o != nil && !ids[o.id] || names[e.name] {
			clashes = append(clashes, "name", "spn")
		}
		names[e.name] = true
		for _, m := range e.mails {
			if o := s.byMail[m]; o != nil && !ids[o.id] || mails[m] {
				clashes = append(clashes, "mail")
			}
			mails[m] = true
		}
	}
	if len(clashes) > 0 {
		return conflict(clashes)
	}
	return nil
}

// schema checks one entry against its classes.
func (e *entry) schema() *fault {
	switch {
	case !validName(e.name):
		return badSyntax("name")
	case e.kind != group && e.display == "":
		return violation("missingmustattribute", []string{"displayname"})
	case e.display != "" && !validText(e.display):
		return badSyntax("displayname")
	case e.legal != "" && !validText(e.legal):
		return badSyntax("legalname")
	case e.description != "" && !validText(e.description):
		return badSyntax("description")
	}
	return nil
}

// newcomer is an entry to be made, with what was said of it.
type newcomer struct {
	kind  kind
	attrs map[string][]string
}

// make makes all entries, or none. The order of checks is the real server's (selfauth-api 5.3).
func (q *request) make(list []newcomer) *fault {
	s := q.store
	for _, n := range list {
		for a, v := range n.attrs {
			if len(v) == 0 {
				delete(n.attrs, a)
			}
		}
		if err := parseAll(n.attrs); err != nil {
			return err
		}
	}
	for _, n := range list {
		may := q.caller.mayCreate(n.kind)
		if may == nil {
			return accessDenied
		}
		for a := range n.attrs {
			if !may(a) {
				return accessDenied
			}
		}
	}
	entries, request := make([]*entry, len(list)), map[uuid.UUID]bool{}
	for i, n := range list {
		e, err := s.newEntry(n.kind, n.attrs)
		if err == nil {
			err = s.checkNew(request, e)
		}
		if err != nil {
			return err
		}
		entries[i] = e
	}
	if err := s.unique(entries); err != nil {
		return err
	}
	for i, e := range entries {
		if _, given := list[i].attrs["displayname"]; given && e.display == "" {
			return badSyntax("displayname")
		}
		if err := e.schema(); err != nil {
			return err
		}
	}
	return s.insert(list, entries)
}

// insert adds checked entries and their members, who may be among them.
func (s *store) insert(list []newcomer, entries []*entry) *fault {
	for _, e := range entries {
		s.add(e)
	}
	for i, e := range entries {
		for _, ref := range list[i].attrs["member"] {
			m := s.resolve(ref)
			if m == nil {
				for _, made := range entries {
					s.forget(made)
				}
				return unresolved
			}
			s.join(e, m)
		}
	}
	return nil
}

// forget takes an entry back that was only just made: nothing of it stays.
func (s *store) forget(e *entry) {
	for _, p := range slices.Clone(e.parents) {
		s.leave(p, e)
	}
	if e.group != nil {
		for _, m := range e.members() {
			s.leave(e, m)
		}
	}
	s.unindex(e)
	delete(s.byID, e.id)
}

// mod is one change of one attribute.
type mod struct {
	attr   string
	purge  bool     // first everything goes
	add    []string // then these come
	remove []string // and these go
}

// modify applies changes to all entries, or to none.
func (q *request) modify(entries []*entry, mods []mod) *fault {
	if len(mods) == 0 {
		return emptyRequest
	}
	for _, m := range mods {
		if err := parseAll(map[string][]string{m.attr: m.add}); err != nil {
			return err
		}
	}
	for _, e := range entries {
		may := q.mayChange(e)
		for _, m := range mods {
			if !may(m.attr) {
				return accessDenied
			}
		}
	}
	drafts := make([]*entry, len(entries))
	for i, e := range entries {
		d := *e
		for _, m := range mods {
			if m.attr == "member" {
				continue
			}
			if err := q.store.set(&d, m.attr, m.apply(q.store.values(&d, m.attr))); err != nil {
				return err
			}
		}
		drafts[i] = &d
	}
	if err := q.store.unique(drafts); err != nil {
		return err
	}
	for _, d := range drafts {
		if err := d.schema(); err != nil {
			return err
		}
	}
	joins, err := q.members(mods)
	if err != nil {
		return err
	}
	for i, e := range entries {
		q.store.unindex(e)
		d := drafts[i]
		e.name, e.display, e.legal, e.description, e.mails, e.expire, e.valid, e.managedBy = d.name, d.display, d.legal, d.description, d.mails, d.expire, d.valid, d.managedBy
		q.store.index(e)
		if e.group != nil && !e.dynamic {
			q.store.changeMembers(e, mods, joins)
		}
	}
	return nil
}

// apply returns the values of an attribute after a change.
func (m mod) apply(values []string) []string {
	if m.purge {
		values = nil
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(m.remove, v) })
	for _, v := range m.add {
		if m.attr == "name" {
			v = lower(v)
		}
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// members resolves the members that are added; each must be there.
func (q *request) members(mods []mod) (joins []*entry, err *fault) {
	for _, m := range mods {
		if m.attr != "member" {
			continue
		}
		for _, ref := range m.add {
			e := q.store.resolve(ref)
			if e == nil {
				return nil, unresolved
			}
			joins = append(joins, e)
		}
	}
	return joins, nil
}

func (s *store) changeMembers(g *entry, mods []mod, joins []*entry) {
	for _, m := range mods {
		if m.attr != "member" {
			continue
		}
		if m.purge {
			for _, e := range g.members() {
				s.leave(g, e)
			}
		}
		for _, ref := range m.remove {
			if e := s.resolve(ref); e != nil {
				s.leave(g, e)
			}
		}
	}
	for _, e := range joins {
		s.join(g, e)
	}
}
