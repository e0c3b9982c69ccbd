package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"anthill/providers"
)

// message is a mail as it travels.
type message struct {
	sender, to string // in brackets
	utf8       bool   // an address needs SMTPUTF8
	body       []byte // headers and parts, lines ended by CR LF
}

// RFC 5322 2.1.1.
const maxLine = 998

// compose writes a mail; false where it cannot be written: an address is none, the id is none, or a line of a header
// would be longer than a server takes. The same mail gives the same bytes.
func compose(m providers.Mail) (message, bool) {
	if m.Date.IsZero() {
		panic("a mail without a date. This is a bug in Anthill")
	}
	to, okTo := readAddress(m.To)
	from, okFrom := readAddress(m.From)
	sender, okSender := readAddress(mail.Address{Address: m.Sender})
	replyTo, okReply := readAddress(m.ReplyTo)
	none := m.ReplyTo.Address == ""
	if !okTo || !okFrom || !okSender || !okReply && !none || !isMessageID(m.ID) {
		return message{}, false
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m)))
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(plain(m.Subject))
	msg.FromMailAddress(&from.Address)
	msg.ToMailAddress(&to.Address)
	if !none {
		msg.ReplyToMailAddress(&replyTo.Address)
	}
	msg.SetBodyString(gomail.TypeTextPlain, strings.ToValidUTF8(m.Text, "\uFFFD"))
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, strings.ToValidUTF8(m.HTML, "\uFFFD"))
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return message{}, false
	}
	for line := range bytes.Lines(b.Bytes()) {
		if len(bytes.TrimRight(line, "\r\n")) > maxLine {
			return message{}, false
		}
	}
	return message{
		sender: sender.path(), to: to.path(), utf8: to.utf8 || from.utf8 || sender.utf8 || replyTo.utf8, body: b.Bytes(),
	}, true
}

// boundary stands between the parts. It is a digest of them, so that no text can hold it.
func boundary(m providers.Mail) string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + m.Text + "\x00" + m.HTML))
	return hex.EncodeToString(sum[:20])
}

// isMessageID takes what needs no quotes (RFC 5322 3.6.4).
func isMessageID(id string) bool {
	left, right, has := strings.Cut(id, "@")
	return has && left != "" && right != "" && len(id) <= 250 && !strings.ContainsFunc(id, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()[]\,;:"`, r)
	})
}
