package pg

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
)

// This is a model of two processes that meet, small enough that every order of their steps is gone through. Steps are
// named after the functions that they stand for; a process that is frozen simply takes none for a while. One process
// applies two users, one a request; the other takes back what it finds intended. Sessions are ended at any moment,
// requests stay under way for any time, are refused and tried again, or are given up.
//
// One thing is left out on purpose: that Confirm and Fence notice that the lock's own session is gone. A proxy may
// answer for it. The epoch alone must do.

// model is what a moment of the two processes and both servers comes to. It is compared, so it holds no pointers.
type model struct {
	holder   int8  // whose session holds the advisory lock; none
	epoch    int8  // as the table has it; 0: there is no state yet
	intended uint8 // users, a bit each
	linked   uint8 // users whose rows are
	granted  uint8 // persons enabled (a user's bit), persons in groups (member)
	proc     [2]process
	latest   int8 // who was the last to take over; for the checks alone
}

const (
	applies  = 0
	takeBack = 1

	none = int8(-1)
)

type process struct {
	at      int8   // step of its program
	stopped bool   // it has seen that it must not go on, or given up
	epoch   int8   // its own; 0: none yet
	tx      txn    // its transaction
	found   uint8  // what the rollback takes back
	flight  uint8  // users of the request that is under way; 0 none
	late    int8   // requests that arrived after somebody else had taken over
	fault   string // what it did that it must not do
}

type txn uint8

const (
	noTx txn = iota
	openTx
	endedTx // by the server, with its session
)

// rules are what the code does; the test takes them away one by one.
type rules struct {
	raises       bool // takeOver raises the epoch
	fences       bool // Fence reads the epoch
	holdsFence   bool // FOR SHARE: until the transaction ends
	confirms     bool // Confirm reads the epoch
	bindsByLock  bool // Bind is a transaction of the lock's session
	confirmsEach bool // Confirm stands before each try, not only before the first
}

var asBuilt = rules{true, true, true, true, true, true}

// step is one step of a program: what it makes of a moment. can false: it has to wait.
type step struct {
	name string
	do   func(m *model, p int, r rules) (can bool)
}

func (m *model) stop(p int) bool {
	m.proc[p].stopped, m.proc[p].tx = true, noTx
	return true
}

func (m *model) other(p int) *process { return &m.proc[1-p] }

func take(m *model, p int, _ rules) bool {
	if m.holder != none {
		return false
	}
	m.holder = int8(p)
	return true
}

func takeOver(m *model, p int, r rules) bool {
	if m.holder != int8(p) {
		return m.stop(p) // its session is gone
	}
	if m.epoch == 0 || !r.raises {
		m.proc[p].epoch = m.epoch
	} else if !m.raise(p, r) {
		return false
	}
	m.latest = int8(p)
	return true
}

func (m *model) raise(p int, r rules) bool {
	if r.holdsFence && m.other(p).tx == openTx {
		return false // endLeftovers ends it
	}
	m.epoch++
	m.proc[p].epoch = m.epoch
	return true
}

func bind(m *model, p int, r rules) bool {
	if m.holder != int8(p) && r.bindsByLock {
		return m.stop(p)
	}
	if m.proc[p].epoch != 0 {
		return true
	}
	return m.raise(p, r)
}

func fence(m *model, p int, r rules) bool {
	if r.fences && m.epoch != m.proc[p].epoch {
		return m.stop(p)
	}
	m.proc[p].tx = openTx
	return true
}

// commit ends a transaction; effect is what it has written.
func commit(effect func(m *model, p int)) func(*model, int, rules) bool {
	return func(m *model, p int, _ rules) bool {
		if m.proc[p].tx == endedTx {
			return m.stop(p)
		}
		if m.latest != int8(p) {
			m.proc[p].fault = "a transaction was committed after somebody else had taken over"
		}
		effect(m, p)
		m.proc[p].tx = noTx
		return true
	}
}

