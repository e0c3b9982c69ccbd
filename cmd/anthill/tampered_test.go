package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
)

// rewrite changes a section of a plan file that is an object in JSON, with sums that fit.
func rewrite(t *testing.T, path string, kind byte, edit func(map[string]any)) {
	t.Helper()
	rewriteAny(t, path, kind, func(v any) any {
		m := v.(map[string]any)
		edit(m)
		return m
	})
}

// rewriteAny changes each section of a kind that is JSON, with sums and a plan ID that fit.
func rewriteAny(t *testing.T, path string, kind byte, edit func(any) any) {
	t.Helper()
	rewriteSections(t, path, kind, func(body []byte) []byte {
		var v any
		if err := json.Unmarshal(inflated(t, body), &v); err != nil {
			t.Fatal(err)
		}
		return deflated(t, edit(v))
	})
}

// rewriteSections changes each section of a kind, with sums and a plan ID that fit (docs/plan-file.md).
func rewriteSections(t *testing.T, path string, kind byte, edit func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	magic := bytes.IndexByte(b, '\n') + 1
	out := append([]byte{}, b[:magic]...)
	sums := []byte("anthill plan 2\n")
	found := false
	for at := magic; at < len(b); {
		n := int(binary.BigEndian.Uint64(b[at+1 : at+9]))
		is, body := b[at], b[at+9:at+9+n]
		at += 9 + n + sha256.Size
		if is == kind {
			found = true
			body = edit(body)
		}
		if is == 'T' {
			id := sha256.Sum256(sums)
			body = id[:]
		}
		head := binary.BigEndian.AppendUint64([]byte{is}, uint64(len(body)))
		sum := sha256.Sum256(append(append([]byte{}, head...), body...))
		out = append(append(append(out, head...), body...), sum[:]...)
		switch is {
		case 'E', 'O', 'S':
			held := sha256.Sum256(inflated(t, body))
			sums = append(append(sums, is), held[:]...)
		case 'U':
			sums = append(append(sums, is), sum[:]...)
		}
	}
	if !found {
		t.Fatalf("there is no section %c", kind)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

func inflated(t *testing.T, b []byte) []byte {
	t.Helper()
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func deflated(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		err = json.NewEncoder(z).Encode(v)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// forged is what somebody might make of the context: every count another, every moment another, every reason gone.
func forged(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, one := range v {
			v[k] = forged(one)
		}
	case []any:
		if len(v) > 0 {
			if _, object := v[0].(map[string]any); object && v[0].(map[string]any)["code"] != nil {
				return []any{}
			}
		}
		for i, one := range v {
			v[i] = forged(one)
		}
	case float64:
		return v + 7
	case string:
		if strings.HasSuffix(v, "Z") {
			return "2001-01-01T00:00:00Z"
		}
	}
	return v
}

// TestCoreTampered: apply does nothing that the plan ID does not cover, and show prints no figure about effects that the
// effects do not give, whatever is written into the rest of the file; the seal tells that something was.
func TestCoreTampered(t *testing.T) {
	t.Parallel()
	t.Run("a plan for the future", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
		w.config(everyone + "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n" +
			"  start { at = \"2099-01-01T00:00:00Z\" }\n}\n")
		w.run(exitDone, "plan", "-as-of", "2099-01-02T00:00:00Z", "-out", "p")
		id := w.planID(w.dir, "p")
		w.run(exitStale, "apply", "-plan-id", id, "p")
		file := filepath.Join(w.dir, "p")
		rewrite(t, file, 'C', func(m map[string]any) { forged(m) })
		rewrite(t, file, 'B', func(m map[string]any) { forged(m) })
		out, _ := w.run(exitStale, "apply", "-plan-id", id, "p")
		if n := w.number("select count(*) from users where {idp}_user_id is not null"); n > 0 {
			t.Errorf("%d users were moved 70 years early, with the plan ID that was approved:\n%s", n, out)
		}
		// The screen says it as well, by the effects alone.
		shown, _ := w.run(exitDone, "show", "p")
		wants(t, shown, "2099-01-02 00:00", "apply refuses this plan until then")
	})
	t.Run("a stale rollback", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		w.run(exitDone, "rollback", "-out", "back")
		id := w.planID(w.dir, "back")
		s := w.someone("user", "acme")
		s.set("role", "admin")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitStale, "apply", "-plan-id", id, "back")
		runs := w.runs()
		rewrite(t, filepath.Join(w.dir, "back"), 'B', func(m map[string]any) {
			m["last"] = map[string]any{"run": runs[len(runs)-1]}
		})
		w.run(exitStale, "apply", "-plan-id", id, "back")
	})
	t.Run("a rewritten context", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, emulator(t))
		client := fmt.Sprintf(oneClient, "confidential")
		policy := "account_policy \"admins\" {\n  groups = group.admins\n  session_expiry = \"8h\"\n}\n"
		tenant := "tenant \"new\" {\n  slug = \"new\"\n  name = \"New Inc\"\n}\n"
		// One wave starts, and another is held.
		waves := "wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\", \"globex\"] }\n  finish { soak = \"14d\" }\n}\n" +
			"wave \"rest\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n" +
			"  start { after = [wave.pilot] }\n}\n"
		w.config(everyone + client + policy + tenant + waves)
		w.tampers("first", "plan", "pilot moves ", "+ group.", "mapped as admin", "redirect urls:",
			"scope maps:", "session expiry:", "create a person", "users change")
		w.run(exitDone, "apply", "-auto-approve")

		w.someone("user", "acme").set("role", "admin")
		w.someone("admin", "globex").set("status", "suspended")
		client = strings.NewReplacer("com/cb\"", "com/cb\", \"https://app.example.com/other\"", `["openid"]`, `["openid", "email"]`, `"App"`, `"The App"`).Replace(client)
		w.config(strings.Replace(everyone, "${each.key} Users", "Users of ${each.key}", 1) + client +
			strings.Replace(policy, "8h", "9h", 1) + strings.Replace(tenant, "New Inc", "Newer Inc", 1) + waves)
		w.tampers("second", "plan", "->", "redirect urls:", "expire the person", "loses the Self-auth login")
		w.run(exitDone, "apply", "-auto-approve")
		w.tampers("back", "rollback", "This plan undoes", "->", "redirect urls:")

		w.config(everyone + waves)
		w.tampers("third", "plan", "client app is deleted", "policy off", "no longer declared")
		w.run(exitDone, append([]string{"plan", "-out", "third"}, w.allowed()...)...)
		w.run(exitDone, "apply", "third")
		w.tampers("again", "rollback", "client app, made again", "policy with its values")
		w.run(exitDone, "rollback", "-auto-approve")
		w.run(exitDone, "rollback", "-auto-approve")
		w.tampers("all", "rollback", "- group.", "and its mapping row", "tenant new", "client app", "persons expire",
			"memberships are removed", "stays paused until")
	})
}

