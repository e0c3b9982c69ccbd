package selfauthd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

const (
	maxTerms = 32
	maxDepth = 12
)

// filter is a condition on entries, of the raw API and of SCIM alike.
type filter struct {
	op    string // eq cnt pres sw or and andnot self
	attr  string
	value string
	kids  []*filter
}

// UnmarshalJSON reads the raw API's form: {"eq":["name","x"]}, {"or":[...]}, "self".
func (f *filter) UnmarshalJSON(b []byte) error {
	var word string
	if json.Unmarshal(b, &word) == nil {
		if lower(word) != "self" {
			return &shapeError{fmt.Sprintf("unknown variant `%s`", word)}
		}
		f.op = "self"
		return nil
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(b, &one); err != nil || len(one) != 1 {
		return &shapeError{"filter: expected a map with one key"}
	}
	for op, in := range one {
		f.op = lower(op)
		return f.read(in)
	}
	return nil
}

func (f *filter) read(in json.RawMessage) error {
	var err error
	switch f.op {
	case "eq", "cnt":
		var pair [2]string
		if err = json.Unmarshal(in, &pair); err == nil {
			f.attr, f.value = lower(pair[0]), pair[1]
		}
	case "pres":
		err = json.Unmarshal(in, &f.attr)
		f.attr = lower(f.attr)
	case "or", "and":
		err = json.Unmarshal(in, &f.kids)
	case "andnot":
		kid := &filter{}
		err = json.Unmarshal(in, kid)
		f.kids = []*filter{kid}
	default:
		return &shapeError{fmt.Sprintf("filter: unknown variant `%s`, expected one of `Eq`, `eq`, `Cnt`, `cnt`, `Pres`, `pres`, `Or`, `or`, `And`, `and`, `AndNot`, `andnot`, `Self`, `self`", f.op)}
	}
	if err != nil {
		return &shapeError{"filter: " + err.Error()}
	}
	return nil
}

// check refuses unknown attributes and filters over the limits.
func (f *filter) check() *fault {
	terms := 0
	var walk func(*filter, int) *fault
	walk = func(f *filter, depth int) *fault {
		if terms++; terms > maxTerms+1 || depth > maxDepth {
			return resourceLimit
		}
		if f.attr != "" && !known(f.attr) {
			return invalidName(f.attr)
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

// match says whether an entry meets the filter, by attributes that the caller may read.
func (q *request) match(f *filter, e *entry, may func(string) bool) bool {
	if f.attr != "" && !may(f.attr) {
		return false
	}
	switch f.op {
	case "self":
		return e == q.caller.e
	case "and":
		return !slices.ContainsFunc(f.kids, func(k *filter) bool {
			if k.op == "andnot" {
				return q.match(k.kids[0], e, may)
			}
			return !q.match(k, e, may)
		})
	case "or":
		return slices.ContainsFunc(f.kids, func(k *filter) bool { return q.match(k, e, may) })
	case "andnot":
		return !q.match(f.kids[0], e, may)
	case "pres":
		return len(q.store.values(e, f.attr)) > 0
	case "eq":
		return q.equal(f, e)
	}
	return slices.ContainsFunc(q.store.values(e, f.attr), func(v string) bool {
		if f.op == "sw" {
			return strings.HasPrefix(v, lower(f.value))
		}
		return strings.Contains(v, lower(f.value))
	})
}

func (q *request) equal(f *filter, e *entry) bool {
	switch f.attr {
	case "class":
		return slices.Contains(q.store.classes(e), lower(f.value))
	case "uuid":
		return e.id.String() == lower(f.value)
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
		id, err := uuid.Parse(f.value)
		if err != nil {
			return nil, true
		}
		return one(q.store.byID[id])
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
	meets := func(e *entry) bool {
		may := q.sees(e)
		return q.visible(e) && q.match(f, e, may)
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
