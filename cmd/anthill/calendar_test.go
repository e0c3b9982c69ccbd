package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/examples"
	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
)

// calendar is a company that goes through examples/seed-calendar, on a clock of its own.
type calendar struct {
	*world
	mails   *mailtest.Server
	people  *browser
	at, set time.Time       // the moment of the calendar, and when that was set: from there its clock goes on
	ran     map[string]bool // shapes of command lines that were carried out
	allowed []string        // hazards that a plan of the day was allowed, with its day
}

func newCalendar(t *testing.T) *calendar {
	w := newWorld(t, sandbox.Options{Tenants: 40, Users: 2000, Seed: 11}, emulator(t))
	w.exec("update tenants set status = 'active' where slug in ('anthill', 'acme', 'globex')")
	w.exec(`update users set email = 'jane@acme.example', email_verified = true where user_id = (select user_id from users
		join tenants t using (tenant_id) where t.slug = 'acme' and users.role = 'user' and users.status = 'active' and users.deleted_at is null order by user_id limit 1)`)
	c := &calendar{world: w, mails: mailtest.Start(t, mailtest.Options{}), people: w.browse(), ran: map[string]bool{}}
	w.env["MAIL_URL"] = c.mails.URL
	w.now = func() time.Time { return c.at.Add(time.Since(c.set)) }
	for _, name := range []string{"main.anthill.hcl", "calendar.anthill.hcl", "soon.md", "password-ends.md"} {
		text, err := examples.SeedCalendar.ReadFile("seed-calendar/" + name)
		must(t, err)
		// The clock goes no faster while mails are sent.
		text = regexp.MustCompile(`(?m)^ *rate +=.*$`).ReplaceAll(text, nil)
		must(t, os.WriteFile(filepath.Join(w.dir, name), text, 0o600))
	}
	return c
}

// commandShape is a command line without its values: its words and the names of its flags.
func commandShape(args []string) string {
	commands := []string{"pause", "resume", "confirm", "list", "promote", "accept", "users", "links", "retarget"}
	words, flags := []string{args[0]}, []string{}
	for i, a := range args[1:] {
		switch {
		case strings.HasPrefix(a, "-"):
			flags = append(flags, a)
		case i == 0 && slices.Contains(commands, a):
			words = append(words, a)
		}
	}
	slices.Sort(flags)
	return strings.Join(append(words, flags...), " ")
}

func (c *calendar) run(want int, args ...string) string {
	c.t.Helper()
	c.ran[commandShape(args)] = true
	out, errs := c.world.run(want, args...)
	return out + errs
}

