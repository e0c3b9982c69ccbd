package providertest

import (
	"fmt"
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
	return texts{
		state.AttrName: name, state.AttrType: kind, state.AttrDisplayName: "Äpp " + kind,
		state.AttrLandingURL: "https://" + name + ".example/",
	}.at()
}

// plainClient is what such a client is then.
func plainClient(name, kind string) state.Attributes {
	at := newClient(name, kind)
	maps.Copy(at, texts{
		state.AttrRedirectURLs: "", state.AttrPKCE: "true", state.AttrPreferShortNames: "false",
		state.AttrLegacyCrypto: "false", state.AttrStrictRedirects: "true",
	}.at())
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
		checkClient(t, p, what, id, want.Text(state.AttrName), want)
		checkDiscovery(t, p, what, want)
		must(t, "change to what it is after "+what, a.ChangeObject(ctx, state.KindClient, id, now, now))
		checkClient(t, p, what+" again", id, want.Text(state.AttrName), want)
	}
	set := func(name state.Attribute, v state.Value) {
		t.Helper()
		change(fmt.Sprintf("%s = %v", name, v), state.Attributes{name: v}, state.Attributes{name: v})
	}
	one := func(name state.Attribute, value string) {
		t.Helper()
		set(name, state.TextValue(value))
	}
	one(state.AttrDisplayName, "Another <Äpp>")
	one(state.AttrLandingURL, "https://landing.example/start?a=b")
	change("a landing URL that the server writes another way",
		texts{state.AttrLandingURL: "HTTPS://Landing.EXAMPLE:443"}.at(),
		texts{state.AttrLandingURL: "https://landing.example/"}.at())
	set(state.AttrRedirectURLs, urls("https://app.example/cb"))
	set(state.AttrRedirectURLs, urls("app://cb", "http://localhost:5173/cb", "https://app.example/cb"))
	change("redirect URLs in another order and another way",
		state.Attributes{state.AttrRedirectURLs: urls("https://B.example", "https://a.example/x")},
		state.Attributes{state.AttrRedirectURLs: urls("https://a.example/x", "https://b.example/")})
	set(state.AttrRedirectURLs, urls())
	one(state.AttrPreferShortNames, "true")
	one(state.AttrLegacyCrypto, "true")
	one(state.AttrStrictRedirects, "false")
	if kind == "confidential" {
		one(state.AttrPKCE, "false")
	}
	one(state.AttrName, name+"-b")
	change("capitals in the name, which the server lowers", named(strings.ToUpper(name)), named(name))
	one(state.AttrName, name+"-c")
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
	for _, name := range []string{name, "..", "a/b", ""} {
		if d, err := p.Directory().Discovery(ctx, name); err != nil || d.Issuer != "" {
			t.Errorf("discovery of %q, where there is no client: %+v, %v", name, d, err)
		}
	}
	r.kind(t, "delete it again", a.DeleteObject(ctx, state.KindClient, id, now), state.ErrorNotFound)
	r.kind(t, "change a deleted client", a.ChangeObject(ctx, state.KindClient, id, now, end), state.ErrorNotFound)
}

// checkDiscovery wants applications to be told what a client is.
func checkDiscovery(t testing.TB, p Provider, what string, want state.Attributes) {
	t.Helper()
	d, err := p.Directory().Discovery(within(t), want.Text(state.AttrName))
	must(t, "read the discovery document after "+what, err)
	algorithm, challenges := "ES256", []string{"S256"}
	if want.Text(state.AttrLegacyCrypto) == "true" {
		algorithm = "RS256"
	}
	if want.Text(state.AttrPKCE) == "false" {
		challenges = nil
	}
	if !strings.HasSuffix(d.Issuer, "/oauth2/openid/"+want.Text(state.AttrName)) || !slices.Equal(d.Algorithms, []string{algorithm}) ||
		!slices.Equal(d.Challenges, challenges) {
		t.Errorf("after %s the discovery document has %+v", what, d)
	}
}

