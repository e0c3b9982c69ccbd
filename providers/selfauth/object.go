package selfauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// The rights that objects need (selfauth-api 17).
const (
	policyAdmins  = "idm_account_policy_admins"
	clientAdmins  = "idm_oauth2_admins"
	recycleAdmins = "idm_recycle_bin_admins"
)

func noKind(kind state.Kind) error {
	return fmt.Errorf("selfauth: no objects of kind %q. This is a bug in Anthill", kind)
}

// ReadObject returns what a group, a policy (by the id of its group) or a client is now; nil: there is none.
func (a accounts) ReadObject(ctx context.Context, kind state.Kind, id uuid.UUID, name string) (state.Attributes, uuid.UUID, error) {
	switch kind {
	case state.KindClient:
		return a.readClient(ctx, id, name)
	case state.KindGroup, state.KindPolicy:
	default:
		return nil, id, noKind(kind)
	}
	which := id.String()
	if id == uuid.Nil {
		which = url.PathEscape(name)
	}
	g, err := a.readGroup(ctx, "read a group", which, nil)
	switch {
	case state.ErrorKindOf(err) == state.ErrorNotFound, err == nil && !g.is:
		return nil, id, nil
	case err != nil:
		return nil, id, err
	case kind == state.KindPolicy:
		return g.Policy, g.ID, nil
	}
	at := state.Attributes{"name": g.Name}
	if g.Description != "" {
		at["description"] = g.Description
	}
	return at, g.ID, nil
}

// CreateObject makes a group with this id, enables a policy on the group of this id, or makes a client, whose id the
// server chooses.
func (a accounts) CreateObject(ctx context.Context, kind state.Kind, id uuid.UUID, at state.Attributes) (uuid.UUID, error) {
	switch kind {
	case state.KindGroup:
		return id, a.createGroup(ctx, providers.NewGroup{ID: id, Name: at["name"], Description: at["description"]})
	case state.KindPolicy:
		return id, a.conn.write(ctx, call{method: http.MethodPost, path: attribute(id, "class"), body: encode([]string{"account_policy"}), doing: "enable a policy", right: policyAdmins, twice: true})
	case state.KindClient:
		return a.createClient(ctx, at)
	}
	return id, noKind(kind)
}

// ChangeObject writes those attributes of to that differ from from.
func (a accounts) ChangeObject(ctx context.Context, kind state.Kind, id uuid.UUID, from, to state.Attributes) error {
	switch kind {
	case state.KindGroup:
		return a.changeGroup(ctx, id, from, to)
	case state.KindPolicy:
		patch := map[string][]string{}
		for _, k := range providers.PolicyAttributes() {
			if v, given := to[k]; given && v != from[k] {
				patch[k] = oneOrNone(v)
			}
		}
		return a.patch(ctx, call{path: "/v1/group/" + id.String(), doing: "change a policy", right: policyAdmins}, patch)
	case state.KindClient:
		return a.changeClient(ctx, from, to)
	}
	return noKind(kind)
}

// DeleteObject deletes a group or a client, or takes a policy off its group.
func (a accounts) DeleteObject(ctx context.Context, kind state.Kind, id uuid.UUID, was state.Attributes) error {
	switch kind {
	case state.KindGroup:
		return a.conn.write(ctx, call{method: http.MethodDelete, path: "/v1/group/" + id.String(), doing: "delete a group", right: groupAdmins})
	case state.KindPolicy:
		none := state.Attributes{}
		for k := range was {
			none[k] = ""
		}
		if err := a.ChangeObject(ctx, kind, id, was, none); err != nil {
			return err
		}
		return a.conn.write(ctx, call{method: http.MethodDelete, path: attribute(id, "class"), body: encode([]string{"account_policy"}), doing: "disable a policy", right: policyAdmins, twice: true})
	case state.KindClient:
		return a.conn.write(ctx, call{method: http.MethodDelete, path: clientPath(was["name"]), doing: "delete a client", right: clientAdmins})
	}
	return noKind(kind)
}

func oneOrNone(v string) []string {
	if v == "" {
		return []string{}
	}
	return []string{v}
}

// patch replaces attributes, all in one transaction; an empty list takes one away.
func (a accounts) patch(ctx context.Context, k call, attrs map[string][]string) error {
	if len(attrs) == 0 {
		return nil
	}
	k.method, k.body, k.twice = http.MethodPatch, encode(entry{attrs}), true
	return a.conn.write(ctx, k)
}

