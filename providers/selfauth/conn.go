package selfauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"anthill/state"
)

// How long, how much, how often.
const (
	dialPatience  = 10 * time.Second
	readPatience  = time.Minute       // a small answer, whole; a listing, between two reads of it
	writePatience = 330 * time.Second // the server itself gives up after 300 s (F1)
	listPatience  = 330 * time.Second // until a listing begins: the server searches before it answers
	// shorter than the server's 60 s (F1), so that no write meets a closing connection
	idlePatience  = 20 * time.Second
	pauseFirst    = 250 * time.Millisecond // doubled for each try, of which a random part is waited
	pauseMost     = 8 * time.Second
	pauseByServer = time.Minute // what Retry-After may ask for

	transientTries  = 6
	connectionTries = 3

	maxRequest = 1945 << 10 // bytes; the server takes 2 MiB and may cut the connection beyond (F32)
	maxAnswer  = 8 << 20    // bytes of an answer that is not a listing
	maxEntry   = 1 << 20    // bytes of one entry of a listing, or of one member of a group
	maxRefusal = 64 << 10   // bytes read of an error
	maxListing = 8 << 30    // bytes of a listing: far more than any directory, and an end to one without end
	maxPersons = 30_000_000 // entries of a listing that is handed on one by one
	maxGroups  = 1_000_000  // entries of one that is kept

	listMost = 30 * time.Minute // for a whole listing, however steadily it drips
)

var (
	errSlow   = errors.New("no answer in time")
	errTooBig = errors.New("larger than any answer of Self-auth")
	errCut    = errors.New("the answer ended early")
)

// conn sends requests to one server. Retries happen here and nowhere else.
type conn struct {
	client  *http.Client
	origin  string
	token   token
	agent   string
	now     func() time.Time
	writing chan struct{} // holds one: the write under way
	pause   func(ctx context.Context, d time.Duration) error
	most    time.Duration // for a listing
	confirm func(ctx context.Context) error
	ledger  ledger
	rights  rights
	wrote   atomic.Bool // a write went through
}

func newConn(origin string, t token, roots *x509.CertPool, agent string, now func() time.Time) *conn {
	dialer := &net.Dialer{Timeout: dialPatience, KeepAlive: 30 * time.Second}
	return &conn{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    dialPatience,
				ResponseHeaderTimeout:  writePatience,
				IdleConnTimeout:        idlePatience,
				MaxIdleConnsPerHost:    4,
				MaxResponseHeaderBytes: 64 << 10,
				ReadBufferSize:         64 << 10,
				WriteBufferSize:        64 << 10,
				DisableCompression:     true, // the server is near; packing costs it more than sending
			},
			// A redirect would carry the token to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		origin:  origin,
		token:   t,
		agent:   agent,
		now:     now,
		writing: make(chan struct{}, 1),
		pause:   wait,
		most:    listMost,
	}
}

// readRoots reads the authorities that are trusted; nil means those of the system.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	bad := func(reason string) (*x509.CertPool, error) {
		return nil, &state.Error{
			Kind: state.ErrorMissing, Side: side, Doing: "read the certificate file " + file, Reason: reason,
			Cure: "Set SELF_AUTH_CA_FILE to a PEM file with the certificate of the authority that signed Self-auth's.",
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return bad(err.Error())
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return bad("it holds no certificate in PEM form")
	}
	return roots, nil
}

// call is one request.
type call struct {
	method string
	path   string   // with query
	body   []byte   // JSON; nil: none
	doing  string   // for errors: "create 250 persons"
	right  string   // the built-in group that gives the right to do it
	also   []string // others that do
	writes bool
	twice  bool // a write that may be done twice: the second time changes nothing
	lists  bool // the answer is a listing: as long as it likes, but it must keep coming
	nobody bool // without the token, as somebody whom the server does not know
	sole   bool // a GET that writes: net/http sends it once, too
}

