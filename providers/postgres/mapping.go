package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// Map makes mapping rows be as given, in one statement.
func (p *Provider) Map(ctx context.Context, list []providers.Mapping) error {
	if len(list) == 0 {
		return nil
	}
	if p.names.unmapped {
		return &state.Error{Kind: state.ErrorRefused, Side: side, Doing: "write mapping rows", Reason: "their table is gone"}
	}
	tenants, groups := make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	names, roles := make([]string, len(list)), make([]string, len(list))
	for i, m := range list {
		tenants[i], groups[i], names[i], roles[i] = m.Tenant, m.Group, m.GroupName, m.Role.String()
	}
	args := []any{ids(tenants), ids(groups), names, roles}
	return p.writeMapping(ctx, "write mapping rows", func() error {
		n, err := p.exec(ctx, `insert into {mapping} as m
				({mapping.tenant_id}, {group_id}, {group_name}, {mapping.role})
			select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
			on conflict ({mapping.tenant_id}, {group_id})
				do update set {group_name} = excluded.{group_name}, {mapping.role} = excluded.{mapping.role}
			where (m.{group_name}, m.{mapping.role}) is distinct from (excluded.{group_name}, excluded.{mapping.role})`, args...)
		if err != nil || n == int64(len(list)) {
			return err
		}
		// Those that are not among them were there already, or a trigger has left them out.
		var there int
		err = p.pool.QueryRow(ctx, p.names.sql(`select count(*) from {mapping} m
			join unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as w (tenant, id, name, role)
				on m.{mapping.tenant_id} = w.tenant and m.{group_id} = w.id
			where m.{group_name} = w.name and m.{mapping.role} = w.role`), args...).Scan(&there)
		if err == nil && there < len(list) {
			return errUndone
		}
		return err
	})
}

// Unmap deletes mapping rows, in one statement. It is no error if there are none.
func (p *Provider) Unmap(ctx context.Context, list ...providers.Mapping) error {
	if len(list) == 0 || p.names.unmapped {
		return nil
	}
	tenants, groups := make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	for i, m := range list {
		tenants[i], groups[i] = m.Tenant, m.Group
	}
	const those = ` unnest($1::uuid[], $2::uuid[]) as w (tenant, id)
		where m.{mapping.tenant_id} = w.tenant and m.{group_id} = w.id`
	return p.writeMapping(ctx, "delete mapping rows", func() error {
		n, err := p.exec(ctx, "delete from {mapping} m using"+those, ids(tenants), ids(groups))
		if err != nil || n == int64(len(list)) {
			return err
		}
		// Those that are not among them were gone already, or a trigger keeps them.
		var kept int
		err = p.pool.QueryRow(ctx, p.names.sql("select count(*) from {mapping} m,"+those), ids(tenants), ids(groups)).
			Scan(&kept)
		if err == nil && kept > 0 {
			return errUndone
		}
		return err
	})
}

func (p *Provider) writeMapping(ctx context.Context, doing string, write func() error) error {
	return p.writeRow(ctx, doing, p.names.sql("{mapping}"), []string{"insert", "update", "delete"}, write)
}

// Mapping returns a mapping row; nil: there is none.
func (p *Provider) Mapping(ctx context.Context, tenant, group uuid.UUID) (*providers.Mapping, error) {
	if p.names.unmapped {
		return nil, nil
	}
	m := providers.Mapping{Tenant: tenant, Group: group}
	var role string
	err := p.pool.QueryRow(ctx,
		p.names.sql("select {group_name}, {mapping.role} from {mapping} where {mapping.tenant_id} = $1 and {group_id} = $2"), tenant,
		group).Scan(&m.GroupName, &role)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = p.names.sound("mapping", tenant, m.GroupName, role)
	}
	m.Role = state.ParseRole(role)
	return &m, p.unread(ctx, "read mapping rows", "mapping", err)
}

// MappingsOf returns all mapping rows of some tenants, and of some groups, in no order.
func (p *Provider) MappingsOf(ctx context.Context, tenants, groups []uuid.UUID) ([]providers.Mapping, error) {
	if p.names.unmapped {
		return nil, nil
	}
	return p.mappings(ctx, p.pool, p.names.sql(mappingRows+" where {mapping.tenant_id} = any($1) or {group_id} = any($2)"), ids(tenants), ids(groups))
}

// Mappings returns all mapping rows, sorted by tenant and group.
func (s *Snapshot) Mappings(ctx context.Context) ([]providers.Mapping, error) {
	if s.p.names.unmapped {
		return nil, nil
	}
	return s.p.mappings(ctx, s.tx, s.p.names.sql(mappingRows+" order by {mapping.tenant_id}, {group_id}"))
}

const mappingRows = "select {mapping.tenant_id}, {group_id}, {group_name}, {mapping.role} from {mapping}"

func (p *Provider) mappings(ctx context.Context, q querier, sql string, args ...any) ([]providers.Mapping, error) {
	const doing = "read mapping rows"
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, p.unread(ctx, doing, "mapping", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m providers.Mapping, err error) {
		var role string
		if err = row.Scan(&m.Tenant, &m.Group, &m.GroupName, &role); err == nil {
			err = p.names.sound("mapping", m.Tenant, m.GroupName, role)
		}
		m.Role = state.ParseRole(role)
		return m, err
	})
	return list, p.unread(ctx, doing, "mapping", err)
}