// tampers saves a plan that the command makes, and demands that with another context its screen says the same of the
// effects: with all figures others and all findings gone, and with findings added to what is said of objects. wants are
// parts of what it says, so that the test looks at what there is.
func (w *world) tampers(name, command string, wants ...string) {
	w.t.Helper()
	if status, out, errs := w.try(command, "-out", name); status != exitDone && status != exitBlocked {
		w.t.Fatalf("%s: exit status %d\n%s%s", name, status, out, errs)
	}
	file := filepath.Join(w.dir, name)
	whole, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.planID(w.dir, name)
	before := w.wide("show", name)
	told := effectsOn(before)
	for _, want := range wants {
		if !strings.Contains(strings.Join(told, "\n"), want) {
			w.t.Errorf("%s: %q is not among the effects\n%s\nof\n%s", name, want, strings.Join(told, "\n"), before)
		}
	}
	var addresses []string
	rewriteAny(w.t, file, 'O', func(v any) any {
		for _, o := range v.([]any) {
			addresses = append(addresses, o.(map[string]any)["address"].(string))
		}
		return v
	})
	for how, edit := range map[string]func(map[string]any){
		"other figures":  func(m map[string]any) { forged(m) },
		"added findings": func(m map[string]any) { addFindings(m, addresses) },
	} {
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			w.t.Fatal(err)
		}
		rewrite(w.t, file, 'C', edit)
		after := w.wide("show", name)
		if w.planID(w.dir, name) != id {
			w.t.Errorf("%s, %s: the context is under the plan ID", name, how)
		}
		if lost := missing(told, effectsOn(after)); len(lost) > 0 {
			w.t.Errorf("%s, %s: the screen no longer says\n%s\nbut\n%s", name, how, strings.Join(lost, "\n"), after)
		}
		sealed, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(sealed))
		if seal := lineOf(after, "Seal"); seal == lineOf(before, "Seal") || !strings.Contains(seal, sum) {
			w.t.Errorf("%s, %s: the seal is %q", name, how, seal)
		}
	}
}

