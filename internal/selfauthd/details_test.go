package selfauthd

import (
	"encoding/json"
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

// details are what the recordings leave open and a real server was asked about, each on a fresh server.
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
)
