package selfauth

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"anthill/state"
)

// Recycled are the ids of deleted entries that can be brought back; none where the account may not see them.
func (d directory) Recycled(ctx context.Context) ([]uuid.UUID, error) {
	k := call{
		method: http.MethodGet, path: "/v1/recycle_bin", doing: "list deleted entries", right: recycleAdmins,
		lists: true,
	}
	var ids []uuid.UUID
	err := d.conn.read(ctx, k, func(in *body) error {
		ids = nil
		dec := json.NewDecoder(in)
		return decodeArray(dec, func() error {
			in.grant(maxEntry)
			var e entry
			if err := dec.Decode(&e); err != nil {
				return err
			}
			if id, err := uuid.Parse(e.first("uuid")); err == nil {
				ids = append(ids, id)
			}
			return nil
		})
	})
	// Then nothing counts as recyclable, and clients are made anew: the plan says that they lose their secret.
	if state.ErrorKindOf(err) == state.ErrorDenied {
		return nil, nil
	}
	return ids, err
}

// Revive brings entries back from the recycle bin, one by one, as the server has no other way.
func (a accounts) Revive(ctx context.Context, ids []uuid.UUID) error {
	for _, id := range ids {
		err := a.conn.write(ctx, call{
			method: http.MethodPost, path: "/v1/recycle_bin/" + id.String() + "/_revive",
			doing: "revive an entry", right: recycleAdmins,
		})
		if state.ErrorKindOf(err) == state.ErrorNotFound {
			entries, lookErr := a.search(ctx, "find an entry", "",
				filter{"eq": []string{"uuid", id.String()}})
			if lookErr != nil {
				return lookErr
			}
			if len(entries) > 0 {
				continue
			}
			return &state.Error{
				Kind: state.ErrorNotFound, Side: side, Doing: "revive an entry",
				Reason: "it is not in the recycle bin (Self-auth keeps entries for seven days), or the account may " +
					"not see it there",
				Err: err,
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
