package main

import (
	"testing"

	"anthill/internal/sandbox"
)

// TestLoginsBehindManyRefused: more rows than are written together may be refused for good. Those behind them are completed all the
// same, if not by the first apply.
func TestLoginsBehindManyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 1300, Seed: 9, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec(`create table frozen as select user_id from users where {idp}_user_id is not null order by user_id limit 1050`)
	w.exec("alter table frozen add primary key (user_id)")
	w.exec(`create function frozen() returns trigger language plpgsql as $$ begin
		if new.migration_completed_at is not null and exists (select from frozen f where f.user_id = old.user_id) then
			raise exception 'frozen' using errcode = 'check_violation'; end if; return new; end $$`)
	w.exec("create trigger frozen before update on users for each row execute function frozen()")
	w.exec("update users set {idp}_synced_at = clock_timestamp() where {idp}_user_id is not null")
	const left = "select count(*) from users where {idp}_user_id is not null and migration_completed_at is null and user_id not in (select user_id from frozen)"
	behind := w.number(left)
	for range 40 {
		w.run(exitDone, "apply", "-auto-approve")
		if w.number(left) < behind {
			return
		}
	}
	t.Errorf("none of %d rows behind those that are refused is completed", behind)
}
