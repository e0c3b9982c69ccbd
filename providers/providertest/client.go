package providertest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// newClient are the attributes that a client is created with.
func newClient(name, kind string) state.Attributes {
	return state.Attributes{"name": name, "type": kind, "display_name": "Äpp " + kind, "landing_url": "https://" + name + ".example/"}
}

// plainClient is what such a client is then.
func plainClient(name, kind string) state.Attributes {
	at := newClient(name, kind)
	maps.Copy(at, state.Attributes{"redirect_urls": "", "pkce": "true", "prefer_short_names": "false", "legacy_crypto": "false", "strict_redirects": "true"})
	return at
}

// client makes a client and returns its id, which the server chooses.
func (r *run) client(t testing.TB, a providers.Accounts, name, kind string) uuid.UUID {
	t.Helper()
	id, err := a.CreateObject(within(t), state.KindClient, uuid.Nil, newClient(name, kind))
	must(t, "create client "+name, err)
	if id == uuid.Nil {
		t.Fatal("the new client has no id, want the server's")
	}
	return id
}

// checkClient wants a client to be so by its id, by its name and in the listing; nil: to be nowhere.
func checkClient(t testing.TB, p Provider, what string, id uuid.UUID, name string, want state.Attributes) {
	t.Helper()
	at, _, err := p.Accounts().ReadObject(within(t), state.KindClient, id, "")
	must(t, "read a client by id", err)
	same(t, "client by id after "+what, want, at)
	at, got, err := p.Accounts().ReadObject(within(t), state.KindClient, uuid.Nil, name)
	must(t, "read a client by name", err)
	same(t, "client by name after "+what, want, at)
	if want != nil {
		same(t, "id of the client by name after "+what, id, got)
	}
	all, err := p.Directory().Clients(within(t))
	must(t, "list clients", err)
	if !slices.IsSortedFunc(all, func(a, b providers.Client) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the listing of clients is not sorted by name")
	}
	var listed *providers.Client
	if i := slices.IndexFunc(all, func(c providers.Client) bool { return c.ID == id }); i >= 0 {
		listed = &all[i]
	}
	var in *providers.Client
	if want != nil {
		in = &providers.Client{ID: id, Name: name, Attributes: want}
	}
	same(t, "client in the listing after "+what, in, listed)
}

func clients(t *testing.T, r *run, kind string) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	name := r.name("client")
	id := r.client(t, a, name, kind)
	now := plainClient(name, kind)
	checkClient(t, p, "create", id, name, now)
	_, err := a.CreateObject(ctx, state.KindClient, uuid.Nil, newClient(name, kind))
	r.kind(t, "create it again", err, state.ErrorConflict)

	start := maps.Clone(now)
	change := func(what string, to, want state.Attributes) {
		t.Helper()
		for k, v := range now {
			if _, given := want[k]; !given {
				want[k] = v
			}
		}
		must(t, "change to "+what, a.ChangeObject(ctx, state.KindClient, id, now, to))
		now = want
		checkClient(t, p, what, id, want["name"], want)
		must(t, "change to what it is after "+what, a.ChangeObject(ctx, state.KindClient, id, now, now))
		checkClient(t, p, what+" again", id, want["name"], want)
	}
	one := func(name, value string) {
		t.Helper()
		change(name+" = "+value, state.Attributes{name: value}, state.Attributes{name: value})
	}
	one("display_name", "Another <Äpp>")
	one("landing_url", "https://landing.example/start?a=b")
	change("a landing URL that the server writes another way", state.Attributes{"landing_url": "HTTPS://Landing.EXAMPLE:443"}, state.Attributes{"landing_url": "https://landing.example/"})
	one("redirect_urls", `["https://app.example/cb"]`)
	one("redirect_urls", `["app://cb","http://localhost:5173/cb","https://app.example/cb"]`)
	change("redirect URLs in another order and another way", state.Attributes{"redirect_urls": `["https://B.example","https://a.example/x"]`},
		state.Attributes{"redirect_urls": `["https://a.example/x","https://b.example/"]`})
	one("redirect_urls", "")
	one("prefer_short_names", "true")
	one("legacy_crypto", "true")
	one("strict_redirects", "false")
	if kind == "confidential" {
		one("pkce", "false")
	}
	one("name", name+"-b")
	change("capitals in the name, which the server lowers", state.Attributes{"name": strings.ToUpper(name)}, state.Attributes{"name": name})
	one("name", name+"-c")
	end := maps.Clone(now)
	change("all of it back", start, start)
	change("all of it again", end, end)
	change("all of it back again", start, start)
	a.Taken()
	must(t, "change nothing", a.ChangeObject(ctx, state.KindClient, id, now, now))
	if calls, _ := a.Taken(); len(calls) != 0 {
		t.Errorf("a change of nothing made %d calls, want none: %v", len(calls), calls)
	}

	must(t, "delete", a.DeleteObject(ctx, state.KindClient, id, now))
	checkClient(t, p, "delete", id, name, nil)
	r.kind(t, "delete it again", a.DeleteObject(ctx, state.KindClient, id, now), state.ErrorNotFound)
	r.kind(t, "change a deleted client", a.ChangeObject(ctx, state.KindClient, id, now, end), state.ErrorNotFound)
}