func clientMaps(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	var g [3]uuid.UUID
	for i := range g {
		g[i] = r.group(t, a, named(r.name("scoped")))
	}
	name := r.name("client")
	id := r.client(t, a, name, "confidential")
	// Each step is done from the one before, then undone and done again.
	steps := []struct {
		what   string
		name   string
		scope  scopes
		sup    scopes
		claims claims
	}{
		{what: "no maps"},
		{what: "scopes for two groups", scope: scopes{g[0]: {"email", "openid"}, g[1]: {"openid"}}},
		{
			what:  "other scopes for one, none for the other, some for a third",
			scope: scopes{g[0]: {"openid"}, g[2]: {"groups", "openid"}},
		},
		{what: "more scopes", scope: scopes{g[0]: {"openid"}}, sup: scopes{g[1]: {"admin", "api_write"}}},
		{
			what: "a claim", sup: scopes{g[1]: {"admin"}, g[2]: {"x"}},
			claims: claims{"role": {"array", scopes{g[0]: {"member", "reader"}}}},
		},
		{
			what: "claims put together by commas and blanks",
			claims: claims{
				"role":   {"csv", scopes{g[0]: {"member"}, g[1]: {"admin", "member"}}},
				"team_x": {"ssv", scopes{g[2]: {"a", "b"}}},
			},
		},
		{
			what:   "one claim less, and another join",
			claims: claims{"role": {"ssv", scopes{g[1]: {"admin", "member"}}}},
		},
		{
			what: "all of them, and another name", name: "-b",
			scope:  scopes{g[0]: {"openid"}, g[1]: {"openid"}, g[2]: {"openid"}},
			sup:    scopes{g[0]: {"s"}},
			claims: claims{"c": {"array", scopes{g[0]: {"v"}}}},
		},
		{what: "none of them"},
	}
	var was state.Attributes
	for i, s := range steps {
		to := named(name + s.name)
		to[state.AttrScopeMaps], to[state.AttrSupplementalScopes] = s.scope.value(), s.sup.value()
		to[state.AttrClaimMaps] = s.claims.value()
		want := plainClient(name, "confidential")
		maps.Copy(want, to)
		if i > 0 {
			must(t, s.what, a.ChangeObject(ctx, state.KindClient, id, was, to))
			checkClient(t, p, s.what, id, want.Text(state.AttrName), want)
			back := state.Attributes{}
			for k := range to {
				back[k] = was[k]
			}
			must(t, "undo "+s.what, a.ChangeObject(ctx, state.KindClient, id, want, back))
			checkClient(t, p, "undoing "+s.what, id, was.Text(state.AttrName), was)
			must(t, s.what+" again", a.ChangeObject(ctx, state.KindClient, id, was, to))
			checkClient(t, p, s.what+" again", id, want.Text(state.AttrName), want)
		}
		was = want
	}

	// A group that goes takes its part of the maps along.
	to := state.Attributes{
		state.AttrScopeMaps:          scopes{g[0]: {"openid"}, g[1]: {"openid"}}.value(),
		state.AttrSupplementalScopes: scopes{g[0]: {"s"}}.value(),
		state.AttrClaimMaps:          claims{"c": {"csv", scopes{g[0]: {"v"}, g[1]: {"w"}}}}.value(),
	}
	must(t, "maps of two groups", a.ChangeObject(ctx, state.KindClient, id, was, to))
	must(t, "delete one of the groups", a.DeleteObject(ctx, state.KindGroup, g[0], nil))
	want := plainClient(name, "confidential")
	want[state.AttrScopeMaps] = scopes{g[1]: {"openid"}}.value()
	want[state.AttrClaimMaps] = claims{"c": {"csv", scopes{g[1]: {"w"}}}}.value()
	checkClient(t, p, "a group of its maps was deleted", id, name, want)
}

