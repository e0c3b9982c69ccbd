package config

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// authoritiesProblem says what Self-auth would refuse in a list of the authorities of passkeys (tried on 1.10.5);
// empty: nothing. Members that it does not know are passed over, as it does.
func authoritiesProblem(text string) string {
	var list any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // of any size
	if err := d.Decode(&list); err != nil {
		panic(err) // it was read already
	}
	cas, ok := member[map[string]any](list, "cas")
	if !ok {
		return `it needs "cas", an object with an authority for each key id, as in {"cas": {}}`
	}
	for _, id := range slices.Sorted(maps.Keys(cas)) {
		if key, err := decodeBase64(id); err != nil || len(key) != 32 {
			return fmt.Sprintf(`%q in "cas" is no key id: 32 bytes in base64 for URLs`, id)
		}
		if what := authorityProblem(cas[id]); what != "" {
			return fmt.Sprintf("the authority %q needs %s", id, what)
		}
	}
	return ""
}

// authorityProblem says what an authority lacks.
func authorityProblem(a any) string {
	ca, ok := member[string](a, "ca")
	der, err := decodeBase64(ca)
	if rest, notASN1 := asn1.Unmarshal(der, new(asn1.RawValue)); !ok || err != nil || notASN1 != nil || len(rest) > 0 {
		return `"ca", its certificate: DER in base64 for URLs`
	}
	if _, ok := member[bool](a, "blanket_allow"); !ok {
		return `"blanket_allow", true or false`
	}
	models, ok := member[map[string]any](a, "aaguids")
	if !ok {
		return `"aaguids", an object with the makes of its keys, {} for none`
	}
	for _, id := range slices.Sorted(maps.Keys(models)) {
		_, named := member[string](models[id], "en")
		names, ok := member[map[string]any](models[id], "localised")
		for _, name := range names {
			_, text := name.(string)
			named = named && text
		}
		if _, err := uuid.Parse(id); err != nil || !named || !ok {
			return fmt.Sprintf(`%q in "aaguids" to be a UUID with {"en": "NAME", "localised": {}}`, id)
		}
	}
	return ""
}

// member is a member of a JSON object; ok false: there is none, it is of another type, or it is no object.
func member[T any](object any, name string) (value T, ok bool) {
	m, _ := object.(map[string]any)
	value, ok = m[name].(T)
	return value, ok
}

func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which Go's decoder passes over
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}
