package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// conn is one connection to the server. Not safe for concurrent use, but for abort.
//
// The conversation is that of go-mail's package smtp. Its client above that does not tell what was lost before the
// final dot from what was lost after it, and calls a mail failed when only the reset behind it was.
type conn struct {
	to     *server
	wire   *wire
	smtp   *smtp.Client
	used   time.Time
	broken bool // not for another mail
}

// wire is the connection below TLS. It bounds what a server can make us read.
type wire struct {
	net.Conn
	left atomic.Int64
}

// No answer to one step is longer, with TLS around it.
const maxAnswer = 64 << 10

var errTooMuch = errors.New("the server says too much")

func (w *wire) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := w.Conn.Read(p[:min(int64(len(p)), left)])
	w.left.Add(-int64(n))
	return n, err
}

// within begins a step: how long it may take.
func (c *conn) within(d time.Duration) {
	c.wire.left.Store(maxAnswer)
	_ = c.wire.SetDeadline(time.Now().Add(d))
}

// abort ends the connection at once, whatever is under way.
func (c *conn) abort() { _ = c.wire.Close() }

// quit ends the connection, politely where it still works.
func (c *conn) quit() {
	if !c.broken {
		c.within(time.Second)
		_ = c.smtp.Quit()
	}
	c.abort()
}

// connect reaches the server, encrypts and logs in.
//
// Errors: ctx's own; *busyError where the server has no time; else *state.Error.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	dialer := net.Dialer{Timeout: p.to.patience.connect}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.to.host, p.to.port))
	if err != nil {
		return nil, p.to.failed(ctx, during(connecting, err))
	}
	c := &conn{to: &p.to, wire: &wire{Conn: raw}}
	stop := context.AfterFunc(ctx, c.abort)
	err = c.begin()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.abort()
		return nil, p.to.failed(ctx, err)
	}
	return c, nil
}

// begin takes a connection to where mails can be handed over.
func (c *conn) begin() (err error) {
	var through net.Conn = c.wire
	switch remote, _ := netip.ParseAddrPort(c.wire.RemoteAddr().String()); {
	case c.to.plain && !remote.Addr().Unmap().IsLoopback():
		return during(encrypting, errNotHere)
	case c.to.implicit:
		c.within(c.to.patience.connect)
		secure := tls.Client(c.wire, c.to.tls())
		if err := secure.Handshake(); err != nil {
			return during(encrypting, err)
		}
		through = secure
	}
	c.within(c.to.patience.step)
	if c.smtp, err = smtp.NewClient(through, c.to.host); err != nil {
		return during(connecting, err)
	}
	c.within(c.to.patience.step)
	if err := c.smtp.Hello(c.literal()); err != nil {
		return during(connecting, err)
	}
	if !c.to.implicit && !c.to.plain {
		if offers, _ := c.smtp.Extension("STARTTLS"); !offers {
			return during(encrypting, errNoTLS)
		}
		c.within(c.to.patience.connect)
		if err := c.smtp.StartTLS(c.to.tls()); err != nil {
			return during(encrypting, err)
		}
	}
	return during(authenticating, c.authenticate())
}

// literal is how this machine introduces itself: by its address, as it may have no name that the server could look up.
func (c *conn) literal() string {
	local, err := netip.ParseAddrPort(c.wire.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	ip := local.Addr().Unmap().WithZone("")
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

// authenticate logs in, where there is a user. It is reached only where the password may be sent as it is.
func (c *conn) authenticate() error {
	if c.to.user == "" {
		return nil
	}
	_, offered := c.smtp.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	c.within(c.to.patience.step)
	switch {
	case slices.Contains(ways, "PLAIN"):
		return c.smtp.Auth(smtp.PlainAuth("", c.to.user, c.to.password, c.to.host, c.to.plain))
	case slices.Contains(ways, "LOGIN"):
		return c.smtp.Auth(smtp.LoginAuth(c.to.user, c.to.password, c.to.host, c.to.plain))
	}
	return errNoWay
}
