package selfauthd

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// filterBody is the body of a search or delete, and of a modify besides its list.
type filterBody struct {
	Filter  filter `json:"filter"`
	Modlist struct {
		Mods []rawMod `json:"mods"`
	} `json:"modlist"`
}

// rawMod is {"present":["a","v"]}, {"removed":["a","v"]} or {"purged":"a"}.
type rawMod struct{ mod }

func (m *rawMod) UnmarshalJSON(b []byte) error {
	name, in, ok := variant(b)
	if !ok || in == nil {
		return errors.New("expected value")
	}
	var value string
	var err error
	switch name {
	case "present":
		m.attr, value, err = twoWords(in)
		m.add = []string{value}
	case "removed":
		m.attr, value, err = twoWords(in)
		m.remove = []string{value}
	case "purged":
		m.purge, err = true, json.Unmarshal(in, &m.attr)
	default:
		return &shapeError{"mods: unknown variant `" + name + "`"}
	}
	m.attr = lower(m.attr)
	return err
}

func (q *request) filterBody(modifies bool) (*filterBody, *fault) {
	in := &filterBody{}
	err := q.decode(in, func() string {
		switch {
		case in.Filter.op == "":
			return "filter"
		case modifies && in.Modlist.Mods == nil:
			return "modlist"
		}
		return ""
	})
	return in, err
}

func (q *request) rawSearch() (any, *fault) {
	in, err := q.filterBody(false)
	if err != nil {
		return nil, err
	}
	list, err := q.rawFind(&in.Filter)
	if err != nil {
		return nil, err
	}
	return map[string]any{"entries": q.views(list)}, nil
}

func (q *request) rawCreate() (any, *fault) {
	var in struct {
		Entries []struct {
			Attrs map[string]words `json:"attrs"`
		} `json:"entries"`
	}
	err := q.decode(&in, func() string {
		if in.Entries == nil {
			return "entries"
		}
		for _, e := range in.Entries {
			if e.Attrs == nil {
				return "attrs"
			}
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	if len(in.Entries) == 0 {
		return nil, emptyRequest
	}
	list := make([]newcomer, len(in.Entries))
	for i, e := range in.Entries {
		attrs := lowerKeys(e.Attrs)
		classes := strings.Split(lower(strings.Join(attrs["class"], " ")), " ")
		list[i] = newcomer{kind: kindOf(classes), public: slices.Contains(classes, classPublic), attrs: attrs}
		if list[i].kind == client {
			list[i].flaw = clientFlaw(classes, attrs)
		}
	}
	return nil, q.make(list)
}

// kindOf is the kind of entry that is made of classes; of a client they may be too few or too many. The class object
// goes without saying.
func kindOf(classes []string) kind {
	only := func(allowed ...string) bool {
		return !slices.ContainsFunc(classes, func(c string) bool { return c != "object" && !slices.Contains(allowed, c) })
	}
	has := func(c string) bool { return slices.Contains(classes, c) }
	switch {
	case has("account") && has("person") && only("account", "person"):
		return person
	case has("group") && only("group"):
		return group
	case has(classClient) && only("account", classClient, classBasic, classPublic):
		return client
	case has("account") && has("service_account") && only("account", "service_account"):
		return serviceAccount
	}
	return invalidKind
}

// clientFlaw is what is wrong with the classes of a client.
func clientFlaw(classes []string, attrs map[string][]string) *fault {
	basic, public := slices.Contains(classes, classBasic), slices.Contains(classes, classPublic)
	switch {
	case basic && public:
		return violation("excludesnotsatisfied", []string{classPublic, classBasic})
	case !slices.Contains(classes, "account") && attrs["displayname"] != nil:
		return violation("attributenotvalidforclass", "displayname")
	case !slices.Contains(classes, "account"):
		return violation("attributenotvalidforclass", "name")
	case !basic && !public:
		return internal("invalidentrystate")
	}
	return nil
}

// rawFind searches as the raw API does: a filter must stand on an index.
func (q *request) rawFind(f *filter) ([]*entry, *fault) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if err := f.checkSought(); err != nil {
		return nil, err
	}
	switch {
	case f.op == "andnot": // from nothing, nothing is left
		return nil, nil
	case f.scans():
		return nil, backend
	}
	return q.search(f)
}

// matching are the entries that a raw change is about; none is an error.
func (q *request) matching(f *filter) ([]*entry, *fault) {
	list, err := q.rawFind(f)
	if err == nil && len(list) == 0 {
		err = noMatching
	}
	return list, err
}

func (q *request) rawModify() (any, *fault) {
	in, err := q.filterBody(true)
	if err != nil {
		return nil, err
	}
	if len(in.Modlist.Mods) == 0 {
		return nil, emptyRequest
	}
	var mods []mod
	for _, m := range in.Modlist.Mods {
		mods = append(mods, m.mod)
	}
	if err := parseMods(mods); err != nil {
		return nil, err
	}
	list, err := q.matching(&in.Filter)
	if err != nil {
		return nil, err
	}
	return nil, q.modify(list, mods)
}

func (q *request) rawDelete() (any, *fault) {
	in, err := q.filterBody(false)
	if err != nil {
		return nil, err
	}
	list, err := q.matching(&in.Filter)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if !q.mayDelete(e) {
			return nil, accessDenied
		}
	}
	for _, e := range list {
		q.store.discard(e, q.s.o.Now())
		q.work.deleted++
	}
	return nil, nil
}
