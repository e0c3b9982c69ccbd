package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// RunbookMost is how many users a runbook has at most.
const RunbookMost = 200

// Runbook is a plan as commands that a person carries out by hand: Self-auth's own command line, psql, and sh.
type Runbook struct {
	File  *planfile.File
	Users []RunbookUser // in the order of apply
	SQL   Statements
}

// RunbookUser is a user of the plan with what no plan holds.
type RunbookUser struct {
	User          uuid.UUID
	Shape         plan.Shape
	Name          string // of the person
	Display, Mail string // of one to be made
}

// Statements are what psql is given. Their values are psql's own variables.
type Statements interface {
	Step(name string) (statements []string, known bool) // of the schema
	Map() string                                        // tenant, group, name, role
	Mapped(groups []string) string
	Link(method state.Method, complete bool) string // user, person
	Linked(users []uuid.UUID) string
}

// NotByHand says why a plan is not one for a person to carry out; nil: it is.
func NotByHand(file *planfile.File) error {
	e := file.Effects()
	var why []string
	add := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(why, s) {
			why = append(why, s)
		}
	}
	switch {
	case e.Empty():
		return errors.New("there is nothing to do, so there is no runbook")
	case e.Blocked():
		return errors.New("this plan is blocked: its hazards are to be allowed first (-allow CODE=COUNT), as for a plan that is applied. They are shown by:\n\n    anthill plan")
	case e.Users() > RunbookMost:
		return fmt.Errorf("this plan is about %s, and by hand it would be more than %d: nobody types that without a mistake, and nothing would be recorded "+
			"to take it back by. Carry it out with anthill apply, or narrow it (-wave, -target tenant=SLUG)", users(e.Users()), RunbookMost)
	}
	for _, o := range e.Objects {
		if o.Kind != state.KindGroup || o.Action != state.ActionCreate && o.Action != state.ActionAdopt {
			add("%s (%s)", Escape(string(o.Address)), o.Action)
		}
	}
	for n, s := range e.Segments {
		for _, shape := range file.Shapes(n) {
			acts := []state.PersonAct{state.PersonNone, state.PersonCreate, state.PersonAdopt}
			made := shape.Effect.Act == state.PersonCreate && shape.Ground.Made
			if s.Kind != plan.SegmentMove || shape.Ground.Moved || shape.Leave != 0 || made || !slices.Contains(acts, shape.Effect.Act) {
				add("users who were moved, or tried, before")
			}
		}
	}
	if len(why) == 0 {
		return nil
	}
	return errors.New("a runbook has the schema, new and adopted groups with their mapping rows, and users who are moved for the first time. This plan has more: " +
		strings.Join(why, ", ") + ".\nCarry that out with anthill apply, or leave it out (-exclude)")
}

// runbookPage writes a runbook.
type runbookPage struct {
	book Runbook
	*bufio.Writer
	effects *plan.Effects
	step    int
	o       Options
}

// Write writes the runbook: text that sh takes as it stands.
func (r Runbook) Write(w io.Writer, o Options) error {
	p := &runbookPage{book: r, Writer: bufio.NewWriter(w), effects: r.File.Effects(), o: o}
	for _, part := range []func(){p.head, p.schema, p.groups, p.persons, p.memberships, p.links, p.back} {
		part()
	}
	return p.Flush()
}

// say writes text as a comment.
func (p *runbookPage) say(format string, args ...any) {
	const width = 100
	for _, l := range wrap(Escape(fmt.Sprintf(format, args...)), width) {
		fmt.Fprintln(p, strings.TrimRight("# "+l, " "))
	}
}

func (p *runbookPage) part(title string) {
	fmt.Fprintf(p, "\n# == %s\n", Escape(title))
}

// numbered begins a step.
func (p *runbookPage) numbered(format string, args ...any) {
	p.step++
	fmt.Fprintln(p)
	p.say("%d. %s", p.step, fmt.Sprintf(format, args...))
}

