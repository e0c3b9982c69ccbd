package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// recordedUsers makes a table of recorded users as the state has it, and records every third linked row and others in all standings.
const recordedUsers = `create schema anthill_state;
create table anthill_state.users (user_id uuid primary key, standing text not null, wave text not null, policy text not null,
	wrote_link boolean not null, synced timestamptz, person uuid not null);
with numbered as (select user_id, row_number() over (order by user_id) as n from users)
update users u set {idp}_user_id = gen_random_uuid(), {idp}_synced_at = '2026-12-01T10:00:00Z'::timestamptz + n * interval '7 hours',
	migration_invited_at = case when n % 4 = 0 then now() end,
	migration_completed_at = case n % 5 when 0 then null when 1 then '2026-12-01T10:00:00Z'::timestamptz + n * interval '7 hours'
		else '2026-12-03T23:30:00Z'::timestamptz + n * interval '1 hour' end,
	auth_method = case when password_hash is null then '{value}' else 'dual' end
from numbered where numbered.user_id = u.user_id and n % 2 = 0;
with numbered as (select *, row_number() over (order by user_id) as n from users)
insert into anthill_state.users select user_id, (array['moved', 'moved', 'rolled_back', 'gone', 'failed', 'row_back'])[1 + n % 6],
	(array['pilot', 'everyone'])[1 + n % 2], (array['dual', 'link'])[1 + n % 2], n % 8 <> 0,
	case n % 3 when 0 then {idp}_synced_at when 1 then '2026-12-01T09:00:00Z'::timestamptz end,
	case when n % 9 = 0 then gen_random_uuid() else coalesce({idp}_user_id, gen_random_uuid()) end
from numbered where n % 10 <> 7;`

func spelled(naming, sql string) string {
	value := map[string]string{"self_auth": "self-auth", "kanidm": "kanidm"}[naming]
	return strings.NewReplacer("{idp}", naming, "{value}", value).Replace(sql)
}

// TestCountUsers: counts are what Go makes of the same rows one by one, by the rules that the planner goes by, under both namings.
func TestCountUsers(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, c, _ := opened(t, sandbox.Options{Naming: naming, Level: "dual"})
			if _, err := c.Exec(t.Context(), spelled(naming, recordedUsers)); err != nil {
				t.Fatal(err)
			}
			// Every fifth was told of two waves, of one by two steps, and another mail of a third was not sent.
			if _, err := c.Exec(t.Context(), `create table anthill_state.mails (user_id uuid, wave text, letter text, status text)`); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Exec(t.Context(), `insert into anthill_state.mails select user_id, w, l, s from users, (values ('rest[5]', 'announcement', 'taken'),
				('rest[100]', 'announcement', 'refused'), ('pilot', 'announcement', 'doubtful'), ('late', 'announcement', 'chosen'),
				('other', 'invitation', 'taken'), ('gone', 'announcement', 'withdrawn')) as m (w, l, s) where get_byte(uuid_send(user_id), 15) % 5 = 0`); err != nil {
				t.Fatal(err)
			}
			s, err := p.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			recorded := readRecorded(t, c)
			by := providers.CountBy{
				Recorded: []string{"anthill_state", "users"}, Synced: true, ExcludedMails: []string{"system@anthill.local"},
				Outbox: []string{"anthill_state", "mails"}, Announced: []string{"late", "pilot", "quoted'\"", "rest"}, OnLink: []string{"link"}, Roles: true, Shares: []uint64{1 << 60, 1 << 62, 3 << 62},
			}
			want := map[providers.UserFacts]int64{}
			n := 0
			for row, err := range s.UserRows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 9 {
					by.ExcludedIDs = []uuid.UUID{row.ID}
				}
				r, known := recorded[row.ID]
				if n%3 == 0 && row.Link != uuid.Nil {
					by.Enrolled = append(by.Enrolled, row.Link)
				}
				f := providers.UserFacts{
					Tenant: row.Tenant, Role: row.Role, Deleted: row.Deleted, Active: row.Status == "active", Suspended: row.Status == "suspended",
					Excluded: n == 9 || strings.ToLower(row.Email) == "system@anthill.local", Method: row.Method, Password: row.CanPassword && row.Link != uuid.Nil,
					Linked: row.Link != uuid.Nil, Invited: row.Invited, Completed: row.Link != uuid.Nil && row.Completed,
					Enrolled: known && row.Link != uuid.Nil && n%3 == 0 && row.Link == r.Person, Standing: r.Standing, Wave: r.Wave, Policy: r.Policy,
				}
				if row.ID[15]%5 == 0 {
					f.Told = "0101"
				}
				if r.Standing == state.Moved {
					f.Completed = providers.Completed(row.User, r, r.Policy == "link")
				}
				sum := sha256.Sum256(row.ID[:])
				for _, share := range by.Shares {
					if binary.BigEndian.Uint64(sum[:8]) >= share {
						f.Outside++
					}
				}
				want[f]++
			}
			counts, err := s.CountUsers(t.Context(), by)
			if err != nil {
				t.Fatal(err)
			}
			got := map[providers.UserFacts]int64{}
			for _, u := range counts {
				got[u.UserFacts] += u.Users
			}
			if diff := cmp.Diff(want, got); diff != "" || n < 300 {
				t.Errorf("%d rows (-one by one +counted):\n%s", n, diff)
			}
		})
	}
}

