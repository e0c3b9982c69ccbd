package selfauthd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
)

const scimPiece = 1000 // entries written while the directory is held

// scimList answers a query. A listing is written piece by piece; writers get their turn between them.
func (q *request) scimList() (any, *fault) {
	params := q.r.URL.Query()
	f := &filter{op: "pres", attr: "class"}
	if text := params.Get("filter"); text != "" {
		var err *fault
		if f, err = parseSCIM(text); err != nil {
			return nil, err
		}
	}
	list, err := q.scimSearch(f)
	if err != nil {
		return nil, err
	}
	if by := params.Get("sortBy"); by != "" {
		slices.SortStableFunc(list, func(a, b *entry) int {
			return strings.Compare(strings.Join(q.store.values(a, by), ","), strings.Join(q.store.values(b, by), ","))
		})
	}
	head, list, err := page(params.Get("startIndex"), params.Get("count"), list)
	if err != nil {
		return nil, err
	}
	want := all
	if a := params.Get("attributes"); a != "" {
		want = some(strings.Split(lower(a), ",")...)
	}
	q.stream(head, list, want)
	return streamed{}, nil
}

// scimSearch authenticates and searches while the directory is held; serve does not hold it for listings.
func (q *request) scimSearch(f *filter) ([]*entry, *fault) {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	return q.search(f)
}

// page slices a result as startIndex and count ask.
func page(start, count string, list []*entry) (head string, part []*entry, err *fault) {
	head = fmt.Sprintf(`"totalResults":%d`, len(list))
	if start == "" && count == "" {
		return head, list, nil
	}
	from, n := 1, len(list)
	if v, convErr := strconv.Atoi(start); convErr == nil {
		from = v
	}
	if from < 1 || from > len(list) {
		return "", nil, internal("sc0029paginationoutofbounds")
	}
	if v, convErr := strconv.Atoi(count); convErr == nil {
		n = max(v, 0)
	}
	part = list[from-1:]
	part = part[:min(n, len(part))]
	return fmt.Sprintf(`%s,"itemsPerPage":%d,"startIndex":%d`, head, len(part), from), part, nil
}

func (q *request) stream(head string, list []*entry, want func(string) bool) {
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(http.StatusOK)
	w := bufio.NewWriterSize(q.w, 1<<16)
	fmt.Fprintf(w, `{"schemas":[],%s,"resources":[`, head)
	for i := 0; i < len(list); i += scimPiece {
		part := list[i:min(i+scimPiece, len(list))]
		views := make([]map[string]any, len(part))
		q.store.mu.RLock()
		for k, e := range part {
			may := q.sees(e)
			views[k] = q.store.scim(e, func(a string) bool { return want(a) && may(a) })
		}
		q.store.mu.RUnlock()
		for k, v := range views {
			if i+k > 0 {
				_ = w.WriteByte(',')
			}
			b, err := json.Marshal(v)
			if err != nil {
				panic(err) // plain values
			}
			_, _ = w.Write(b)
		}
	}
	_, _ = w.WriteString("]}")
	_ = w.Flush() // a client that went away is told nothing
}

func (q *request) scimEntry() (any, *fault) {
	e := q.store.resolve(q.vars[0])
	if e == nil || !q.visible(e) {
		return nil, noMatching
	}
	want := all
	if a := q.r.URL.Query().Get("attributes"); a != "" {
		want = some(strings.Split(lower(a), ",")...)
	}
	may := q.sees(e)
	return q.store.scim(e, func(a string) bool { return want(a) && may(a) }), nil
}

// scim is an entry as SCIM shows it.
func (s *store) scim(e *entry, may func(string) bool) map[string]any {
	v := map[string]any{"schemas": []string{}, "id": e.id}
	one := func(attr, value string) {
		if value != "" && may(attr) {
			v[attr] = value
		}
	}
	refs := func(attr string, list []*entry) {
		if len(list) == 0 {
			return
		}
		out := make([]map[string]string, len(list))
		for i, g := range list {
			out[i] = map[string]string{"uuid": g.id.String(), "value": s.spn(g)}
		}
		v[attr] = out
	}
	one("name", e.name)
	one("spn", s.spn(e))
	one("displayname", e.display)
	one("legalname", e.legal)
	one("description", e.description)
	for _, a := range []string{"account_expire", "account_valid_from"} {
		if d := s.values(e, a); d != nil {
			one(a, d[0])
		}
	}
	if may("class") {
		v["class"] = s.classes(e)
	}
	if len(e.mails) > 0 && may("mail") {
		mails := make([]map[string]any, len(e.mails))
		for i, m := range e.mails {
			mails[i] = map[string]any{"primary": i == 0, "value": m}
		}
		v["mail"] = mails
	}
	if may("memberof") {
		refs("memberof", s.memberOf(e))
	}
	if may("directmemberof") {
		refs("directmemberof", s.directGroups(e))
	}
	if e.group != nil && may("member") {
		refs("member", e.members())
	}
	if m := s.manager(e); m != nil && may("entry_managed_by") {
		v["entry_managed_by"] = map[string]string{"uuid": m.id.String(), "value": s.spn(m)}
	}
	return v
}

// scimParser reads `class eq "person" and name sw "a"`.
type scimParser struct {
	scan scanner.Scanner
	word string
	err  *fault
}

func parseSCIM(text string) (*filter, *fault) {
	p := &scimParser{}
	p.scan.Init(strings.NewReader(text))
	p.scan.Mode = scanner.ScanIdents | scanner.ScanStrings | scanner.ScanInts
	p.scan.Error = func(*scanner.Scanner, string) {}
	p.next()
	f := p.or()
	if p.err == nil && p.word != "" {
		p.bad()
	}
	return f, p.err
}

func (p *scimParser) next() {
	if p.scan.Scan() == scanner.EOF {
		p.word = ""
		return
	}
	p.word = p.scan.TokenText()
}

func (p *scimParser) bad() {
	if p.err == nil {
		p.err = &fault{status: http.StatusBadRequest, text: "Failed to deserialize query string: invalid filter"}
	}
}

func (p *scimParser) or() *filter { return p.chain("or", p.and) }

func (p *scimParser) and() *filter { return p.chain("and", p.term) }

func (p *scimParser) chain(op string, part func() *filter) *filter {
	f := part()
	for p.err == nil && lower(p.word) == op {
		p.next()
		next := part()
		if f.op == op {
			f.kids = append(f.kids, next)
		} else {
			f = &filter{op: op, kids: []*filter{f, next}}
		}
	}
	return f
}

func (p *scimParser) term() *filter {
	switch {
	case p.err != nil || p.word == "":
		p.bad()
		return &filter{}
	case p.word == "(":
		p.next()
		f := p.or()
		if p.word != ")" {
			p.bad()
		}
		p.next()
		return &filter{op: "and", kids: []*filter{f}}
	case lower(p.word) == "not":
		p.err = internal("backend")
		return &filter{}
	}
	f := &filter{attr: lower(p.word)}
	p.next()
	op := lower(p.word)
	p.next()
	switch op {
	case "pr":
		f.op = "pres"
		return f
	case "eq", "sw":
		f.op = op
	case "co":
		f.op = "cnt"
	case "ne":
		p.err = internal("filtergeneration")
	default:
		p.bad()
	}
	value, err := strconv.Unquote(p.word)
	if err != nil {
		p.bad()
	}
	f.value = value
	p.next()
	return f
}
