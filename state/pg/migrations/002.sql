create table {schema}.policies (
  name text primary key,
  method text not null,
  from_policy text not null,
  until timestamptz
);
comment on table {schema}.policies is 'Anthill: how each policy moves users, and until when it has promised them that passwords go on working.';

-- By version 1 a promise stood with the wave that would raise those users, and the policy that they were moved under was not written there.
-- How that moved them was written nowhere: the next apply does.
insert into {schema}.policies
  select policy, '', '', until from
    (select distinct policy from {schema}.users where policy <> '') p,
    (select max((body->>'promised')::timestamptz) as until from {schema}.brakes) b
  where until is not null;
