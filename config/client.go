package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"anthill/internal/regex"
	"anthill/state"
)

// clients are all instances of all oauth2_client blocks.
func (e *evaluator) clients() (clients []Client) {
	for _, n := range e.m.all("oauth2_client") {
		list, known, ok := e.instances(n)
		if !ok {
			continue
		}
		for _, i := range list {
			if c := e.client(n, i); known {
				clients = append(clients, c)
			}
		}
	}
	slices.SortFunc(clients, func(a, b Client) int { return strings.Compare(string(a.Address), string(b.Address)) })
	names := map[string]Client{}
	for _, c := range clients {
		if first, taken := names[c.Name]; taken && c.Name != "" {
			e.fail(e.m.index[c.Address.Block()].at, "Clients with one name",
				"%s and %s (%s line %d) have the same name %q. Self-auth takes a name once: give one of them another.",
				c.Address, first.Address, first.Pos.File, first.Pos.Line, c.Name)
		}
		names[c.Name] = c
	}
	return clients
}

// The forms of scopes and claims that Self-auth takes (tried on 1.10.5).
var (
	scopeForm = regex.Lazy(`^[0-9a-zA-Z_]+$`)
	claimForm = regex.Lazy(`^[0-9a-zA-Z_]+([:\-][0-9a-zA-Z_]+)*$`)
)

// client reads one oauth2_client. Values are written here as Self-auth keeps them, or every plan would find them
// changed.
func (e *evaluator) client(n *node, i instance) Client {
	r := e.reader(n, scope{each: i.each})
	c := Client{Address: i.address(n), Name: n.label, Adopt: r.bool("adopt"), Pos: posOf(n.at)}
	// A name that is declared but not known yet is neither the label nor anything to find fault with.
	if name, given := r.optionalText("name"); given {
		c.Name = name
	} else if n.args["name"] != nil {
		c.Name = ""
	}
	c.Name = strings.ToLower(c.Name)
	if why := nameProblem(c.Name); why != "" && c.Name != "" {
		e.fail(r.at("name"), "Invalid client name", "Self-auth would refuse the name of %s: %q %s.", c.Address, c.Name,
			why)
	}
	public := r.text("type") == "public"
	urls, _ := r.strings("redirect_urls")
	for k, u := range urls {
		urls[k] = r.url("redirect_urls", u)
	}
	landing, known := r.optionalText("landing_url")
	if known {
		if landing = r.url("landing_url", landing); landing != "" && !strings.HasPrefix(landing, "http") {
			r.wrong("landing_url", "a web address is needed, not %q", landing)
		}
	}
	// Self-auth has no such switch for public clients. Only a mistake that somebody wrote is worth a word.
	pkce := r.bool("pkce")
	if public && !pkce && n.args["pkce"] != nil {
		r.wrong("pkce", "a public client cannot do without PKCE")
	}
	c.Attributes = state.Attributes{
		state.AttrName:             state.TextValue(c.Name),
		state.AttrType:             state.TextValue(r.text("type")),
		state.AttrDisplayName:      state.TextValue(plainText(r.nonEmpty("display_name"))),
		state.AttrLandingURL:       state.TextValue(landing),
		state.AttrRedirectURLs:     state.ListValue(urls),
		state.AttrPKCE:             boolValue(pkce),
		state.AttrPreferShortNames: boolValue(r.bool("prefer_short_names")),
		state.AttrLegacyCrypto:     boolValue(r.bool("legacy_crypto")),
		state.AttrStrictRedirects:  boolValue(r.bool("strict_redirects")),
	}
	if v, given := r.get("requested_scopes"); given && !v.IsNull() {
		c.Requested = r.words("requested_scopes", scopeForm())
	}
	for _, b := range n.blocks {
		br := e.reader(b, r.sc)
		switch b.spec.Type {
		case "scope_map":
			c.Scopes = append(c.Scopes, ScopeMap{br.groups(), br.words("scopes", scopeForm())})
		case "sup_scope_map":
			c.SupScopes = append(c.SupScopes, ScopeMap{br.groups(), br.words("scopes", scopeForm())})
		case "claim_map":
			claim := br.nonEmpty("claim")
			if claim != "" && !claimForm().MatchString(claim) {
				br.wrong("claim",
					"%q is no name that Self-auth takes: letters, digits and \"_\", with \"-\" or \":\" between them",
					claim)
			}
			c.Claims = append(c.Claims, ClaimMap{claim, br.text("join"), br.groups(), br.words("values", claimForm())})
		}
	}
	e.checkClient(n, c)
	return c
}

