package planfile_test

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// TestIDIsOfEffects: the plan ID is the digest of all that apply decides by, and of nothing else. Each leaf of the
// effects (shapes and rows of users among them) is changed on its own, and the ID is another. Each leaf of basis,
// context and skipped users is changed on its own, and the ID stays, while the file's seal is another. Fields are
// found by reflection: a new one is covered as soon as it is there.
func TestIDIsOfEffects(t *testing.T) {
	t.Parallel()
	whole, id := full().write(t)
	seal := mustOpen(t, whole).Seal()
	if seal != state.Hash(sha256.Sum256(whole)) {
		t.Fatal("the seal is not the digest of the file")
	}
	effects, rest := 0, 0
	for n := 0; ; n++ {
		w := full()
		at := change(w, n)
		if at == "" {
			break
		}
		// The Writer makes them from what it was given. That nothing of them is lost on disk, TestRoundTrip shows.
		if strings.HasPrefix(at, "Plan.Effects.Segments") {
			continue
		}
		b, got := w.write(t)
		covered := strings.HasPrefix(at, "Plan.Effects") || strings.HasPrefix(at, "Segments")
		switch {
		case covered && got == id:
			t.Errorf("%s: another value, and the same plan ID", at)
		case !covered && got != id:
			t.Errorf("%s: another value, and another plan ID", at)
		case !covered && state.Hash(sha256.Sum256(b)) == seal:
			t.Errorf("%s: another value, and the same seal", at)
		case covered:
			effects++
		default:
			rest++
		}
	}
	if effects < 150 || rest < 80 {
		t.Errorf("only %d leaves of the effects and %d others were changed", effects, rest)
	}
}

// change gives the nth leaf of a plan another value and says where it is; "": there are fewer. A slice, a map and a
// pointer count as leaves as well: they lose what they hold.
func change(w *whole, n int) string {
	c := changer{left: n}
	c.walk(reflect.ValueOf(w).Elem(), "")
	return strings.TrimPrefix(c.at, ".")
}

type changer struct {
	left int
	at   string // of the leaf that was changed
}

// here says whether the leaf that was come to is the one to change.
func (c *changer) here(at string) bool {
	if c.left--; c.left == -1 {
		c.at = at
	}
	return c.left == -1
}

func (c *changer) walk(v reflect.Value, at string) {
	if c.at != "" {
		return
	}
	switch one := v.Interface().(type) {
	case time.Time:
		if c.here(at) {
			v.Set(reflect.ValueOf(one.Add(time.Second)))
		}
		return
	case uuid.UUID:
		if c.here(at) {
			one[7] = 1
			v.Set(reflect.ValueOf(one))
		}
		return
	case plan.Set:
		if c.here(at) {
			v.SetInt(int64(one%3) + 1) // another that is there
		}
		return
	case [][]int:
		c.sets(one, at)
		return
	case state.Value:
		v.Set(reflect.ValueOf(c.value(one, at)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		c.walk(v.Elem(), at)
		if c.here(at) {
			v.SetZero()
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(v.Index(i), fmt.Sprintf("%s[%d]", at, i))
		}
		if v.Len() > 0 && !isTable(v) && c.here(at) {
			v.Set(v.Slice(0, v.Len()-1))
		}
	case reflect.Map:
		c.entries(v, at)
	case reflect.Struct:
		for i := range v.NumField() {
			// The Writer fills in the index of a row's shape.
			if v.Type() != reflect.TypeFor[plan.UserChange]() || v.Type().Field(i).Name != "Shape" {
				c.walk(v.Field(i), at+"."+v.Type().Field(i).Name)
			}
		}
	case reflect.Array:
		if c.here(at) {
			v.Index(0).SetUint(v.Index(0).Uint() + 1)
		}
	default:
		if c.here(at) {
			other(v)
		}
	}
}

// value changes what a value of an attribute holds.
func (c *changer) value(v state.Value, at string) state.Value {
	text, list, grants, mapping, members := v.Text, v.List(), v.Grants(), v.Mapping(), v.Members()
	walk := func(one any) { c.walk(reflect.ValueOf(one).Elem(), at) }
	switch {
	case text != "":
		walk(&text)
	case list != nil:
		walk(&list)
		return state.ListValue(list)
	case grants != nil:
		walk(&grants)
		return state.GrantsValue(grants)
	case mapping != state.Mapping{}:
		walk(&mapping)
		return state.MappingValue(mapping.Role, mapping.Name)
	case members != nil:
		walk(&members)
		return state.MembersValue(members)
	}
	return state.TextValue(text)
}

// isTable says whether sets point into a slice, which so cannot lose anything.
func isTable(v reflect.Value) bool { return v.Type() == reflect.TypeFor[[]plan.Group]() }

// sets gives each set another group that is there.
func (c *changer) sets(sets [][]int, at string) {
	for i := range sets {
		for k := range sets[i] {
			if c.here(fmt.Sprintf("%s[%d][%d]", at, i, k)) {
				sets[i][k] = (sets[i][k] + 1) % 3
			}
		}
	}
}

// entries changes what a map holds, the key of each entry, and takes the entries away.
func (c *changer) entries(v reflect.Value, at string) {
	for _, k := range v.MapKeys() {
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(k))
		c.walk(value, at+"[]")
		v.SetMapIndex(k, value)
		if c.here(at + " key") {
			v.SetMapIndex(k, reflect.Value{})
			key := reflect.New(v.Type().Key()).Elem()
			key.SetString(k.String() + "x")
			v.SetMapIndex(key, value)
			return
		}
		if c.here(at) {
			v.SetMapIndex(k, reflect.Value{})
		}
	}
}

// other gives a plain value another one.
func other(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	default:
		panic("no such thing is in a plan: " + v.Type().String())
	}
}

// TestNoOrderOnDisk: closed sets of constants are on disk by their codes, never by their order in Go.
func TestNoOrderOnDisk(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(one reflect.Type) {
		if seen[one] {
			return
		}
		seen[one] = true
		switch one.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(one.Elem())
		case reflect.Map:
			walk(one.Key())
			walk(one.Elem())
		case reflect.Struct:
			for i := range one.NumField() {
				walk(one.Field(i).Type)
			}
		case reflect.Uint8:
			_, coded := reflect.Zero(one).Interface().(encoding.TextMarshaler)
			if one.PkgPath() != "" && !coded {
				t.Errorf("%s is on disk as a number", one)
			}
		}
	}
	walk(reflect.TypeFor[plan.Plan]())
	walk(reflect.TypeFor[plan.Shape]())
}