// claimMap is a claim map as attributes hold it.
func claimMap(join string, values map[string][]string) map[string]any {
	return map[string]any{"join": join, "values": values}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain maps and lists
	}
	return string(b)
}

func clientMaps(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	var g [3]string
	var ids []uuid.UUID
	for i := range g {
		ids = append(ids, r.group(t, a, state.Attributes{"name": r.name("scoped")}))
		g[i] = ids[i].String()
	}
	name := r.name("client")
	id := r.client(t, a, name, "confidential")
	type scopes = map[string][]string
	type claims = map[string]any
	// Each step is done from the one before, then undone and done again.
	steps := []struct {
		what   string
		name   string
		scope  any
		sup    any
		claims any
	}{
		{what: "no maps"},
		{what: "scopes for two groups", scope: scopes{g[0]: {"email", "openid"}, g[1]: {"openid"}}},
		{what: "other scopes for one, none for the other, some for a third", scope: scopes{g[0]: {"openid"}, g[2]: {"groups", "openid"}}},
		{what: "more scopes", scope: scopes{g[0]: {"openid"}}, sup: scopes{g[1]: {"admin", "api_write"}}},
		{what: "a claim", sup: scopes{g[1]: {"admin"}, g[2]: {"x"}}, claims: claims{"role": claimMap("array", scopes{g[0]: {"member", "reader"}})}},
		{what: "claims put together by commas and blanks", claims: claims{"role": claimMap("csv", scopes{g[0]: {"member"}, g[1]: {"admin", "member"}}), "team_x": claimMap("ssv", scopes{g[2]: {"a", "b"}})}},
		{what: "one claim less, and another join", claims: claims{"role": claimMap("ssv", scopes{g[1]: {"admin", "member"}})}},
		{what: "all of them, and another name", name: "-b", scope: scopes{g[0]: {"openid"}, g[1]: {"openid"}, g[2]: {"openid"}}, sup: scopes{g[0]: {"s"}}, claims: claims{"c": claimMap("array", scopes{g[0]: {"v"}})}},
		{what: "none of them"},
	}
	var was state.Attributes
	for i, s := range steps {
		to := state.Attributes{"name": name + s.name}
		for k, v := range map[string]any{"scope_maps": s.scope, "sup_scope_maps": s.sup, "claim_maps": s.claims} {
			if to[k] = ""; v != nil {
				to[k] = text(v)
			}
		}
		want := plainClient(name, "confidential")
		for k, v := range to {
			if v != "" {
				want[k] = v
			}
		}
		if i > 0 {
			from := maps.Clone(was)
			must(t, s.what, a.ChangeObject(ctx, state.KindClient, id, from, to))
			checkClient(t, p, s.what, id, want["name"], want)
			back := state.Attributes{"name": was["name"], "scope_maps": was["scope_maps"], "sup_scope_maps": was["sup_scope_maps"], "claim_maps": was["claim_maps"]}
			must(t, "undo "+s.what, a.ChangeObject(ctx, state.KindClient, id, want, back))
			checkClient(t, p, "undoing "+s.what, id, was["name"], was)
			must(t, s.what+" again", a.ChangeObject(ctx, state.KindClient, id, from, to))
			checkClient(t, p, s.what+" again", id, want["name"], want)
		}
		was = want
	}

	// A group that goes takes its part of the maps along.
	to := state.Attributes{"scope_maps": text(scopes{g[0]: {"openid"}, g[1]: {"openid"}}), "sup_scope_maps": text(scopes{g[0]: {"s"}}),
		"claim_maps": text(claims{"c": claimMap("csv", scopes{g[0]: {"v"}, g[1]: {"w"}})})}
	must(t, "maps of two groups", a.ChangeObject(ctx, state.KindClient, id, was, to))
	must(t, "delete one of the groups", a.DeleteObject(ctx, state.KindGroup, ids[0], nil))
	want := plainClient(name, "confidential")
	want["scope_maps"], want["claim_maps"] = text(scopes{g[1]: {"openid"}}), text(claims{"c": claimMap("csv", scopes{g[1]: {"w"}})})
	checkClient(t, p, "a group of its maps was deleted", id, name, want)
}

