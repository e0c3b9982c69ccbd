package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

var (
	sequences = flag.Int("sequences", 12, "how many random sequences TestRandomCore tries")
	firstSeed = flag.Int("first-sequence", 0, "the seed of the first of them")
	shrinks   = flag.Int("shrinks", 30, "how many smaller sequences TestRandomCore tries for one that fails")
	except    = flag.String("except", "", "the `KIND` of failure that TestRandomCore does not look at, to find others: stops, gain, ...")
	loud      = flag.Bool("loud", false, "TestRandomCore logs what each command says")
)

// step is one step of a sequence, in words:
//
//	apply                                         a command of the program
//	role 3 admin                                  the application, or an administrator, changes something
//	apply | cut write 4                           a command, and what goes wrong at its fourth write
//	apply | while write 2 : role 3 admin          ... and what somebody does just then
//	apply | freeze write 2 ended : rollback       ... and the command of another process, while the first one sleeps
//
// A user is named by a number, whatever it is; so a sequence stays one when steps are left out of it.
type step struct{ do, fault, then []string }

func (s step) String() string {
	text := strings.Join(s.do, " ")
	if len(s.fault) > 0 {
		text += " | " + strings.Join(s.fault, " ")
	}
	if len(s.then) > 0 {
		text += " : " + strings.Join(s.then, " ")
	}
	return text
}

// story is a sequence; its first step is the world: "world USERS SEED", and "adopt" where a person was there before.
type story []step

func (s story) String() string {
	var list []string
	for _, x := range s {
		list = append(list, x.String())
	}
	return strings.Join(list, "; ")
}

func parseStory(text string) (s story) {
	for _, part := range strings.Split(text, ";") {
		do, fault, _ := strings.Cut(part, "|")
		fault, then, _ := strings.Cut(fault, ":")
		s = append(s, step{strings.Fields(do), strings.Fields(fault), strings.Fields(then)})
	}
	return s
}

// number is the n-th argument of a step, as one; 0 where there is none.
func number(args []string, n int) int {
	if n >= len(args) {
		return 0
	}
	v, _ := strconv.Atoi(args[n])
	return max(v, 0)
}

func argument(args []string, n int) string {
	if n >= len(args) {
		return ""
	}
	return args[n]
}

// drawer draws sequences.
type drawer struct{ *rand.Rand }

func (d drawer) chance(percent int) bool { return d.IntN(100) < percent }

// of draws a line of a list; # stands for a number and A for one of two files.
func (d drawer) of(list ...string) []string {
	words := strings.Fields(list[d.IntN(len(list))])
	for i, w := range words {
		switch w {
		case "#":
			words[i] = fmt.Sprint(d.IntN(20))
		case "A":
			words[i] = []string{"A", "B"}[d.IntN(2)]
		}
	}
	return words
}

func drawStory(seed int) story {
	d := drawer{rand.New(rand.NewPCG(17, uint64(seed)))}
	s := story{{do: []string{"world", fmt.Sprint(10 + d.IntN(9)), fmt.Sprint(d.IntN(1000))}}}
	if d.chance(15) {
		s[0].do = append(s[0].do, "adopt")
	}
	if d.chance(25) {
		s = append(s, step{do: d.configuration()})
	}
	s = append(s, d.faulty(step{do: []string{"apply"}}, 45))
	for range 2 + d.IntN(3) {
		if d.chance(15) {
			s = append(s, d.twoPlans()...)
			continue
		}
		for range d.IntN(3) {
			s = append(s, step{do: d.change()})
		}
		s = append(s, d.faulty(step{do: d.command()}, 50))
	}
	if d.chance(60) {
		s = append(s, step{do: []string{"resume"}})
	}
	return s
}

// twoPlans are two plans in flight.
func (d drawer) twoPlans() (s story) {
	for _, name := range []string{"A", "B"} {
		s = append(s, step{do: d.change()}, step{do: d.of("plan "+name, "plan "+name, "save "+name, "save "+name+" tenant #")})
	}
	for _, name := range []string{"A", "B"} {
		if d.chance(30) {
			s = append(s, step{do: d.change()})
		}
		s = append(s, d.faulty(step{do: []string{"use", name}}, 25))
	}
	return s
}

func (d drawer) command() []string {
	switch n := d.IntN(20); {
	case n < 8:
		return []string{"apply"}
	case n < 11:
		return []string{"rollback"}
	case n < 12:
		return []string{"rollback", "last"}
	case n < 13:
		return []string{"close"}
	}
	return d.of("rollback run #", "rollback wave", "rollback tenant #", "rollback tenant #", "rollback delete", "rollback last", "resume", "resume tenant #", "use A", "save A", "apply tenant #", "apply tenant #")
}

