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
