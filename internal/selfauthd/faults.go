package selfauthd

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Faults are what goes wrong, by chance but the same each time: which request meets what follows from the seed and from
// the request's number alone. The zero value is a server without faults.
type Faults struct {
	Seed uint64

	stopped  atomic.Bool
	chances  map[string]float64
	from, to time.Duration // latency
	restarts map[uint64]bool
	empties  map[uint64]bool
}

// faultNames are the faults that come by chance, in the order in which they are drawn.
var faultNames = []string{"drop-before-commit", "drop-after-commit", "lock-timeout", "unauthorized", "rename",
	"foreign"}

// ParseFaults reads a specification, items with commas between them:
//
//	drop-before-commit:P    a write's connection ends before anything was done
//	drop-after-commit:P     a write is done, and its connection ends without an answer
//	lock-timeout:P          a write answers 500 "databaselockacquisitiontimeout"; nothing was done
//	unauthorized:P          a request that needs a token answers 401 "sessionexpired"; the next one does not
//	rename:P                before the request a person renames itself, if it may
//	foreign:P               before the request another administrator changes something: the description or a member of a
//	                        group that is not built in, or the mail of a person
//	latency:FROM..TO        each answer takes some time between the two more
//	restart@n=N             request N ends without an answer: the server stops, and starts with its data; logins and
//	                        credential sessions under way are lost
//	restart-empty@n=N       the same without data: a fresh server whose built-in accounts have their passwords still
//	seed=N                  for other chances; 0 if left out
//
// P is a probability from 0 to 1, for each request, or each write where it says so. Requests are counted from 1,
// whatever they are answered; /status and paths that are none of the API's are not. FROM and TO are durations as Go
// writes them. restart items may be repeated; of the others the last one counts. "" is no faults at all.
func ParseFaults(spec string) (*Faults, error) {
	f := &Faults{chances: map[string]float64{}, restarts: map[uint64]bool{}, empties: map[uint64]bool{}}
	if strings.TrimSpace(spec) == "" {
		return f, nil
	}
	for item := range strings.SplitSeq(spec, ",") {
		if err := f.parse(strings.TrimSpace(item)); err != nil {
			return nil, fmt.Errorf("fault %q: %w", item, err)
		}
	}
	return f, nil
}

func (f *Faults) parse(item string) (err error) {
	name, number, at := strings.Cut(item, "@n=")
	if at {
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no number of a request; they begin at 1", number)
		}
		switch name {
		case "restart":
			f.restarts[n] = true
		case "restart-empty":
			f.empties[n] = true
		default:
			return fmt.Errorf("only restart and restart-empty come at a request")
		}
		return nil
	}
	if seed, ok := strings.CutPrefix(item, "seed="); ok {
		if f.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return fmt.Errorf("%q is no seed, a whole number from 0", seed)
		}
		return nil
	}
	name, value, ok := strings.Cut(item, ":")
	switch {
	case name == "latency":
		return f.parseLatency(value)
	case !slices.Contains(faultNames, name):
		return fmt.Errorf("there is none of that name; there are %s, latency, restart@n=, restart-empty@n= and seed=",
			strings.Join(faultNames, ", "))
	case !ok:
		return fmt.Errorf("it wants a probability, as in %s:0.01", name)
	}
	p, err := strconv.ParseFloat(value, 64)
	if err != nil || !(p >= 0 && p <= 1) { //nolint:staticcheck // what is no number is neither
		return fmt.Errorf("%q is no probability from 0 to 1", value)
	}
	f.chances[name] = p
	return nil
}

func (f *Faults) parseLatency(value string) error {
	from, to, ok := strings.Cut(value, "..")
	a, err := time.ParseDuration(from)
	b, err2 := time.ParseDuration(to)
	if !ok || err != nil || err2 != nil || a < 0 || b < a {
		return fmt.Errorf("%q is no range of durations, as in 50ms..2s", value)
	}
	f.from, f.to = a, b
	return nil
}

// drawn is what one request meets.
type drawn struct {
	dropBefore, dropAfter, lockTimeout, unauthorized, rename, foreign bool
	restart, empty                                                    bool
	latency                                                           time.Duration
	dice                                                              *rand.Rand
}

// Stop ends all faults.
func (f *Faults) Stop() { f.stopped.Store(true) }

