// Package mailtest is an SMTP server for tests, in the test's own process. It takes mails and remembers them, and goes
// wrong exactly where a test says: refuses, is slow, or hangs up before or after the end of a mail. It is for tests
// alone, and knows nothing of Anthill.
package mailtest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say what server it is. The zero value takes everything, unencrypted.
type Options struct {
	Encryption     Encryption
	User, Password string // ""; "": nobody logs in
	Logins         string // the ways of logging in that are offered, by default "PLAIN LOGIN"
	NoUTF8         bool   // SMTPUTF8 is not offered
	Name           string // whom its certificate is for; "": this machine
	// Answer says what becomes of a mail, when its recipient is named. It is called at the same time for mails of
	// different connections. nil: Accept.
	Answer func(Mail) Answer
	// Greeting and Sender are said at these steps, before Answer is asked; the zero Reply: what is usual.
	Greeting, Sender Reply
}

// Encryption is how a server encrypts.
type Encryption uint8

// Plain: not at all. StartTLS: once asked. Implicit: from the first byte, at smtps://.
const (
	Plain Encryption = iota
	StartTLS
	Implicit
)

// Mail is one mail: as far as the envelope when an answer is asked for, whole once it was accepted.
type Mail struct {
	Sender string
	To     string
	ID     string // of Message-ID, without brackets
	Raw    []byte // as it came, dots undone
	Tries  int    // how often this sender has been offered to this recipient, with this time
	Nth    int    // which mail of its connection it is, from 1
}

// Answer is what a server does with a mail.
type Answer struct {
	Reply Reply         // at the recipient; zero: go on
	Whole func()        // called when the mail has come whole, before the last answer; nil: nothing
	Delay time.Duration // the same
	End   End
	Last  Reply // at the end of the mail, with End zero; zero: 250
}

// Reply is an answer in SMTP.
type Reply struct {
	Code   int
	Status [3]int // enhanced; zero: none
	Text   string
	HangUp bool // the connection is closed behind it
}

func (r Reply) err() error {
	if r.Code == 0 {
		return nil
	}
	e := &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: r.Text}
	if r.Status != [3]int{} {
		e.EnhancedCode = smtp.EnhancedCode(r.Status)
	}
	return e
}

// End is where the connection ends.
type End uint8

// No: it goes on. BeforeDot: in the middle of the mail; nobody has it. AfterTaking: after the mail, which the server
// keeps, and before it says so. AfterLosing: the same, and the server does not keep it.
const (
	No End = iota
	BeforeDot
	AfterTaking
	AfterLosing
)

// Accept takes a mail.
var Accept = Answer{}

// Server is one that runs. Safe for concurrent use.
type Server struct {
	URL    string // with the user, where there is one
	CAFile string // PEM, of the authority that signed its certificate; "": it does not encrypt

	options Options
	smtp    *smtp.Server

	mu       sync.Mutex
	accepted []Mail
	stop     func()
	tries    map[string]int
	conns    int
	resets   int
	logins   int
}

// Start starts a server on a port of its own. It ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, tries: map[string]int{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, scheme := "127.0.0.1", "smtp"
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.session))
	s.smtp.Domain = "mailtest.example"
	s.smtp.AllowInsecureAuth = true
	s.smtp.EnableSMTPUTF8 = !o.NoUTF8
	s.smtp.ErrorLog = log.New(io.Discard, "", 0) // it tells of the very faults that are made here
	var counted net.Listener = &counting{listener, s}
	if o.Encryption != Plain {
		var config *tls.Config
		config, s.CAFile = certificate(t, o.Name)
		if s.smtp.TLSConfig = config; o.Encryption == Implicit {
			scheme, counted = "smtps", tls.NewListener(counted, config)
		}
	}
	if o.User != "" {
		host = strings.ReplaceAll(o.User, "@", "%40") + "@" + host
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.URL = scheme + "://" + host + ":" + port
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.smtp.Serve(counted)
	}()
	s.stop = func() {
		_ = s.smtp.Close()
		<-done
	}
	t.Cleanup(s.stop)
	return s
}

// counting counts connections, and greets with what Options say.
type counting struct {
	net.Listener
	s *Server
}

// Accept is net.Listener's.
func (c *counting) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c.s.mu.Lock()
		c.s.conns++
		c.s.mu.Unlock()
		// So that a mail in the middle of which we hang up was not sent whole before.
		if tcp, is := conn.(*net.TCPConn); is {
			_ = tcp.SetReadBuffer(64 << 10)
		}
		r := c.s.options.Greeting
		if r.Code == 0 && !r.HangUp {
			return conn, nil
		}
		if r.Code != 0 {
			_, _ = io.WriteString(conn, replyLine(r))
		}
		_ = conn.Close()
	}
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	return &session{s: s, conn: c}, nil
}

