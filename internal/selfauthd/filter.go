package selfauthd

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxTerms = 32
	maxDepth = 12
)

// filter is a condition on entries, of the raw API and of SCIM alike.
type filter struct {
	op    string // eq cnt pres sw ew lt or and andnot self
	attr  string
	value string
	kids  []*filter
}

// filterWords are the words of the raw API's filters, each of which may begin with a capital.
var filterWords = []string{"eq", "cnt", "pres", "or", "and", "andNot", "self"}

// UnmarshalJSON reads the raw API's form: {"eq":["name","x"]}, {"or":[...]}, "self".
func (f *filter) UnmarshalJSON(b []byte) error {
	word, in, ok := variant(b)
	if !ok || word == "" {
		return errors.New("expected value")
	}
	if !slices.ContainsFunc(filterWords, func(w string) bool {
		return word == w ||
			word == strings.ToUpper(w[:1])+w[1:] || word == lower(w)
	}) {
		return &shapeError{fmt.Sprintf("filter: unknown variant `%s`, expected one of `Eq`, `eq`, `Cnt`, `cnt`, "+
			"`Pres`, `pres`, `Or`, `or`, `And`, `and`, `AndNot`, `andnot`, `Self`, `self`", word)}
	}
	f.op = lower(word)
	var err error
	switch f.op {
	case "eq", "cnt":
		f.attr, f.value, err = twoWords(in)
	case "pres":
		err = json.Unmarshal(in, &f.attr)
	case "or", "and":
		err = json.Unmarshal(in, &f.kids)
	case "andnot":
		f.kids = []*filter{{}}
		err = f.kids[0].UnmarshalJSON(in)
	}
	f.attr = lower(f.attr)
	return err
}

