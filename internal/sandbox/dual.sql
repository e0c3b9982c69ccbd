alter table users alter column password_hash drop not null;
comment on column users.password_hash is 'Deprecated: bcrypt hash. NULL for users of the identity provider alone.';

alter table users add column auth_method varchar(50) not null default 'password';
alter table users add column migration_invited_at timestamptz;
alter table users add column migration_completed_at timestamptz;
alter table users add constraint users_auth_method_check check (auth_method in ('password', '{value}', 'dual'));
update users set auth_method = '{value}', migration_completed_at = coalesce({idp}_synced_at, now())
  where {idp}_user_id is not null and password_hash is null;
update users set auth_method = 'dual', migration_completed_at = coalesce({idp}_synced_at, now())
  where {idp}_user_id is not null and password_hash is not null;
create index idx_users_auth_method on users (auth_method) where deleted_at is null;
create index idx_users_migration_status on users (tenant_id, auth_method, migration_completed_at) where deleted_at is null;
create index idx_users_pending_migration on users (tenant_id, last_login_at)
  where deleted_at is null and auth_method = 'password' and {idp}_user_id is null;
comment on column users.auth_method is 'How the user logs in: password, {value}, or dual for both.';
comment on column users.migration_invited_at is 'When the user was invited to the identity provider.';
comment on column users.migration_completed_at is 'When the user first logged in through the identity provider.';

create view v_migration_progress as
  select t.tenant_id, t.name, t.slug, count(*) as total_users,
    count(*) filter (where u.auth_method = 'password') as password_only,
    count(*) filter (where u.auth_method = '{value}') as {idp}_only,
    count(*) filter (where u.auth_method = 'dual') as dual_auth,
    count(*) filter (where u.{idp}_user_id is not null) as migrated_users,
    round(100.0 * count(*) filter (where u.{idp}_user_id is not null) / nullif(count(*), 0), 2) as migration_percent,
    max(u.migration_completed_at) as last_migration_at
  from tenants t left join users u on u.tenant_id = t.tenant_id and u.deleted_at is null
  where t.deleted_at is null group by t.tenant_id, t.name, t.slug;

alter table sessions alter column access_token_hash drop not null;
alter table sessions alter column refresh_token_hash drop not null;
alter table sessions add column {idp}_session_id uuid;
alter table sessions add column auth_method varchar(50) not null default 'jwt';
alter table sessions add constraint sessions_auth_method_check check (auth_method in ('jwt', '{value}', 'dual'));
comment on column sessions.{idp}_session_id is 'Session of the identity provider.';
comment on column sessions.auth_method is 'What the session is based on: jwt, {value}, or dual.';
create index idx_sessions_{idp}_session on sessions ({idp}_session_id) where not revoked and {idp}_session_id is not null;
create index idx_sessions_auth_method on sessions (auth_method, created_at) where not revoked;
create index idx_sessions_user_auth on sessions (user_id, auth_method, created_at) where not revoked;

create view v_session_stats as
  select auth_method, count(*) as total, count(*) filter (where not revoked) as active,
    count(*) filter (where not revoked and access_token_expires_at > now()) as valid,
    avg(extract(epoch from now() - created_at) / 3600) as avg_age_hours, max(last_used_at) as most_recent_use
  from sessions where created_at > now() - interval '7 days' group by auth_method;

create function cleanup_expired_sessions(days integer default 30) returns bigint language plpgsql as $$
declare n bigint;
begin
  delete from sessions where access_token_expires_at < now() - make_interval(days => days)
    or revoked and revoked_at < now() - make_interval(days => days);
  get diagnostics n = row_count;
  return n;
end $$;