// change is something that somebody else does, or that the configuration asks for.
func (d drawer) change() []string {
	switch n := d.IntN(100); {
	case n < 60:
		return d.application()
	case n < 82:
		return d.administrator()
	}
	return d.configuration()
}

func (d drawer) application() []string {
	return d.of("role # admin", "role # admin", "role # user", "role # manager", "demote #", "demote #", "tenant # #", "tenant # #", "tenant admin #",
		"status # suspended", "status # suspended", "status # active", "status # inactive", "mail # #", "swap # #", "swap # #", "resign # #", "resign # #", "remove #", "restore #", "gone #", "return #", "away #", "again #",
		"login #", "login #", "link #", "link #", "unlink #", "refuse # AH001", "accept")
}

func (d drawer) administrator() []string {
	return d.of("join # #", "join # #", "leave # #", "expire #", "enable #", "delete #", "expire #", "enable #", "drop #", "guard #", "unguard")
}

func (d drawer) configuration() []string {
	return d.of("config full", "config viewers", "config wide", "config narrow", "config rename", "config pilot", "config steps", "config exclude #", "config exclude #")
}

func (d drawer) moment() []string {
	where := d.of("write", "write", "write", "commit", "commit", "commit", "call")[0]
	most := map[string]int{atWrite: 9, atCommit: 9, atCall: 40}[where]
	return []string{where, fmt.Sprint(1 + d.IntN(1+d.IntN(most)))}
}

// faulty has something go wrong during a command, in so many of a hundred cases.
func (d drawer) faulty(s step, percent int) step {
	if !d.chance(percent) || s.do[0] == "save" || s.do[0] == "plan" || s.do[0] == "resume" {
		return s
	}
	at := d.moment()
	side := []string{"before", "after"}[d.IntN(2)]
	switch n := d.IntN(100); {
	case n < 55:
		s.fault = append(append([]string{"cut"}, at...), side)
	case n < 59:
		s.fault = append(append([]string{"drop"}, at...), side)
	case n < 64:
		s.fault = append(append([]string{"end"}, at...), d.of("ended", "lock")...)
	case n < 86:
		s.fault, s.then = append([]string{"while"}, at...), d.application()
		if d.chance(20) {
			s.then = d.administrator()
		}
	case n < 92:
		s.fault = append(append([]string{"kill"}, at...), side)
	default:
		s.fault = append(append([]string{"freeze"}, at...), d.of("ended", "ended", "lock", "asleep", "held ended")...)
		s.then = d.of("rollback", "rollback", "rollback tenant #", "apply", "rollback wave")
	}
	return s
}

// teller plays a story, and stops at the first step after which something is wrong.
type teller struct {
	*realm
	bad      []string
	statuses []int // of the commands of this step
	fault    bool  // a server was struck in this step
}

func play(t *testing.T, s story) (bad []string) {
	r := newRealm(t, max(number(s[0].do, 1), 3), number(s[0].do, 2), slices.Contains(s[0].do, "adopt"))
	x := &teller{realm: r}
	for i, step := range s[1:] {
		if *loud {
			t.Log(step)
		}
		x.step(step)
		if len(x.bad) > 0 {
			return append([]string{fmt.Sprintf("at step %d, %s:", i+1, step)}, x.bad...)
		}
	}
	x.mend()
	if x.settle(); len(x.bad) > 0 {
		return append([]string{"at rest:"}, x.bad...)
	}
	if x.takeAllBack(); len(x.bad) > 0 {
		return append([]string{"after all rollbacks:"}, x.bad...)
	}
	return nil
}

func (x *teller) wrong(format string, args ...any) { x.add(fmt.Sprintf(format, args...)) }

func (x *teller) add(bad ...string) {
	for _, b := range bad {
		if *except == "" || !strings.HasPrefix(b, *except+": ") {
			x.bad = append(x.bad, b)
		}
	}
}

