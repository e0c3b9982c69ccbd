package apply

import (
	"context"

	"anthill/state"
)

// loginBatch is how many rows get their time of completion in one transaction: a short one, as the application writes the
// same rows.
const loginBatch = 1000

// noteLogins fills in the rows' time of completion where the synced time says that a moved user has logged in (L15 has the
// same of waves). No plan holds it: it says in one column what the row says in another, so there is nothing to review, and
// the before-images of the runs that linked these rows take it back with the rest.
func (x *executor) noteLogins(ctx context.Context) error {
	if x.effects.Kind != state.RunApply || !x.st.Exists || x.Bare {
		return nil
	}
	work := context.WithoutCancel(ctx)
	if x.journal == nil {
		// A state of an earlier version does not keep what is asked for, and only a run brings it to this one.
		if err := x.Store.Bind(work, x.Target, x.effects.Lineage); err != nil {
			return err
		}
	}
	var batch []state.Login
	note := func() error {
		n, err := x.Rows.NoteLogins(work, batch)
		x.logins, x.unnoted, batch = x.logins+n.Rows, n.Left, batch[:0]
		return err
	}
	// They come in another order each time: rows that are refused for good must not keep others from being tried.
	for l, err := range x.Store.Logins(work) {
		if err != nil {
			return err
		}
		if batch = append(batch, l); len(batch) < loginBatch {
			continue
		}
		if err := interrupted(ctx); err != nil {
			return err
		}
		if err := note(); err != nil || !x.unnoted.IsZero() {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return note()
}

// inviteBatch is how many rows get their time of invitation in one transaction.
const inviteBatch = 1000

// noteInvites fills in the rows' time of invitation where the outbox has one, as noteLogins does with the time of completion.
func (x *executor) noteInvites(ctx context.Context) error {
	if !x.heedsPauses() || !x.st.Exists && x.journal == nil || x.Bare && len(x.effects.Schema) == 0 {
		return nil
	}
	work := context.WithoutCancel(ctx)
	var batch []state.Invite
	note := func() error {
		n, err := x.Rows.NoteInvites(work, batch)
		x.uninvited, batch = n.Left, batch[:0]
		return err
	}
	for i, err := range x.Store.Invites(work) {
		if err != nil {
			return err
		}
		if batch = append(batch, i); len(batch) < inviteBatch {
			continue
		}
		if err := note(); err != nil || !x.uninvited.IsZero() {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return note()
}