func clientRefusals(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	name, other := r.name("client"), r.name("client")
	id := r.client(t, a, name, "confidential")
	r.client(t, a, other, "public")
	person := r.made(t, a, 1)[0]
	group := r.group(t, a, state.Attributes{"name": r.name("g")})
	want := plainClient(name, "confidential")
	for _, bad := range []struct {
		what, attribute, value string
		kind                   state.ErrorKind
	}{
		{"the name of a client", "name", other, state.ErrorConflict},
		{"the name of a client in capitals", "name", strings.ToUpper(other), state.ErrorConflict},
		{"the name of a person", "name", person.Name, state.ErrorConflict},
		{"a bad name", "name", "9 secret", state.ErrorRefused},
		{"a bad landing URL", "landing_url", "secret no url", state.ErrorRefused},
		{"no landing URL", "landing_url", "", state.ErrorRefused},
		{"a display name of two lines", "display_name", "secret\nline", state.ErrorRefused},
		{"no display name", "display_name", "", state.ErrorRefused},
	} {
		at := newClient(r.name("client"), "confidential")
		at[bad.attribute] = bad.value
		_, err := a.CreateObject(ctx, state.KindClient, uuid.Nil, at)
		r.kind(t, "create with "+bad.what, err, bad.kind, "secret")
		if bad.attribute != "name" {
			at, _, err := a.ReadObject(ctx, state.KindClient, uuid.Nil, at["name"])
			must(t, "read a client that was refused", err)
			same(t, "client that was refused for "+bad.what, nil, at)
		}
		to := state.Attributes{bad.attribute: bad.value, "prefer_short_names": "true"}
		r.kind(t, "change to "+bad.what, a.ChangeObject(ctx, state.KindClient, id, want, to), bad.kind, "secret")
		checkClient(t, p, bad.what, id, name, want)
	}
	for what, bad := range map[string]struct {
		attribute, value string
		kind             state.ErrorKind
	}{
		"a bad redirect URL":           {"redirect_urls", `["https://app.example/cb","secret no url"]`, state.ErrorRefused},
		"scopes for an absent group":   {"scope_maps", text(map[string][]string{uuid.NewString(): {"openid"}}), state.ErrorNotFound},
		"a bad scope":                  {"scope_maps", text(map[string][]string{group.String(): {"secret scope"}}), state.ErrorRefused},
		"a bad claim":                  {"claim_maps", text(map[string]any{"secret claim": claimMap("array", map[string][]string{group.String(): {"v"}})}), state.ErrorRefused},
		"a bad value of a claim":       {"claim_maps", text(map[string]any{"c": claimMap("array", map[string][]string{group.String(): {"secret,v"}})}), state.ErrorRefused},
		"a claim for an absent group":  {"claim_maps", text(map[string]any{"c": claimMap("array", map[string][]string{uuid.NewString(): {"v"}})}), state.ErrorNotFound},
		"more scopes for nobody there": {"sup_scope_maps", text(map[string][]string{uuid.NewString(): {"openid"}}), state.ErrorNotFound},
	} {
		r.kind(t, "change to "+what, a.ChangeObject(ctx, state.KindClient, id, want, state.Attributes{bad.attribute: bad.value}), bad.kind, "secret")
		checkClient(t, p, what, id, name, want)
	}
	checkClient(t, p, "nothing: an absent one", uuid.New(), r.name("absent"), nil)
	at, _, err := a.ReadObject(ctx, state.KindClient, group, "")
	must(t, "read a group as a client", err)
	same(t, "a group read as a client", nil, at)
	at, _, err = a.ReadObject(ctx, state.KindClient, uuid.Nil, person.Name)
	must(t, "read a person as a client", err)
	same(t, "a person read as a client", nil, at)
}

