package report

import (
	"fmt"
	"io"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// Stat writes a plan as one line, for logs and titles.
func Stat(w io.Writer, f *planfile.File) error {
	v := newView(f)
	what := strings.Join(v.stat(), ", ")
	if v.context.Drift != nil {
		what = v.statDrift()
	}
	if what == "" {
		what = "nothing to do"
	}
	of := ""
	if v.context.Part != nil {
		of = " of a part"
	}
	if v.effects.PostgresOnly() {
		of = " in Postgres alone"
	}
	_, err := fmt.Fprintf(w, "plan %s%s: %s\n", v.id.Short(), of, what)
	return err
}

// Summary is one line for whoever is about to carry a plan out: on what, how much, and which hazards were allowed. Blocked
// hazards are among the figures.
func Summary(f *planfile.File) string {
	v := newView(f)
	parts := v.stat()
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	var allowed []string
	for _, h := range v.effects.Hazards {
		if v.effects.Allows(h) {
			allowed = append(allowed, fmt.Sprintf("%s=%d", Escape(string(h.Code)), h.Count))
		}
	}
	hazards := ""
	switch {
	case len(allowed) > 0:
		hazards = "; allowed " + strings.Join(allowed, " ")
	case len(v.effects.Hazards) == 0:
		hazards = "; no hazards"
	}
	t := v.effects.Target
	return fmt.Sprintf("Plan %s on database %s and Self-auth %s, environment %s: %s%s", v.id.Short(), Escape(t.Database), Escape(t.Domain),
		Escape(t.Environment), strings.Join(parts, ", "), hazards)
}

// statDrift counts what is otherwise than it is recorded.
func (v *view) statDrift() string {
	d := v.context.Drift
	if !d.Any() {
		return "nothing changed outside Anthill"
	}
	said := fmt.Sprintf("changed outside Anthill: %s, %s, %s", of(d.Objects, "object", "objects"), users(d.Users),
		of(d.Memberships, "membership", "memberships"))
	if d.Schema > 0 {
		said += ", " + of(d.Schema, "part of the schema", "parts of the schema")
	}
	return said
}

// stat are the figures of a plan that one line has; none where it does nothing.
func (v *view) stat() (parts []string) {
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	if v.effects.Was != nil {
		parts = append(parts, "what is recorded is bound to another target")
	}
	if s := v.statUsers(); s != "" {
		parts = append(parts, s)
	}
	add(int64(len(v.effects.Objects)), "object", "objects")
	add(int64(len(v.effects.Schema)+len(v.effects.SchemaBack())), "schema step", "schema steps")
	add(v.mails(), "mail", "mails")
	add(int64(len(v.context.Conflicts)), "user in conflict", "users in conflict")
	if at := v.effects.NotBefore; !at.IsZero() {
		parts = append(parts, "not before "+stamp(at))
	}
	var blocked []string
	for _, h := range v.effects.Hazards {
		if !v.effects.Allows(h) {
			blocked = append(blocked, fmt.Sprintf("%s=%d", Escape(string(h.Code)), h.Count))
		}
	}
	if len(blocked) > 0 {
		parts = append(parts, "blocked by "+strings.Join(blocked, " "))
	}
	return parts
}

// mails counts the mails that a plan sends.
func (v *view) mails() (n int64) {
	for _, l := range v.letters {
		n += l.Mails
	}
	return n
}

// statUsers counts the users whom a plan changes; "" where it changes none.
func (v *view) statUsers() string {
	n, live := v.changed(), users(v.context.Population.Live)
	if n == 0 {
		return ""
	}
	s := fmt.Sprintf("%s of %s %s", count(n), live, plural(n, "changes", "change"))
	if v.isRollback() {
		s = fmt.Sprintf("%s of %s %s taken back", count(n), live, plural(n, "is", "are"))
	}
	all := v.total()
	var more []string
	add := func(n int64, one, many string) {
		if n > 0 {
			more = append(more, of(n, one, many))
		}
	}
	add(all.Gains(), "gains login", "gain login")
	if all.Gains() > 0 {
		add(all.Loses(), "loses it", "lose it")
	} else {
		add(all.Loses(), "loses login", "lose login")
	}
	add(all[plan.FigureGainAdmin], "becomes admin", "become admin")
	add(all[plan.FigureLoseAdmin], "ceases to be admin", "cease to be admin")
	if len(more) > 0 {
		s += " (" + strings.Join(more, ", ") + ")"
	}
	return s
}
