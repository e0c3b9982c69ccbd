package apply

import (
	"context"
	"slices"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// Close ends the open run, whose plan file is, without going on with it: both sides are asked how they stand with the
// users in flight, what does not belong to them is taken away, what really happened is recorded, and nothing is given
// to anybody. A run that is closed can be planned from: a rollback of it, or what is left.
//
// Errors before any effect: *state.TargetError, *OpenRunError where another run is open, or what reading the state
// says. With Result.Stopped the run is open still and the error is why; the same call finishes it.
func Close(ctx context.Context, file *planfile.Reader, d Deps, events func(Event)) (Result, error) {
	if events == nil {
		events = func(Event) {}
	}
	st, err := d.Store.Read(ctx)
	if err != nil {
		return Result{}, err
	}
	open := st.OpenRun()
	if open == nil {
		return Result{Nothing: true}, nil
	}
	if diff := st.Target.Differs(d.Target); diff != "" {
		return Result{}, &state.TargetError{What: "state", Differs: diff}
	}
	if open.Plan != file.ID() {
		return Result{}, &OpenRunError{Run: open.ID, Plan: open.Plan}
	}
	x, err := newExecutor(file, st, d, events)
	if err != nil {
		return Result{}, err
	}
	if x.effects.ClosesAlone() {
		x.Accounts = unasked{}
	}
	if x.journal, err = d.Store.Resume(ctx, open.ID); err != nil {
		return Result{}, err
	}
	return x.close(context.WithoutCancel(ctx))
}

// closeTogether is how many users in flight are settled at a time.
const closeTogether = 500

func (x *executor) close(ctx context.Context) (Result, error) {
	// What the process had sent that was stopped is done first: what is looked at afterwards stays so.
	if err := x.Accounts.Drain(ctx); err != nil && !refused(err) { // a refusal has waited for its turn, too
		return x.stopped(err)
	}
	records, err := x.journal.Open(ctx)
	if err != nil {
		return x.stopped(err)
	}
	for some := range slices.Chunk(records, closeTogether) {
		if err := x.settleOpen(ctx, some); err != nil {
			return x.stopped(err)
		}
	}
	if err := x.journal.DoubtMails(ctx, x.Now().UTC()); err != nil {
		return x.stopped(err)
	}
	if err := x.closePauses(ctx, len(records) > 0); err != nil {
		return x.stopped(err)
	}
	if err := x.useWishes(ctx); err != nil {
		return x.stopped(err)
	}
	if err := x.Accounts.Tidy(ctx); err != nil {
		return x.stopped(err)
	}
	x.called()
	info, err := x.journal.Close(ctx, state.OutcomeClosed, x.Accounts.Retries())
	if err != nil {
		return x.stopped(err)
	}
	if err := x.tallyMails(ctx); err != nil {
		return Result{}, err
	}
	left, err := x.left(ctx, info.ID)
	return Result{Run: info, Closed: true, Left: left, Half: x.half, Mails: x.mails, Unsent: x.unsent}, err
}

// settleOpen settles users in flight by what really happened.
func (x *executor) settleOpen(ctx context.Context, records []state.Record) error {
	items := make([]*item, len(records))
	for i, r := range records {
		items[i] = &item{intent: r.Intent}
	}
	items, err := x.settleDeleted(ctx, items)
	if err != nil || len(items) == 0 {
		return err
	}
	recorded, err := x.putRight(ctx, items, false)
	if err != nil {
		return err
	}
	outcomes := make([]state.Outcome, len(items))
	for i, it := range items {
		outcomes[i] = outcomeOf(it.intent, state.Refused, state.Found(state.CodeRunClosed))
		if it.came {
			outcomes[i] = outcomeOf(it.intent, state.Done, state.Finding{})
		}
		outcomes[i].Recorded = recorded[i]
		it.tell(&outcomes[i])
		x.half = x.half || len(it.stuck) > 0
	}
	x.called()
	return x.journal.Settle(ctx, nil, outcomes, x.journal.Position())
}

// settleDeleted finishes taking back those whose person is deleted already: as only a gain could bring that back, the
// row goes back as well, or its user would be linked to nobody. It returns the others.
func (x *executor) settleDeleted(ctx context.Context, items []*item) (rest []*item, err error) {
	ended := acting(items, state.PersonDelete)
	if len(ended) == 0 {
		return items, nil
	}
	var changes []plan.UserChange
	for _, it := range ended {
		changes = append(changes, plan.UserChange{User: it.intent.User, Record: it.intent.Undo})
	}
	records, err := x.journalRecords(ctx, changes)
	if err != nil {
		return nil, err
	}
	all, err := x.find(ctx, ended)
	if err != nil {
		return nil, err
	}
	b := settlement{next: x.journal.Position()}
	for n, it := range ended {
		f, i, record := all[it], &it.intent, records[it.intent.Undo]
		if f.there || i.Effect.Restore && record == nil {
			continue
		}
		it.change, it.record, it.prior = changes[n], record, i.Prior
		it.shape = &plan.Shape{Tenant: i.Tenant, Ground: plan.Ground{Relies: providers.ReliesLink}, Effect: i.Effect,
			After: i.After.UserState}
		if f.row == nil || f.row.Link != i.Person || !i.Effect.Restore {
			b.outcomes = append(b.outcomes, done(it))
			continue
		}
		it.change.Before = providers.DigestUser(f.row.User, providers.ReliesLink, i.Prior)
		b.writes, b.written = append(b.writes, userWrite(it)), append(b.written, it)
	}
	settled, lost, err := x.commit(ctx, &b)
	if err != nil {
		return nil, err
	}
	return append(slices.DeleteFunc(items, func(it *item) bool {
		return slices.ContainsFunc(settled, func(o state.Outcome) bool { return o.Intent == it.intent.ID }) ||
			slices.ContainsFunc(lost, func(l *item) bool { return l.intent.ID == it.intent.ID })
	}), lost...), nil
}

// closePauses leaves the pauses of a rollback that had begun to take users back: they are not to be moved again by
// the next plan.
func (x *executor) closePauses(ctx context.Context, begun bool) error {
	u, at := x.effects.Undo, x.journal.Position()
	if u == nil || len(u.Pauses) == 0 || !begun && at == (state.Position{}) {
		return nil
	}
	return x.pause(ctx, u)
}