// check refuses unknown attributes and filters over the limits.
func (f *filter) check() *fault {
	terms := 0
	var walk func(*filter, int) *fault
	walk = func(f *filter, depth int) *fault {
		if terms++; terms > maxTerms+1 || depth > maxDepth {
			return resourceLimit
		}
		if err := f.checkTerm(); err != nil {
			return err
		}
		for _, k := range f.kids {
			if err := walk(k, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(f, 1)
}

func (f *filter) checkTerm() *fault {
	switch {
	case (f.op == "and" || f.op == "or") && len(f.kids) == 0:
		return bareViolation("emptyfilter")
	case slices.Contains([]string{"and", "or", "andnot", "self"}, f.op) || known(f.attr):
		return nil
	case f.op == "pres":
		return violation("invalidattribute", f.attr)
	}
	return invalidName(f.attr)
}

// checkSought refuses values that cannot be ones of their attributes; the raw API asks for it.
func (f *filter) checkSought() *fault {
	if f.op == "eq" || f.op == "cnt" {
		return parseSought(f.attr, f.value)
	}
	for _, k := range f.kids {
		if err := k.checkSought(); err != nil {
			return err
		}
	}
	return nil
}

// scans says whether the server would have to look at every entry, as no index narrows the filter down.
func (f *filter) scans() bool {
	switch f.op {
	case "cnt":
		return f.attr != "name" && f.attr != "mail" && f.attr != "spn"
	case "eq", "sw", "ew":
		return !schema[f.attr].equal
	case "pres":
		return !schema[f.attr].present
	case "or":
		return slices.ContainsFunc(f.kids, (*filter).scans)
	case "and":
		return !slices.ContainsFunc(f.kids, func(k *filter) bool { return k.op != "andnot" && !k.scans() })
	}
	return false
}

// negates says whether something is excluded that no index knows: the server gives up on that.
func (f *filter) negates() bool {
	return f.op == "andnot" && f.kids[0].scans() || slices.ContainsFunc(f.kids, (*filter).negates)
}

var backend = internal("backend")

// near says whether an entry is one of those that the indexes leave to be looked at.
func (q *request) near(f *filter, e *entry) bool {
	if f.op == "and" {
		return !slices.ContainsFunc(f.kids, func(k *filter) bool { return k.op != "andnot" && !q.near(k, e) })
	}
	return f.scans() || q.match(f, e)
}

// readable says whether a caller may read all that the filter is about. Otherwise nothing is found.
func (f *filter) readable(may func(string) bool) bool {
	return (f.attr == "" || may(f.attr)) && !slices.ContainsFunc(f.kids, func(k *filter) bool { return !k.readable(may) })
}

// match says whether an entry meets the filter.
func (q *request) match(f *filter, e *entry) bool {
	switch f.op {
	case "self":
		return e == q.caller.e
	case "and":
		return !slices.ContainsFunc(f.kids, func(k *filter) bool {
			if k.op == "andnot" {
				return q.match(k.kids[0], e)
			}
			return !q.match(k, e)
		})
	case "or":
		// What andnot takes away it takes from nothing here, and nothing is left.
		return slices.ContainsFunc(f.kids, func(k *filter) bool { return k.op != "andnot" && q.match(k, e) })
	case "andnot":
		return !q.match(f.kids[0], e)
	case "pres":
		return len(q.store.values(e, f.attr)) > 0
	case "eq":
		return q.equal(f, e)
	}
	return slices.ContainsFunc(q.store.values(e, f.attr), func(v string) bool {
		v, part := lower(v), lower(f.value)
		switch f.op {
		case "sw":
			return strings.HasPrefix(v, part)
		case "ew":
			return strings.HasSuffix(v, part)
		case "cnt":
			return part != "" && strings.Contains(v, part)
		}
		return false // lt: texts have no order
	})
}

func (q *request) equal(f *filter, e *entry) bool {
	switch f.attr {
	case "class":
		return slices.Contains(q.store.classes(e), lower(f.value))
	case "uuid":
		return e.id == q.store.identified(f.value)
	case "account_expire", "account_valid_from":
		at := parseTime(f.value)
		return !at.IsZero() && slices.Equal(q.store.values(e, f.attr), date(at))
	case "entry_managed_by":
		m := q.store.manager(e)
		return m != nil && m == q.store.resolve(f.value)
	case "dynmember":
		target := q.store.resolve(f.value)
		return target != nil && slices.Contains(q.store.dynamicMembers(e), target)
	case "oauth2_rs_scope_map", "oauth2_rs_sup_scope_map":
		target := q.store.resolve(f.value)
		return target != nil && e.client != nil && e.client.scopeMap(f.attr == scopeAttr(true))[target.id] != nil
	case "name":
		return e.name == lower(f.value)
	case "memberof", "directmemberof", "member":
		target := q.store.resolve(f.value)
		if target == nil {
			return false
		}
		switch f.attr {
		case "member":
			return e.group != nil && e.group.members[target.id] != nil
		case "directmemberof":
			return slices.Contains(q.store.directGroups(e), target)
		}
		return slices.Contains(q.store.memberOf(e), target)
	}
	return slices.Contains(q.store.values(e, f.attr), f.value)
}

// candidates narrows a filter down by the indexes; ok false: all entries must be looked at.
func (q *request) candidates(f *filter) (list []*entry, ok bool) {
	one := func(e *entry) ([]*entry, bool) {
		if e == nil {
			return nil, true
		}
		return []*entry{e}, true
	}
	switch {
	case f.op == "self":
		return one(q.caller.e)
	case f.op == "eq" && f.attr == "uuid":
		return one(q.store.byID[q.store.identified(f.value)])
	case f.op == "eq" && (f.attr == "name" || f.attr == "spn"):
		return one(q.store.resolve(f.value))
	case f.op == "eq" && (f.attr == "memberof" || f.attr == "directmemberof"):
		g := q.store.resolve(f.value)
		if g == nil || g.group == nil {
			return nil, true
		}
		return q.store.below(g), !g.dynamic && g.id != system(0x48)
	case f.op == "and":
		for _, k := range f.kids {
			if list, ok := q.candidates(k); ok {
				return list, true
			}
		}
	case f.op == "or":
		seen := map[*entry]bool{}
		for _, k := range f.kids {
			part, ok := q.candidates(k)
			if !ok {
				return nil, false
			}
			for _, e := range part {
				if !seen[e] {
					seen[e] = true
					list = append(list, e)
				}
			}
		}
		return list, true
	}
	return nil, false
}

// search returns the entries that meet a filter, in the order of their creation.
func (q *request) search(f *filter) ([]*entry, *fault) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.negates() {
		return nil, backend
	}
	meets := func(e *entry) bool {
		// To look what the caller may see takes longer. A server's cost counts what it looks at.
		if q.s.o.Cost == "" && !q.match(f, e) {
			return false
		}
		may := q.sees(e)
		if !may("uuid") || !may("name") || !f.readable(may) {
			return false
		}
		q.scans(q.s.o.Cost != "" && q.near(f, e))
		return q.match(f, e)
	}
	if err := q.limit(func(e *entry) bool { return q.match(f, e) }); err != nil {
		return nil, err
	}
	list, ok := q.candidates(f)
	if !ok {
		return q.store.live(meets), nil
	}
	var found []*entry
	for _, e := range list {
		if meets(e) {
			found = append(found, e)
		}
	}
	inOrder(found)
	return found, nil
}

// limit refuses searches that find too many entries for a login, whether it may see them or not. Tokens of service
// accounts have no such limit.
func (q *request) limit(which func(*entry) bool) *fault {
	if q.caller.results == 0 {
		return nil
	}
	found := 0
	for _, e := range q.store.byID {
		if which(e) {
			if found++; found > q.caller.results {
				return backend
			}
		}
	}
	return nil
}