// allowed are the flags that allow the hazards of a plan made now.
func (w *world) allowed() (flags []string) {
	w.t.Helper()
	_, out, _ := w.try("plan")
	for _, m := range regexp.MustCompile(`(?m)^ +-allow (\S+)$`).FindAllStringSubmatch(out, -1) {
		if !slices.Contains(flags, m[1]) {
			flags = append(flags, "-allow", m[1])
		}
	}
	return flags
}

// addFindings adds to what is said of each object.
func addFindings(context map[string]any, addresses []string) {
	objects := context["objects"].(map[string]any)
	said := map[string]any{}
	for _, a := range addresses {
		said[a] = []any{
			map[string]any{"code": "made_again"}, map[string]any{"code": "members_lose", "count": 3.0},
			map[string]any{"code": "was_gone"}, map[string]any{"code": "not_ours_now"}, map[string]any{"code": "zzz"},
		}
	}
	objects["said"] = said
}

// missing are the lines that no line of another screen begins with, each line of that taken once: behind what is done, more
// may be said.
func missing(told, other []string) (lost []string) {
	other = slices.Clone(other)
	for _, l := range told {
		i := slices.IndexFunc(other, func(o string) bool { return o == l || strings.HasPrefix(o, l+",") })
		if i < 0 {
			lost = append(lost, l)
			continue
		}
		other = slices.Delete(other, i, i+1)
	}
	return lost
}

var (
	place       = regexp.MustCompile(`\s+\S+\.hcl:\d+`)                                 // where a block stands
	population  = regexp.MustCompile(` of [0-9,]+ live users? (changes?)( \([^)]*\))?`) // of the context
	beside      = regexp.MustCompile(`, [0-9,]+ members? loses? [^;]*`)                 // what is said of an object that goes
	moving      = regexp.MustCompile(`[0-9,]+ users? (to move|late): [^;]*`)
	objectStart = regexp.MustCompile(`^  (-\+|[-+~.]) (\S+)`)
	effectLine  = regexp.MustCompile(`^This plan undoes|^Made as of|^Nothing to do|live users? changes?|^[0-9,]+ objects?:|` +
		`schema steps?|loses? (their|the|a|it)\b|Nobody loses|Users lose|Everything can be undone|What is deleted|` +
		`(becomes?|to be) admin|moved by (an )?earlier runs?|` +
		`persons? (expires?|is|are|comes?|stays?|was|were|gets?)\b|memberships? (is|are|ends?)\b|rows? goe?s? back|Clients are deleted|` +
		`stays paused until|BLOCKED|-allow|ALLOWED`)
)

// wide is what anthill says where no line has to be broken.
func (w *world) wide(args ...string) string {
	w.t.Helper()
	var out, errs bytes.Buffer
	p := w.program(&out, &errs)
	p.width = 10000
	if status := p.run(w.t.Context(), append([]string{"anthill"}, args...)); status != exitDone {
		w.t.Fatalf("anthill %v: exit status %d\n%s%s", args, status, out.String(), errs.String())
	}
	return out.String()
}