// goTo is a moment of the calendar, as "2027-01-04 10:00" in Berlin.
func (c *calendar) goTo(moment string) {
	c.t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	must(c.t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", moment, zone)
	must(c.t, err)
	if at.Before(c.at) {
		c.t.Fatalf("%s has been", moment)
	}
	c.at, c.set = at, time.Now()
}

var hazardFlag = regexp.MustCompile(`-allow ([A-Z_]+)=(\d+)`)

// day makes the plan of the day, allows what it is blocked by if that may be, and carries it out.
func (c *calendar) day(want int, mayBe ...string) string {
	c.t.Helper()
	c.ran[commandShape([]string{"plan", "-out"})] = true
	args := []string{"plan", "-out", "today.plan"}
	status, out, errs := c.try(args...)
	if status == exitBlocked {
		for _, m := range hazardFlag.FindAllStringSubmatch(out, -1) {
			if slices.Contains(args, m[1]+"="+m[2]) {
				continue
			}
			if !slices.Contains(mayBe, m[1]) {
				c.t.Fatalf("%s: blocked by %s:\n%s", c.at, m[0], out)
			}
			args = append(args, "-allow", m[1]+"="+m[2])
			c.allowed = append(c.allowed, c.at.Format("01-02 ")+m[1])
		}
		status, out, errs = c.try(args...)
	}
	if status != exitDone {
		c.t.Fatalf("%s: plan has status %d\n%s%s", c.at, status, out, errs)
	}
	c.run(exitDone, "show", "today.plan")
	return out + c.run(want, "apply", "today.plan")
}

// moved counts linked users, of a tenant or ("") of all.
func (c *calendar) moved(tenant string) int {
	c.t.Helper()
	return c.number(`select count(*) from users u join tenants t using (tenant_id) where u.{idp}_user_id is not null and ($1 = '' or t.slug = $1)`, tenant)
}

// eligible counts who is to be moved of some tenants, and who has some roles.
func (c *calendar) live(where string) int {
	c.t.Helper()
	return c.number(`select count(*) from users u join tenants t using (tenant_id) where t.status = 'active' and t.deleted_at is null
		and u.status = 'active' and u.deleted_at is null and ` + where)
}

// comeIn lets some of those who are moved enrol, and log in to the application by Self-auth.
func (c *calendar) comeIn(share int, where string) (n int) {
	c.t.Helper()
	persons := c.texts(c.spell(`select u.{idp}_user_id::text from users u join tenants t using (tenant_id) where u.{idp}_user_id is not null and u.status = 'active'
		and u.role not in ('admin', 'super_admin') and abs(hashtext(u.user_id::text)) % 100 < ` + fmt.Sprint(share) + ` and ` + where + ` order by 1`))
	known := map[string]bool{}
	list, err := c.api.Directory().Enrolled(c.t.Context())
	must(c.t, err)
	for _, id := range list {
		known[id.String()] = true
	}
	for _, p := range persons {
		if !known[p] {
			c.people.enrol(uuid.MustParse(p))
			n++
		}
	}
	// As the application does at a login.
	c.exec("update users set {idp}_synced_at = now() + interval '1 minute' where {idp}_user_id = any($1)", persons)
	return n
}

// stepsBegun is how many steps of the wave everyone have moved somebody.
func (c *calendar) stepsBegun() int {
	c.t.Helper()
	return c.number("select count(distinct wave) from anthill_state.users where wave like 'everyone[%'")
}

// decisions are the hazards that were allowed, but for codes to addresses that nobody has confirmed: those are in most plans.
func (c *calendar) decisions() []string {
	return slices.DeleteFunc(slices.Clone(c.allowed), func(a string) bool { return strings.HasSuffix(a, "LINK_TO_UNVERIFIED") })
}

// alone is how many users come in by Self-auth alone.
func (c *calendar) alone() int {
	c.t.Helper()
	return c.number("select count(*) from users where auth_method = '{value}'")
}

// enrolledUsers is how many active users have a credential in Self-auth.
func (c *calendar) enrolledUsers() int {
	c.t.Helper()
	list, err := c.api.Directory().Enrolled(c.t.Context())
	must(c.t, err)
	return c.number("select count(*) from users where {idp}_user_id = any($1) and status = 'active' and deleted_at is null", list)
}

// documented demands that each command of a document was run, whatever its values.
func (c *calendar) documented(file string) {
	c.t.Helper()
	text, err := os.ReadFile(file)
	must(c.t, err)
	found := 0
	for _, m := range regexp.MustCompile("(?m)(?:^    |`)anthill ([^`\n]+)").FindAllStringSubmatch(string(text), -1) {
		found++
		if shape := commandShape(strings.Fields(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(m[1], "x"))); !c.ran[shape] {
			c.t.Errorf("%s names anthill %s, which this test does not run", file, m[1])
		}
	}
	if found < 20 {
		c.t.Errorf("%s has %d commands", file, found)
	}
}

// isAnnouncement reports whether a mail announces a wave.
func isAnnouncement(m mailtest.Mail) bool {
	return bytes.Contains(m.Raw, []byte("Subject: Coming soon")) || bytes.Contains(m.Raw, []byte("Subject: Your password for"))
}

// announced counts the announcements that were accepted.
func (c *calendar) announced() (n int) {
	for _, m := range c.mails.Accepted() {
		if isAnnouncement(m) {
			n++
		}
	}
	return n
}

// mailsTo counts the invitations and reminders that were accepted for the users of a tenant, and the most that one of them got.
func (c *calendar) mailsTo(tenant string) (all, most int) {
	c.t.Helper()
	of := map[string]int{}
	for _, a := range c.texts("select lower(email) from users join tenants t using (tenant_id) where t.slug = '" + tenant + "'") {
		of[a] = 0
	}
	for _, m := range c.mails.Accepted() {
		if isAnnouncement(m) {
			continue
		}
		if n, is := of[strings.ToLower(m.To)]; is {
			of[strings.ToLower(m.To)] = n + 1
			all++
			most = max(most, n+1)
		}
	}
	return all, most
}

// TestCalendar goes through examples/seed-calendar from the first plan to the last wave, and proves that docs/rollout.md names no command that it does not
// run.
func TestCalendar(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	const hash = "select md5(string_agg(coalesce(password_hash, '-'), ',' order by user_id)) from users"
	hashes := c.texts(hash)[0]

	// Week 1: ourselves.
	c.goTo("2026-12-28 10:00")
	c.run(exitDone, "validate")
	c.run(exitBlocked, "plan", "-as-of", "2027-01-04T09:00:00Z")
	c.day(exitDone)
	if n := c.moved(""); n != 0 {
		t.Fatalf("%d users are moved before the first date", n)
	}
	c.goTo("2027-01-04 10:00")
	out := c.day(exitDone, "LINK_TO_UNVERIFIED")
	internal := c.moved("")
	if most := c.live("(t.slug = 'anthill' or u.role = 'super_admin')"); internal == 0 || internal > most {
		t.Fatalf("%d users are moved in the first week, of %d\n%s", internal, most, out)
	}
	if n := len(c.mails.Accepted()); n != internal {
		t.Errorf("%d mails for %d users", n, internal)
	}
	c.run(exitDone, "status")
	c.run(exitDone, "status", "-kpi")
	c.run(exitDone, "status", "-pending")
	c.comeIn(80, "true")
	c.goTo("2027-01-08 10:00")
	c.day(exitDone)
	admins := c.live("t.slug in ('acme', 'globex') and u.role in ('admin', 'super_admin', 'owner')")
	if n := c.announced(); n != admins || n == 0 {
		t.Errorf("the pilot is announced to %d, and its tenants have %d administrators", n, admins)
	}

	// Weeks 2 and 3: the pilot. Nobody is moved who has not opted in, and nobody at night.
	c.goTo("2027-01-11 10:00")
	c.day(exitDone)
	if n := c.moved(""); n != internal {
		t.Fatalf("%d users of the pilot are moved before anybody opted in", n-internal)
	}
	c.run(exitDone, "wave", "confirm", "-tenant", "acme", "-note", "their admin agreed", "pilot", "opt_in")
	c.run(exitDone, "wave", "list", "pilot")
	c.goTo("2027-01-11 20:00")
	out = c.day(exitRemainder, "LINK_TO_UNVERIFIED", "OVER_LIMIT")
	if n := c.moved(""); n != internal || !strings.Contains(out, "2027-01-12 08:00") {
		t.Fatalf("%d users are moved out of the window, which opens on the day after:\n%s", n-internal, out)
	}
	c.goTo("2027-01-12 10:00")
	c.day(exitDone, "LINK_TO_UNVERIFIED", "OVER_LIMIT")
	acme := c.moved("acme")
	if acme == 0 || c.moved("globex") > c.live("t.slug = 'globex' and u.role = 'super_admin'") {
		t.Fatalf("moved: %d of acme, %d of globex", acme, c.moved("globex"))
	}
	c.run(exitDone, "explain", "jane@acme.example")
	c.comeIn(60, "t.slug = 'acme'")

	// A tenant that goes wrong.
	c.goTo("2027-01-13 10:00")
	c.run(exitDone, "wave", "confirm", "-tenant", "globex", "-note", "they agreed", "pilot", "opt_in")
	c.day(exitDone, "LINK_TO_UNVERIFIED", "OVER_LIMIT")
	globex := c.moved("globex")
	if globex == 0 {
		t.Fatal("nobody of globex is moved")
	}
	invited, _ := c.mailsTo("globex")
	c.run(exitDone, "wave", "pause", "-tenant", "globex", "-reason", "logins fail", "pilot")
	c.run(exitDone, "wave", "resume", "-tenant", "globex", "-reason", "it was their proxy", "pilot")
	c.run(exitDone, "rollback", "-tenant", "globex", "-out", "back.plan")
	c.run(exitDone, "show", "back.plan")
	c.run(exitDone, "apply", "back.plan")
	if n := c.moved("globex"); n != 0 {
		t.Errorf("%d of globex are linked after the rollback", n)
	}
	c.goTo("2027-01-14 10:00")
	c.day(exitDone)
	if n := c.moved("globex"); n != 0 {
		t.Errorf("%d of globex are moved while it is paused", n)
	}
	c.run(exitDone, "wave", "list", "-history", "pilot")
	// Nobody is at a terminal to say yes.
	c.run(exitBlocked, "rollback", "-tenant", "acme")
	c.run(exitDone, "wave", "pause", "pilot", "-reason", "wait a moment")
	c.run(exitDone, "wave", "resume", "pilot")

	// Reminders to those of acme who have not come in.
	c.goTo("2027-01-18 10:00")
	first, _ := c.mailsTo("acme")
	c.day(exitDone, "LINK_TO_UNVERIFIED")
	second, most := c.mailsTo("acme")
	if second == first || second-first >= first || most != 2 {
		t.Errorf("acme had %d mails, and has %d, at most %d each", first, second, most)
	}

	// It comes back. A gate that its rollback has closed is confirmed again, and the second mail to the same people is a decision.
	c.goTo("2027-01-19 10:00")
	c.run(exitDone, "wave", "resume", "-tenant", "globex", "-reason", "fixed", "pilot")
	c.run(exitDone, "wave", "confirm", "-tenant", "globex", "-note", "they agreed once more", "pilot", "opt_in")
	c.day(exitDone, "LINK_TO_UNVERIFIED", "OVER_LIMIT", "SENDS_MAIL")
	if n := c.moved("globex"); n != globex {
		t.Errorf("%d of globex are moved again, of %d", n, globex)
	}
	if again, most := c.mailsTo("globex"); again != 2*invited || most != 2 {
		t.Errorf("globex had %d mails, and has %d", invited, again)
	}
	c.comeIn(60, "t.slug = 'globex'")
	pilot := c.moved("")

	// Week 4 and on: a step a week, none in the freeze, and one sooner, as somebody wished and somebody allowed it.
	c.run(exitDone, "wave", "confirm", "-note", "two tickets, both answered", "pilot", "support")
	moved := pilot
	step := func(day string, want, steps int, mayBe ...string) {
		t.Helper()
		if !strings.Contains(day, ":") {
			day += " 11:00"
		}
		c.goTo(day)
		out := c.day(want, append(mayBe, "LINK_TO_UNVERIFIED", "OVER_LIMIT")...)
		n := c.moved("")
		if (n > moved) != (steps > 0) || c.stepsBegun() != steps && steps > 0 {
			t.Errorf("%s: %d users are moved, and %d steps have begun\n%s", day, n-moved, c.stepsBegun(), out)
		}
		moved = n
		c.comeIn(50, "true")
	}
	step("2027-01-26", exitDone, 0)
	step("2027-02-02", exitDone, 1)
	// In the morning of the last day of the window: later, the codes would end before a working day is over.
	c.goTo("2027-02-04 09:15")
	c.run(exitDone, "wave", "promote", "-reason", "no ticket in two days", "everyone[5]")
	step("2027-02-04 09:30", exitDone, 2, "LOOSENS_BRAKE")
	step("2027-02-09", exitDone, 0)
	step("2027-02-16", exitRemainder, 0)
	step("2027-02-22", exitDone, 3)
	odd := c.texts(c.spell("select user_id::text from users join tenants t using (tenant_id) where {idp}_user_id is null and t.status = 'active' " +
		"and users.status = 'active' and role = 'user' and email like '_%@_%._%' and email_verified order by md5(user_id::text) limit 5"))
	c.exec("alter table users add constraint odd check (user_id not in ('" + strings.Join(odd, "', '") + "') or {idp}_user_id is null)")
	step("2027-03-02", exitRemainder, 4)
	c.run(exitDone, "wave", "accept", "-reason", "an address that does not exist", "everyone[100]")
	step("2027-03-03", exitRemainder, 0, "LOOSENS_BRAKE")
	step("2027-03-09", exitRemainder, 0)
	c.exec("alter table users drop constraint odd")
	step("2027-03-16", exitDone, 4)

	// The database moves to a new server, as a pg_upgrade does it.
	c.exec("update anthill_state.meta set system = '77'")
	c.run(exitStale, "plan")
	c.run(exitBlocked, "state", "retarget") // nobody says yes
	c.run(exitDone, "state", "retarget", "-auto-approve")

	// Month 5: passwords go, of those who can come in without. The others keep theirs, and are counted.
	told := c.announced()
	step("2027-04-05", exitDone, 0)
	if n := c.announced() - told; n < moved*9/10 || n > moved {
		t.Errorf("that passwords end was announced to %d of %d", n, moved)
	}
	c.run(exitDone, "wave", "confirm", "-note", "we are ready", "retire", "support")
	c.run(exitDone, "status", "-pending")
	step("2027-04-27", exitDone, 0)
	if n := c.alone(); n != 0 {
		t.Fatalf("the password of %d users went before its day", n)
	}
	enrolled := c.enrolledUsers()
	step("2027-05-03", exitDone, 0, "ENDS_SESSIONS")
	if n := c.alone(); n == 0 || n != enrolled {
		t.Errorf("%d users come in by Self-auth alone, and %d have a credential there", n, enrolled)
	}
	if n := c.number("select count(*) from users where auth_method = '{value}' and {idp}_user_id is null"); n != 0 {
		t.Errorf("%d users can come in by nothing", n)
	}
	if want := []string{"01-19 SENDS_MAIL", "02-04 LOOSENS_BRAKE", "03-02 OVER_LIMIT", "03-03 LOOSENS_BRAKE", "05-03 OVER_LIMIT"}; !slices.Equal(c.decisions(), want) {
		t.Errorf("allowed: %v, want %v", c.decisions(), want)
	}
	if got := c.texts(hash)[0]; got != hashes {
		t.Error("password hashes are not what they were")
	}
	c.run(exitDone, "status")
	c.documented("../../docs/rollout.md")
}
