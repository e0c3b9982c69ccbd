package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// What status counts by. Each question is one statement over all users, however many tenants there are.

// The marks of a counted row, each at a place of its own: one number is grouped by faster than many columns.
const (
	countMethod    = 0x3
	countDeleted   = 1 << 2
	countActive    = 1 << 3
	countSuspended = 1 << 4
	countExcluded  = 1 << 5
	countPassword  = 1 << 6
	countLinked    = 1 << 7
	countInvited   = 1 << 8
	countCompleted = 1 << 9
	countEnrolled  = 1 << 10
	countNew       = 1 << 11
	countStanding  = 1 << 12 // times the standing, below 8
	countOutside   = 1 << 16 // times the number of shares
)

// counting is a statement in the making.
type counting struct {
	p    *Provider
	by   providers.CountBy
	args []any
}

func (c *counting) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

// recorded is the relation of recorded users, with columns that no row of the application has.
func (c *counting) recorded() string {
	if c.by.Recorded == nil {
		return `(select null::uuid as r_user, null::text as r_standing, ''::text as r_wave, ''::text as r_policy, false as r_wrote,
			null::timestamptz as r_synced, null::uuid as r_person where false) r`
	}
	synced := "null::timestamptz"
	if c.by.Synced {
		synced = "synced"
	}
	return `(select user_id as r_user, standing as r_standing, wave as r_wave, policy as r_policy, wrote_link as r_wrote, ` +
		synced + ` as r_synced, person as r_person from ` + pgx.Identifier(c.by.Recorded).Sanitize() + `) r`
}

// told are the waves that were announced to users, as bits: they are put together without sorting. The name of a step begins with that of
// its wave.
func (c *counting) told() string {
	if c.by.Outbox == nil || len(c.by.Announced) == 0 {
		return ""
	}
	bits := func(one int) string {
		b := []byte(strings.Repeat("0", len(c.by.Announced)))
		if one >= 0 {
			b[one] = '1'
		}
		return " B'" + string(b) + "'"
	}
	of := "case split_part(wave, '[', 1)"
	for i, w := range c.by.Announced {
		of += " when " + c.arg(w) + " then" + bits(i)
	}
	return ` left join (select user_id as t_user, bit_or(` + of + " else" + bits(-1) + ` end) as t_waves from ` +
		pgx.Identifier(c.by.Outbox).Sanitize() + " m where " +
		`m.letter = 'announcement' and m.status not in ('chosen', 'later', 'withdrawn') group by 1) n on n.t_user = u.{user_id}`
}

// from are the rows beside what is recorded of their users.
func (c *counting) from() string {
	return ` from {users} u left join ` + c.recorded() + ` on r.r_user = u.{user_id}` + c.told()
}

// columnsOf are the expressions over columns of the dual schema, or what stands for them before it is made.
func (c *counting) columnsOf() columnsOf {
	if c.p.dual.Load() {
		return columnsOf{method: `u.{method}`, invited: `u.{invited_at} is not null`, completed: `u.{completed_at} is not null`,
			apart: `coalesce(u.{completed_at}::timestamptz <> u.{linked_at}::timestamptz, false)`}
	}
	return columnsOf{method: ofUser(futureMethod), invited: `false`, completed: `u.{link_id} is not null and u.{linked_at} is not null`, apart: `false`}
}

// ofUser is an expression over columns of users beside other tables, which may have columns of the same names.
func ofUser(expression string) string {
	return strings.NewReplacer("{link_id}", "u.{link_id}", "{password_hash}", "u.{password_hash}").Replace(expression)
}

// completed is providers.Completed; whoever is not moved by us has logged in where the application says so.
func (c *counting) completed() string {
	of, onLink := c.columnsOf(), "false"
	if len(c.by.OnLink) > 0 {
		onLink = "r.r_policy = any(" + c.arg(c.by.OnLink) + ")"
	}
	return fmt.Sprintf(`case when r.r_standing is distinct from 'moved' then u.{link_id} is not null and %[1]s
		when u.{linked_at} is null then %[1]s and not %[2]s
		when r.r_wrote and r.r_synced is null then %[3]s or %[1]s and not %[2]s
		when r.r_wrote and u.{linked_at}::timestamptz = r.r_synced then %[3]s
		when u.{link_id} is distinct from r.r_person then %[1]s
		else true end`, "("+of.completed+")", onLink, of.apart)
}

