package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func onlyTenants(kind state.Kind) error {
	if kind != state.KindTenant {
		return fmt.Errorf("postgres: no objects of kind %q. This is a bug in Anthill", kind)
	}
	return nil
}

// ReadObject returns the row of a tenant; nil: there is none. By id, or by slug where the id is zero.
func (p *Provider) ReadObject(ctx context.Context, kind state.Kind, id uuid.UUID, slug string) (state.Attributes, uuid.UUID, error) {
	if err := onlyTenants(kind); err != nil {
		return nil, id, err
	}
	var t providers.Tenant
	err := p.pool.QueryRow(ctx, p.names.sql(`select {tenant_id}, {slug}, {name}, {plan}, {status}, {deleted_at} is not null, {settings}::text from {tenants}
		where {tenant_id} = $1 or $1 = '00000000-0000-0000-0000-000000000000' and {slug} = $2`), id, slug).
		Scan(&t.ID, &t.Slug, &t.Name, &t.Plan, &t.Status, &t.Deleted, &t.Settings)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, id, nil
	}
	t.Settings = canonicalJSON(t.Settings)
	return t.Attributes(), t.ID, fail("read a tenant", err)
}

// CreateObject inserts the row of a tenant.
func (p *Provider) CreateObject(ctx context.Context, kind state.Kind, id uuid.UUID, a state.Attributes) (uuid.UUID, error) {
	if err := onlyTenants(kind); err != nil {
		return id, err
	}
	columns, places, args := []string{"{tenant_id}"}, []string{"$1"}, []any{id}
	for _, k := range []string{"slug", "name", "plan", "status", "settings"} {
		if v := a[k]; v != "" {
			args = append(args, v)
			columns, places = append(columns, "{"+k+"}"), append(places, fmt.Sprintf("$%d%s", len(args), cast(k)))
		}
	}
	_, err := p.pool.Exec(ctx, p.names.sql("insert into {tenants} ("+strings.Join(columns, ", ")+") values ("+strings.Join(places, ", ")+")"), args...)
	return id, tenantFail("make a tenant", err)
}

func cast(column string) string {
	if column == "settings" {
		return "::jsonb"
	}
	return ""
}

// ChangeObject writes what differs of the row of a tenant.
func (p *Provider) ChangeObject(ctx context.Context, kind state.Kind, id uuid.UUID, from, to state.Attributes) error {
	if err := onlyTenants(kind); err != nil {
		return err
	}
	args := []any{id}
	var sets []string
	names := make([]string, 0, len(to))
	for k := range to {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		switch v := to[k]; {
		case v == from[k]:
		case k == "deleted" && v == "":
			sets = append(sets, "{deleted_at} = null")
		case k == "deleted":
			sets = append(sets, "{deleted_at} = now()")
		default:
			args = append(args, v)
			sets = append(sets, fmt.Sprintf("{%s} = $%d%s", k, len(args), cast(k)))
		}
	}
	if len(sets) == 0 {
		return nil
	}
	tag, err := p.pool.Exec(ctx, p.names.sql("update {tenants} set "+strings.Join(sets, ", ")+" where {tenant_id} = $1"), args...)
	if err == nil && tag.RowsAffected() == 0 {
		return noTenant("change a tenant")
	}
	return tenantFail("change a tenant", err)
}

// DeleteObject marks the row of a tenant as deleted, unless a user refers to it: a real DELETE would take users along.
func (p *Provider) DeleteObject(ctx context.Context, kind state.Kind, id uuid.UUID, _ state.Attributes) error {
	if err := onlyTenants(kind); err != nil {
		return err
	}
	const doing = "take a tenant back"
	var users, tagged int64
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// The lock keeps a user of this tenant from being added meanwhile: a foreign key waits for it.
		if _, err := tx.Exec(ctx, p.names.sql("select from {tenants} where {tenant_id} = $1 for update"), id); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, p.names.sql("select count(*) from {users} where {tenant_id} = $1"), id).Scan(&users); err != nil || users > 0 {
			return err
		}
		tag, err := tx.Exec(ctx, p.names.sql("update {tenants} set {deleted_at} = now() where {tenant_id} = $1 and {deleted_at} is null"), id)
		tagged = tag.RowsAffected()
		return err
	})
	switch {
	case err != nil:
		return fail(doing, err)
	case users > 0:
		return &state.Error{Kind: state.ErrorRefused, Side: "Postgres", Doing: doing, Reason: fmt.Sprintf("%d users belong to it by now", users)}
	case tagged == 0:
		return noTenant(doing)
	}
	return nil
}

func noTenant(doing string) error {
	return &state.Error{Kind: state.ErrorNotFound, Side: "Postgres", Doing: doing, Reason: "there is no such row"}
}

// tenantFail turns a broken rule of the table into an error that concerns this tenant alone.
func tenantFail(doing string, err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && pg.Code == "23505":
		return &state.Error{Kind: state.ErrorConflict, Side: "Postgres", Doing: doing, Reason: "another tenant has the slug (deleted ones count)", Err: err}
	case errors.As(err, &pg) && pg.Code[:2] == "23":
		return &state.Error{Kind: state.ErrorRefused, Side: "Postgres", Doing: doing, Reason: "the database refuses the row (" + pg.ConstraintName + ")", Err: err}
	}
	return fail(doing, err)
}