// step does one step. What a command gave and took is looked at as soon as it has ended.
func (x *teller) step(s step) {
	if !isCommand(s.do) {
		x.change(s.do)
		return
	}
	before := x.look()
	clear(x.given)
	clear(x.taken)
	x.statuses, x.fault = nil, len(s.fault) > 0 && s.fault[0] != "while"
	switch {
	case len(s.fault) == 0:
		x.command(s.do, x.inside)
	case s.fault[0] == "freeze":
		x.freeze(s)
	case s.fault[0] == "kill":
		x.kill(s)
	default:
		x.set(x.strike(s))
		x.command(s.do, x.inside)
	}
	x.set(nil)
	after := x.look()
	settled := !after.open && !slices.ContainsFunc(x.statuses, func(status int) bool { return status != exitDone && status != exitRemainder })
	if len(s.fault) > 0 && slices.Contains(s.fault, "held") {
		return // what a sleeper had sent already arrives: the next plan mends it
	}
	x.add(x.gains(before, after, x.kindOf(s), settled)...)
	if settled {
		x.add(x.losses(before, after, x.takesBack(s))...)
	}
}

// kindOf is the command of a step; a plan that was made before may be one of a rollback, and so may what goes on while
// another one sleeps.
func (x *teller) kindOf(s step) string {
	if s.do[0] == "use" || len(s.fault) > 0 && s.fault[0] == "freeze" {
		return "rollback"
	}
	return s.do[0]
}

// takesBack says of which tenants a step was to take users back; of a plan that was made before nobody knows here.
func (x *teller) takesBack(s step) func(tenant string) bool {
	return func(tenant string) bool {
		return slices.ContainsFunc([][]string{s.do, s.then}, func(do []string) bool {
			switch {
			case len(do) > 1 && do[0] == "rollback" && do[1] == "tenant":
				return tenant == x.slug(number(do, 2))
			}
			return len(do) > 0 && (do[0] == "rollback" || do[0] == "use")
		})
	}
}

// strike is what a step says that goes wrong, in the program that runs inside this process.
func (x *teller) strike(s step) *strike {
	k := &strike{where: s.fault[1], at: number(s.fault, 2), after: argument(s.fault, 3) == "after"}
	switch s.fault[0] {
	case "cut":
		k.do = func() bool {
			x.lose(k.where)
			return true
		}
	case "drop":
		k.do = func() bool { return true }
	case "end":
		k.do = func() bool {
			x.safely(func() { x.endSessions(s.fault) })
			return false
		}
	case "while":
		k.do = func() bool {
			x.safely(func() { x.change(s.then) })
			return false
		}
	}
	return k
}

// safely does something within a request of the program.
func (x *teller) safely(do func()) {
	defer func() {
		if e := recover(); e != nil {
			x.wrong("trouble: %v", e)
		}
	}()
	do()
}

