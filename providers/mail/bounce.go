package mail

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"

	"anthill/internal/regex"
)

// Bounce is what came back of one mail.
type Bounce struct {
	ID     string // as BounceAddress and MessageID were given it; whether there was such a mail the caller knows
	Status string // enhanced, as "5.1.1"; "": not told
	Final  bool   // it will not be delivered; false: it was late, or was delivered after all
	Line   int    // of the file, from 1: where it stands or begins
}

// BounceError is a line or a mail of a file of bounces from which nothing can be read.
type BounceError struct {
	Line   int // from 1
	Reason string
}

// Error is the line and the reason.
func (e *BounceError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// What is read of a file of bounces: a line of a list, and a mail, whose end holds what was sent and is not needed.
const (
	maxBounceLine = 4 << 10
	maxBounceMail = 1 << 20
	maxParts      = 20
)

// Bounces reads a file of bounces in one of two forms, told by its first line:
//
//   - a list: a line each, an id or an address of BounceAddress, and behind it, if known, the enhanced status. "#"
//     begins a comment. Each is final.
//   - mails as they came back: one, or an mbox of them. Of each its delivery report (RFC 3464) is read; one without
//     such a report (an answer of somebody who is away, say) is none.
//
// What cannot be read is a *BounceError, and the next one follows; another error is the reader's, and the last. A file
// is read to its end in a bounded memory, whatever is in it.
func Bounces(r io.Reader) iter.Seq2[Bounce, error] {
	return func(yield func(Bounce, error) bool) {
		l := &lines{r: bufio.NewReaderSize(r, maxBounceLine)}
		first, err := l.next()
		for err == nil && strings.TrimSpace(first.text) == "" {
			first, err = l.next()
		}
		switch {
		case err != nil:
			if !errors.Is(err, io.EOF) {
				yield(Bounce{}, err)
			}
		case strings.HasPrefix(first.text, "From "), headerLine().MatchString(first.text):
			bounceMails(l, first, yield)
		default:
			bounceList(l, first, yield)
		}
	}
}

var headerLine = regex.Lazy(`^[!-9;-~]+:([ \t]|$)`)

// lines reads a text by lines, of which it keeps no more than maxBounceLine bytes.
type lines struct {
	r *bufio.Reader
	n int
}

type textLine struct {
	text string // without its end
	n    int    // from 1
	long bool   // there is more of it
}

func (l *lines) next() (textLine, error) {
	l.n++
	b, err := l.r.ReadSlice('\n')
	out := textLine{string(bytes.TrimRight(b, "\r\n")), l.n, errors.Is(err, bufio.ErrBufferFull)}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && len(b) > 0 {
		err = nil
	}
	return out, err
}

func bounceList(l *lines, at textLine, yield func(Bounce, error) bool) {
	var err error
	for ; err == nil; at, err = l.next() {
		text, _, _ := strings.Cut(strings.TrimPrefix(at.text, "\ufeff"), "#")
		words := strings.Fields(text)
		if len(words) == 0 && !at.long {
			continue
		}
		b, wrong := listed(words)
		if at.long {
			wrong = errors.New("it is too long")
		}
		if !tellBounce(yield, at.n, b, wrong) {
			return
		}
	}
	if !errors.Is(err, io.EOF) {
		yield(Bounce{}, err)
	}
}

// tellBounce tells of a bounce, or of what is wrong with it.
func tellBounce(yield func(Bounce, error) bool, line int, b Bounce, wrong error) bool {
	if wrong != nil {
		return yield(Bounce{}, &BounceError{line, wrong.Error()})
	}
	b.Line = line
	return yield(b, nil)
}

// listed reads the words of a line.
func listed(words []string) (b Bounce, wrong error) {
	b.Final = true
	if len(words) > 2 || len(words) == 2 && !statusForm().MatchString(words[1]) {
		return b, errors.New("a line is an id, or an address with one, and behind it no more than a status such as 5.1.1")
	}
	if len(words) == 2 {
		b.Status = words[1]
	}
	b.ID = strings.ToLower(strings.Trim(words[0], "<>"))
	if strings.Contains(b.ID, "@") {
		var has bool
		if b.ID, has = BounceID(b.ID); !has {
			return b, errors.New("the address holds no id: it is none that a mail of ours came from")
		}
	} else if !isID(b.ID) {
		return b, errors.New("this is no id of a mail")
	}
	return b, nil
}

// bounceMails reads one mail, or an mbox: there each begins with "From " behind an empty line.
func bounceMails(l *lines, first textLine, yield func(Bounce, error) bool) {
	box := strings.HasPrefix(first.text, "From ")
	at, begin, blank := first, first.n, true
	var mail bytes.Buffer
	tell := func() bool {
		b, wrong := readBounce(mail.Bytes())
		mail.Reset()
		return tellBounce(yield, begin, b, wrong)
	}
	var err error
	for ; err == nil; at, err = l.next() {
		if box && blank && strings.HasPrefix(at.text, "From ") {
			if at.n > begin && !tell() {
				return
			}
			begin, blank = at.n, false
			continue
		}
		blank = at.text == ""
		if mail.Len()+len(at.text)+1 <= maxBounceMail {
			mail.WriteString(at.text + "\n")
		}
	}
	if !errors.Is(err, io.EOF) {
		yield(Bounce{}, err)
		return
	}
	tell()
}

// report is what a mail that came back says.
type report struct {
	id     string // of our address
	byID   string // of our Message-ID
	has    bool   // there is a delivery report
	final  bool
	status string
}

func readBounce(raw []byte) (b Bounce, wrong error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return b, errors.New("this is no mail")
	}
	var r report
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To"} {
		for _, v := range m.Header[name] {
			r.address(v)
		}
	}
	r.read(m.Header.Get("Content-Type"), m.Body, 3)
	switch {
	case !r.has:
		return b, errors.New("the mail holds no delivery report")
	case r.id == "" && r.byID == "":
		return b, errors.New("the mail does not say which of ours came back")
	case r.id == "":
		r.id = r.byID
	}
	return Bounce{ID: r.id, Status: r.status, Final: r.final}, nil
}

