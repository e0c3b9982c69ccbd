package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// TestImportLinks: persons that somebody has made by hand, whatever addresses they have, are taken over by an ordinary plan that
// does not need the file any more; a plan after it has nothing to do, and a rollback takes only our traces.
func TestImportLinks(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 6}, start(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			var lines []string
			persons := map[string]uuid.UUID{}
			for i, row := range w.active(3) {
				mail := row[1]
				if i == 0 {
					mail = "somebody.else@hand.example"
				}
				one := providers.NewPerson{ID: uuid.New(), Name: "hand-" + row[0][24:], Display: "Hand", Mail: mail}
				must(t, w.api.Accounts().Create(t.Context(), []providers.NewPerson{one}))
				lines, persons[row[0]] = append(lines, row[0]+",x,"+one.ID.String()), one.ID
			}
			file := filepath.Join(w.dir, "links.csv")
			write := func(lines ...string) {
				t.Helper()
				must(t, os.WriteFile(file, []byte("user_id,note,person_id\n"+strings.Join(lines, "\n")+"\n"), 0o600))
			}
			// All lines that are wrong, and nothing is planned.
			write(append(lines, uuid.NewString()+",,"+uuid.NewString(), lines[0][:36]+",,"+uuid.NewString())...)
			_, errs := w.run(exitError, "import", "links", "links.csv", "-out", "p")
			wants(t, errs, "2 lines of links.csv cannot be used. Nothing was planned.", "line 2 user", "line 6 user", "stands in another line too")
			write(append(lines, uuid.NewString()+",,"+uuid.NewString())...)
			_, errs = w.run(exitError, "import", "links", "links.csv", "-out", "p")
			wants(t, errs, "1 line of links.csv cannot be used", "line 5 user", "users has no such row")
			if _, err := os.Stat(filepath.Join(w.dir, "p")); err == nil {
				t.Error("something was planned")
			}

			write(append(lines, w.active(4)[3][0]+",,")...)
			out, errs := w.run(exitBlocked, "import", "links", "links.csv", "-out", "p")
			wants(t, errs, "Left out: 1 line of links.csv without a person_id")
			wants(t, out, "ADOPTS_PERSON", "by 3 named links this plan moves their users", "1 named person has another address than its row")
			w.run(exitDone, "import", "links", "links.csv", "-allow", "ADOPTS_PERSON=3", "-out", "p")
			must(t, os.Remove(file))
			w.run(exitDone, "apply", "p")
			for user, person := range persons {
				if n := w.number("select count(*) from users where user_id = $1 and {idp}_user_id = $2 and auth_method = 'dual'", user, person); n != 1 {
					t.Errorf("user %s is not linked to the person that was made for it", user)
				}
			}
			made := len(w.directory().persons)
			w.run(exitDone, "plan", "-detailed-exitcode")
			out, _ = w.run(exitDone, "explain", w.active(0)[0][0])
			wants(t, out, "take over a person who is there", "login name hand-")

			w.allowing("rollback", "-auto-approve")
			after := w.directory()
			for user, person := range persons {
				p, there := after.persons[person]
				if !there || p.Expired || w.number("select count(*) from users where user_id = $1 and {idp}_user_id is null and auth_method = 'password'", user) != 1 {
					t.Errorf("user %s: person there %v, expired %v", user, there, p.Expired)
				}
				for _, g := range after.groups {
					for _, m := range g.Members {
						if m == person && !g.Builtin {
							t.Errorf("user %s stays in %s", user, g.Name)
						}
					}
				}
			}
			if len(after.persons) != made {
				t.Errorf("%d persons, %d before the rollback", len(after.persons), made)
			}
			w.allowing("rollback", "-schema", "-run", w.runs()[0], "-auto-approve")
			if w.fingerprint() != before {
				t.Error("the rows are not as they were")
			}
		})
	}
}

// TestNamedIsLinkedMeanwhile: a person who was named, and is linked to another row when the plan is carried out, is taken over for
// nobody; one who has expired meanwhile neither. The others are.
func TestNamedIsLinkedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 6}, emulator(t))
	w.config(everyone + waveEveryone)
	var persons [3]uuid.UUID
	text := "user_id,person_id\n"
	users := w.active(4)
	for i := range persons {
		persons[i] = uuid.New()
		must(t, w.api.Accounts().Create(t.Context(), newPerson(persons[i], "hand-"+users[i][0][24:], users[i][1])))
		text += users[i][0] + "," + persons[i].String() + "\n"
	}
	must(t, os.WriteFile(filepath.Join(w.dir, "links.csv"), []byte(text), 0o600))
	w.run(exitDone, "import", "links", "links.csv", "-allow", "ADOPTS_PERSON=3", "-out", "p")
	w.exec("update users set {idp}_user_id = $1 where user_id = $2", persons[0], users[3][0])
	must(t, w.api.Accounts().Expire(t.Context(), persons[1:2]))
	w.run(exitRemainder, "apply", "p")
	for i, want := range []int{0, 0, 1} {
		if n := w.number("select count(*) from users where user_id = $1 and {idp}_user_id is not null", users[i][0]); n != want {
			t.Errorf("user %d: %d linked rows, want %d", i, n, want)
		}
	}
}

// active are ids and addresses of users who are, or were, to be moved: the first n, or with 0 all.
func (w *world) active(n int) (list [][2]string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), "select user_id::text, email from users u join tenants t using (tenant_id) where u.deleted_at is null "+
		"and t.deleted_at is null and u.status = 'active' and t.status = 'active' and email <> 'system@anthill.local' order by tenant_id, user_id")
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var one [2]string
		must(w.t, rows.Scan(&one[0], &one[1]))
		list = append(list, one)
	}
	must(w.t, rows.Err())
	if n > 0 {
		list = list[:n]
	}
	return list
}
