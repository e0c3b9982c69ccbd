create table {schema}.promises (
  policy text primary key,
  until timestamptz not null
);
comment on table {schema}.promises is 'Anthill: until when policies have promised their users that passwords go on working.';

-- By version 1 a promise stood with the wave that would raise those users, and the policy that they were moved under was not written there.
insert into {schema}.promises
  select policy, until from
    (select distinct policy from {schema}.users where policy <> '') p,
    (select max((body->>'promised')::timestamptz) as until from {schema}.brakes) b
  where until is not null;
