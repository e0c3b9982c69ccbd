package letter

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Data is what a letter is about. Texts are as they came: nothing needs to be escaped.
type Data struct {
	Name      string // how the recipient is addressed; never ""
	LoginName string // by which Self-auth knows the person
	Tenant    string
	Role      string

	Link       string // how the recipient gets in: "code", "recover", "login" or "none"
	PageURL    string // where the code is entered; "": none
	LoginURL   string // where people log in; "": none
	RecoverURL string // where the server itself sends a link; "": that is off
	Code       string // one-time; only with Link "code"
	CodeEnds   time.Time

	PasswordUntil time.Time // the day alone counts, as it stands; zero: no day is set
	GuideURL      string    // "": none
	Support       string    // whom to ask: an address, a page, or words; "": nobody
	Sender        string    // whose letter it is

	Language string         // of days and times: "en..." or "" in English words, else in figures (2026-12-01)
	Zone     *time.Location // of the recipient; nil: UTC
}

// kind is how a field's value is shown.
type kind uint8

const (
	asText    kind = iota
	asAddress      // an http(s) address: may be in a link's, and is a link in HTML
	asContact      // a link in HTML where it is an e-mail or an http(s) address
	asSecret       // in the text alone
)

// fields are all that a template may name, with how Data gives them.
var fields = []struct {
	name  string
	kind  kind
	value func(Data) string
}{
	{"Name", asText, func(d Data) string { return d.Name }},
	{"LoginName", asText, func(d Data) string { return d.LoginName }},
	{"Tenant", asText, func(d Data) string { return d.Tenant }},
	{"Role", asText, func(d Data) string { return d.Role }},
	{"Link", asText, func(d Data) string { return d.Link }},
	{"PageURL", asAddress, func(d Data) string { return d.PageURL }},
	{"LoginURL", asAddress, func(d Data) string { return d.LoginURL }},
	{"RecoverURL", asAddress, func(d Data) string { return d.RecoverURL }},
	{"Code", asSecret, func(d Data) string { return d.Code }},
	{"CodeEnds", asText, func(d Data) string { return moment(d.CodeEnds, d.Zone, d.Language) }},
	{"PasswordUntil", asText, func(d Data) string { return day(d.PasswordUntil, d.Language) }},
	{"GuideURL", asAddress, func(d Data) string { return d.GuideURL }},
	{"Support", asContact, func(d Data) string { return d.Support }},
	{"Sender", asText, func(d Data) string { return d.Sender }},
}

// links are the values of Link.
var links = []string{"code", "recover", "login", "none"}

// fieldNamed is the place of a field; -1: there is none of that name.
func fieldNamed(name string) int {
	for i, f := range fields {
		if f.name == name {
			return i
		}
	}
	return -1
}

// maxValue bounds what one field adds to a letter, in characters.
const maxValue = 500

// values are the data by field, each on one line.
func (d Data) values() ([]string, error) {
	if !slices.Contains(links, d.Link) {
		return nil, fmt.Errorf("a letter's link is one of %s, not %q", strings.Join(links, ", "), d.Link)
	}
	if d.Code != "" && d.Link != "code" {
		return nil, fmt.Errorf("a letter with the link %q holds no code", d.Link)
	}
	values := make([]string, len(fields))
	for i, f := range fields {
		v := line(f.value(d))
		if f.kind == asAddress && v != "" {
			if !isAddress(v) {
				return nil, fmt.Errorf("a letter's %s is no http or https address", f.name)
			}
			if d.Code != "" && strings.Contains(v, d.Code) {
				return nil, fmt.Errorf("a letter's %s holds the one-time code", f.name)
			}
		}
		values[i] = v
	}
	return values, nil
}

// line is a text on one line: control characters become blanks, signs that turn the direction of what follows go, and
// what is too long ends in "...".
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f', r == '\u061c':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if long := []rune(s); len(long) > maxValue {
		s = string(long[:maxValue]) + "..."
	}
	return s
}

func isAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		!strings.ContainsAny(s, " \"<>\\^`{|}")
}

// linkOf is where the value of a field leads in HTML; "": nowhere.
func linkOf(k kind, value string) string {
	switch {
	case (k == asAddress || k == asContact) && isAddress(value):
		return value
	case k == asContact:
		if a, err := mail.ParseAddress(value); err == nil && a.Address == value {
			return "mailto:" + url.PathEscape(value)
		}
	}
	return ""
}

func inEnglish(language string) bool {
	return language == "" || strings.HasPrefix(strings.ToLower(language), "en")
}

// day is a day in words; "" for the zero time.
func day(t time.Time, language string) string {
	switch {
	case t.IsZero():
		return ""
	case inEnglish(language):
		return t.Format("2 January 2006")
	}
	return t.Format(time.DateOnly)
}

// moment is a time in a zone, which it names; "" for the zero time.
func moment(t time.Time, zone *time.Location, language string) string {
	if t.IsZero() {
		return ""
	}
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	away := "UTC" + t.Format("-07:00")
	if _, offset := t.Zone(); offset == 0 {
		away = "UTC"
	}
	if !inEnglish(language) {
		return t.Format("2006-01-02 15:04") + " (" + away + ")"
	}
	if name, _ := t.Zone(); name != "" && name != away && !strings.ContainsAny(name, "+-") {
		away = name + ", " + away
	}
	return t.Format("15:04 on Monday 2 January 2006") + " (" + away + ")"
}
