package selfauthd

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

func (q *request) newToken() (any, *fault) {
	var in struct {
		Label     *string `json:"label"`
		Expiry    *int64  `json:"expiry"`
		ReadWrite *bool   `json:"read_write"`
		Compact   bool    `json:"compact"`
	}
	err := q.decode(&in, func() string {
		switch {
		case in.Label == nil:
			return "label"
		case in.ReadWrite == nil:
			return "read_write"
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	e := q.pick(serviceAccount)
	switch {
	case e == nil:
		return nil, noMatching
	case q.caller.readOnly || !q.manages(e):
		return nil, accessDenied
	}
	return q.s.issue(e, tokenRequest{Label: *in.Label, Expiry: in.Expiry, ReadWrite: *in.ReadWrite,
		Compact: in.Compact}), nil
}

func (q *request) listTokens() (any, *fault) {
	e, err := q.account()
	if err != nil {
		return nil, err
	}
	if e.account == nil || !q.manages(e) && !q.caller.in(idmServiceAccountAdmins) {
		return []apiToken{}, nil
	}
	list := make([]apiToken, 0, len(e.account.tokens))
	for _, t := range e.account.tokens {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b apiToken) int { return strings.Compare(a.TokenID.String(), b.TokenID.String()) })
	return list, nil
}

func (q *request) dropToken() (any, *fault) {
	id, err := uuid.Parse(q.vars[1])
	if err != nil {
		return nil, &fault{status: http.StatusBadRequest, text: "Invalid URL: Cannot parse `token_id`"}
	}
	e := q.pick(serviceAccount)
	if e == nil {
		return nil, noMatching
	}
	if q.caller.readOnly {
		return nil, accessDenied
	}
	delete(e.account.tokens, id)
	q.store.touch(e)
	return nil, nil
}
