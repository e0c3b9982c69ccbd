package report

import (
	"fmt"
	"strings"
	"time"

	"anthill/state"
)

// sayWait says what is waited for, and who has it.
func (v *voice) sayWait(f state.Finding) string {
	switch f.Code {
	case state.CodePreparedHolds:
		return "a prepared transaction (pg_prepared_xacts)"
	case state.CodeLockedBy:
		return v.sayLockedBy(f)
	case state.CodeWaits:
		who := v.fewOf(v.sayEach(f.Arg(state.KeyWhy).Findings))
		return "waiting for " + lasting(f.Arg(state.KeySpan).Span) + " for " + v.waitedFor(f) + ": " + strings.Join(who, "; ")
	}
	who := fmt.Sprintf("process %d", f.Arg(state.KeySession).Number)
	var of []string
	if name := f.Text(state.KeyApplication); name != "" {
		of = append(of, v.escape(name))
	}
	if role := f.Text(state.KeyRole); role != "" {
		of = append(of, "role "+v.escape(role))
	}
	if len(of) > 0 {
		who += " (" + strings.Join(of, ", ") + ")"
	}
	if f.Code == state.CodeSessionHidden {
		return who + ", of which role " + v.escape(f.Text(state.KeyTo)) + " may not see more (GRANT pg_read_all_stats)"
	}
	if age := f.Arg(state.KeySpan).Span; age > 0 {
		who += ", " + lasting(age) + " in its transaction"
	}
	if status := f.Text(state.KeyStatus); status != "" {
		who += ", " + v.escape(status)
	}
	if query := f.Text(state.KeyQuery); query != "" {
		who += ", last statement: " + v.escape(strings.Join(strings.Fields(query), " "))
	}
	return who
}

// waitedFor names what is waited for.
func (v *voice) waitedFor(f state.Finding) string {
	table, index := v.escape(f.Text(state.KeyTable)), v.escape(f.Text(state.KeyIndex))
	switch kind := f.Text(state.KeyKind); {
	case kind == state.WaitOnTarget:
		return "the lock on the target"
	case kind == state.WaitOnTransactions && index != "":
		return "older transactions to end, to build index " + index
	case kind == state.WaitOnTransactions:
		return "older transactions to end"
	case kind == state.WaitOnTable && table != "":
		return "a lock on " + table
	case kind == state.WaitOnRow:
		return "a row"
	}
	return "a lock"
}

// sayLockedBy says who has the lock on the target.
func (v *voice) sayLockedBy(f state.Finding) string {
	who := fmt.Sprintf("process %d", f.Arg(state.KeySession).Number)
	if from := f.Text(state.KeyFrom); from != "" {
		who += " at " + v.escape(from)
	}
	if by := f.Text(state.KeyBy); by != "" {
		who = v.escape(by) + ", " + who
	}
	if since := f.Arg(state.KeyAt).Time; !since.IsZero() {
		who += ", since " + stamp(since)
	}
	return who
}

// lasting writes how long something has lasted, to the second.
func lasting(d time.Duration) string { return d.Round(time.Second).String() }
