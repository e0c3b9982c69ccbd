-- Records are written under the lock by the run that they name. Looking that up again for each of them cost the database more
-- than one in twenty-five of the milliseconds of an apply.
alter table {schema}.records drop constraint if exists records_run_fkey;
