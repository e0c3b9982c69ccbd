package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
	"anthill/state"
)

// canonicalJSON is the text of a jsonb column, which is always JSON, in the canonical form.
func canonicalJSON(text string) string {
	canonical, ok := state.CanonicalJSON(text)
	if !ok {
		return text
	}
	return canonical
}

// tenantRow are the columns of a providers.Tenant, in its order.
const tenantRow = "{tenants.tenant_id}, {slug}, {name}, {plan}, {tenants.status}, {tenants.deleted_at} is not null, {settings}::text"

// Tenants returns all tenants, sorted by id.
func (s *Snapshot) Tenants(ctx context.Context) ([]providers.Tenant, error) {
	const doing = "read tenants"
	rows, err := s.tx.Query(ctx, s.p.names.sql("select "+tenantRow+" from {tenants} order by {tenants.tenant_id}"))
	if err != nil {
		return nil, s.p.unread(ctx, doing, "tenants", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t providers.Tenant, err error) {
		err = row.Scan(&t.ID, &t.Slug, &t.Name, &t.Plan, &t.Status, &t.Deleted, &t.Settings)
		if err == nil {
			t.Settings = canonicalJSON(t.Settings)
			err = s.p.names.sound("tenants", t.ID, t.Slug, t.Name, t.Plan, t.Status)
		}
		return t, err
	})
	return list, s.p.unread(ctx, doing, "tenants", err)
}

func onlyTenants(kind state.Kind) error {
	if kind != state.KindTenant {
		return fmt.Errorf("postgres: no objects of kind %q. This is a bug in Anthill", kind)
	}
	return nil
}

// ReadObject returns the row of a tenant; nil: there is none. By slug where the id is zero and there is a slug: the id
// of a tenant may be zero.
func (p *Provider) ReadObject(
	ctx context.Context, kind state.Kind, id uuid.UUID, slug string,
) (state.Attributes, uuid.UUID, error) {
	if err := onlyTenants(kind); err != nil {
		return nil, id, err
	}
	which, arg := "{tenants.tenant_id} = $1", any(id)
	if id == uuid.Nil && slug != "" {
		which, arg = "{slug} = $1", slug
	}
	var t providers.Tenant
	err := p.pool.QueryRow(ctx, p.names.sql("select "+tenantRow+" from {tenants} where "+which), arg).
		Scan(&t.ID, &t.Slug, &t.Name, &t.Plan, &t.Status, &t.Deleted, &t.Settings)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, id, nil
	case err != nil:
		return nil, id, p.unread(ctx, "read a tenant", "tenants", err)
	}
	if err := p.names.sound("tenants", t.ID, t.Slug, t.Name, t.Plan, t.Status); err != nil {
		return nil, id, err
	}
	t.Settings = canonicalJSON(t.Settings)
	return t.Attributes(), t.ID, nil
}

// tenantColumns are the columns that hold attributes as they are.
func tenantColumns() map[state.Attribute]string {
	return map[state.Attribute]string{
		state.AttrSlug:     "slug",
		state.AttrName:     "name",
		state.AttrPlan:     "plan",
		state.AttrStatus:   "status",
		state.AttrSettings: "settings",
	}
}

// cast is what stands behind the place of an attribute's value.
func cast(name state.Attribute) string {
	if state.KindTenant.Spec().Attribute(name).Form == state.FormJSON {
		return "::jsonb"
	}
	return ""
}

// CreateObject inserts the row of a tenant. What is not set is the database's choice.
func (p *Provider) CreateObject(
	ctx context.Context, kind state.Kind, id uuid.UUID, a state.Attributes,
) (uuid.UUID, error) {
	if err := onlyTenants(kind); err != nil {
		return id, err
	}
	columns, places, args := []string{"{tenants.tenant_id}"}, []string{"$1"}, []any{id}
	for _, name := range a.Sorted() {
		if column, text := tenantColumns()[name], a.Text(name); column != "" && text != "" {
			args = append(args, text)
			columns = append(columns, "{tenants."+column+"}")
			places = append(places, fmt.Sprintf("$%d%s", len(args), cast(name)))
		}
	}
	sql := "insert into {tenants} (" + strings.Join(columns, ", ") + ") values (" + strings.Join(places, ", ") + ")"
	return id, p.writeTenant(ctx, "make a tenant", "insert", func() error {
		n, err := p.exec(ctx, sql, args...)
		if err == nil && n == 0 {
			return errUndone
		}
		return err
	})
}

