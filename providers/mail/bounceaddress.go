package mail

import (
	"net/mail"
	"strings"
)

// marker stands between the sender's own name and the id in an address for bounces.
const marker = "+anthill="

// BounceAddress is the envelope's sender of the mail with this id (which names what was handed over, not the
// Message-ID): what cannot be delivered comes back to it, and BounceID reads the id from it. The mailbox must take
// what has a + behind its name.
//
// It is from's own address where the part before the @ would become longer than the 64 bytes that every server takes;
// the id then comes back by the Message-ID alone. Other ids than of a-z, 0-9, '-' and '.' are a bug of the caller: it
// panics.
func BounceAddress(from mail.Address, id string) string {
	if !isID(id) {
		panic("no id for a bounce. This is a bug in Anthill")
	}
	at := strings.LastIndexByte(from.Address, '@')
	if at < 1 || at+len(marker)+len(id) > maxLocal {
		return from.Address
	}
	return from.Address[:at] + marker + id + from.Address[at:]
}

// BounceID reads the id from an address that BounceAddress made, also where a server changed it to upper or lower
// case; false where it holds none.
func BounceID(address string) (string, bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", false
	}
	_, id, has := strings.Cut(strings.ToLower(address[:at]), marker)
	return id, has && isID(id)
}

// MessageID is the Message-ID (without brackets) of the mail with this id, so that a bounce without our address still
// tells it.
func MessageID(from mail.Address, id string) string {
	if !isID(id) {
		panic("no id for a mail. This is a bug in Anthill")
	}
	a, ok := readAddress(from)
	if !ok {
		return id + "@anthill.invalid"
	}
	return id + "@" + a.domain
}

func isID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}
