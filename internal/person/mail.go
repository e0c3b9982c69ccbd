package person

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"anthill/internal/regex"
)

// Mail is a mail as its reader sees it. All texts are from outside: escape them.
type Mail struct {
	File    string // its name in the folder
	To      string // the address alone
	Subject string
	Date    time.Time
	Text    string // the plain part, lines ended by \n; "": it has none
}

// Mails are those of a folder of .eml files, newest first. A folder that is not there has none; a file that is no mail is
// left out.
func Mails(folder string) ([]Mail, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var list []Mail
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != ".eml" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away meanwhile
		} else if err != nil {
			return nil, err
		}
		if m, ok := readMail(raw); ok {
			m.File = e.Name()
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Mail) int {
		if c := b.Date.Compare(a.Date); c != 0 {
			return c
		}
		return strings.Compare(a.File, b.File)
	})
	return list, nil
}

func readMail(raw []byte) (m Mail, ok bool) {
	whole, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, false
	}
	if to, err := whole.Header.AddressList("To"); err == nil && len(to) > 0 {
		m.To = to[0].Address
	}
	m.Date, _ = whole.Header.Date()
	m.Subject = whole.Header.Get("Subject")
	if s, err := (&mime.WordDecoder{}).DecodeHeader(m.Subject); err == nil {
		m.Subject = s
	}
	m.Text = plainPart(whole)
	return m, true
}

func plainPart(whole *mail.Message) string {
	kind, parameters, _ := mime.ParseMediaType(whole.Header.Get("Content-Type"))
	if !strings.HasPrefix(kind, "multipart/") {
		return plain(kind, quotedprintable.NewReader(whole.Body))
	}
	for parts := multipart.NewReader(whole.Body, parameters["boundary"]); ; {
		part, err := parts.NextPart() // undoes quoted-printable
		if err != nil {
			return ""
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if text := plain(kind, part); text != "" {
			return text
		}
	}
}

func plain(kind string, body io.Reader) string {
	if kind != "text/plain" {
		return ""
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

var standing = regex.Lazy(`(?m)^ {3}(\S+)$`)

// Invitation is what Anthill's own letter gives its reader to type: the one-time code, and the login name. ok is false
// where the mail is another one.
func (m Mail) Invitation() (code, loginName string, ok bool) {
	lines := standing().FindAllStringSubmatch(m.Text, -1)
	if len(lines) != 2 {
		return "", "", false
	}
	return lines[0][1], lines[1][1], true
}