func (c *counting) excluded() string {
	var any []string
	if len(c.by.ExcludedIDs) > 0 {
		any = append(any, "u.{user_id} = any("+c.arg(ids(c.by.ExcludedIDs))+"::uuid[])")
	}
	if len(c.by.ExcludedMails) > 0 {
		any = append(any, "lower(u.{email}) = any("+c.arg(c.by.ExcludedMails)+"::text[])")
	}
	if any == nil {
		return "false"
	}
	return strings.Join(any, " or ")
}

// outside is of how many shares a user is outside.
func (c *counting) outside() string {
	if len(c.by.Shares) == 0 {
		return "0"
	}
	var limits [][]byte
	for _, s := range c.by.Shares {
		limits = append(limits, binary.BigEndian.AppendUint64(nil, s))
	}
	// The sum is dear, and so made once. It is longer than a limit, and thus above one that it begins with.
	return "width_bucket(sha256(uuid_send(u.{user_id})), " + c.arg(limits) + "::bytea[])"
}

// marks is the number of a row's marks.
func (c *counting) marks() string {
	of := c.columnsOf()
	enrolled, isNew := "false", "false"
	if len(c.by.Enrolled) > 0 {
		enrolled = "u.{link_id} = r.r_person and u.{link_id} = any(" + c.arg(ids(c.by.Enrolled)) + "::uuid[])"
	}
	if !c.by.NewSince.IsZero() {
		isNew = "u.{created_at} >= " + c.arg(c.by.NewSince)
	}
	var sql strings.Builder
	fmt.Fprintf(&sql, `(case %s when {value.password} then %d when {value.dual} then %d when {value.self_auth} then %d else 0 end`,
		of.method, state.MethodPassword, state.MethodDual, state.MethodSelfAuth)
	for _, m := range []struct {
		is   string
		mark int
	}{
		{`u.{deleted_at} is not null`, countDeleted},
		{`u.{status} = 'active'`, countActive},
		{`u.{status} = 'suspended'`, countSuspended},
		{c.excluded(), countExcluded},
		{"u.{link_id} is not null and " + ofUser(isBcrypt), countPassword}, // the form is dear to look at
		{`u.{link_id} is not null`, countLinked},
		{of.invited, countInvited},
		{c.completed(), countCompleted},
		{enrolled, countEnrolled},
		{isNew, countNew},
	} {
		if m.is != "false" {
			fmt.Fprintf(&sql, " + case when %s then %d else 0 end", m.is, m.mark)
		}
	}
	sql.WriteString(" + case r.r_standing")
	for s := state.Moved; s.String() != "" && s <= state.RowBack; s++ {
		fmt.Fprintf(&sql, " when '%s' then %d", s, int(s)*countStanding)
	}
	fmt.Fprintf(&sql, " else 0 end + %d * (%s))", countOutside, c.outside())
	return sql.String()
}

// role is a user's role, where that is asked for.
func (c *counting) role() string {
	if c.by.Roles {
		return "u.{role}"
	}
	return "''"
}

// common are the columns that a count and a line have, in the order of facts.
func (c *counting) common() string {
	told := "''"
	if c.by.Outbox != nil && len(c.by.Announced) > 0 {
		told = "coalesce(n.t_waves::text, '')"
	}
	return `u.{tenant_id}, ` + c.marks() + `, coalesce(r.r_wave, ''), coalesce(r.r_policy, ''), ` + c.role() + `, ` + told
}

// factsOf scans the columns of common.
type factsOf struct {
	providers.UserFacts
	marks int64
}

func (f *factsOf) into() []any {
	return []any{&f.Tenant, &f.marks, &f.Wave, &f.Policy, &f.Role, &f.Told}
}

