package report

import (
	"bytes"
	"fmt"
	"html"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// marked is a plan in markdown, compared with an older one if that is not nil.
func marked(t *testing.T, f, old *planfile.File, o MarkdownOptions) string {
	t.Helper()
	var d *planfile.Diff
	if old != nil {
		var err error
		if d, err = planfile.Compare(old, f, nil); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := Markdown(&b, f, old, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func stat(t *testing.T, f *planfile.File) string {
	t.Helper()
	var b bytes.Buffer
	if err := Stat(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// raised is a plan that is blocked by two hazards.
func raised() *made {
	m := pilot()
	m.Effects.Raise(plan.OverLimit, 4180, state.Found(state.CodeOverLimit, state.Real(state.KeyLimit, 30),
		state.Number(state.KeyPopulation, 12204)).Times(4180))
	m.Effects.Raise(plan.LocksOut, 4, state.Found(state.CodeHomeLost).Times(4))
	return m
}

func nothing() *made {
	m := newMade(state.RunApply)
	m.Context.Isolation = plan.Isolation{Groups: 2, Memberships: 40}
	return m
}

func withOrigin(m *made, files plan.Files) *made {
	m.Context.Origin = plan.Origin{
		Commit: "0123456789abcdef", Files: files, Author: "ana", Job: "https://ci.example.com/7",
	}
	return m
}

// TestMarkdown: what a reviewer sees on a pull request, and the one line of each plan.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	var stats strings.Builder
	named := MarkdownOptions{PlanFile: "pilot.plan"}
	files := map[string]*planfile.File{}
	for _, c := range []struct {
		name, old string
		made      *made
		o         MarkdownOptions
	}{
		{"pilot", "", pilot(), named},
		{"rollback", "", rollback(), MarkdownOptions{PlanFile: "back.plan", Chdir: "conf"}},
		{"blocked", "", withOrigin(raised(), plan.FilesOtherwise), named},
		{"nothing", "", nothing(), MarkdownOptions{}},
		{"many", "", manyTenants(), named},
		{"same", "pilot", withOrigin(pilot(), plan.FilesCommitted), named},
		{"since", "pilot", later(), named},
	} {
		f := c.made.save(t)
		files[c.name] = f
		text := stable(f, marked(t, f, files[c.old], c.o))
		if c.old != "" {
			text = strings.ReplaceAll(text, files[c.old].ID().Short(), "<old>")
		}
		goldenList(t, "markdown-"+c.name+".md", text)
		fmt.Fprintf(&stats, "%-8s  %s", c.name, strings.ReplaceAll(stat(t, f), f.ID().Short(), "<id>"))
	}
	goldenList(t, "stat.txt", stats.String())
}

// codeElement is what a text from outside may stand in.
var codeElement = regexp.MustCompile(`<code>((?:[\p{L}0-9 ]|&#[0-9]+;|<!-- -->)*)</code>`)

// ownTags are those that the form itself writes.
var ownTags = regexp.MustCompile(`</?details( open)?>|</?summary>|</?sub>|<br>`)

// harmless demands that outside of code nothing of a hostile text stands, nor what any markup can be made of, and that
// within it there are only letters, digits, blanks and entities.
func harmless(t *testing.T, text string, hostile ...string) {
	t.Helper()
	first, rest, _ := strings.Cut(text, "\n")
	if !regexp.MustCompile(`^<!-- anthill plan: (?:[\p{L}0-9 _.-]|&#[0-9]+;)* -->$`).MatchString(first) ||
		strings.Count(first, "--") != 2 {
		t.Errorf("the marker: %q", first)
	}
	bare := ownTags.ReplaceAllString(codeElement.ReplaceAllString(rest, "C"), "")
	for _, bad := range append(hostile, "<", "&", "@", "`", "{", "}", "[", "]", "$", "\\", "://", "www.", ":x:", "!1",
		"\x1b", "\u202e", "\r") {
		if at := strings.Index(bare, bad); at >= 0 {
			t.Errorf("%q stands outside of code: %q", bad, bare[max(0, at-60):min(len(bare), at+60)])
		}
	}
	for line := range strings.Lines(bare) {
		if strings.Contains(line, "|") && !strings.HasPrefix(line, "| ") {
			t.Errorf("a bar outside of a table: %q", line)
		}
		if strings.Contains(line, "#") && !strings.HasPrefix(line, "### Anthill ") {
			t.Errorf("a hash: %q", line)
		}
	}
	if a, b := strings.Count(rest, "<details"), strings.Count(rest, "</details>"); a != b {
		t.Errorf("%d details are opened and %d closed", a, b)
	}
	columns := 0
	for line := range strings.Lines(bare) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("a row of %d bars in a table of %d: %q", n, columns, line)
		}
	}
}

// hostiles are texts that do harm where markdown is made carelessly.
func hostiles() map[string]string {
	list := map[string]string{
		"all": "</code></details>\n\n# zzz\n<script>alert(1)</script> @team zzz `zzz` | zzz | \x1b[31mzzz \u202e {{zzz}} " +
			"[zzz](https://zzz.example) ![zzz](x) #1 !1 :x: zzz@zzz.example www.zzz.example **zzz** ~~zzz~~ <!-- zzz --> $zzz$",
	}
	// Each is shown whole: texts are cut at 80 characters.
	for _, s := range []string{
		"<script>zzz</script> </code></details> @team-zzz `zzz` a|zzz", "</details>", "--> zzz <!-- zzz", "---",
		"\x1b[31mzzz \u202ezzz {{zzz}} ](zzz [zzz]: https://zzz.example", "zzz\n- zzz\r\n\n# zzz",
		"#1 !1 :x: $zzz$ &lt;zzz ~~zzz~~ **zzz**", "zzz@zzz.example www.zzz.example https://zzz.example", "\xffzzz\x00",
	} {
		list[s] = s
	}
	list["long"] = strings.Repeat("zzz<>|", 1200)
	return list
}

// hostileMails is a plan that writes to users, with a text as sender and subject.
func hostileMails(text string) *made {
	m := inviting()
	m.Effects.Mailings[0].From, m.Effects.Mailings[0].Subject = text, text
	return m
}

// hostileMade is a plan, or a rollback, with a text in every place that somebody else fills.
func hostileMade(m *made, text string) *made {
	for _, k := range state.Kinds() {
		o := hostileObject(k, text)
		if m.Effects.Undo != nil {
			o.Action = state.ActionUpdate
		}
		m.Effects.Objects = append(m.Effects.Objects, o)
	}
	infect(reflect.ValueOf(&m.Effects.Target).Elem(), text)
	infect(reflect.ValueOf(&m.Effects.Tenants).Elem(), text)
	for i := range m.Effects.Groups {
		m.Effects.Groups[i].Name = text
	}
	infect(reflect.ValueOf(&m.Basis).Elem(), text)
	m.Context.Part = &plan.Part{Targets: []plan.Target{{Kind: plan.TargetObject}}, Exclude: []plan.Target{{Kind: plan.TargetTenant}},
		Pulled: []plan.Pulled{{Address: "schema", By: state.OfTenant("acme")}}}
	infect(reflect.ValueOf(&m.Context).Elem(), text)
	m.Context.Objects.Where = map[state.Address]plan.Place{globexUsersAt: {File: text, Line: 3}}
	for i, w := range m.Context.Waves {
		if w.State != plan.WaveStarts { // the changes of users name that one
			m.Context.Waves[i].State = plan.WaveState(text)
		}
	}
	m.Context.OpenRun = text
	for i := range m.changes {
		if m.changes[i].wave != "" {
			m.changes[i].wave = text
		}
	}
	for i := range m.Effects.Waves {
		m.Effects.Waves[i].Name = text
	}
	if u := m.Effects.Undo; u != nil {
		u.Runs, u.Waves = []string{text, text + "2"}, []string{text}
		u.Pauses = []plan.Pause{{Wave: text, Tenant: acme}, {Wave: text}}
	}
	m.Effects.Raise(plan.EndsSessions, 1, state.About(state.CodeClientGoes, state.OfClient(text)))
	return m
}

// hostileNotes is a plan with a note of each code, all of whose arguments are a text. A note has hundreds of them: of a text
// that is longer than is shown anywhere, every twentieth has the whole, and the others a part that is too long as well.
func hostileNotes(t *testing.T, text string) *made {
	t.Helper()
	m := pilot()
	for i, c := range codes(t) {
		part := text
		if i%20 != 0 {
			part = text[:min(len(text), mostChars+100)]
		}
		m.Context.Notes = append(m.Context.Notes, full(t, c, part))
	}
	return m
}

// TestMarkdownIsHarmless: nobody's text becomes markup, a mention, a link or anything else but itself.
func TestMarkdownIsHarmless(t *testing.T) {
	t.Parallel()
	for name, text := range hostiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notes := hostileNotes(t, text)
			allowed := hostileMade(pilot(), text)
			allowed.Effects.Allow([]plan.Allowance{{Code: plan.EndsSessions, Count: 1}})
			old := pilot().save(t)
			for _, m := range []*made{notes, hostileMade(pilot(), text), hostileMade(rollback(), text), hostileMails(text), allowed} {
				f := m.save(t)
				for _, o := range []MarkdownOptions{
					{PlanFile: text, Chdir: text}, {PlanFile: text, MaxBytes: LeastMarkdown},
				} {
					s := marked(t, f, old, o)
					harmless(t, s, "zzz")
					if most := max(o.MaxBytes, LeastMarkdown); o.MaxBytes > 0 && len(s) > most {
						t.Errorf("%d bytes, and %d are allowed", len(s), most)
					}
				}
				if s := stat(t, f); strings.Count(s, "\n") != 1 || strings.Contains(s, "zzz") {
					t.Errorf("one line: %q", s)
				}
			}
		})
	}
}

