package book

import "anthill/state"

// Progress is how far an open run has come. A settlement inside somebody else's transaction may be lost with that and
// be tried again. So it is kept apart until the next one comes: if that leads to the same position, it is another try.
// The zero Progress is of a run that has just begun. Not safe for concurrent use.
type Progress struct {
	counts   state.Counts // all but pending
	position state.Position
	pending  *Settlement  // written, and perhaps lost since
	calls    []state.Call // not recorded for certain
}

// At returns the progress of a run that is resumed.
func At(position state.Position, counts state.Counts) Progress {
	return Progress{position: position, counts: counts}
}

// Settlement is what a backend writes beside outcomes, all of it together with them.
type Settlement struct {
	Counts state.Counts   // of the run from then on
	Next   state.Position // of the run from then on
	Calls  []state.Call   // that are to be recorded

	certain bool // it is durable once it is written
}

// Position is where the run goes on if what was written last is not lost.
func (p *Progress) Position() state.Position {
	if p.pending != nil {
		return p.pending.Next
	}
	return p.position
}

// Counts is what has been settled if what was written last is not lost.
func (p *Progress) Counts() state.Counts {
	if p.pending != nil {
		return p.pending.Counts
	}
	return p.counts
}

// Called notes write calls: they are part of the settlements of users from now on, until one of those is through.
func (p *Progress) Called(calls []state.Call) { p.calls = append(p.calls, calls...) }

// Users returns the settlement of users, which moves the run to next. alone: the backend commits it by itself, so that
// it is through once it is written. Where the last one was not alone and led to the same position, it was lost, and
// this is another try.
func (p *Progress) Users(outcomes []state.Outcome, next state.Position, alone bool) Settlement {
	// Another position means that the last settlement went through: the run would not have gone on otherwise.
	if alone || p.pending == nil || p.pending.Next != next {
		p.absorb()
	}
	return Settlement{Counts: sum(p.counts, countUsers(outcomes)), Next: next, Calls: p.calls, certain: alone}
}

// Objects returns the settlement of objects, which the backend commits by itself. It has no calls: those come with the
// next settlement of users, or with the last.
func (p *Progress) Objects(outcomes []state.ObjectOutcome) Settlement {
	p.absorb()
	return Settlement{Counts: sum(p.counts, countObjects(outcomes)), Next: p.position, certain: true}
}

// Moved returns a settlement of nobody, which moves the run to next and which the backend commits by itself.
func (p *Progress) Moved(next state.Position) Settlement {
	p.absorb()
	return Settlement{Counts: p.counts, Next: next, certain: true}
}

// Last returns the settlement with which the run is closed, which the backend commits by itself. retries is how many
// calls were tried again.
func (p *Progress) Last(retries int64) Settlement {
	p.absorb()
	return Settlement{
		Counts: sum(p.counts, state.Counts{Retries: retries}), Next: p.position, Calls: p.calls, certain: true,
	}
}

// Written notes that a settlement, the last one that was returned, was written.
func (p *Progress) Written(s Settlement) {
	p.pending = &s
	if s.certain {
		p.absorb()
	}
}

// absorb makes a settlement that is through part of what is settled.
func (p *Progress) absorb() {
	if s := p.pending; s != nil {
		p.counts, p.position, p.calls, p.pending = s.Counts, s.Next, p.calls[len(s.Calls):], nil
	}
}

// countUsers counts what is settled of some users. One who is lost is counted when it is taken back.
func countUsers(outcomes []state.Outcome) (c state.Counts) {
	for i := range outcomes {
		if outcomes[i].Lost {
			continue
		}
		if outcomes[i].Apart && (outcomes[i].Verdict == state.Done || outcomes[i].Verdict == state.Already) {
			continue
		}
		mailed := outcomes[i].Mail != nil
		if mailed {
			c.Mails++
		}
		switch outcomes[i].Verdict {
		case state.Done:
			// Nothing was intended for whoever is only written to.
			if !mailed || outcomes[i].Intent != 0 {
				c.Done++
			}
		case state.Already:
			c.Already++
		case state.Changed:
			c.Changed++
		case state.Refused:
			c.Failed++
		case state.Paused:
			c.Paused++
		}
	}
	return c
}

func countObjects(outcomes []state.ObjectOutcome) (c state.Counts) {
	for i := range outcomes {
		switch v := outcomes[i].Verdict; {
		case v == state.Done && outcomes[i].Address.IsSchema():
			c.Schema++
		case v == state.Done:
			c.Objects++
		case v == state.Refused:
			c.Failed++
		case v == state.Changed:
			c.Changed++
		}
	}
	return c
}

func sum(a, b state.Counts) state.Counts {
	return state.Counts{
		Done:    a.Done + b.Done,
		Already: a.Already + b.Already,
		Changed: a.Changed + b.Changed,
		Failed:  a.Failed + b.Failed,
		Paused:  a.Paused + b.Paused,
		Objects: a.Objects + b.Objects,
		Schema:  a.Schema + b.Schema,
		Mails:   a.Mails + b.Mails,
		Retries: a.Retries + b.Retries,
	}
}

// Remains says whether a settled user of this verdict did not reach its after-state: what Store.Remainder returns.
func Remains(v state.Verdict) bool {
	return v == state.Changed || v == state.Refused || v == state.Paused || v == state.Conflict
}

// IsLeft says whether an outcome is of a user who was left before anything was intended, whom the journal lists all the
// same: a resumed run counts such users, too.
func IsLeft(o *state.Outcome) bool {
	return o.Intent == 0 && (Remains(o.Verdict) || o.Verdict == state.Already)
}
