package mail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"anthill/providers"
	"anthill/state"
)

// directory keeps each mail in a file of its own, <id>.eml, for its owner alone. Safe for concurrent use, also of
// processes.
type directory struct {
	path string
	rate *rate
}

func openDirectory(path string, r *rate) (providers.Mailer, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unwritable(err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unwritable(err)
	case !info.IsDir():
		return nil, wrong("the directory for mails is a file")
	case info.Mode().Perm()&0o022 != 0:
		// A file that is there already counts as handed over: nobody else may put one there.
		return nil, wrong("others may write to the directory for mails: take that right away (chmod go-w)")
	}
	return &directory{path, r}, nil
}

// Turn is Mailer's.
func (d *directory) Turn(ctx context.Context, to mail.Address) error { return turn(ctx, d.rate, to) }

// Send writes the mail to its file. A file of that name that is there already is the same mail, handed over before.
func (d *directory) Send(ctx context.Context, m providers.Mail) (providers.Handover, error) {
	if err := ctx.Err(); err != nil {
		return providers.Handover{}, err
	}
	msg, ok := compose(m)
	if !ok {
		return providers.Handover{Verdict: providers.MailRefused}, nil
	}
	local, _, _ := strings.Cut(m.ID, "@")
	file := filepath.Join(d.path, fileName(local)+".eml")
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return taken(err)
	}
	return taken(d.write(file, append([]byte("Return-Path: "+msg.sender+"\r\n"), msg.body...)))
}

// Close does nothing.
func (d *directory) Close() error { return nil }

func taken(err error) (providers.Handover, error) {
	if err != nil {
		return providers.Handover{}, unwritable(err)
	}
	return providers.Handover{Verdict: providers.MailTaken}, nil
}

// write makes the file whole or not at all; when it returns nil, the file outlives a crash of the machine.
func (d *directory) write(file string, text []byte) error {
	f, err := os.CreateTemp(d.path, ".anthill-*.part") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// fileName is the id as a file is named, another one for each id: whatever is not a-z, 0-9, '-', '_' or '.' inside
// stands as its bytes in %xx, so that no file system takes two for one or sees a folder in it.
func fileName(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// turn waits for the turn of an address's domain; for what is no address nobody waits.
func turn(ctx context.Context, r *rate, to mail.Address) error {
	a, _ := readAddress(to)
	return r.turn(ctx, a.domain)
}

func unwritable(err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &state.Error{
		Kind: state.ErrorInternal, Side: side, Doing: "write a mail to its directory", Reason: err.Error(),
		Cure: "The directory is that of provider \"mail\": it must be yours to write, and not full.",
	}
}
