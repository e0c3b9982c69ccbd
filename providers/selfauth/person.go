package selfauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// errStopped ends a listing when its reader has had enough.
var errStopped = errors.New("no more is wanted")

// Persons streams all persons that the account may see. The first error ends it. A connection that breaks before
// the first person is made again; later it is an error, since some are out already.
func (d directory) Persons(ctx context.Context) iter.Seq2[providers.Person, error] {
	k := call{
		method: http.MethodGet, path: listing("person", "name,displayname,mail,account_expire,account_valid_from"),
		doing: "list persons", right: peopleAdmins, lists: true,
	}
	return func(yield func(providers.Person, error) bool) {
		now := d.now()
		stopped := false
		err := d.conn.read(ctx, k, func(in *body) error {
			return decodeList(in, maxPersons, func(dec *json.Decoder) error {
				var e scimPerson
				if err := dec.Decode(&e); err != nil {
					return err
				}
				p, err := e.person(now)
				if err != nil {
					return err
				}
				in.handed = true
				if !yield(p, nil) {
					stopped = true
					return errStopped
				}
				return nil
			})
		})
		if err != nil && !stopped {
			yield(providers.Person{}, err)
		}
	}
}

// scimPerson is a person as the listing writes it (docs/selfauth-facts.md F35).
type scimPerson struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Display string `json:"displayname"`
	Expire  string `json:"account_expire"`
	From    string `json:"account_valid_from"`
	Mail    []struct {
		Primary bool   `json:"primary"`
		Value   string `json:"value"`
	} `json:"mail"`
}

func (e *scimPerson) person(now time.Time) (providers.Person, error) {
	id, err := uuid.Parse(e.ID)
	if err != nil {
		return providers.Person{}, errors.New("an entry has no valid id")
	}
	expired, closed, err := isExpired(e.Expire, now)
	if err != nil {
		return providers.Person{}, err
	}
	valid, err := isValid(e.From, now)
	if err != nil {
		return providers.Person{}, err
	}
	p := providers.Person{ID: id, Name: e.Name, Display: e.Display, Expired: expired, Closed: closed, Early: !valid}
	if len(e.Mail) > 0 {
		p.Mails = make([]string, 0, len(e.Mail))
	}
	for _, m := range e.Mail {
		if m.Primary {
			p.Mails = slices.Insert(p.Mails, 0, m.Value)
		} else {
			p.Mails = append(p.Mails, m.Value)
		}
	}
	return p, nil
}

// hasCredential is a filter of the persons who have a credential.
var hasCredential = `class eq "person" and (` +
	strings.Join([]string{"primary_credential pr", "passkeys pr", "attested_passkeys pr"}, " or ") + ")"

