package state

import "slices"

// Effect is what a change does to one user on both sides, whichever person and groups that concerns. It is
// comparable, and the zero value does nothing.
type Effect struct {
	Act      PersonAct `json:"act,omitempty"`      // what happens to the person
	Suffix   bool      `json:"suffix,omitempty"`   // PersonCreate: the name carries its suffix
	NoMail   bool      `json:"no_mail,omitempty"`  // PersonCreate: the person gets no address (identity.mail = "omit")
	Link     bool      `json:"link,omitempty"`     // the row gets link and synced time
	Method   Method    `json:"method,omitempty"`   // the row's method becomes this; MethodInvalid: it stays
	Complete bool      `json:"complete,omitempty"` // complete_on = "link": the completed time is set as well
	Mail     bool      `json:"mail,omitempty"`     // the person's address follows the row (L26), or with Restore goes back
	Release  bool      `json:"release,omitempty"`  // the person gives up addresses that others hold now; with Mail: it did so before in this plan
	Restore  bool      `json:"restore,omitempty"`  // rollback: the row goes back to the image of a journal record
}

// Switches are the effects that are on or off, each by its stable name, for codecs and figures. They point into e.
func (e *Effect) Switches() []Switch {
	const more = 1 // for one that a caller adds
	return append(make([]Switch, 0, 7+more), []Switch{
		{"suffix", &e.Suffix}, {"no_mail", &e.NoMail}, {"link", &e.Link}, {"complete", &e.Complete}, {"mail", &e.Mail}, {"release", &e.Release}, {"restore", &e.Restore},
	}...)
}

// Switch is one effect that is on or off.
type Switch struct {
	Name string // stable
	On   *bool
}

// Writes reports whether the row is written.
func (e Effect) Writes() bool { return e.Link || e.Method != MethodInvalid || e.Complete || e.Restore }

// OnlyReleases reports whether the person gives addresses up, and nothing else is done.
func (e Effect) OnlyReleases() bool { return e == Effect{Release: true} }

// TakesAway reports whether the effect, groups apart, gives nothing: then it may go on while a wave is paused.
func (e Effect) TakesAway() bool {
	return !e.Link && !e.Mail && slices.Contains([]PersonAct{PersonNone, PersonExpire, PersonDelete}, e.Act)
}

// PersonAct is what happens to a person.
type PersonAct uint8

// PersonNone leaves the person alone. PersonCreate makes it with the chosen id, or, if it is there already and ours,
// enables it again. PersonExpire closes it at once and keeps its credential; PersonEnable undoes that. PersonDelete
// deletes it (-delete-persons only). PersonAdopt takes over a person that was there before us. PersonRevive brings a
// deleted one back from the recycle bin.
const (
	PersonNone PersonAct = iota
	PersonCreate
	PersonExpire
	PersonEnable
	PersonDelete
	PersonAdopt
	PersonRevive
)

var personActs = words{"", "create", "expire", "enable", "delete", "adopt", "revive"}

// String is the stable code, which plans and journals hold; "" for PersonNone.
func (a PersonAct) String() string { return personActs.text(uint8(a)) }

// MarshalText writes the stable code.
func (a PersonAct) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (a *PersonAct) UnmarshalText(b []byte) error {
	v, err := personActs.parse("person act", b)
	*a = PersonAct(v)
	return err
}