// checkClient reports maps that say two things about one group.
func (e *evaluator) checkClient(n *node, c Client) {
	// Self-auth keeps one map for each group: a second one would silently replace the first.
	once := func(what string, maps []ScopeMap) {
		seen := map[state.Address]bool{}
		for _, m := range maps {
			for _, g := range m.Groups {
				if seen[g] {
					e.fail(n.at, "Group mapped twice",
						"%s has two %s blocks for %s. Make them one: Self-auth keeps one set of scopes for a group.",
						c.Address, what, g)
				}
				seen[g] = true
			}
		}
	}
	once("scope_map", c.Scopes)
	once("sup_scope_map", c.SupScopes)
	joins := map[string]string{}
	seen := map[string]bool{}
	for _, m := range c.Claims {
		if j, given := joins[m.Claim]; given && j != m.Join {
			e.fail(n.at, "Claim joined in two ways",
				"%s has claim_map blocks for %q with join %q and %q. A claim is joined in one way.", c.Address,
				m.Claim, j, m.Join)
		}
		joins[m.Claim] = m.Join
		for _, g := range m.Groups {
			if seen[m.Claim+" "+string(g)] {
				e.fail(n.at, "Group mapped twice", "%s has two claim_map blocks of %q for %s. Make them one.",
					c.Address, m.Claim, g)
			}
			seen[m.Claim+" "+string(g)] = true
		}
	}
}

func boolValue(on bool) state.Value { return state.TextValue(strconv.FormatBool(on)) }

// plainText takes out the characters that Self-auth refuses in every text.
func plainText(s string) string {
	return strings.Map(func(c rune) rune {
		if isControl(c) {
			return ' '
		}
		return c
	}, s)
}

// words is a set of texts of one form.
func (r reader) words(name string, form *regexp.Regexp) []string {
	list, known := r.strings(name)
	if known && len(list) == 0 {
		r.wrong(name, "it is empty")
	}
	for _, w := range list {
		if !form.MatchString(w) {
			r.wrong(name, "%q is none that Self-auth takes", w)
		}
	}
	return list
}

// groups reads groups: group.users, group.users["acme"], or a list of such. Their addresses come back sorted; nil where
// they are not known yet.
func (r reader) groups() (list []state.Address) {
	const name = "groups"
	r.spec(name, Groups)
	v, given := r.get(name)
	if !given || !v.IsWhollyKnown() {
		return nil
	}
	if !collectGroups(v, &list) {
		r.wrong(name, "groups are needed: group.NAME, group.NAME[\"KEY\"], or a list of them, not %s", describe(v))
		return nil
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func collectGroups(v cty.Value, list *[]state.Address) bool {
	t := v.Type()
	switch {
	case v.IsNull():
		return false
	case t.IsObjectType() && t.HasAttribute("address") && t.AttributeType("address") == cty.String:
		*list = append(*list, state.Address(v.GetAttr("address").AsString()))
		return true
	case t.IsMapType(), t.IsObjectType(), t.IsTupleType(), t.IsListType(), t.IsSetType():
		for it := v.ElementIterator(); it.Next(); {
			if _, item := it.Element(); !collectGroups(item, list) {
				return false
			}
		}
		return true
	}
	return false
}
