package providers

import "encoding/json"

// Claims are a client's claim maps in the canonical form of the attribute claim_maps: by claim.
type Claims map[string]Claim

// Claim is how the values of a claim are put together (array, csv, ssv), and which values the members of groups get.
type Claim struct {
	Join   string              `json:"join"`
	Values map[string][]string `json:"values"` // by the group's id, sorted
}

// Add gives the members of a group values of a claim.
func (c Claims) Add(claim, join, group string, values []string) {
	now, ok := c[claim]
	if !ok {
		now.Values = map[string][]string{}
	}
	now.Join = join
	now.Values[group] = values
	c[claim] = now
}

// ReadClaims reads the attribute; what is no such text holds none.
func ReadClaims(text string) Claims {
	c := Claims{}
	if json.Unmarshal([]byte(text), &c) != nil {
		return Claims{}
	}
	return c
}
