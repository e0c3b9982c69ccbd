package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"

	"anthill/internal/regex"
	"anthill/state"
)

// tenantBlocks are all instances of all tenant blocks.
func (e *evaluator) tenantBlocks() (tenants []Tenant) {
	for _, n := range e.m.all("tenant") {
		list, known, ok := e.instances(n)
		if !ok {
			continue
		}
		for _, i := range list {
			if t := e.tenant(n, i); known {
				tenants = append(tenants, t)
			}
		}
	}
	slices.SortFunc(tenants, func(a, b Tenant) int { return strings.Compare(string(a.Address), string(b.Address)) })
	slugs := map[string]Tenant{}
	for _, t := range tenants {
		if first, taken := slugs[t.Slug]; taken {
			e.fail(e.m.index[t.Address.Block()].at, "Tenants with one slug",
				"%s and %s (%s line %d) have the same slug %q, which a tenant has alone.", t.Address, first.Address,
				first.Pos.File, first.Pos.Line, t.Slug)
		}
		slugs[t.Slug] = t
	}
	return tenants
}

func (e *evaluator) tenant(n *node, i instance) Tenant {
	r := e.reader(n, scope{each: i.each})
	t := Tenant{Address: i.address(n), Adopt: r.bool("adopt"), Attributes: state.Attributes{}, Pos: posOf(n.at)}
	t.Slug = e.tenantSlug(n, i, r)
	if strings.TrimSpace(t.Slug) == "" || len(t.Slug) > 100 || strings.ContainsFunc(t.Slug, isControl) {
		r.wrong("slug", "a text of 1 to 100 characters is needed, not %q", t.Slug)
	}
	t.Attributes[state.AttrSlug] = state.TextValue(t.Slug)
	for _, name := range []state.Attribute{state.AttrName, state.AttrPlan, state.AttrStatus} {
		if v, given := r.optionalText(string(name)); given {
			t.Attributes[name] = state.TextValue(v)
		}
	}
	name := t.Attributes.Text(state.AttrName)
	if n.args["name"] != nil && (strings.TrimSpace(name) == "" || len([]rune(name)) > 255) {
		if _, known := r.optionalText("name"); known {
			r.wrong("name", "a text of 1 to 255 characters is needed")
		}
	}
	if v, given := r.json("settings"); given {
		t.Attributes[state.AttrSettings] = state.TextValue(v)
	}
	return t
}

func (e *evaluator) tenantSlug(n *node, i instance, r reader) string {
	if slug, given := r.optionalText("slug"); given {
		return slug
	}
	if i.key != "" {
		return i.key
	}
	return n.label
}

// json reads an argument that is an object, or the JSON text of one, in the canonical form. Numbers are plain: a
// database would write others in its own way, and no plan would ever be empty.
func (r reader) json(name string) (string, bool) {
	r.spec(name, JSON)
	v, given := r.get(name)
	if !given || !v.IsWhollyKnown() {
		return "", false
	}
	var text string
	if v.Type() == cty.String {
		text = v.AsString()
	} else if b, err := json.Marshal(v, v.Type()); err == nil {
		text = string(b)
	}
	canonical, ok := state.CanonicalJSON(text)
	switch {
	case !ok || !strings.HasPrefix(canonical, "{"):
		r.wrong(name, "an object is needed, or the JSON text of one, not %s", describe(v))
	case strings.Contains(canonical, `\u0000`):
		r.wrong(name, "it holds a NUL, which no database keeps")
	case oddNumber().MatchString(canonical):
		r.wrong(name, "its numbers must be written plainly, without an exponent, -0 or zeros at the end")
	default:
		return canonical, true
	}
	return "", false
}

var oddNumber = regex.Lazy(`[:\[,](-?[0-9.]+[eE]|-0[,.\]}]|-?[0-9]+\.[0-9]*0[,\]}])`)

// tenantValue is what an expression sees of a tenant block: an object, or a map of them with for_each.
func (e *evaluator) tenantValue(n *node) (cty.Value, bool) {
	list, known, ok := e.instances(n)
	if !ok {
		return cty.NilVal, false
	}
	if !known {
		return cty.DynamicVal, true
	}
	objects := map[string]cty.Value{}
	for _, i := range list {
		before := len(e.diags)
		r := e.reader(n, scope{each: i.each})
		attrs := map[string]cty.Value{"slug": cty.StringVal(e.tenantSlug(n, i, r))}
		for _, name := range []string{"name", "plan", "status"} {
			attrs[name] = cty.NullVal(cty.String)
			if v, given := r.optionalText(name); given {
				attrs[name] = cty.StringVal(v)
			} else if n.args[name] != nil {
				attrs[name] = cty.UnknownVal(cty.String)
			}
		}
		if len(e.diags) > before {
			return cty.NilVal, false
		}
		v := cty.ObjectVal(attrs)
		if i.each == cty.NilVal {
			return v, true
		}
		objects[i.key] = v
	}
	if len(objects) == 0 {
		return cty.MapValEmpty(cty.Object(map[string]cty.Type{
			"slug": cty.String, "name": cty.String, "plan": cty.String, "status": cty.String,
		})), true
	}
	return cty.MapVal(objects), true
}