// effectsOn are the lines of a screen that are about effects, without what the context gives to them: of the first
// screen, of waves what is moved, and of the changes each figure with its tenants, and of objects one line for each thing
// that is said.
func effectsOn(screen string) (told []string) {
	section, wave, object, texts := "", "", "", map[string]string{}
	var order []string
	for l := range strings.Lines(screen) {
		l = strings.TrimRight(place.ReplaceAllString(l, ""), " \n")
		flat := strings.Join(strings.Fields(l), " ")
		switch {
		case flat == "":
			continue
		case l == "Waves" || l == "Changes":
			section = l
			continue
		case l[0] != ' ':
			section = ""
		}
		add := func(key string) {
			if _, known := texts[key]; !known {
				order = append(order, key)
			}
			texts[key] = strings.TrimSpace(texts[key] + " " + flat)
		}
		start := objectStart.FindStringSubmatch(l)
		switch {
		case section == "Waves":
			if !strings.HasPrefix(l, "   ") {
				wave = strings.Fields(l)[1]
			}
			add("wave " + wave)
		case section == "Changes" && start != nil && start[2] == "schema":
			object = "schema"
			told = append(told, "a step of the schema") // which one, the context says
		case section == "Changes" && start == nil && object == "schema":
		case section == "Changes" && start != nil && strings.Contains(start[2], ".") && !strings.HasPrefix(start[2], "wave."):
			object = start[1] + " " + start[2]
			flat = strings.TrimSpace(strings.TrimPrefix(flat, object))
			// Once, by itself: an object of which nothing is said is listed all the same.
			told = append(told, object)
			add("object " + object)
		case section == "Changes" && start != nil:
			object = ""
			told = append(told, flat)
		case section == "Changes" && object != "" && !strings.HasPrefix(flat, "and "):
			flat = "; " + flat
			add("object " + object)
		case section == "Changes":
			told = append(told, flat)
		case effectLine.MatchString(flat):
			flat, _, _ = strings.Cut(population.ReplaceAllString(flat, " users $1"), "; ")
			told = append(told, flat)
		}
	}
	for _, key := range order {
		sort, name, _ := strings.Cut(key, " ")
		if sort == "wave" {
			for _, m := range moving.FindAllString(texts[key], -1) {
				told = append(told, name+" moves "+m)
			}
			continue
		}
		for text := range strings.SplitSeq(beside.ReplaceAllString(texts[key], ""), ";") {
			if text = strings.TrimSpace(text); text != "" {
				told = append(told, name+" "+text)
			}
		}
	}
	return told
}