// TestCode: a text can be read again as it was, as long as it is short.
func TestCode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a|b", "<b>&amp;", "@team", "Müller 7", `group.users["x"]`, "#1 !2 :x:"} {
		got := code(text, 80)
		if !codeElement.MatchString(got) || codeElement.ReplaceAllString(got, "") != "" {
			t.Errorf("%q becomes %q", text, got)
		}
		inside := strings.ReplaceAll(codeElement.FindStringSubmatch(got)[1], "<!-- -->", "")
		if html.UnescapeString(inside) != text {
			t.Errorf("%q is shown as %q", text, html.UnescapeString(inside))
		}
	}
	for text, want := range map[string]string{"": "", "abcd": "<code>abcd</code>", "abcde": "<code>abc&#8230;</code>"} {
		if got := code(text, 4); got != want {
			t.Errorf("code(%q) = %q, want %q", text, got, want)
		}
	}
	for most, want := range map[int]string{100: "a <code>b</code> c", 17: "a <code>b</code> c"[:17] + "x", 8: "a …"} {
		if got := clip("a <code>b</code> c", most); len(got) > most || most != 17 && got != want {
			t.Errorf("clip to %d: %q", most, got)
		}
	}
	for environment, want := range map[string]string{
		"production": "<!-- anthill plan: production -->", "eu-1": "<!-- anthill plan: eu-1 -->",
		"--> x": "<!-- anthill plan: -&#45;&#62; x -->",
	} {
		if got := marker(environment); got != want {
			t.Errorf("marker %q, want %q", got, want)
		}
	}
	long := strings.Repeat("e", 70)
	if one, other := marker(long+"1"), marker(long+"2"); one == other || len(one) > 120 {
		t.Errorf("of two environments: %s, %s", one, other)
	}
}