func confirm(m *model, p int, r rules) bool {
	if r.confirms && m.epoch != m.proc[p].epoch {
		return m.stop(p)
	}
	return true
}

func send(users func(m *model, p int) uint8) func(*model, int, rules) bool {
	return func(m *model, p int, _ rules) bool {
		m.proc[p].flight = users(m, p)
		return true
	}
}

func awaitAnswer(m *model, p int, _ rules) bool { return m.proc[p].flight == 0 }

func release(m *model, p int, _ rules) bool {
	if m.holder == int8(p) {
		m.holder = none
	}
	return true
}

func look(m *model, p int, _ rules) bool {
	m.proc[p].found = m.intended
	return true
}

func nothing(*model, int) {}

var begin = []step{{"Lock", take}, {"takeOver", takeOver}, {"Bind", bind}}

var end = []step{{"Close: Fence", fence}, {"Close: commit", commit(nothing)}, {"Release", release}}

// member is the membership of a user.
func member(user uint8) uint8 { return user << 2 }

func move(user uint8) []step {
	return []step{
		{"Intend: Fence", fence},
		{"Intend: commit", commit(func(m *model, _ int) { m.intended |= user })},
		{"try: Confirm", confirm},
		{"once", send(func(*model, int) uint8 { return user })},
		{"once: answer", awaitAnswer},
		{"try: Confirm", confirm},
		{"once", send(func(*model, int) uint8 { return member(user) })},
		{"once: answer", awaitAnswer},
		{"WriteUsers: Fence", fence},
		{"WriteUsers: commit", commit(func(m *model, _ int) { m.linked |= user })},
	}
}

// programs are what the two processes do, step by step.
var programs = [2][]step{
	applies: slices.Concat(begin, move(1), move(2), end),
	takeBack: slices.Concat(begin, []step{
		{"Records", look},
		{"try: Confirm", confirm},
		{"once", send(func(m *model, p int) uint8 { return m.proc[p].found | member(m.proc[p].found) })},
		{"once: answer", awaitAnswer},
		{"WriteUsers: Fence", fence},
		{"WriteUsers: commit", commit(func(m *model, p int) { m.linked &^= m.proc[p].found; m.intended &^= m.proc[p].found })},
	}, end),
}

func (m model) done(p int) bool { return int(m.proc[p].at) == len(programs[p]) && !m.proc[p].stopped }

// next are all moments that may follow, by what happened.
func (m model) next(r rules) map[string]model {
	all := map[string]model{}
	for p := range m.proc {
		who := [2]string{"apply ", "rollback "}[p]
		event := func(what string, happens bool, f func(n *model)) {
			if happens {
				n := m
				f(&n)
				all[who+what] = n
			}
		}
		at := m.proc[p].at
		if !m.proc[p].stopped && !m.done(p) {
			s := programs[p][at]
			n := m
			if s.do(&n, p, r) {
				n.proc[p].at++
				all[who+s.name] = n
			}
			event("endLeftovers", s.name == "takeOver" && m.holder == int8(p) && m.other(p).tx == openTx,
				func(n *model) { n.other(p).tx = endedTx })
			event("gives up", s.name == "once: answer", func(n *model) { n.stop(p) })
			again := int8(1) // to once
			if r.confirmsEach {
				again = 2 // to Confirm
			}
			event("is refused and tries again", s.name == "once: answer" && m.proc[p].flight != 0,
				func(n *model) { n.came(p); n.proc[p].at = at - again })
		}
		event("loses the lock's session", m.holder == int8(p), func(n *model) { n.holder = none })
		event("loses its other sessions", m.proc[p].tx == openTx, func(n *model) { n.proc[p].tx = endedTx })
		event("request arrives", m.proc[p].flight != 0, func(n *model) { n.arrive(p) })
	}
	return all
}

// arrive carries out a request of Self-auth, whoever sent it and whatever has become of that.
func (m *model) arrive(p int) {
	if p == applies {
		m.granted |= m.proc[p].flight
	} else {
		m.granted &^= m.proc[p].flight
	}
	m.came(p)
}

