package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// instance is one element of a block's for_each.
type instance struct {
	key  string
	each cty.Value // cty.NilVal without for_each
}

// address is the instance's, as people write it.
func (i instance) address(n *node) state.Address {
	if i.each == cty.NilVal {
		return state.Address(n.address())
	}
	return state.Address(fmt.Sprintf("%s[%s]", n.address(), hclwrite.TokensForValue(cty.StringVal(i.key)).Bytes()))
}

// instances are the instances of a block, by key. Where for_each is not known yet, there is one with an unknown key.
func (e *evaluator) instances(n *node) (list []instance, known, ok bool) {
	a := n.args["for_each"]
	if a == nil {
		return []instance{{}}, true, true
	}
	v, ok := e.value(a.Expr, scope{})
	if !ok {
		return nil, false, false
	}
	// Without live data (Validate) a for_each over it is unknown. One instance with an unknown key stands for all then, so
	// that the block's other arguments are checked all the same.
	t := v.Type()
	isMap := t.IsMapType() || t.IsObjectType()
	isSet := t.IsSetType()
	switch {
	case v.IsNull():
		e.fail(a.Expr.Range(), "Null value",
			"The for_each of %s is null. Give it a map or a set of texts; an empty one makes no instance.", n.title())
		return nil, false, false
	case !v.IsKnown() && (isMap || isSet || t == cty.DynamicPseudoType):
		value := cty.DynamicVal
		if isMap && t.IsMapType() {
			value = cty.UnknownVal(t.ElementType()).RefineNotNull()
		}
		return []instance{{each: eachOf(cty.UnknownVal(cty.String).RefineNotNull(), value)}}, false, true
	case !v.IsWhollyKnown() && isSet:
		return []instance{{each: eachOf(cty.UnknownVal(cty.String).RefineNotNull(),
			cty.UnknownVal(cty.String).RefineNotNull())}}, false, true
	case t.IsListType(), t.IsTupleType():
		e.fail(a.Expr.Range(), "Invalid value",
			"The for_each of %s is a list, whose elements have no names. Make it a set: toset(...).", n.title())
		return nil, false, false
	case !isMap && !isSet, isSet && t.ElementType() != cty.String && v.LengthInt() > 0:
		e.fail(a.Expr.Range(), "Invalid value", "The for_each of %s is %s, and a map or a set of texts is needed.",
			n.title(), describe(v))
		return nil, false, false
	}
	if !e.meter.more(a.Expr.Range(), v.LengthInt()) {
		e.diags = append(e.diags, e.meter.over)
		return nil, false, false
	}
	for it := v.ElementIterator(); it.Next(); {
		k, item := it.Element()
		if isSet {
			k = item
		}
		if k.IsNull() {
			e.fail(a.Expr.Range(), "Null value", "The for_each of %s holds a null.", n.title())
			return nil, false, false
		}
		list = append(list, instance{k.AsString(), eachOf(k, item)})
	}
	// cty keeps maps in the order of their keys, but sets in the order of hashes.
	slices.SortFunc(list, func(a, b instance) int { return strings.Compare(a.key, b.key) })
	return list, true, true
}

func eachOf(key, value cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
}
