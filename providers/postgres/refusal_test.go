package postgres

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestOfRow tells errors of rows from errors of all.
func TestOfRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pg   pgconn.PgError
		want bool
	}{
		"a value":                    {pgconn.PgError{Code: "22003"}, true},
		"a rule":                     {pgconn.PgError{Code: "23514"}, true},
		"a view's check":             {pgconn.PgError{Code: "44000"}, true},
		"no right":                   {pgconn.PgError{Code: "42501"}, true}, // lostRight tells
		"a column, in a trigger":     {pgconn.PgError{Code: "42703", InternalPosition: 8}, true},
		"a column, in our statement": {pgconn.PgError{Code: "42703", Position: 8}, false},
		"a lock":                     {pgconn.PgError{Code: "55P03"}, true},
		"a cancelled query":          {pgconn.PgError{Code: "57014"}, true},
		"a code of its own":          {pgconn.PgError{Code: "AH001"}, true},
		"the server goes":            {pgconn.PgError{Code: "57P01", Severity: "FATAL"}, false},
		"the session goes":           {pgconn.PgError{Code: "25P03", SeverityUnlocalized: "FATAL", Severity: "FATAL"}, false},
		"raised with that code":      {pgconn.PgError{Code: "57P01", Severity: "ERROR", Routine: "exec_stmt_raise"}, true},
		"a full disk":                {pgconn.PgError{Code: "53100", Severity: "ERROR"}, false},
		"a damaged page":             {pgconn.PgError{Code: "XX001", Severity: "ERROR"}, false},
		"a standby":                  {pgconn.PgError{Code: "25006", Severity: "ERROR"}, false},
		"a bad read":                 {pgconn.PgError{Code: "58030", Severity: "ERROR"}, false},
		"another server, in SQL":     {pgconn.PgError{Code: "08001", Severity: "ERROR"}, false},
	} {
		if got := ofRow(&c.pg); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestRowsAlone: of many rows that are written together, those that the database does not take are left out, each with
// its reason, and the others are written.
func TestRowsAlone(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	var ids []uuid.UUID
	for _, u := range usersOf(t, p) {
		if u.Link == uuid.Nil && u.HasPassword && !u.Deleted && len(ids) < 9 {
			ids = append(ids, u.ID)
		}
	}
	const raise = "raise exception 'user %', new.email using errcode = "
	bodies := map[int]string{
		1: raise + "'AH001';", 2: raise + "'40001';", 3: raise + "'57014';", 4: "return null;",
		5: "new.auth_method := old.auth_method;", 6: "perform 1 / 0;", 7: raise + "'57P03', constraint = 'office_hours';",
	}
	body := ""
	for i, b := range bodies {
		body += fmt.Sprintf("if new.user_id = '%s' then %s end if; ", ids[i], b)
	}
	sql := "create function no() returns trigger language plpgsql as $$ begin " + body + "return new; end $$; " +
		"create trigger no before update on users for each row execute function no()"
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	rows, err := p.Fetch(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[uuid.UUID]providers.User{}
	for _, r := range rows {
		byID[r.ID] = r.User
	}
	var writes []providers.UserWrite
	for _, id := range ids {
		writes = append(writes, providers.UserWrite{User: id, Relies: providers.ReliesLink, Link: uuid.New(),
			Before: providers.DigestUser(byID[id], providers.ReliesLink, nil), Method: state.MethodDual})
	}
	var got []providers.UserResult
	if err := p.WriteUsers(t.Context(), writes, func(_ state.Tx, r []providers.UserResult) error {
		got = r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	says := func(code state.Code, rule string) providers.UserResult {
		return providers.UserResult{Refused: state.Found(code, state.Text(state.KeyRule, rule))}
	}
	written, kept := providers.UserResult{Written: true}, providers.UserResult{Refused: state.Found(state.CodeRowKept)}
	want := []providers.UserResult{
		written, says(state.CodeTriggerRefuses, "SQLSTATE AH001"), says(state.CodeTriggerRefuses, "SQLSTATE 40001"),
		says(state.CodeTriggerRefuses, "SQLSTATE 57014"), kept, kept, says(state.CodeRuleBroken, "SQLSTATE 22012"),
		says(state.CodeTriggerRefuses, "office_hours"), written,
	}
	for i := range got {
		if got[i].Written != !got[i].Synced.IsZero() {
			t.Errorf("row %d: %+v", i, got[i])
		}
		got[i].Synced = time.Time{} // the database's clock
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	var linked int
	if err := c.QueryRow(t.Context(), "select count(*) from users where self_auth_user_id = any($1)",
		linksOf(writes)).Scan(&linked); err != nil || linked != 2 {
		t.Errorf("%d rows are linked, %v", linked, err)
	}
}

// TestKept: whatever undoes what was written is seen, and costs its own row alone; what only stands beside it costs none.
func TestKept(t *testing.T) {
	t.Parallel()
	const function = "create function touch() returns trigger language plpgsql as $$ begin "
	const end = " return new; end $$; "
	for _, c := range []struct {
		name, sql string // $one: a user that is written
		kept      int
	}{
		{"nothing", "", 0},
		{"the server does not count", "alter database %s set track_counts = off", 0},
		{"an audit", "create table audit (id uuid); " + function + "insert into audit values (new.user_id);" + end +
			"create trigger touch after update on users for each row execute function touch()", 0},
		{"before, another method", function + "if new.user_id = '$one' then new.auth_method := 'password'; end if;" + end +
			"create trigger touch before update on users for each row execute function touch()", 1},
		{"after, the link", function + "if new.user_id = '$one' and new.self_auth_user_id is not null then " +
			"update users set self_auth_user_id = null, auth_method = 'password' where user_id = new.user_id; end if;" + end +
			"create trigger touch after update on users for each row execute function touch()", 1},
		{"at the commit", function + "if new.user_id = '$one' and new.self_auth_user_id is not null then " +
			"update users set self_auth_user_id = null, auth_method = 'password' where user_id = new.user_id; end if;" + end +
			"create constraint trigger touch after update on users deferrable initially deferred for each row execute function touch()", 1},
		{"after, the row", function + "if new.user_id = '$one' then delete from users where user_id = new.user_id; end if;" + end +
			"create trigger touch after update on users for each row execute function touch()", 1},
		{"a rule for one", "create rule touch as on update to users where old.user_id = '$one' do instead nothing", 1},
		{"a rule beside", "create table audit (id uuid); create rule touch as on update to users do also insert into audit values (new.user_id)", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, conn, _ := opened(t, sandbox.Options{Level: "dual"})
			var users []providers.User
			for _, u := range usersOf(t, p) {
				if u.Link == uuid.Nil && u.HasPassword && !u.Deleted && len(users) < 8 {
					users = append(users, u)
				}
			}
			slices.SortFunc(users, func(a, b providers.User) int { return bytes.Compare(a.ID[:], b.ID[:]) })
			sql := strings.ReplaceAll(c.sql, "$one", users[0].ID.String())
			if strings.Contains(sql, "%s") {
				sql = fmt.Sprintf(sql, pgx.Identifier{conn.Config().Database}.Sanitize())
			}
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
			p.pool.Reset()
			var writes []providers.UserWrite
			for _, u := range users {
				writes = append(writes, providers.UserWrite{User: u.ID, Relies: providers.ReliesLink, Link: uuid.New(), Method: state.MethodDual,
					Before: providers.DigestUser(u, providers.ReliesLink, nil)})
			}
			var kept, written int
			err := p.WriteUsers(t.Context(), writes, func(_ state.Tx, r []providers.UserResult) error {
				kept, written = 0, 0
				for _, r := range r {
					if r.Written && !r.Synced.IsZero() {
						written++
					} else if r.Refused.Code == state.CodeRowKept {
						kept++
					}
				}
				return nil
			})
			var linked int
			if err := conn.QueryRow(t.Context(), "select count(*) from users where self_auth_user_id = any($1)", linksOf(writes)).Scan(&linked); err != nil {
				t.Fatal(err)
			}
			if err != nil || kept != c.kept || written != len(users)-c.kept || linked != written {
				t.Errorf("%d written and linked %d, %d kept instead of %d, %v", written, linked, kept, c.kept, err)
			}
		})
	}
}

// TestAnyCode: whatever code a trigger gives, it refuses one row, and says nothing of the connection.
func TestAnyCode(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	var row providers.User
	for _, u := range usersOf(t, p) {
		if u.Link == uuid.Nil && u.HasPassword && !u.Deleted {
			row = u
		}
	}
	write := []providers.UserWrite{{User: row.ID, Relies: providers.ReliesLink, Link: uuid.New(), Method: state.MethodDual}}
	for _, code := range []string{
		"AH001", "P0001", "P0002", "22023", "22P02", "23505", "23514", "42501", "42P01", "44000", "0A000", "25006", "40001", "40P01",
		"55P03", "57014", "57P01", "53100", "58030", "08006", "XX000",
	} {
		sql := fmt.Sprintf("create or replace function no() returns trigger language plpgsql as $$ begin raise exception 'no' using "+
			"errcode = '%s'; end $$; create or replace trigger no before update on users for each row execute function no()", code)
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		rows, err := p.Fetch(t.Context(), []uuid.UUID{row.ID})
		if err != nil {
			t.Fatal(err)
		}
		write[0].Before = providers.DigestUser(rows[0].User, providers.ReliesLink, nil)
		var got []providers.UserResult
		err = p.WriteUsers(t.Context(), write, func(_ state.Tx, r []providers.UserResult) error {
			got = r
			return nil
		})
		if err != nil || len(got) != 1 || got[0].Written || got[0].Refused.IsZero() {
			t.Errorf("%s: %+v, %v", code, got, err)
		}
	}
}

func linksOf(writes []providers.UserWrite) (links [][16]byte) {
	for _, w := range writes {
		links = append(links, w.Link)
	}
	return links
}

// TestNoMessage: what a function of the database raises is told by its code: its message may hold anything.
func TestNoMessage(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"P0001", "AH001", "42501", "57P01", "40001"} {
		err := fail("write users", &pgconn.PgError{Code: code, Message: "no: jo@example.com", Routine: "exec_stmt_raise"})
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "jo@") {
			t.Errorf("%s: %s", code, text)
		}
	}
}