func (a accounts) changeGroup(ctx context.Context, id uuid.UUID, from, to state.Attributes) error {
	patch := map[string][]string{}
	for _, k := range []string{"name", "description"} {
		if v, given := to[k]; given && v != from[k] {
			patch[k] = oneOrNone(v)
		}
	}
	if err := a.patch(ctx, call{path: "/v1/group/" + id.String(), doing: "change a group", right: groupAdmins}, patch); err != nil {
		return err
	}
	if _, given := to["strangers"]; !given {
		return nil
	}
	was, will := idList(from["strangers"]), idList(to["strangers"])
	if gone := minus(was, will); len(gone) > 0 {
		if err := a.RemoveMembers(ctx, id, gone); err != nil {
			return err
		}
	}
	back := minus(will, was)
	if len(back) == 0 {
		return nil
	}
	err := a.AddMembers(ctx, id, back)
	if state.ErrorKindOf(err) != state.ErrorNotFound {
		return err
	}
	// One of them is gone by now: the others come back.
	for _, one := range back {
		if err := a.AddMembers(ctx, id, []uuid.UUID{one}); err != nil && state.ErrorKindOf(err) != state.ErrorNotFound {
			return err
		}
	}
	return nil
}

func idList(text string) (list []uuid.UUID) {
	_ = json.Unmarshal([]byte(text), &list) // ours, or empty
	return list
}

func minus(a, b []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(a), func(id uuid.UUID) bool { return slices.Contains(b, id) })
}

// Readdress gives a person another set of addresses, the primary one first.
func (a accounts) Readdress(ctx context.Context, person uuid.UUID, mails []string) error {
	if mails == nil {
		mails = []string{}
	}
	return a.patch(ctx, call{path: "/v1/person/" + person.String(), doing: "change a person's e-mail address", right: peopleAdmins}, map[string][]string{"mail": mails})
}

// Recycled are the ids of deleted entries that can be brought back; none where the account may not see them.
func (d directory) Recycled(ctx context.Context) ([]uuid.UUID, error) {
	k := call{method: http.MethodGet, path: "/v1/recycle_bin", doing: "list what was deleted", right: recycleAdmins, lists: true}
	var ids []uuid.UUID
	err := d.conn.read(ctx, k, func(in *body) error {
		ids = nil
		dec := json.NewDecoder(in)
		return decodeArray(dec, func() error {
			in.grant(maxEntry)
			var e entry
			if err := dec.Decode(&e); err != nil {
				return err
			}
			if id, err := uuid.Parse(e.first("uuid")); err == nil {
				ids = append(ids, id)
			}
			return nil
		})
	})
	if state.ErrorKindOf(err) == state.ErrorDenied {
		return nil, nil
	}
	return ids, err
}