func manyTenants() *made {
	m := pilot()
	for i := range 40 {
		id, slug := uuid.UUID{3, byte(i)}, fmt.Sprintf("t%02d", i)
		m.Effects.Tenants = append(m.Effects.Tenants, plan.Tenant{ID: id, Slug: slug})
		m.change(3, plan.SegmentMove, "pilot", m.moving(id, state.MethodDual, false))
		m.group(id, slug, "users")
	}
	return m
}

// group adds a group that is made.
func (m *made) group(tenant uuid.UUID, slug, name string) {
	at := state.Address(fmt.Sprintf("group.%s[%q]", name, slug))
	group := state.Object{
		Address: at, Kind: state.KindGroup, ID: state.GroupID(uuid.Nil, at, 1), Generation: 1,
		Tenant: tenant, TenantSlug: slug,
		Attributes: state.Attributes{
			state.AttrName:    state.TextValue("tenant_" + slug + "_" + name),
			state.AttrMapping: state.MappingValue(state.RoleMember, "tenant_"+slug+"_"+name),
		},
	}
	m.Effects.Objects = append(m.Effects.Objects, plan.ObjectChange{
		Address: at, Kind: group.Kind, Action: state.ActionCreate, After: &group, Will: group.Attributes,
	})
}

// largest is a plan of 1,000 tenants, 3,000 groups and 200 waves, with everything else in numbers.
func largest(slug string) *made {
	m := newMade(state.RunApply)
	m.Context.Population = plan.Population{Live: 90000, Moved: 12}
	m.Effects.Waves, m.Context.Waves = nil, nil
	for w := range 200 {
		name := fmt.Sprintf("%s%03d", slug, w)
		m.Effects.Waves = append(m.Effects.Waves, plan.WaveEffect{Name: name, Starts: true})
		view := plan.WaveView{
			Name: name, State: plan.WaveStarts, Skipped: 2,
			NotMoved: []plan.Skipped{{Reason: plan.SkipShared, Count: 2}},
		}
		for i := range 60 {
			view.Reasons = append(view.Reasons, state.About(state.CodeTenantPaused, state.OfTenant(fmt.Sprint(slug, i)),
				state.Text(state.KeyWave, name), state.Text(state.KeyRun, "r")))
		}
		m.Context.Waves = append(m.Context.Waves, view)
	}
	for i := range 1000 {
		id, tenant := uuid.UUID{3, byte(i >> 8), byte(i)}, fmt.Sprintf("%s%04d", slug, i)
		m.Effects.Tenants = append(m.Effects.Tenants, plan.Tenant{ID: id, Slug: tenant})
		m.change(2, plan.SegmentMove, fmt.Sprintf("%s%03d", slug, i%200), m.moving(id, state.MethodDual, false))
		for _, name := range []string{"users", "admins", "viewers"} {
			m.group(id, tenant, name)
		}
		f := state.About(state.CodeTenantAway, state.Of(state.Address(fmt.Sprint(slug, i))),
			state.Text(state.KeyStatus, slug)).Times(int64(i))
		m.Context.Notes = append(m.Context.Notes, f)
		m.Context.Outside = append(m.Context.Outside, f)
		m.Context.Objects.Dormant = append(m.Context.Objects.Dormant, f)
		m.Context.Isolation.Violations = append(m.Context.Isolation.Violations,
			state.About(state.CodeGroupShared, state.OfGroup(slug), state.List(state.KeyTenants, slug, tenant)).Times(int64(i)))
	}
	for _, code := range plan.HazardCodes() {
		for i := range 300 {
			m.Effects.Raise(code, 1<<40, state.About(state.CodeLastAdmin, state.OfTenant(fmt.Sprint(slug, i))).Times(1<<40))
		}
	}
	return withOrigin(m, plan.FilesOtherwise)
}