// readRecorded reads the table of recordedUsers.
func readRecorded(t *testing.T, c *pgx.Conn) map[uuid.UUID]state.User {
	t.Helper()
	rows, err := c.Query(t.Context(), "select user_id, standing, wave, policy, wrote_link, synced, person from anthill_state.users")
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u state.User, err error) {
		var standing string
		var synced *time.Time
		err = row.Scan(&u.User, &standing, &u.Wave, &u.Policy, &u.WroteLink, &synced, &u.Person)
		u.Synced = utc(synced)
		if err == nil {
			err = u.Standing.UnmarshalText([]byte(standing))
		}
		return u, err
	})
	if err != nil {
		t.Fatal(err)
	}
	of := map[uuid.UUID]state.User{}
	for _, u := range list {
		of[u.User] = u
	}
	return of
}

// TestDashboard: the counts are those of the plan's own dashboard queries, corrected: deleted tenants are left out, nothing is divided by
// zero, and completions are logins.
func TestDashboard(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, c, _ := opened(t, sandbox.Options{Naming: naming, Level: "dual"})
			if _, err := c.Exec(t.Context(), spelled(naming, recordedUsers)); err != nil {
				t.Fatal(err)
			}
			s, err := p.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			by := providers.CountBy{Recorded: []string{"anthill_state", "users"}, Synced: true}
			tenants, err := s.Tenants(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			deleted := map[uuid.UUID]bool{}
			for _, one := range tenants {
				deleted[one.ID] = one.Deleted
			}
			counts, err := s.CountUsers(t.Context(), by)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int64{}
			for _, u := range counts {
				if !u.Deleted && !deleted[u.Tenant] {
					got["total"] += u.Users
					got[u.Method.String()] += u.Users
				}
			}
			want := map[string]int64{}
			var total, self, dual, password int64
			err = c.QueryRow(t.Context(), spelled(naming, `select count(*), count(*) filter (where auth_method = '{value}'),
					count(*) filter (where auth_method = 'dual'), count(*) filter (where auth_method = 'password')
				from users u join tenants t using (tenant_id) where u.deleted_at is null and t.deleted_at is null`)).Scan(&total, &self, &dual, &password)
			if err != nil {
				t.Fatal(err)
			}
			want["total"], want[state.MethodSelfAuth.String()], want[state.MethodDual.String()], want[state.MethodPassword.String()] = total, self, dual, password
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("totals (-by hand +counted):\n%s", diff)
			}

			days, err := s.CountDays(t.Context(), by)
			if err != nil {
				t.Fatal(err)
			}
			linked, completed := map[string]int64{}, map[string]int64{}
			for _, d := range days {
				if !d.Linked.IsZero() {
					linked[d.Linked.Format(time.DateOnly)] += d.Users
				}
				if !d.Completed.IsZero() {
					completed[d.Completed.Format(time.DateOnly)] += d.Users
				}
			}
			const live = ` from users u join tenants t using (tenant_id) left join anthill_state.users r on r.user_id = u.user_id
				where u.deleted_at is null and t.deleted_at is null and {idp}_user_id is not null`
			// Of the application's completions those are left out that only repeat what we wrote when we linked.
			for name, one := range map[string]struct {
				sql string
				got map[string]int64
			}{
				"linked": {`select to_char(coalesce(case when wrote_link then synced end, {idp}_synced_at) at time zone 'UTC', 'YYYY-MM-DD'), count(*)` +
					live + ` and {idp}_synced_at is not null group by 1`, linked},
				"completed": {`select to_char(case when migration_completed_at is null or migration_completed_at = synced then {idp}_synced_at
						else migration_completed_at end at time zone 'UTC', 'YYYY-MM-DD'), count(*)` + live + `
					and case when standing is distinct from 'moved' then migration_completed_at is not null
						when wrote_link and synced is null then migration_completed_at is not null
						when wrote_link and synced = {idp}_synced_at then migration_completed_at is not null and migration_completed_at <> {idp}_synced_at
						when {idp}_user_id <> person then migration_completed_at is not null else true end group by 1`, completed},
			} {
				rows, err := c.Query(t.Context(), spelled(naming, one.sql))
				if err != nil {
					t.Fatal(name, err)
				}
				byHand := map[string]int64{}
				var day string
				var n int64
				if _, err := pgx.ForEachRow(rows, []any{&day, &n}, func() error { byHand[day] = n; return nil }); err != nil {
					t.Fatal(name, err)
				}
				if diff := cmp.Diff(byHand, one.got); diff != "" || len(byHand) < 5 {
					t.Errorf("%s by day (-by hand +counted):\n%s", name, diff)
				}
			}
		})
	}
}

