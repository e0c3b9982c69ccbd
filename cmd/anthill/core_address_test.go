package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// swap has two users exchange their addresses, as far as no row is locked.
func (r *realm) swap(a, b uuid.UUID) {
	rows := r.rowsNow()
	if a == b || rows[a].user == uuid.Nil || rows[b].user == uuid.Nil {
		return
	}
	r.change("update users set email = 'swap.' || email where user_id = $1", a)
	r.change("update users set email = $2 where user_id = $1", b, rows[a].mail)
	r.change("update users set email = $2 where user_id = $1", a, rows[b].mail)
}

// resign soft-deletes a user, and has the same human sign up again, in a tenant.
func (r *realm) resign(user uuid.UUID, slug string) {
	again := uuid.New()
	r.change("update users set deleted_at = coalesce(deleted_at, now()) where user_id = $1", user)
	n := r.change(`insert into users(user_id, tenant_id, email, password_hash, full_name, role, email_verified)
		select $2, (select tenant_id from tenants where slug = $3), email, coalesce(password_hash, 'x'), full_name, 'user', true from users where user_id = $1`, user, again, slug)
	if n == 0 {
		return
	}
	if r.users = append(r.users, again); r.lineage != uuid.Nil {
		r.knowPersons(again)
	}
}

// others are the users, but one, whose rows hold an address.
func (s sight) others(user uuid.UUID, mail string) (list []uuid.UUID) {
	for id, row := range s.rows {
		if id != user && row.holds && strings.EqualFold(row.mail, mail) {
			list = append(list, id)
		}
	}
	return list
}

func (row rowNow) has(mail string) bool { return row.holds && strings.EqualFold(row.mail, mail) }

// gainsAddress looks for an address that a command gave to a person, and that is the row's of another user and not of its own.
func (r *realm) gainsAddress(before, after sight, person uuid.UUID) (bad []string) {
	user := r.person[person]
	for _, m := range after.persons[person].Mails {
		had := slices.Contains(before.persons[person].Mails, m)
		theirs := len(before.others(user, m)) > 0 && len(after.others(user, m)) > 0
		if !had && theirs && !before.rows[user].has(m) && !after.rows[user].has(m) {
			bad = append(bad, fmt.Sprintf("gain: %s gets the address of another user (%s)", r.who(person), r.rowOf(after, person)))
		}
	}
	return bad
}

// addresses holds the addresses of persons of ours against the rows, at rest.
func (r *realm) addresses(s sight, plan said) (bad []string) {
	held := map[string]int{} // persons
	for _, p := range s.persons {
		for _, m := range p.Mails {
			held[strings.ToLower(m)]++
		}
	}
	for _, id := range r.ours(s) {
		if id == r.found {
			continue
		}
		user, own := r.person[id], 0
		for _, row := range s.rows {
			if row.link == id && row.user != user {
				own++ // it says where the person belongs
			}
		}
		for _, m := range s.persons[id].Mails {
			theirs := slices.DeleteFunc(s.others(user, m), func(u uuid.UUID) bool {
				link := s.rows[u].link // a person who is not ours, or another user's, keeps what it has
				return link != uuid.Nil && (link == r.found || r.person[link] != u)
			})
			if len(theirs) > 0 && own == 0 && !s.rows[user].has(m) {
				bad = append(bad, fmt.Sprintf("rest: %s has the address of another user (%s)", r.who(id), r.rowOf(s, id)))
			}
		}
		row := s.owner[id]
		due := row.user == user && row.active && row.live && r.recorded(user) && len(s.others(user, row.mail)) == 0 && held[strings.ToLower(row.mail)] == 0
		if due && !s.persons[id].Expired && plan.excuse("missing", row, r) == "" {
			bad = append(bad, fmt.Sprintf("rest: %s has not the address of its row, which nobody has (%s)", r.who(id), r.rowOf(s, id)))
		}
	}
	return bad
}

// thorough reports whether a run has time for all cases, as make test-long has: by how many random sequences it tries.
func thorough() bool { return *sequences >= 100 }

// TestAddressStories: addresses that change hands, with the run cut before and after each of its writes to Self-auth.
func TestAddressStories(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"two exchange theirs":          "swap 0 1",
		"three in a ring":              "swap 0 1; swap 1 2",
		"one takes what another gives": "swap 0 1; mail 0 3",
		"signed up again":              "resign 0 0; resign 1 1",
		"exchanged, and one is away":   "swap 0 1; status 0 suspended",
		"gone, and signed up again":    "resign 0 1; gone 0",
	} {
		for n := range 6 {
			if !thorough() && (n%2 == 0) == (n/2 == 1) {
				continue // each way on and each side of the cut is there; make test-long has all of them
			}
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				t.Parallel()
				side, then := []string{"before", "after"}[n%2], []string{"apply", "rollback", "close"}[n/2]
				tell(t, parseStory(fmt.Sprintf("world 6 5; apply; %s; apply | cut write %d %s; %s", change, n+1, side, then)))
			})
		}
	}
}
