package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

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
			e.fail(e.m.index[c.Address.Block()].at, "Clients with one name", "%s and %s (%s line %d) have the same name %q. Self-auth takes a name once: give one of them another.", c.Address, first.Address, first.Pos.File, first.Pos.Line, c.Name)
		}
		names[c.Name] = c
	}
	return clients
}

// The forms of scopes and claims that Self-auth takes (tried on 1.10.5).
var (
	scopeForm = regexp.MustCompile(`^[0-9a-zA-Z_]+$`)
	claimForm = regexp.MustCompile(`^[0-9a-zA-Z_]+([:\-][0-9a-zA-Z_]+)*$`)
)

func (e *evaluator) client(n *node, i instance) Client {
	r := e.reader(n, scope{each: i.each})
	c := Client{Address: i.address(n), Name: n.label, Adopt: r.bool("adopt"), Pos: posOf(n.at)}
	if name, given := r.optionalText("name"); given {
		c.Name = name
	} else if n.args["name"] != nil {
		c.Name = ""
	}
	c.Name = strings.ToLower(c.Name)
	if why := nameProblem(c.Name); why != "" && c.Name != "" {
		e.fail(r.at("name"), "Invalid client name", "Self-auth would refuse the name of %s: %q %s.", c.Address, c.Name, why)
	}
	public := r.text("type") == "public"
	urls, _ := r.strings("redirect_urls")
	for k, u := range urls {
		urls[k] = r.url("redirect_urls", u)
	}
	slices.Sort(urls)
	urls = slices.Compact(urls)
	landing, known := r.optionalText("landing_url")
	if known {
		if landing = r.url("landing_url", landing); landing != "" && !strings.HasPrefix(landing, "http") {
			r.wrong("landing_url", "a web address is needed, not %q", landing)
		}
	}
	pkce := r.bool("pkce")
	if public && !pkce && n.args["pkce"] != nil {
		r.wrong("pkce", "a public client cannot do without PKCE")
	}
	c.Attributes = state.Attributes{"name": c.Name, "type": r.text("type"), "display_name": plainText(r.nonEmpty("display_name")), "landing_url": landing,
		"redirect_urls": jsonList(urls), "pkce": boolText(pkce), "prefer_short_names": boolText(r.bool("prefer_short_names")),
		"legacy_crypto": boolText(r.bool("legacy_crypto")), "strict_redirects": boolText(r.bool("strict_redirects"))}
	for _, b := range n.blocks {
		br := e.reader(b, r.sc)
		switch b.spec.Type {
		case "scope_map":
			c.Scopes = append(c.Scopes, ScopeMap{br.groups(), br.words("scopes", scopeForm)})
		case "sup_scope_map":
			c.SupScopes = append(c.SupScopes, ScopeMap{br.groups(), br.words("scopes", scopeForm)})
		case "claim_map":
			claim := br.nonEmpty("claim")
			if claim != "" && !claimForm.MatchString(claim) {
				br.wrong("claim", "%q is no name that Self-auth takes: letters, digits and \"_\", with \"-\" or \":\" between them", claim)
			}
			c.Claims = append(c.Claims, ClaimMap{claim, br.text("join"), br.groups(), br.words("values", claimForm)})
		}
	}
	e.checkClient(n, c)
	return c
}

