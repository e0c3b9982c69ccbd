package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"anthill/planner/planfile"
)

// HTMLOptions are what the commands of a page name.
type HTMLOptions struct {
	PlanFile string // where the plan is saved, seen from Chdir; "": nowhere
	Chdir    string // as in Options
}

// HTML writes a plan as a page that is one file: it asks for nothing else, all that it says stands there without a
// script, and the same plan gives the same bytes. With old, d says what the plan does otherwise than that.
func HTML(w io.Writer, f, old *planfile.File, d *planfile.Diff, o HTMLOptions) error {
	p := newHyperPage(f, o)
	if old != nil {
		p.since = compared(newView(old), p.t.view, d, p.voice)
	}
	p.ofPlan()
	return p.write(w)
}

//go:embed html
var hyperFiles embed.FS

var hyperTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(hyperFiles, "html/page.html"))
})

// hyperFile is a file that goes into every page as it is.
func hyperFile(name string) string {
	text, err := hyperFiles.ReadFile("html/" + name)
	if err != nil {
		panic("internal/report/html has no " + name + ". This is a bug in Anthill.")
	}
	return string(text)
}

// hyperPage is a page, from top to bottom as its template reads it.
type hyperPage struct {
	t     *telling
	since *contrast // nil: there is no older plan
	run   string    // its id, where the page is about a run; "": about a plan
	style string    // of what only this page has
	o     HTMLOptions

	Title    string // plain text
	Heading  prose
	Facts    []hyperFact
	Notices  []prose
	Blocked  []hyperRisk
	Headline prose
	More     []prose
	Verdicts []hyperVerdict
	Sections []hyperSection
	Apply    prose
}

// hyperFact is a line of the head.
type hyperFact struct {
	Label string
	Says  prose
}

// hyperRisk is a hazard that nobody allowed.
type hyperRisk struct {
	Code, Explain, Allow prose
	Of                   []prose
}

// hyperVerdict is what a reviewer looks for first.
type hyperVerdict struct {
	Label string
	Says  []hyperSaid
}

type hyperSaid struct {
	Text   prose
	Strong bool
}

// hyperSection is a part of the page under a title of its own.
type hyperSection struct {
	ID, Title string
	Lead      []prose
	Verdicts  []hyperVerdict
	List      []prose
	Charts    []hyperChart
	Tables    []hyperTable
	Foot      []prose
}

func newHyperPage(f *planfile.File, o HTMLOptions) *hyperPage {
	p := &hyperPage{o: o}
	p.t = newView(f).tell(p.voice(), o.PlanFile)
	return p
}

func (p *hyperPage) voice() *voice {
	return &voice{escape: hyperName, command: func(args ...string) string {
		return hyperCommand(Command(Options{Chdir: p.o.Chdir}, args...))
	}, most: mostNames}
}

// mostNames is how much of a list stands within a sentence.
const mostNames = 200

// add adds a section, if there is anything in it.
func (p *hyperPage) add(s hyperSection) {
	s.Tables = slices.DeleteFunc(s.Tables, func(t hyperTable) bool { return len(t.Rows) == 0 })
	for i, t := range s.Tables {
		if len(t.Rows) <= fewRows {
			s.Tables[i].Find = ""
		}
		s.Tables[i].Legend = slices.DeleteFunc(t.Legend, func(k hyperKey) bool { return !t.shows(k.Class) })
	}
	if len(s.Lead)+len(s.Verdicts)+len(s.List)+len(s.Tables)+len(s.Foot) > 0 {
		p.Sections = append(p.Sections, s)
	}
}

func (p *hyperPage) fact(label, says string) {
	if says != "" {
		p.Facts = append(p.Facts, hyperFact{label, hyper(says)})
	}
}

// calmly are sentences of which none stands out.
func calmly(list ...string) []said {
	out := make([]said, len(list))
	for i, s := range list {
		out[i].text = s
	}
	return out
}

// dots joins the parts of a line, as far as there are any.
func dots(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}

// plain is a text from outside for places where nothing is set apart.
func plain(s string) string { return shortened(Escape(s), mostChars) }

// hyperData is what the template gets: the page, and what every page has in it.
type hyperData struct {
	*hyperPage
	Policy string
	Style  template.CSS
	Script template.JS
}

// write writes the page. Its policy lets in the style and the script that are in it, by their digests, and nothing
// else: no other script, no picture, no request.
func (p *hyperPage) write(w io.Writer) error {
	style, script := hyperFile("page.css")+p.style, hyperFile("page.js")
	var b bytes.Buffer
	err := hyperTemplate().ExecuteTemplate(&b, "page.html", hyperData{
		hyperPage: p,
		Policy: "default-src 'none'; style-src " + digestSource(style) + "; script-src " + digestSource(script) +
			"; base-uri 'none'; form-action 'none'",
		Style: template.CSS(style), Script: template.JS(script),
	})
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// digestSource names a text by its digest, as a Content-Security-Policy does.
func digestSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