// body is an answer while it is read. It ends with an error when more than left bytes come before the next grant,
// or when nothing comes for too long.
type body struct {
	from     io.Reader
	left     int64
	total    int64 // bytes read so far
	timer    *time.Timer
	patience time.Duration // zero: the timer runs on
	failed   error         // what reading ended with, if not the end of the answer
	version  string        // of the server, by its header
	handed   bool          // something of it was given to the caller, so that it cannot be asked for again
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 || b.total > maxListing {
		return 0, errTooBig
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.patience > 0 {
		b.timer.Reset(b.patience)
		defer b.timer.Stop() // the caller may take its time
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	b.total += int64(n)
	if err != nil && err != io.EOF {
		b.failed = err
	}
	return n, err
}

// grant allows n more bytes.
func (b *body) grant(n int64) { b.left = n }

// failure is an error with what may be done about it.
type failure struct {
	err   *state.Error
	tries int           // how often the call may be tried altogether; zero or one: it is over
	after time.Duration // what the server asks to wait
}

// read does a call that changes nothing, and gives the answer to use. It is tried again after an answer that says
// that nothing happened, and after a lost connection unless use has handed something on.
func (c *conn) read(ctx context.Context, k call, use func(*body) error) error {
	return c.try(ctx, k, use)
}

// write does a call that changes something, when the one before is done. It is tried again only where nothing has
// happened, or where doing it twice changes nothing. What is denied of one entry alone is Refused.
func (c *conn) write(ctx context.Context, k call) error {
	return c.writeFor(ctx, k, func(in *body) error {
		text, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		// Anything else that answers 200, such as a proxy's page, has done nothing.
		if string(bytes.TrimSpace(text)) != "null" {
			return errors.New("it is not what Self-auth says when something was done")
		}
		return nil
	})
}

// writeFor is write for a call that has more of an answer than that it was done.
func (c *conn) writeFor(ctx context.Context, k call, use func(*body) error) error {
	return c.ofOne(ctx, k, c.writeInTurn(ctx, k, use))
}

func (c *conn) writeInTurn(ctx context.Context, k call, use func(*body) error) error {
	k.writes = true
	if len(k.body) > maxRequest {
		return &state.Error{
			Kind: state.ErrorRefused, Side: side, Doing: k.doing,
			Reason: "it is more than Self-auth takes in one request", Err: errTooBig,
		}
	}
	// The server has one writer. A second request would only wait there, hold up everybody else's, and time out.
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return interrupted(ctx, k, "nothing was sent")
	}
	defer func() { <-c.writing }()
	return c.try(ctx, k, use)
}

func (c *conn) try(ctx context.Context, k call, use func(*body) error) error {
	for n := 1; ; n++ {
		// Before each try: what keeps a write from going out may have come in the pause, or while this one waited for its
		// turn.
		if k.writes && c.confirm != nil {
			if err := c.confirm(ctx); err != nil {
				return err
			}
		}
		f := c.once(ctx, k, use)
		if f == nil {
			return nil
		}
		if n >= f.tries {
			return f.err
		}
		c.ledger.retried()
		if err := c.pause(ctx, pauseFor(n, f.after)); err != nil {
			return interrupted(ctx, k, f.err.Reason)
		}
	}
}

// once sends one request.
func (c *conn) once(parent context.Context, k call, use func(*body) error) *failure {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	in := &body{left: maxAnswer}
	patience := readPatience
	switch {
	case k.writes:
		patience = writePatience
	case k.lists:
		// A listing may take as long as it needs, if it keeps coming: the timer starts again with each read of it.
		patience, in.patience = listPatience, readPatience
		defer time.AfterFunc(c.most, func() { cancel(errSlow) }).Stop()
	}
	in.timer = time.AfterFunc(patience, func() { cancel(errSlow) })
	defer in.timer.Stop()

	began := time.Now()
	resp, err := c.send(ctx, k)
	if err != nil {
		return c.lost(ctx, k, err)
	}
	defer resp.Body.Close()
	in.from, in.version = resp.Body, resp.Header.Get("X-KANIDM-VERSION")
	if resp.StatusCode != http.StatusOK {
		// Of a refusal that is cut off, what came is enough to tell its kind.
		in.grant(maxRefusal)
		text, _ := io.ReadAll(in)
		if in.failed != nil && ctx.Err() != nil {
			return c.lost(ctx, k, in.failed)
		}
		return c.refusal(k, resp, text)
	}
	err = use(in)
	switch {
	case err == nil:
		if k.writes {
			c.wrote.Store(true)
			c.ledger.wrote(state.Call{Request: requestID(resp.Header), Doing: k.doing, Took: time.Since(began)})
		}
		// Only a connection whose answer was read to its end is used again. What is left of it is a line break at most.
		_, _ = io.CopyN(io.Discard, resp.Body, 512)
		return nil
	case in.failed != nil:
		f := c.lost(ctx, k, in.failed)
		// The reader has some of it already, and would get it twice.
		if in.handed {
			f.tries = 0
		}
		return f
	}
	// An answer that a deadline cuts off may end as if it were whole, and then look damaged.
	if ctx.Err() != nil {
		return c.lost(ctx, k, err)
	}
	return c.unreadable(k, resp, err, in.handed)
}

func (c *conn) send(ctx context.Context, k call) (*http.Response, error) {
	var content io.Reader
	if k.body != nil {
		content = bytes.NewReader(k.body)
	}
	if k.sole {
		content = empty{} // a body that net/http cannot send again, and that holds nothing, so that none is sent
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.origin+k.path, content)
	if err != nil {
		return nil, err
	}
	if !k.nobody {
		req.Header.Set("Authorization", "Bearer "+c.token.secret)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.client.Do(req)
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }

// pauseFor is how long to wait after the n-th try: a random part of a bound that doubles (so that clients that
// failed together do not come back together), and at least what the server asks for.
func pauseFor(n int, after time.Duration) time.Duration {
	bound := min(pauseFirst<<(n-1), pauseMost)
	return max(rand.N(bound), min(after, pauseByServer))
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads a Retry-After header: seconds or a date.
func (c *conn) retryAfter(header string) time.Duration {
	header = strings.TrimSpace(header)
	if d, err := time.ParseDuration(header + "s"); err == nil {
		return max(d, 0)
	}
	if t, err := http.ParseTime(header); err == nil {
		return max(t.Sub(c.now()), 0)
	}
	return 0
}