// ChangeObject writes what differs of the row of a tenant.
func (p *Provider) ChangeObject(ctx context.Context, kind state.Kind, id uuid.UUID, from, to state.Attributes) error {
	if err := onlyTenants(kind); err != nil {
		return err
	}
	args := []any{id}
	var sets []string
	for _, name := range to.Sorted() {
		if to[name].Equal(from[name]) {
			continue
		}
		column, text := tenantColumns()[name], to.Text(name)
		switch {
		case column != "":
			args = append(args, text)
			sets = append(sets, fmt.Sprintf("{tenants.%s} = $%d%s", column, len(args), cast(name)))
		case name == state.AttrDeleted && text == "":
			sets = append(sets, "{tenants.deleted_at} = null")
		case name == state.AttrDeleted:
			sets = append(sets, "{tenants.deleted_at} = now()")
		}
	}
	if len(sets) == 0 {
		return nil
	}
	sql := "update {tenants} set " + strings.Join(sets, ", ") + " where {tenants.tenant_id} = $1"
	return p.writeTenant(ctx, "change a tenant", "update", func() error {
		n, err := p.exec(ctx, sql, args...)
		if err == nil && n == 0 {
			return noTenant("change a tenant")
		}
		return err
	})
}

// DeleteObject marks the row of a tenant as deleted, unless a user refers to it: a real DELETE would take users along.
func (p *Provider) DeleteObject(ctx context.Context, kind state.Kind, id uuid.UUID, _ state.Attributes) error {
	if err := onlyTenants(kind); err != nil {
		return err
	}
	const doing = "delete a tenant"
	return p.writeTenant(ctx, doing, "update", func() error { return p.deleteTenant(ctx, doing, id) })
}

func (p *Provider) deleteTenant(ctx context.Context, doing string, id uuid.UUID) error {
	var users, tagged int64
	err := p.inTx(ctx, func(tx pgx.Tx) error {
		// The lock keeps a user of this tenant from being added meanwhile: a foreign key waits for it.
		if _, err := tx.Exec(ctx, p.names.sql("select from {tenants} where {tenants.tenant_id} = $1 for update"),
			id); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, p.names.sql("select count(*) from {users} where {users.tenant_id} = $1"),
			id).Scan(&users); err != nil || users > 0 {
			return err
		}
		tag, err := p.asRole(ctx, tx,
			p.names.sql("update {tenants} set {tenants.deleted_at} = now() where {tenants.tenant_id} = $1 and {tenants.deleted_at} is null"),
			id)
		tagged = tag.RowsAffected()
		return err
	})
	switch {
	case err != nil:
		return err
	case users > 0:
		return &state.Error{
			Kind: state.ErrorRefused, Side: side, Doing: doing,
			Reason: fmt.Sprintf("%d users belong to it by now", users),
		}
	case tagged == 0:
		return noTenant(doing)
	}
	return nil
}

func noTenant(doing string) error {
	return &state.Error{Kind: state.ErrorNotFound, Side: side, Doing: doing, Reason: "there is no such row"}
}

// writeTenant writes the row of a tenant, for which a right is needed.
func (p *Provider) writeTenant(ctx context.Context, doing, right string, write func() error) error {
	return p.writeRow(ctx, doing, p.names.sql("{tenants}"), []string{right}, func() error {
		err := write()
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == codeUnique && pg.TableName == p.names.tables["tenants"] && !raised(pg) {
			return &state.Error{
				Kind: state.ErrorConflict, Side: side, Doing: doing,
				Reason: "another tenant has the slug (deleted ones count)",
			}
		}
		return err
	})
}
