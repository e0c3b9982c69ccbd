package selfauthd

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/regex"
)

// clientPart is what an OAuth2 client has beside the attributes in entry.more. It is never changed: whoever changes a
// client makes another one, so that drafts can be thrown away.
type clientPart struct {
	public bool
	secret string
	keys   []clientKey
	scopes map[uuid.UUID][]string // of the members of a group
	sup    map[uuid.UUID][]string // more scopes, granted without being asked for
	claims map[string]claim
}

// claim is one claim of the tokens of a client: what the members of groups get in it.
type claim struct {
	Join   string                 `json:"join"` // "," " " or ";", which means an array
	Values map[uuid.UUID][]string `json:"values"`
}

var (
	scopePattern = regex.Lazy(`^[0-9a-zA-Z_]+$`)
	claimPattern = regex.Lazy(`^[0-9a-zA-Z_]+([:\-][0-9a-zA-Z_]+)*$`)
	joins        = map[string]string{"csv": ",", "ssv": " ", "array": ";"}
)

func newClient(public bool) *clientPart {
	c := &clientPart{public: public, keys: []clientKey{newKey(useES256, 0), newKey(useJWE, 0)}}
	if !public {
		c.secret = newSecret()
	}
	return c
}

// newSecret is a random password as the server makes them: 48 characters that are hard to mistake for each other.
func newSecret() string {
	const alphabet = "0123456789abcdefghjkpqrstuvwxyz"
	b := make([]byte, 48)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

func (c *clientPart) classes() []string {
	list := []string{"key_object", "key_object_internal", "key_object_jwe_a128gcm", "key_object_jwt_es256", classClient}
	if slices.ContainsFunc(c.keys, func(k clientKey) bool { return k.Usage == useRS256 }) {
		list = append(list, "key_object_jwt_rs256")
	}
	if c.public {
		return append(list, classPublic)
	}
	return append(list, classBasic)
}

// clone is a copy whose maps may be changed.
func (c *clientPart) clone() *clientPart {
	out := *c
	out.keys, out.scopes, out.sup = slices.Clone(c.keys), cloneMap(c.scopes), cloneMap(c.sup)
	out.claims = map[string]claim{}
	for name, cl := range c.claims {
		out.claims[name] = claim{cl.Join, cloneMap(cl.Values)}
	}
	return &out
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// maps says whether anything is mapped to an entry.
func (c *clientPart) maps(id uuid.UUID) bool {
	for _, cl := range c.claims {
		if _, ok := cl.Values[id]; ok {
			return true
		}
	}
	_, scoped := c.scopes[id]
	_, supplied := c.sup[id]
	return scoped || supplied
}

func (c *clientPart) without(id uuid.UUID) *clientPart {
	out := c.clone()
	delete(out.scopes, id)
	delete(out.sup, id)
	for name := range out.claims {
		out.dropClaim(name, id)
	}
	return out
}

// dropClaim takes a claim away from a group; a claim that nobody gets is forgotten, and with it how its values are
// joined.
func (c *clientPart) dropClaim(name string, id uuid.UUID) {
	if _, ok := c.claims[name].Values[id]; !ok {
		return
	}
	if delete(c.claims[name].Values, id); len(c.claims[name].Values) == 0 {
		delete(c.claims, name)
	}
}

// clientAttributes are the attributes of clients that are made from clientPart, as /v1 shows them.
var clientAttributes = map[string]func(*store, *entry) []string{
	"key_internal_data": func(_ *store, e *entry) (out []string) {
		for _, k := range e.client.sortedKeys() {
			out = append(out, fmt.Sprintf("%s: %s %s %d", k.ID, k.status(), k.Usage, k.From))
		}
		return out
	},
	"oauth2_rs_basic_secret": func(_ *store, e *entry) []string {
		if e.client.public {
			return nil
		}
		return []string{"hidden"}
	},
	"oauth2_rs_scope_map":     func(s *store, e *entry) []string { return s.scopeLines(e.client.scopes) },
	"oauth2_rs_sup_scope_map": func(s *store, e *entry) []string { return s.scopeLines(e.client.sup) },
	"oauth2_rs_claim_map": func(s *store, e *entry) (out []string) {
		for _, name := range slices.Sorted(maps.Keys(e.client.claims)) {
			cl := e.client.claims[name]
			for _, id := range sortedIDs(cl.Values) {
				out = append(out, fmt.Sprintf("%s:%s:%s:%q", name, s.label(id), cl.Join, strings.Join(cl.Values[id], ",")))
			}
		}
		return out
	},
}

func (s *store) scopeLines(m map[uuid.UUID][]string) (out []string) {
	for _, id := range sortedIDs(m) {
		quoted := make([]string, len(m[id]))
		for i, scope := range m[id] {
			quoted[i] = fmt.Sprintf("%q", scope)
		}
		out = append(out, fmt.Sprintf("%s: {%s}", s.label(id), strings.Join(quoted, ", ")))
	}
	return out
}

// label is how an entry is named in maps.
func (s *store) label(id uuid.UUID) string {
	if e := s.byID[id]; e != nil {
		return s.spn(e)
	}
	return id.String()
}

func sortedIDs[V any](m map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(m), compareIDs)
}

// setClient gives an attribute of clientPart its values, in a draft; done false: it is none.
func (s *store) setClient(e *entry, m mod) (done bool, err *fault) {
	var target *map[uuid.UUID][]string
	c := e.client.clone()
	switch m.attr {
	case "key_action_rotate":
		for _, v := range m.add {
			c.keys = rotate(c.keys, max(parseTime(v).Unix(), s.now().Unix()))
		}
	case "key_action_revoke":
		for _, id := range m.add {
			if c.keys, err = s.revoke(c.keys, id); err != nil {
				return true, err
			}
		}
	case "oauth2_rs_basic_secret":
		if m.purge && !c.public {
			c.secret = newSecret()
		}
	case "oauth2_rs_scope_map":
		target = &c.scopes
	case "oauth2_rs_sup_scope_map":
		target = &c.sup
	case "oauth2_rs_claim_map":
		for name, cl := range c.claims {
			for id := range cl.Values {
				if m.purge || s.named(id, m.remove) {
					c.dropClaim(name, id)
				}
			}
		}
		if m.purge {
			c.claims = nil
		}
	default:
		return false, nil
	}
	if target != nil {
		maps.DeleteFunc(*target, func(id uuid.UUID, _ []string) bool { return m.purge || s.named(id, m.remove) })
	}
	e.client = c
	return true, nil
}

// named says whether one of the references means the entry.
func (s *store) named(id uuid.UUID, refs []string) bool {
	return slices.ContainsFunc(refs, func(ref string) bool { e := s.resolve(ref); return e != nil && e.id == id })
}

// legacyKeys sees to the RSA key of a client that signs in the old way. It stays when the client turns back.
func (e *entry) legacyKeys() {
	if !e.isOn("oauth2_jwt_legacy_crypto_enable") || slices.ContainsFunc(e.client.keys,
		func(k clientKey) bool { return k.Usage == useRS256 }) {
		return
	}
	e.client = e.client.clone()
	e.client.keys = append(e.client.keys, newKey(useRS256, 0))
}

// isOn says whether a switch is there and true.
func (e *entry) isOn(attr string) bool { return slices.Equal(e.more[attr], []string{"true"}) }

// pickClient finds the client of a path, by its name alone.
func (q *request) pickClient() *entry {
	e := q.store.byName[lower(q.vars[0])]
	if e == nil || e.kind != client || !q.visible(e) {
		return nil
	}
	return e
}

func (q *request) createClient(public bool) (any, *fault) {
	attrs, err := q.attrsBody()
	if err != nil {
		return nil, err
	}
	delete(attrs, "class")
	return nil, q.make([]newcomer{{kind: client, public: public, attrs: attrs}})
}

func (q *request) clientSecret() (any, *fault) {
	if e := q.pickClient(); e != nil && e.client.secret != "" {
		return e.client.secret, nil
	}
	return nil, nil
}

// changeClient lets a function change the maps of the client of a path, for the entry that the path names at a
// position.
func (q *request) changeClient(
	attr string, position int, change func(c *clientPart, id uuid.UUID) *fault,
) (any, *fault) {
	id, ok := q.store.lookup(q.vars[position])
	if !ok {
		return nil, noMatching
	}
	e := q.pickClient()
	switch {
	case e == nil:
		return nil, noMatching
	case !q.mayChange(e)(attr):
		return nil, accessDenied
	}
	c := e.client.clone()
	if err := change(c, id); err != nil {
		return nil, err
	}
	if c.maps(id) && q.store.byID[id] == nil {
		return nil, unresolved
	}
	e.client = c
	q.store.touch(e)
	return nil, nil
}

// lookup turns a reference of a path into an id: a uuid is taken as it is, a name must be there
// (docs/selfauth-facts.md F17).
func (s *store) lookup(ref string) (uuid.UUID, bool) {
	if id, err := uuid.Parse(ref); err == nil && len(ref) == 36 {
		return id, true
	}
	if e := s.resolve(ref); e != nil {
		return e.id, true
	}
	return uuid.Nil, false
}

func scopeAttr(sup bool) string {
	if sup {
		return "oauth2_rs_sup_scope_map"
	}
	return "oauth2_rs_scope_map"
}

func (c *clientPart) scopeMap(sup bool) map[uuid.UUID][]string {
	if sup {
		return c.sup
	}
	return c.scopes
}

// setScopes replaces the scopes of a group; none takes the group out, or, if it is not in, puts it in without any.
func (q *request) setScopes(sup bool) (any, *fault) {
	scopes, err := q.listBody()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(scopes, func(s string) bool { return !scopePattern().MatchString(s) }) {
		return nil, invalidAttribute("Invalid Oauth Scope Map syntax")
	}
	scopes = append([]string{}, set(scopes)...) // a list, even of none
	return q.changeClient(scopeAttr(sup), 1, func(c *clientPart, id uuid.UUID) *fault {
		if _, there := c.scopeMap(sup)[id]; there && len(scopes) == 0 {
			delete(c.scopeMap(sup), id)
			return nil
		}
		c.scopeMap(sup)[id] = scopes
		return nil
	})
}

func (q *request) dropScopes(sup bool) (any, *fault) {
	return q.changeClient(scopeAttr(sup), 1, func(c *clientPart, id uuid.UUID) *fault {
		delete(c.scopeMap(sup), id)
		return nil
	})
}

// set sorts values and drops repetitions.
func set(values []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

const claimAttr = "oauth2_rs_claim_map"

var badClaim = invalidAttribute("Invalid Oauth Claim Map syntax")

func (q *request) setClaim() (any, *fault) {
	values, err := q.listBody()
	if err != nil {
		return nil, err
	}
	name := q.vars[1]
	if _, there := q.store.lookup(q.vars[2]); !there {
		return nil, noMatching
	}
	if slices.ContainsFunc(append([]string{name}, values...),
		func(s string) bool { return !claimPattern().MatchString(s) }) {
		return nil, badClaim
	}
	return q.changeClient(claimAttr, 2, func(c *clientPart, id uuid.UUID) *fault {
		if len(values) == 0 {
			return badSyntax(claimAttr)
		}
		cl, ok := c.claims[name]
		if !ok {
			cl = claim{Join: ";", Values: map[uuid.UUID][]string{}}
			c.claims[name] = cl
		}
		cl.Values[id] = set(values)
		return nil
	})
}

func (q *request) dropClaim() (any, *fault) {
	return q.changeClient(claimAttr, 2, func(c *clientPart, id uuid.UUID) *fault {
		c.dropClaim(q.vars[1], id)
		return nil
	})
}

func (q *request) joinClaim() (any, *fault) {
	var word string
	if err := q.decode(&word, nil); err != nil {
		if err.status == http.StatusUnprocessableEntity { // no name of a variant at all
			err = &fault{status: http.StatusBadRequest, text: "Failed to parse the request body as JSON: expected value"}
		}
		return nil, err
	}
	join, ok := joins[word]
	if !ok {
		return nil, wrongShape(fmt.Sprintf("unknown variant `%s`, expected one of `csv`, `ssv`, `array`", word))
	}
	name := q.vars[1]
	if !claimPattern().MatchString(name) {
		return nil, badSyntax(claimAttr)
	}
	e := q.pickClient()
	switch {
	case e == nil:
		return nil, noMatching
	case !q.mayChange(e)(claimAttr):
		return nil, accessDenied
	}
	e.client = e.client.clone()
	e.client.claims[name] = claim{Join: join, Values: cloneMap(e.client.claims[name].Values)}
	q.store.touch(e)
	return nil, nil
}

func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{} // purged; the syntax was checked
	}
	return t.UTC()
}
