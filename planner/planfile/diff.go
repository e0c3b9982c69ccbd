package planfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// DiffKind says what became of an effect from one plan to another.
type DiffKind string

// The kinds. DiffRebased: the same effect, which relies on a row that has changed between the plans.
const (
	DiffNew     DiffKind = "new"
	DiffGone    DiffKind = "gone"
	DiffChanged DiffKind = "changed"
	DiffRebased DiffKind = "rebased"
	DiffSame    DiffKind = "same"
)

// DiffCounts count by kind; what is not there is 0.
type DiffCounts map[DiffKind]int64

// UserDiff is what became of the change of a user.
type UserDiff struct {
	Kind     DiffKind
	User     uuid.UUID
	Old, New *Placed // nil: it is not in that plan
}

// Place is the side on which the user's change stands: the newer one, if it has any.
func (d UserDiff) Place() *Placed {
	if d.New != nil {
		return d.New
	}
	return d.Old
}

// Placed is where the change of a user stands in a plan.
type Placed struct {
	Segment plan.Segment
	Shape   *plan.Shape

	change plan.UserChange
	key    int // the same for shapes that mean the same, in both plans
}

// TenantDiff counts what became of users of one tenant in one sort of segment.
type TenantDiff struct {
	Kind   plan.SegmentKind `json:"kind"`
	Wave   string           `json:"wave,omitempty"`
	Tenant plan.Tenant      `json:"tenant"`
	Users  DiffCounts       `json:"users"`
}

// ObjectDiff is what became of the change of an object; those that are the same are not listed.
type ObjectDiff struct {
	Kind    DiffKind           `json:"kind"`
	Address state.Address      `json:"address"`
	Old     *plan.ObjectChange `json:"old,omitempty"` // nil: it is not in that plan
	New     *plan.ObjectChange `json:"new,omitempty"`
}

// HazardDiff is a hazard of other counts; 0: the plan does not have it.
type HazardDiff struct {
	Code plan.HazardCode `json:"code"`
	Old  int64           `json:"old"`
	New  int64           `json:"new"`
}

// Diff is what two plans do differently.
type Diff struct {
	Same    bool         `json:"same"` // the plan IDs are: an approval of the one is one of the other
	Users   DiffCounts   `json:"users"`
	Tenants []TenantDiff `json:"tenants"` // sorted by kind, wave and slug
	Objects DiffCounts   `json:"objects"`
	Steps   DiffCounts   `json:"schema_steps"`
	Changes []ObjectDiff `json:"changes"` // sorted by address
	Schema  []ObjectDiff `json:"schema"`  // steps, in their order
	Hazards []HazardDiff `json:"hazards"` // sorted by code
	// What else is under the plan ID and differs, by the names that effects have for it in JSON. "groups": who belongs in a
	// group, or what it is mapped as.
	Other []string `json:"other"`
}

// Compare finds what two plans do differently; each, if not nil, is handed every user in the order of tenant id, user id,
// and those of whom nothing changes as well.
func Compare(old, new *File, each func(UserDiff) error) (*Diff, error) {
	d := &Diff{Same: old.ID() == new.ID(), Users: DiffCounts{}, Objects: DiffCounts{}, Steps: DiffCounts{}}
	d.steps(old.Effects().Schema, new.Effects().Schema)
	d.steps(old.Effects().SchemaBack(), new.Effects().SchemaBack())
	d.objects(old.Effects(), new.Effects())
	d.hazards(old.Effects(), new.Effects())
	d.others(old.Effects(), new.Effects())
	if err := d.users(old, new, each); err != nil {
		return nil, err
	}
	if !d.Same && !d.says() {
		// What nothing else tells: entries of tables that no shape and no object needs.
		d.Other = append(d.Other, "tables")
	}
	return d, nil
}

// says reports whether something was found that is not the same.
func (d *Diff) says() bool {
	differs := func(n DiffCounts) bool {
		return n[DiffNew]+n[DiffGone]+n[DiffChanged]+n[DiffRebased] > 0
	}
	return len(d.Schema)+len(d.Hazards)+len(d.Other) > 0 || differs(d.Users) || differs(d.Objects)
}

// steps compares steps of the schema that are made, or such as are taken back.
func (d *Diff) steps(old, new []string) {
	add := func(kind DiffKind, step string) {
		d.Steps[kind]++
		if kind != DiffSame {
			d.Schema = append(d.Schema, ObjectDiff{Kind: kind, Address: state.SchemaAddress(step)})
		}
	}
	for _, step := range old {
		if !slices.Contains(new, step) {
			add(DiffGone, step)
		}
	}
	for _, step := range new {
		if slices.Contains(old, step) {
			add(DiffSame, step)
		} else {
			add(DiffNew, step)
		}
	}
}

