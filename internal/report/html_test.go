package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// paged is a plan as a page, compared with an older one if that is not nil.
func paged(t testing.TB, f, old *planfile.File, o HTMLOptions) string {
	t.Helper()
	var d *planfile.Diff
	if old != nil {
		var err error
		if d, err = planfile.Compare(old, f, nil); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := HTML(&b, f, old, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bodyOf is a page without what all pages have.
func bodyOf(page string) string {
	_, body, _ := strings.Cut(page, "</defs></svg>\n")
	body, _, _ = strings.Cut(body, "<script>")
	return body
}

// TestHTML: the plans that are shown beside an older one in markdown, and what worlds have no place for.
func TestHTML(t *testing.T) {
	t.Parallel()
	named := HTMLOptions{PlanFile: "pilot.plan"}
	files := map[string]*planfile.File{}
	for _, c := range []struct {
		name, old string
		made      *made
		o         HTMLOptions
	}{
		{"pilot", "", pilot(), named},
		{"blocked", "", withOrigin(raised(), plan.FilesOtherwise), named},
		{"same", "pilot", withOrigin(pilot(), plan.FilesCommitted), named},
		{"since", "pilot", later(), named},
		{"part", "", partly(1), named},
		{"drift", "", looked(state.Found(state.CodeDriftPerson).Times(1)), named},
	} {
		f := c.made.save(t)
		files[c.name] = f
		page := paged(t, f, files[c.old], c.o)
		if page != paged(t, f, files[c.old], c.o) {
			t.Errorf("%s: two pages of one plan are not the same", c.name)
		}
		text := stable(f, bodyOf(page))
		if c.old != "" {
			text = strings.ReplaceAll(text, files[c.old].ID().Short(), "<old>")
		}
		goldenList(t, "html-"+c.name+".html", text)
	}
}

func historyPage(t *testing.T, h Happened) string {
	t.Helper()
	var b bytes.Buffer
	if err := HistoryHTML(&b, h, HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHistoryHTML: what happened in a run stands before what was planned.
func TestHistoryHTML(t *testing.T) {
	t.Parallel()
	h := ended(t, pilot())
	goldenList(t, "html-run.html", stable(h.Plan, bodyOf(historyPage(t, h))))
	h.Run.Undone, h.Run.Open = true, true
	page := historyPage(t, h)
	for _, want := range []string{"It was taken back later, wholly.", "open", ", not ended"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Contains(page, state.Hash{2}.String()) {
		t.Error("the digest of a run that is open is shown")
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

// tags are those of a page, sorted: by other names rows may stand in another order.
func tags(page string) []string {
	list := tag.FindAllString(page, -1)
	slices.Sort(list)
	return list
}

// hostilePages are pages with a text in every place that somebody else fills: those of plans beside an older one, and
// that of a run.
func hostilePages(t *testing.T, text string) (pages []string) {
	t.Helper()
	notes := hostileNotes(t, text)
	back := hostileMade(rollback(), text)
	back.Effects.Allow([]plan.Allowance{{Code: plan.EndsSessions, Count: 1}})
	old, h := pilot().save(t), ended(t, hostileMade(pilot(), text))
	for _, f := range []*planfile.File{notes.save(t), h.Plan, back.save(t), hostileMails(text).save(t)} {
		pages = append(pages, paged(t, f, old, HTMLOptions{PlanFile: text, Chdir: text}))
	}
	h.Run.ID, h.Run.Who, h.Run.ApprovedBy = text, text, text
	h.Objects[0].Address = state.Address(text)
	h.Left[1].Reason = state.Found(state.CodeRefusal, state.Text(state.KeySaid, text), state.Text(state.KeyRequest, text))
	return append(pages, historyPage(t, h))
}

// TestHTMLIsHarmless: nobody's text becomes markup. Whatever it is, a page has the same tags, attributes included, and
// the text is in it as a terminal would show it.
func TestHTMLIsHarmless(t *testing.T) {
	t.Parallel()
	hidden := regexp.MustCompile("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
	double := regexp.MustCompile(`\\u000[1-4]`) // a name that was taken for a text from outside once more
	want := hostilePages(t, "benign")
	for name, text := range hostiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, page := range hostilePages(t, text) {
				if diff := cmp.Diff(tags(want[i]), tags(page)); diff != "" {
					t.Errorf("page %d has other tags (-want +got):\n%s", i, diff)
				}
				if found := hidden.FindString(page); found != "" {
					t.Errorf("page %d holds %q", i, found)
				}
				if at := double.FindStringIndex(page); at != nil {
					t.Errorf("page %d: %q", i, page[max(0, at[0]-60):at[1]+60])
				}
				// A plan file holds no bytes that are no text.
				shown := shortened(Escape(strings.ToValidUTF8(text, "\ufffd")), mostChars)
				if !strings.Contains(html.UnescapeString(page), shown) {
					t.Errorf("page %d does not show %q", i, shown)
				}
			}
		})
	}
}

// TestHTMLOfManyUsers: a page counts by shape, and is there at once however many users a plan changes.
func TestHTMLOfManyUsers(t *testing.T) {
	t.Parallel()
	m := thousand()
	for i := range m.changes {
		m.changes[i].users = 1000
	}
	f := m.save(t)
	before := time.Now()
	page := paged(t, f, nil, HTMLOptions{PlanFile: "pilot.plan"})
	took := time.Since(before)
	t.Logf("%s: %d bytes in %s", users(newView(f).changed()), len(page), took)
	if took > time.Second {
		t.Error("that is too long")
	}
	if most := 2 << 20; len(page) > most {
		t.Errorf("%d bytes, and %d are enough", len(page), most)
	}
	if !strings.Contains(page, ">1,000,000 of 90,000 live users change") {
		t.Error("not all users are counted")
	}
}

// TestHTMLIsCut: a table ends where a browser would be at pains, and what is left out is counted.
func TestHTMLIsCut(t *testing.T) {
	t.Parallel()
	m := pilot()
	const more = mostRows + 10
	for i := range more {
		id, slug := uuid.UUID{3, byte(i >> 8), byte(i)}, fmt.Sprintf("t%04d", i)
		m.Effects.Tenants = append(m.Effects.Tenants, plan.Tenant{ID: id, Slug: slug})
		m.change(1, plan.SegmentMove, "pilot", m.moving(id, state.MethodDual, false))
		m.group(id, slug, "users")
		m.Context.Notes = append(m.Context.Notes, state.Found(state.CodeInNoWave).Times(1))
		m.Context.Isolation.Violations = append(m.Context.Isolation.Violations,
			state.About(state.CodeGroupShared, state.OfGroup(slug), state.List(state.KeyTenants, "a", "b")))
		m.Effects.Raise(plan.EndsSessions, 1, state.About(state.CodeClientGoes, state.OfClient(slug)))
	}
	body := bodyOf(paged(t, m.save(t), nil, HTMLOptions{}))
	for want, times := range map[string]int{
		`<p class="rest">and 12 more (<code>anthill show -json PLANFILE</code> lists all)</p>`: 1, // tenants
		`<p class="rest">and 11 more (<code>anthill show -json PLANFILE</code> lists all)</p>`: 1, // objects
		`<p class="rest">and 12 other tenants with 12 users</p>`:                               1,
		`<p>and 10 more (<code>anthill show -json PLANFILE</code> lists all)</p>`:              2, // violations, hazards
		`<p>and 11 more (<code>anthill show -json PLANFILE</code> lists all)</p>`:              1, // notes
		`and 5,004 more: see Hazards below`:                                                    1,
		`and 5,004 more: see Isolation below`:                                                  1,
	} {
		if got := strings.Count(body, want); got != times {
			t.Errorf("%d times %q, want %d", got, want, times)
		}
	}
	_, first, _ := strings.Cut(body, `<p class="headline">`)
	if first, _, _ = strings.Cut(first, "<nav "); len(first) > 8000 {
		t.Errorf("the first screen has %d bytes", len(first))
	}
}