// checkClient finds maps that say two things of one group.
func (e *evaluator) checkClient(n *node, c Client) {
	once := func(what string, maps []ScopeMap) {
		seen := map[state.Address]bool{}
		for _, m := range maps {
			for _, g := range m.Groups {
				if seen[g] {
					e.fail(n.at, "Group mapped twice", "%s has two %s blocks for %s. Make them one: Self-auth keeps one set of scopes for a group.", c.Address, what, g)
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
			e.fail(n.at, "Claim joined in two ways", "%s has claim_map blocks for %q with join %q and %q. A claim is joined in one way.", c.Address, m.Claim, j, m.Join)
		}
		joins[m.Claim] = m.Join
		for _, g := range m.Groups {
			if seen[m.Claim+" "+string(g)] {
				e.fail(n.at, "Group mapped twice", "%s has two claim_map blocks of %q for %s. Make them one.", c.Address, m.Claim, g)
			}
			seen[m.Claim+" "+string(g)] = true
		}
	}
}

func boolText(on bool) string { return strconv.FormatBool(on) }

// plainText takes out what Self-auth takes in no text.
func plainText(s string) string {
	return strings.Map(func(c rune) rune {
		if isControl(c) {
			return ' '
		}
		return c
	}, s)
}

func jsonList(list []string) string {
	if len(list) == 0 {
		return ""
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // plain texts
	}
	return string(b)
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

// accountPolicies are the policies of all account_policy blocks, one for each group.
func (e *evaluator) accountPolicies() (list []AccountPolicy) {
	bound := map[state.Address]AccountPolicy{}
	for _, n := range e.m.all("account_policy") {
		r := e.reader(n, scope{})
		a := e.accountAttributes(r)
		for _, g := range r.groups() {
			p := AccountPolicy{Address: policyAddress(n, g), Group: g, Attributes: a, Pos: posOf(n.at)}
			if first, taken := bound[g]; taken {
				e.fail(n.at, "Group with two policies", "%s and %s (%s line %d) both set a policy on %s. A group has one.", p.Address, first.Address, first.Pos.File, first.Pos.Line, g)
			}
			bound[g] = p
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b AccountPolicy) int { return strings.Compare(string(a.Address), string(b.Address)) })
	return list
}

// policyAddress is account_policy.LABEL["BLOCK.KEY"], after the group that it is set on.
func policyAddress(n *node, group state.Address) state.Address {
	key := strings.TrimPrefix(string(group), "group.")
	if block, rest, ok := strings.Cut(key, "["); ok {
		if k, err := strconv.Unquote(strings.TrimSuffix(rest, "]")); err == nil {
			key = block + "." + k
		}
	}
	return instance{key: key, each: cty.True}.address(n)
}

func (e *evaluator) accountAttributes(r reader) state.Attributes {
	a := state.Attributes{"credential_type_minimum": r.text("credential_minimum")}
	seconds := func(name, attribute string) int64 {
		a[attribute] = ""
		d := r.duration(name)
		if n := int64(d.Seconds()); n > 0 {
			if n > 1<<32-1 {
				r.wrong(name, "it is longer than Self-auth takes")
			}
			a[attribute] = strconv.FormatInt(n, 10)
			return n
		}
		return 0
	}
	if n := seconds("session_expiry", "authsession_expiry"); n > 0 && n < 60 {
		r.wrong("session_expiry", "a login that lasts less than a minute is of no use to anybody")
	}
	if seconds("privilege_expiry", "privilege_expiry") > 3600 {
		r.wrong("privilege_expiry", "Self-auth takes no more than 1h")
	}
	for name, attribute := range map[string]string{"password_minimum_length": "auth_password_minimum_length", "search_max_results": "limit_search_max_results",
		"search_max_filter_test": "limit_search_max_filter_test"} {
		a[attribute] = ""
		if r.n.args[name] == nil {
			continue
		}
		n := r.count(name)
		if name == "password_minimum_length" && n > 128 {
			r.wrong(name, "Self-auth takes passwords of at most 128 characters")
		}
		if n > 1<<32-1 {
			r.wrong(name, "it is more than Self-auth takes")
		}
		a[attribute] = strconv.FormatInt(n, 10)
	}
	list, known := r.json("attestation_ca_list")
	if a["webauthn_attestation_ca_list"] = list; known {
		if why := authoritiesProblem(list); why != "" {
			r.wrong("attestation_ca_list", "Self-auth would refuse it: %s", why)
		}
	}
	if minimum := a["credential_type_minimum"]; minimum == "attested_passkey" && r.n.args["attestation_ca_list"] == nil {
		r.wrong("credential_minimum", "attested passkeys need attestation_ca_list: without it nobody could enrol one")
	}
	a["allow_primary_cred_fallback"] = ""
	if r.n.args["primary_cred_fallback"] != nil {
		a["allow_primary_cred_fallback"] = boolText(r.bool("primary_cred_fallback"))
	}
	return a
}

// moves are the moved blocks.
func (e *evaluator) moves() (list []Move) {
	for _, n := range e.m.all("moved") {
		r := e.reader(n, scope{static: true})
		m := Move{From: r.address("from"), To: r.address("to"), Pos: posOf(n.at)}
		kind, _, _ := strings.Cut(string(m.From), ".")
		switch {
		case m.From == "" || m.To == "":
		case !strings.HasPrefix(string(m.To), kind+"."):
			r.wrong("to", "%s cannot become %s: what moves keeps its kind", m.From, m.To)
		case m.From == m.To:
			r.wrong("to", "it is the address before")
		default:
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Move) int { return strings.Compare(string(a.From), string(b.From)) })
	return list
}

// address reads the address of an instance as it is written: group.admins["acme"].
func (r reader) address(name string) state.Address {
	r.spec(name, Address)
	a := r.n.args[name]
	if a == nil {
		return ""
	}
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	label, ok := attrAt(t, 1)
	kind := ""
	if !diags.HasErrors() && ok {
		kind = t.RootName()
	}
	if kind != "group" && kind != "account_policy" && kind != "tenant" && kind != "oauth2_client" || len(t) > 3 {
		r.wrong(name, "an address is needed, like group.admins[\"acme\"]")
		return ""
	}
	if len(t) == 2 {
		return state.Address(kind + "." + label)
	}
	key, ok := t[2].(hcl.TraverseIndex)
	if !ok || key.Key.Type() != cty.String {
		r.wrong(name, "an address is needed, like group.admins[\"acme\"]")
		return ""
	}
	return instance{key: key.Key.AsString(), each: cty.True}.address(&node{spec: &Block{Type: kind}, label: label})
}
