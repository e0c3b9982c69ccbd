package postgres

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// heldWorld is some rows that can be written, and what writes them.
type heldWorld struct {
	*testing.T
	p   *Provider
	url string
	ids []uuid.UUID
}

func newHeldWorld(t *testing.T, rows int) (heldWorld, *pgx.Conn) {
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	w := heldWorld{T: t, p: p, url: c.Config().ConnString()}
	for _, u := range usersOf(t, p) {
		if u.Link == uuid.Nil && u.HasPassword && !u.Deleted && len(w.ids) < rows {
			w.ids = append(w.ids, u.ID)
		}
	}
	if len(w.ids) < rows {
		t.Fatalf("there are %d rows", len(w.ids))
	}
	return w, c
}

// session is another session of the database.
func (w heldWorld) session() *pgx.Conn {
	w.Helper()
	c, err := pgx.Connect(w.Context(), w.url)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// holding is a transaction of another session that has run a statement.
func (w heldWorld) holding(sql string, args ...any) pgx.Tx {
	w.Helper()
	tx, err := w.session().Begin(w.Context())
	if err == nil {
		_, err = tx.Exec(w.Context(), sql, args...)
	}
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// writes links rows, or only gives them a method.
func (w heldWorld) writes(link bool, which ...int) (list []providers.UserWrite) {
	w.Helper()
	rows, err := w.p.Fetch(w.Context(), w.ids)
	if err != nil {
		w.Fatal(err)
	}
	byID := map[uuid.UUID]providers.User{}
	for _, r := range rows {
		byID[r.ID] = r.User
	}
	for _, i := range which {
		write := providers.UserWrite{User: w.ids[i], Relies: providers.ReliesLink, Method: state.MethodDual,
			Before: providers.DigestUser(byID[w.ids[i]], providers.ReliesLink, nil)}
		if link {
			write.Link = uuid.New()
		}
		list = append(list, write)
	}
	return list
}

// write writes rows, and says what became of each: "written", "gone", "changed", or the code of what refuses it. during is
// called before they are committed; nil: nothing is.
func (w heldWorld) write(writes []providers.UserWrite, during func()) (results []string) {
	w.Helper()
	err := w.p.WriteUsers(w.Context(), writes, func(_ state.Tx, got []providers.UserResult) error {
		results = nil
		for _, r := range got {
			switch {
			case r.Written:
				results = append(results, "written")
			case r.Gone:
				results = append(results, "gone")
			case !r.Refused.IsZero():
				results = append(results, string(r.Refused.Code))
			default:
				results = append(results, "changed")
			}
		}
		if during != nil {
			during()
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return results
}

func (w heldWorld) wants(what string, got []string, want ...string) {
	w.Helper()
	if len(got) != len(want) {
		w.Fatalf("%s: %q, want %q", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			w.Errorf("%s: %q, want %q", what, got, want)
		}
	}
}

// TestHeldRows: rows that others hold are told from rows that are gone, and neither is waited for. A session that refers to a
// row holds its key, which only a link would change.
func TestHeldRows(t *testing.T) {
	t.Parallel()
	w, c := newHeldWorld(t, 5)
	const held, written = string(state.CodeRowHeld), "written"
	writes, raises := w.writes(true, 0, 1, 2, 3), w.writes(false, 0, 1, 2, 3)
	changing := w.holding("update users set phone = '1' where user_id = $1", w.ids[0])
	referring := w.holding(`insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash,
		access_token_expires_at, refresh_token_expires_at) select user_id, tenant_id, 'a', 'b', now(), now() from users where user_id = $1`, w.ids[1])
	sharing := w.holding("select from users where user_id = $1 for share", w.ids[2])
	if _, err := c.Exec(t.Context(), "delete from users where user_id = $1", w.ids[3]); err != nil {
		t.Fatal(err)
	}
	w.wants("links", w.write(writes, nil), held, held, held, "gone")
	w.wants("methods", w.write(raises, nil), held, written, held, "gone")
	for _, tx := range []pgx.Tx{changing, referring, sharing} {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.wants("links, when nobody holds the rows", w.write(w.writes(true, 0, 1, 2), nil), written, written, written)
}

// TestBlockedWrite: what a trigger waits for is waited for shortly, and then nothing is locked: the rows are found by writing
// fewer of them.
func TestBlockedWrite(t *testing.T) {
	t.Parallel()
	w, c := newHeldWorld(t, 4)
	if _, err := c.Exec(t.Context(), `create table seats (user_id uuid primary key, n int not null default 0);
		insert into seats (user_id) select user_id from users;
		create function seat() returns trigger language plpgsql as $$ begin
			update seats set n = n + 1 where user_id = new.user_id; return new; end $$;
		create trigger seat before update on users for each row execute function seat()`); err != nil {
		t.Fatal(err)
	}
	const held, written = string(state.CodeTableHeld), "written"
	w.holding("update seats set n = 0 where user_id = $1", w.ids[1])
	free := func() {
		if _, err := c.Exec(t.Context(), "select from users for update nowait"); err != nil {
			t.Errorf("rows are held while that is settled: %v", err)
		}
	}
	w.wants("all", w.write(w.writes(true, 0, 1, 2, 3), free), held, held, held, held)
	w.wants("two", w.write(w.writes(true, 2, 3), nil), written, written)
	w.wants("one", w.write(w.writes(true, 1), free), held)
	w.wants("its neighbour", w.write(w.writes(true, 0), nil), written)
}

// TestTwoOrders: a session of the application that has one row and waits for another, which is written, gets it. Neither is
// ended as a deadlock.
func TestTwoOrders(t *testing.T) {
	t.Parallel()
	w, c := newHeldWorld(t, 2)
	tx := w.holding("update users set phone = '1' where user_id = $1", w.ids[1])
	pid := tx.Conn().PgConn().PID()
	waited := make(chan error, 1)
	got := w.write(w.writes(true, 0, 1), func() {
		go func() {
			_, err := tx.Exec(t.Context(), "update users set phone = '1' where user_id = $1", w.ids[0])
			waited <- err
		}()
		for waits := false; !waits; {
			if err := c.QueryRow(t.Context(), "select cardinality(pg_blocking_pids($1)) > 0", int32(pid)).Scan(&waits); err != nil {
				t.Error(err)
				return
			}
		}
	})
	w.wants("two orders", got, "written", string(state.CodeRowHeld))
	if err := <-waited; err != nil {
		t.Errorf("the application's statement: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("the application's transaction: %v", err)
	}
	w.wants("afterwards", w.write(w.writes(true, 1), nil), "written")
}
