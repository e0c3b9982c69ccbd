package report

import "strings"

// A sentence for HTML is made as it is for text: with texts from outside escaped for a terminal, and as plain text,
// which html/template escapes once more where it stands. Signs that Escape lets nobody bring in say where a name or a
// command begins and ends, so that the page can set them apart; no markup is made of anything else.
const (
	nameOpens, nameCloses       = "\x01", "\x02"
	commandOpens, commandCloses = "\x03", "\x04"
)

// mostChars is how much of one text from outside a page shows.
const mostChars = 1000

// prose is a sentence in stretches.
type prose []stretch

// stretch is words of a sentence that are set alike: a text from outside, a command, or what stands between those.
type stretch struct {
	Text          string
	Name, Command bool
}

// hyperName is a text from outside within a sentence for HTML; "" for "".
func hyperName(s string) string {
	if s == "" {
		return ""
	}
	// Escaping makes nothing shorter, so what lies far behind the cut need not be looked at.
	if len(s) > 8*mostChars {
		s = s[:8*mostChars]
	}
	return nameOpens + shortened(Escape(s), mostChars) + nameCloses
}

// hyperCommand is what is to be typed, within a sentence for HTML.
func hyperCommand(s string) string { return commandOpens + Escape(s) + commandCloses }

// hyper cuts a sentence for HTML into its stretches.
func hyper(s string) (p prose) {
	add := func(one stretch) {
		if one.Text != "" {
			p = append(p, one)
		}
	}
	for s != "" {
		at := strings.IndexAny(s, nameOpens+commandOpens)
		if at < 0 {
			add(stretch{Text: s})
			break
		}
		closes, name := commandCloses, s[at:at+1] == nameOpens
		if name {
			closes = nameCloses
		}
		add(stretch{Text: s[:at]})
		text, rest, _ := strings.Cut(s[at+1:], closes)
		add(stretch{Text: text, Name: name, Command: !name})
		s = rest
	}
	return p
}

func hypers(list []string) []prose {
	out := make([]prose, len(list))
	for i, s := range list {
		out[i] = hyper(s)
	}
	return out
}
