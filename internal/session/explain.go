package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// Sought says which user is meant: by id, or by the address of its row.
type Sought struct {
	ID     uuid.UUID // zero: by Mail
	Mail   string
	Tenant string // slug or id; "": whichever it is
}

// ErrNoUser says that there is no such user.
var ErrNoUser = errors.New("there is no such user")

// AmbiguousError says that more than one row has an address.
type AmbiguousError struct{ Users []Namesake }

// Namesake is a row with the address of others.
type Namesake struct {
	User    uuid.UUID
	Tenant  string // slug, else the id
	Status  string
	Deleted bool
}

// Error lists the rows, with how each is named alone.
func (e *AmbiguousError) Error() string {
	var lines []string
	for _, u := range e.Users {
		status := u.Status
		if u.Deleted {
			status = "deleted"
		}
		lines = append(lines, fmt.Sprintf("  %s  tenant %s, %s", u.User, u.Tenant, status))
	}
	return fmt.Sprintf("%d users have this address:\n%s\nName one of them by its id, or by -tenant SLUG as well:\n\n    anthill explain %s",
		len(e.Users), strings.Join(lines, "\n"), e.Users[0].User)
}

// Explain gathers all that is known about one user, and changes nothing. What cannot be seen is among Unseen, and no error:
// Self-auth, or a part of it (Settings.Less), and the plan that would be made now.
//
// Errors: ErrNoUser, *ForgottenError, *AmbiguousError, or what reading Postgres says.
func (s *Session) Explain(ctx context.Context, r Request, who Sought) (*plan.Explained, error) {
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	tenants, err := in.Database.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	e := &plan.Explained{AsOf: r.AsOf, Roles: map[uuid.UUID]state.Role{}}
	if e.User, e.Row, err = s.find(ctx, who, tenants); err != nil {
		return nil, err
	}
	if run := in.State.OpenRun(); run != nil {
		e.OpenRun = run.ID
	}
	recorded, err := s.store.UsersByID(ctx, []uuid.UUID{e.User})
	if err != nil {
		return nil, err
	}
	if u, is := recorded[e.User]; is {
		e.Recorded, e.Person = &u, u.Person
	}
	records, err := s.store.RecordsOf(ctx, e.User)
	switch {
	case err != nil:
		return nil, err
	case e.Row == nil && e.Recorded == nil && len(records) == 0:
		return nil, s.unknown(ctx, e.User)
	case e.Row != nil && e.Row.Link != uuid.Nil:
		e.Person = e.Row.Link
	}
	e.Tenant = tenantOf(e, tenants)
	names, err := s.mappedTo(ctx, in, e)
	if err != nil {
		return nil, err
	}
	e.Touched = touched(records, in.State, names)
	if e.Mails, err = s.store.MailsOf(ctx, []uuid.UUID{e.User}); err != nil {
		return nil, err
	}
	s.seePerson(ctx, e)
	if err := s.askPlan(ctx, in, tenants, e); err != nil {
		return nil, err
	}
	return e, ctx.Err()
}

// find is the user who is meant, with its row.
func (s *Session) find(ctx context.Context, who Sought, tenants []providers.Tenant) (uuid.UUID, *providers.UserRow, error) {
	var rows []providers.UserRow
	var err error
	if who.ID != uuid.Nil {
		rows, err = s.postgres.Fetch(ctx, []uuid.UUID{who.ID})
	} else {
		rows, err = s.postgres.ByMail(ctx, who.Mail)
	}
	if err != nil {
		return uuid.Nil, nil, err
	}
	slug := func(id uuid.UUID) string {
		for _, t := range tenants {
			if t.ID == id {
				return t.Slug
			}
		}
		return id.String()
	}
	if who.Tenant != "" {
		rows = slices.DeleteFunc(rows, func(r providers.UserRow) bool {
			return slug(r.Tenant) != who.Tenant && r.Tenant.String() != who.Tenant
		})
	}
	// Who has been deleted, and is somebody again, is meant as the latter.
	if live := slices.DeleteFunc(slices.Clone(rows), func(r providers.UserRow) bool { return r.Deleted }); len(live) > 0 {
		rows = live
	}
	switch {
	case len(rows) == 1:
		return rows[0].ID, &rows[0], nil
	case len(rows) > 1:
		e := &AmbiguousError{}
		for _, r := range rows {
			e.Users = append(e.Users, Namesake{r.ID, slug(r.Tenant), r.Status, r.Deleted})
		}
		return uuid.Nil, nil, e
	case who.ID == uuid.Nil || who.Tenant != "":
		return uuid.Nil, nil, ErrNoUser
	}
	return who.ID, nil, nil
}

