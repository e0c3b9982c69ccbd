package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

const (
	oneID, twoID = "0190d2b1-7c1e-7000-8000-000000000001", "0190d2b1-7c1e-7000-8000-000000000002"
	anaID, benID = "a0a0a0a0-0000-4000-8000-00000000000a", "b0b0b0b0-0000-4000-8000-00000000000b"
)

// TestReadLinks: the same links out of JSON and CSV, as an export with one more column has them, with the lines that they stand in.
func TestReadLinks(t *testing.T) {
	t.Parallel()
	one, two := uuid.MustParse(oneID), uuid.MustParse(twoID)
	ana, ben := uuid.MustParse(anaID), uuid.MustParse(benID)
	for name, c := range map[string]struct {
		text  string
		want  []plan.Link
		blank int
	}{
		"JSON": {"[\n  {\"user_id\": \"" + oneID + "\", \"email\": \"a\\nb\", \"person_id\": \"" + anaID + "\"},\n\n  {\"user_id\": \"" + twoID +
			"\",\n   \"person_id\": \"" + benID + "\"}\n]\n", []plan.Link{{User: one, Person: ana, Line: 2}, {User: two, Person: ben, Line: 4}}, 0},
		"JSON on one line": {`[{"user_id":"` + oneID + `","person_id":"` + anaID + `"}]`, []plan.Link{{User: one, Person: ana, Line: 1}}, 0},
		"without a person": {`[{"user_id":"` + oneID + `","person_id":null},{"user_id":"` + twoID + `","person_id":"` + benID + `"}]`,
			[]plan.Link{{User: two, Person: ben, Line: 1}}, 1},
		"CSV": {"user_id,email,person_id\r\n" + oneID + ",\"'=a\nb\"," + anaID + "\r\n" + twoID + ",," + strings.ToUpper(benID) + "\r\n",
			[]plan.Link{{User: one, Person: ana, Line: 2}, {User: two, Person: ben, Line: 4}}, 0},
		"CSV of a spreadsheet": {"\ufeffperson_id, user_id\n" + anaID + ", " + oneID + "\n,\"" + twoID + "\"\n",
			[]plan.Link{{User: one, Person: ana, Line: 2}}, 1},
	} {
		got, blank, err := ReadLinks(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || blank != c.blank {
			t.Errorf("%s: %d blank; (-want +got):\n%s", name, blank, diff)
		}
	}
}

// TestReadBadLinks: all lines that cannot be used are named, and a file that is none is refused with its place.
func TestReadBadLinks(t *testing.T) {
	t.Parallel()
	text := "user_id,person_id\n" + oneID + "," + anaID + "\n" + oneID + "," + benID + "\nkim," + benID + "\n" +
		twoID + ",kim\n" + twoID + "," + anaID + "\n00000000-0000-0000-0000-000000000000," + benID + "\n{" + oneID + "}," + benID + "\n"
	var bad *plan.LinksError
	if _, _, err := ReadLinks(strings.NewReader(text)); !errors.As(err, &bad) {
		t.Fatal(err)
	}
	one, two := uuid.MustParse(oneID), uuid.MustParse(twoID)
	want := []plan.BadLink{{Line: 2, User: one, Why: state.CodeLinkUserTwice}, {Line: 3, User: one, Why: state.CodeLinkUserTwice},
		{Line: 4, Why: state.CodeLinkBadUser}, {Line: 5, User: two, Why: state.CodeLinkBadPerson},
		{Line: 6, User: two, Why: state.CodeLinkPersonTwice}, {Line: 7, Why: state.CodeLinkBadUser}, {Line: 8, Why: state.CodeLinkBadUser}}
	if diff := cmp.Diff(want, bad.Bad); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"":                                  "the file is empty",
		"user_id;person_id\n":               "line 1 must name the columns",
		"user_id,person_id\na\n":            "line 2",
		"[{\"user_id\": 3}]":                "line 1",
		"[\n{\"user_id\": \"a\"}\n{]":       "line 3",
		"[\n{\"user_id\": \"a\"}\n":         "line 2",
		"[]\n[]":                            "line 2: something stands behind",
		"[]":                                "names no person",
		"user_id,person_id\n" + oneID + ",": "names no person",
		strings.Repeat("a", mostLinks+1):    "larger than",
	} {
		if _, _, err := ReadLinks(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}
