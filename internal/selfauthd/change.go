package selfauthd

import (
	"maps"
	"slices"

	"github.com/google/uuid"
)

// newEntry makes an entry of parsed attributes; it is not in the store yet.
func (s *store) newEntry(k kind, public bool, attrs map[string][]string) (*entry, *fault) {
	e := &entry{kind: k}
	if k == client {
		e.client = newClient(public)
	}
	if k == group {
		e.group = &groupPart{members: map[uuid.UUID]*entry{}}
	}
	if k == serviceAccount {
		e.account = &accountPart{tokens: map[uuid.UUID]apiToken{}}
	}
	if v := attrs["uuid"]; len(v) > 0 {
		e.id = s.identified(v[0])
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
	if k == client {
		e.legacyKeys()
	}
	return e, nil
}

// emptyText is a text that is there and has no characters: the schema refuses it.
const emptyText = "\x00"

// set gives an attribute its values; what breaks a schema rule alone is found by check.
func (s *store) set(e *entry, attr string, values []string) *fault {
	if schema[attr].syntax == authorities {
		values = together(values)
	}
	if len(values) > 1 && !schema[attr].multi {
		return badSyntax(attr)
	}
	first := ""
	if len(values) > 0 {
		if first = values[0]; first == "" {
			first = emptyText
		}
	}
	switch attr {
	case "name":
		s.rename(e, lower(first))
	case "displayname":
		e.display = first
	case "legalname":
		e.legal = first
	case "description":
		e.description = first
	case "mail":
		e.mails = ordered(values)
	case "account_expire":
		e.expire = parseTime(first)
	case "account_valid_from":
		e.valid = parseTime(first)
	case "class":
		e.policy = slices.Contains(values, classPolicy)
	case "entry_managed_by":
		e.managedBy = uuid.Nil
		if len(values) > 0 {
			m := s.resolve(first)
			if m == nil {
				return unresolved
			}
			e.managedBy = m.id
		}
	default:
		if !schema[attr].kept {
			return violation("attributenotvalidforclass", attr)
		}
		e.more = cloneMap(e.more)
		delete(e.more, attr)
		if len(values) > 0 {
			e.more[attr] = set(values)
		}
	}
	return nil
}

// rename gives an entry another name. A group may be left with none; it keeps what it was last called by.
func (s *store) rename(e *entry, name string) {
	was := s.spn(e)
	if e.more["spn"] != nil {
		e.more = cloneMap(e.more)
		delete(e.more, "spn")
	}
	if name == "" && e.id != uuid.Nil {
		e.more = cloneMap(e.more)
		e.more["spn"] = []string{was}
	}
	e.name = name
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
		if o := s.byName[e.name]; o != nil && !ids[o.id] || e.name != "" && names[e.name] {
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
		slices.Sort(clashes)
		return conflict(slices.Compact(clashes))
	}
	return nil
}

// schema checks one entry against its classes.
func (s *store) schema(e *entry) *fault {
	if missing := e.missing(); len(missing) > 0 {
		return violation("missingmustattribute", missing)
	}
	classes := s.classes(e)
	for _, a := range keptAttributes {
		if e.more[a] != nil && !slices.Contains(classes, schema[a].class) {
			return violation("attributenotvalidforclass", a)
		}
	}
	switch {
	case e.description != "" && !validText(e.description):
		return badSyntax("description")
	case e.display != "" && !validText(e.display):
		return badSyntax("displayname")
	case e.legal != "" && !validText(e.legal):
		return badSyntax("legalname")
	case e.name != "" && !validName(e.name):
		return badSyntax("name")
	}
	return nil
}

// missing are the attributes that an entry must have and has not.
func (e *entry) missing() (list []string) {
	if e.kind != group && e.display == "" {
		list = append(list, "displayname")
	}
	if e.kind != group && e.name == "" {
		list = append(list, "name")
	}
	if e.kind == client && e.more["oauth2_rs_origin_landing"] == nil {
		list = append(list, "oauth2_rs_origin_landing")
	}
	return list
}

// newcomer is an entry to be made, with what was said of it.
type newcomer struct {
	kind   kind
	public bool   // of a client
	flaw   *fault // of its classes
	attrs  map[string][]string
}

// make makes all entries, or none. The order of checks is the real server's (docs/selfauth-facts.md F15).
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
			if !may[a] {
				return accessDenied
			}
		}
		if id := n.attrs["uuid"]; id != nil && compareIDs(s.identified(id[0]), firstFree) < 0 {
			return accessDenied
		}
	}
	entries, request := make([]*entry, len(list)), map[uuid.UUID]bool{}
	for i, n := range list {
		e, err := s.newEntry(n.kind, n.public, n.attrs)
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
		if list[i].flaw != nil {
			return list[i].flaw
		}
		if err := s.schema(e); err != nil {
			return err
		}
	}
	if err := s.insert(list, entries); err != nil {
		return err
	}
	q.work.created += len(entries)
	for _, n := range list {
		q.work.members += len(n.attrs["member"])
	}
	return nil
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
	if err := parseMods(mods); err != nil {
		return err
	}
	for _, e := range entries {
		may := q.mayChange(e)
		for _, m := range mods {
			if m.attr == "class" && !q.mayClass(e, m) || m.attr != "class" && !may(m.attr) {
				return accessDenied
			}
		}
	}
	drafts := make([]*entry, len(entries))
	for i, e := range entries {
		d := *e
		if err := q.store.draft(&d, mods); err != nil {
			return err
		}
		drafts[i] = &d
	}
	if err := q.store.unique(drafts); err != nil {
		return err
	}
	for _, d := range drafts {
		if err := q.store.schema(d); err != nil {
			return err
		}
	}
	joins, err := q.members(mods)
	if err != nil {
		return err
	}
	for i, e := range entries {
		q.store.unindex(e)
		e.take(drafts[i])
		q.store.index(e)
		q.store.touch(e)
		q.work.modified++
		if e.group != nil {
			before := len(e.group.members)
			changed := q.store.changeMembers(e, mods, joins)
			q.work.members, q.work.held, q.work.pairs = q.work.members+changed, q.work.held+before, q.work.pairs+changed*before
		}
	}
	return nil
}

