package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// moves are the moved blocks.
func (e *evaluator) moves() (list []Move) {
	places := map[Move]hcl.Range{}
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
			list, places[m] = append(list, m), n.at
		}
	}
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(strings.Compare(string(a.From), string(b.From)), strings.Compare(string(a.To), string(b.To)))
	})
	e.checkMoves(list, places)
	return list
}

// checkMoves reports moves that say more than one thing: an object goes to one address, and only one comes to it. A chain
// (a to b, b to c) is fine, a ring is none.
func (e *evaluator) checkMoves(list []Move, places map[Move]hcl.Range) {
	to, from := map[state.Address]Move{}, map[state.Address]Move{}
	for _, m := range list {
		if other, twice := from[m.From]; twice {
			e.fail(places[m], "Moved twice", "%s has moved to %s, and to %s as well. Remove one of the two blocks.",
				m.From, other.To, m.To)
		}
		if other, twice := to[m.To]; twice {
			e.fail(places[m], "Moved twice", "Both %s and %s have moved to %s. Remove one of the two blocks.",
				other.From, m.From, m.To)
		}
		from[m.From], to[m.To] = m, m
	}
	clean := map[state.Address]bool{} // no ring is reached from there
	for _, m := range list {
		var met []state.Address
		at := m.From
		for !clean[at] {
			if slices.Contains(met, at) {
				e.fail(places[m], "Moved in a ring", "%s comes back to its own address by the moved blocks. Remove those that "+
					"have been done.", at)
				return
			}
			met = append(met, at)
			next, goesOn := from[at]
			if !goesOn {
				break
			}
			at = next.To
		}
		for _, a := range met {
			clean[a] = true
		}
	}
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
