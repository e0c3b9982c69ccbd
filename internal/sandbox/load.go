package sandbox

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

var (
	//go:embed baseline.sql
	baselineSQL string
	//go:embed dual.sql
	dualSQL string
)

// Load makes the application's schema in an empty database and fills it as the options say. The role must be a
// superuser, as a sandbox's is: rows are loaded with triggers and foreign keys off, and profiles made afterwards.
func Load(ctx context.Context, databaseURL string, o Options) error {
	names, err := namesOf(o.Naming)
	if err != nil {
		return err
	}
	if o.Level != "" && o.Level != "baseline" && o.Level != "dual" {
		return fmt.Errorf("there is no level %q: say baseline or dual", o.Level)
	}
	c, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	l := loader{c: c, names: names, dual: o.Level == "dual"}
	schema, indexes := splitIndexes(names.fill(baselineSQL))
	if _, err := c.Exec(ctx, schema); err != nil {
		return fmt.Errorf("baseline schema: %w", err)
	}
	if err := l.data(ctx, o); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, indexes); err != nil {
		return fmt.Errorf("baseline indexes: %w", err)
	}
	if l.dual {
		if _, err := c.Exec(ctx, names.fill(dualSQL)); err != nil {
			return fmt.Errorf("dual schema: %w", err)
		}
		if err := l.dualData(ctx); err != nil {
			return err
		}
	}
	// Its own tables alone: to analyze the catalogue takes longer than all that is above.
	_, err = c.Exec(ctx, names.fill("analyze tenants, users, sessions, {idp}_tenant_groups, casbin_rule, user_profiles"))
	return err
}

// naming is how the two presets fill the schema.
type naming struct{ idp, value string }

func namesOf(preset string) (naming, error) {
	switch preset {
	case "", "self_auth":
		return naming{"self_auth", "self-auth"}, nil
	case "kanidm":
		return naming{"kanidm", "kanidm"}, nil
	}
	return naming{}, fmt.Errorf("there is no naming %q: say self_auth or kanidm", preset)
}

func (n naming) fill(sql string) string {
	return strings.NewReplacer("{idp}", n.idp, "{value}", n.value).Replace(sql)
}

// splitIndexes takes the indexes (one line each) out of a schema: they are made faster after the rows.
func splitIndexes(sql string) (schema, indexes string) {
	var s, i strings.Builder
	for line := range strings.Lines(sql) {
		if strings.HasPrefix(line, "create index") {
			i.WriteString(line)
		} else {
			s.WriteString(line)
		}
	}
	return s.String(), i.String()
}

type loader struct {
	c      *pgx.Conn
	names  naming
	dual   bool
	noHash []uuid.UUID // rows that lose their hash once the schema allows it
	sample *sample
}

func (l *loader) data(ctx context.Context, o Options) error {
	if o.Fresh {
		return nil
	}
	if _, err := l.c.Exec(ctx, "set session_replication_role = replica"); err != nil {
		return err
	}
	var tenants []tenantRow
	var users iter.Seq[userRow]
	src := newSource(o.Seed + 1)
	if o.Tenants == 0 && o.Users == 0 {
		l.sample = makeSample(o.Seed, l.dual)
		tenants, users = l.sample.tenants, rowsOf(l.sample.users)
	} else {
		g := generate(max(o.Tenants, 1), o.Users, o.Seed, l.dual)
		tenants, users = g.tenants, g.users()
	}
	if err := l.copyTenants(ctx, tenants); err != nil {
		return fmt.Errorf("load tenants: %w", err)
	}
	if err := l.copyUsers(ctx, users, src); err != nil {
		return fmt.Errorf("load users: %w", err)
	}
	if _, err := l.c.Exec(ctx, "insert into user_profiles (user_id, tenant_id) select user_id, tenant_id from users "+
		"order by user_id"); err != nil {
		return fmt.Errorf("load profiles: %w", err)
	}
	if err := l.sampleRows(ctx, src); err != nil {
		return err
	}
	_, err := l.c.Exec(ctx, "set session_replication_role = origin")
	return err
}

