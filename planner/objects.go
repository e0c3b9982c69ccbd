package planner

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// objectPlan is what planning the declared objects comes to.
type objectPlan struct {
	changes    []ObjectChange // in the order of apply
	unchanged  int
	dormant    []string
	outside    []string
	notes      []string
	hazards    []Hazard
	violations []string // of isolation, that taking something over would make
	where      map[state.Address]string
	diags      hcl.Diagnostics
}

// objectPlanner compares declared objects with recorded and observed ones.
type objectPlanner struct {
	*world
	objectPlan
	recorded map[state.Address]state.Object  // not met yet
	declared map[state.Address]bool          // addresses of all declared objects
	moved    map[state.Address]state.Address // declared address -> recorded one, by moved blocks
	groupID  map[state.Address]uuid.UUID     // of declared groups, as they will be
	dormants map[uuid.UUID]bool              // groups that are kept though they are not declared at present
	clients  map[uuid.UUID]providers.Client  // live
	gapOf    int64                           // members of the groups that go
	byClient map[string]uuid.UUID            // by name
}

// planObjects plans all declared objects and those that are declared no more, fills in the tenants' wanted groups, and
// says which tenants cannot be served. mappings are all rows of the mapping table.
func (w *world) planObjects(mappings []providers.Mapping) *objectPlan {
	p := &objectPlanner{world: w, recorded: map[state.Address]state.Object{}, declared: map[state.Address]bool{},
		moved: map[state.Address]state.Address{}, groupID: map[state.Address]uuid.UUID{}, dormants: map[uuid.UUID]bool{}, clients: map[uuid.UUID]providers.Client{}, byClient: map[string]uuid.UUID{}}
	p.where = map[state.Address]string{}
	c := w.in.Config
	for _, o := range w.in.State.Objects {
		p.recorded[o.Address] = o
	}
	w.rows, w.deleting = map[[2]uuid.UUID]providers.Mapping{}, map[uuid.UUID]state.Address{}
	for _, m := range mappings {
		w.rows[[2]uuid.UUID{m.Tenant, m.Group}] = m
	}
	for _, l := range w.liveClients {
		p.clients[l.ID] = l
		p.byClient[l.Name] = l.ID
	}
	for _, t := range c.Tenants {
		p.declared[t.Address] = true
	}
	for _, g := range c.Groups {
		p.declared[g.Address] = true
	}
	for _, x := range c.Clients {
		p.declared[x.Address] = true
	}
	for _, a := range c.Accounts {
		p.declared[a.Address] = true
	}
	for _, m := range c.Moved {
		p.moved[m.To] = m.From
		if p.declared[m.From] {
			p.diags = p.diags.Append(fail("Moved and still declared", "moved (%s:%d): %s is still declared, so nothing has moved from there. Remove the moved block, or the declaration.", m.Pos.File, m.Pos.Line, m.From))
		}
	}
	p.planTenants()
	p.planGroups(c.Groups)
	p.planGone(state.KindGroup)
	p.planPolicies(c.Accounts)
	p.planClients(c.Clients)
	p.planGone(state.KindTenant, state.KindPolicy, state.KindClient)
	p.orderLast()
	w.nameGroups(p.changes)
	return &p.objectPlan
}

// take returns what is recorded of a declared object, under its address or under the one it moved from.
func (p *objectPlanner) take(a state.Address) (rec state.Object, from state.Address, has bool) {
	if rec, has = p.recorded[a]; has && !rec.Deleted {
		delete(p.recorded, a)
		return rec, "", true
	}
	if before, ok := p.movedFrom(a); ok {
		if old, there := p.recorded[before]; there && (!old.Deleted || old.Paused) && !p.declared[before] {
			delete(p.recorded, before)
			delete(p.recorded, a)
			return old, before, true
		}
	}
	delete(p.recorded, a)
	return rec, "", has
}

// movedFrom is the address that an object had before, by a moved block of it or of its whole block.
func (p *objectPlanner) movedFrom(a state.Address) (state.Address, bool) {
	if before, ok := p.moved[a]; ok {
		return before, true
	}
	block := a.Block()
	before, ok := p.moved[state.Address(block)]
	return before + a[len(block):], ok && len(a) > len(block)
}

