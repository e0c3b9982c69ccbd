package planfile

import (
	"maps"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// briefObject is a change of an object as it is on disk: mostly an object is recorded as it will be written, and that
// is there once.
type briefObject struct {
	plan.ObjectChange
	Recorded bool `json:"recorded,omitempty"` // After has the address, the kind and, as attributes, Will
}

func briefObjects(list []plan.ObjectChange) []briefObject {
	brief := make([]briefObject, len(list))
	for i, c := range list {
		b := &brief[i]
		b.ObjectChange = c
		if c.After != nil && c.After.Address == c.Address && c.After.Kind == c.Kind && c.Will != nil &&
			c.After.Attributes != nil && maps.EqualFunc(c.After.Attributes, c.Will, state.Value.Equal) {
			after := *c.After
			after.Address, after.Kind, after.Attributes = "", "", nil
			b.After, b.Recorded = &after, true
		}
	}
	return brief
}

func fullObjects(brief []briefObject) ([]plan.ObjectChange, error) {
	list := make([]plan.ObjectChange, len(brief))
	for i, b := range brief {
		list[i] = b.ObjectChange
		if !b.Recorded {
			continue
		}
		if b.After == nil || b.After.Attributes != nil || b.Will == nil {
			return nil, errDamaged
		}
		b.After.Address, b.After.Kind, b.After.Attributes = b.Address, b.Kind, b.Will
	}
	return list, nil
}

// briefShapes are the shapes of a segment as they are on disk: they differ mostly in tenant and sets.
type briefShapes struct {
	Tenants []uuid.UUID  `json:"tenants"`
	Forms   []plan.Shape `json:"forms"`  // without tenant and sets
	Shapes  []shapeRow   `json:"shapes"` // in the order of the users' indexes
}

// shapeRow is a tenant and a form by their places, and the sets Join, Leave and Keep.
type shapeRow [5]int

func briefed(shapes []plan.Shape) (b briefShapes) {
	tenants, forms := map[uuid.UUID]int{}, map[plan.Shape]int{}
	for _, s := range shapes {
		tenant, known := tenants[s.Tenant]
		if !known {
			tenant = len(b.Tenants)
			tenants[s.Tenant] = tenant
			b.Tenants = append(b.Tenants, s.Tenant)
		}
		form := s
		form.Tenant, form.Join, form.Leave, form.Keep = uuid.Nil, 0, 0, 0
		place, known := forms[form]
		if !known {
			place = len(b.Forms)
			forms[form] = place
			b.Forms = append(b.Forms, form)
		}
		b.Shapes = append(b.Shapes, shapeRow{tenant, place, int(s.Join), int(s.Leave), int(s.Keep)})
	}
	return b
}

func (b briefShapes) full() ([]plan.Shape, error) {
	shapes := make([]plan.Shape, len(b.Shapes))
	for i, row := range b.Shapes {
		if row[0] < 0 || row[0] >= len(b.Tenants) || row[1] < 0 || row[1] >= len(b.Forms) {
			return nil, errDamaged
		}
		s := b.Forms[row[1]]
		s.Tenant, s.Join, s.Leave, s.Keep = b.Tenants[row[0]], plan.Set(row[2]), plan.Set(row[3]), plan.Set(row[4])
		shapes[i] = s
	}
	return shapes, nil
}
