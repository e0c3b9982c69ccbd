package selfauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"anthill/state"
)

func noKind(kind state.Kind) error {
	return fmt.Errorf("selfauth: no objects of kind %q. This is a bug in Anthill", kind)
}

// ReadObject returns what a group, a policy (by the id of its group) or a client is now; nil: there is none.
func (a accounts) ReadObject(
	ctx context.Context, kind state.Kind, id uuid.UUID, name string,
) (state.Attributes, uuid.UUID, error) {
	switch kind {
	case state.KindClient:
		return a.readClient(ctx, id, name)
	case state.KindGroup, state.KindPolicy:
	default:
		return nil, id, noKind(kind)
	}
	which := id.String()
	if id == uuid.Nil {
		var can bool
		if which, can = nameSegment(name); !can {
			return nil, id, nil
		}
	}
	// A name may be that of a person or a client: only an entry of the class is the object.
	const doing = "read a group"
	g, err := a.conn.readGroup(ctx, doing, which, nil)
	if id != uuid.Nil {
		err = a.unlessHidden(ctx, doing, id, err)
	}
	switch {
	case state.ErrorKindOf(err) == state.ErrorNotFound, err == nil && !g.is:
		return nil, id, nil
	case err != nil:
		return nil, id, err
	case kind == state.KindPolicy:
		return g.Policy, g.ID, nil
	case g.Hidden:
		return nil, g.ID, hidden(doing)
	}
	at := state.Attributes{
		state.AttrName:        state.TextValue(g.Name),
		state.AttrDescription: state.TextValue(g.Description),
	}
	return at.Set(), g.ID, nil
}

// CreateObject enables a policy on the group of this id, or makes a client, whose id the server chooses.
func (a accounts) CreateObject(
	ctx context.Context, kind state.Kind, id uuid.UUID, at state.Attributes,
) (uuid.UUID, error) {
	switch kind {
	case state.KindPolicy:
		return id, a.enablePolicy(ctx, id)
	case state.KindClient:
		return a.createClient(ctx, at)
	}
	return id, noKind(kind)
}

// ChangeObject writes those attributes of to that differ from from.
func (a accounts) ChangeObject(ctx context.Context, kind state.Kind, id uuid.UUID, from, to state.Attributes) error {
	switch kind {
	case state.KindGroup:
		return a.changeGroup(ctx, id, from, to)
	case state.KindPolicy:
		return a.changePolicy(ctx, id, from, to)
	case state.KindClient:
		return a.changeClient(ctx, from, to)
	}
	return noKind(kind)
}

// DeleteObject deletes a group or a client, or takes a policy off its group.
func (a accounts) DeleteObject(ctx context.Context, kind state.Kind, id uuid.UUID, was state.Attributes) error {
	switch kind {
	case state.KindGroup:
		k := call{
			method: http.MethodDelete, path: "/v1/group/" + id.String(), doing: "delete a group",
			right: groupAdmins,
		}
		return a.unlessHidden(ctx, k.doing, id, a.conn.write(ctx, k))
	case state.KindPolicy:
		return a.disablePolicy(ctx, id, was)
	case state.KindClient:
		k := call{method: http.MethodDelete, doing: "delete a client", right: clientAdmins}
		var err error
		if k.path, err = clientPath(k.doing, was.Text(state.AttrName)); err != nil {
			return err
		}
		return a.conn.write(ctx, k)
	}
	return noKind(kind)
}