// inside runs the program in this process.
func (x *teller) inside(args []string) (status int, said string) {
	status, out, errs := x.try(args...)
	x.heard(args, status, out+errs)
	if status == exitError && !x.asksTooMuch(args) {
		x.wrong("trouble: anthill %s: exit status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	if !x.fault && (status == exitStopped || status == exitRefused) {
		x.wrong("stops: anthill %s: exit status %d, and both servers are well\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return status, out + errs
}

// asksTooMuch says whether a command may be refused as one that makes no sense now.
func (x *teller) asksTooMuch(args []string) bool {
	if slices.Contains(args, "-wave") { // which has moved nobody
		x.know()
		return x.lineage == uuid.Nil || x.world.number("select count(*) from anthill_state.users where standing = 'moved'") == 0
	}
	return args[0] == "wave" // it may not be paused, or is as a whole
}

func (x *teller) heard(args []string, status int, said string) {
	x.statuses = append(x.statuses, status)
	if *loud {
		x.t.Logf("anthill %s: %d\n%s", strings.Join(args, " "), status, said)
	}
}

func isCommand(do []string) bool {
	return slices.Contains([]string{"apply", "plan", "use", "rollback", "save", "resume", "close"}, do[0])
}

// command runs a command of the program; hazards that it names are allowed.
func (x *teller) command(do []string, run func(args []string) (int, string)) {
	for _, args := range x.arguments(do) {
		status, said := run(args)
		allow := allowed(said)
		if status != exitBlocked || len(allow) == 0 {
			continue
		}
		x.statuses = x.statuses[:len(x.statuses)-1] // it goes on
		if args[0] != "apply" {
			run(append(args, allow...))
			continue
		}
		if args[1] != "-auto-approve" {
			continue // a plan that is blocked stays so
		}
		if status, _ := run(slices.Concat([]string{"plan", "-out", "allowed"}, args[2:], allow)); status == exitDone {
			run([]string{"apply", "allowed"})
		}
	}
}

// allowed are the flags that allow what a plan says is blocked.
func allowed(said string) (flags []string) {
	for _, m := range allowances.FindAllStringSubmatch(said, -1) {
		if !slices.Contains(flags, m[1]) {
			flags = append(flags, "-allow", m[1])
		}
	}
	return flags
}

// arguments are the command lines of a step; none where it makes no sense now.
func (x *teller) arguments(do []string) (list [][]string) {
	switch do[0] {
	case "apply":
		args := []string{"apply", "-auto-approve"}
		if argument(do, 1) == "tenant" {
			args = append(args, "-target", "tenant="+x.slug(number(do, 2)))
		}
		return [][]string{args}
	case "close":
		return [][]string{{"apply", "-close", "-auto-approve"}}
	case "plan":
		return [][]string{{"plan", "-out", do[1]}}
	case "use":
		if _, err := os.Stat(filepath.Join(x.dir, do[1])); err != nil {
			return nil
		}
		return [][]string{{"apply", do[1]}}
	case "resume":
		for _, wave := range x.waves() {
			args := []string{"wave", "resume"}
			if argument(do, 1) == "tenant" {
				args = append(args, "-tenant", x.slug(number(do, 2)))
			}
			list = append(list, append(args, wave))
		}
		return list
	}
	args := []string{"rollback"}
	if do[0] == "save" {
		args = append(args, "-out", do[1])
		do = do[1:]
	} else {
		args = append(args, "-auto-approve")
	}
	switch argument(do, 1) {
	case "run", "last":
		runs := x.runsNow()
		if len(runs) == 0 {
			return nil
		}
		n := len(runs) - 1
		if do[1] == "run" {
			n = number(do, 2) % len(runs)
		}
		args = append(args, "-run", runs[n])
	case "wave":
		args = append(args, "-wave", "everyone")
	case "tenant":
		args = append(args, "-tenant", x.slug(number(do, 2)))
	case "delete":
		args = append(args, "-delete-persons")
	}
	return [][]string{args}
}

func (x *teller) slug(n int) string { return []string{"acme", "globex", "anthill"}[n%3] }

func (x *teller) waves() []string {
	if x.want.pilot {
		return []string{"pilot", "everyone"}
	}
	return []string{"everyone"}
}

// runsNow are the runs of now, in their order.
func (x *teller) runsNow() (runs []string) {
	if x.know(); x.lineage == uuid.Nil {
		return nil
	}
	x.must(x.app.QueryRow(x.t.Context(), "select coalesce(array_agg(id order by n), '{}') from anthill_state.runs").Scan(&runs))
	return runs
}

// process starts the program as a process of its own.
func (x *teller) process(args []string) (cmd *exec.Cmd, said *strings.Builder) {
	cmd, said = x.world.command(args...), &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	x.must(cmd.Start())
	return cmd, said
}

// await waits for a process that may not hang.
func (x *teller) await(cmd *exec.Cmd) (status int) {
	over := time.AfterFunc(time.Minute, func() {
		_ = cmd.Process.Kill()
		x.wrong("trouble: the process hangs")
	})
	defer over.Stop()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// kill ends a process at a moment.
func (x *teller) kill(s step) {
	x.command(s.do, func(args []string) (int, string) {
		started := make(chan *os.Process, 1)
		x.set(&strike{where: s.fault[1], at: number(s.fault, 2), after: argument(s.fault, 3) == "after", do: func() bool {
			_ = (<-started).Kill()
			return true
		}})
		cmd, said := x.process(args)
		started <- cmd.Process
		status := x.await(cmd)
		x.heard(args, status, said.String())
		return status, said.String()
	})
}

// freeze lets a process sleep at a moment, while its sessions end and another one goes on; then it wakes up.
func (x *teller) freeze(s step) {
	list := x.arguments(s.do)
	if len(list) == 0 {
		return
	}
	frozen, release := make(chan error, 1), make(chan struct{})
	started := make(chan *os.Process, 1)
	x.set(&strike{where: s.fault[1], at: number(s.fault, 2), do: func() bool {
		frozen <- stop(<-started)
		if slices.Contains(s.fault, "held") {
			<-release // what it has sent is still on its way
		}
		return false
	}})
	cmd, said := x.process(list[0])
	started <- cmd.Process
	ended := make(chan int, 1)
	go func() { ended <- x.await(cmd) }()
	select {
	case status := <-ended:
		close(release)
		x.heard(list[0], status, said.String())
		return
	case err := <-frozen:
		x.must(err)
	}
	// One that sleeps before it has the lock takes it when it wakes up, and looks at everything again.
	var holds, taken bool
	x.must(x.app.QueryRow(x.t.Context(), "select exists (select from pg_stat_activity where datname = current_database() and application_name like 'anthill lock%')").Scan(&holds))
	x.endSessions(s.fault)
	x.command(s.then, func(args []string) (int, string) {
		status, out, errs := x.try(append(args, "-lock-timeout", "300ms")...)
		x.heard(args, status, out+errs)
		taken = taken || holds && (status == exitDone || status == exitRemainder) && !strings.Contains(out, "Nothing to")
		return status, out + errs
	})
	asleep := x.writes()
	close(release)
	x.must(cmd.Process.Signal(syscall.SIGCONT))
	x.heard(list[0], <-ended, said.String())
	// Of one that sleeps at a call that only reads, a write may be on its way beside it.
	onItsWay := 0
	if s.fault[1] == "call" {
		onItsWay = 1
	}
	if n := x.writes() - asleep; taken && n > onItsWay {
		x.wrong("fence: a process that was taken over in its sleep made %d writes when it woke up", n)
	}
}

// endSessions ends sessions of the program, as a server or an administrator does.
func (x *teller) endSessions(fault []string) {
	like := map[bool]string{true: "anthill lock%", false: "%anthill%"}[slices.Contains(fault, "lock")]
	if slices.Contains(fault, "asleep") {
		return
	}
	_, err := x.app.Exec(x.t.Context(), `with gone as (select pid, pg_terminate_backend(pid, 5000) from pg_stat_activity
		where datname = current_database() and application_name like $1 and pid <> pg_backend_pid()) select count(*) from gone`, like)
	x.must(err)
}

// change does what somebody else does: the application, an administrator, who edits the configuration.
func (x *teller) change(do []string) {
	user := x.users[number(do, 1)%len(x.users)]
	switch do[0] {
	case "config":
		x.reconfigure(do)
	case "role":
		x.realm.change("update users set role = $2 where user_id = $1", user, do[2])
	case "demote":
		if admin, ok := x.nth(number(do, 1), "role in ('admin', 'super_admin')"); ok {
			x.realm.change("update users set role = 'user' where user_id = $1", admin)
		}
	case "tenant":
		if do[1] == "admin" {
			user, _ = x.nth(number(do, 2), "role in ('admin', 'super_admin')")
		}
		x.realm.change("update users set tenant_id = (select tenant_id from tenants where slug = $2) where user_id = $1", user, x.slug(number(do, 2)))
	case "status":
		x.realm.change("update users set status = $2 where user_id = $1", user, do[2])
	case "mail":
		x.realm.change("update users set email = $2 where user_id = $1", user, fmt.Sprintf("new.%d.%d@mail.example", number(do, 1)%len(x.users), number(do, 2)))
	case "swap":
		x.swap(user, x.users[number(do, 2)%len(x.users)])
	case "resign":
		x.resign(user, x.slug(number(do, 2)))
	case "remove":
		x.realm.change("update users set deleted_at = now() where user_id = $1", user)
	case "restore":
		x.realm.change("update users set deleted_at = null where user_id = $1", user)
	case "gone":
		x.realm.change("with k as (delete from users where user_id = $1 returning *) insert into kept select user_id, to_jsonb(k) from k on conflict (user_id) do update set body = excluded.body", user)
	case "return":
		if x.realm.change("with k as (delete from kept where user_id = $1 returning *) insert into users select r.* from k, jsonb_populate_record(null::users, body) r", user) > 0 {
			x.returned[user] = true
		}
	case "away":
		x.realm.change("update tenants set status = 'suspended' where slug = $1", x.slug(number(do, 1)))
	case "again":
		x.realm.change("update tenants set status = 'active' where slug = $1", x.slug(number(do, 1)))
	case "login":
		x.login(user)
	case "link":
		x.link(user)
	case "unlink":
		if x.realm.change("update users set {idp}_user_id = null where user_id = $1", user) > 0 {
			delete(x.linked, user)
		}
	case "refuse":
		x.refuseRow(user, do[2])
	case "accept":
		x.acceptRows()
	default:
		x.meddleWith(do, user)
	}
}

// nth is the n-th user, in order, of those whose rows are so.
func (x *teller) nth(n int, where string) (uuid.UUID, bool) {
	var list []uuid.UUID
	x.must(x.app.QueryRow(x.t.Context(), "select coalesce(array_agg(user_id order by user_id), '{}') from users where "+where).Scan(&list))
	if len(list) == 0 {
		return uuid.Nil, false
	}
	return list[n%len(list)], true
}

func (x *teller) reconfigure(do []string) {
	flip := func(b *bool) { *b = !*b }
	c := &x.want
	switch do[1] {
	case "full":
		flip(&c.full)
	case "viewers":
		flip(&c.viewers)
	case "wide":
		flip(&c.wide)
	case "narrow":
		flip(&c.narrow)
	case "rename":
		flip(&c.renamed)
	case "pilot":
		flip(&c.pilot)
	case "steps":
		flip(&c.steps)
	case "exclude":
		user := x.users[number(do, 2)%len(x.users)]
		if c.excluded == user {
			user = uuid.Nil
		}
		c.excluded = user
	}
	x.configure()
}

// login is what the application writes at a login through Self-auth.
func (x *teller) login(user uuid.UUID) {
	x.realm.change(`update users set {idp}_synced_at = now(), migration_completed_at = coalesce(migration_completed_at, now()),
		auth_method = case when password_hash is null then '{value}' else 'dual' end where user_id = $1 and {idp}_user_id is not null`, user)
}

// link is a first login of somebody whom the application does not know by link yet: it writes the link itself.
func (x *teller) link(user uuid.UUID) {
	x.know()
	for id, p := range x.directory().persons {
		if x.person[id] != user || p.Expired {
			continue
		}
		if x.realm.change("update users set {idp}_user_id = $2 where user_id = $1 and {idp}_user_id is null and status = 'active' and deleted_at is null", user, id) > 0 {
			x.linked[user] = id
			x.login(user)
		}
		return
	}
}

// refuseRow has a trigger of the application refuse every change of a row.
func (x *teller) refuseRow(user uuid.UUID, code string) {
	x.acceptRows()
	x.realm.change(fmt.Sprintf(`create function refuse() returns trigger language plpgsql as $$ begin
		if old.user_id = '%s' and current_setting('application_name') like '%%anthill%%' then raise exception 'no' using errcode = '%s'; end if; return new; end $$`, user, code))
	x.realm.change("create trigger refuse before update on users for each row execute function refuse()")
	x.trigger = true
}

func (x *teller) acceptRows() {
	if x.trigger {
		x.realm.change("drop trigger refuse on users")
		x.realm.change("drop function refuse()")
		x.trigger = false
	}
}

// meddleWith is what an administrator of Self-auth does.
func (x *teller) meddleWith(do []string, user uuid.UUID) {
	d, a := x.directory(), x.api.Accounts()
	x.know()
	var person uuid.UUID // the enabled one, if there is one
	for id, p := range d.persons {
		if x.person[id] == user && (person == uuid.Nil || !p.Expired) {
			person = id
		}
	}
	var names []string
	for name := range d.groups {
		if _, ours := spotOf(name); ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return
	}
	nameOf := func(n int) spot {
		p, _ := spotOf(names[number(do, n)%len(names)])
		return p
	}
	group := func(n int) uuid.UUID { return d.groups[names[number(do, n)%len(names)]].ID }
	var err error
	switch verb := do[0]; {
	case verb == "guard":
		x.taken[nameOf(1).String()] = true
		x.guardGroup(group(1))
	case verb == "unguard":
		x.unguard()
	case verb == "drop":
		x.taken[nameOf(1).String()] = true
		err = a.DeleteObject(x.t.Context(), state.KindGroup, group(1), nil)
	case person == uuid.Nil:
	case verb == "join":
		p := nameOf(2)
		x.given[fmt.Sprint(person, p)], x.handed[fmt.Sprint(person, p)] = true, true
		err = a.AddMembers(x.t.Context(), group(2), []uuid.UUID{person})
	case verb == "leave":
		x.taken[fmt.Sprint(person, nameOf(2))] = true
		err = a.RemoveMembers(x.t.Context(), membersOf(group(2), person))
	case verb == "expire":
		x.taken[fmt.Sprint(person)] = true
		err = a.Expire(x.t.Context(), []uuid.UUID{person})
	case verb == "enable":
		x.given[fmt.Sprint(person)] = true
		err = a.Enable(x.t.Context(), []uuid.UUID{person})
	case verb == "delete":
		x.handed[fmt.Sprint(person)] = true
		err = a.Delete(x.t.Context(), []uuid.UUID{person})
	default:
		err = fmt.Errorf("no step %v", do)
	}
	// What is protected is so for this administrator too.
	if kind := state.ErrorKindOf(err); err != nil && kind != state.ErrorDenied && kind != state.ErrorRefused {
		panic(trouble{fmt.Errorf("%v: %w", do, err)})
	}
}

const protected = "idm_people_admins" // a group of high privilege

// guardGroup puts a group of ours into a protected one: it and its members are out of reach for us from then on.
func (x *teller) guardGroup(id uuid.UUID) {
	x.browser.ok(x.browser.do("POST", "/v1/group/"+protected+"/_attr/member", x.admin, []string{id.String()}), nil)
	x.guarded[id] = true
}

func (x *teller) unguard() {
	for id := range x.guarded {
		a := x.browser.do("DELETE", "/v1/group/"+protected+"/_attr/member", x.admin, []string{id.String()})
		if a.status != 200 && a.status != 404 {
			x.wrong("trouble: unguard: %d %s", a.status, a.body)
		}
		delete(x.guarded, id)
	}
}

// mend puts right what only people can.
func (x *teller) mend() {
	x.set(nil)
	x.acceptRows()
	x.unguard()
}

// said is what a plan says to excuse that somebody is not where the row says.
type said struct {
	findings []state.Finding
	waves    []plan.WaveView
	left     map[state.Code]int64 // that are not used up
}

func (x *teller) planned(out string) (s said, empty bool) {
	var p struct {
		Empty   bool          `json:"empty"`
		Context *plan.Context `json:"context"`
	}
	x.must(json.Unmarshal([]byte(out), &p))
	s = said{waves: p.Context.Waves, left: map[state.Code]int64{}}
	c := p.Context
	s.add(c.Outside, c.Notes, c.Isolation.Violations, c.Objects.Dormant)
	for _, w := range c.Waves {
		s.add(w.Reasons)
	}
	for _, f := range s.findings {
		s.left[f.Code] += f.Count
	}
	return s, p.Empty
}

func (s *said) add(lists ...[]state.Finding) {
	for _, list := range lists {
		for _, f := range list {
			s.findings = append(s.findings, f)
			for _, a := range f.Args {
				s.add(a.Findings)
			}
		}
	}
}

// names says whether a finding of one of the codes is about something, a tenant or a group.
func (s said) names(what string, codes ...state.Code) bool {
	return slices.ContainsFunc(s.findings, func(f state.Finding) bool {
		return slices.Contains(codes, f.Code) && (f.Subject.Name == what || slices.ContainsFunc(f.Args, func(a state.Arg) bool {
			return a.Text == what || slices.Contains(a.List, what)
		}))
	})
}

// take uses up one of those that a finding counts.
func (s said) take(code state.Code) bool {
	s.left[code]--
	return s.left[code] >= 0
}

// excuse is why a plan says that somebody is not where the row says; "": it does not. This is the closed list.
func (s said) excuse(what string, row rowNow, r *realm) string {
	what, about, _ := strings.Cut(what, " ")
	switch what {
	case "enabled":
		return ""
	case "nobody":
		switch {
		case s.take(state.CodeDriftPerson):
			return "drift_person"
		case !r.returned[row.user]:
			return ""
		}
	case "member":
		p, _ := spotOf(about)
		if s.names(about+r.want.suffix(), state.CodeStrangers) || s.names(p.tenant, state.CodeForeignMembers) {
			return "strangers"
		}
		return ""
	}
	paused := slices.ContainsFunc(s.waves, func(w plan.WaveView) bool { return w.State == plan.WavePaused })
	switch {
	case paused, s.names(row.tenant, state.CodeTenantPaused):
		return "paused"
	case row.user == r.want.excluded:
		return "excluded"
	case s.names(row.tenant, state.CodeGroupShared, state.CodeGroupHoldsBuiltin, state.CodeGroupInsideBuiltin, state.CodeForeignMembers, state.CodePersonShared):
		return "blocked"
	case what == "expired" && s.take(state.CodeDriftExpired):
		return "drift_expired"
	}
	return ""
}

// settle applies until nothing is due, and holds everybody against the rows.
func (x *teller) settle() {
	x.fault = false
	for range 8 {
		x.command([]string{"apply"}, x.inside)
		if len(x.bad) > 0 {
			return
		}
		out, _, _ := x.outputOf("plan", "-json", "-detailed-exitcode")
		plan, empty := x.planned(out)
		if empty {
			x.add(x.stands(x.look(), plan)...)
			return
		}
	}
	_, out := x.inside([]string{"apply", "-auto-approve"})
	x.wrong("rest: there is always something to do:\n%s", out)
}

func (x *teller) outputOf(args ...string) (out string, status int, errs string) {
	status, out, errs = x.try(args...)
	if status != exitDone && status != exitChanges && status != exitHeld && status != exitBlocked {
		panic(trouble{fmt.Errorf("anthill %s: exit status %d: %s", strings.Join(args, " "), status, errs)})
	}
	return out, status, errs
}

// takeAllBack rolls back until there is nothing left. Where nothing is left of a run that was closed, the program says that
// another one is taken back by its name only, and so it is.
func (x *teller) takeAllBack() {
	for range 30 {
		said := x.rollback()
		byName := strings.Contains(said, "rollback -run RUN")
		switch nothing := tookNothing(said); {
		case len(x.bad) > 0:
			return
		case nothing && (!byName || !x.rollbackByName()):
			x.add(x.takenBack(x.look())...)
			return
		}
	}
	x.wrong("back: there is always something to take back")
}

// rollback takes back what there is, and returns what the last command of it said.
func (x *teller) rollback(args ...string) (said string) {
	x.command([]string{"rollback"}, func(all []string) (status int, out string) {
		status, out = x.inside(append(all, args...))
		said = out
		return status, out
	})
	return said
}

func tookNothing(said string) bool { return strings.Contains(said, "Nothing to take back") }

// rollbackByName takes back the newest run of those that the status lists of which there is something; false: of none.
func (x *teller) rollbackByName() bool {
	out, _, _ := x.outputOf("status", "-json")
	var status struct {
		Runs []struct {
			ID   string        `json:"id"`
			Kind state.RunKind `json:"kind"`
		} `json:"runs"`
	}
	x.must(json.Unmarshal([]byte(out), &status))
	for _, r := range slices.Backward(status.Runs) {
		if r.Kind == state.RunApply && !tookNothing(x.rollback("-run", r.ID)) {
			return true
		}
	}
	return false
}

// attempt plays a story in a test of its own.
func attempt(t *testing.T, name string, s story) (bad []string) {
	t.Run(name, func(t *testing.T) {
		defer func() {
			if e := recover(); e != nil {
				if _, is := e.(trouble); !is {
					panic(e)
				}
				bad = append(bad, fmt.Sprintf("trouble: %v", e))
			}
		}()
		bad = play(t, s)
	})
	return bad
}

// kindOf is what a story fails by, in one word.
func kindOf(bad []string) string {
	for _, b := range bad {
		if kind, _, ok := strings.Cut(b, ": "); ok && !strings.Contains(kind, " ") {
			return kind
		}
	}
	return ""
}

// shrink looks for a smaller story that fails in the same way.
func shrink(t *testing.T, s story, bad []string) (story, []string) {
	tries := *shrinks
	try := func(smaller story) bool {
		if tries--; tries < 0 {
			return false
		}
		now := attempt(t, "smaller", smaller)
		if kindOf(now) != kindOf(bad) {
			return false
		}
		s, bad = smaller, now
		return true
	}
	for again := true; again && tries > 0; {
		again = false
		for i := len(s) - 1; i > 0 && tries > 0; i-- {
			if i < len(s) && try(slices.Delete(slices.Clone(s), i, i+1)) {
				again = true
			}
		}
		for i := range s {
			if len(s[i].fault) > 0 {
				calm := slices.Clone(s)
				calm[i] = step{do: s[i].do}
				again = try(calm) || again
			}
		}
	}
	for users := number(s[0].do, 1); users > 3; users = users * 2 / 3 {
		small := slices.Clone(s)
		small[0] = step{do: slices.Concat([]string{"world", fmt.Sprint(users * 2 / 3)}, s[0].do[2:])}
		if !try(small) {
			break
		}
	}
	return s, bad
}

// tell plays a story, and where it fails says which smaller one does.
func tell(t *testing.T, s story) {
	t.Helper()
	bad := attempt(t, "whole", s)
	if len(bad) == 0 {
		return
	}
	t.Errorf("%s\n%s", s, strings.Join(bad, "\n"))
	if *shrinks > 0 {
		small, now := shrink(t, s, bad)
		t.Errorf("the smallest, for testdata/sequences.txt:\n%s\n%s", small, strings.Join(now, "\n"))
	}
}

// TestRandomCore: whatever is cut, killed, frozen, changed meanwhile by the application or an administrator, applied late and
// rolled back in whatever order: no command gives what no row asks for or shuts out whose row asks for it; at rest everybody is
// where the row says, or the plan says why not; and all can be taken back.
func TestRandomCore(t *testing.T) {
	t.Parallel()
	for n := range *sequences {
		seed := *firstSeed + n
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tell(t, drawStory(seed))
		})
	}
}

// TestKeptSequences plays sequences that failed once.
func TestKeptSequences(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "sequences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !thorough() && i%2 == 1 {
			continue // make test-long has all of them
		}
		t.Run(fmt.Sprint("line", i+1), func(t *testing.T) {
			t.Parallel()
			tell(t, parseStory(line))
		})
	}
}
