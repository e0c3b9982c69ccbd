package report

import (
	"io"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// BadLinks lists the lines of a file of links that cannot be used.
func BadLinks(w io.Writer, name string, bad *plan.LinksError, o Options) error {
	p := newPage(w, o)
	say := p.voice().say
	p.line("Error: %s of %s cannot be used. Nothing was planned.", Lines(len(bad.Bad)), Escape(name))
	p.gap()
	for _, b := range bad.Bad {
		user := ""
		if b.User != uuid.Nil {
			user = "user " + b.User.String() + ": "
		}
		p.hang("  line "+count(int64(b.Line))+"  ", user+say(state.Found(b.Why)))
	}
	return p.flush()
}

// Lines counts lines of a file.
func Lines(n int) string { return of(int64(n), "line", "lines") }
