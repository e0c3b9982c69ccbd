package report

import (
	"strings"

	"github.com/google/uuid"
)

// Lookup looks up what no plan file holds, as rows say it now: personal data. Lists in text alone show it.
type Lookup struct {
	Names bool // the names of persons that are made
	Mails bool
	Of    func(users []uuid.UUID) (map[uuid.UUID]LookedUp, error) // of some users; those without a row are missing
}

// LookedUp is what is looked up of a user.
type LookedUp struct {
	Name, Suffixed string // of the person that is made from the row, without and with a suffix; "": none can be made
	Mail           string
}

const lookedUpAtOnce = 1000

// listing writes lines of users, with columns that are looked up for many of them at once.
type listing struct {
	p     *page
	look  *Lookup // nil: nothing is looked up
	lines []listedUser
}

// listedUser is a line in the making.
type listedUser struct {
	user            uuid.UUID
	head, tail      string // before and behind what is looked up
	makes, suffixed bool   // a person is made, whose name carries a suffix
}

func (l *listing) add(line listedUser) error {
	if l.look == nil {
		l.p.line("%s  %s", line.head, line.tail)
		return nil
	}
	if l.lines = append(l.lines, line); len(l.lines) < lookedUpAtOnce {
		return nil
	}
	return l.flush()
}

// flush writes the lines that wait for what is looked up.
func (l *listing) flush() error {
	if len(l.lines) == 0 {
		return nil
	}
	users := make([]uuid.UUID, len(l.lines))
	for i, line := range l.lines {
		users[i] = line.user
	}
	found, err := l.look.Of(users)
	if err != nil {
		return err
	}
	names, mails := make([]string, len(l.lines)), make([]string, len(l.lines))
	for i, line := range l.lines {
		one, there := found[line.user]
		names[i], mails[i] = line.name(one, there), "-"
		if one.Mail != "" {
			mails[i] = Escape(one.Mail)
		}
	}
	name, mail := widest(names), widest(mails)
	for i, line := range l.lines {
		cells := []string{line.head}
		if l.look.Names {
			cells = append(cells, padded(names[i], name))
		}
		if l.look.Mails {
			cells = append(cells, padded(mails[i], mail))
		}
		l.p.line("%s", strings.Join(append(cells, line.tail), "  "))
	}
	l.lines = l.lines[:0]
	return nil
}

// name is that of the person that is made; "-" where none is made, or none can be.
func (l listedUser) name(of LookedUp, there bool) string {
	name := of.Name
	if l.suffixed {
		name = of.Suffixed
	}
	if !l.makes || !there || name == "" {
		return "-"
	}
	return Escape(name)
}

func widest(list []string) (width int) {
	for _, s := range list {
		width = max(width, cells(s))
	}
	return width
}
