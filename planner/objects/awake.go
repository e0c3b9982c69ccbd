package objects

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/state"
)

// awake notes which groups tenants that are away have when they are there again, and the scopes that clients give them then.
func (p *forward) awake() {
	slugs, records, ids := p.BySlug(), p.groupRecords(), map[state.Address]uuid.UUID{}
	for _, g := range p.Config.Awake.Groups {
		i, there := slugs[g.Tenant]
		if !there || p.Tenants[i].Live() {
			continue
		}
		w := Wanted{Address: g.Address, Name: g.Name, Role: g.Role, Members: g.Members}
		rec := p.recordOf(records, g, p.Tenants[i].ID)
		switch {
		case rec == nil:
			w.ID = p.ownGroup(g.Address, p.generation(g.Address))
		case rec.Paused && rec.Deleted:
			continue
		case rec.Paused: // it stays what it is
			w.ID, w.Members = rec.ID, rec.Members
		default:
			w.ID = rec.ID
		}
		ids[g.Address] = w.ID
		p.out.Tenants[i].Awake = append(p.out.Tenants[i].Awake, w)
	}
	for i := range p.out.Scopes {
		s := &p.out.Scopes[i]
		k := slices.IndexFunc(p.Config.Awake.Clients, func(c config.Client) bool {
			return string(c.Address) == s.Of.Name || c.Name == s.Of.Name
		})
		if k >= 0 {
			s.Will = withAwake(s.Will, p.Config.Awake.Clients[k].Scopes, ids)
		}
	}
}

// groupPlace is what makes a group the same one under another address (L32).
type groupPlace struct {
	block  string
	tenant uuid.UUID
	role   state.Role
}

// groupRecords are the recorded groups that do not go, also those that wait for a pause.
type groupRecords struct {
	at map[state.Address]*state.Object
	by map[groupPlace]*state.Object
}

func (p *forward) groupRecords() groupRecords {
	r := groupRecords{map[state.Address]*state.Object{}, map[groupPlace]*state.Object{}}
	for i := range p.State.Objects {
		o := &p.State.Objects[i]
		if o.Kind != state.KindGroup || o.Deleted && !o.Paused || p.out.Deleting[o.ID] != "" {
			continue
		}
		r.at[o.Address] = o
		r.by[groupPlace{o.Address.Block(), o.Tenant, o.Role()}] = o
	}
	return r
}

// recordOf is what is recorded of a group of a tenant that is away, also under a former address or slug; nil: nothing is.
func (p *forward) recordOf(r groupRecords, g config.Group, tenant uuid.UUID) *state.Object {
	at := g.Address
	for range len(p.moved) + 1 {
		if o := r.at[at]; o != nil && o.Tenant == tenant {
			return o
		}
		if at = p.movedFrom(at); at == "" {
			break
		}
	}
	return r.by[groupPlace{g.Block, tenant, g.Role}]
}

// withAwake are scopes by group, and those that a client's map gives groups by then.
func withAwake(scopes map[uuid.UUID][]string, declared []config.ScopeMap, ids map[state.Address]uuid.UUID) map[uuid.UUID][]string {
	all := maps.Clone(scopes)
	for _, m := range declared {
		for _, at := range m.Groups {
			if id, awake := ids[at]; awake {
				all[id] = slices.Concat(all[id], m.Scopes)
			}
		}
	}
	return all
}
