create table {schema}.mails (
  id uuid primary key,
  user_id uuid not null,
  wave text not null,
  letter text not null,
  round integer not null,
  link text not null,
  unverified boolean not null,
  template bytea not null,
  run text not null,
  status text not null,
  past boolean not null default false,
  chosen timestamptz not null,
  rendered timestamptz,
  ended timestamptz,
  reply integer not null default 0,
  enhanced text not null default '',
  why text not null default '',
  shown_to text not null default '',
  reason text not null default ''
);
create index mails_user on {schema}.mails (user_id);
create index mails_run on {schema}.mails (run, status, wave, user_id);
comment on table {schema}.mails is 'Anthill: the outbox: which mails users were sent, and what became of them. No address, no text, no code.';

create table {schema}.forgotten (
  id bigint generated always as identity primary key,
  digest bytea not null,
  records bigint not null,
  runs text[] not null,
  forgotten_by text not null,
  reason text not null,
  at timestamptz not null
);
create index forgotten_digest on {schema}.forgotten (digest);
comment on table {schema}.forgotten is
  'Anthill: users of whom nothing is kept any more: who wanted that, when and why. The digest of an id tells it only to whoever has it.';

-- What was measured when a gate was confirmed.
alter table {schema}.confirmations add column value text not null default '';
alter table {schema}.wave_events add column value text not null default '';
