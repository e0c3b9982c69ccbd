package selfauth

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"anthill/providers"
	"anthill/state"
)

const side = "Self-auth"

// Options says where the server is and who calls.
type Options struct {
	URL         string        // https://host[:port]; http only for loopback; no path, no user
	CAFile      string        // PEM; when given, only these authorities are trusted; "": those of the system
	Token       string        // API token of a service account; white space around it is dropped
	TokenFile   string        // or the file that holds it, which nobody else may read
	Owner       string        // whose markers they are; told from those of others on the same server
	MaxWrite    time.Duration // how long one write may take; 0: a second
	Application string        // User-Agent, such as "anthill/0.1.0"; "" means "anthill"
	Unasked     bool          // nothing will be sent: neither token nor certificates are read

	// Now tells the time by which an account counts as expired. Defaults to time.Now.
	Now func() time.Time
}

// Provider is a client of one server with one token. It is safe for concurrent use; writes wait for each other.
type Provider struct {
	conn *conn
	now  func() time.Time
	bulk *bulk
}

// Open checks the URL, the certificate file and the form of the token; it does not talk to the server. Its errors
// are *state.Error of kind Missing (URL, certificate file) or Unauthenticated (token), and show neither the
// token nor a user name or password that the URL may hold.
func Open(o Options) (*Provider, error) {
	origin, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	var token token
	var roots *x509.CertPool
	if !o.Unasked {
		if token, roots, err = o.credentials(); err != nil {
			return nil, err
		}
	}
	if o.Application == "" {
		o.Application = "anthill"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxWrite == 0 {
		o.MaxWrite = time.Second
	}
	return &Provider{
		conn: newConn(origin, token, roots, o.Application, o.Now), now: o.Now,
		bulk: &bulk{owner: o.Owner, maxWrite: o.MaxWrite, marking: make(chan struct{}, 1)},
	}, nil
}

// credentials are the token, and the authorities that are trusted; nil: those of the system.
func (o Options) credentials() (t token, roots *x509.CertPool, err error) {
	if o.TokenFile != "" {
		if o.Token, err = readTokenFile(o.TokenFile); err != nil {
			return token{}, nil, err
		}
	}
	if t, err = parseToken(o.Token); err != nil {
		return token{}, nil, err
	}
	roots, err = readRoots(o.CAFile)
	return t, roots, err
}

// Close closes the connections that are idle.
func (p *Provider) Close() { p.conn.client.CloseIdleConnections() }

// Origin is scheme://host[:port] of the server, in lower case and without the scheme's own port.
func (p *Provider) Origin() string { return p.conn.origin }

// Directory is what the planner reads.
func (p *Provider) Directory() providers.Directory { return directory{p.conn, p.now} }

// Accounts is what apply does.
func (p *Provider) Accounts() providers.Accounts { return p.accounts() }

func (p *Provider) accounts() accounts { return accounts{p.conn, p.now, p.bulk} }

// SetOwner says whose markers they are, once that is known.
func (p *Provider) SetOwner(owner string) { p.bulk.owner = owner }

// SetConfirm says what is asked right before every request that writes, each try included (state.Lock.Confirm): an
// error of it keeps the request from being sent, and is returned as it is. nil: nothing. Not while a write is under way.
func (p *Provider) SetConfirm(confirm func(context.Context) error) { p.conn.confirm = confirm }

type directory struct {
	conn *conn
	now  func() time.Time
}

type accounts struct {
	conn *conn
	now  func() time.Time
	*bulk
}

var (
	_ providers.Directory = directory{}
	_ providers.Accounts  = accounts{}
)

// parseURL returns the origin of a server's URL.
func parseURL(text string) (string, error) {
	bad := func(reason string) (string, error) {
		return "", &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "read the server's URL", Reason: reason,
			Cure: "Set SELF_AUTH_URL to the server's address, such as https://idm.example.com.",
		}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return bad("no URL is given")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // its text would show the whole URL
		return bad("it is not a URL")
	case u.User != nil:
		return bad("it holds a user name or password, which Self-auth does not take")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("it does not begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return bad("it names no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return bad("something follows the host: the address of the server alone is wanted")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return bad("plain http would show the token to the network; it is allowed for loopback only")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return u.Scheme + "://" + host, nil
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port), nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
