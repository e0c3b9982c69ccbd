package objects_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// fake is a world in memory: what Postgres, Self-auth, the state and the configuration say.
type fake struct {
	tenants  []providers.Tenant
	users    []providers.User
	mappings []providers.Mapping
	persons  []providers.Person
	groups   []providers.Group
	clients  []providers.Client
	state    *state.State
	config   *config.Config
}

func (f *fake) Tenants(context.Context) ([]providers.Tenant, error)                  { return f.tenants, nil }
func (f *fake) Mappings(context.Context) ([]providers.Mapping, error)                { return f.mappings, nil }
func (f *fake) Groups(context.Context) ([]providers.Group, error)                    { return f.groups, nil }
func (f *fake) Clients(context.Context) ([]providers.Client, error)                  { return f.clients, nil }
func (f *fake) Enrolled(context.Context) ([]uuid.UUID, error)                        { return nil, nil }
func (f *fake) Discovery(context.Context, string) (d providers.Discovery, err error) { return d, nil }
func (f *fake) RefusedRedirects(context.Context, string, []string) ([]string, error) {
	return nil, nil
}
func (f *fake) Recycled(context.Context) ([]uuid.UUID, error) { return nil, nil }
func (f *fake) OtherNames(context.Context) ([]string, error)  { return []string{"idm_admin"}, nil }

func (f *fake) Users(context.Context) iter.Seq2[providers.User, error]     { return each(f.users) }
func (f *fake) Persons(context.Context) iter.Seq2[providers.Person, error] { return each(f.persons) }

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

var (
	acme, globex = id(1), id(2)
	lineage      = id(255)
)

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

type attrs = state.Attributes

func text(s string) state.Value { return state.TextValue(s) }

// grants is what one group gets.
func grants(group uuid.UUID, values ...string) state.Value {
	return state.GrantsValue([]state.Grant{{Group: group, Values: values}})
}

// atRest is two live tenants, each with a group for its administrators and one for all its users, made by us and as
// they are declared.
func atRest(t *testing.T) *fake {
	t.Helper()
	f := &fake{state: &state.State{}, config: &config.Config{Blocks: []string{"group.admins", "group.users"},
		DataBlocks: []string{"group.admins", "group.users"}}}
	for i, slug := range []string{"acme", "globex"} {
		tenant := id(byte(i + 1))
		f.tenants = append(f.tenants, providers.Tenant{ID: tenant, Slug: slug, Name: slug, Status: "active", Settings: "{}"})
		for _, g := range []config.Group{
			{Block: "group.admins", Role: state.RoleAdmin, Members: state.Members{Roles: []string{"admin"}}},
			{Block: "group.users", Role: state.RoleMember, Members: state.Members{All: true}},
		} {
			g.Tenant, g.Name = slug, "tenant_"+slug+"_"+g.Block[len("group."):]
			g.Address = state.Address(g.Block + `["` + slug + `"]`)
			f.config.Groups = append(f.config.Groups, g)
			f.has(g, tenant)
		}
	}
	if p := f.must(t); len(p.Changes)+len(p.Notes)+len(p.Outside)+len(p.Violations) > 0 || p.Context.Unchanged != 4 {
		t.Fatalf("the world is not at rest: %+v", p)
	}
	return f
}

// has makes a declared group, as an earlier run would have.
func (f *fake) has(g config.Group, tenant uuid.UUID) {
	gid := state.GroupID(lineage, g.Address, 1)
	f.groups = append(f.groups, providers.Group{ID: gid, Name: g.Name, Place: len(f.groups)})
	f.mappings = append(f.mappings, providers.Mapping{Tenant: tenant, Group: gid, GroupName: g.Name, Role: g.Role})
	f.remember(state.Object{Address: g.Address, Kind: state.KindGroup, ID: gid, Generation: 1, Tenant: tenant, Members: g.Members,
		TenantSlug: g.Tenant, Run: "r", Attributes: attrs{
			state.AttrName: text(g.Name), state.AttrMapping: state.MappingValue(g.Role, g.Name)}})
}

