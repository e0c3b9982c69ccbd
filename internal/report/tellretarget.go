package report

import (
	"fmt"
	"io"

	"anthill/state"
)

// identity is a target in words.
func (t *telling) identity(of state.Target) string {
	name := t.words.escape
	return fmt.Sprintf("database %s (system %s), Self-auth %s at %s, environment %s", name(of.Database), name(of.System), name(of.Domain),
		name(of.Origin), name(of.Environment))
}

// retargets is what a target has other names for, and what of all that is recorded is found there.
func (t *telling) retargets() (list []string) {
	was, now := *t.effects.Was, t.effects.Target
	add := func(what, was, now string) {
		if was != now {
			list = append(list, what+" "+t.words.escape(was)+" becomes "+t.words.escape(now))
		}
	}
	add("environment", was.Environment, now.Environment)
	add("Postgres system identifier", was.System, now.System)
	add("database", was.Database, now.Database)
	add("Self-auth domain", was.Domain, now.Domain)
	add("Self-auth address", was.Origin, now.Origin)
	switch f := t.context.Recognised; {
	case f == nil:
	case f.Unasked:
		list = append(list, fmt.Sprintf("found there: the rows of %s of %s, %s of %s; Self-auth was not asked, and keeps its names",
			count(f.Rows), of(f.Moved, "moved user", "moved users"), count(f.Found), of(f.Objects, "recorded tenant", "recorded tenants")))
	default:
		list = append(list, fmt.Sprintf("found there: the rows of %s and the persons of %s of %s, %s of %s", count(f.Rows), count(f.Persons),
			of(f.Moved, "moved user", "moved users"), count(f.Found), of(f.Objects, "recorded object", "recorded objects")))
	}
	return list
}

// BoundAlready says that there is nothing to bind.
func BoundAlready(w io.Writer, o Options) error {
	p := newPage(w, o)
	p.para("What is recorded belongs to this target already. Nothing was changed.")
	return p.flush()
}
