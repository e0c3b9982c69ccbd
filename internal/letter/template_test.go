package letter

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMistakes: what a template may not hold is said with its place.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"empty":                 {"", "t.md:1:1: there is no text in it"},
		"a subject alone":       {"Subject: Hello\n\n", "t.md:1:15: there is no text in it"},
		"no subject":            {"Subject:  \nHello\n", "t.md:1:9: the subject is empty"},
		"too long":              {strings.Repeat("a", MaxSource+1), "t.md:1:1: it is longer than 256 kB"},
		"not UTF-8":             {"Hello\nab\xff", "t.md:2:3: it is not UTF-8"},
		"NUL":                   {"Hello\n\x00", "t.md:2:1: it holds a NUL character"},
		"no such field":         {"Hello\n\nđ {{.Nom}}", "t.md:3:5: there is no field Nom; there are Name, LoginName, Tenant, Role, Link, PageURL, LoginURL, RecoverURL, Code, CodeEnds, PasswordUntil, GuideURL, Support, Sender"},
		"in the subject":        {"Subject: a {{.B}}\nHello", "t.md:1:14: there is no field B; there are Name, LoginName, Tenant, Role, Link, PageURL, LoginURL, RecoverURL, Code, CodeEnds, PasswordUntil, GuideURL, Support, Sender"},
		"a field of a field":    {"{{.Name.First}}", "t.md:1:8: there is no field Name.First; there are Name, LoginName, Tenant, Role, Link, PageURL, LoginURL, RecoverURL, Code, CodeEnds, PasswordUntil, GuideURL, Support, Sender"},
		"everything":            {"{{.}}", "t.md:1:3: a field begins with a point, as .Name does"},
		"no end":                {"a\n{{if .Name}}b\n", "t.md:3:1: an {{if}} has no {{end}}"},
		"no end of a field":     {"Subject: a\nb {{.Name\n", "t.md:2:3: a {{ has no }}"},
		"an end too many":       {"a\n  b {{end}}", "t.md:2:5: unexpected {{end}}"},
		"a loop":                {"a {{range .Name}}b{{end}}", "t.md:1:3: a template knows {{.Field}}, {{if}}, {{else}} and {{end}} alone"},
		"with":                  {"{{with .Name}}b{{end}}", "t.md:1:1: a template knows {{.Field}}, {{if}}, {{else}} and {{end}} alone"},
		"a template":            {`a{{template "x"}}`, "t.md:1:2: a template knows {{.Field}}, {{if}}, {{else}} and {{end}} alone"},
		"a template of its own": {"a\n{{define \"x\"}}b{{end}}", "t.md:2:15: a template holds no other template"},
		"a variable":            {"{{$x := .Name}}", "t.md:1:3: here stands one field and nothing else, as in {{.Name}}"},
		"a function":            {"a\n{{printf .Name}}", `t.md:2:1: function "printf" not defined`},
		"a pipe":                {"{{.Name | eq}}", "t.md:1:3: here stands one field and nothing else, as in {{.Name}}"},
		"eq of two fields":      {"{{if eq .Name .Role}}a{{end}}", `t.md:1:6: eq wants a field and a text, as in {{if eq .Link "code"}}`},
		"no such link":          {`{{if eq .Link "cdoe"}}a{{end}}`, "t.md:1:15: a link is one of code, recover, login, none"},
		"not of two":            {"{{if not .Name .Role}}a{{end}}", "t.md:1:6: not wants another number of fields"},
		"a text as condition":   {`{{if "a"}}a{{end}}`, "t.md:1:6: a field begins with a point, as .Name does"},
		"a code in the subject": {"Subject: {{.Code}}\nHello", "t.md:1:10: a one-time code does not belong in a subject, which is shown on locked screens"},
		"HTML":                  {"a\n\nb <b>c</b>", "t.md:3:3: HTML in a template is not in this version; write Markdown, and \\< for the sign itself"},
		"a block of HTML":       {"a\n\n<div>\nb\n</div>", "t.md:3:1: HTML in a template is not in this version; write Markdown, and \\< for the sign itself"},
		"HTML in one case":      {"Hello {{.Name}}\n\n{{if .Tenant}}of {{.Tenant}}<script>{{end}}", "t.md:3:29: HTML in a template is not in this version; write Markdown, and \\< for the sign itself"},
		"an image":              {"a ![b](https://x.example/y.png)", "t.md:1:3: a letter holds no image: fetching one would tell who reads it when"},
		"a script's link":       {"a [b](javascript:alert)", "t.md:1:3: a link begins with https://, http:// or mailto:, or is one of the fields that end in URL"},
		"a link to nowhere":     {"[b](/x)", "t.md:1:1: a link begins with https://, http:// or mailto:, or is one of the fields that end in URL"},
		"a code in a link":      {"[b](https://x.example/?t={{.Code}})", "t.md:1:1: .Code cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
		"a code behind a page":  {"[b]({{.PageURL}}?token={{.Code}})", "t.md:1:1: .Code cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
		"a code as a link":      {"<https://x.example/{{.Code}}>", "t.md:1:1: .Code cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
		"a code by reference":   {"[b][c]\n\n[c]: https://x.example/{{.Code}}\n", "t.md:1:1: .Code cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
		"a name in a link":      {"[b](https://{{.Tenant}}.example)", "t.md:1:1: .Tenant cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
		"an address as a name":  {"[b](https://x.example?to={{.Support}})", "t.md:1:1: .Support cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and .GuideURL can"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("t.md", []byte(c.source))
			var e *Error
			if !errors.As(err, &e) || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %v", err, c.want)
			}
		})
	}
}

// TestFields: what a template wants to know, and what it cannot do without.
func TestFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source        string
		fields, needs []string
	}{
		"none":             {"Hello", nil, nil},
		"one":              {"Subject: {{.Sender}}\n{{.Name}} {{.Name}}", []string{"Name", "Sender"}, []string{"Name", "Sender"}},
		"asked for":        {"{{if .PasswordUntil}}until {{.PasswordUntil}}{{end}}", []string{"PasswordUntil"}, nil},
		"not asked for":    {"{{if .Name}}until {{.PasswordUntil}}{{end}}", []string{"Name", "PasswordUntil"}, []string{"PasswordUntil"}},
		"the other way":    {"{{if not .Code}}a{{else}}{{.Code}}{{end}}", []string{"Code"}, nil},
		"where it is none": {"{{if .Code}}a{{else}}{{.Code}}{{end}}", []string{"Code"}, []string{"Code"}},
		"and":              {"{{if and .Code (not (or .Role .Tenant))}}{{.Code}}{{else}}{{.Role}}{{end}}", []string{"Code", "Role", "Tenant"}, []string{"Role"}},
		"or":               {"{{if or .Code .Role}}{{.Code}}{{end}}", []string{"Code", "Role"}, []string{"Code"}},
		"equal":            {`{{if eq .Role "admin"}}{{.Role}}{{else if eq .Tenant ""}}a{{else}}{{.Tenant}}{{end}}`, []string{"Role", "Tenant"}, nil},
		"default": {string(DefaultSource()), []string{"Code", "CodeEnds", "GuideURL", "Link", "LoginName", "LoginURL", "Name", "PageURL",
			"PasswordUntil", "RecoverURL", "Sender", "Support", "Tenant"}, []string{"Code", "CodeEnds", "LoginName", "Name", "PageURL", "RecoverURL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("t.md", []byte(c.source))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{c.fields, c.needs}, [][]string{p.Fields(), p.Needs()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMarkdown: what a template can say, in both parts.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	d := ada("code")
	d.Name, d.Tenant = "A_d_a*", "R&D <1>"
	for name, c := range map[string]struct{ source, text, html string }{
		"emphasis": {"*a* **{{.Name}}** \\*b\\* &amp; &lt;c&gt;", "a A_d_a* *b* & <c>\n",
			"<p><em>a</em> <strong>A_d_a*</strong> *b* &amp; &lt;c&gt;</p>\n"},
		"a heading": {"# {{.Tenant}}\ntext", "R&D <1>\n\ntext\n", "<h1>R&amp;D &lt;1&gt;</h1>\n<p>text</p>\n"},
		"lines":     {"a\nb  \nc\\\nd", "a b\nc\nd\n", "<p>a\nb<br>\nc<br>\nd</p>\n"},
		"lists": {"- a\n- b\n  1. c\n  2. d\n     e\n\n3. f\n\n   g\n4. h", "- a\n- b\n  1. c\n  2. d e\n\n3. f\n\n   g\n\n4. h\n",
			"<ul>\n<li>a</li>\n<li>b\n<ol>\n<li>c</li>\n<li>d\ne</li>\n</ol>\n</li>\n</ul>\n<ol start=\"3\">\n<li><p>f</p>\n<p>g</p>\n</li>\n<li><p>h</p>\n</li>\n</ol>\n"},
		"code":   {"`{{.Code}}` `` a`b ``\n\n    {{.Name}} <b>\n\n```\n{{.Tenant}}\n```", "abcde-fghij-klmno-pqrst a`b\n\n    A_d_a* <b>\n\n    R&D <1>\n", "<p><code>abcde-fghij-klmno-pqrst</code> <code>a`b</code></p>\n<pre><code>A_d_a* &lt;b&gt;\n</code></pre>\n<pre><code>R&amp;D &lt;1&gt;\n</code></pre>\n"},
		"quotes": {"> a\n> > {{.Name}}\n\n---\n", "> a\n>\n> > A_d_a*\n\n----\n", "<blockquote>\n<p>a</p>\n<blockquote>\n<p>A_d_a*</p>\n</blockquote>\n</blockquote>\n<hr>\n"},
		"addresses": {"{{.PageURL}}, <{{.PageURL}}>, [the page]({{.PageURL}}), [{{.PageURL}}]({{.PageURL}}#a \"title\"), [x]({{.PageURL}}?a=b&c)",
			"https://idm.example.com/ui/reset, https://idm.example.com/ui/reset, the page <https://idm.example.com/ui/reset>, https://idm.example.com/ui/reset <https://idm.example.com/ui/reset#a>, x <https://idm.example.com/ui/reset?a=b&c>\n",
			`<p><a href="https://idm.example.com/ui/reset">https://idm.example.com/ui/reset</a>, <a href="https://idm.example.com/ui/reset">https://idm.example.com/ui/reset</a>, <a href="https://idm.example.com/ui/reset">the page</a>, <a href="https://idm.example.com/ui/reset#a">https://idm.example.com/ui/reset</a>, <a href="https://idm.example.com/ui/reset?a=b&amp;c">x</a></p>` + "\n"},
		"links": {"<https://a.example/b>, <me@a.example>, [b](mailto:me@a.example), [c][d]\n\n[d]: https://d.example\n",
			"https://a.example/b, me@a.example, b <mailto:me@a.example>, c <https://d.example>\n",
			`<p><a href="https://a.example/b">https://a.example/b</a>, <a href="mailto:me@a.example">me@a.example</a>, <a href="mailto:me@a.example">b</a>, <a href="https://d.example">c</a></p>` + "\n"},
		"support":      {"{{.Support}}", "support@anthill.example\n", `<p><a href="mailto:support@anthill.example">support@anthill.example</a></p>` + "\n"},
		"looks filled": {"anthillfieldt8z {{.Name}}", "anthillfieldt8z A_d_a*\n", "<p>anthillfieldt8z A_d_a*</p>\n"},
		"other ends": {
			"a  \r\nb\r\n\r\n- {{.Name}}\r\n- d\re\r\n\r\n```\r\nf\r\ng\r\n```\r\n", "a\nb\n\n- A_d_a*\n- d e\n\n    f\n    g\n",
			"<p>a<br>\nb</p>\n<ul>\n<li>A_d_a*</li>\n<li>d\ne</li>\n</ul>\n<pre><code>f\ng\n</code></pre>\n",
		},
		"a comment": {"a {{- /* not\nshown */ -}} b", "ab\n", "<p>ab</p>\n"},
		"cases":     {`{{if eq .Link "none"}}a{{else if and .Code .Name}}b{{else}}c{{end}}`, "b\n", "<p>b</p>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("t.md", []byte("Subject: s\n\n"+c.source))
			if err != nil {
				t.Fatal(err)
			}
			l, err := p.Render(d)
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(l.HTML, "padding: 1em\">\n")
			if diff := cmp.Diff([]string{c.text, c.html}, []string{l.Text, strings.TrimSuffix(body, pageTail)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDocument: the document names every field, and its template is one.
func TestDocument(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/mail.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(b), "## Templates\n")
	for _, f := range fields {
		if !regexp.MustCompile("(?m)^\\|[^|]*`" + f.name + "`").MatchString(part) {
			t.Errorf("%s is in no table", f.name)
		}
	}
	var source strings.Builder
	for line := range strings.Lines(part) {
		if rest, has := strings.CutPrefix(line, "    "); has || line == "\n" {
			source.WriteString(rest)
		} else if source.Len() > 100 {
			break
		}
	}
	p, err := Parse("mail.md", []byte(strings.TrimLeft(source.String(), "\n")))
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.Render(ada("code"))
	if err != nil || l.Subject != "Your new login, Ada Lovelace" || !strings.Contains(l.Text, "until 1 March 2027.\n") {
		t.Errorf("%v, %s\n%s", err, l.Subject, l.Text)
	}
}

// TestSubject: where it comes from, and that it is one line whatever it holds.
func TestSubject(t *testing.T) {
	t.Parallel()
	p, err := Parse("t.md", []byte("\ufeffSubject: \t For {{.Name}} of  {{.Tenant}} \r\nHello"))
	if err != nil {
		t.Fatal(err)
	}
	d := ada("none")
	d.Name = "Ada\r\nBcc: eve@evil.example"
	if l, err := p.Render(d); err != nil || l.Subject != "For Ada Bcc: eve@evil.example of Acme Ltd" {
		t.Errorf("%q, %v", l.Subject, err)
	}
	other, err := p.WithSubject("To {{.LoginName}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Template{p, other} {
		l, err := p.Render(d)
		if want := map[bool]string{true: "To acme.ada", false: "For Ada Bcc: eve@evil.example of Acme Ltd"}[p == other]; err != nil || l.Subject != want {
			t.Errorf("%q, %v, want %q", l.Subject, err, want)
		}
	}
	for subject, want := range map[string]string{
		"": "subject:1:1: the subject is empty", "a\nb": "subject:1:2: it is more than one line, or holds a control character",
		"{{.Code}}": "subject:1:1: a one-time code does not belong in a subject, which is shown on locked screens",
	} {
		if _, err := p.WithSubject(subject); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", subject, err, want)
		}
	}
	without, err := Parse("t.md", []byte("Hello"))
	if err != nil || without.HasSubject() || !p.HasSubject() {
		t.Fatal(err)
	}
	if _, err := without.Render(d); !errors.Is(err, ErrNoSubject) {
		t.Errorf("%v", err)
	}
}

// TestData: what no letter is made of; no error shows a value.
func TestData(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Data)
		want   string
	}{
		"no name":         {func(d *Data) { d.Name = " \n" }, "the letter writes .Name, which has no value"},
		"no code":         {func(d *Data) { d.Code = "" }, "the letter writes .Code, which has no value"},
		"no end":          {func(d *Data) { d.CodeEnds = time.Time{} }, "the letter writes .CodeEnds, which has no value"},
		"no link":         {func(d *Data) { d.Link = "" }, `a letter's link is one of code, recover, login, none, not ""`},
		"a code too many": {func(d *Data) { d.Link = "login" }, `a letter with the link "login" holds no code`},
		"no address":      {func(d *Data) { d.PageURL = "javascript:secret" }, "a letter's PageURL is no http or https address"},
		"a relative one":  {func(d *Data) { d.PageURL = "/ui/reset" }, "a letter's PageURL is no http or https address"},
		"with a quote":    {func(d *Data) { d.GuideURL = `https://x.example/"onclick="` }, "a letter's GuideURL is no http or https address"},
		"with the code":   {func(d *Data) { d.PageURL += "?token=" + d.Code }, "a letter's PageURL holds the one-time code"},
		"guide with it":   {func(d *Data) { d.GuideURL += "#" + d.Code }, "a letter's GuideURL holds the one-time code"},
		"with a password": {func(d *Data) { d.LoginURL = "https://a:b@x.example" }, "a letter's LoginURL is no http or https address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := ada("code")
			c.change(&d)
			if _, err := Default().Render(d); err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	hanoi := time.FixedZone("+07", 7*3600)
	at := time.Date(2026, 12, 8, 20, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		zone     *time.Location
		language string
		want     string
	}{
		{nil, "", "20:30 on Tuesday 8 December 2026 (UTC)"},
		{hanoi, "en-GB", "03:30 on Wednesday 9 December 2026 (UTC+07:00)"},
		{hanoi, "vi", "2026-12-09 03:30 (UTC+07:00)"},
		{time.UTC, "vi", "2026-12-08 20:30 (UTC)"},
	} {
		if got := moment(at, c.zone, c.language); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

var (
	hrefs = regexp.MustCompile(`href="([^"]*)"`)
	tags  = regexp.MustCompile(`<[^>]*>`)
	ours  = regexp.MustCompile(`^<(/?(html|head|body|title|p|h[1-6]|ul|ol|li|em|strong|code|pre|blockquote|a|bdi)|hr|br)( (href|start|style)="[^"<>]*")?>$|^<meta [^<>]*>$|^<!DOCTYPE html>$`)
)

// FuzzRender: whatever a template and a name are made of, HTML holds our own tags alone, no link leads anywhere but
// out, and none holds the code.
func FuzzRender(f *testing.F) {
	f.Add(string(DefaultSource()), "Ada", "R&D")
	f.Add("[a]({{.PageURL}}\"b\") {{.Name}} <{{.GuideURL}}>", "](javascript:x)", "<script>")
	f.Add("[{{.Name}}]: {{.PageURL}}\n\n[a][{{.Name}}] `{{.Code}}`", "a", "&quot;")
	f.Add("{{if .Name}}[{{end}}{{.Code}}](https://x.example) ![", "anthillfieldt8z", "`")
	f.Fuzz(func(t *testing.T, source, name, tenant string) {
		p, err := Parse("t.md", []byte(source))
		if err != nil {
			return
		}
		if p, err = p.WithSubject("s"); err != nil {
			t.Fatal(err)
		}
		d := ada("code")
		d.Name, d.Tenant = name, tenant
		l, err := p.Render(d)
		if err != nil {
			return
		}
		for _, tag := range tags.FindAllString(l.HTML, -1) {
			if !ours.MatchString(tag) {
				t.Errorf("a tag %s", tag)
			}
		}
		for _, m := range hrefs.FindAllStringSubmatch(l.HTML, -1) {
			if !destination().MatchString(m[1]) || strings.Contains(m[1], d.Code) {
				t.Errorf("a link to %s", m[1])
			}
		}
		for _, line := range strings.Split(l.Text, "\n") {
			if strings.ContainsAny(line, "\r\x00") {
				t.Errorf("a line %q", line)
			}
		}
	})
}