// parseMods checks names and values; values are put into the form in which they are kept.
func parseMods(mods []mod) *fault {
	for i, m := range mods {
		if !known(m.attr) && len(m.remove) > 0 {
			return invalidName(m.attr)
		}
		add := map[string][]string{m.attr: m.add}
		if err := parseAll(add); err != nil {
			return err
		}
		mods[i].add = add[m.attr]
		for k, v := range m.remove {
			if err := parseSought(m.attr, v); err != nil {
				return err
			}
			if kept, err := parse(m.attr, v); err == nil {
				m.remove[k] = kept
			}
		}
	}
	for _, m := range mods {
		if slices.ContainsFunc(m.add, func(v string) bool { return !validValue(m.attr, v) }) {
			return badSyntax(m.attr)
		}
	}
	return nil
}

// validValue is what the schema says of single values of names and texts.
func validValue(attr, value string) bool {
	switch attr {
	case "name":
		return validName(lower(value))
	case "displayname", "legalname", "description":
		return value == "" || validText(value)
	}
	return true
}

// draft makes changes, all but those of members, to a copy of an entry.
func (s *store) draft(d *entry, mods []mod) *fault {
	for _, m := range mods {
		if m.attr == "member" {
			continue
		}
		if d.client != nil {
			if done, err := s.setClient(d, m); err != nil {
				return err
			} else if done {
				continue
			}
		}
		now := s.values(d, m.attr)
		if schema[m.attr].kept {
			now = d.more[m.attr]
		}
		if m.attr == "entry_managed_by" {
			m.add, m.remove = s.called(m.add), s.called(m.remove)
		}
		if err := s.set(d, m.attr, m.apply(now)); err != nil {
			return err
		}
	}
	if d.client != nil {
		d.legacyKeys()
	}
	return nil
}

// called turns references into the form in which values show them, as far as they mean something.
func (s *store) called(refs []string) []string {
	refs = slices.Clone(refs)
	for i, ref := range refs {
		if e := s.resolve(ref); e != nil {
			refs[i] = s.spn(e)
		}
	}
	return refs
}

// take gives an entry what a draft of it says.
func (e *entry) take(d *entry) {
	e.name, e.display, e.legal, e.description, e.mails = d.name, d.display, d.legal, d.description, d.mails
	e.expire, e.valid, e.managedBy, e.policy, e.more, e.client = d.expire, d.valid, d.managedBy, d.policy, d.more, d.client
}

// apply returns the values of an attribute after a change.
func (m mod) apply(values []string) []string {
	if m.purge {
		values = nil
	}
	kept := func(v string) string {
		if schema[m.attr].syntax == iname {
			return lower(v)
		}
		return v
	}
	values = slices.Clone(values)
	for _, gone := range m.remove {
		values = slices.DeleteFunc(values, func(v string) bool { return v == kept(gone) })
	}
	for _, v := range m.add {
		if v = kept(v); !slices.Contains(values, v) {
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

// changeMembers returns how many memberships it was about.
func (s *store) changeMembers(g *entry, mods []mod, joins []*entry) (n int) {
	for _, m := range mods {
		if m.attr != "member" {
			continue
		}
		if m.purge {
			for _, e := range g.members() {
				s.leave(g, e)
				n++
			}
		}
		for _, ref := range m.remove {
			if e := s.resolve(ref); e != nil {
				s.leave(g, e)
				n++
			}
		}
	}
	for _, e := range joins {
		s.join(g, e)
	}
	return n + len(joins)
}
