package plan

import (
	"fmt"

	"github.com/google/uuid"

	"anthill/state"
)

// Link is the person of a user whom somebody has made by hand, as a file says it.
type Link struct {
	User, Person uuid.UUID
	Line         int // of the file, from 1
}

// BadLink is a line of such a file that cannot be used.
type BadLink struct {
	Line int
	User uuid.UUID // zero: none is named
	Why  state.Code
}

// LinksError says which lines of a file of links cannot be used: all of them. Nothing is planned.
type LinksError struct{ Bad []BadLink } // by line

// Error counts them; internal/report says all.
func (e *LinksError) Error() string {
	return fmt.Sprintf("%d lines of the file of links cannot be used, the first one is line %d", len(e.Bad), e.Bad[0].Line)
}