func (f *factsOf) facts() providers.UserFacts {
	is := func(mark int64) bool { return f.marks&mark != 0 }
	u := f.UserFacts
	u.Method = state.Method(f.marks & countMethod)
	u.Deleted, u.Active, u.Suspended, u.Excluded = is(countDeleted), is(countActive), is(countSuspended), is(countExcluded)
	u.Password, u.Linked, u.Invited, u.Completed = is(countPassword), is(countLinked), is(countInvited), is(countCompleted)
	u.Enrolled, u.New = is(countEnrolled), is(countNew)
	u.Standing, u.Outside = state.Standing(f.marks/countStanding%8), int(f.marks/countOutside)
	return u
}

// countCosts tell the server how to count. It cannot know how few sorts of users there are, takes them for as many as users, and would
// sort all of them, or leave all of the work to one process. To compile the expressions takes longer than it saves.
const countCosts = "set local enable_sort = off; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; set local jit = off"

// count runs a statement that counts.
func (s *Snapshot) count(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	if _, err := s.tx.Exec(ctx, countCosts); err != nil {
		return nil, err
	}
	return s.tx.Query(ctx, sql, args...)
}

// CountUsers counts all rows of users by what they have in common.
func (s *Snapshot) CountUsers(ctx context.Context, by providers.CountBy) ([]providers.UserCount, error) {
	const doing = "count users"
	sql, args := s.p.countUsers(by)
	rows, err := s.count(ctx, sql, args)
	if err != nil {
		return nil, s.p.unread(ctx, doing, "users", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u providers.UserCount, err error) {
		var f factsOf
		err = row.Scan(append(f.into(), &u.Users)...)
		u.UserFacts = f.facts()
		return u, err
	})
	return list, s.p.unread(ctx, doing, "users", err)
}

func (p *Provider) countUsers(by providers.CountBy) (sql string, args []any) {
	c := &counting{p: p, by: by}
	sql = "select " + c.common() + ", count(*)" + c.from() + " group by 1, 2, 3, 4, 5, 6"
	return p.names.sql(sql), c.args
}

// CountDays counts the linked users of live rows and tenants by the days on which they were linked and have logged in first.
func (s *Snapshot) CountDays(ctx context.Context, by providers.CountBy) ([]providers.DayCount, error) {
	const doing = "count days"
	sql, args := s.p.countDays(by)
	rows, err := s.count(ctx, sql, args)
	if err != nil {
		return nil, fail(doing, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d providers.DayCount, err error) {
		var linked, completed *time.Time
		var method int64
		err = row.Scan(&linked, &completed, &method, &d.Serves, &d.Users)
		d.Method = state.Method(method)
		d.Linked, d.Completed = utc(linked), utc(completed)
		return d, err
	})
	return list, fail(doing, err)
}

func (p *Provider) countDays(by providers.CountBy) (sql string, args []any) {
	c := &counting{p: p, by: by}
	of := c.columnsOf()
	// What we wrote when we linked is no login's time.
	first := `u.{linked_at}::timestamptz`
	if p.dual.Load() {
		first = `case when u.{completed_at}::timestamptz is distinct from r.r_synced then coalesce(u.{completed_at}::timestamptz, ` +
			first + `) else ` + first + ` end`
	}
	day := func(moment string) string { return "timezone('UTC', " + moment + ")::date" }
	sql = `select ` + day(`coalesce(case when r.r_wrote then r.r_synced end, u.{linked_at}::timestamptz)`) + `,
		case when ` + c.completed() + ` then ` + day(first) + ` end,
		` + fmt.Sprintf(`(case %s when {value.password} then %d when {value.dual} then %d when {value.self_auth} then %d else 0 end)`,
		of.method, state.MethodPassword, state.MethodDual, state.MethodSelfAuth) + `,
		t.{tenants.status} = 'active' and not (` + c.excluded() + `), count(*)` + c.from() + `
		join {tenants} t on t.{tenants.tenant_id} = u.{tenant_id} and t.{tenants.deleted_at} is null
		where u.{deleted_at} is null and u.{link_id} is not null group by 1, 2, 3, 4`
	return p.names.sql(sql), c.args
}

