package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"anthill/internal/survey"
)

// announcing are the announcements of waves that a status has, and the dates to come, by its JSON.
func (w *world) announcing() (of map[string]survey.Announced, events []survey.Event) {
	w.t.Helper()
	out, _ := w.run(exitDone, "status", "-json")
	var s struct {
		Waves []struct {
			Name         string
			Announcement *survey.Announced
		}
		Events []survey.Event
	}
	must(w.t, json.Unmarshal([]byte(out), &s))
	of = map[string]survey.Announced{}
	for _, one := range s.Waves {
		if one.Announcement != nil {
			of[one.Name] = *one.Announcement
		}
	}
	return of, s.Events
}

// TestStatusAnnounced: a status says of a wave how many are to be told of it, from when on, and how many were, in text, as JSON and as a
// page: as many as a plan writes to. Whoever is told under one step is told of the wave.
func TestStatusAnnounced(t *testing.T) {
	t.Parallel()
	for to, who := range map[string]string{"users": "true", "tenant_admins": "role in ('admin', 'super_admin', 'owner')"} {
		for _, steps := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, steps %t", to, steps), func(t *testing.T) {
				t.Parallel()
				w, now := announcedWorld(t, to)
				waves := []string{"everyone"}
				if steps {
					waves = []string{"everyone[50]", "everyone[100]"}
					w.config(everyone + strings.Replace(announced(to), "  start {", "  steps = [50, 100]\n  start {", 1))
				}
				w.run(exitDone, "apply", "-auto-approve")
				want := int64(w.number("select count(*) from users where status = 'active' and deleted_at is null and email <> 'system@anthill.local' and " +
					"tenant_id in (select tenant_id from tenants where status = 'active' and deleted_at is null) and " + who))
				sum := func() (all survey.Announced) {
					t.Helper()
					of, _ := w.announcing()
					for _, name := range waves {
						a := of[name]
						all.To, all.Told, all.Refused, all.ToTell = a.To, all.Told+a.Told, all.Refused+a.Refused, all.ToTell+a.ToTell
						all.Due, all.Late = all.Due || a.Due, all.Late || a.Late
						if all.Next.IsZero() {
							all.Next = a.Next
						}
					}
					return all
				}
				looks := func(when string, want survey.Announced) {
					t.Helper()
					want.To = to
					if got := sum(); got != want {
						t.Errorf("%s: %+v, want %+v", when, got, want)
					}
				}
				looks("a week before", survey.Announced{ToTell: want, Next: time.Date(2031, 3, 7, 9, 0, 0, 0, time.UTC)})
				out, _ := w.run(exitDone, "status")
				said := strings.Join(strings.Fields(out), " ")
				wants(t, said, "to be told from 2031-03-07 09:00", "Next event: 2031-03-07 09:00", "is announced from then on")
				page, _ := w.run(exitDone, "status", "-html")
				wants(t, page, "to be told from 2031-03-07 09:00")

				now.set("2031-03-08 12:00")
				looks("when it is due", survey.Announced{ToTell: want, Due: true})
				out, _ = w.run(exitDone, "status")
				wants(t, strings.Join(strings.Fields(out), " "), "to be told by the next apply")
				out, _ = w.run(exitDone, "plan")
				planned := int64(0)
				for _, m := range regexp.MustCompile(`(\d+) announcements?;`).FindAllStringSubmatch(out, -1) {
					n, err := strconv.ParseInt(m[1], 10, 64)
					must(t, err)
					planned += n
				}
				if planned != want {
					t.Errorf("a plan has %d announcements, want %d:\n%s", planned, want, out)
				}
				w.run(exitDone, "apply", "-auto-approve")
				looks("once told", survey.Announced{Told: want})
				w.exec("update anthill_state.mails set status = 'refused' where id = (select id from anthill_state.mails where letter = 'announcement' order by id limit 1)")
				looks("one came back", survey.Announced{Told: want - 1, Refused: 1})
				out, _ = w.run(exitDone, "status")
				wants(t, strings.Join(strings.Fields(out), " "), "announced to", "of which 1 mail was refused")

				// Who comes later is told as well, and nobody once the wave may start.
				w.exec("delete from anthill_state.mails where letter = 'announcement' and status <> 'refused'")
				looks("nobody is told", survey.Announced{Refused: 1, ToTell: want - 1, Due: true})
				now.set("2031-03-10 12:00")
				if got := sum(); !got.Late || got.ToTell == 0 {
					t.Errorf("once it may start: %+v", got)
				}
				out, _ = w.run(exitDone, "status")
				wants(t, strings.Join(strings.Fields(out), " "), "not told, and the wave may start (told first by anthill invite -wave ")
			})
		}
	}
}

// TestStatusAnnouncedEdited: who was told of a wave was so whatever steps it has by now.
func TestStatusAnnouncedEdited(t *testing.T) {
	t.Parallel()
	w, now := announcedWorld(t, "users")
	stepped := func(steps string) {
		w.config(everyone + strings.Replace(announced("users"), "  start {", steps+"  start {", 1))
	}
	now.set("2031-03-08 12:00")
	w.run(exitDone, "apply", "-auto-approve")
	want := int64(w.number("select count(*) from anthill_state.mails where letter = 'announcement' and status = 'taken'"))
	if want < 10 {
		t.Fatalf("%d were told", want)
	}
	for _, steps := range []string{"", "  steps = [50, 100]\n", "  steps = [25, 60, 100]\n", ""} {
		stepped(steps)
		told, left := int64(0), int64(0)
		of, _ := w.announcing()
		for _, a := range of {
			told, left = told+a.Told, left+a.ToTell
		}
		if told != want || left != 0 {
			t.Errorf("with %q %d are told and %d are to be, of %d", steps, told, left, want)
		}
	}
}
