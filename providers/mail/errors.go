package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"anthill/state"
)

const side = "Mail"

// What is being done, of errors.
const (
	connecting     = "connect to the mail server"
	encrypting     = "encrypt the connection to the mail server"
	authenticating = "log in to the mail server"
)

var (
	errNoTLS   = errors.New("the server offers no STARTTLS")
	errNotHere = errors.New("the host is not this machine after all")
	errNoWay   = errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN; others are not in this version")
)

// busyError is a server that has no time for us: nothing has happened, and another try may succeed.
type busyError struct {
	refusal refusal
	err     *state.Error
}

// Error is the text of the error that it is for whoever does not know it.
func (e *busyError) Error() string { return e.err.Error() }

// Unwrap is an error that all know.
func (e *busyError) Unwrap() error { return e.err }

// stepError is an error of a step.
type stepError struct {
	doing string
	err   error
}

// Error is that of the step.
func (e *stepError) Error() string { return e.doing + ": " + e.err.Error() }

// Unwrap is what went wrong.
func (e *stepError) Unwrap() error { return e.err }

// during says of an error which step it is of.
func during(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{doing, err}
}

// failed turns the error of a connection that was not made into ctx's own, a *busyError or a *state.Error. It shows
// what the server said, which is about us, but neither the password nor what it looks like on its way.
func (s *server) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &state.Error{Side: side}
	var step *stepError
	if errors.As(err, &step) {
		e.Doing = step.doing
	}
	if r, is := refusalOf(err); is {
		e.Kind, e.Cure = refusedBy(e.Doing, r)
		e.Reason = s.said(r)
		if e.Kind == state.ErrorTransient {
			return &busyError{r, e}
		}
		return e
	}
	e.Kind, e.Reason, e.Cure = unreached(err)
	return e
}

// refusedBy sorts what a server says to a connection.
func refusedBy(doing string, r refusal) (kind state.ErrorKind, cure string) {
	switch {
	case r.code/100 == 4:
		return state.ErrorTransient, ""
	case doing == authenticating:
		return state.ErrorUnauthenticated, "Check the user in the url and MAIL_PASSWORD."
	}
	return state.ErrorDenied, "Is it the server that sends mail for you, and may this machine use it?"
}

// unreached sorts what ends a connection before the server says what it thinks of us.
func unreached(err error) (kind state.ErrorKind, reason, cure string) {
	const trust = "Where an authority of your own signed its certificate, name that in ca_file (MAIL_CA_FILE)."
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, errNoWay):
		return state.ErrorUnauthenticated, err.Error(),
			"Ask its administrator for one of them, or leave the user out of the url."
	case errors.Is(err, errNoTLS):
		return state.ErrorUnreachable, err.Error(),
			"Nothing is sent unencrypted. Where it wants TLS from the first byte, the url begins with smtps://."
	case errors.Is(err, errNotHere):
		return state.ErrorUnreachable, err.Error(),
			"Unencrypted mail goes to this machine alone. Name the server as its certificate does."
	case errors.As(err, &unknown):
		return state.ErrorUnreachable, "the server's certificate is signed by an authority that is not trusted here", trust
	case errors.As(err, &name):
		return state.ErrorUnreachable, "the server's certificate is for another name",
			"Name the host in the url as its certificate does."
	case errors.As(err, &invalid):
		return state.ErrorUnreachable, "the server's certificate is not valid: " + invalid.Error(), trust
	case errors.As(err, &record):
		return state.ErrorUnreachable, "the server does not answer with TLS",
			"Where it encrypts by STARTTLS, the url begins with smtp://."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return state.ErrorUnreachable, "the server closed the connection", reach
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return state.ErrorUnreachable, "no answer in time", reach
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return state.ErrorUnreachable, err.Error(), reach
}

const reach = "Check MAIL_URL, and that the server runs and lets this machine in."

// deniedSender is what a refusal of the envelope's sender says of all mails; nil: it is about this one.
func (s *server) deniedSender(r refusal) error {
	if r.code == 552 || slices.Contains([]string{needsUTF8, tooBig, mailboxBig}, r.status) {
		return nil
	}
	if err := s.deniedRelay(r); err != nil {
		return err
	}
	return &state.Error{
		Kind: state.ErrorDenied, Side: side, Doing: "name the sender to the mail server", Reason: s.said(r),
		Cure: "Is `from` an address that this account may send as? What cannot be delivered comes back to that name with " +
			"+anthill=... behind it.",
	}
}

// deniedRelay is what a refusal of a recipient says of all mails; nil: it is about this one. Servers often wait with
// what they have against the sender until a recipient is named. What they say then may hold its address.
func (s *server) deniedRelay(r refusal) error {
	switch {
	case r.code == 530:
		return &state.Error{
			Kind: state.ErrorUnauthenticated, Side: side, Doing: "hand a mail over", Reason: r.bare(),
			Cure: "The server wants a login: name the user in the url, as smtp://user@host:587, and set MAIL_PASSWORD.",
		}
	case r.status == "5.1.7", r.status == "5.1.8":
		return &state.Error{
			Kind: state.ErrorDenied, Side: side, Doing: "name the sender to the mail server", Reason: r.bare(),
			Cure: "Is `from` an address that this account may send as?",
		}
	}
	return nil
}

// said is what the server answered, short enough for a line. Where it repeats the password, the code must do.
func (s *server) said(r refusal) string {
	text := plain(r.text)
	if s.password != "" {
		whole := base64.StdEncoding.EncodeToString([]byte("\x00" + s.user + "\x00" + s.password))
		alone := base64.StdEncoding.EncodeToString([]byte(s.password))
		for _, secret := range []string{s.password, whole, alone} {
			if strings.Contains(text, secret) {
				text = ""
			}
		}
	}
	if short := []rune(text); len(short) > 200 {
		text = string(short[:200]) + "..."
	}
	return strings.TrimSpace(answers + strconv.Itoa(r.code) + " " + text)
}

const answers = "the server answers "

// bare is what the server answered, without its words.
func (r refusal) bare() string {
	return strings.TrimSpace(answers + strconv.Itoa(r.code) + " " + r.status)
}