// do writes a command, each word as sh reads it back.
func (p *runbookPage) do(words ...string) {
	for i, w := range words {
		words[i] = quote(w)
	}
	fmt.Fprintln(p, strings.Join(words, " "))
}

// sql runs a statement with psql's variables, given as name=value words that sh has read already.
func (p *runbookPage) sql(statement string, variables ...string) {
	line := "sql"
	for _, v := range variables {
		line += " -v " + v
	}
	fmt.Fprintf(p, "%s <<'SQL'\n%s;\nSQL\n", line, statement)
}

// check says what a command is to print.
func (p *runbookPage) check(format string, args ...any) {
	fmt.Fprintln(p)
	p.say("Check: "+format, args...)
}

func (p *runbookPage) head() {
	e := p.effects
	p.say("Runbook of plan %s, made as of %s", p.book.File.ID(), stamp(p.book.File.Context().AsOf))
	p.say("Postgres database %s, Self-auth %s (%s)", e.Target.Database, e.Target.Domain, e.Target.Origin)
	fmt.Fprintln(p, "#")
	p.say("It holds names and addresses. Keep it out of pull requests and logs, and delete it when it has served.")
	fmt.Fprintln(p, "#")
	p.say("These are commands for a person: paste them one by one, in this order, and look at the check behind each part before going on. " +
		"As a script, sh -eu FILE stops at the first one that fails. Nothing here is recorded by Anthill while it is done: what is made by hand is taken back by hand. " +
		"What the plan was made from may change meanwhile; do not leave it lying.")
	fmt.Fprintln(p, "#")
	p.say("Needed: psql, with DATABASE_URL set; Self-auth's command line, here called kanidm, logged in as an administrator of persons and groups:")
	fmt.Fprintf(p, "#   export KANIDM_URL=%s KANIDM_NAME=idm_admin; kanidm login; kanidm reauth\n", quote(e.Target.Origin))
	fmt.Fprintln(p, `
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@" "$DATABASE_URL"; }
id_of() { kanidm "$1" get -- "$2" | sed -n 's/^uuid: *//p'; }`)
}

func (p *runbookPage) schema() {
	if len(p.effects.Schema) == 0 {
		return
	}
	p.part("Schema")
	p.say("Each statement takes a lock for a moment, but for those that build an index or look at all rows: they wait for nobody else.")
	for _, name := range p.effects.Schema {
		statements, known := p.book.SQL.Step(name)
		if !known {
			p.say("Step %s is not known.", name)
		}
		for _, s := range statements {
			p.numbered("schema step %s", name)
			p.sql(s)
		}
	}
	p.check("the next plan names no step of the schema any more: %s", Command(p.o, "plan"))
}

func (p *runbookPage) groups() {
	e := p.effects
	if len(e.Objects) == 0 {
		return
	}
	p.part("Groups, and their mapping rows")
	p.say("In this order: tokens list groups in the order of their creation, and the application takes the first that is mapped.")
	var names []string
	for _, o := range e.Objects {
		name := o.After.Attributes.Text(state.AttrName)
		names = append(names, name)
		p.numbered("%s: group %s of tenant %s", o.Address, name, o.After.TenantSlug)
		if o.Action == state.ActionCreate {
			p.do("kanidm", "group", "create", "--", name)
		}
		if d := o.Will.Text(state.AttrDescription); d != "" {
			p.do("kanidm", "group", "set-description", "--", name, d)
		}
		fmt.Fprintf(p, "group=$(id_of group %s)\n", quote(name))
		p.sql(p.book.SQL.Map(), quote("tenant="+o.After.Tenant.String()), `"group=$group"`, quote("name="+name), quote("role="+o.After.Role().String()))
	}
	p.check("the first command prints each group's id, %s; the second prints %d.", of(int64(len(names)), "line", "lines"), len(names))
	for _, name := range names {
		p.do("id_of", "group", name)
	}
	p.sql(p.book.SQL.Mapped(names))
}

