package plan

import (
	"slices"

	"github.com/google/uuid"

	"anthill/state"
)

// Door is an OAuth2 client as it lets users in (docs/selfauth-facts.md F43). What a supplementary map gives comes
// on top of a login, and lets nobody in.
type Door struct {
	Client    string
	Scopes    map[uuid.UUID][]string // of its scope map, by group
	Everybody []string               // of them, those that anybody may be given: by a group that is built in, or hidden
	Surely    []string               // of those, what everybody is given
	Requested []string               // that the application asks for; nil: that is not declared, and any scope lets in
	Declared  bool                   // by the configuration
}

// DoorOf is the door of a client with some attributes.
func DoorOf(client state.Attributes, requested []string) Door {
	d := Door{Client: client.Text(state.AttrName), Scopes: map[uuid.UUID][]string{}, Requested: requested}
	for _, g := range client[state.AttrScopeMaps].Grants() {
		if len(g.Values) > 0 {
			d.Scopes[g.Group] = g.Values
		}
	}
	return d
}

// Admits reports whether Self-auth lets in whoever is in some groups: they are given a scope, and each that is
// asked for.
func (d Door) Admits(groups []uuid.UUID) bool {
	return (len(d.Everybody) > 0 || d.reaches(groups)) && !d.lacksAny(groups)
}

// Refuses returns the scopes that the application asks for and that whoever is in some groups is not given, though
// the client gives it others: Self-auth refuses the whole login then. None: it is let in, or the client is not for
// it at all.
func (d Door) Refuses(groups []uuid.UUID) (lacks []string) {
	if !d.lacksAny(groups) || !d.reaches(groups) {
		return nil
	}
	for _, s := range d.Requested {
		if !d.gives(s, groups) {
			lacks = append(lacks, s)
		}
	}
	return lacks
}

func (d Door) reaches(groups []uuid.UUID) bool {
	return slices.ContainsFunc(groups, func(g uuid.UUID) bool { return len(d.Scopes[g]) > 0 })
}

func (d Door) lacksAny(groups []uuid.UUID) bool {
	return slices.ContainsFunc(d.Requested, func(s string) bool { return !d.gives(s, groups) })
}

func (d Door) gives(scope string, groups []uuid.UUID) bool {
	return slices.Contains(d.Everybody, scope) ||
		slices.ContainsFunc(groups, func(g uuid.UUID) bool { return slices.Contains(d.Scopes[g], scope) })
}

// Doors are the clients of a directory.
type Doors []Door

// Open reports whether anybody is given a scope. Where nobody is, the application does not log in through these
// clients, and who may is not judged.
func (d Doors) Open() bool {
	return slices.ContainsFunc(d, func(one Door) bool { return len(one.Scopes) > 0 })
}

// OfApplication are those by which a user comes into the application, as far as the configuration tells: the declared ones, or
// where none is all that give anybody a scope.
func (d Doors) OfApplication() (list Doors) {
	declared := slices.ContainsFunc(d, func(one Door) bool { return one.Declared })
	for _, one := range d {
		if (one.Declared || !declared) && len(one.Scopes) > 0 {
			one.Everybody = one.Surely // a doubt lets nobody in
			list = append(list, one)
		}
	}
	return list
}

// Admit reports whether one of them lets in whoever is in some groups.
func (d Doors) Admit(groups []uuid.UUID) bool {
	return slices.ContainsFunc(d, func(one Door) bool { return one.Admits(groups) })
}

// Doorway is a client by which users come in, with what apply cannot see of it.
type Doorway struct {
	Client    string   `json:"client"`              // by name
	Requested []string `json:"requested,omitempty"` // scopes that the application asks for; none: not declared
}