func clientRefusals(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	name, other := r.name("client"), r.name("client")
	id := r.client(t, a, name, "confidential")
	r.client(t, a, other, "public")
	person := r.made(t, a, 1)[0]
	group := r.group(t, a, named(r.name("g")))
	want := plainClient(name, "confidential")
	for _, bad := range []struct {
		what      string
		attribute state.Attribute
		value     string
		kind      state.ErrorKind
	}{
		{"the name of a client", state.AttrName, other, state.ErrorConflict},
		{"the name of a client in capitals", state.AttrName, strings.ToUpper(other), state.ErrorConflict},
		{"the name of a person", state.AttrName, person.Name, state.ErrorConflict},
		{"a bad name", state.AttrName, "9 secret", state.ErrorRefused},
		{"a bad landing URL", state.AttrLandingURL, "secret no url", state.ErrorRefused},
		{"no landing URL", state.AttrLandingURL, "", state.ErrorRefused},
		{"a display name of two lines", state.AttrDisplayName, "secret\nline", state.ErrorRefused},
		{"no display name", state.AttrDisplayName, "", state.ErrorRefused},
	} {
		at := newClient(r.name("client"), "confidential")
		at[bad.attribute] = state.TextValue(bad.value)
		_, err := a.CreateObject(ctx, state.KindClient, uuid.Nil, at)
		r.kind(t, "create with "+bad.what, err, bad.kind, "secret")
		if bad.attribute != state.AttrName {
			at, _, err := a.ReadObject(ctx, state.KindClient, uuid.Nil, at.Text(state.AttrName))
			must(t, "read a client that was refused", err)
			same(t, "client that was refused for "+bad.what, nil, at)
		}
		to := texts{bad.attribute: bad.value, state.AttrPreferShortNames: "true"}.at()
		r.kind(t, "change to "+bad.what, a.ChangeObject(ctx, state.KindClient, id, want, to), bad.kind, "secret")
		checkClient(t, p, bad.what, id, name, want)
	}
	absent := uuid.New()
	for what, bad := range map[string]struct {
		attribute state.Attribute
		value     state.Value
		kind      state.ErrorKind
	}{
		"a bad redirect URL": {state.AttrRedirectURLs, urls("https://app.example/cb", "secret no url"),
			state.ErrorRefused},
		"scopes for an absent group": {
			state.AttrScopeMaps, scopes{absent: {"openid"}}.value(), state.ErrorNotFound,
		},
		"a bad scope": {
			state.AttrScopeMaps, scopes{group: {"secret scope"}}.value(), state.ErrorRefused,
		},
		"a bad claim": {
			state.AttrClaimMaps, claims{"secret claim": {"array", scopes{group: {"v"}}}}.value(), state.ErrorRefused,
		},
		"a bad value of a claim": {
			state.AttrClaimMaps, claims{"c": {"array", scopes{group: {"secret,v"}}}}.value(), state.ErrorRefused,
		},
		"a claim for an absent group": {
			state.AttrClaimMaps, claims{"c": {"array", scopes{absent: {"v"}}}}.value(), state.ErrorNotFound,
		},
		"more scopes for nobody there": {
			state.AttrSupplementalScopes, scopes{absent: {"openid"}}.value(), state.ErrorNotFound,
		},
	} {
		to := state.Attributes{bad.attribute: bad.value}
		r.kind(t, "change to "+what, a.ChangeObject(ctx, state.KindClient, id, want, to), bad.kind, "secret")
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
	r.do(t, "POST", "/v1/oauth2/_public", entry{attributes{
		"name": {name}, "displayname": {"Theirs"}, "oauth2_rs_origin_landing": {"https://theirs.example"},
		"oauth2_strict_redirect_uri": {"true"},
	}})
	r.do(t, "PATCH", path, entry{attributes{
		"oauth2_allow_localhost_redirect": {"true"},
		"oauth2_rs_origin":                {"https://theirs.example/cb", "https://also.example/cb"},
	}})
	want := plainClient(name, "public")
	maps.Copy(want, texts{state.AttrDisplayName: "Theirs", state.AttrLandingURL: "https://theirs.example/"}.at())
	want[state.AttrRedirectURLs] = urls("https://also.example/cb", "https://theirs.example/cb")
	at, id, err := a.ReadObject(ctx, state.KindClient, uuid.Nil, name)
	must(t, "read", err)
	same(t, "foreign client", want, at)
	checkClient(t, p, "being found", id, name, want)
	before := r.entry(t, path)
	must(t, "change", a.ChangeObject(ctx, state.KindClient, id, want, texts{state.AttrDisplayName: "Ours"}.at()))
	after := maps.Clone(before)
	after["displayname"] = []string{"Ours"}
	same(t, "the whole entry after the change", after, r.entry(t, path))
	must(t, "undo", a.ChangeObject(ctx, state.KindClient, id,
		texts{state.AttrName: name, state.AttrDisplayName: "Ours"}.at(), texts{state.AttrDisplayName: "Theirs"}.at()))
	same(t, "the whole entry after undoing it", before, r.entry(t, path))
}

// revivedClient: a deleted client is back as it was, with its secret, or its users' applications would stop.
func revivedClient(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	group := r.group(t, a, named(r.name("scoped")))
	for _, kind := range []string{"confidential", "public"} {
		name := r.name("client")
		id := r.client(t, a, name, kind)
		must(t, "set", a.ChangeObject(ctx, state.KindClient, id, plainClient(name, kind), state.Attributes{
			state.AttrRedirectURLs:     urls("https://app.example/cb"),
			state.AttrPreferShortNames: state.TextValue("true"),
			state.AttrScopeMaps:        scopes{group: {"openid"}}.value(),
			state.AttrClaimMaps:        claims{"c": {"csv", scopes{group: {"v"}}}}.value(),
		}))
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
		// A new one of that name is another client.
		next := r.client(t, a, name, kind)
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

// redirects: the server says of each redirect URL whether it sends logins of a client there, to whoever asks, also where nobody
// may log in at all.
func redirects(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	for _, kind := range []string{"confidential", "public"} {
		name := r.name("client")
		id := r.client(t, a, name, kind)
		registered := []string{"https://app.example/cb", "https://app.example/q?x=1", "app://cb"}
		must(t, "set", a.ChangeObject(ctx, state.KindClient, id, plainClient(name, kind),
			state.Attributes{state.AttrRedirectURLs: urls(registered...)}))
		others := []string{"https://app.example/cb/", "https://app.example/q?x=2", "https://other.example/cb", "http://app.example/cb"}
		refused, err := p.Directory().RefusedRedirects(ctx, name, append(registered, others...))
		must(t, "ask for redirect URLs", err)
		same(t, "refused redirect URLs of a "+kind+" client", others, refused)
		refused, err = p.Directory().RefusedRedirects(ctx, r.name("nosuch"), registered)
		must(t, "ask for redirect URLs of no client", err)
		same(t, "refused redirect URLs of no client", registered, refused)
	}
	without := r.name("client")
	id := r.client(t, a, without, "confidential")
	must(t, "set", a.ChangeObject(ctx, state.KindClient, id, plainClient(without, "confidential"), state.Attributes{
		state.AttrRedirectURLs: urls("https://app.example/cb"), state.AttrPKCE: state.TextValue("false")}))
	refused, err := p.Directory().RefusedRedirects(ctx, without, []string{"https://app.example/cb", "https://other.example/cb"})
	must(t, "ask for redirect URLs", err)
	same(t, "refused redirect URLs of a client without PKCE", []string{"https://other.example/cb"}, refused)
}