func (d *Diff) objects(old, new *plan.Effects) {
	was := map[state.Address]*plan.ObjectChange{}
	for i := range old.Objects {
		was[old.Objects[i].Address] = &old.Objects[i]
	}
	add := func(kind DiffKind, old, new *plan.ObjectChange) {
		d.Objects[kind]++
		if kind != DiffSame {
			d.Changes = append(d.Changes, ObjectDiff{kind, cmp.Or(new, old).Address, old, new})
		}
	}
	for i := range new.Objects {
		is := &new.Objects[i]
		before, there := was[is.Address]
		delete(was, is.Address)
		switch {
		case !there:
			add(DiffNew, nil, is)
		case alikeJSON(before, is):
			add(DiffSame, before, is)
		default:
			add(DiffChanged, before, is)
		}
	}
	for _, gone := range was {
		add(DiffGone, gone, nil)
	}
	slices.SortFunc(d.Changes, func(a, b ObjectDiff) int { return strings.Compare(string(a.Address), string(b.Address)) })
}

func alikeJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func (d *Diff) hazards(old, new *plan.Effects) {
	for _, code := range plan.HazardCodes() {
		count := func(e *plan.Effects) (n int64) {
			for _, h := range e.Hazards {
				if h.Code == code {
					n += h.Count
				}
			}
			return n
		}
		if a, b := count(old), count(new); a != b {
			d.Hazards = append(d.Hazards, HazardDiff{code, a, b})
		}
	}
}

// others finds the fields of effects that differ, but for those that are compared one by one, and for the tables in which
// shapes find their groups.
func (d *Diff) others(old, new *plan.Effects) {
	compared := []string{"schema", "objects", "hazards", "segments", "tenants", "groups", "sets"}
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || slices.Contains(compared, name) {
			continue
		}
		if !alikeJSON(a.Field(i).Interface(), b.Field(i).Interface()) {
			d.Other = append(d.Other, name)
		}
	}
	if !alikeJSON(old.Allowed, new.Allowed) {
		d.Other = append(d.Other, "allowed")
	}
	if len(d.Hazards) == 0 && !alikeJSON(old.Hazards, new.Hazards) {
		d.Other = append(d.Other, "hazards")
	}
	// A table in which only one of the plans has an entry says nothing by itself: whatever names it differs.
	if differ(old.Tenants, new.Tenants, func(t plan.Tenant) uuid.UUID { return t.ID }) {
		d.Other = append(d.Other, "tenants")
	}
	if differ(old.Groups, new.Groups, func(g plan.Group) uuid.UUID { return g.ID }) {
		d.Other = append(d.Other, "groups")
	}
}

// differ reports whether an entry that two tables have is not the same in both.
func differ[T any](old, new []T, id func(T) uuid.UUID) bool {
	was := map[uuid.UUID]T{}
	for _, one := range old {
		was[id(one)] = one
	}
	return slices.ContainsFunc(new, func(one T) bool {
		before, there := was[id(one)]
		return there && !alikeJSON(before, one)
	})
}

// shapeKeys gives the same number to shapes that mean the same, whatever tables their plans have.
type shapeKeys map[string]int

func (k shapeKeys) of(e *plan.Effects, s plan.Shape) (int, error) {
	ids := func(set plan.Set) (list []uuid.UUID) {
		for _, g := range e.GroupsOf(set) {
			list = append(list, g.ID)
		}
		return list
	}
	bare := s
	bare.Join, bare.Leave, bare.Keep = 0, 0, 0
	text, err := json.Marshal([]any{bare, ids(s.Join), ids(s.Leave), ids(s.Keep)})
	if err != nil {
		return 0, fmt.Errorf("compare shapes: %w", err)
	}
	n, known := k[string(text)]
	if !known {
		n = len(k)
		k[string(text)] = n
	}
	return n, nil
}

// merged are the users of all segments of a file, in the order of tenant id, user id.
type merged struct {
	heads []*stream
}

// stream is the next user of one segment.
type stream struct {
	rows   *userRows
	placed []Placed // by shape
	change plan.UserChange
	begun  bool
}