var addressForm = regex.Lazy(`[^\s<>"(),;:]+@[^\s<>"(),;:]+`)

// address takes the id of an address of ours from a header.
func (r *report) address(header string) {
	for _, a := range addressForm().FindAllString(header, -1) {
		if id, has := BounceID(a); has && r.id == "" {
			r.id = id
		}
	}
}

// read reads the parts of a multipart/report, also where that is one part of something else, up to so many levels down.
func (r *report) read(contentType string, body io.Reader, deep int) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || deep == 0 {
		return
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for range maxParts {
		part, err := parts.NextPart()
		if err != nil {
			return
		}
		var text io.Reader = part
		if strings.EqualFold(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding")), "base64") {
			text = base64.NewDecoder(base64.StdEncoding, part)
		}
		switch inner, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); {
		case kind != "multipart/report":
			r.read(part.Header.Get("Content-Type"), text, deep-1)
		case inner == "message/delivery-status", inner == "message/global-delivery-status":
			r.statuses(text)
		case inner == "message/rfc822", inner == "text/rfc822-headers",
			inner == "message/global", inner == "message/global-headers":
			r.returned(text)
		}
	}
}

// statuses reads a report: groups of fields, the first of the whole, the others each of a recipient. We have one
// recipient a mail.
func (r *report) statuses(body io.Reader) {
	in := textproto.NewReader(bufio.NewReader(body))
	for range maxParts {
		group, err := in.ReadMIMEHeader()
		action := strings.ToLower(strings.TrimSpace(group.Get("Action")))
		status, _, _ := strings.Cut(strings.TrimSpace(group.Get("Status")), " ")
		if action != "" {
			r.has = true
			if !r.final {
				r.final = action == "failed"
				if r.status = ""; statusForm().MatchString(status) {
					r.status = status
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// returned reads the headers of what we sent.
func (r *report) returned(body io.Reader) {
	h, _ := textproto.NewReader(bufio.NewReader(body)).ReadMIMEHeader()
	r.address(h.Get("Return-Path"))
	local, _, has := strings.Cut(strings.Trim(strings.TrimSpace(h.Get("Message-Id")), "<>"), "@")
	if local = strings.ToLower(local); has && isID(local) {
		r.byID = local
	}
}