// Stop ends the server and all its connections.
func (s *Server) Stop() { s.stop() }

// Accepted are the mails that it has, in the order in which they came.
func (s *Server) Accepted() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.accepted...)
}

// Counts are how often it has the mail with each Message-ID.
func (s *Server) Counts() map[string]int {
	counts := map[string]int{}
	for _, m := range s.Accepted() {
		counts[m.ID]++
	}
	return counts
}

// Connections are how many were made, Resets how often a mail was taken back, Logins how often somebody logged in.
func (s *Server) Connections() int { return s.figure(&s.conns) }

// Resets: see Connections.
func (s *Server) Resets() int { return s.figure(&s.resets) }

// Logins: see Connections.
func (s *Server) Logins() int { return s.figure(&s.logins) }

func (s *Server) figure(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

// session is one connection's.
type session struct {
	s        *Server
	conn     *smtp.Conn
	begun    int
	loggedIn bool
	sender   string
	mail     Mail
	answer   Answer
}

var errHungUp = errors.New("hung up")

func (c *session) hangUp() error {
	_ = c.conn.Conn().Close()
	return errHungUp
}

// say answers, and closes the connection behind it where the reply wants that.
func (c *session) say(r Reply) error {
	if !r.HangUp {
		return r.err()
	}
	if r.Code != 0 {
		_, _ = io.WriteString(c.conn.Conn(), replyLine(r))
	}
	return c.hangUp()
}

// Mail is smtp.Session's.
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.options.User != "" && !c.loggedIn {
		return Reply{Code: 530, Status: [3]int{5, 7, 0}, Text: "Authentication required"}.err()
	}
	c.sender = from
	return c.say(c.s.options.Sender)
}

// Rcpt is smtp.Session's.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.begun++
	c.s.mu.Lock()
	c.s.tries[c.sender+"\n"+to]++
	c.mail = Mail{Sender: c.sender, To: to, Tries: c.s.tries[c.sender+"\n"+to], Nth: c.begun}
	c.s.mu.Unlock()
	if c.answer = Accept; c.s.options.Answer != nil {
		c.answer = c.s.options.Answer(c.mail)
	}
	return c.say(c.answer.Reply)
}

// Data is smtp.Session's.
func (c *session) Data(r io.Reader) error {
	if c.answer.End == BeforeDot {
		_, _ = io.CopyN(io.Discard, r, 20)
		return c.hangUp()
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c.answer.Whole != nil {
		c.answer.Whole()
	}
	if c.answer.Delay > 0 {
		time.Sleep(c.answer.Delay)
	}
	if c.answer.End == AfterLosing {
		return c.hangUp()
	}
	if c.answer.Last.Code != 0 || c.answer.Last.HangUp {
		return c.say(c.answer.Last)
	}
	c.mail.Raw = raw
	c.mail.ID = messageID(raw)
	c.s.mu.Lock()
	c.s.accepted = append(c.s.accepted, c.mail)
	c.s.mu.Unlock()
	if c.answer.End == AfterTaking {
		return c.hangUp()
	}
	return nil
}

// Reset is smtp.Session's. It is called by the server at the end of each mail, and where the client takes one back.
func (c *session) Reset() {
	if c.sender != "" && c.mail.Raw == nil {
		c.s.mu.Lock()
		c.s.resets++
		c.s.mu.Unlock()
	}
	c.sender, c.mail = "", Mail{}
}

// Logout is smtp.Session's.
func (c *session) Logout() error { return nil }

// AuthMechanisms is smtp.AuthSession's.
func (c *session) AuthMechanisms() []string {
	switch {
	case c.s.options.User == "":
		return nil
	case c.s.options.Logins != "":
		return strings.Fields(c.s.options.Logins)
	}
	return []string{"PLAIN", "LOGIN"}
}

// Auth is smtp.AuthSession's.
func (c *session) Auth(way string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != c.s.options.User || password != c.s.options.Password {
			return smtp.ErrAuthFailed
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.s.logins++
		c.loggedIn = true
		return nil
	}
	switch way {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case "LOGIN":
		return &login{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// login is AUTH LOGIN, which go-sasl has for clients alone.
type login struct {
	check func(user, password string) error
	step  int
	user  string
}

// Next is sasl.Server's.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}
