package report

import (
	"fmt"
	"io"

	"anthill/planner/planfile"
)

const listedConflicts = 10

// undoSummary is the first screen of a rollback.
func (p *planPage) undoSummary() {
	p.gap()
	p.para(p.t.headline())
	p.gap()
	for _, s := range p.t.undone() {
		p.para(s)
	}
	if len(p.t.effects.Objects) > 0 {
		p.objectCounts()
	}
	p.conflicts()
	p.gap()
	for _, s := range p.t.closes() {
		p.sentence(s)
	}
	p.sessions()
	p.para(p.t.undo())
	p.recycled()
	p.allowed()
	for _, s := range p.t.stay() {
		p.para(s)
	}
}

func (p *planPage) conflicts() {
	list := p.t.context.Conflicts
	if len(list) == 0 {
		return
	}
	p.line("  %s:", inConflict(int64(len(list))))
	for i, c := range list {
		if i == listedConflicts {
			p.line("     and %s more", count(int64(len(list)-i)))
			return
		}
		p.hang(fmt.Sprintf("     %s  ", c.User), p.t.words.say(c.Why))
	}
}

// NothingToUndo writes that a rollback has nothing to do, and which users it would have to leave as they are.
func NothingToUndo(w io.Writer, f *planfile.File, o Options) error {
	p := newPlanPage(w, f, o)
	if len(p.t.context.Conflicts) == 0 {
		p.line("Nothing to take back: no run that changed anything is left.")
	} else {
		p.line("Nothing to take back as things stand.")
		p.conflicts()
	}
	return p.flush()
}
