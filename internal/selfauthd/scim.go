package selfauthd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
	"time"

	"github.com/google/uuid"
)

const scimPiece = 1000 // entries written while the directory is held

// scimList answers a query. A listing is written piece by piece; writers get their turn between them.
func (q *request) scimList() (any, *fault) {
	params, want, err := q.scimQuery()
	if err != nil {
		return nil, err
	}
	f := &filter{op: "pres", attr: "class"}
	if params.Has("filter") {
		if f, err = parseSCIM(params.Get("filter")); err != nil {
			return nil, err
		}
	}
	if q.refused != nil {
		return nil, q.refused
	}
	var head string
	var list []*entry
	if err := q.held(func() (err *fault) { head, list, err = q.scimSearch(f, params, want); return err }); err != nil {
		return nil, err
	}
	q.pay()
	q.stream(head, list, want)
	return streamed{}, nil
}

// scimQuery reads the parameters of a query, and which attributes it asks for.
func (q *request) scimQuery() (params url.Values, want func(string) bool, err *fault) {
	params, want = q.r.URL.Query(), all
	for _, name := range []string{"attributes", "filter", "count", "startIndex", "sortBy"} {
		if len(params[name]) > 1 {
			return nil, nil, badQuery("duplicate field `" + name + "`")
		}
	}
	if params.Has("filter") && params.Get("filter") == "" {
		return nil, nil, badQuery("invalid filter")
	}
	for _, name := range []string{"count", "startIndex"} {
		if n, err := strconv.ParseUint(params.Get(name), 10, 64); params.Has(name) && (err != nil || n == 0) {
			return nil, nil, badQuery(name + ": expected a nonzero u64")
		}
	}
	if params.Has("attributes") {
		want = some(strings.Split(lower(params.Get("attributes")), ",")...).may
	}
	return params, want, nil
}

func badQuery(text string) *fault {
	return &fault{status: http.StatusBadRequest, text: "Failed to deserialize query string: " + text}
}

// scimSearch finds the entries of a page, and how the answer begins.
func (q *request) scimSearch(
	f *filter, params url.Values, want func(string) bool,
) (head string, list []*entry, err *fault) {
	if list, err = q.search(f); err != nil {
		return "", nil, err
	}
	if by := params.Get("sortBy"); by != "" {
		slices.SortStableFunc(list, func(a, b *entry) int {
			return strings.Compare(strings.Join(q.store.values(a, by), ","), strings.Join(q.store.values(b, by), ","))
		})
	}
	if head, list, err = page(params.Get("startIndex"), params.Get("count"), list); err != nil {
		return "", nil, err
	}
	q.work.found += len(list)
	for _, e := range list {
		if e.group != nil && want("member") {
			q.work.shown += len(e.group.members)
		}
	}
	return head, list, nil
}