// nameInUse reports a name that an object is to have and another entry has.
func (p *objectPlanner) nameInUse(a state.Address, pos config.Pos, name string, own uuid.UUID) bool {
	holder := p.dir.byName[name]
	if holder == uuid.Nil {
		holder = p.byClient[name]
	}
	switch {
	case holder == own && own != uuid.Nil, holder == uuid.Nil && !p.dir.nameTaken(p.dir.hash(name)):
		return false
	}
	whose := "an entry of Self-auth that Anthill did not make"
	for _, rec := range p.in.State.Objects {
		if rec.ID == holder && !rec.Deleted && rec.Kind != state.KindPolicy && holder != uuid.Nil {
			whose = string(rec.Address) + ", which has it still: one plan gives a name up, the next one takes it"
		}
	}
	p.diags = p.diags.Append(fail("Name in use", "%s (%s:%d): the name %q belongs to %s. Persons, groups, clients and accounts of Self-auth share one set of names.", a, pos.File, pos.Line, name, whose))
	return true
}

// paused says whether an object was taken back and waits for a wave to go on; then it is left as it is.
func (p *objectPlanner) paused(a state.Address, rec state.Object, has bool) bool {
	if !has || !rec.Paused {
		return false
	}
	p.dormant = append(p.dormant, fmt.Sprintf("%s: taken back by run %s, paused until a wave of it is resumed", a, rec.Run))
	return true
}

// add puts a change into the plan; one without an action is none.
func (p *objectPlanner) add(c ObjectChange, pos config.Pos) {
	if c.Action == "" {
		p.unchanged++
		return
	}
	if c.From != "" {
		c.Text = append(c.Text, "was "+string(c.From))
	}
	if pos.File != "" {
		p.where[c.Address] = fmt.Sprintf("%s:%d", pos.File, pos.Line)
	}
	p.changes = append(p.changes, c)
}

// compare returns what of an object must be written: the wanted values that it does not have, and what it has instead.
func compare(live, want state.Attributes) (was, will state.Attributes) {
	was, will = state.Attributes{}, state.Attributes{}
	for k, v := range want {
		if live[k] == v {
			continue
		}
		will[k] = v
		if live[k] != "" {
			was[k] = live[k]
		}
	}
	return was, will
}