// remember records an object.
func (f *fake) remember(o state.Object) { f.state.Objects = append(f.state.Objects, o) }

// user adds a row of a tenant that is linked to a person.
func (f *fake) user(n byte, tenant uuid.UUID) uuid.UUID {
	person := id(n + 100)
	f.persons = append(f.persons, providers.Person{ID: person})
	f.users = append(f.users, providers.User{ID: id(n), Tenant: tenant, Status: "active", Link: person,
		Method: state.MethodDual})
	return person
}

// client declares a client as it is recorded and there.
func (f *fake) client(a state.Attributes) *config.Client {
	a[state.AttrName] = text("app")
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: a}}
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: a}}
	f.remember(state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(70), Attributes: a, Run: "r"})
	return &f.config.Clients[0]
}

// group is the live group of a name.
func (f *fake) group(name string) *providers.Group {
	return &f.groups[slices.IndexFunc(f.groups, func(g providers.Group) bool { return g.Name == name })]
}

// record is what is recorded under an address.
func (f *fake) record(at state.Address) *state.Object {
	return &f.state.Objects[slices.IndexFunc(f.state.Objects, func(o state.Object) bool { return o.Address == at })]
}

func (f *fake) joined(t *testing.T) *world.Joined {
	t.Helper()
	j, err := f.observed(t).Join(t.Context(), world.Streams{Recorded: func(context.Context) iter.Seq2[state.User, error] {
		return each[state.User](nil)
	}, Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Entries.Close() })
	return j
}

func (f *fake) observed(t *testing.T) *world.Observed {
	t.Helper()
	o, err := world.Observe(t.Context(), world.Sources{Config: f.config, State: f.state, Lineage: lineage, Database: f,
		Directory: f})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (f *fake) forward(t *testing.T) (*objects.Plan, hcl.Diagnostics) {
	t.Helper()
	return objects.Forward(f.joined(t), nil)
}

func (f *fake) must(t *testing.T) *objects.Plan {
	t.Helper()
	p, diags := f.forward(t)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// fails expects one diagnostic about an address.
func (f *fake) fails(t *testing.T, at state.Address, summary string) {
	t.Helper()
	_, diags := f.forward(t)
	if len(diags) != 1 || diags[0].Summary != summary {
		t.Fatalf("diagnostics %v, want %q", diags, summary)
	}
	if about, ok := diags[0].Extra.(config.About); !ok || about.Address != at {
		t.Errorf("%q is about %v, want %s", summary, diags[0].Extra, at)
	}
}

// change is the one change of an address; nil: there is none.
func change(p *objects.Plan, at state.Address) *plan.ObjectChange {
	for i := range p.Changes {
		if p.Changes[i].Address == at {
			return &p.Changes[i]
		}
	}
	return nil
}

// only expects a plan with one change, and returns it.
func only(t *testing.T, p *objects.Plan, at state.Address, action state.Action) plan.ObjectChange {
	t.Helper()
	if len(p.Changes) != 1 || p.Changes[0].Address != at || p.Changes[0].Action != action {
		t.Fatalf("changes %+v, want one: %s %s", p.Changes, action, at)
	}
	return p.Changes[0]
}

// count is that of a hazard; 0: it was not raised.
func count(r plan.Risk, code plan.HazardCode) int64 {
	for _, h := range r.Hazards {
		if h.Code == code {
			return h.Count
		}
	}
	return 0
}

// finds expects a finding of a code about a name.
func finds(t *testing.T, list []state.Finding, code state.Code, name string) state.Finding {
	t.Helper()
	i := slices.IndexFunc(list, func(f state.Finding) bool { return f.Code == code && f.Subject.Name == name })
	if i < 0 {
		t.Fatalf("no %s about %q in %+v", code, name, list)
	}
	return list[i]
}
