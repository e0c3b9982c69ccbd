package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"anthill/providers"
	"anthill/state"
)

// Settings say where mails go: to a server or to a directory.
type Settings struct {
	// URL is smtp://user@host:port or smtps://user@host:port; user and port may be left out (587, 465). smtp:// is
	// encrypted by STARTTLS, except to this machine where no CAFile is given.
	URL      string
	Password string // of the URL's user
	CAFile   string // PEM; when given, only these authorities are trusted; "": those of the system

	Directory string // instead of URL: one file a mail; made where it is not there

	PerMinute   int // mails to one domain; 0: as many as come
	Connections int // at most, at one time; 0: 4
}

// defaultConnections are few: a relay that is asked for more than it likes answers 421.
const defaultConnections = 4

// Open prepares to hand mails over. To a server it connects once, so that what is wrong with the settings is known
// before anything is done; ctx is of that alone.
//
// Errors: *state.Error, ErrorMissing where a setting is wrong, else as Send's, and ErrorTransient where the server has
// no time for us.
func Open(ctx context.Context, s Settings) (providers.Mailer, error) {
	if (s.URL == "") == (s.Directory == "") {
		return nil, wrong("one of url (MAIL_URL) and directory is needed, and not both")
	}
	if s.PerMinute < 0 || s.Connections < 0 {
		return nil, wrong("a rate or a number of connections is below zero")
	}
	r := newRate(s.PerMinute)
	if s.Directory != "" {
		return openDirectory(s.Directory, r)
	}
	to, err := settle(s)
	if err != nil {
		return nil, err
	}
	if s.Connections == 0 {
		s.Connections = defaultConnections
	}
	p := newPool(to, r, s.Connections)
	c, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	p.giveBack(c)
	return p, nil
}

// server is where mails go, settled.
type server struct {
	host, port string
	user       string // "": none
	password   string
	implicit   bool // TLS from the first byte
	plain      bool // no TLS at all: to this machine
	roots      *x509.CertPool
	patience   patience
}

func (s server) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// patience is how long each step may take.
type patience struct {
	connect time.Duration // to reach the server, and for TLS
	step    time.Duration // for the answer to a command
	send    time.Duration // to send a whole mail
	answer  time.Duration // for what is said of a mail that was sent: the longest, as giving up leaves doubt
	drain   time.Duration // the same once the caller has gone
	idle    time.Duration // an idle connection older than this is not used again
}

// RFC 5321 4.5.3.2 asks for five minutes a command, three a block of data, and ten for the answer to the dot.
var usual = patience{
	connect: time.Minute, step: 5 * time.Minute, send: 5 * time.Minute, answer: 10 * time.Minute,
	drain: 10 * time.Second, idle: time.Minute,
}

const form = "smtp://user@host:587 or smtps://user@host:465"

// settle reads the settings of a server. No text of the URL gets into an error before it is known to hold no password.
func settle(s Settings) (to server, err error) {
	u, err := url.Parse(strings.TrimSpace(s.URL))
	if err != nil {
		return to, wrong("the url cannot be read: it looks like " + form +
			", and what is not a letter or a digit in the user is percent-encoded")
	}
	if _, has := u.User.Password(); has {
		return to, wrong("the url holds a password, which would be seen wherever it is shown: put that into MAIL_PASSWORD, " +
			"and leave the url as " + form)
	}
	to = server{host: u.Hostname(), port: u.Port(), user: u.User.Username(), password: s.Password, patience: usual}
	switch u.Scheme {
	case "smtp", "smtps":
		to.implicit = u.Scheme == "smtps"
	default:
		return to, wrong("the url looks like " + form)
	}
	if to.host == "" || u.Opaque != "" {
		return to, wrong("the url names no host: it looks like " + form)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return to, wrong("behind host and port the url holds more, which nothing is done with: it looks like " + form)
	}
	if to.port == "" {
		to.port = map[bool]string{false: "587", true: "465"}[to.implicit]
	}
	if n, err := strconv.ParseUint(to.port, 10, 16); err != nil || n == 0 {
		return to, wrong("the url's port is none")
	}
	if strings.ContainsFunc(to.user+to.password, isControl) {
		return to, wrong("user or password hold a control character")
	}
	switch {
	case to.user == "" && to.password != "":
		return to, wrong("there is a password (MAIL_PASSWORD) and no user: the url looks like " + form)
	case to.user != "" && to.password == "":
		return to, wrong("the url names a user, and there is no password: set MAIL_PASSWORD")
	}
	to.plain = !to.implicit && s.CAFile == "" && isLoopback(to.host)
	to.roots, err = readRoots(s.CAFile)
	return to, err
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, wrong(fmt.Sprintf("the file of trusted certificates cannot be read: %v", errors.Unwrap(err)))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, wrong("the file of trusted certificates holds none in PEM form")
	}
	return roots, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }

// wrong is a setting that cannot be used.
func wrong(reason string) error {
	return &state.Error{Kind: state.ErrorMissing, Side: side, Doing: "read the settings", Reason: reason}
}