// Listed says which users UserLines lists: of live rows and tenants.
type Listed uint8

// ListPending: log in by password alone. ListAlone: linked, and no password lets them in. ListNew: as pending, and created since
// CountBy.NewSince.
const (
	_ Listed = iota
	ListPending
	ListAlone
	ListNew
)

// UserLines streams users with what is counted of them, whoever was seen last first; those who never were come last, by id.
func (s *Snapshot) UserLines(ctx context.Context, which Listed, by providers.CountBy) iter.Seq2[providers.UserLine, error] {
	return func(yield func(providers.UserLine, error) bool) {
		const doing = "list users"
		sql, args := s.p.userLines(which, by)
		rows, err := s.tx.Query(ctx, sql, args...)
		if err != nil {
			yield(providers.UserLine{}, s.p.unread(ctx, doing, "users", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var f factsOf
			var u providers.UserLine
			var seen, invited, created *time.Time
			if err := rows.Scan(append(f.into(), &u.ID, &seen, &invited, &created)...); err != nil {
				yield(u, s.p.unread(ctx, doing, "users", err))
				return
			}
			u.UserFacts = f.facts()
			u.Seen, u.Invited, u.Created = utc(seen), utc(invited), utc(created)
			if !yield(u, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(providers.UserLine{}, s.p.unread(ctx, doing, "users", err))
		}
	}
}

func (p *Provider) userLines(which Listed, by providers.CountBy) (sql string, args []any) {
	c := &counting{p: p, by: by}
	invited := "null::timestamptz"
	if p.dual.Load() {
		invited = "u.{invited_at}::timestamptz"
	}
	// The application has the column of the last login, and never fills it: sessions tell.
	const seen = "greatest(s.seen, u.{last_login_at}::timestamptz)"
	common := c.common()
	of := c.columnsOf()
	where := "(" + of.method + ") = {value.password}"
	switch which {
	case ListAlone:
		where = "u.{link_id} is not null and ((" + of.method + ") = {value.self_auth} or " + ofUser(isBcrypt) + " is not true)"
	case ListNew:
		where += " and u.{created_at} >= " + c.arg(by.NewSince)
	}
	sql = `select ` + common + `, u.{user_id}, ` + seen + `, ` + invited + `, u.{created_at}::timestamptz` + c.from() + `
		join {tenants} t on t.{tenants.tenant_id} = u.{tenant_id} and t.{tenants.deleted_at} is null
		left join (select {sessions.user_id} as of_user, max({sessions.created_at}::timestamptz) as seen from {sessions} group by 1) s on s.of_user = u.{user_id}
		where u.{deleted_at} is null and ` + where + `
		order by ` + seen + ` desc nulls last, u.{user_id}`
	return p.names.sql(sql), c.args
}

// CountSessions counts sessions by method, at a moment.
func (s *Snapshot) CountSessions(ctx context.Context, at time.Time) ([]providers.SessionCount, error) {
	const doing = "count sessions"
	rows, err := s.tx.Query(ctx, s.p.countSessions(), at.Add(-30*24*time.Hour))
	if err != nil {
		return nil, fail(doing, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c providers.SessionCount, err error) {
		err = row.Scan(&c.Method, &c.All, &c.Open, &c.Recent, &c.Users, &c.Last, &c.Oldest)
		c.Last, c.Oldest = c.Last.UTC(), c.Oldest.UTC()
		return c, err
	})
	return list, fail(doing, err)
}

func (p *Provider) countSessions() string {
	method := "{value.jwt}"
	if p.methods.Load() {
		method = "{sessions.method}"
	}
	return p.names.sql(`select ` + method + `::text, count(*), count(*) filter (where not {revoked}),
			count(*) filter (where {sessions.created_at}::timestamptz >= $1), count(distinct {sessions.user_id}) filter (where {sessions.created_at}::timestamptz >= $1),
			max({sessions.created_at}::timestamptz), min({sessions.created_at}::timestamptz)
		from {sessions} group by 1 order by 1`)
}

// utc is a time that may be NULL; zero then.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