func (f *File) merged(keys shapeKeys) (*merged, error) {
	m := &merged{}
	for n, s := range f.effects.Segments {
		h := &stream{rows: f.rows(n), placed: make([]Placed, len(f.shapes[n]))}
		for i := range f.shapes[n] {
			key, err := keys.of(f.effects, f.shapes[n][i])
			if err != nil {
				return nil, err
			}
			h.placed[i] = Placed{Segment: s, Shape: &f.shapes[n][i], key: key}
		}
		if err := m.put(h); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// put takes the next user of a segment; one that has none left is dropped.
func (m *merged) put(h *stream) (err error) {
	before := *h
	h.begun = true
	if h.change, err = h.rows.next(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return fmt.Errorf("read plan: %w", err)
	}
	if before.begun && before.compare(h) >= 0 {
		return fmt.Errorf("compare plans: %w", errDamaged) // none that was made here
	}
	// There are a few segments: the list is kept sorted, the first user last.
	at, _ := slices.BinarySearchFunc(m.heads, h, func(a, b *stream) int { return b.compare(a) })
	m.heads = slices.Insert(m.heads, at, h)
	return nil
}

func (h *stream) tenant() uuid.UUID { return h.placed[h.change.Shape].Shape.Tenant }

func (h *stream) compare(o *stream) int {
	a, b := h.tenant(), o.tenant()
	return cmp.Or(bytes.Compare(a[:], b[:]), bytes.Compare(h.change.User[:], o.change.User[:]))
}

// next is the next user; nil behind the last one.
func (m *merged) next() (*Placed, error) {
	if len(m.heads) == 0 {
		return nil, nil
	}
	h := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	p := h.placed[h.change.Shape]
	p.change = h.change
	return &p, m.put(h)
}

func compareUsers(a, b *Placed) int {
	s, t := a.Shape.Tenant, b.Shape.Tenant
	return cmp.Or(bytes.Compare(s[:], t[:]), bytes.Compare(a.change.User[:], b.change.User[:]))
}

// users compares the changes of users, which both plans have in one order.
func (d *Diff) users(old, new *File, each func(UserDiff) error) error {
	keys := shapeKeys{}
	olds, err := old.merged(keys)
	if err != nil {
		return err
	}
	news, err := new.merged(keys)
	if err != nil {
		return err
	}
	a, errA := olds.next()
	b, errB := news.next()
	counts := tenantCounts{}
	for errA == nil && errB == nil && (a != nil || b != nil) {
		u := UserDiff{Old: a, New: b}
		switch {
		case b == nil || a != nil && compareUsers(a, b) < 0:
			u.New = nil
		case a == nil || compareUsers(a, b) > 0:
			u.Old = nil
		}
		u.compare()
		d.Users[u.Kind]++
		counts.add(u)
		if each != nil {
			if err := each(u); err != nil {
				return err
			}
		}
		if u.Old != nil {
			a, errA = olds.next()
		}
		if u.New != nil {
			b, errB = news.next()
		}
	}
	d.Tenants = counts.list(old.Effects().Slugs(), new.Effects().Slugs())
	return cmp.Or(errA, errB)
}

// compare sets what became of a user.
func (u *UserDiff) compare() {
	u.User = u.Place().change.User
	switch a, b := u.Old, u.New; {
	case a == nil:
		u.Kind = DiffNew
	case b == nil:
		u.Kind = DiffGone
	case a.Segment.Kind != b.Segment.Kind, a.Segment.Wave != b.Segment.Wave, a.key != b.key, !a.alike(b):
		u.Kind = DiffChanged
	case a.change.Before != b.change.Before:
		u.Kind = DiffRebased
	default:
		u.Kind = DiffSame
	}
}

// alike reports whether two changes of one shape do the same.
func (p *Placed) alike(o *Placed) bool {
	a, b := p.change, o.change
	return a.Record == b.Record && a.Mails == b.Mails && a.Person == b.Person
}

// tenantCounts count by sort of segment and tenant.
type tenantCounts map[tenantKey]DiffCounts

type tenantKey struct {
	kind   plan.SegmentKind
	wave   string
	tenant uuid.UUID
}

func (c tenantCounts) add(u UserDiff) {
	p := u.Place()
	key := tenantKey{p.Segment.Kind, p.Segment.Wave, p.Shape.Tenant}
	if c[key] == nil {
		c[key] = DiffCounts{}
	}
	c[key][u.Kind]++
}

func (c tenantCounts) list(old, new map[uuid.UUID]string) (list []TenantDiff) {
	for key, counts := range c {
		slug := cmp.Or(new[key.tenant], old[key.tenant])
		list = append(list, TenantDiff{key.kind, key.wave, plan.Tenant{ID: key.tenant, Slug: slug}, counts})
	}
	slices.SortFunc(list, func(a, b TenantDiff) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Wave, b.Wave),
			strings.Compare(a.Tenant.Slug, b.Tenant.Slug), bytes.Compare(a.Tenant.ID[:], b.Tenant.ID[:]))
	})
	return list
}
