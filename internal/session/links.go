package session

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// mostLinks bounds a file of links: whoever has made more persons than that has not made them by hand.
const mostLinks = 8 << 20

// linkKeys are the keys, or columns, of a file of links. Others are left alone, so that an export with one more column will do.
const (
	userKey   = "user_id"
	personKey = "person_id"
)

// ReadLinks reads a file of links: a JSON array of objects, or CSV with a line of names, each with user_id and person_id.
// Lines without a person are no links: they are counted as blank.
//
// Errors: a *plan.LinksError with all lines that cannot be used; another error where the file is no such file.
func ReadLinks(r io.Reader) (list []plan.Link, blank int, err error) {
	text, err := io.ReadAll(io.LimitReader(r, mostLinks+1))
	if err != nil {
		return nil, 0, err
	}
	if len(text) > mostLinks {
		return nil, 0, fmt.Errorf("the file is larger than %d MiB: it is no list of persons made by hand", mostLinks>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var lines []linkLine
	if begin := bytes.TrimSpace(text); len(begin) > 0 && begin[0] == '[' {
		lines, err = jsonLinks(text)
	} else {
		lines, err = csvLinks(text)
	}
	if err != nil {
		return nil, 0, err
	}
	return checked(lines)
}

// linkLine is a line as it stands in a file.
type linkLine struct {
	at           int
	user, person string
}

func jsonLinks(text []byte) (lines []linkLine, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	lineAt := func(offset int64) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }
	broken := func(err error) error {
		return fmt.Errorf("line %d is not as JSON wants it: %w", lineAt(d.InputOffset()), err)
	}
	if _, err := d.Token(); err != nil {
		return nil, broken(err)
	}
	for d.More() {
		at := d.InputOffset()
		at += int64(len(text[at:]) - len(bytes.TrimLeft(text[at:], " \t\r\n,")))
		var one struct {
			User   string `json:"user_id"`
			Person string `json:"person_id"`
		}
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("line %d is not as JSON wants it: %w", lineAt(at), err)
		}
		lines = append(lines, linkLine{lineAt(at), one.User, one.Person})
	}
	if _, err := d.Token(); err != nil {
		return nil, broken(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something stands behind the list", lineAt(d.InputOffset()))
	}
	return lines, nil
}

func csvLinks(text []byte) (lines []linkLine, err error) {
	r := csv.NewReader(bufio.NewReader(bytes.NewReader(text)))
	head, err := r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, fmt.Errorf("the file is not as CSV wants it: %w", err)
	}
	for i := range head {
		head[i] = strings.TrimSpace(strings.TrimPrefix(head[i], "'"))
	}
	user, person := slices.Index(head, userKey), slices.Index(head, personKey)
	if user < 0 || person < 0 {
		return nil, fmt.Errorf("line 1 must name the columns, %s and %s among them, with commas between them", userKey, personKey)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the file is not as CSV wants it: %w", err)
		}
		at, _ := r.FieldPos(0)
		cell := func(n int) string { return strings.TrimPrefix(record[n], "'") }
		lines = append(lines, linkLine{at, cell(user), cell(person)})
	}
}

// checked are the links of the lines; all of those that cannot be used are in the error.
func checked(lines []linkLine) (list []plan.Link, blank int, err error) {
	var bad []plan.BadLink
	users, persons := map[uuid.UUID][]int{}, map[uuid.UUID][]int{}
	for _, l := range lines {
		if strings.TrimSpace(l.person) == "" {
			blank++
			continue
		}
		user, isUser := readID(l.user)
		person, isPerson := readID(l.person)
		switch {
		case !isUser:
			bad = append(bad, plan.BadLink{Line: l.at, Why: state.CodeLinkBadUser})
		case !isPerson:
			bad = append(bad, plan.BadLink{Line: l.at, User: user, Why: state.CodeLinkBadPerson})
		default:
			list = append(list, plan.Link{User: user, Person: person, Line: l.at})
			users[user], persons[person] = append(users[user], l.at), append(persons[person], l.at)
		}
	}
	for _, l := range list {
		switch {
		case len(users[l.User]) > 1:
			bad = append(bad, plan.BadLink{Line: l.Line, User: l.User, Why: state.CodeLinkUserTwice})
		case len(persons[l.Person]) > 1:
			bad = append(bad, plan.BadLink{Line: l.Line, User: l.User, Why: state.CodeLinkPersonTwice})
		}
	}
	switch {
	case len(bad) > 0:
		slices.SortStableFunc(bad, func(a, b plan.BadLink) int { return a.Line - b.Line })
		return nil, blank, &plan.LinksError{Bad: bad}
	case len(list) == 0:
		return nil, blank, errors.New("the file names no person: each line wants a person_id, as Self-auth shows it (uuid)")
	}
	return list, blank, nil
}

// readID reads an id in its usual form; the zero id is none.
func readID(text string) (uuid.UUID, bool) {
	text = strings.TrimSpace(text)
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == 36 && id != uuid.Nil
}
