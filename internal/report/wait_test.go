package report

import (
	"bytes"
	"testing"
	"time"

	"anthill/internal/apply"
	"anthill/state"
)

// TestWaiting: what is waited for stands on a line of its own, with who has it; texts from outside cannot break it.
func TestWaiting(t *testing.T) {
	t.Parallel()
	session := func(pid int64, application string, args ...state.Arg) []state.Arg {
		return append([]state.Arg{state.Number(state.KeySession, pid), state.Text(state.KeyApplication, application),
			state.Text(state.KeyRole, "app")}, args...)
	}
	span := state.Span(state.KeySpan, 14*time.Second)
	on := func(kind string, args ...state.Arg) func(...state.Finding) state.Finding {
		return func(who ...state.Finding) state.Finding {
			all := append([]state.Arg{state.Text(state.KeyKind, kind), span, state.Because(state.KeyWhy, who...)}, args...)
			return state.Found(state.CodeWaits, all...).Times(int64(len(who)))
		}
	}
	idle := state.Found(state.CodeSessionHolds, session(4711, "billing", state.Span(state.KeySpan, 200*time.Second),
		state.Text(state.KeyStatus, "idle in transaction"))...)
	for want, f := range map[string]state.Finding{
		"waiting for 14s for older transactions to end, to build index idx: process 4711 (billing, role app), 3m20s in its transaction, idle in transaction\n": on(
			state.WaitOnTransactions, state.Text(state.KeyIndex, "idx"))(idle),
		"waiting for 14s for a lock on users: process 1 (a\\u000ab, role app), last statement: select\\u001b 1; a prepared transaction (pg_prepared_xacts)\n": on(
			state.WaitOnTable, state.Text(state.KeyTable, "users"))(
			state.Found(state.CodeSessionHolds, session(1, "a\nb", state.Text(state.KeyQuery, "select\x1b\n 1"))...),
			state.Found(state.CodePreparedHolds)),
		"waiting for 14s for a row: process 2 (web, role app), of which role anthill may not see more (GRANT pg_read_all_stats)\n": on(
			state.WaitOnRow)(state.Found(state.CodeSessionHidden, session(2, "web", state.Text(state.KeyTo, "anthill"))...)),
		"waiting for 14s for the lock on the target: ana@ci, process 3 at 10.0.0.1, since 2027-03-01 09:00 UTC\n": on(state.WaitOnTarget)(
			state.Found(state.CodeLockedBy, state.Number(state.KeySession, 3), state.Text(state.KeyBy, "ana@ci"),
				state.Text(state.KeyFrom, "10.0.0.1"), state.At(state.KeyAt, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)))),
		"waiting for 14s for a lock: process 4711 (billing, role app), 3m20s in its transaction, idle in transaction; process 4711 (billing, role app), " +
			"3m20s in its transaction, idle in transaction; process 4711 (billing, role app), 3m20s in its transaction, idle in transaction; and 2 more\n": on(
			state.WaitOnOther)(idle, idle, idle, idle, idle),
	} {
		var b bytes.Buffer
		NewProgress(&b, false, time.Now, Options{}).Event(apply.Event{Kind: apply.Waiting, Note: f})
		if got := b.String(); got != want {
			t.Errorf("it says:\n%swant:\n%s", got, want)
		}
	}
}
