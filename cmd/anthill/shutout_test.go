package main

import "testing"

// expireAsAdmin expires a person as an administrator does, at a time of the past that Anthill never writes.
func (s someone) expireAsAdmin() {
	s.t.Helper()
	b := s.browse()
	b.ok(b.do("PUT", "/v1/person/"+s.person.String()+"/_attr/account_expire", b.token, []string{"2020-01-01T00:00:00Z"}), nil)
}

// TestShutOutMeanwhile: whom an administrator has shut out since we put it to sleep is let in by no rollback, nor by the rollback of one.
func TestShutOutMeanwhile(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"asleep, shut out, active, taken back":                                     {"suspended", "shut", "active", "woke asleep"},
		"asleep, awake, shut out, both taken back":                                 {"suspended", "active", "apply", "shut", "woke asleep"},
		"taken back, shut out, that undone":                                        {"back", "shut", "undo"},
		"asleep, awake, asleep, taken back, shut out, taken back, that taken back": {"suspended", "active", "apply", "suspended", "back", "shut", "back", "active", "undo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s := w.someone("user", "acme")
			first := ""
			for _, step := range steps {
				switch step {
				case "suspended":
					s.set("status", step)
					w.run(exitDone, "apply", "-auto-approve")
					if first == "" {
						first = w.latest()
					}
				case "active":
					s.set("status", step)
				case "apply":
					w.run(exitDone, "apply", "-auto-approve")
				case "shut":
					s.expireAsAdmin()
				case "back":
					w.run(exitDone, "rollback", "-auto-approve")
				case "woke asleep":
					w.run(exitDone, "rollback", "-auto-approve", "-run", first)
				case "undo":
					w.try("rollback", "-auto-approve", "-run", w.latest())
				}
			}
			if !w.directory().persons[s.person].Expired {
				t.Error("it is let in")
			}
			w.run(exitDone, "wave", "resume", "everyone")
			w.try("apply", "-auto-approve")
			if !w.directory().persons[s.person].Expired {
				t.Error("it is let in by the next apply")
			}
		})
	}
}

// TestShutOutBetween (L27): whom an administrator shuts out between plan and apply is not let in by that.
func TestShutOutBetween(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	s.set("status", "suspended")
	w.run(exitDone, "apply", "-auto-approve")
	s.set("status", "active")
	w.run(exitDone, "plan", "-out", "p")
	s.expireAsAdmin()
	w.try("apply", "p")
	if !w.directory().persons[s.person].Expired {
		t.Error("it is let in")
	}
}
