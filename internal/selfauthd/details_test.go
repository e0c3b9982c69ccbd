package selfauthd

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// said is a request and what a real server says to it; answer "" is null.
type said struct {
	method, path, body string
	status             int
	answer             string // JSON, or the text of a parser up to its colon
}

// hears sends requests one after the other, as Anthill's service account.
func (a *api) hears(list []said) {
	a.t.Helper()
	for _, x := range list {
		var headers map[string]string
		if x.body != "" {
			headers = map[string]string{"Content-Type": "application/json"}
		}
		resp, text := a.do(x.method, x.path, a.tokens["rw"], []byte(x.body), headers)
		var got, want any
		if x.answer == "" {
			x.answer = "null"
		}
		if json.Unmarshal(text, &got) != nil {
			got = upToColon(string(text))
		}
		if json.Unmarshal([]byte(x.answer), &want) != nil {
			want = x.answer
		}
		if diff := a.differs("", want, got); resp.StatusCode != x.status || diff != "" {
			a.t.Errorf("%s %s %.200s: %d, want %d; %s\nwant %s\ngot  %.400s", x.method, x.path, x.body, resp.StatusCode, x.status, diff, x.answer, text)
		}
	}
}

// TestDetails: what the recordings leave open and a real server was asked about.
func TestDetails(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]said{
		"names that hold a uuid": {
			{"POST", "/v1/person", `{"attrs":{"name":["xe0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11y"],"displayname":["x"]}}`, 200, ""},
			{"POST", "/v1/person", `{"attrs":{"name":["e0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],"displayname":["x"]}}`, 400, `{"schemaviolation":{"invalidattributesyntax":"name"}}`},
			{"POST", "/v1/person", `{"attrs":{"name":["e0eebc999c0b4ef8bb6d6bb9bd380a11"],"displayname":["x"]}}`, 400, `{"schemaviolation":{"invalidattributesyntax":"name"}}`},
		},
		"control characters": {
			{"POST", "/v1/person", `{"attrs":{"name":["p"],"displayname":["a\u0085\u009f"]}}`, 200, ""},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"description":["\u0085"]}}`, 200, ""},
			{"PUT", "/v1/person/p/_attr/displayname", `["a\u007f"]`, 400, `{"schemaviolation":{"invalidattributesyntax":"displayname"}}`},
			{"POST", "/v1/person", `{"attrs":{"name":["a\n"],"displayname":["a\n"]}}`, 400, `{"schemaviolation":{"invalidattributesyntax":"displayname"}}`},
		},
		"bodies are read strictly": {
			{"POST", "/v1/person", `{"attrs":{"name":["p"],"displayname":["p"],"mail":["p@x.test"]}}`, 200, ""},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"member":["p"]}}`, 200, ""},
			{"PATCH", "/v1/person/p", `{"attrs":{"mail":null}}`, 422, wrongShapeText},
			{"PATCH", "/v1/person/p", `{"attrs":{"mail":[null]}}`, 422, wrongShapeText},
			{"PATCH", "/v1/person/p", `{"Attrs":{"mail":[]}}`, 422, wrongShapeText},
			{"PATCH", "/v1/person/p", `{"attrs":{"mail":[]},"attrs":{"mail":[]}}`, 422, wrongShapeText},
			{"PATCH", "/v1/person/p", `{"attrs":{"displayname":["\ud800"]}}`, 400, wrongJSONText},
			{"PATCH", "/v1/person/p", `{"attrs":{"displayname":["\udc00\ud800"]}}`, 400, wrongJSONText},
			{"PATCH", "/v1/person/p", "{\"attrs\":{\"displayname\":[\"\xff\"]}}", 400, wrongJSONText},
			{"PUT", "/v1/group/g/_attr/member", `null`, 422, wrongShapeText},
			{"DELETE", "/v1/group/g/_attr/member", `null`, 422, wrongShapeText},
			{"DELETE", "/v1/group/g/_attr/member", `[null]`, 422, wrongShapeText},
			{"GET", "/v1/group/g/_attr/member", ``, 200, `["p@idm.example.test"]`},
			{"PATCH", "/v1/person/p", `{"attrs":{"displayname":["\\ud800\ud83d\ude00"]},"more":1}`, 200, ""},
			{"GET", "/v1/person/p/_attr/displayname", ``, 200, `["\\ud800😀"]`},
			{"DELETE", "/v1/person/p/_attr/mail", `["`, 200, ""},
			{"GET", "/v1/person/p/_attr/mail", ``, 200, ""},
		},
		"values that are taken away": {
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["a0000000-0000-4000-8000-000000000001"],"mail":["g@x.test"]}}`, 200, ""},
			{"DELETE", "/v1/group/g/_attr/mail", `["no address"]`, 200, ""},
			{"DELETE", "/v1/group/g/_attr/spn", `["x"]`, 400, `{"invalidattribute":"Invalid spn syntax"}`},
			{"DELETE", "/v1/group/g/_attr/nosuch", `["x"]`, 400, `{"invalidattributename":"nosuch"}`},
			{"DELETE", "/v1/group/g/_attr/nosuch", "", 400, `{"schemaviolation":{"invalidattribute":"nosuch"}}`},
			{"PATCH", "/v1/group/g", `{"attrs":{"nosuch":[]}}`, 400, `{"schemaviolation":{"invalidattribute":"nosuch"}}`},
			{"PATCH", "/v1/group/g", `{"attrs":{"name_history":["x"]}}`, 400, `{"invalidattribute":"Audit logs are generated and not able to be set."}`},
			{"GET", "/v1/group/g/_attr/NAME", "", 200, ""},
			{"PUT", "/v1/group/g/_attr/NAME", `[]`, 200, ""},
			{"GET", "/v1/group/a0000000-0000-4000-8000-000000000001", "", 200,
				`{"attrs":{"class":["group","object"],"mail":["g@x.test"],"spn":["g@idm.example.test"],"uuid":["a0000000-0000-4000-8000-000000000001"]}}`},
			{"PUT", "/v1/group/a0000000-0000-4000-8000-000000000001/_attr/name", `["h"]`, 200, ""},
			{"GET", "/v1/group/h/_attr/spn", "", 200, `["h@idm.example.test"]`},
			{"DELETE", "/v1/group/h/_attr/name", `["H"]`, 200, ""},
			{"POST", "/v1/group", `{"attrs":{"name":["h2"]}}`, 200, ""},
			{"DELETE", "/v1/group/h2/_attr/name", "", 200, ""},
		},
		"what is said to everybody": {
			{"POST", "/v1/person", `{"attrs":{"name":["p"],"displayname":["p"],"mail":["p@x.test","b@x.test"]}}`, 200, ""},
			{"GET", "/scim/v1/Entry/p?attributes=mail", "", 200, `{"schemas":[],"id":"{{uuid}}","mail":[{"primary":false,"value":"b@x.test"},{"primary":true,"value":"p@x.test"}]}`},
			{"PUT", "/v1/person/idm_admin/_attr/mail", `["bad"]`, 400, `{"invalidattribute":"Invalid Email Address syntax"}`},
			{"PUT", "/v1/person/nosuch/_attr/mail", `["bad"]`, 404, `"nomatchingentries"`},
			{"PUT", "/v1/person//_attr/mail", `["bad"]`, 500, `"invalidvaluestate"`},
			{"PATCH", "/v1/person/nosuch", `{"attrs":{}}`, 400, `"emptyrequest"`},
			{"PUT", "/v1/group/idm_admins/_attr/name", `["bad@@"]`, 400, `{"schemaviolation":{"invalidattributesyntax":"name"}}`},
			{"POST", "/v1/oauth2/nosuch/_attr/mail", `["bad"]`, 404, `"nomatchingentries"`},
			{"GET", "/v1/person/operator_svc/_attr/name", "", 200, `["operator_svc"]`},
			{"GET", "/v1/service_account/_search/p", "", 404, "Route not found"},
			{"HEAD", "/v1/person", "", 200, `""`},
			{"DELETE", "/v1/service_account/operator_svc/_api_token/x", "", 400, "Invalid URL"},
			{"POST", "/v1/service_account/operator_svc/_api_token", `{"label":"x"}`, 422, wrongShapeText},
			{"PUT", "/v1/person/p/_attr/mail", `{`, 422, wrongShapeText},
			{"PUT", "/v1/person/p/_attr/account_expire", `["2030-01-01t02:00:00.5+02:00"]`, 200, ""},
			{"POST", "/v1/person/p/_attr/account_expire", `["2030-01-01 00:00:00.5Z"]`, 200, ""},
			{"GET", "/v1/person/p/_attr/account_expire", "", 200, `["2030-01-01T00:00:00.5Z"]`},
			{"POST", "/v1/raw/search", `{"filter":{"and":[{"eq":["class","person"]},{"eq":["account_expire","2030-01-01T00:30:00.5+00:30"]},{"eq":["uuid","nosuch"]}]}}`, 200, `{"entries":[]}`},
		},
		"managers that are deleted": {
			{"POST", "/v1/group", `{"attrs":{"name":["m"],"uuid":["a0000000-0000-4000-8000-000000000001"]}}`, 200, ""},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"entry_managed_by":["m"]}}`, 200, ""},
			{"GET", "/scim/v1/Entry?attributes=name&filter=entry_managed_by%20eq%20%22a0000000-0000-4000-8000-000000000001%22", "", 200,
				`{"schemas":[],"totalResults":1,"resources":[{"schemas":[],"id":"{{uuid}}","name":"g"}]}`},
			{"DELETE", "/v1/group/g/_attr/entry_managed_by", `["a0000000-0000-4000-8000-000000000001"]`, 200, ""},
			{"GET", "/v1/group/g/_attr/entry_managed_by", "", 200, ""},
			{"POST", "/v1/group/g/_attr/entry_managed_by", `["m"]`, 200, ""},
			{"POST", "/v1/group/g/_attr/entry_managed_by", `["a0000000-0000-4000-8000-000000000001"]`, 200, ""},
			{"DELETE", "/v1/group/m", "", 200, ""},
			{"POST", "/v1/recycle_bin/a0000000-0000-4000-8000-000000000001/_revive", "", 200, ""},
			{"GET", "/v1/group/g/_attr/entry_managed_by", "", 200, ""},
		},
		"queries": {
			{"GET", "/scim/v1/Entry?filter=", "", 400, wrongQueryText},
			{"GET", "/scim/v1/Entry?filter=name%20pr%20", "", 400, wrongQueryText},
			{"GET", "/scim/v1/Entry?filter=name%20eq%20%22a%22or%20name%20pr", "", 400, wrongQueryText},
			{"GET", "/scim/v1/Entry?count=0", "", 400, wrongQueryText},
			{"GET", "/scim/v1/Entry?attributes=name&attributes=mail", "", 400, wrongQueryText},
			{"GET", "/scim/v1/Entry?startIndex=9&attributes=&filter=name%20eq%20%22operator_svc%22", "", 200, `{"schemas":[],"totalResults":1,"resources":[{"schemas":[],"id":"{{uuid}}"}]}`},
			{"GET", "/scim/v1/Entry?attributes=&filter=name%20eq%20%22x%22" + strings.Repeat("%20or%20name%20eq%20%22x%22", 10), "", 200, `{"schemas":[],"totalResults":0,"resources":[]}`},
			{"GET", "/scim/v1/Entry?attributes=&filter=name%20eq%20%22x%22" + strings.Repeat("%20or%20name%20eq%20%22x%22", 11), "", 500, `"resourcelimit"`},
			{"GET", "/scim/v1/Entry?attributes=&filter=" + strings.Repeat("(", 20) + "name%20eq%20%22x%22" + strings.Repeat(")", 20), "", 200, `{"schemas":[],"totalResults":0,"resources":[]}`},
			{"POST", "/v1/raw/search", `{"filter":{"EQ":["name","x"]}}`, 422, wrongShapeText},
			{"POST", "/v1/raw/search", `{"filter":{"Eq":["name"]}}`, 422, wrongShapeText},
			{"POST", "/v1/raw/search", `{"filter":{"Eq":["name","x","y"]}}`, 400, wrongJSONText},
			{"POST", "/v1/raw/search", `{"filter":null}`, 400, wrongJSONText},
			{"POST", "/v1/raw/search", `{"filter":{"cnt":["displayname","x"]}}`, 500, `"backend"`},
			{"POST", "/v1/raw/search", `{"filter":{"cnt":["name",""]}}`, 200, `{"entries":[]}`},
			{"POST", "/v1/raw/search", `{"filter":{"or":[{"eq":["name","x"]},{"andnot":{"eq":["name","y"]}}]}}`, 200, `{"entries":[]}`},
			{"POST", "/v1/raw/modify", `{"filter":{"eq":["name","x"]},"modlist":{}}`, 422, wrongShapeText},
			{"POST", "/v1/raw/modify", `{"filter":{"eq":["name","x"]},"modlist":{"mods":[{"Purged":"mail"}]}}`, 422, wrongShapeText},
			{"POST", "/v1/raw/modify", `{"filter":{"eq":["name","x"]},"modlist":{"mods":[{"purged":"nosuch"}]}}`, 400, `{"schemaviolation":{"invalidattribute":"nosuch"}}`},
		},
		"what is deleted together with its group": {
			{"POST", "/v1/person", `{"attrs":{"name":["p"],"displayname":["p"],"uuid":["a0000000-0000-4000-8000-000000000001"]}}`, 200, ""},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["a0000000-0000-4000-8000-000000000002"],"member":["p"]}}`, 200, ""},
			{"DELETE", "/v1/group/g", "", 200, ""},
			{"DELETE", "/v1/person/p", "", 200, ""},
			{"POST", "/v1/recycle_bin/a0000000-0000-4000-8000-000000000001/_revive", "", 200, ""},
			{"POST", "/v1/recycle_bin/a0000000-0000-4000-8000-000000000002/_revive", "", 200, ""},
			{"GET", "/v1/group/g/_attr/member", "", 200, ""},
			{"POST", "/v1/group/g/_attr/member", `["p"]`, 200, ""},
			{"DELETE", "/v1/person/p", "", 200, ""},
			{"DELETE", "/v1/group/g", "", 200, ""},
			{"POST", "/v1/recycle_bin/a0000000-0000-4000-8000-000000000002/_revive", "", 200, ""},
			{"POST", "/v1/recycle_bin/a0000000-0000-4000-8000-000000000001/_revive", "", 200, ""},
			{"GET", "/v1/group/g/_attr/member", "", 200, ""},
		},
		"ids that are reserved, or none": {
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["00000000-0000-0000-0000-0000000000ff"]}}`, 403, `"accessdenied"`},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["x"]}}`, 403, `"accessdenied"`},
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["{a0000000-0000-4000-8000-000000000001}"]}}`, 200, ""},
			{"GET", "/v1/group/a0000000-0000-4000-8000-000000000001/_attr/name", "", 200, `["g"]`},
			{"PUT", "/v1/group/g/_attr/uuid", `["x"]`, 403, `"accessdenied"`},
		},
		"classes of what is made": {
			{"POST", "/v1/raw/create", `{"entries":[{"attrs":{"class":["Account","person"],"name":["p"],"displayname":["p"]}}]}`, 200, ""},
			{"POST", "/v1/raw/create", `{"entries":[{"attrs":{"class":["object","group","posixgroup"],"name":["g"]}}]}`, 403, `"accessdenied"`},
			{"POST", "/v1/raw/create", `{"entries":[{"attrs":{"class":["oauth2_resource_server","oauth2_resource_server_basic"],"name":["c"],"displayname":["c"],"oauth2_rs_origin_landing":["https://x.test"]}}]}`,
				400, `{"schemaviolation":{"attributenotvalidforclass":"displayname"}}`},
			{"POST", "/v1/raw/create", `{"entries":[{"attrs":{"class":["account","oauth2_resource_server"],"name":["c"],"displayname":["c"],"oauth2_rs_origin_landing":["https://x.test"]}}]}`, 500, `"invalidentrystate"`},
			{"POST", "/v1/raw/create", `{"entries":[{"attrs":{"class":["account","oauth2_resource_server","oauth2_resource_server_public"],"name":["c"],"displayname":["c"],"oauth2_rs_origin_landing":["https://x.test"]}}]}`, 200, ""},
		},
		"maps of clients": {
			{"POST", "/v1/group", `{"attrs":{"name":["g"],"uuid":["a0000000-0000-4000-8000-000000000001"]}}`, 200, ""},
			{"POST", "/v1/oauth2/_public", `{"attrs":{"name":["c"],"displayname":["c"],"oauth2_rs_origin_landing":["https://x.test"]}}`, 200, ""},
			{"POST", "/v1/oauth2/c/_scopemap/g", `[]`, 200, ""},
			{"GET", "/scim/v1/Entry/c?attributes=name,oauth2_rs_scope_map", "", 200, `{"schemas":[],"id":"{{uuid}}","name":"c",
				"oauth2_rs_scope_map":[{"group":"g@idm.example.test","groupUuid":"a0000000-0000-4000-8000-000000000001","scopes":[]}]}`},
			{"POST", "/v1/oauth2/c/_scopemap/g", `[]`, 200, ""},
			{"GET", "/scim/v1/Entry/c?attributes=name,oauth2_rs_scope_map", "", 200, `{"schemas":[],"id":"{{uuid}}","name":"c"}`},
			{"POST", "/v1/oauth2/c/_scopemap/a0000000-0000-4000-8000-00000000000f", `[]`, 500, `{"plugin":{"referentialintegrity":"Uuid referenced not found in database"}}`},
			{"POST", "/v1/oauth2/c/_attr/oauth2_rs_origin", `["https://y.test"]`, 200, ""},
			{"GET", "/scim/v1/Entry/c?attributes=name,oauth2_rs_origin", "", 200, `{"schemas":[],"id":"{{uuid}}","name":"c","oauth2_rs_origin":"https://y.test/"}`},
			{"POST", "/v1/oauth2/c/_attr/oauth2_rs_origin", `["https://z.test"]`, 200, ""},
			{"GET", "/scim/v1/Entry/c?attributes=name,oauth2_rs_origin", "", 200, `{"schemas":[],"id":"{{uuid}}","name":"c","oauth2_rs_origin":["https://y.test/","https://z.test/"]}`},
			{"POST", "/v1/oauth2/c/_claimmap//g", `["x"]`, 400, `{"invalidattribute":"Invalid Oauth Claim Map syntax"}`},
			{"DELETE", "/v1/oauth2/c/_claimmap//g", "", 200, ""},
			{"POST", "/v1/oauth2/c/_claimmap/a%20b/nosuch", `["x"]`, 404, `"nomatchingentries"`},
			{"POST", "/v1/oauth2/c/_claimmap/a%20b", `"csv"`, 400, `{"schemaviolation":{"invalidattributesyntax":"oauth2_rs_claim_map"}}`},
			{"POST", "/v1/oauth2/c/_claimmap/a", `null`, 400, wrongJSONText},
			{"POST", "/v1/oauth2//_scopemap/g", `["x"]`, 404, `"nomatchingentries"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.tokens["rw"], a.tokens["ro"] = a.s.Operator()
			a.hears(list)
		})
	}
}

const (
	wrongShapeText = "Failed to deserialize the JSON body into the target type"
	wrongJSONText  = "Failed to parse the request body as JSON"
	wrongQueryText = "Failed to deserialize query string"
)

// TestAuthorities: a list of the authorities of security keys is shown as the names that it holds, and is joined by more.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.tokens["rw"], a.tokens["ro"] = a.s.Operator()
	block, _ := pem.Decode(a.s.CA())
	sum := sha256.Sum256(block.Bytes)
	id, ca := b64.EncodeToString(sum[:]), b64.EncodeToString(block.Bytes)
	list := func(id, ca, models string, all bool) string {
		return string(mustMarshal([]string{fmt.Sprintf(`{"cas":{%q:{"aaguids":{%s},"blanket_allow":%t,"ca":%q}}}`, id, models, all, ca)}))
	}
	const path, refused = "/v1/group/g/_attr/webauthn_attestation_ca_list", `{"invalidattribute":"Invalid Webauthn Attestation CA List"}`
	first, second := `"a0000000-0000-4000-8000-000000000001":{"en":"Key","localised":{}}`, `"a0000000-0000-4000-8000-000000000002":{"en":"Two","localised":{}}`
	a.hears([]said{
		{"POST", "/v1/group", `{"attrs":{"name":["g"]}}`, 200, ""},
		{"POST", "/v1/group/g/_attr/class", `["ACCOUNT_policy"]`, 200, ""},
		{"PUT", path, list("x", ca, first, false), 400, refused},
		{"PUT", path, list(id, "AAAA", first, false), 400, refused},
		{"PUT", path, list(id, ca, `"x":{"en":"Key","localised":{}}`, false), 400, refused},
		{"PUT", path, list(id, ca, `"a0000000-0000-4000-8000-000000000001":{"en":"Key"}`, false), 400, refused},
		{"PUT", path, `["{\"cas\":null}"]`, 400, refused},
		{"PUT", path, `["{}"]`, 400, refused},
		{"PUT", path, `["{\"CAS\":{}}"]`, 400, refused},
		{"PUT", path, `["{\"cas\":[]}"]`, 400, refused},
		{"PUT", path, `["{\"cas\":{},\"more\":1}"]`, 200, ""},
		{"GET", path, "", 200, `[]`},
		{"PUT", path, list(id, ca+"\n", first, false), 400, refused},
		{"PUT", path, list(id, ca, `"a0000000-0000-4000-8000-000000000001":{"en":"Key","localised":{"de":null}}`, false), 400, refused},
		{"DELETE", path, "", 200, ""},
		{"PUT", path, list(id, ca, first, false), 200, ""},
		{"GET", path, "", 200, `["Key"]`},
		{"GET", "/scim/v1/Entry/g?attributes=webauthn_attestation_ca_list", "", 200, `{"schemas":[],"id":"{{uuid}}","webauthn_attestation_ca_list":["Key"]}`},
		{"POST", path, list(id, ca, second, false), 200, ""},
		{"GET", path, "", 200, `["Key","Two"]`},
		{"DELETE", path, list(id, ca, second, false), 400, `{"invalidattribute":"Invalid - unable to query attestation CA list"}`},
		{"POST", path, list(id, ca, second, true), 200, ""},
		{"GET", path, "", 200, `[]`},
		{"DELETE", path, "", 200, ""},
		{"GET", path, "", 200, ""},
		{"DELETE", "/v1/group/g/_attr/class", `["ACCOUNT_policy"]`, 200, ""},
		{"GET", "/v1/group/g/_attr/class", "", 200, `["group","object"]`},
	})
}

// TestBodiesAreReadBeforeTokens: who is refused hears what is wrong with the body first.
func TestBodiesAreReadBeforeTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.hears([]said{
		{"PATCH", "/v1/person/p", `{`, 400, wrongJSONText},
		{"POST", "/v1/person", `{}`, 422, wrongShapeText},
		{"POST", "/v1/person", `{"attrs":{}}`, 401, `"notauthenticated"`},
		{"POST", "/v1/recycle_bin/x/_revive", "", 401, `"notauthenticated"`},
		{"GET", "/scim/v1/Entry?filter=name", "", 400, wrongQueryText},
		{"GET", "/scim/v1/Entry?filter=name%20pr", "", 401, `"notauthenticated"`},
	})
}

// TestRedirectsWithoutToken: whoever asks for a login is told at once of a redirect URL that the client does not have, and only then
// that nobody is logged in.
func TestRedirectsWithoutToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.tokens["rw"], a.tokens["ro"] = a.s.Operator()
	a.hears([]said{
		{"POST", "/v1/oauth2/_basic", `{"attrs":{"name":["c"],"displayname":["c"],"oauth2_rs_origin_landing":["https://x.test/land"],"oauth2_rs_origin":["https://x.test/cb"]}}`, 200, ""},
		{"POST", "/v1/oauth2/_basic", `{"attrs":{"name":["d"],"displayname":["d"],"oauth2_rs_origin_landing":["https://x.test"],"oauth2_rs_origin":["https://x.test/cb"]}}`, 200, ""},
		{"PATCH", "/v1/oauth2/d", `{"attrs":{"oauth2_allow_insecure_client_disable_pkce":["true"]}}`, 200, ""},
	})
	const challenge = "&code_challenge_method=S256&code_challenge=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct {
		client, redirect, more string
		nobody, service        int
	}{
		{"c", "https://x.test/cb", challenge, 401, 403},
		{"c", "https://x.test/land", challenge, 401, 403},
		{"c", "https://X.test/cb", challenge, 401, 403},
		{"c", "https://x.test/cb/", challenge, 400, 400},
		{"c", "https://y.test/cb", challenge, 400, 400},
		{"c", "nonsense", challenge, 400, 400},
		{"nosuch", "https://x.test/cb", challenge, 400, 400},
		{"c", "https://x.test/cb", "", 400, 400},
		{"c", "https://x.test/cb", challenge + "&prompt=none", 400, 0}, // with a token: not seen
		{"d", "https://x.test/cb", "", 401, 403},
		{"d", "https://y.test/cb", "", 400, 400},
	} {
		path := "/oauth2/authorise?response_type=code&scope=openid&client_id=" + c.client + "&redirect_uri=" + c.redirect + c.more
		for token, want := range map[string]int{"": c.nobody, a.tokens["rw"]: c.service} {
			if resp, text := a.do("GET", path, token, nil, nil); want != 0 && resp.StatusCode != want {
				t.Errorf("%s, a token %t: %d %s, want %d", path, token != "", resp.StatusCode, text, want)
			}
		}
	}
}
