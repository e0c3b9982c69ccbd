package providers

import (
	"fmt"
	"strconv"

	"anthill/state"
)

// Relies says which logical columns a change relies on, and so which its digest covers.
type Relies uint8

// ReliesAll: everything that a person is made from. ReliesMember: what memberships follow from. ReliesLink: the link,
// and whether there is a password and one that can be used, on which undoing relies. ReliesMail: whom a mail is for and where it goes.
// ReliesOutbox: the same, and what the user was sent (DigestOutbox).
const (
	ReliesInvalid Relies = iota
	ReliesAll
	ReliesMember
	ReliesLink
	ReliesMail
	ReliesOutbox
)

// String is the stable code, which plan files hold.
func (r Relies) String() string { return [...]string{"", "all", "member", "link", "mail", "outbox"}[r] }

// MarshalText writes the stable code.
func (r Relies) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *Relies) UnmarshalText(b []byte) error {
	for *r = ReliesInvalid; *r <= ReliesOutbox; *r++ {
		if r.String() == string(b) {
			return nil
		}
	}
	return fmt.Errorf("unknown columns to rely on: %q", b)
}

// DigestUser digests what a change relies on: columns of u (never updated_at, synced time, last login or completion),
// and what is recorded of the user; nil where nothing is. The recorded groups are left out: two plans may each add a
// membership of the same user.
func DigestUser(u User, r Relies, recorded *state.User) state.Digest {
	var w state.DigestWriter
	switch r {
	case ReliesAll:
		w.Text("user")
		w.ID(u.ID)
		w.ID(u.Tenant)
		w.Text(u.Email)
		w.Text(u.FullName)
		w.Text(u.Role)
		w.Text(u.Status)
		w.Flags(u.Deleted, u.Verified, u.HasPassword, u.CanPassword, u.TenantLive)
		w.ID(u.Link)
		w.Text(u.Method.String())
	case ReliesMember:
		w.Text("member")
		w.ID(u.ID)
		w.ID(u.Tenant)
		w.Text(u.Role)
		w.Text(u.Status)
		w.Flags(u.Deleted, u.HasPassword, u.CanPassword, u.TenantLive)
		w.ID(u.Link)
		w.Text(u.Method.String())
	case ReliesLink:
		w.Text("link")
		w.ID(u.ID)
		w.ID(u.Link)
		w.Flags(u.HasPassword, u.CanPassword)
	case ReliesMail:
		w.Text("mail")
		w.ID(u.ID)
		w.ID(u.Tenant)
		w.Text(u.Email)
		w.Text(u.FullName)
		w.Text(u.Status)
		w.Flags(u.Deleted, u.Verified, u.TenantLive)
		w.ID(u.Link)
	default:
		panic("providers: digest that relies on nothing")
	}
	addRecorded(&w, recorded)
	return w.Digest()
}

// DigestOutbox digests what a mail relies on: the digest of the row by ReliesMail, and what its user was sent. What a run has chosen and
// nobody was sent yet is no part of it.
func DigestOutbox(row state.Digest, sent state.Mailed) state.Digest {
	var w state.DigestWriter
	w.Text("outbox")
	w.Text(string(row[:]))
	for _, n := range []int{sent.Invitations, sent.Reminders, sent.Reminded} {
		w.Text(strconv.Itoa(n))
	}
	w.Flags(sent.Refused, sent.Doubtful, sent.Again, !sent.Invited.IsZero())
	return w.Digest()
}

// DigestGone digests what is recorded of a user whose row is gone.
func DigestGone(recorded state.User) state.Digest {
	var w state.DigestWriter
	w.Text("gone")
	w.ID(recorded.User)
	addRecorded(&w, &recorded)
	return w.Digest()
}

func addRecorded(w *state.DigestWriter, u *state.User) {
	if u == nil {
		return
	}
	w.Text(u.Standing.String())
	w.Text(u.Wave)
	w.Text(u.Policy)
	w.Text(strconv.Itoa(u.Generation))
	w.Flags(u.MadePerson, u.WroteLink, u.Asleep)
	w.ID(u.Person)
}