// foreignClient: of a client that somebody else has made only what is given changes.
func foreignClient(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	name := r.name("foreign")
	path := "/v1/oauth2/" + name
	r.do(t, "POST", "/v1/oauth2/_public", entry{attributes{"name": {name}, "displayname": {"Theirs"}, "oauth2_rs_origin_landing": {"https://theirs.example"}, "oauth2_strict_redirect_uri": {"true"}}})
	r.do(t, "PATCH", path, entry{attributes{"oauth2_allow_localhost_redirect": {"true"}, "oauth2_rs_origin": {"https://theirs.example/cb", "https://also.example/cb"}}})
	want := plainClient(name, "public")
	want["display_name"], want["landing_url"], want["redirect_urls"] = "Theirs", "https://theirs.example/", `["https://also.example/cb","https://theirs.example/cb"]`
	at, id, err := a.ReadObject(ctx, state.KindClient, uuid.Nil, name)
	must(t, "read", err)
	same(t, "foreign client", want, at)
	checkClient(t, p, "being found", id, name, want)
	before := r.entry(t, path)
	must(t, "change", a.ChangeObject(ctx, state.KindClient, id, want, state.Attributes{"display_name": "Ours"}))
	after := maps.Clone(before)
	after["displayname"] = []string{"Ours"}
	same(t, "the whole entry after the change", after, r.entry(t, path))
	must(t, "undo", a.ChangeObject(ctx, state.KindClient, id, state.Attributes{"name": name, "display_name": "Ours"}, state.Attributes{"display_name": "Theirs"}))
	same(t, "the whole entry after undoing it", before, r.entry(t, path))
}

// revivedClient: a deleted client is back as it was, with its secret, or its users' applications would stop.
func revivedClient(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	group := r.group(t, a, state.Attributes{"name": r.name("scoped")})
	for _, kind := range []string{"confidential", "public"} {
		name := r.name("client")
		id := r.client(t, a, name, kind)
		must(t, "set", a.ChangeObject(ctx, state.KindClient, id, plainClient(name, kind), state.Attributes{"redirect_urls": `["https://app.example/cb"]`, "prefer_short_names": "true",
			"scope_maps": text(map[string][]string{group.String(): {"openid"}}), "claim_maps": text(map[string]any{"c": claimMap("csv", map[string][]string{group.String(): {"v"}})})}))
		was := read(t, a, state.KindClient, id)
		secret := func() string { return string(r.do(t, "GET", "/v1/oauth2/"+name+"/_basic_secret", nil)) }
		before := secret()
		if (kind == "public") != (before == "null") {
			t.Errorf("a %s client's secret has %d bytes; want one for confidential clients alone", kind, len(before))
		}
		must(t, "delete", a.DeleteObject(ctx, state.KindClient, id, was))
		checkClient(t, p, "delete", id, name, nil)
		r.recycled(t, p, id, true)
		for range 2 {
			must(t, "revive", a.Revive(ctx, []uuid.UUID{id}))
			checkClient(t, p, "revive", id, name, was)
		}
		r.recycled(t, p, id, false)
		if secret() != before {
			t.Errorf("a revived %s client has another secret, want the same", kind)
		}
		must(t, "delete again", a.DeleteObject(ctx, state.KindClient, id, was))
		next := r.client(t, a, name, kind) // a new one of that name is another client
		if next == id {
			t.Error("a new client has the id of a deleted one")
		}
		if kind == "confidential" && secret() == before {
			t.Error("a new client has the secret of a deleted one, want another")
		}
		r.kind(t, "revive while the name is in use", a.Revive(ctx, []uuid.UUID{id}), state.ErrorConflict)
	}
}

// recycled wants the listing of deleted entries to have an id, or not.
func (r *run) recycled(t testing.TB, p Provider, id uuid.UUID, want bool) {
	t.Helper()
	ids, err := p.Directory().Recycled(within(t))
	must(t, "list what was deleted", err)
	if got := slices.Contains(ids, id); got != want {
		t.Errorf("the listing of what was deleted holds the entry: %v, want %v", got, want)
	}
}