func (f *Faults) draw(n uint64) (d drawn) {
	if f == nil || f.stopped.Load() {
		return d
	}
	d.dice = rand.New(rand.NewPCG(f.Seed, n)) //nolint:gosec // chances, no secrets
	for i, to := range []*bool{&d.dropBefore, &d.dropAfter, &d.lockTimeout, &d.unauthorized, &d.rename, &d.foreign} {
		*to = d.dice.Float64() < f.chances[faultNames[i]]
	}
	if f.to > 0 {
		d.latency = f.from + time.Duration(d.dice.Float64()*float64(f.to-f.from))
	}
	d.restart, d.empty = f.restarts[n], f.empties[n]
	return d
}

// faulty serves a request that meets faults.
func (q *request) faulty(d drawn) (any, *fault) {
	if d.restart || d.empty {
		q.s.restart(d.empty)
		panic(http.ErrAbortHandler)
	}
	if d.rename {
		q.s.disturb(func(s *store) { s.renameSomebody(d.dice) })
	}
	if d.foreign {
		q.s.disturb(func(s *store) { s.changeSomething(d.dice) })
	}
	if d.latency > 0 {
		q.s.o.Sleep(d.latency)
	}
	switch {
	case d.unauthorized && !q.route.open:
		return nil, sessionExpired
	case d.dropBefore && q.route.writes:
		panic(http.ErrAbortHandler)
	case d.lockTimeout && q.route.writes:
		return nil, lockTimeout
	}
	return q.serve()
}

// restart ends what the server has in its head. Empty: its data as well, and its keys.
func (s *Server) restart(empty bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.logins, s.updates = newLogins(), map[uuid.UUID]*update{}
	if !empty {
		return
	}
	j := s.store.journal
	idmAdmin, admin := s.passwords()
	s.keys, s.tokens = newKeyring(), [2]string{}
	s.store.become(newStore(s.o.Domain, s.o.Now, idmAdmin, admin))
	if j == nil {
		return
	}
	if err := j.file.Close(); err != nil {
		panic(fmt.Errorf("keep the directory: %w", err))
	}
	if err := s.compact(strings.TrimSuffix(j.file.Name(), ".new")); err != nil {
		panic(fmt.Errorf("keep the directory: %w", err))
	}
}

// disturb lets somebody else write.
func (s *Server) disturb(change func(*store)) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	change(s.store)
	s.store.commit(line{})
}

// pickOne takes one of the entries; nil: there is none.
func (s *store) pickOne(dice *rand.Rand, which func(*entry) bool) *entry {
	list := s.live(which)
	if len(list) == 0 {
		return nil
	}
	return list[dice.IntN(len(list))]
}

// renameSomebody lets a person give itself another name, one that is free.
func (s *store) renameSomebody(dice *rand.Rand) {
	self := s.byID[system(idmSelfNameWrite)]
	e := s.pickOne(dice, func(e *entry) bool { return e.kind == person && slices.Contains(s.memberOf(e), self) })
	if e == nil {
		return
	}
	base := e.name[:min(len(e.name), 56)]
	for n := dice.IntN(1000); ; n++ {
		name := fmt.Sprintf("%s-%d", base, n)
		if s.byName[name] == nil {
			s.change(e, func() { e.name = name })
			return
		}
	}
}

func (s *store) change(e *entry, do func()) {
	s.unindex(e)
	do()
	s.index(e)
	s.touch(e)
}

// changeSomething is what another administrator might do.
func (s *store) changeSomething(dice *rand.Rand) {
	// What says of itself that it is temporary nobody edits.
	g := s.pickOne(dice, func(e *entry) bool {
		return e.kind == group && !e.builtin && !strings.Contains(e.description, "temporary")
	})
	p := s.pickOne(dice, func(e *entry) bool { return e.kind == person })
	what, n := dice.IntN(3), dice.IntN(1000000)
	switch {
	case g != nil && what == 0:
		s.change(g, func() { g.description = fmt.Sprintf("changed by somebody else, %d", n) })
	case g != nil && p != nil && what == 1:
		if s.touch(g); g.group.members[p.id] != nil {
			s.leave(g, p)
		} else {
			s.join(g, p)
		}
	case p != nil:
		if mail := fmt.Sprintf("changed-%d@elsewhere.example", n); s.byMail[mail] == nil {
			s.change(p, func() { p.mails = []string{mail} })
		}
	}
}