func lineOf(screen, word string) string {
	for l := range strings.Lines(screen) {
		if strings.HasPrefix(l, word) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

// TestTamperedEffects: effects that cannot belong together are refused as damaged by show and by apply, whatever plan ID
// is written for them, and nothing is done. So is a finding whose code is a sentence.
func TestTamperedEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 60, Seed: 4}, emulator(t))
	client := fmt.Sprintf(oneClient, "confidential")
	pilot := "wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n}\n"
	w.config(everyone + pilot)
	w.run(exitDone, "apply", "-auto-approve")
	w.someone("user", "acme").set("role", "admin")
	w.run(exitDone, "rollback", "-out", "back")
	// Three segments: who was moved and follows, and two waves, of which one is late.
	w.config(everyone + client + pilot +
		"wave \"globex\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"globex\"] }\n}\n" +
		"wave \"rest\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n  start { after = [wave.pilot, wave.globex] }\n}\n")
	w.run(exitDone, "plan", "-out", "p")
	runs, print, held := w.runs(), w.fingerprint(), w.directory()

	effects := func(edit func(m map[string]any)) func(*testing.T, string) {
		return func(t *testing.T, file string) { t.Helper(); rewrite(t, file, 'E', edit) }
	}
	segments := func(edit func(list []map[string]any)) func(*testing.T, string) {
		return effects(func(m map[string]any) {
			var list []map[string]any
			for _, s := range m["segments"].([]any) {
				list = append(list, s.(map[string]any))
			}
			edit(list)
		})
	}
	moves := func(list []map[string]any) (of []map[string]any) {
		for _, s := range list {
			if s["kind"] == "move" {
				of = append(of, s)
			}
		}
		if len(of) < 2 {
			t.Errorf("there are %d segments of waves", len(of))
		}
		return of
	}
	objects := func(edit func(list []any) []any) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			t.Helper()
			rewriteAny(t, file, 'O', func(v any) any { return edit(v.([]any)) })
		}
	}
	first := func(key string, to any) func(*testing.T, string) {
		return objects(func(list []any) []any { list[0].(map[string]any)[key] = to; return list })
	}
	act := func(act string) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			t.Helper()
			rewriteAny(t, file, 'S', func(v any) any {
				for _, form := range v.(map[string]any)["forms"].([]any) {
					if effect := form.(map[string]any)["effect"].(map[string]any); effect["act"] == "create" {
						effect["act"] = act
					}
				}
				return v
			})
		}
	}
	context := func(edit func(m map[string]any)) func(*testing.T, string) {
		return func(t *testing.T, file string) { t.Helper(); rewrite(t, file, 'C', edit) }
	}
	lie := map[string]any{"code": "Nobody is touched by this."}
	cases := []struct {
		name, plan string
		edit       func(*testing.T, string)
		shows      bool // or says a loss in the headline
	}{
		{"a kind of plan", "p", effects(func(m map[string]any) { m["kind"] = "zzz" }), false},
		{"no kind of plan", "p", effects(func(m map[string]any) { m["kind"] = "" }), false},
		{"a rollback of nothing", "p", effects(func(m map[string]any) { m["kind"] = "rollback" }), false},
		{"a rollback that is an apply", "back", effects(func(m map[string]any) { m["kind"] = "apply" }), false},
		{"a rollback without runs", "back", effects(func(m map[string]any) { delete(m, "undo") }), false},
		{"a rollback after nothing", "back", effects(func(m map[string]any) { delete(m, "after") }), false},
		{"a rollback's kind of segment", "back", segments(func(l []map[string]any) { l[0]["kind"] = "follow" }), false},
		{"a kind of segment", "p", segments(func(l []map[string]any) { l[0]["kind"] = "zzz" }), false},
		{"a kind of a wave's segment", "p", segments(func(l []map[string]any) { moves(l)[0]["kind"] = "zzz" }), false},
		{"a wave that is none", "p", segments(func(l []map[string]any) { moves(l)[0]["wave"] = "zzz" }), false},
		{"waves that are none", "p", effects(func(m map[string]any) { delete(m, "waves") }), false},
		{"a wave twice", "p", segments(func(l []map[string]any) { moves(l)[1]["wave"] = moves(l)[0]["wave"] }), false},
		{"an object that is null", "p", objects(func(l []any) []any { return append(l, nil) }), false},
		{"an object in front that is null", "p", objects(func(l []any) []any { l[0] = nil; return l }), false},
		{"an object without sides", "p", objects(func(l []any) []any {
			o := l[0].(map[string]any)
			maps.DeleteFunc(o, func(k string, _ any) bool { return k == "before" || k == "after" || k == "recorded" })
			return l
		}), false},
		{"a kind of object", "p", first("kind", "zzz"), false},
		{"another kind of object", "p", first("kind", "tenant"), false},
		{"an action", "p", first("action", "zzz"), false},
		{"a step of the schema", "p", effects(func(m map[string]any) {
			m["schema"] = []string{"users.columns", "Nobody is touched."}
		}), false},
		{"a hazard", "p", effects(func(m map[string]any) {
			m["hazards"] = []any{map[string]any{"code": "NOBODY IS TOUCHED", "count": 1, "of": []any{}}}
		}), false},
		{"a hazard twice", "p", effects(func(m map[string]any) {
			one := map[string]any{"code": "OVER_LIMIT", "count": 1, "of": []any{}}
			m["hazards"] = []any{one, one}
		}), false},
		{"what is allowed", "p", effects(func(m map[string]any) {
			m["allowed"] = []any{map[string]any{"code": "NOBODY IS TOUCHED", "count": 1}}
		}), false},
		{"a run that is undone in silence", "back", effects(func(m map[string]any) {
			m["undo"].(map[string]any)["whole"] = []string{"2020-01-01-1"}
		}), false},
		{"a pause that is lifted in silence", "back", effects(func(m map[string]any) {
			m["undo"].(map[string]any)["lift"] = []string{"2020-01-01-1"}
		}), false},
		{"a set outside", "p", effects(func(m map[string]any) { m["sets"] = []any{[]int{}, []int{999}} }), false},
		{"a set below", "p", effects(func(m map[string]any) { m["sets"] = []any{[]int{}, []int{-1}} }), false},
		{"another set outside", "p", effects(func(m map[string]any) {
			m["sets"] = append(m["sets"].([]any), []int{999}) // which no user names
		}), false},
		{"a wave that is declared twice", "p", effects(func(m map[string]any) {
			m["waves"] = append(m["waves"].([]any), m["waves"].([]any)[0])
		}), false},
		{"a wave without a name", "p", effects(func(m map[string]any) {
			m["waves"] = append(m["waves"].([]any), map[string]any{"name": "", "digest": strings.Repeat("0", 32)})
		}), false},
		{"who follows, of a wave", "p", segments(func(l []map[string]any) {
			for _, s := range l {
				if s["kind"] == "follow" {
					s["wave"] = "pilot"
				}
			}
		}), false},
		{"a segment without users", "p", func(t *testing.T, file string) {
			t.Helper()
			segments(func(l []map[string]any) { l[0]["users"] = 0 })(t, file)
			first := true
			rewriteSections(t, file, 'U', func(rows []byte) []byte {
				if first {
					first = false
					return nil
				}
				return rows
			})
		}, false},
		{"who follows, in a rollback", "back", restores(func(m, s map[string]any) {
			s["kind"], s["wave"] = "follow", ""
		}, false), false},
		{"a wave, in a rollback", "back", restores(func(m, s map[string]any) {
			s["kind"], s["wave"] = "move", "pilot"
			m["waves"] = []any{map[string]any{"name": "pilot", "digest": strings.Repeat("0", 32)}}
		}, false), false},
		{"who is taken back, without a rollback", "p", restores(func(m, s map[string]any) {
			for _, one := range m["segments"].([]any) {
				one.(map[string]any)["kind"] = "restore"
			}
		}, true), false},

		{"persons expire in a wave", "p", act("expire"), true},
		{"persons are deleted in a wave", "p", act("delete"), true},

		{"a hazard's words", "p", effects(func(m map[string]any) {
			m["hazards"] = []any{map[string]any{"code": "LOCKS_OUT_USERS", "count": 1.0, "of": []any{lie}}}
		}), false},
		{"a note's words", "p", context(func(m map[string]any) { m["notes"] = []any{lie} }), false},
		{"a note's capitals", "p", context(func(m map[string]any) { m["notes"] = []any{map[string]any{"code": "NOBODY"}} }), false},
		{"words of words", "p", context(func(m map[string]any) {
			why := map[string]any{"key": "why", "findings": []any{lie}}
			m["notes"] = []any{map[string]any{"code": "waits_for", "args": []any{why}}}
		}), false},
		{"an object's words", "p", context(func(m map[string]any) {
			m["objects"].(map[string]any)["said"] = map[string]any{"oauth2_client.app": []any{lie}}
		}), false},
		{"a dormant object's words", "p", context(func(m map[string]any) {
			m["objects"].(map[string]any)["dormant"] = []any{lie}
		}), false},
		{"a wave's words", "p", context(func(m map[string]any) {
			m["waves"].([]any)[0].(map[string]any)["reasons"] = []any{lie}
		}), false},
		{"a schema step's words", "p", context(func(m map[string]any) { m["schema"] = []any{lie} }), false},
		{"isolation's words", "p", context(func(m map[string]any) {
			m["isolation"].(map[string]any)["violations"] = []any{lie}
		}), false},
		{"words of what is outside", "p", context(func(m map[string]any) { m["outside"] = []any{lie} }), false},
		{"a conflict's words", "back", context(func(m map[string]any) {
			user := "00000000-0000-0000-0000-000000000001"
			m["conflicts"] = []any{map[string]any{"user": user, "why": lie}}
		}), false},
	}
	for _, f := range forgeries() {
		c := cases[0]
		c.name, c.plan = f.name, f.plan
		c.edit = objects(func(l []any) []any { return append(l, f.object(true)) })
		cases = append(cases, c)
		// It is the one lie that is refused, and not the object as such.
		t.Run("without "+f.name, func(t *testing.T) {
			whole, err := os.ReadFile(filepath.Join(w.dir, f.plan))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.dir, "sound"), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			objects(func(l []any) []any { return append(l, f.object(false)) })(t, filepath.Join(w.dir, "sound"))
			w.run(exitDone, "show", "sound")
		})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			whole, err := os.ReadFile(filepath.Join(w.dir, c.plan))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.dir, "forged"), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			c.edit(t, filepath.Join(w.dir, "forged"))
			status, out, _ := w.try("show", "forged")
			if c.shows && status == exitDone {
				wants(t, out, "users whose row is gone, not active or not linked lose their Self-auth login")
				return
			}
			for _, args := range [][]string{{"show", "forged"}, {"show", "-json", "forged"}, {"apply", "-auto-approve", "forged"}} {
				if status, out, errs := w.try(args...); status != exitError || !strings.Contains(errs, "damaged") {
					t.Errorf("%s: exit status %d\n%s%s", strings.Join(args, " "), status, out, errs)
				}
			}
		})
	}
	if diff := cmp.Diff(runs, w.runs()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(print, w.fingerprint()); diff != "" {
		t.Errorf("the database (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(held, w.directory(), cmp.AllowUnexported(directory{})); diff != "" {
		t.Errorf("Self-auth (-want +got):\n%s", diff)
	}
}

// restores rewrites the first segment, and takes the record of the journal out of each row of users, or puts one in.
func restores(edit func(effects, segment map[string]any), with bool) func(*testing.T, string) {
	return func(t *testing.T, file string) {
		t.Helper()
		rewrite(t, file, 'E', func(m map[string]any) {
			edit(m, m["segments"].([]any)[0].(map[string]any))
		})
		rewriteSections(t, file, 'U', func(rows []byte) (out []byte) {
			for len(rows) > 0 {
				_, n := binary.Uvarint(rows[32:]) // behind the user's id and the digest of its row
				out = append(out, rows[:32+n]...)
				rows = rows[32+n:]
				if with {
					out = append(out, 1)
					continue
				}
				_, n = binary.Uvarint(rows)
				rows = rows[n:]
			}
			return out
		})
	}
}

// forgery is a change of an object that is added to a plan: made as such a change is, and the one lie in it.
type forgery struct {
	name, plan, kind, action string
	made, lie                func(o change)
}

// change is a change of an object in JSON.
type change map[string]any

func (c change) side(name string) change { return c[name].(change) }

func (c change) without(names ...string) {
	for _, n := range names {
		delete(c, n)
	}
}

// as makes it one of another kind.
func (c change) as(kind string) {
	c["kind"], c["address"] = kind, kind+".forged"
	for _, side := range []string{"before", "after"} {
		if o, there := c[side].(change); there {
			o["kind"], o["address"] = kind, kind+".forged"
		}
	}
}

func (f forgery) object(lies bool) change {
	id := "10000000-0000-0000-0000-000000000001"
	c := change{"action": f.action, "before": change{"id": id}, "after": change{"id": id}, "was": change{}, "will": change{}}
	c.as(f.kind)
	f.made(c)
	if lies {
		f.lie(c)
	}
	return c
}

// forgeries are the changes of objects that do not belong in a plan of an apply ("p") or of a rollback ("back").
func forgeries() []forgery {
	const other = "20000000-0000-0000-0000-000000000002"
	const tenant, group, policy, client = "tenant", "group", "account_policy", "oauth2_client"
	as := func(kind string) func(change) { return func(c change) { c.as(kind) } }
	set := func(to any, path ...string) func(change) {
		return func(c change) {
			for _, p := range path[:len(path)-1] {
				c = c.side(p)
			}
			c[path[len(path)-1]] = to
		}
	}
	without := func(names ...string) func(change) { return func(c change) { c.without(names...) } }
	named := func(c change) { c["will"] = change{"name": "forged"} }
	creates := func(c change) { named(c); c.without("was") }
	mapped := func(c change) {
		c["will"] = change{"name": "forged", "mapping": change{"role": "admin", "name": "forged"}}
	}
	createsGroup := func(c change) { mapped(c); c.without("was") }
	asIs := func(change) {}
	deletes := without("will", "after")
	forgets := without("after")
	wasDeleted := set(true, "before", "deleted")
	takesBack := func(c change) { c.without("will"); c.side("after")["deleted"] = true }
	return []forgery{
		{"no kind of object", "p", client, "update", asIs, func(c change) { c.as(""); c["address"] = ".forged" }},
		{"another kind of object throughout", "p", client, "update", asIs, as("zzz")},
		{"an address of another kind", "p", client, "update", asIs, set("group.forged", "address")},
		{"an address without its kind", "p", client, "update", asIs, set("forged", "address")},
		{"another kind before", "p", client, "update", asIs, set(group, "before", "kind")},
		{"another kind after", "p", client, "update", asIs, set(group, "after", "kind")},

		{"an update of nothing recorded", "p", client, "update", asIs, without("before")},
		{"an update that leaves nothing", "p", client, "update", asIs, without("after")},
		{"an update that deletes", "p", client, "update", asIs, without("will")},
		{"an update of another group", "p", group, "update", asIs, set(other, "after", "id")},
		{"an update of another tenant", "p", tenant, "update", asIs, set(other, "after", "id")},
		{"a mapping row under another name", "p", group, "update", mapped, set("other", "will", "mapping", "name")},
		{"an attribute that there is not", "p", client, "update", asIs, set("x", "will", "zzz")},
		{"an attribute that there is not, not set", "p", client, "update", asIs, set("", "will", "zzz")},
		{"an attribute of another kind", "p", client, "update", asIs, set("x", "will", "status")},
		{"an attribute of another form", "p", client, "update", asIs, set("https://x", "will", "redirect_urls")},
		{"an attribute that was of another form", "p", client, "update", asIs, set("x", "was", "scope_maps")},
		{"mapping rows that go with a client", "p", client, "update", asIs, set([]string{other}, "unmap")},

		{"a client made that was there", "p", client, "create", creates, set(change{}, "was")},
		{"a client made that goes", "p", client, "create", creates, without("will")},
		{"a client made that is not recorded", "p", client, "create", creates, without("after")},
		{"a group made under another id", "p", group, "create", createsGroup, set(other, "after", "id")},
		{"a group made without a mapping row", "p", group, "create", createsGroup, set(change{"name": "forged"}, "will")},
		{"a client that comes back", "p", tenant, "recover", named, as(client)},
		{"a policy that comes back", "p", tenant, "recover", named, as(policy)},
		{"a tenant that comes back and goes", "p", tenant, "recover", named, without("will")},
		{"a tenant that comes back as another", "p", tenant, "recover", named, set(other, "after", "id")},
		{"a group that comes back as another", "p", group, "recover", mapped, set(other, "after", "id")},
		{"what is ours, taken over", "p", client, "adopt", wasDeleted, set(false, "before", "deleted")},
		{"a client taken over that goes", "p", client, "adopt", wasDeleted, without("will")},

		{"a policy replaced", "p", client, "replace", asIs, as(policy)},
		{"nothing replaced", "p", client, "replace", named, without("before")},
		{"a client replaced by nothing", "p", client, "replace", named, without("will")},
		{"a client replaced that was there before us", "p", client, "replace", named, set(true, "before", "adopted")},

		{"a deletion that writes", "p", client, "delete", deletes, set(change{"name": "x"}, "will")},
		{"a deletion that writes nothing", "p", client, "delete", deletes, set(change{}, "will")},
		{"a deletion of what stays recorded", "p", client, "delete", takesBack, set(false, "after", "deleted")},
		{"a deletion of nothing recorded", "p", client, "delete", takesBack, without("before")},
		{"a deletion of what was there before us", "p", client, "delete", deletes, set(true, "before", "adopted")},
		{"a deletion of a tenant", "p", client, "delete", deletes, as(tenant)},
		{"a deletion of another group", "p", group, "delete", takesBack, set(other, "after", "id")},

		{"a client forgotten that is written", "p", client, "forget", forgets, set("x", "will", "name")},
		{"a group forgotten that is written", "p", group, "forget", forgets, set("x", "will", "name")},
		{"a group forgotten that is mapped", "p", group, "forget", forgets,
			set(change{"role": "admin", "name": "x"}, "will", "mapping")},
		{"a client forgotten with a mapping row", "p", client, "forget", forgets, set("", "will", "mapping")},
		{"a client forgotten that goes", "p", client, "forget", forgets, without("will")},
		{"a client forgotten that stays recorded", "p", client, "forget",
			set(true, "after", "deleted"), set(false, "after", "deleted")},
		{"nothing forgotten", "p", client, "forget", set(true, "after", "deleted"), without("before")},

		{"a rollback that takes over", "back", client, "update", wasDeleted, set("adopt", "action")},
		{"a rollback that forgets", "back", client, "update", set(true, "after", "deleted"), set("forget", "action")},
		{"a rollback that finds a tenant", "back", tenant, "update", asIs, set("recover", "action")},
		{"a rollback that does what there is not", "back", client, "update", asIs, set("zzz", "action")},
		{"a rollback's client that goes", "back", client, "update", asIs, without("will")},
		{"a rollback's client made that was there", "back", client, "create", creates, set(change{}, "was")},
		{"a rollback's policy replaced", "back", client, "replace", asIs, as(policy)},
		{"a rollback that replaces nothing", "back", client, "replace", named, without("before")},
		{"a rollback's deletion of nothing", "back", client, "delete", takesBack, without("before", "after")},
		{"a rollback's deletion that writes", "back", client, "delete", takesBack, set(change{}, "will")},
		{"a rollback's deletion of what stays", "back", client, "delete", takesBack, set(false, "after", "deleted")},
		{"a rollback's attribute of another form", "back", client, "update", asIs, set("x", "will", "claim_maps")},
	}
}
