package world

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// Sources are what the world is read from.
type Sources struct {
	Config    *config.Config // nil: of a rollback, which needs none
	State     *state.State
	Lineage   uuid.UUID
	Database  providers.Database
	Directory providers.Directory // nil: it is not asked, and nothing of Self-auth is known; absence from Index says nothing then
	Seen      *providers.Sight    // where Directory is nil: the one person that was looked at; nil: none was
}

// Observed is what both sides hold besides users.
type Observed struct {
	Sources
	Index    *Index     // made from Directory, which is asked again only for what a rollback needs
	Tenants  []Tenant   // sorted by id, the declared ones laid over them (L38)
	Declared []Declared // in the order of the configuration
	Clients  []providers.Client
	Shared   []state.Finding // violations of isolation by the mapping rows alone
	Sharers  map[int]bool    // the tenants concerned, by index (L40)
	Hidden   map[int]bool    // those of them of which a group's members are not known

	mappings []providers.Mapping
	rows     map[[2]uuid.UUID]providers.Mapping // by tenant and group
	mapped   map[uuid.UUID][]int                // group -> live tenants that it is mapped to, by index
}

// Tenant is a row of tenants as it will be.
type Tenant struct{ providers.Tenant }

// Observe reads everything but the streams of users, and indexes it.
func Observe(ctx context.Context, src Sources) (*Observed, error) {
	o := &Observed{Sources: src, Sharers: map[int]bool{}, Hidden: map[int]bool{}}
	var err error
	if o.Index, err = src.index(ctx); err != nil {
		return nil, err
	}
	rows, err := src.Database.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		o.Tenants = append(o.Tenants, Tenant{r})
	}
	slices.SortFunc(o.Tenants, func(a, b Tenant) int { return CompareID(a.ID, b.ID) })
	if src.Directory != nil {
		if o.Clients, err = src.Directory.Clients(ctx); err != nil {
			return nil, err
		}
	}
	// Before the mappings are looked at, which name tenants by their places.
	if src.Config != nil {
		o.lay()
	}
	if o.mappings, err = src.Database.Mappings(ctx); err != nil {
		return nil, err
	}
	o.indexMappings()
	return o, nil
}

func (src Sources) index(ctx context.Context) (*Index, error) {
	if src.Directory == nil {
		d := newIndex()
		if src.Seen != nil && src.Seen.Person != nil {
			p := src.Seen.Person
			d.persons = append(d.persons, Person{ID: p.ID, Expired: p.Expired, Closed: p.Closed, Early: p.Early, Enrolled: src.Seen.Enrolled})
		}
		return d, nil
	}
	return readIndex(ctx, src.Directory)
}

// TenantIndex is the place of a tenant in Tenants; -1: there is none.
func (o *Observed) TenantIndex(id uuid.UUID) int {
	i, ok := slices.BinarySearchFunc(o.Tenants, id, func(t Tenant, id uuid.UUID) int { return CompareID(t.ID, id) })
	if !ok {
		return -1
	}
	return i
}

// Tenant is a tenant by id; nil: there is none.
func (o *Observed) Tenant(id uuid.UUID) *Tenant {
	if i := o.TenantIndex(id); i >= 0 {
		return &o.Tenants[i]
	}
	return nil
}

// BySlug are the places of tenants by slug. Where deleted tenants have the slug of a live one, it is that one.
func (o *Observed) BySlug() map[string]int {
	m := make(map[string]int, len(o.Tenants))
	for i, t := range o.Tenants {
		if _, there := m[t.Slug]; !there || !t.Deleted {
			m[t.Slug] = i
		}
	}
	return m
}

// Mapping is the mapping row of a group for a tenant.
func (o *Observed) Mapping(tenant, group uuid.UUID) (m providers.Mapping, mapped bool) {
	m, mapped = o.rows[[2]uuid.UUID{tenant, group}]
	return m, mapped
}

// Mappings are all mapping rows, sorted by tenant and group.
func (o *Observed) Mappings() []providers.Mapping { return o.mappings }

// MappedTo are the places of the live tenants that a group is mapped to.
func (o *Observed) MappedTo(group uuid.UUID) []int { return o.mapped[group] }