// Enrolled lists the persons who have a credential and may log in by now, sorted by id. It is Denied where the account may not see who has one.
func (d directory) Enrolled(ctx context.Context) ([]uuid.UUID, error) {
	path := query(hasCredential, "account_valid_from")
	var ids []uuid.UUID
	err := d.conn.read(ctx, call{
		method: http.MethodGet, path: path, doing: "list enrolled persons", right: peopleAdmins,
		lists: true,
	}, func(in *body) error {
		ids = nil
		return decodeList(in, maxPersons, func(dec *json.Decoder) error {
			var e scimPerson
			if err := dec.Decode(&e); err != nil {
				return err
			}
			id, err := uuid.Parse(e.ID)
			if valid, fromErr := isValid(e.From, d.now()); err == nil && valid {
				ids = append(ids, id)
			} else if err == nil {
				err = fromErr
			}
			return err
		})
	})
	if err == nil && len(ids) == 0 {
		err = d.conn.judgeAbsence(ctx, "list enrolled persons", credentialReaders[:]...)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids, err
}

// scimLogin is a person as the question who can log in has it.
type scimLogin struct {
	scimPerson
	MemberOf []struct {
		ID uuid.UUID `json:"uuid"`
	} `json:"memberof"`
}

// CanLogIn returns those of the persons who have a credential and have not expired, with their groups. That others have none counts
// only where the account may see who has one.
func (a accounts) CanLogIn(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	can := map[uuid.UUID][]uuid.UUID{}
	for some := range slices.Chunk(ids, entriesAsked) {
		k := call{
			method: http.MethodGet, path: query(hasCredential+" and ("+idIn(some)+")", "account_expire,account_valid_from,memberof"),
			doing: "look up credentials", right: peopleAdmins, lists: true,
		}
		err := a.conn.read(ctx, k, func(in *body) error {
			for _, id := range some {
				delete(can, id) // of an answer that was cut off, and is asked for again
			}
			return decodeList(in, maxPersons, func(dec *json.Decoder) error {
				var e scimLogin
				if err := dec.Decode(&e); err != nil {
					return err
				}
				p, err := e.person(a.now())
				if err != nil || p.Expired || p.Early {
					return err
				}
				groups := make([]uuid.UUID, len(e.MemberOf))
				for i, g := range e.MemberOf {
					groups[i] = g.ID
				}
				can[p.ID] = groups
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	if len(can) < len(ids) {
		if err := a.conn.judgeAbsence(ctx, "look up credentials", credentialReaders[:]...); err != nil {
			return nil, err
		}
	}
	return can, nil
}

// Lookup returns those of the ids that are persons, in no order. Where fewer come than were asked for, the account must
// have the right to see them, and each that is missing is looked up alone.
func (a accounts) Lookup(ctx context.Context, ids []uuid.UUID) ([]providers.Person, error) {
	found, missing, err := a.find(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range missing {
		if found, err = a.findAlone(ctx, found, id); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// find looks persons up by filters, or each alone where the server has no such call. One filter holds 32 terms, two of
// which say that persons are meant. That some are missing counts only where the account may see persons.
func (a accounts) find(ctx context.Context, ids []uuid.UUID) (found []providers.Person, missing []uuid.UUID, err error) {
	found = make([]providers.Person, 0, len(ids))
	for some := range slices.Chunk(ids, filterIDs) {
		entries, err := a.search(ctx, "look up "+count(len(ids), "person"), peopleAdmins, idFilter("person", some))
		if missingCall(err) {
			entries, err = nil, nil
			for _, id := range some {
				if found, err = a.findAlone(ctx, found, id); err != nil {
					return nil, nil, err
				}
			}
		}
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			if found, err = a.addPerson(found, e); err != nil {
				return nil, nil, err
			}
		}
	}
	there := make(map[uuid.UUID]bool, len(found))
	met := make([]uuid.UUID, len(found))
	for i, p := range found {
		there[p.ID], met[i] = true, p.ID
	}
	a.meet(met...)
	for _, id := range ids {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		err = a.conn.judgeAbsence(ctx, "look up persons", personReaders[:]...)
	}
	return found, missing, err
}

// findAlone adds one person, if it is there.
func (a accounts) findAlone(ctx context.Context, found []providers.Person, id uuid.UUID) ([]providers.Person, error) {
	k := call{method: http.MethodGet, path: "/v1/person/" + id.String(), doing: "look up persons", right: peopleAdmins}
	var e *entry
	err := a.conn.read(ctx, k, func(in *body) error { e = nil; return decodeWhole(in, &e) })
	if err != nil || e == nil {
		return found, err
	}
	return a.addPerson(found, *e)
}

func (a accounts) addPerson(found []providers.Person, e entry) ([]providers.Person, error) {
	p, err := e.person(a.now())
	if err != nil {
		return nil, &state.Error{
			Kind: state.ErrorInternal, Side: side, Doing: "look up persons",
			Reason: "the answer cannot be used: " + err.Error(),
		}
	}
	return append(found, p), nil
}

func (a accounts) search(ctx context.Context, doing, right string, f filter) ([]entry, error) {
	k := call{
		method: http.MethodPost, path: "/v1/raw/search", body: encode(map[string]any{"filter": f}), doing: doing,
		right: right,
	}
	var answer struct {
		Entries []entry `json:"entries"`
	}
	err := a.conn.read(ctx, k, func(in *body) error {
		answer.Entries = nil
		return decodeWhole(in, &answer)
	})
	return answer.Entries, err
}

// Create makes all persons in one transaction, or none. The server does not say which of them it refuses: the
// caller bisects. A batch that is too large for one request is Refused, so that bisecting makes it smaller. Of one
// person alone the error says whether its id is that of a live entry (Conflict) or of a deleted one (Burnt).
func (a accounts) Create(ctx context.Context, persons []providers.NewPerson) error {
	if len(persons) == 0 {
		return nil
	}
	entries := make([]entry, len(persons))
	for i, p := range persons {
		entries[i].Attrs = map[string][]string{
			"class":       {"object", "account", "person"},
			"uuid":        {p.ID.String()},
			"name":        {p.Name},
			"displayname": {p.Display},
		}
		if p.Mail != "" {
			entries[i].Attrs["mail"] = []string{p.Mail}
		}
	}
	k := call{
		path: "/v1/raw/create", body: encode(map[string]any{"entries": entries}),
		doing: "create " + count(len(persons), "person"), right: peopleAdmins,
	}
	can, err := a.createTogether(ctx, k, func() (bool, error) {
		found, err := a.Lookup(ctx, []uuid.UUID{persons[0].ID})
		return len(found) > 0, err
	})
	switch {
	case !can:
		return a.createOneByOne(ctx, persons, entries)
	case len(persons) == 1: // only then can the error be about this person's id
		err = a.whoseID(ctx, err, persons[0].ID)
	}
	if err == nil {
		ids := make([]uuid.UUID, len(persons))
		for i, p := range persons {
			ids[i] = p.ID
		}
		a.meet(ids...)
	}
	return err
}

// createOneByOne is for servers without bulk calls. A person that is there already, by its id, was made before.
func (a accounts) createOneByOne(ctx context.Context, persons []providers.NewPerson, entries []entry) error {
	for i, e := range entries {
		delete(e.Attrs, "class")
		err := a.conn.write(ctx, call{
			method: http.MethodPost, path: "/v1/person", body: encode(e), doing: "create a person",
			right: peopleAdmins,
		})
		if err = a.whoseID(ctx, err, persons[i].ID); state.ErrorKindOf(err) == state.ErrorConflict ||
			state.ErrorKindOf(err) == state.ErrorUnreachable {
			if found, lookErr := a.Lookup(ctx, []uuid.UUID{persons[i].ID}); lookErr == nil && len(found) == 1 {
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// whoseID makes the error of a refused id precise: if nothing live has the id, a deleted entry does.
func (a accounts) whoseID(ctx context.Context, err error, id uuid.UUID) error {
	if !errors.Is(err, errTaken) {
		return err
	}
	entries, lookErr := a.search(ctx, "find an id", "", filter{"eq": []string{"uuid", id.String()}})
	if lookErr != nil {
		return lookErr
	}
	if len(entries) > 0 {
		return err
	}
	return burnt(err)
}

// expiredSince is a moment long past: an account with this expiry is expired at once, whatever the clocks say.
const expiredSince = "1970-01-01T00:00:00+00:00"

// Expire makes accounts expired at once; logins and sessions end.
func (a accounts) Expire(ctx context.Context, ids []uuid.UUID) error {
	d := validity("expire ", []string{expiredSince}, map[string]any{"purged": "account_expire"},
		map[string]any{"present": []string{"account_expire", expiredSince}})
	d.done = func(p providers.Person) bool { return p.Closed }
	return a.eachPerson(ctx, ids, d)
}

// Enable takes the expiry away.
func (a accounts) Enable(ctx context.Context, ids []uuid.UUID) error {
	d := validity("enable ", []string{}, map[string]any{"purged": "account_expire"})
	d.done = func(p providers.Person) bool { return !p.Expired }
	return a.eachPerson(ctx, ids, d)
}

func validity(doing string, alone []string, mods ...map[string]any) deed {
	return deed{
		doing: doing,
		together: func(f filter) call {
			return call{
				path: "/v1/raw/modify",
				body: encode(map[string]any{"filter": f, "modlist": map[string]any{"mods": mods}}),
			}
		},
		alone: func(id uuid.UUID) call {
			return call{
				method: http.MethodPatch,
				path:   "/v1/person/" + id.String(),
				body:   encode(entry{map[string][]string{"account_expire": alone}}),
			}
		},
	}
}

// Delete moves persons to the recycle bin.
func (a accounts) Delete(ctx context.Context, ids []uuid.UUID) error {
	return a.eachPerson(ctx, ids, deed{
		doing: "delete ",
		together: func(f filter) call {
			return call{path: "/v1/raw/delete", body: encode(map[string]any{"filter": f})}
		},
		alone: func(id uuid.UUID) call {
			return call{method: http.MethodDelete, path: "/v1/person/" + id.String()}
		},
		ends: true,
	})
}

// Readdress gives a person another set of addresses, the primary one first.
func (a accounts) Readdress(ctx context.Context, person uuid.UUID, mails []string) error {
	if mails == nil {
		mails = []string{}
	}
	return a.patch(ctx, call{
		path: "/v1/person/" + person.String(), doing: "change e-mail addresses", right: peopleAdmins,
	}, map[string][]string{"mail": mails})
}
