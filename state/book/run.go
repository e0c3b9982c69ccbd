package book

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"anthill/state"
)

// RunDay is the part of the ids of runs that all runs of a day in UTC share: "2026-12-07-".
func RunDay(started time.Time) string { return started.UTC().Format(time.DateOnly) + "-" }

// NextRunID is the id of a run that starts now: its day and the next number of it, from 1. ids are those of the runs of
// that day, in any order; those of other days do not count.
func NextRunID(started time.Time, ids []string) string {
	day, last := RunDay(started), 0
	for _, id := range ids {
		if number, ok := strings.CutPrefix(id, day); ok {
			n, _ := strconv.Atoi(number)
			last = max(last, n)
		}
	}
	return day + strconv.Itoa(last+1)
}

// Changed says whether a run of these counts changed at least one user or object: RunInfo.Changed.
func Changed(c state.Counts) bool { return c.Done > 0 || c.Objects > 0 || c.Schema > 0 }

// RunDigest is what chains a closed run: a SHA-256 over its head, its plan's ID and seal, how it ended, and the digest
// of the run before. What is only known later (Undone) is not in it, nor what follows from the rest (Open, Changed).
// It is the same for a run that is read back.
func RunDigest(r state.RunInfo) (state.Hash, error) {
	b, err := json.Marshal(struct {
		Previous   state.Hash       `json:"previous"`
		Plan       state.Hash       `json:"plan"`
		Seal       state.Hash       `json:"seal"`
		ID         string           `json:"id"`
		Kind       state.RunKind    `json:"kind"`
		Who        string           `json:"who"`
		ApprovedBy string           `json:"approved_by"`
		Started    time.Time        `json:"started"`
		Ended      time.Time        `json:"ended"`
		Outcome    state.RunOutcome `json:"outcome"`
		Counts     state.Counts     `json:"counts"`
		Undoes     []string         `json:"undoes"`
	}{
		Previous:   r.Previous,
		Plan:       r.Plan,
		Seal:       r.Seal,
		ID:         r.ID,
		Kind:       r.Kind,
		Who:        r.Who,
		ApprovedBy: r.ApprovedBy,
		Started:    r.Started.UTC(),
		Ended:      r.Ended.UTC(),
		Outcome:    r.Outcome,
		Counts:     r.Counts,
		Undoes:     r.Undoes,
	})
	if err != nil {
		return state.Hash{}, fmt.Errorf("digest of run %s: %w", r.ID, err)
	}
	return sha256.Sum256(b), nil
}