// TestMarkdownIsShort: whatever a plan holds, it is no longer than it may be, and the head is exact.
func TestMarkdownIsShort(t *testing.T) {
	t.Parallel()
	empty := newMade(state.RunApply)
	empty.Effects.Target, empty.Basis, empty.Context = state.Target{}, plan.Basis{}, plan.Context{}
	old := pilot().save(t)
	for name, m := range map[string]*made{
		"empty": empty, "large": largest("t"), "hostile": largest(strings.Repeat("<|😀", 40)),
		"rollback": hostileMade(rollback(), strings.Repeat("\u202e😀", 3000)),
	} {
		if name == "hostile" {
			infect(reflect.ValueOf(&m.Effects.Target).Elem(), strings.Repeat("😀", 200))
			infect(reflect.ValueOf(&m.Basis.Versions).Elem(), strings.Repeat("😀", 200))
			infect(reflect.ValueOf(&m.Context.Origin).Elem(), strings.Repeat("😀", 200))
			m.Context.OpenRun, m.Effects.NotBefore = strings.Repeat("😀", 200), asOf
		}
		f := m.save(t)
		for most := LeastMarkdown; most <= 80000; most *= 4 {
			s := marked(t, f, old, MarkdownOptions{MaxBytes: most, PlanFile: strings.Repeat("😀", 300), Chdir: "x"})
			if len(s) > most {
				t.Errorf("%s: %d bytes, and %d are allowed", name, len(s), most)
			}
			harmless(t, s)
			want := []string{f.ID().String(), f.Seal().String(), "### Anthill "}
			if name == "large" || name == "hostile" {
				want = append(want,
					"**2,000 of 90,000 live users change (2.2 %): 2,000 gain Self-auth login, none loses anything**",
					"3,000 objects: 3,000 to create, 0 to change, 0 to delete; 0 unchanged.", "BLOCKED")
			}
			for _, w := range want {
				if !strings.Contains(s, w) {
					t.Errorf("%s, %d bytes: %q is not in\n%s", name, most, w, s)
				}
			}
		}
		if s := marked(t, f, nil, MarkdownOptions{}); len(s) > MarkdownBytes {
			t.Errorf("%s: %d bytes", name, len(s))
		}
	}
	f := largest("t").save(t)
	s := marked(t, f, nil, MarkdownOptions{})
	for _, want := range []string{
		"3,000 object changes", "Users by wave and tenant (2,000 users, 1,000 tenants)", "Notes (1,000)",
		"400 users not moved, by reason", "| and ",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is not in\n%s", want, s)
		}
	}
}