// TestCountedAtOnce: each question of a status is one pass over users, however many tenants there are: no row of users is looked up
// for a tenant or a group of them, and no part is run again for each row of another.
func TestCountedAtOnce(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 300, Users: 6000, Level: "dual", Seed: 3})
	if _, err := c.Exec(t.Context(), spelled("self_auth", recordedUsers)+"analyze anthill_state.users; analyze users"); err != nil {
		t.Fatal(err)
	}
	by := providers.CountBy{
		Recorded: []string{"anthill_state", "users"}, Synced: true, ExcludedMails: []string{"system@anthill.local"}, Roles: true,
		Shares: []uint64{1 << 62}, Enrolled: []uuid.UUID{{1}, {2}}, OnLink: []string{"dual"}, NewSince: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	statements := map[string]func() (string, []any){
		"users":   func() (string, []any) { return p.countUsers(by) },
		"days":    func() (string, []any) { return p.countDays(by) },
		"pending": func() (string, []any) { return p.userLines(ListPending, by) },
		"alone":   func() (string, []any) { return p.userLines(ListAlone, by) },
		"new":     func() (string, []any) { return p.userLines(ListNew, by) },
	}
	for name, make := range statements {
		sql, args := make()
		lines := explained(t, c, sql, args...)
		scans := 0
		for _, l := range lines {
			if strings.Contains(l, "SubPlan") || strings.Contains(l, "Nested Loop") {
				t.Errorf("%s: something is run for each row:\n%s", name, strings.Join(lines, "\n"))
			}
			if strings.Contains(l, " on users u") || strings.Contains(l, " using idx_users") {
				scans++
			}
		}
		if scans != 1 {
			t.Errorf("%s: users are read %d times:\n%s", name, scans, strings.Join(lines, "\n"))
		}
	}
	if lines := explained(t, c, p.countSessions(), time.Now()); len(lines) == 0 {
		t.Error("sessions are not counted")
	}
}

