package mail

import (
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// RFC 5321 4.5.3.1: what every server takes.
const (
	maxLocal   = 64
	maxAddress = 254
)

// address is one as it goes to a server.
type address struct {
	mail.Address        // the domain in ASCII, the name without control characters
	domain       string // in lower case
	utf8         bool   // the part before the @ is not ASCII: the server must offer SMTPUTF8
}

// readAddress settles an address; false where it is none.
func readAddress(a mail.Address) (address, bool) {
	at := strings.LastIndexByte(a.Address, '@')
	if at < 1 || strings.ContainsFunc(a.Address, func(r rune) bool { return isControl(r) || r == '\uFFFD' }) {
		return address{}, false
	}
	local := a.Address[:at]
	domain, err := idna.Lookup.ToASCII(a.Address[at+1:])
	if err != nil || domain == "" || strings.HasSuffix(domain, ".") {
		return address{}, false
	}
	out := address{
		Address: mail.Address{Name: plain(a.Name), Address: local + "@" + domain},
		domain:  domain,
		utf8:    strings.ContainsFunc(local, func(r rune) bool { return r >= 0x80 }),
	}
	if len(local) > maxLocal || len(out.Address.Address) > maxAddress {
		return address{}, false
	}
	// What cannot be read back is not what was meant. A mailbox that must stand in quotes would hold signs that other
	// readers take for the end of the address: nobody has one.
	back, err := mail.ParseAddress(out.path())
	return out, err == nil && back.Address == out.Address.Address && !strings.HasPrefix(out.path(), `<"`)
}

// path is the address as the envelope names it, in brackets.
func (a address) path() string { return (&mail.Address{Address: a.Address.Address}).String() }

// plain is a text on one line: control characters become blanks, and bytes that are no UTF-8 the sign for them.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if isControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}