func (l *loader) copyTenants(ctx context.Context, tenants []tenantRow) error {
	_, err := l.c.CopyFrom(ctx, pgx.Identifier{"tenants"},
		[]string{"tenant_id", "name", "slug", "plan", "status", "created_at", "updated_at", "deleted_at"},
		pgx.CopyFromSlice(len(tenants), func(i int) ([]any, error) {
			t := tenants[i]
			return []any{t.id, t.name, t.slug, t.plan, t.status, base, base, when(t.deleted, base)}, nil
		}))
	return err
}

func when(is bool, t time.Time) *time.Time {
	if !is {
		return nil
	}
	return &t
}

func (l *loader) copyUsers(ctx context.Context, users iter.Seq[userRow], src *source) error {
	next, stop := iter.Pull(users)
	defer stop()
	columns := []string{"user_id", "tenant_id", "email", "password_hash", "email_verified", "email_verified_at",
		"full_name", "role", "status",
		"created_at", "updated_at", "deleted_at", l.names.idp + "_user_id", l.names.idp + "_synced_at"}
	_, err := l.c.CopyFrom(ctx, pgx.Identifier{"users"}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		u, ok := next()
		if !ok {
			return nil, nil
		}
		hash := src.hash()
		if l.sample != nil {
			hash = passwordHash
		}
		if u.system {
			hash = "!placeholder, not a hash"
		}
		if u.noHash {
			l.noHash = append(l.noHash, u.id)
		}
		var link *uuid.UUID
		if u.link != uuid.Nil {
			link = &u.link
		}
		return []any{u.id, u.tenant, u.email, hash, u.verified, when(u.verified, u.created), u.name, u.role, u.status,
			u.created, u.created, when(u.deleted, u.created), link, when(link != nil,
				u.created.Add(48*time.Hour+123456*time.Microsecond))}, nil
	}))
	return err
}

// sampleRows loads mapping rows and sessions of the sample.
func (l *loader) sampleRows(ctx context.Context, src *source) error {
	if l.sample == nil {
		return nil
	}
	for _, m := range l.sample.mappings {
		sql := l.names.fill(`insert into {idp}_tenant_groups
			(tenant_id, {idp}_group_uuid, {idp}_group_name, role, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)`)
		if _, err := l.c.Exec(ctx, sql, m.tenant, m.group, m.name, m.role, base); err != nil {
			return fmt.Errorf("load mapping rows: %w", err)
		}
	}
	for _, s := range l.sample.sessions {
		expires := "1 hour"
		if s.expired {
			expires = "-1 hour"
		}
		if _, err := l.c.Exec(ctx, `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at,
			refresh_token_expires_at, revoked, revoked_at, revoked_reason, created_at, last_used_at)
			values ($1, $2, $3, $4, now() + $5::interval, now() + interval '7 days', $6, case when $6 then now() end,
				case when $6 then 'User logout' end,
			now() - make_interval(days => $7), now() - make_interval(days => $7))`,
			s.user, s.tenant, token(src), token(src), expires, s.revoked, s.days); err != nil {
			return fmt.Errorf("load sessions: %w", err)
		}
	}
	return nil
}

// dualData makes the rows that only the dual schema allows.
func (l *loader) dualData(ctx context.Context) error {
	_, err := l.c.Exec(ctx, "update users set password_hash = null where user_id = any($1)", l.noHash)
	if err == nil {
		_, err = l.c.Exec(ctx, l.names.fill(`update users set auth_method = '{value}'
			where password_hash is null and {idp}_user_id is not null`))
	}
	if err != nil || l.sample == nil {
		return err
	}
	var errs []error
	for _, s := range l.sample.sessions {
		method := map[string]string{"jwt": "jwt", "idp": l.names.value, "dual": "dual"}[s.method]
		_, err := l.c.Exec(ctx, l.names.fill(`update sessions set auth_method = $2::text,
				{idp}_session_id = case when $2::text <> 'jwt' then uuid_generate_v7() end
			where user_id = $1`), s.user, method)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
