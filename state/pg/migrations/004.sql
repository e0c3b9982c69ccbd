alter table {schema}.pauses
  add column paused_by text not null default '',
  add column reason text not null default '';
comment on table {schema}.pauses is
  'Anthill: where nobody is moved, as a rollback has left it (run) or somebody has asked for (no run); tenant zero is the whole wave.';

alter table {schema}.waves add column accepted bigint not null default 0;

create table {schema}.wishes (
  wave text not null,
  kind text not null,
  asked_by text not null,
  reason text not null,
  at timestamptz not null,
  primary key (wave, kind)
);
comment on table {schema}.wishes is 'Anthill: brakes of waves that somebody wants to be let go once; a plan that does so must be allowed.';

create table {schema}.wave_events (
  id bigint generated always as identity primary key,
  wave text not null,
  act text not null,
  tenant uuid not null,
  gate text not null,
  run text not null,
  acted_by text not null,
  reason text not null,
  at timestamptz not null
);
create index wave_events_wave on {schema}.wave_events (wave, id);
comment on table {schema}.wave_events is 'Anthill: what was done to waves by hand, and by rollbacks, oldest first. Nothing is ever taken out.';

-- What stands is where the history begins.
insert into {schema}.wave_events (wave, act, tenant, gate, run, acted_by, reason, at)
  select wave, act, tenant, gate, run, acted_by, reason, at from (
    select wave, 'pause' as act, tenant, '' as gate, run, '' as acted_by, '' as reason, at from {schema}.pauses
    union all
    select wave, 'confirm', tenant, gate, '', confirmed_by, note, at
      from {schema}.confirmations) was
  order by at;
