package selfauthd

import (
	"maps"
	"slices"
	"strings"
)

// pick finds the entry of a path by uuid, spn or name, if the caller can see it and it is of the kind.
func (q *request) pick(k kind) *entry {
	e := q.store.resolve(q.vars[0])
	if e == nil || !e.is(k) || !q.visible(e) {
		return nil
	}
	return e
}

// is says whether an entry belongs to a kind, as the calls of that kind see it.
func (e *entry) is(k kind) bool {
	return e.kind == k || k == serviceAccount && e.kind == builtinAccount
}

// pickHolder finds the entry whose attributes a call is about: those of persons and service accounts reach whatever can
// log in.
func (q *request) pickHolder(k kind) *entry {
	if k == group || k == client {
		return q.pickEntry(k)
	}
	e := q.store.resolve(q.vars[0])
	if e == nil || e.kind == group || !q.visible(e) {
		return nil
	}
	return e
}

// pickEntry finds the entry that a call of one kind is about.
func (q *request) pickEntry(k kind) *entry {
	if k == client {
		return q.pickClient()
	}
	return q.pick(k)
}

func (q *request) list(k kind) (any, *fault) {
	if err := q.limit(func(e *entry) bool { return e.is(k) }); err != nil {
		return nil, err
	}
	return q.views(q.store.live(func(e *entry) bool { return q.scans(e.is(k)) && q.visible(e) })), nil
}

// scans counts an entry that a search has to look at.
func (q *request) scans(candidate bool) bool {
	if candidate {
		q.work.scanned++
	}
	return candidate
}

func (q *request) views(list []*entry) []any {
	out := make([]any, len(list))
	q.work.found += len(list)
	for i, e := range list {
		out[i] = q.store.view(e, q.sees(e))
	}
	return out
}

func (q *request) find(k kind) (any, *fault) {
	part := lower(q.vars[0])
	return q.views(q.store.live(func(e *entry) bool {
		return e.kind == k && strings.Contains(e.name, part) && q.visible(e)
	})), nil
}

func (q *request) get(k kind) (any, *fault) {
	if e := q.pickEntry(k); e != nil {
		if e.group != nil {
			q.work.shown += len(e.group.members)
		}
		return q.store.view(e, q.sees(e)), nil
	}
	return nil, nil
}

func (q *request) create(k kind) (any, *fault) {
	attrs, err := q.attrsBody()
	if err != nil {
		return nil, err
	}
	delete(attrs, "class")
	return nil, q.make([]newcomer{{kind: k, attrs: attrs}})
}

func (q *request) patch(k kind) (any, *fault) {
	attrs, err := q.attrsBody()
	if err != nil {
		return nil, err
	}
	if err := parseAll(maps.Clone(attrs)); err != nil {
		return nil, err
	}
	var mods []mod
	for _, a := range slices.Sorted(maps.Keys(attrs)) {
		mods = append(mods, mod{attr: a, purge: true, add: attrs[a]})
	}
	return nil, q.change(k, mods)
}

// change changes the entry of a path. What is wrong with the changes themselves is said to everybody.
func (q *request) change(k kind, mods []mod) *fault {
	if len(mods) == 0 {
		return emptyRequest
	}
	if err := parseMods(mods); err != nil {
		return err
	}
	e := q.pickHolder(k)
	if e == nil {
		return noMatching
	}
	return q.modify([]*entry{e}, mods)
}

// changeAttr changes one attribute; a name in the path must be one of somebody.
func (q *request) changeAttr(k kind, m mod) *fault {
	_, there := q.store.lookup(q.vars[0])
	switch {
	case q.vars[0] == "":
		return internal("invalidvaluestate")
	case !there:
		return noMatching
	}
	m.attr = lower(q.vars[1])
	return q.change(k, []mod{m})
}

func (q *request) remove(k kind) (any, *fault) {
	e := q.pickEntry(k)
	if e == nil {
		return nil, noMatching
	}
	if !q.mayDelete(e) {
		return nil, accessDenied
	}
	q.store.discard(e, q.s.o.Now())
	q.work.deleted++
	return nil, nil
}

func (q *request) attr(k kind) (any, *fault) {
	a := lower(q.vars[1])
	if !known(a) {
		return nil, emptyRequest
	}
	e := q.pickHolder(k)
	// It is found with lower case and looked for without.
	if e == nil || !q.sees(e)(a) || a != q.vars[1] {
		return nil, nil
	}
	if v := q.store.values(e, a); v != nil {
		return v, nil
	}
	return nil, nil
}

func (q *request) setAttr(k kind) (any, *fault) {
	values, err := q.listBody()
	if err != nil {
		return nil, err
	}
	return nil, q.changeAttr(k, mod{purge: true, add: values})
}

func (q *request) appendAttr(k kind) (any, *fault) {
	values, err := q.listBody()
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, emptyRequest
	}
	return nil, q.changeAttr(k, mod{add: values})
}

// deleteAttr removes the values of the body, or all of them without one; of persons and accounts always all, whatever
// is sent.
func (q *request) deleteAttr(k kind) (any, *fault) {
	var values []string
	if q.hasBody() && (k == group || k == client) {
		var err *fault
		if values, err = q.listBody(); err != nil {
			return nil, err
		}
	}
	return nil, q.changeAttr(k, mod{purge: len(values) == 0, remove: values})
}