// page slices a result as startIndex and count ask.
func page(start, count string, list []*entry) (head string, part []*entry, err *fault) {
	head = fmt.Sprintf(`"totalResults":%d`, len(list))
	if count == "" { // without it startIndex has no say
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
	// A client that went away is told nothing.
	_ = w.Flush()
}

func (q *request) scimPerson() (any, *fault) {
	if q.pick(person) == nil {
		return nil, noMatching
	}
	return q.scimEntry()
}

func (q *request) scimEntry() (any, *fault) {
	e := q.store.resolve(q.vars[0])
	if e == nil || !q.visible(e) {
		return nil, noMatching
	}
	_, want, err := q.scimQuery()
	if err != nil {
		return nil, err
	}
	may := q.sees(e)
	return q.store.scim(e, func(a string) bool { return want(a) && may(a) }), nil
}

// scim is an entry as SCIM shows it.
func (s *store) scim(e *entry, may func(string) bool) map[string]any {
	v := map[string]any{"schemas": []string{}, "id": e.id}
	for _, a := range attributeNames {
		if a == "uuid" || !may(a) {
			continue
		}
		if value := s.scimValue(e, a); value != nil {
			v[a] = value
		}
	}
	return v
}

// scimValue is one attribute of an entry as SCIM shows it; nil: it does not.
func (s *store) scimValue(e *entry, attr string) any {
	switch schema[attr].syntax {
	case reference:
		return s.scimReferences(e, attr)
	case address:
		var out []map[string]any
		for _, m := range slices.Sorted(slices.Values(e.mails)) {
			out = append(out, map[string]any{"primary": m == e.mails[0], "value": m})
		}
		return anyOf(out)
	case session:
		return scimSessions(e, attr)
	case secret, credential:
		return nil
	}
	switch {
	case e.client != nil && clientSCIM[attr] != nil:
		return clientSCIM[attr](s, e.client)
	case attr == "pwd_changed_time":
		return nil
	}
	values := s.values(e, attr)
	switch {
	case values == nil:
		return nil
	case schema[attr].syntax == link && len(values) == 1: // no list, however many there may be
	case schema[attr].multi || schema[attr].syntax == authorities || len(values) == 0:
		return values
	}
	switch schema[attr].syntax {
	case boolean:
		return values[0] == "true"
	case number:
		n, err := strconv.ParseUint(values[0], 10, 32)
		if err != nil {
			panic(err) // it was checked when it came in
		}
		return n
	}
	return values[0]
}

// anyOf is a list as a value, nil if it is empty.
func anyOf[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

type scimReference struct {
	ID    string `json:"uuid"`
	Value string `json:"value"`
}

func (s *store) scimReferences(e *entry, attr string) any {
	var list []*entry
	switch attr {
	case "memberof":
		list = s.memberOf(e)
	case "directmemberof":
		list = s.directGroups(e)
	case "dynmember":
		list = s.dynamicMembers(e)
	case "member":
		if e.group != nil {
			list = e.members()
		}
	case "entry_managed_by":
		if m := s.manager(e); m != nil {
			list = []*entry{m}
		}
	}
	var out []scimReference
	for _, g := range list {
		out = append(out, scimReference{g.id.String(), s.spn(g)})
	}
	return anyOf(out)
}

// clientSCIM are the attributes of clients that SCIM shows in forms of their own.
var clientSCIM = map[string]func(*store, *clientPart) any{
	"key_internal_data": func(_ *store, c *clientPart) any {
		var out []map[string]any
		for _, k := range c.sortedKeys() {
			out = append(out, map[string]any{"keyId": k.ID, "status": k.status(), "usage": k.Usage,
				"validFrom": time.Unix(k.From, 0).UTC().Format(time.RFC3339)})
		}
		return anyOf(out)
	},
	"oauth2_rs_scope_map":     func(s *store, c *clientPart) any { return s.scimScopes(c.scopes) },
	"oauth2_rs_sup_scope_map": func(s *store, c *clientPart) any { return s.scimScopes(c.sup) },
	"oauth2_rs_claim_map": func(s *store, c *clientPart) any {
		var out []map[string]any
		for _, name := range slices.Sorted(maps.Keys(c.claims)) {
			for _, id := range sortedIDs(c.claims[name].Values) {
				out = append(out, map[string]any{"group": s.label(id), "groupUuid": id, "claim": name,
					"joinChar": c.claims[name].Join, "values": c.claims[name].Values[id]})
			}
		}
		return anyOf(out)
	},
}

func scimSessions(e *entry, attr string) any {
	if attr != "user_auth_token_session" || e.cred == nil {
		return nil
	}
	date := func(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
	var out []map[string]any
	for id, u := range e.cred.sessions {
		if !u.Revoked {
			out = append(out, map[string]any{"id": id, "authType": "password", "credentialId": u.Credential,
				"expires": date(u.Expiry), "issuedAt": date(u.Issued), "issuedBy": e.id,
				"sessionScope": map[string]string{"readwrite": "read_write", "privilegecapable": "privilege_capable"}[u.Scope]})
		}
	}
	return anyOf(out)
}

func (s *store) scimScopes(m map[uuid.UUID][]string) any {
	var out []map[string]any
	for _, id := range sortedIDs(m) {
		out = append(out, map[string]any{"group": s.label(id), "groupUuid": id, "scopes": m[id]})
	}
	return anyOf(out)
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
	if p.word != "" || text != strings.TrimSpace(text) {
		p.bad()
	}
	return &filter{op: "and", kids: []*filter{f}}, p.err
}

func (p *scimParser) next() {
	last, end := p.word, p.scan.Pos().Offset
	kind := p.scan.Scan()
	if kind == scanner.EOF {
		p.word = ""
		return
	}
	p.word = p.scan.TokenText()
	if kind == scanner.Ident && p.scan.Offset == end && strings.HasPrefix(last, `"`) {
		p.bad() // "a"or
	}
}

func (p *scimParser) bad() {
	if p.err == nil {
		p.err = badQuery("invalid filter")
	}
}

func (p *scimParser) or() *filter { return p.chain("or", p.and) }

func (p *scimParser) and() *filter { return p.chain("and", p.term) }

func (p *scimParser) chain(op string, part func() *filter) *filter {
	f := part()
	for p.err == nil && p.word == op {
		p.next()
		// Never more than two: a long chain is too deep.
		f = &filter{op: op, kids: []*filter{f, part()}}
	}
	return f
}

// group is a condition in parentheses.
func (p *scimParser) group() *filter {
	if p.word != "(" {
		p.bad()
	}
	p.next()
	f := p.or()
	if p.word != ")" {
		p.bad()
	}
	p.next()
	return f
}

func (p *scimParser) term() *filter {
	switch {
	case p.err != nil || p.word == "":
		p.bad()
		return &filter{}
	case p.word == "(":
		f := p.group()
		// It is taken away from the class of all, not from what stands beside it.
		if f.op == "andnot" {
			f = &filter{op: "and", kids: []*filter{f}}
		}
		return f
	case p.word == "not":
		p.next()
		return &filter{op: "andnot", kids: []*filter{p.group()}}
	}
	f := &filter{attr: lower(p.word)}
	p.next()
	op := p.word
	p.next()
	switch op {
	case "pr":
		f.op = "pres"
		return f
	case "eq", "sw", "ew":
		f.op = op
	case "lt", "le":
		f.op = "lt"
	case "co":
		f.op = "cnt"
	case "gt", "ge":
		f.op = op
	case "ne", ".", "[":
		p.err = internal("filtergeneration")
	default:
		p.bad()
	}
	p.value(f)
	if op == "le" {
		// Texts have no order: what is equal is left.
		f.op = "eq"
	}
	return f
}

// value reads what an attribute is compared with. Only some kinds of values can be.
func (p *scimParser) value(f *filter) {
	var v any
	if json.Unmarshal([]byte(p.word), &v) != nil {
		p.bad()
	}
	p.next()
	if p.err != nil || !known(f.attr) {
		// Search says that there is no such attribute.
		return
	}
	given, isText := v.(string)
	on, isBool := v.(bool)
	switch schema[f.attr].syntax {
	case text, iname, identifier, reference, session, scopeMap:
	case boolean:
		given, isText = strconv.FormatBool(on), isBool
	default:
		isText = false
	}
	if !isText {
		p.err = invalidAttribute(f.attr)
		return
	}
	f.value = given
	if f.op == "gt" || f.op == "ge" {
		p.err = backend // an order that no index has
	}
}
