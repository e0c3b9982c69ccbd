create extension if not exists "uuid-ossp";
create extension if not exists pgcrypto;

create function uuid_generate_v7() returns uuid language plpgsql volatile as $$
declare
  millis bigint := floor(extract(epoch from clock_timestamp()) * 1000);
  bytes bytea := substring(int8send(millis) from 3) || gen_random_bytes(10);
begin
  bytes := set_byte(bytes, 6, (get_byte(bytes, 6) & 15) | 112);
  bytes := set_byte(bytes, 8, (get_byte(bytes, 8) & 63) | 128);
  return encode(bytes, 'hex')::uuid;
end $$;

create function update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end $$;

create table tenants (
  tenant_id uuid primary key default uuid_generate_v7(),
  name varchar(255) not null,
  slug varchar(100) not null constraint tenants_slug_key unique,
  plan varchar(50) not null default 'free' check (plan in ('free', 'starter', 'professional', 'enterprise')),
  plan_expires_at timestamptz,
  settings jsonb not null default '{}',
  status varchar(50) not null default 'active' check (status in ('active', 'suspended', 'cancelled')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index idx_tenants_slug on tenants (slug) where deleted_at is null;
create index idx_tenants_status on tenants (status) where deleted_at is null;
create index idx_tenants_active on tenants (tenant_id) where deleted_at is null and status = 'active';
create trigger update_tenants_updated_at before update on tenants for each row execute function update_updated_at_column();

create table users (
  user_id uuid primary key default uuid_generate_v7(),
  tenant_id uuid not null references tenants on delete cascade,
  email varchar(255) not null,
  password_hash text not null,
  email_verified boolean not null default false,
  email_verified_at timestamptz,
  full_name varchar(255),
  avatar_url text,
  phone varchar(50),
  role varchar(50) not null default 'user' constraint users_role_check check (role in ('super_admin', 'admin', 'manager', 'user', 'viewer')),
  status varchar(50) not null default 'active' constraint users_status_check check (status in ('active', 'inactive', 'suspended')),
  last_login_at timestamptz,
  failed_login_attempts integer not null default 0,
  locked_until timestamptz,
  password_changed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  {idp}_synced_at timestamptz,
  {idp}_user_id uuid constraint users_{idp}_user_id_key unique,
  constraint users_email_tenant_unique unique (tenant_id, email),
  constraint users_user_tenant_unique unique (user_id, tenant_id)
);
create index idx_users_tenant on users (tenant_id) where deleted_at is null;
create index idx_users_email on users (tenant_id, email) where deleted_at is null;
create index idx_users_role on users (tenant_id, role) where deleted_at is null;
create index idx_users_status on users (tenant_id, status) where deleted_at is null;
create index idx_users_active on users (tenant_id, user_id) where deleted_at is null and status = 'active';
create index idx_users_{idp}_id on users ({idp}_user_id) where deleted_at is null;
create trigger update_users_updated_at before update on users for each row execute function update_updated_at_column();

create table sessions (
  session_id uuid primary key default uuid_generate_v7(),
  user_id uuid not null references users on delete cascade,
  tenant_id uuid not null references tenants on delete cascade,
  access_token_hash text not null,
  refresh_token_hash text not null,
  ip_address text,
  user_agent text,
  device_info jsonb,
  access_token_expires_at timestamptz not null,
  refresh_token_expires_at timestamptz not null,
  revoked boolean not null default false,
  revoked_at timestamptz,
  revoked_reason varchar(255),
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now()
);
create index idx_sessions_user on sessions (user_id) where not revoked;
create index idx_sessions_tenant on sessions (tenant_id) where not revoked;
create index idx_sessions_access_token on sessions (access_token_hash) where not revoked;
create index idx_sessions_refresh_token on sessions (refresh_token_hash) where not revoked;
create index idx_sessions_expires on sessions (access_token_expires_at) where not revoked;
create index idx_sessions_cleanup on sessions (access_token_expires_at, created_at) where revoked;

create table {idp}_tenant_groups (
  tenant_id uuid not null references tenants on delete cascade,
  {idp}_group_uuid uuid not null,
  {idp}_group_name text not null,
  role text not null check (role in ('admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, {idp}_group_uuid)
);
create index idx_{idp}_groups_name on {idp}_tenant_groups ({idp}_group_name);

create table casbin_rule (
  id serial primary key,
  ptype varchar(12) not null,
  v0 varchar(128) not null, v1 varchar(128) not null, v2 varchar(128) not null, v3 varchar(128) not null,
  v4 varchar(128) not null default '', v5 varchar(128) not null default '',
  created_at timestamptz not null default now(),
  constraint casbin_rule_unique unique (ptype, v0, v1, v2, v3, v4, v5)
);
create index idx_casbin_ptype on casbin_rule (ptype);
create index idx_casbin_v0 on casbin_rule (v0);
create index idx_casbin_v1 on casbin_rule (v1);
create index idx_casbin_ptype_v0_v1 on casbin_rule (ptype, v0, v1);
create view casbin_policies as select id, v0 as subject, v1 as domain, v2 as object, v3 as action from casbin_rule where ptype = 'p';
create view casbin_role_assignments as select id, v0 as subject, v1 as role, v2 as domain from casbin_rule where ptype = 'g';
insert into casbin_rule (ptype, v0, v1, v2, v3)
  select 'p', s.subject, 'default_tenant', o.object, a.action
  from (values ('admin', 1), ('manager', 2), ('user', 3)) s (subject, rank),
       unnest(array['product', 'stock', 'order', 'warehouse', 'supplier', 'report', 'user', 'setting', 'audit', 'invoice']) with ordinality o (object, n),
       unnest(array['read', 'create', 'update', 'delete']) with ordinality a (action, m)
  where (s.rank = 1 and o.n * 4 + a.m <= 42) or (s.rank = 2 and a.m <= 3 and o.n <= 9 and o.n * 3 + a.m <= 29) or (s.rank = 3 and a.m <= 2 and o.n <= 7);

create table user_profiles (
  profile_id uuid primary key default uuid_generate_v7(),
  user_id uuid not null,
  tenant_id uuid not null,
  bio text,
  title varchar(255), department varchar(255), location varchar(255),
  website_url text,
  social_links jsonb not null default '{}',
  language varchar(10) not null default 'en' check (language in ('en', 'vi', 'fr', 'de', 'es', 'ja', 'zh', 'ko')),
  timezone varchar(100) not null default 'UTC',
  date_format varchar(50) not null default 'YYYY-MM-DD' check (date_format in ('YYYY-MM-DD', 'DD/MM/YYYY', 'MM/DD/YYYY', 'DD.MM.YYYY', 'DD-MM-YYYY')),
  time_format varchar(10) not null default '24h' check (time_format in ('12h', '24h')),
  notification_preferences jsonb not null default '{}',
  profile_visibility varchar(50) not null default 'private' check (profile_visibility in ('public', 'private', 'team_only')),
  show_email boolean not null default false,
  show_phone boolean not null default false,
  completeness_score integer not null default 0 check (completeness_score between 0 and 100),
  last_completeness_check_at timestamptz,
  verified boolean not null default false,
  verified_at timestamptz,
  verification_badge varchar(50),
  custom_fields jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_profiles_user_tenant_fkey foreign key (user_id, tenant_id) references users (user_id, tenant_id) on delete cascade,
  constraint user_profiles_user_tenant_unique unique (user_id, tenant_id),
  constraint user_profiles_verified_check check (verified = (verified_at is not null))
);
create trigger update_user_profiles_updated_at before update on user_profiles for each row execute function update_updated_at_column();

create function calculate_profile_completeness(p_user uuid, p_tenant uuid) returns integer language sql stable as $$
  select coalesce((select 20 * ((bio is not null)::int + (title is not null)::int + (department is not null)::int
    + (location is not null)::int + (website_url is not null)::int)
    from user_profiles where user_id = p_user and tenant_id = p_tenant), 0)
$$;

create function create_user_profile_on_user_insert() returns trigger language plpgsql as $$
begin
  insert into user_profiles (user_id, tenant_id) values (new.user_id, new.tenant_id) on conflict do nothing;
  return new;
end $$;
create trigger trigger_create_user_profile after insert on users for each row execute function create_user_profile_on_user_insert();
