package planfile

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
)

// skippedLen is the length of a skipped user's row: its id, and the place of its sort.
const skippedLen = idLen + 2

// mostSorts is how many sorts a row can tell apart.
const mostSorts = 1 << 16

// skippedHead is the line in front of the skipped users. They stand in the order of tenant id, user id, so that a tenant
// costs none of them a byte.
type skippedHead struct {
	Sorts   []skipSort      `json:"sorts"` // in the order in which they were met
	Tenants []skippedTenant `json:"tenants"`
}

// skipSort is what many skipped users have in common.
type skipSort struct {
	Wave   string          `json:"wave"`
	Reason plan.SkipReason `json:"reason"`
}

type skippedTenant struct {
	plan.Tenant
	Users int64 `json:"users"` // that come next
}

// add counts a user and returns the place of its sort.
func (h *skippedHead) add(u plan.SkippedUser) uint16 {
	if n := len(h.Tenants); n == 0 || h.Tenants[n-1].Tenant != u.Tenant {
		h.Tenants = append(h.Tenants, skippedTenant{Tenant: u.Tenant})
	}
	h.Tenants[len(h.Tenants)-1].Users++
	sort := skipSort{u.Wave, u.Reason}
	i := slices.Index(h.Sorts, sort)
	if i < 0 {
		i = len(h.Sorts)
		h.Sorts = append(h.Sorts, sort)
	}
	return uint16(i)
}

// skippedRows are the skipped users of a file.
type skippedRows struct {
	part // of the rows
	head skippedHead
}

// takeSkipped reads the line in front of the skipped users, and checks that each row is of a sort and a tenant in it.
func (f *File) takeSkipped(p part) error {
	in := bufio.NewReaderSize(io.NewSectionReader(f.f, p.at, p.n), 1<<16)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return errDamaged
	}
	s := skippedRows{part: part{at: p.at + int64(len(line)), n: p.n - int64(len(line))}}
	if err := json.Unmarshal(line, &s.head); err != nil {
		return err
	}
	left := s.n / skippedLen
	for _, t := range s.head.Tenants {
		if t.Users <= 0 || t.Users > left {
			return errDamaged
		}
		left -= t.Users
	}
	if left != 0 || s.n%skippedLen != 0 || len(s.head.Sorts) > mostSorts {
		return errDamaged
	}
	f.skipped = s
	for _, err := range f.Skipped() {
		if err != nil {
			return err
		}
	}
	return nil
}

// SkippedTenants are the tenants of the users who are not moved.
func (f *File) SkippedTenants() (list []plan.Tenant) {
	for _, t := range f.skipped.head.Tenants {
		list = append(list, t.Tenant)
	}
	return list
}

// Skipped streams the users who are not moved, in the order of tenant id, user id.
func (f *File) Skipped() iter.Seq2[plan.SkippedUser, error] {
	return func(yield func(plan.SkippedUser, error) bool) {
		s := f.skipped
		in := bufio.NewReaderSize(io.NewSectionReader(f.f, s.at, s.n), 1<<16)
		var row [skippedLen]byte
		for _, t := range s.head.Tenants {
			for range t.Users {
				_, err := io.ReadFull(in, row[:])
				sort := int(binary.BigEndian.Uint16(row[idLen:]))
				if err == nil && sort >= len(s.head.Sorts) {
					err = errDamaged
				}
				if err != nil {
					if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
						err = errCut
					}
					yield(plan.SkippedUser{}, fmt.Errorf("read plan: %w", err))
					return
				}
				u := plan.SkippedUser{
					User: uuid.UUID(row[:idLen]), Tenant: t.Tenant, Wave: s.head.Sorts[sort].Wave,
					Reason: s.head.Sorts[sort].Reason,
				}
				if !yield(u, nil) {
					return
				}
			}
		}
	}
}