// set leaves out the values that are not set.
func set(a state.Attributes) state.Attributes {
	out := state.Attributes{}
	for k, v := range a {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// settle compares an object that is there with what is wanted, and fills in action, images and text. drifted names are
// those that somebody else changed since we wrote them.
func (p *objectPlanner) settle(c *ObjectChange, live, want state.Attributes) {
	c.Was, c.Will = compare(live, want)
	if len(c.Will) > 0 || c.From != "" {
		c.Action = Update
	}
	c.Text = append(c.Text, texts(c.Was, c.Will)...)
	if c.Before == nil {
		return
	}
	for _, k := range sortedNames(c.Will) {
		if wrote := c.Before.Attributes[k]; !c.Before.Deleted && wrote == want[k] && c.Before.Attributes != nil {
			p.outside = append(p.outside, fmt.Sprintf("%s: %s: set back", c.Address, driftText(k, wrote, live[k])))
		}
	}
}

func sortedNames(a state.Attributes) []string {
	names := make([]string, 0, len(a))
	for k := range a {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// texts says in words what changes.
func texts(was, will state.Attributes) (list []string) {
	for _, k := range sortedNames(will) {
		switch {
		case strings.HasSuffix(k, "_maps"):
			list = append(list, label(k)+": "+mapText(was[k], will[k]))
		case isList(was[k]) || isList(will[k]):
			list = append(list, label(k)+": "+listText(was[k], will[k]))
		case will[k] == "":
			list = append(list, fmt.Sprintf("%s: %s -> not set", label(k), quoted(was[k])))
		case was[k] == "":
			list = append(list, fmt.Sprintf("%s: %s", label(k), quoted(will[k])))
		default:
			list = append(list, fmt.Sprintf("%s: %s -> %s", label(k), quoted(was[k]), quoted(will[k])))
		}
	}
	return list
}

// driftText says in words what somebody else made of a value that we wrote.
func driftText(name, wrote, live string) string {
	switch {
	case strings.HasSuffix(name, "_maps"):
		return label(name) + " were changed (" + mapText(wrote, live) + ")"
	case isList(wrote) || isList(live):
		return label(name) + " were changed (" + listText(wrote, live) + ")"
	}
	return label(name) + " was changed to " + quoted(live)
}

// isList says whether a value is a list of texts; lists of ids are counted, not shown.
func isList(v string) bool {
	var texts []string
	var ids []uuid.UUID
	return strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &texts) == nil && json.Unmarshal([]byte(v), &ids) != nil
}

// listChange is what of a list goes and what comes.
func listChange(was, will string) (gone, come []string) {
	var before, after []string
	_ = json.Unmarshal([]byte(was), &before) // ours, or empty
	_ = json.Unmarshal([]byte(will), &after)
	for _, v := range before {
		if !slices.Contains(after, v) {
			gone = append(gone, v)
		}
	}
	for _, v := range after {
		if !slices.Contains(before, v) {
			come = append(come, v)
		}
	}
	return gone, come
}

// listText says in words what becomes of a list, and leaves nothing out: the place where an attacker's address stands is
// as good as any.
func listText(was, will string) string {
	gone, come := listChange(was, will)
	if was == "" {
		return strings.Join(come, ", ")
	}
	for i := range come {
		come[i] = "+ " + come[i]
	}
	for _, v := range gone {
		come = append(come, "- "+v)
	}
	return strings.Join(come, ", ")
}

const shownMaps = 4

// mapText says in words what becomes of a client's maps, with the ids of groups, which give way to their names later.
func mapText(was, will string) string {
	before, after := flatMaps(was), flatMaps(will)
	both := maps.Clone(before)
	maps.Copy(both, after)
	alike := map[string][]string{} // what becomes of it -> of which groups: what differs from the rest stands out
	for _, k := range slices.Sorted(maps.Keys(both)) {
		a, had := before[k]
		b, has := after[k]
		switch {
		case !had:
			alike["+ "+b] = append(alike["+ "+b], k)
		case !has:
			alike["- "+a] = append(alike["- "+a], k)
		case a != b:
			alike[a+" -> "+b] = append(alike[a+" -> "+b], k)
		}
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(alike)) {
		groups := alike[what]
		if len(groups) > shownMaps+1 {
			groups = append(groups[:shownMaps:shownMaps], fmt.Sprintf("%d more", len(groups)-shownMaps))
		}
		parts = append(parts, what+" for "+strings.Join(groups, ", "))
	}
	return strings.Join(parts, "; ")
}

// flatMaps reads scope maps or claim maps: by group, or by claim and group, what its members get.
func flatMaps(text string) map[string]string {
	flat := map[string]string{}
	var scopes map[string][]string
	if json.Unmarshal([]byte(text), &scopes) == nil {
		for g, list := range scopes {
			flat[g] = "(" + strings.Join(list, " ") + ")"
		}
		return flat
	}
	for claim, c := range providers.ReadClaims(text) {
		for g, list := range c.Values {
			flat[g+" in "+claim] = "(" + strings.Join(list, " ") + " as " + c.Join + ")"
		}
	}
	return flat
}

var anID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// nameGroups puts names for the ids of groups into what is shown of changes.
func (w *world) nameGroups(changes []ObjectChange) {
	names := map[string]string{}
	for id, g := range w.dir.groups {
		names[id.String()] = g.name
	}
	for _, c := range changes {
		if c.Kind == state.KindGroup && c.After != nil {
			names[c.After.ID.String()] = c.After.Attributes["name"]
		}
	}
	for i := range changes {
		if changes[i].Kind != state.KindClient {
			continue
		}
		for k, text := range changes[i].Text {
			changes[i].Text[k] = anID.ReplaceAllStringFunc(text, func(id string) string {
				if name := names[id]; name != "" {
					return name
				}
				return id
			})
		}
	}
}

func label(name string) string {
	switch name {
	case "mapping":
		return "mapping row"
	case "strangers":
		return "members who do not belong"
	}
	return strings.ReplaceAll(name, "_", " ")
}

const shownText = 120

func quoted(v string) string {
	switch {
	case v == "":
		return "not set"
	case len(v) > 2 && strings.Contains("[{", v[:1]):
	default:
		return v
	}
	var list []uuid.UUID
	if json.Unmarshal([]byte(v), &list) == nil {
		return fmt.Sprintf("%d", len(list))
	}
	if r := []rune(v); len(r) > shownText {
		sum := sha256.Sum256([]byte(v)) // two that begin alike are told apart
		return fmt.Sprintf("%s… (%d bytes, SHA-256 %x…)", string(r[:shownText]), len(v), sum[:4])
	}
	return v
}

// planGone plans what is recorded and declared no more.
func (p *objectPlanner) planGone(kinds ...state.Kind) {
	for _, rec := range p.in.State.Objects {
		if _, gone := p.recorded[rec.Address]; !gone || rec.Deleted || !slices.Contains(kinds, rec.Kind) {
			continue
		}
		if p.paused(rec.Address, rec, true) {
			continue
		}
		switch rec.Kind {
		case state.KindTenant:
			before := rec
			p.add(ObjectChange{Address: rec.Address, Kind: rec.Kind, Action: Forget, Before: &before, Was: state.Attributes{}, Will: state.Attributes{},
				Text: []string{"tenant " + rec.Attributes["slug"] + " is declared no more: its row stays"}}, config.Pos{})
		case state.KindGroup:
			p.goneGroup(rec)
		case state.KindPolicy:
			p.gonePolicy(rec)
		case state.KindClient:
			p.goneClient(rec)
		}
	}
}

// orderLast puts what must wait for the users behind: deletions, and where groups go the changes of clients, which let
// go of them.
func (p *objectPlanner) orderLast() {
	for _, c := range p.changes {
		if _, maps := c.Will["scope_maps"]; maps && c.Kind == state.KindClient && c.Was != nil && p.gapOf > 0 {
			p.raise(LoginGap, p.gapOf, fmt.Sprintf("%s: members of groups that go are refused until they are in the new groups and the client has those in its scope_map. To avoid that, add the new groups in one plan and take the old ones away in the next", c.Address))
			break
		}
	}
	groupsGo := slices.ContainsFunc(p.changes, func(c ObjectChange) bool { return c.Kind == state.KindGroup && c.Action == Delete })
	for i := range p.changes {
		c := &p.changes[i]
		c.Last = c.Action == Delete || c.Action == Forget || groupsGo && c.Kind == state.KindClient && c.Action == Update
	}
	slices.SortStableFunc(p.changes, func(a, b ObjectChange) int { return cmp.Compare(rank(a), rank(b)) })
}

// rank orders changes as apply carries them out: what others are made of first, and what waits for the users in the
// opposite order, so that a client lets go of groups before they go.
func rank(c ObjectChange) int {
	n := slices.Index([]state.Kind{state.KindTenant, state.KindGroup, state.KindPolicy, state.KindClient}, c.Kind)
	if c.Last {
		return 10 - n
	}
	return n
}

// maxGeneration is how far an object of ours is looked for where the state is lost.
const maxGeneration = 16

func (w *world) tenantOf(id uuid.UUID) *tenant {
	if i := w.tenantIndex(id); i >= 0 {
		return &w.tenants[i]
	}
	return nil
}

func (w *world) bySlug() map[string]*tenant {
	m := make(map[string]*tenant, len(w.tenants))
	for i := range w.tenants {
		if t := &w.tenants[i]; !t.Deleted || m[t.Slug] == nil {
			m[t.Slug] = t
		}
	}
	return m
}

func tenantAway(t *tenant) string {
	switch {
	case t == nil:
		return "gone"
	case t.Deleted:
		return "deleted"
	}
	return t.Status
}

func fail(summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}