// plannedTenants are the live rows with the declared tenants, as planned, laid over them (L38).
func (e *evaluator) plannedTenants() ([]TenantData, bool) {
	l := layer(slices.Clone(e.data.Tenants))
	for _, n := range e.m.all("tenant") {
		at := hcl.Traversal{hcl.TraverseRoot{Name: "tenant", SrcRange: n.at}}
		v, ok := e.lookup(n.address(), at, scope{})
		if !ok {
			return nil, false
		}
		list, known, ok := e.instances(n)
		if !ok || !known || !v.IsKnown() {
			return l.rows, ok
		}
		for _, i := range list {
			one := v
			if i.each != cty.NilVal {
				one = v.Index(cty.StringVal(i.key))
			}
			l.lay(one, e.data.Recorded[i.address(n)])
		}
	}
	for i := range l.rows {
		if e.awake {
			l.rows[i].Status = "active"
		}
	}
	return l.rows, true
}

// layered are rows of tenants, with what is declared laid over them one by one.
type layered struct {
	rows   []TenantData
	byID   map[uuid.UUID]int
	bySlug map[string]int // the first of its slug
}

func layer(rows []TenantData) *layered {
	l := &layered{rows: rows, byID: make(map[uuid.UUID]int, len(rows)), bySlug: make(map[string]int, len(rows))}
	for n := range rows {
		l.byID[rows[n].ID] = n
		l.name(n)
	}
	return l
}

func (l *layered) name(n int) {
	if _, taken := l.bySlug[l.rows[n].Slug]; !taken {
		l.bySlug[l.rows[n].Slug] = n
	}
}

// lay lays one declared tenant over the rows.
func (l *layered) lay(v cty.Value, recorded uuid.UUID) {
	text := func(name string) string {
		if a := v.GetAttr(name); a.IsKnown() && !a.IsNull() {
			return a.AsString()
		}
		return ""
	}
	slug := text("slug")
	n, there := l.bySlug[slug]
	if recorded != uuid.Nil {
		n, there = l.byID[recorded]
	}
	if !there {
		n = len(l.rows)
		l.rows = append(l.rows, TenantData{Plan: "free", Status: "active"})
	}
	t := &l.rows[n]
	if t.Slug != slug {
		if l.bySlug[t.Slug] == n {
			delete(l.bySlug, t.Slug)
		}
		t.Slug = slug
	}
	l.name(n)
	for name, field := range map[string]*string{"name": &t.Name, "plan": &t.Plan, "status": &t.Status} {
		if s := text(name); s != "" {
			*field = s
		}
	}
}

func tenantType() cty.Type {
	return cty.Object(map[string]cty.Type{
		"id": cty.String, "slug": cty.String, "name": cty.String, "plan": cty.String, "status": cty.String,
	})
}

// dataTenants is the value of a data "tenants" block: a map by slug of the live rows that fit.
func (e *evaluator) dataTenants(n *node) (cty.Value, bool) {
	before := len(e.diags)
	r := e.reader(n, scope{})
	fits := func(name string) func(string) bool {
		list, known := r.strings(name)
		return func(v string) bool { return !known || slices.Contains(list, v) }
	}
	status, plans, slugs := fits("status"), fits("plans"), fits("slugs")
	if len(e.diags) > before {
		return cty.NilVal, false
	}
	if e.data == nil {
		return cty.UnknownVal(cty.Map(tenantType())), true
	}
	planned, ok := e.plannedTenants()
	if !ok {
		return cty.NilVal, false
	}
	rows := map[string]cty.Value{}
	for _, t := range planned {
		if t.Deleted || !status(t.Status) || !plans(t.Plan) || !slugs(t.Slug) {
			continue
		}
		slug := cty.NormalizeString(t.Slug)
		if _, taken := rows[slug]; taken {
			e.fail(n.at, "Tenants that look alike",
				"Two tenants have the slug %q, written with different bytes for one character. Change one of them "+
					"in the application.", slug)
			return cty.NilVal, false
		}
		id := cty.StringVal(t.ID.String())
		if t.ID == uuid.Nil {
			id = cty.UnknownVal(cty.String).RefineNotNull() // its row is not made yet (L38)
		}
		rows[slug] = cty.ObjectVal(map[string]cty.Value{
			"id": id, "slug": cty.StringVal(t.Slug), "name": cty.StringVal(t.Name), "plan": cty.StringVal(t.Plan),
			"status": cty.StringVal(t.Status),
		})
	}
	if len(rows) == 0 {
		return cty.MapValEmpty(tenantType()), true
	}
	return cty.MapVal(rows), true
}

// tenantSlugs returns the tenants' slugs as the database has them, and finds those that no tenant has, live or not. A
// tenant that is suspended or deleted is no typing error. Texts of expressions are normalised (NFC), slugs of the
// database need not be. Without data the slugs come back as they are.
func (e *evaluator) tenantSlugs(r reader, name string, slugs []string) []string {
	if e.data == nil || slugs == nil {
		return slugs
	}
	if e.slugs == nil {
		e.slugs = make(map[string]string, len(e.data.Tenants))
		planned, _ := e.plannedTenants()
		for _, t := range slices.Concat(e.data.Tenants, planned) {
			e.slugs[cty.NormalizeString(t.Slug)] = t.Slug
		}
	}
	found := []string{}
	for _, s := range slugs {
		if slug, ok := e.slugs[s]; ok {
			found = append(found, slug)
		} else {
			e.fail(r.at(name), "Unknown tenant", "There is no tenant with the slug %q in the database.%s", s,
				didYouMean(s, slices.Collect(maps.Keys(e.slugs))))
		}
	}
	slices.Sort(found)
	return found
}
