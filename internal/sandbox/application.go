package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Password is that of every user of the sample who has a hash; those of generated data have none that is known.
const Password = "anthill-sandbox"

// passwordHash is of Password.
const passwordHash = "$2b$12$AnthillSandboxSampleAuxZbDXU6apnYWdt5B13dTTxeVog3mOz."

// Application decides at a login what the application does: who somebody is, of which tenant, with which role.
type Application struct {
	url   string
	names naming
}

// NewApplication is the application on a database of a preset's names. It connects at each login.
func NewApplication(databaseURL, preset string) (*Application, error) {
	names, err := namesOf(preset)
	return &Application{databaseURL, names}, err
}

// Place is what somebody is let in as.
type Place struct {
	Tenant, Role string
	Group        string // the one that says so; "" after a login by password
	Method       string // of the row, "password" at the baseline; "" after a login through Self-auth
}

// ErrNotAllowed is wrapped by refusals, whose text says why.
var ErrNotAllowed = errors.New("not allowed in")

func (a *Application) within(ctx context.Context, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, a.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	return do(c)
}

// ByGroups is a login through Self-auth: of the groups of the token, in its order, the first that begins with tenant_ and
// has a mapping row of an active tenant gives tenant and role. The user is the row with the person's id, in which the
// login is noted as the application does: the time, the method, and, the first time, that the user has completed.
func (a *Application) ByGroups(ctx context.Context, person uuid.UUID, groups []string) (p Place, err error) {
	return p, a.within(ctx, func(c *pgx.Conn) error {
		for _, g := range groups {
			if !strings.HasPrefix(g, "tenant_") {
				continue
			}
			err := c.QueryRow(ctx, a.names.fill(`select t.slug, m.role from {idp}_tenant_groups m join tenants t using (tenant_id)
				where m.{idp}_group_name = $1 and t.status = 'active' and t.deleted_at is null limit 1`), g).Scan(&p.Tenant, &p.Role)
			if errors.Is(err, pgx.ErrNoRows) {
				continue
			} else if err != nil {
				return err
			}
			p.Group = g
			break
		}
		if p.Group == "" {
			return fmt.Errorf("%w: no group of the token is one of a tenant", ErrNotAllowed)
		}
		done, err := c.Exec(ctx, a.names.fill(`update users set {idp}_synced_at = now(),
			auth_method = case when password_hash is null then '{value}' else 'dual' end,
			migration_completed_at = coalesce(migration_completed_at, now())
			where {idp}_user_id = $1 and status = 'active' and deleted_at is null`), person)
		if err == nil && done.RowsAffected() == 0 {
			err = fmt.Errorf("%w: no active user is linked to this person", ErrNotAllowed)
		}
		return err
	})
}

// ByPassword is a login by password: the first active user of the address over all tenants, unless the row is for
// Self-auth alone. Role is that of the row.
func (a *Application) ByPassword(ctx context.Context, email, password string) (p Place, err error) {
	return p, a.within(ctx, func(c *pgx.Conn) error {
		// At the baseline there is no column of the method.
		var hash *string
		row := c.QueryRow(ctx, `select t.slug, u.role, u.password_hash, coalesce(to_jsonb(u) ->> 'auth_method', 'password')
			from users u join tenants t using (tenant_id) where u.email = $1 and u.status = 'active' and u.deleted_at is null
			and t.status = 'active' and t.deleted_at is null order by u.user_id limit 1`, email)
		err := row.Scan(&p.Tenant, &p.Role, &hash, &p.Method)
		wrong := fmt.Errorf("%w: no such user, or a wrong password", ErrNotAllowed)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return wrong
		case err != nil:
			return err
		case p.Method == a.names.value:
			return fmt.Errorf("%w: this user logs in through Self-auth", ErrNotAllowed)
		case hash == nil || !strings.HasPrefix(*hash, "$2b$"):
			return wrong
		}
		// pgcrypto knows this kind of hash by its older letter.
		old := "$2a$" + strings.TrimPrefix(*hash, "$2b$")
		var same bool
		if err := c.QueryRow(ctx, "select crypt($1, $2) = $2", password, old).Scan(&same); err != nil {
			return err
		} else if !same {
			return wrong
		}
		return nil
	})
}

// Guest is a user for a demonstration.
type Guest struct{ Email, Role, Tenant string }

// Invited is the first user of a tenant with a role who has been sent an invitation.
func (a *Application) Invited(ctx context.Context, tenant, role string) (g Guest, err error) {
	return g, a.within(ctx, func(c *pgx.Conn) error {
		err := c.QueryRow(ctx, `select u.email, u.role, t.slug from users u join tenants t using (tenant_id)
			where t.slug = $1 and u.role = $2 and u.migration_invited_at is not null order by u.user_id limit 1`, tenant, role).
			Scan(&g.Email, &g.Role, &g.Tenant)
		if err != nil {
			return fmt.Errorf("find an invited user of %s with the role %s: %w", tenant, role, err)
		}
		return nil
	})
}