func (p *runbookPage) persons() {
	var made []string
	for _, u := range p.book.Users {
		if u.Shape.Effect.Act != state.PersonCreate {
			continue
		}
		if len(made) == 0 {
			p.part("Persons")
		}
		made = append(made, u.Name)
		p.numbered("user %s", u.User)
		p.do("kanidm", "person", "create", "--", u.Name, u.Display)
		if u.Mail != "" {
			p.do("kanidm", "person", "update", "--mail="+u.Mail, "--", u.Name)
		}
	}
	if len(made) > 0 {
		p.check("this prints one id each, %s.", of(int64(len(made)), "line", "lines"))
		for _, name := range made {
			p.do("id_of", "person", name)
		}
	}
}

// memberships are added to a group some at a time: a command line of hundreds of names nobody reads.
func (p *runbookPage) memberships() {
	const together = 25
	byGroup, order := map[string][]string{}, []string{}
	for _, u := range p.book.Users {
		for _, g := range p.effects.GroupsOf(u.Shape.Join) {
			if byGroup[g.Name] == nil {
				order = append(order, g.Name)
			}
			byGroup[g.Name] = append(byGroup[g.Name], u.Name)
		}
	}
	if len(order) == 0 {
		return
	}
	p.part("Memberships")
	for _, name := range order {
		for some := range slices.Chunk(byGroup[name], together) {
			p.numbered("%s into group %s", of(int64(len(some)), "person", "persons"), name)
			p.do(append([]string{"kanidm", "group", "add-members", "--", name}, some...)...)
		}
	}
	p.check("the members of each group, those who were in it before among them:")
	for _, name := range order {
		p.say("at least %d:", len(byGroup[name]))
		p.do("kanidm", "group", "list-members", "--", name)
	}
}

// links are the rows, last of all: until then a user simply still has a password.
func (p *runbookPage) links() {
	if len(p.book.Users) == 0 {
		return
	}
	p.part("Links")
	p.say("From here on the application knows the persons. links.csv says who is whose, for the last part. A user who is no longer active is left as it is; so is one " +
		"who is linked already.")
	fmt.Fprintln(p, "\nprintf 'user_id,person_id\\n' >links.csv")
	var linked []uuid.UUID
	for _, u := range p.book.Users {
		p.numbered("user %s", u.User)
		fmt.Fprintf(p, "person=$(id_of person %s)\nprintf '%%s,%%s\\n' %s \"$person\" >>links.csv\n", quote(u.Name), u.User)
		linked = append(linked, u.User)
		if u.Shape.Effect.Link {
			p.sql(p.book.SQL.Link(u.Shape.Effect.Method, u.Shape.Effect.Complete), quote("user="+u.User.String()), `"person=$person"`)
		}
	}
	p.check("this prints %d.", len(linked))
	p.sql(p.book.SQL.Linked(linked))
}

func (p *runbookPage) back() {
	p.part("How the result comes back")
	p.say("Anthill knows nothing of this yet. Groups that were made by hand are taken over where their block says so: write adopt = true into the group blocks. " +
		"Then the links are looked at on both sides, and recorded:")
	for _, c := range [][]string{{"import", "links", "links.csv", "-out", "links.plan"}, {"apply", "links.plan"}, {"plan"}} {
		fmt.Fprintf(p, "#     %s\n", Command(p.o, c...))
	}
	p.say("The last one shows nothing more to do. Delete links.csv and this file.")
}

// RunbookWritten says where a runbook is, and what is in it.
func RunbookWritten(w io.Writer, path string, r Runbook, o Options) error {
	p := newPage(w, o)
	e := r.File.Effects()
	p.hang("", fmt.Sprintf("Runbook of plan %s: %s, %s, %s. Nothing was changed.", r.File.ID().Short(), of(int64(len(e.Schema)), "step of the schema", "steps of the schema"),
		of(int64(len(e.Objects)), "group", "groups"), users(e.Users())))
	p.line("%s", Escape(path))
	return p.flush()
}
