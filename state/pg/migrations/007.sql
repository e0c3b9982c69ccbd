-- Which intents belong together, and which of them are through. A record of a batch that is settled is done, unless it says something
-- else itself: so what goes well is written once. Records were written again one by one, with their entries in three indexes.
create table {schema}.batches (
  run text not null,
  batch bigint not null,
  first bigint not null,
  last bigint not null,
  settled boolean not null default false,
  primary key (run, batch)
);
create index batches_open on {schema}.batches (run) where not settled;
comment on table {schema}.batches is 'Anthill: the batches of users of each run, with the ids of their journal records, and whether they are through.';

insert into {schema}.batches (run, batch, first, last)
  select run, batch, min(id), max(id) from {schema}.records where not settled group by run, batch;
drop index {schema}.records_open;