// came ends the flight of a request, which had its effect or was refused.
func (m *model) came(p int) {
	if m.proc[p].flight = 0; m.latest != int8(p) {
		m.proc[p].late++
	}
}

// broken says what of the promise a moment breaks.
func (m model) broken() string {
	for _, p := range m.proc {
		switch {
		case p.fault != "":
			return p.fault
		case p.late > 1:
			return "more than one request arrived after somebody else had taken over"
		}
	}
	// The rollback has ended, nobody has begun since, and nothing is under way any more.
	a := m.proc[applies]
	if !m.done(takeBack) || m.latest != takeBack || a.flight != 0 {
		return ""
	}
	asked := m.linked | member(m.linked)
	strange := m.granted &^ asked // no row asks for it
	if bits.OnesCount8(strange) > 1 || asked&^m.granted != 0 {
		return "after the rollback more than the one request is left"
	}
	// What the next plan does: whom no row asks for is taken away.
	if m.granted &^= strange; m.granted != asked {
		return "the next plan does not heal it"
	}
	return ""
}

// explore goes through all that can happen from a state that is there, or not yet. It returns the shortest way to a
// moment that breaks the promise, "" none, and what it has seen.
func explore(r rules, epoch int8) (way string, seen map[model]string) {
	start := model{holder: none, epoch: epoch, latest: none}
	seen = map[model]string{start: ""}
	before := map[model]model{}
	for todo := []model{start}; len(todo) > 0; todo = todo[1:] {
		m := todo[0]
		if why := m.broken(); why != "" {
			var events []string
			for at := m; at != start; at = before[at] {
				events = append(events, seen[at])
			}
			slices.Reverse(events)
			return why + ":\n  " + strings.Join(events, "\n  "), seen
		}
		moments := m.next(r)
		for _, event := range sortedKeys(moments) {
			n := moments[event]
			if _, known := seen[n]; !known {
				seen[n], before[n] = event, m
				todo = append(todo, n)
			}
		}
	}
	return "", seen
}

func sortedKeys(m map[string]model) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestEpochModel goes through the model as the code is built, and then without each of its rules, which must be found
// out.
func TestEpochModel(t *testing.T) {
	t.Parallel()
	for _, epoch := range []int8{0, 1} {
		t.Run(fmt.Sprint("as built, from epoch ", epoch), func(t *testing.T) {
			t.Parallel()
			way, seen := explore(asBuilt, epoch)
			if way != "" {
				t.Fatal(way)
			}
			var ended, healed, thrown int
			for m := range seen {
				if m.done(takeBack) && m.latest == takeBack {
					ended++
					if m.proc[applies].flight == 0 && m.granted&^(m.linked|member(m.linked)) != 0 {
						healed++
					}
				}
				if m.proc[applies].tx == endedTx {
					thrown++
				}
			}
			// Otherwise nothing was proved.
			if ended == 0 || thrown == 0 || epoch > 0 && healed == 0 {
				t.Errorf("%d moments: %d after a rollback, %d with a request to heal, %d with a session ended",
					len(seen), ended, healed, thrown)
			}
			t.Logf("%d moments: %d after a rollback, %d of them to be healed", len(seen), ended, healed)
		})
	}
	for name, without := range map[string]func(*rules){
		"raising":                    func(r *rules) { r.raises = false },
		"the fence":                  func(r *rules) { r.fences = false },
		"FOR SHARE":                  func(r *rules) { r.holdsFence = false },
		"confirming":                 func(r *rules) { r.confirms = false },
		"confirming each try":        func(r *rules) { r.confirmsEach = false },
		"binding in the lock's name": func(r *rules) { r.bindsByLock = false },
	} {
		t.Run("without "+name, func(t *testing.T) {
			t.Parallel()
			r := asBuilt
			without(&r)
			for _, epoch := range []int8{0, 1} {
				if way, _ := explore(r, epoch); way != "" {
					t.Log(way)
					return
				}
			}
			t.Error("the model does not notice")
		})
	}
}
