package selfauthd

import (
	"time"
)

const costReal = "real"

// work is what a call had to do with entries.
type work struct {
	created  int // entries made
	members  int // memberships begun or ended
	held     int // members that those groups had before, together
	pairs    int // members begun or ended, times members that were there
	modified int // entries changed otherwise
	deleted  int
	scanned  int // entries that a search looked at
	found    int // and that it shows
	shown    int // members that are shown of groups
	minted   int // intents
	paid     bool
}

// The figures of a real server (1.10.5, two cores, a file database), and what comes of them for a directory of p
// persons:
//
//	raw/create, n persons          11 ms + 6 us x p + n x (0.5 ms + 0.25 us x p)    50 [1,000]: 54 of 62 ms; 1,000 [1,000]: 0.77 of 0.77 s; 1,000 [10,000]: 3.1 of 2.8 s
//	one person                     the same                                          1 [2,000]: 24 ms, as in the naive way's 28 users/s
//	n members to a group of m      4 ms + 0.13 ms x n + 1.9 us x m + 32 ns x n x m   500 to 0: 70 of 70 ms; 500 to 5,000: 160 of 160 ms; 1 to 7,000: 17 of 17 ms
//	new group of n members         11 ms + 0.19 ms x n                               5,000: 0.96 of 0.95 s
//	raw/modify of n                4.7 ms + 0.32 ms x n                              1: 5 of 4-6 ms; 1,000: 325 of 320 ms
//	delete n                       28 ms + 24 us x p + n x (0.1 ms + 0.42 us x p)    1 [4,000]: 126 of 128 ms; 1 [9,500]: 260 of 253 ms; 1,000 [8,000]: 3.7 of 3.7 s
//	a search                       2 ms + 12 us x looked at + 30 us x shown          SCIM, 9,500: 401 of 403 ms; who has enrolled, 150 of 3,000: 42 of 40 ms
//	a list of whole entries        2 ms + 12 us x looked at + 55 us x shown          9,500 persons: 639 of 640 ms
//	a group's m members            4.3 us x m                                        8,000: 36 of 36 ms
//	mint an intent                 7 ms
//	anything else                  2 ms to read, 5 ms to write
const (
	costCreateCall   = 11 * time.Millisecond
	costCreateCallOf = 6 * time.Microsecond // per person in the directory
	costCreate       = 500 * time.Microsecond
	costCreateOf     = 250 * time.Nanosecond
	costMemberCall   = 4 * time.Millisecond
	costMember       = 130 * time.Microsecond
	costFirstMember  = 190 * time.Microsecond // of a group that is made with its members
	costHeld         = 1900 * time.Nanosecond
	costPair         = 32 * time.Nanosecond
	costModifyCall   = 4700 * time.Microsecond
	costModify       = 320 * time.Microsecond
	costDeleteCall   = 28 * time.Millisecond
	costDeleteCallOf = 24 * time.Microsecond
	costDelete       = 100 * time.Microsecond
	costDeleteOf     = 420 * time.Nanosecond
	costRead         = 2 * time.Millisecond
	costScanned      = 12 * time.Microsecond
	costFoundPart    = 30 * time.Microsecond // some attributes, by SCIM
	costFoundWhole   = 55 * time.Microsecond
	costMemberShown  = 4300 * time.Nanosecond
	costIntent       = 7 * time.Millisecond
	costAnyWrite     = 5 * time.Millisecond
)

func times(n int, d time.Duration) time.Duration { return time.Duration(n) * d }

// cost is how long a call takes that did some work in a directory of so many persons.
func (w work) cost(writes, whole bool, persons int) time.Duration {
	if !writes {
		found := costFoundPart
		if whole {
			found = costFoundWhole
		}
		return costRead + times(w.scanned, costScanned) + times(w.found, found) + times(w.shown, costMemberShown)
	}
	var d time.Duration
	switch {
	case w.created > 0:
		d = costCreateCall + times(persons, costCreateCallOf) +
			times(w.created, costCreate+times(persons, costCreateOf)) + times(w.members, costFirstMember)
	case w.members > 0:
		d = costMemberCall + times(w.members, costMember) + times(w.held, costHeld) + times(w.pairs, costPair)
	case w.modified > 0:
		d = costModifyCall + times(w.modified, costModify)
	}
	if w.deleted > 0 {
		d += costDeleteCall + times(persons, costDeleteCallOf) + times(w.deleted, costDelete+times(persons, costDeleteOf))
	}
	if w.minted > 0 {
		d += costIntent
	}
	if d == 0 {
		d = costAnyWrite
	}
	return d
}

// pay takes the time that the call costs, once. The directory is not held meanwhile, so that others can read; a write
// still holds the one writer. Its effect is seen a little early for that: when the time begins, not when it ends.
func (q *request) pay() {
	if q.s.o.Cost == "" || q.work.paid {
		return
	}
	q.work.paid = true
	q.store.mu.RLock()
	persons := q.store.persons
	q.store.mu.RUnlock()
	q.s.o.Sleep(q.work.cost(q.route.writes, q.route.path[0] != "scim", persons))
}