// Revive brings entries back from the recycle bin, one by one, as the server has no other way.
func (a accounts) Revive(ctx context.Context, ids []uuid.UUID) error {
	for _, id := range ids {
		err := a.conn.write(ctx, call{method: http.MethodPost, path: "/v1/recycle_bin/" + id.String() + "/_revive", doing: "bring a deleted entry back", right: recycleAdmins})
		if state.ErrorKindOf(err) == state.ErrorNotFound {
			entries, lookErr := a.search(ctx, "look up whether an entry is there", "", filter{"eq": []string{"uuid", id.String()}})
			if lookErr != nil {
				return lookErr
			}
			if len(entries) > 0 {
				continue
			}
			return &state.Error{Kind: state.ErrorNotFound, Side: side, Doing: "bring a deleted entry back",
				Reason: "it is not in the recycle bin (Self-auth keeps entries for seven days), or the account may not see it there", Err: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scimClient is a client as the listing writes it.
type scimClient struct {
	ID        string    `json:"id"`
	Class     []string  `json:"class"`
	Name      string    `json:"name"`
	Display   string    `json:"displayname"`
	Landing   string    `json:"oauth2_rs_origin_landing"`
	Redirects oneOrMore `json:"oauth2_rs_origin"`
	Strict    bool      `json:"oauth2_strict_redirect_uri"`
	NoPKCE    bool      `json:"oauth2_allow_insecure_client_disable_pkce"`
	Legacy    bool      `json:"oauth2_jwt_legacy_crypto_enable"`
	Short     bool      `json:"oauth2_prefer_short_username"`
	Scopes    []scope   `json:"oauth2_rs_scope_map"`
	SupScopes []scope   `json:"oauth2_rs_sup_scope_map"`
	Claims    []struct {
		Group  string    `json:"groupUuid"`
		Claim  string    `json:"claim"`
		Join   string    `json:"joinChar"`
		Values oneOrMore `json:"values"`
	} `json:"oauth2_rs_claim_map"`
}

type scope struct {
	Group  string    `json:"groupUuid"`
	Scopes oneOrMore `json:"scopes"`
}

// oneOrMore is a list of texts, of which one alone may stand without its list.
type oneOrMore []string

func (t *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// joins are the words for how a claim's values are put together, by the server's sign.
var joins = map[string]string{";": "array", ",": "csv", " ": "ssv"}

func (c *scimClient) client() (providers.Client, error) {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return providers.Client{}, fmt.Errorf("a client has no valid id")
	}
	kind := "confidential"
	if slices.Contains(c.Class, "oauth2_resource_server_public") {
		kind = "public"
	}
	slices.Sort(c.Redirects)
	claims := providers.Claims{}
	for _, m := range c.Claims {
		claims.Add(m.Claim, joins[m.Join], m.Group, sorted(m.Values))
	}
	at := state.Attributes{"name": c.Name, "type": kind, "display_name": c.Display, "landing_url": c.Landing, "redirect_urls": list(c.Redirects),
		"pkce": yesNo(!c.NoPKCE), "prefer_short_names": yesNo(c.Short), "legacy_crypto": yesNo(c.Legacy), "strict_redirects": yesNo(c.Strict)}
	for name, maps := range map[string][]scope{"scope_maps": c.Scopes, "sup_scope_maps": c.SupScopes} {
		by := map[string][]string{}
		for _, m := range maps {
			by[m.Group] = sorted(m.Scopes)
		}
		if len(by) > 0 {
			at[name] = string(encode(by))
		}
	}
	if len(claims) > 0 {
		at["claim_maps"] = string(encode(claims))
	}
	return providers.Client{ID: id, Name: c.Name, Attributes: at}, nil
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func list(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return string(encode(texts))
}

func yesNo(on bool) string {
	if on {
		return "true"
	}
	return "false"
}

const clientAttributes = "class,name,displayname,oauth2_rs_origin_landing,oauth2_rs_origin,oauth2_strict_redirect_uri,oauth2_allow_insecure_client_disable_pkce," +
	"oauth2_jwt_legacy_crypto_enable,oauth2_prefer_short_username,oauth2_rs_scope_map,oauth2_rs_sup_scope_map,oauth2_rs_claim_map"

// Clients lists the OAuth2 clients that the account may see, sorted by name.
func (d directory) Clients(ctx context.Context) ([]providers.Client, error) {
	k := call{method: http.MethodGet, path: listing("oauth2_resource_server", clientAttributes), doing: "list OAuth2 clients", right: clientAdmins, lists: true}
	var clients []providers.Client
	err := d.conn.read(ctx, k, func(in *body) error {
		clients = nil
		return decodeList(in, maxGroups, func(dec *json.Decoder) error {
			var c scimClient
			if err := dec.Decode(&c); err != nil {
				return err
			}
			one, err := c.client()
			clients = append(clients, one)
			return err
		})
	})
	slices.SortFunc(clients, func(a, b providers.Client) int { return strings.Compare(a.Name, b.Name) })
	return clients, err
}

func (a accounts) readClient(ctx context.Context, id uuid.UUID, name string) (state.Attributes, uuid.UUID, error) {
	which := id.String()
	if id == uuid.Nil {
		which = name
	}
	k := call{method: http.MethodGet, path: "/scim/v1/Entry/" + url.PathEscape(which) + "?attributes=" + clientAttributes, doing: "read a client", right: clientAdmins}
	var c scimClient
	err := a.conn.read(ctx, k, func(in *body) error {
		c = scimClient{}
		return decodeWhole(in, &c)
	})
	switch {
	case state.ErrorKindOf(err) == state.ErrorNotFound:
		return nil, id, nil
	case err != nil:
		return nil, id, err
	case !slices.Contains(c.Class, "oauth2_resource_server"):
		return nil, id, nil
	}
	one, err := c.client()
	return one.Attributes, one.ID, err
}

func clientPath(name string) string { return "/v1/oauth2/" + url.PathEscape(name) }

func (a accounts) createClient(ctx context.Context, at state.Attributes) (uuid.UUID, error) {
	path := "/v1/oauth2/_basic"
	if at["type"] == "public" {
		path = "/v1/oauth2/_public"
	}
	err := a.conn.write(ctx, call{method: http.MethodPost, path: path, doing: "create a client", right: clientAdmins, body: encode(entry{map[string][]string{
		"name": {at["name"]}, "displayname": {at["display_name"]}, "oauth2_rs_origin_landing": {at["landing_url"]}, "oauth2_strict_redirect_uri": {"true"}}})})
	if err != nil {
		return uuid.Nil, err
	}
	_, id, err := a.readClient(ctx, uuid.Nil, at["name"])
	return id, err
}

// clientSwitches are a client's simple attributes: ours, the server's, and what is written for a value.
var clientSwitches = []struct {
	ours, theirs string
	value        func(string) []string
}{
	{"name", "name", oneOrNone}, {"display_name", "displayname", oneOrNone}, {"landing_url", "oauth2_rs_origin_landing", oneOrNone},
	{"redirect_urls", "oauth2_rs_origin", func(v string) []string {
		urls := []string{}
		_ = json.Unmarshal([]byte(v), &urls) // ours, or empty
		return urls
	}},
	{"pkce", "oauth2_allow_insecure_client_disable_pkce", func(v string) []string { return oneOrNone(map[string]string{"false": "true"}[v]) }},
	{"prefer_short_names", "oauth2_prefer_short_username", trueOrNone}, {"legacy_crypto", "oauth2_jwt_legacy_crypto_enable", trueOrNone},
	{"strict_redirects", "oauth2_strict_redirect_uri", oneOrNone},
}

func trueOrNone(v string) []string { return oneOrNone(map[string]string{"true": "true"}[v]) }

// changeClient writes the simple attributes first, in one call: a name that is refused leaves all as it was.
func (a accounts) changeClient(ctx context.Context, from, to state.Attributes) error {
	patch := map[string][]string{}
	for _, s := range clientSwitches {
		if v, given := to[s.ours]; given && v != from[s.ours] {
			patch[s.theirs] = s.value(v)
		}
	}
	if err := a.patch(ctx, call{path: clientPath(from["name"]), doing: "change a client", right: clientAdmins}, patch); err != nil {
		return err
	}
	path := clientPath(from["name"])
	if to["name"] != "" {
		path = clientPath(to["name"])
	}
	for name, part := range map[string]string{"scope_maps": "/_scopemap/", "sup_scope_maps": "/_sup_scopemap/"} {
		if v, given := to[name]; given && v != from[name] {
			if err := a.changeScopes(ctx, path+part, scopesOf(from[name]), scopesOf(v)); err != nil {
				return err
			}
		}
	}
	if v, given := to["claim_maps"]; given && v != from["claim_maps"] {
		return a.changeClaims(ctx, path+"/_claimmap/", providers.ReadClaims(from["claim_maps"]), providers.ReadClaims(v))
	}
	return nil
}

func scopesOf(text string) map[string][]string {
	m := map[string][]string{}
	_ = json.Unmarshal([]byte(text), &m) // ours, or empty
	return m
}

func (a accounts) changeScopes(ctx context.Context, path string, was, will map[string][]string) error {
	for _, g := range keys(was) {
		if _, stays := will[g]; !stays {
			if err := a.clientCall(ctx, http.MethodDelete, path+g, nil); err != nil {
				return err
			}
		}
	}
	for _, g := range keys(will) {
		if !slices.Equal(was[g], will[g]) {
			if err := a.clientCall(ctx, http.MethodPost, path+g, will[g]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a accounts) changeClaims(ctx context.Context, path string, was, will providers.Claims) error {
	for _, name := range keys(was) {
		for _, g := range keys(was[name].Values) {
			if _, stays := will[name].Values[g]; !stays {
				if err := a.clientCall(ctx, http.MethodDelete, path+url.PathEscape(name)+"/"+g, nil); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range keys(will) {
		for _, g := range keys(will[name].Values) {
			if !slices.Equal(was[name].Values[g], will[name].Values[g]) {
				if err := a.clientCall(ctx, http.MethodPost, path+url.PathEscape(name)+"/"+g, will[name].Values[g]); err != nil {
					return err
				}
			}
		}
		if was[name].Join != will[name].Join {
			if err := a.clientCall(ctx, http.MethodPost, path+url.PathEscape(name), will[name].Join); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a accounts) clientCall(ctx context.Context, method, path string, value any) error {
	k := call{method: method, path: path, doing: "change the maps of a client", right: clientAdmins, twice: true}
	if value != nil {
		k.body = encode(value)
	}
	return a.conn.write(ctx, k)
}

func keys[T any](m map[string]T) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