func tenantOf(e *plan.Explained, tenants []providers.Tenant) providers.Tenant {
	id := uuid.Nil
	switch {
	case e.Row != nil:
		id = e.Row.Tenant
	case e.Recorded != nil:
		id = e.Recorded.Tenant
	}
	for _, t := range tenants {
		if t.ID == id {
			return t
		}
	}
	return providers.Tenant{}
}

// mappedTo notes which groups are mapped to the user's tenant, and returns names of groups.
func (s *Session) mappedTo(ctx context.Context, in planner.Input, e *plan.Explained) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	for _, o := range in.State.Objects {
		if o.Kind == state.KindGroup {
			names[o.ID] = o.Attributes.Text(state.AttrName)
		}
	}
	rows, err := in.Database.Mappings(ctx)
	for _, m := range rows {
		names[m.Group] = m.GroupName
		if m.Tenant == e.Tenant.ID {
			e.Roles[m.Group] = m.Role
		}
	}
	return names, err
}

// touched puts records beside their runs.
func touched(records []state.Record, st *state.State, names map[uuid.UUID]string) (list []plan.Touched) {
	named := func(ids []uuid.UUID) (list []string) {
		for _, id := range ids {
			list = append(list, cmp.Or(names[id], id.String()))
		}
		return list
	}
	for _, r := range records {
		t := plan.Touched{Record: r, Join: named(r.Join), Leave: named(r.Leave)}
		for _, run := range st.Runs {
			if run.ID == r.Run {
				t.Run = run
			}
		}
		list = append(list, t)
	}
	return list
}

// seePerson looks at the user's person, and says what of it cannot be seen.
func (s *Session) seePerson(ctx context.Context, e *plan.Explained) {
	unseen := func(what plan.Aspect, why error) { e.Unseen = append(e.Unseen, plan.Unseen{What: what, Why: why}) }
	if s.away != nil {
		unseen(plan.AspectSelfAuth, s.away)
		return
	}
	if e.Person == uuid.Nil {
		return
	}
	seen, err := s.selfauth.See(ctx, e.Person)
	if err != nil {
		unseen(plan.AspectSelfAuth, err)
		return
	}
	e.Sight = &seen
	if seen.Hidden {
		unseen(plan.AspectPerson, nil)
		return
	}
	for _, one := range []struct {
		what plan.Aspect
		sees bool
	}{{plan.AspectMails, seen.Mails}, {plan.AspectGroups, seen.InGroups}, {plan.AspectCredential, seen.Enrols}} {
		if seen.Person != nil && !one.sees {
			unseen(one.what, nil)
		}
	}
}

// askPlan asks the planner what becomes of the user. Where that cannot be worked out, it is among what is unseen.
func (s *Session) askPlan(ctx context.Context, in planner.Input, tenants []providers.Tenant, e *plan.Explained) error {
	fails := func(err error) { e.Unseen = append(e.Unseen, plan.Unseen{What: plan.AspectPlan, Why: err}) }
	cfg, diags := s.evaluate(tenants, in.State)
	if diags.HasErrors() {
		fails(s.mistakes(diags))
		return nil
	}
	in.Config = cfg
	e.Invites = e.Recorded != nil && mailingOf(cfg, e.Recorded.Wave, state.LetterInvitation) != nil
	less := cmp.Or(s.away, s.less)
	if less == nil {
		less = s.maySee(append(declaredKinds(cfg), recordedKinds(in.State)...))
	}
	if less != nil {
		in.Directory = nil
		if s.away == nil {
			fails(less)
		}
	}
	asked, diags, err := planner.Ask(ctx, in, e.User)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		fails(err)
	case diags.HasErrors():
		fails(s.mistakes(s.module.Locate(diags)))
	}
	e.Asked = asked
	return nil
}
