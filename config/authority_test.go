package config

import (
	"strings"
	"testing"
)

// TestAuthorities: lists that a real server (1.10.5) refused, and those that it took, there with a certificate in place
// of MAA.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	const (
		id    = "dt-ygPmjlztXB1LWuF9myxBrUBOkjV2-hEodFn5Hmp0"
		model = `"a0000000-0000-4000-8000-000000000001":{"en":"Key","localised":{"de":"Schlüssel"}}`
		// MAA: an empty sequence
		good = `{"cas":{"` + id + `":{"aaguids":{` + model + `},"blanket_allow":false,"ca":"MAA"}}}`
	)
	noList := `it needs "cas", an object with an authority for each key id, as in {"cas": {}}`
	noCA, noSwitch := `the authority "`+id+`" needs "ca", its certificate: DER in base64 for URLs`,
		`the authority "`+id+`" needs "blanket_allow", true or false`
	noModels := `the authority "` + id + `" needs "aaguids", an object with the makes of its keys, {} for none`
	noModel := `the authority "` + id +
		`" needs "a0000000-0000-4000-8000-000000000001" in "aaguids" to be a UUID with {"en": "NAME", "localised": {}}`
	with := func(old, other string) string { return strings.Replace(good, old, other, 1) }
	for name, test := range map[string]struct{ text, want string }{
		"good":                 {good, ""},
		"no authority":         {`{"cas":{}}`, ""},
		"more than is known":   {`{"cas":{},"more":1}`, ""},
		"a number of any size": {`{"cas":{},"more":1` + strings.Repeat("0", 400) + `}`, ""},
		"padded":               {with(id, id+"="), ""},
		"of no make":           {with(model, ""), ""},
		"nothing":              {`{}`, noList},
		"null":                 {`{"cas":null}`, noList},
		"a list":               {`{"cas":[]}`, noList},
		"a text":               {`{"cas":"x"}`, noList},
		"in capitals":          {`{"CAS":{}}`, noList},
		"key id":               {with(id, "x"), `"x" in "cas" is no key id: 32 bytes in base64 for URLs`},
		"key id in base64": {with(id, strings.ReplaceAll(id, "-", "+")),
			`"` + strings.ReplaceAll(id, "-", "+") + `" in "cas" is no key id: 32 bytes in base64 for URLs`},
		"an empty authority":    {`{"cas":{"` + id + `":{}}}`, noCA},
		"a null authority":      {`{"cas":{"` + id + `":null}}`, noCA},
		"no DER":                {with("MAA", "AAAA"), noCA},
		"more than DER":         {with("MAA", "MAAA"), noCA},
		"PEM":                   {with("MAA", `-----BEGIN CERTIFICATE-----\n`), noCA},
		"a line's end":          {with("MAA", `MAA\n`), noCA},
		"null certificate":      {with(`"MAA"`, "null"), noCA},
		"switch as a text":      {with("false", `"false"`), noSwitch},
		"no switch":             {with(`"blanket_allow":false,`, ""), noSwitch},
		"makes in a list":       {with("{"+model+"}", `[]`), noModels},
		"no makes":              {with(`"aaguids":{`+model+`},`, ""), noModels},
		"no name":               {with(`"en":"Key",`, ""), noModel},
		"no translations":       {with(`,"localised":{"de":"Schlüssel"}`, ""), noModel},
		"a null translation":    {with(`"Schlüssel"`, "null"), noModel},
		"a make that is a text": {with(`{"en":"Key","localised":{"de":"Schlüssel"}}`, `"Key"`), noModel},
		"no UUID": {with("a0000000-0000-4000-8000-000000000001", "x"),
			strings.Replace(noModel, "a0000000-0000-4000-8000-000000000001", "x", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := authoritiesProblem(test.text); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
