package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

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
