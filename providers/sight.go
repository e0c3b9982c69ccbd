package providers

import "github.com/google/uuid"

// Sight is one person of the directory as an account sees it that need not see all. What it does not see is unknown, never
// absent.
type Sight struct {
	Person *Person // nil: there is none, or with Hidden nobody knows; Mails only with Mails
	Hidden bool
	Mails  bool     // the account may see addresses
	Groups []Joined // but for built-in ones, sorted by name; only with InGroups
	// InGroups: the account may see the groups of persons.
	InGroups bool
	Enrolled bool // has a credential; only with Enrols
	Enrols   bool // the account may see who has one
}

// Joined is a group that a person is in, directly or by way of others.
type Joined struct {
	ID   uuid.UUID
	Name string
}
