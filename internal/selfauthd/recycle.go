package selfauthd

import (
	"slices"

	"github.com/google/uuid"
)

func (q *request) binView(b *binned) any {
	return q.store.view(b.e, identity.may)
}

func (q *request) bin() (any, *fault) {
	list := []any{}
	if !q.caller.in(idmRecycleBinAdmins) {
		return list, nil
	}
	var all []*binned
	for _, b := range q.store.bin {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *binned) int { return byID(a.e, b.e) })
	for _, b := range all {
		list = append(list, q.binView(b))
	}
	return list, nil
}

func (q *request) thrown() *binned {
	id, err := uuid.Parse(q.vars[0])
	if err != nil || !q.caller.in(idmRecycleBinAdmins) {
		return nil
	}
	return q.store.bin[id]
}

func (q *request) binEntry() (any, *fault) {
	if b := q.thrown(); b != nil {
		return q.binView(b), nil
	}
	return nil, nil
}

func (q *request) revive() (any, *fault) {
	b := q.thrown()
	switch {
	case b == nil:
		return nil, noMatching
	case q.caller.readOnly:
		return nil, accessDenied
	}
	if err := q.store.unique([]*entry{b.e}); err != nil {
		return nil, err
	}
	q.store.restore(b)
	return nil, nil
}
