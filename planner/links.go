package planner

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// links are persons that somebody has made by hand, beside what is there. nil: none are named.
type links struct {
	*world.Joined
	list    []plan.Link
	entries map[uuid.UUID]*world.Entry // by user
	to      *watching
	config  selector
}

type selector func(*world.Entry) []string

// links looks at the named persons: a *plan.LinksError where some cannot be what they are named for.
func (in Input) links(j *world.Joined) (*links, error) {
	if len(in.Links) == 0 {
		return nil, nil
	}
	l := &links{Joined: j, list: in.Links, entries: map[uuid.UUID]*world.Entry{}}
	of, named := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, one := range in.Links {
		of[one.User], named[one.Person] = true, true
	}
	owners := map[uuid.UUID][]uuid.UUID{} // of the persons that are named: the users to whom they belong
	err := j.Entries.Each(func(e *world.Entry) error {
		if of[e.User] {
			own := *e
			own.Recorded.Groups = slices.Clone(e.Recorded.Groups)
			l.entries[e.User] = &own
		}
		for _, person := range belonging(e) {
			if named[person] {
				owners[person] = append(owners[person], e.User)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m := maker{Input: in, world: j}
	l.config = m.selecting
	var bad []plan.BadLink
	for _, one := range in.Links {
		others := slices.ContainsFunc(owners[one.Person], func(user uuid.UUID) bool { return user != one.User })
		if why := l.bad(one, others); why != "" {
			bad = append(bad, plan.BadLink{Line: one.Line, User: one.User, Why: why})
		}
	}
	if len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b plan.BadLink) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &plan.LinksError{Bad: bad}
	}
	return l, nil
}

// belonging are the persons that belong to the user of an entry: linked, recorded, or there by an id that we chose.
func belonging(e *world.Entry) (list []uuid.UUID) {
	if e.Link != uuid.Nil {
		list = append(list, e.Link)
	}
	if e.Is(world.IsRecorded) && (e.Recorded.Standing == state.Moved || e.Recorded.MadePerson) {
		list = append(list, e.Recorded.Person)
	}
	if e.Is(world.PersonThere) {
		list = append(list, e.Person)
	}
	return list
}

// bad says why a link cannot be used; "": it can. taken: the person belongs to another user.
func (l *links) bad(one plan.Link, taken bool) state.Code {
	e := l.entries[one.User]
	_, there := l.Index.Person(one.Person)
	_, group := l.Index.Groups[one.Person]
	switch {
	case e == nil || !e.Is(world.HasRow) || e.Is(world.IsDeleted):
		return state.CodeLinkNoUser
	case group:
		return state.CodeLinkGroup
	case !there:
		return state.CodeLinkNoPerson
	case taken:
		return state.CodeLinkOtherRow
	case e.Link == one.Person:
		return ""
	case e.Link != uuid.Nil:
		return state.CodeLinkOtherPerson
	case e.Is(world.PersonThere):
		return state.CodeLinkHasPerson
	}
	return ""
}

// watch has a sink tell what becomes of the users who are named.
func (l *links) watch(sink plan.Sink) plan.Sink {
	if l == nil {
		return sink
	}
	l.to = &watching{Sink: sink, of: map[uuid.UUID]bool{}, dropped: map[int]bool{}}
	for user := range l.entries {
		l.to.of[user] = true
	}
	return l.to
}

// listedUsers is how many users a note names.
const listedUsers = 20

// notes say what becomes of the users who are named, once the plan is made.
func (l *links) notes() []state.Finding {
	if l == nil {
		return nil
	}
	counts := map[state.Code]int64{}
	moves, skipped := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, c := range l.to.changes {
		if l.to.heads[c.segment].Kind == plan.SegmentMove && !l.to.dropped[c.segment] {
			moves[c.change.User] = true
		}
	}
	for _, s := range l.to.skipped {
		// Who waits for a pause or for its tenant is due once that is over.
		if s.Reason != plan.SkipPaused && s.Reason != plan.SkipUnconfirmed && s.Reason != plan.SkipOpenRun {
			skipped[s.User] = true
		}
	}
	var otherMail []string
	for _, one := range l.list {
		e := l.entries[one.User]
		switch {
		case moves[one.User]:
			counts[state.CodeLinksMoved]++
		case e.Moved() && e.Link == one.Person:
			counts[state.CodeLinksAlready]++
		case skipped[one.User]:
			counts[state.CodeLinksSkipped]++
		case len(l.config(e)) == 0:
			counts[state.CodeLinksNowhere]++
		default:
			counts[state.CodeLinksWait]++
		}
		if p, _ := l.Index.Person(one.Person); e.Mail != 0 && p.Mail != e.Mail {
			otherMail = append(otherMail, one.User.String())
		}
	}
	var list []state.Finding
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, state.Found(code).Times(counts[code]))
	}
	if n := len(otherMail); n > 0 {
		slices.Sort(otherMail)
		list = append(list, state.Found(state.CodeLinksOtherMail, state.List(state.KeyUsers, otherMail[:min(n, listedUsers)]...)).Times(int64(n)))
	}
	return list
}
