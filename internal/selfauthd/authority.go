package selfauthd

import (
	"crypto/x509"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// authorityList says which makes of security keys an account policy takes, by the authorities that vouch for them.
type authorityList struct {
	CAs map[string]authority `json:"cas"` // by the id of the authority's key, 32 bytes in base64
}

type authority struct {
	Models map[uuid.UUID]model `json:"aaguids"`
	All    *bool               `json:"blanket_allow"`
	CA     string              `json:"ca"` // its certificate, DER in base64
}

type model struct {
	Name      *string            `json:"en"`
	Localised map[string]*string `json:"localised"`
}

func parseAuthorities(value string) (list authorityList, ok bool) {
	if decodeStrictly([]byte(value), &list) != nil || list.CAs == nil {
		return list, false
	}
	for id, a := range list.CAs {
		key, err := decodeURLBase64(id)
		if err != nil || len(key) != 32 || a.Models == nil || a.All == nil {
			return list, false
		}
		der, err := decodeURLBase64(a.CA)
		if err != nil {
			return list, false
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			return list, false
		}
		for _, m := range a.Models {
			if m.Name == nil || m.Localised == nil || slices.Contains(slices.Collect(maps.Values(m.Localised)), nil) {
				return list, false
			}
		}
	}
	return list, true
}

func decodeURLBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which Go's decoder passes over
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

func (l authorityList) text() string { return string(mustMarshal(l)) }

// names are those of all models: all that the server shows of a list.
func (l authorityList) names() []string {
	names := []string{}
	for _, a := range l.CAs {
		for _, m := range a.Models {
			names = append(names, *m.Name)
		}
	}
	slices.Sort(names)
	return names
}

// together makes one list of many, as that is the one value which the attribute has.
func together(values []string) []string {
	if len(values) < 2 {
		return values
	}
	all := authorityList{map[string]authority{}}
	for _, v := range values {
		// They were checked when they came in.
		list, _ := parseAuthorities(v)
		for id, a := range list.CAs {
			if old, there := all.CAs[id]; there {
				maps.Copy(a.Models, old.Models)
				if *old.All || *a.All {
					a.Models, a.All = map[uuid.UUID]model{}, new(true) // what takes all of them names none
				}
			}
			all.CAs[id] = a
		}
	}
	return []string{all.text()}
}
