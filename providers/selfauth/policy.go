package selfauth

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"anthill/state"
)

// policySpec is the row of policies in the table of kinds. Their attributes are spelled as the server spells them.
var policySpec = state.KindPolicy.Spec()

func policyNames() []string {
	names := make([]string, len(policySpec.Attributes))
	for i, a := range policySpec.Attributes {
		names[i] = string(a.Name)
	}
	return names
}

// decodeSetting decodes a value of a policy, of whatever type it is in the answer.
func decodeSetting(dec *json.Decoder, form state.Form) (state.Value, error) {
	text, err := decodeText(dec)
	if canonical, ok := state.CanonicalJSON(text); ok && form == state.FormJSON {
		text = canonical
	}
	return state.TextValue(text), err
}

// decodeText decodes a value of any type as its text.
func decodeText(dec *json.Decoder) (string, error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return "", err
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.String(), err
}

// enablePolicy puts a policy without settings on a group.
func (a accounts) enablePolicy(ctx context.Context, group uuid.UUID) error {
	return a.conn.write(ctx, policyCall(http.MethodPost, group, "enable a policy"))
}

// disablePolicy takes away the settings first, which would come back with the next policy, and then the policy.
func (a accounts) disablePolicy(ctx context.Context, group uuid.UUID, was state.Attributes) error {
	none := make(state.Attributes, len(was))
	for name := range was {
		none[name] = state.Value{}
	}
	if err := a.changePolicy(ctx, group, was, none); err != nil {
		return err
	}
	return a.conn.write(ctx, policyCall(http.MethodDelete, group, "disable a policy"))
}

func policyCall(method string, group uuid.UUID, doing string) call {
	return call{
		method: method,
		path:   attribute(group, "class"),
		body:   encode([]string{"account_policy"}),
		doing:  doing,
		right:  policyAdmins,
		twice:  true,
	}
}

func (a accounts) changePolicy(ctx context.Context, group uuid.UUID, from, to state.Attributes) error {
	patch := map[string][]string{}
	for _, spec := range policySpec.Attributes {
		if v, given := to[spec.Name]; given && !v.Equal(from[spec.Name]) {
			patch[string(spec.Name)] = oneOrNone(v.Text)
		}
	}
	return a.patch(ctx, call{path: "/v1/group/" + group.String(), doing: "change a policy", right: policyAdmins}, patch)
}
