create table {schema}.meta (
  one boolean primary key default true check (one),
  lineage uuid not null,
  serial bigint not null,
  environment text not null,
  system text not null,
  database text not null,
  domain text not null,
  origin text not null
);
comment on table {schema}.meta is 'Anthill: what this state belongs to. One row.';

create table {schema}.epoch (
  one boolean primary key default true check (one),
  epoch bigint not null
);
comment on table {schema}.epoch is 'Anthill: raised by whoever takes the lock; who finds another number than its own has lost it.';

create table {schema}.objects (
  address text primary key,
  kind text not null,
  id uuid not null,
  generation integer not null,
  tenant uuid not null,
  tenant_slug text not null,
  attributes jsonb not null,
  members jsonb not null,
  adopted boolean not null,
  deleted boolean not null,
  paused boolean not null,
  run text not null
);
comment on table {schema}.objects is 'Anthill: tenants, groups with their mapping rows, policies and clients that it made or took over.';

create table {schema}.users (
  user_id uuid primary key,
  tenant uuid not null,
  standing text not null,
  wave text not null,
  policy text not null,
  generation integer not null,
  made_person boolean not null,
  wrote_link boolean not null,
  asleep boolean not null,
  person uuid not null,
  groups bytea not null,
  method text not null,
  run text not null
);
comment on table {schema}.users is 'Anthill: what it recorded of each user; groups are ids of 16 bytes each. Nothing personal.';

create table {schema}.waves (
  name text primary key,
  started timestamptz,
  soaking timestamptz,
  moved_at timestamptz,
  done_at timestamptz,
  digest bytea not null,
  users bigint not null
);
comment on table {schema}.waves is 'Anthill: how far each wave has come.';

create table {schema}.brakes (
  wave text primary key,
  body jsonb not null
);
comment on table {schema}.brakes is 'Anthill: what holds each wave back, as it was declared for the last apply.';

create table {schema}.confirmations (
  id bigint generated always as identity primary key,
  wave text not null,
  gate text not null,
  confirmed_by text not null,
  note text not null,
  at timestamptz not null
);
comment on table {schema}.confirmations is 'Anthill: manual gates that somebody confirmed.';

create table {schema}.pauses (
  wave text not null,
  tenant uuid not null,
  run text not null,
  at timestamptz not null,
  primary key (wave, tenant, run)
);
comment on table {schema}.pauses is 'Anthill: where a rollback keeps a wave from moving anybody; tenant zero is the whole wave.';

create table {schema}.runs (
  n bigint generated always as identity primary key,
  id text not null unique,
  kind text not null,
  plan bytea not null,
  seal bytea not null,
  who text not null,
  approved_by text not null,
  started timestamptz not null,
  ended timestamptz,
  open boolean not null,
  outcome text not null,
  counts jsonb not null,
  undoes text[] not null,
  undone boolean not null,
  previous bytea not null,
  digest bytea not null,
  segment integer not null,
  position bigint not null
);
create unique index runs_one_open on {schema}.runs (open) where open;
comment on table {schema}.runs is 'Anthill: every apply and rollback; plan is its id, seal covers its file, each digest covers the run before.';

create table {schema}.plans (
  run text not null references {schema}.runs (id),
  n integer not null,
  data bytea not null,
  primary key (run, n)
);
comment on table {schema}.plans is 'Anthill: the plan file of each run, in pieces.';

create sequence {schema}.record_ids;
create table {schema}.records (
  id bigint primary key,
  run text not null references {schema}.runs (id),
  batch bigint not null,
  user_id uuid not null,
  tenant uuid not null,
  segment integer not null,
  wave text not null,
  body bytea,
  settled boolean not null default false,
  verdict text not null default '',
  reason jsonb
);
create index records_run on {schema}.records (run, id);
create index records_open on {schema}.records (run) where not settled;
create index records_left on {schema}.records (run, id) where verdict in ('changed', 'failed', 'paused', 'conflict');
comment on table {schema}.records is 'Anthill: the journal of users: intent and before-image (body), outcome. Nothing personal.';

create table {schema}.calls (
  run text not null references {schema}.runs (id),
  batch bigint not null,
  request text not null,
  doing text not null,
  milliseconds bigint not null
);
create index calls_run on {schema}.calls (run, batch);
comment on table {schema}.calls is 'Anthill: write calls that Self-auth carried out, under the ids that its own log has.';

create table {schema}.object_records (
  id bigint generated always as identity primary key,
  run text not null references {schema}.runs (id),
  address text not null,
  action text not null,
  origin text not null default '',
  before jsonb,
  after jsonb,
  was jsonb,
  will jsonb,
  settled boolean not null default false,
  verdict text not null default '',
  reason jsonb
);
create index object_records_run on {schema}.object_records (run, address);
comment on table {schema}.object_records is 'Anthill: the journal of objects and schema steps.';
