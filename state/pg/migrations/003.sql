-- When the application's row says that its user was last in Self-auth, as we left it: another time there is a login.
-- Of users who were moved by versions 1 and 2 it is not known. The journal says when a run ended, not what the database's
-- clock wrote in it.
alter table {schema}.users add column synced timestamptz;
-- How many users of a wave the last run that tried them could not move.
alter table {schema}.waves add column failed bigint not null default 0;
-- For which tenant a gate was confirmed; zero: for all of the wave.
alter table {schema}.confirmations add column tenant uuid not null default '00000000-0000-0000-0000-000000000000';
