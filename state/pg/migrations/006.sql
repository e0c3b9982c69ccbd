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