func explained(t *testing.T, c *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := c.Query(t.Context(), "explain "+sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

// TestUserLines: who still logs in by password alone, seen last first and then by id; who has no other way in; who is new.
func TestUserLines(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, c, _ := opened(t, sandbox.Options{Naming: naming, Level: "dual"})
			since := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
			if err := c.QueryRow(t.Context(), "select created_at from users order by created_at desc offset 20 limit 1").Scan(&since); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Exec(t.Context(), "update users set last_login_at = now() where user_id = (select user_id from users where auth_method = 'password' and deleted_at is null offset 7 limit 1)"); err != nil {
				t.Fatal(err)
			}
			s, err := p.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for which, where := range map[Listed]string{
				ListPending: "auth_method = 'password'",
				ListAlone:   "{idp}_user_id is not null and (auth_method = '{value}' or password_hash is null or length(password_hash) <> 60)",
				ListNew:     fmt.Sprintf("auth_method = 'password' and u.created_at >= '%s'", since.Format(time.RFC3339Nano)),
			} {
				rows, err := c.Query(t.Context(), spelled(naming, `select u.user_id::text from users u join tenants t using (tenant_id)
					where u.deleted_at is null and t.deleted_at is null and `+where+`
					order by greatest((select max(created_at) from sessions s where s.user_id = u.user_id), last_login_at) desc nulls last, u.user_id`))
				if err != nil {
					t.Fatal(err)
				}
				want, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for u, err := range s.UserLines(t.Context(), which, providers.CountBy{NewSince: since}) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, u.ID.String())
				}
				if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
					t.Errorf("list %d, %d users (-by hand +listed):\n%s", which, len(want), diff)
				}
			}
			// Who stops reading stops the query: the snapshot can be used again.
			for range s.UserLines(t.Context(), ListPending, providers.CountBy{}) {
				break
			}
			if _, err := s.CountSessions(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCountBaseline: before the schema has the columns, rows count with what the back-fill will make of them.
func TestCountBaseline(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{})
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	counts, err := s.CountUsers(t.Context(), providers.CountBy{})
	if err != nil {
		t.Fatal(err)
	}
	var all, dual int64
	for _, u := range counts {
		all += u.Users
		if u.Method == state.MethodDual {
			dual += u.Users
		}
		if u.Invited || u.Moved() || u.Wave != "" {
			t.Errorf("%+v", u)
		}
	}
	var rows, linked int64
	if err := c.QueryRow(t.Context(), "select count(*), count(*) filter (where self_auth_user_id is not null) from users").Scan(&rows, &linked); err != nil {
		t.Fatal(err)
	}
	if all != rows || dual == 0 || dual > linked {
		t.Errorf("%d of %d users, %d dual, %d linked", all, rows, dual, linked)
	}
	sessions, err := s.CountSessions(t.Context(), time.Now())
	if err != nil || len(sessions) != 1 || sessions[0].Method != "jwt" || sessions[0].All == 0 {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	if _, err := s.CountDays(context.WithoutCancel(t.Context()), providers.CountBy{}); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.UserLines(t.Context(), ListPending, providers.CountBy{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSessionsByMethod: sessions are counted as they stand in the table.
func TestSessionsByMethod(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.CountSessions(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.Query(t.Context(), `select auth_method, count(*), count(*) filter (where not revoked),
			count(*) filter (where created_at > now() - interval '30 days'), count(distinct user_id) filter (where created_at > now() - interval '30 days'),
			max(created_at), min(created_at) from sessions group by 1 order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s providers.SessionCount, err error) {
		err = row.Scan(&s.Method, &s.All, &s.Open, &s.Recent, &s.Users, &s.Last, &s.Oldest)
		s.Last, s.Oldest = s.Last.UTC(), s.Oldest.UTC()
		return s, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 2 || !slices.ContainsFunc(got, func(s providers.SessionCount) bool { return s.Recent < s.All }) {
		t.Errorf("sessions (-by hand +counted):\n%s", diff)
	}
}
