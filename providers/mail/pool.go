package mail

import (
	"context"
	"errors"
	"net/mail"
	"sync"
	"time"

	"anthill/providers"
)

// pool hands mails to one server by a bounded number of connections, which are kept for the next mail.
type pool struct {
	to    server
	rate  *rate
	slots chan struct{} // one for each connection that there may be

	mu     sync.Mutex
	idle   []*conn // the last one used stands last
	closed bool
}

func newPool(to server, r *rate, connections int) *pool {
	return &pool{to: to, rate: r, slots: make(chan struct{}, connections)}
}

// Turn is Mailer's.
func (p *pool) Turn(ctx context.Context, to mail.Address) error { return turn(ctx, p.rate, to) }

// Send is Mailer's.
func (p *pool) Send(ctx context.Context, m providers.Mail) (providers.Handover, error) {
	msg, ok := compose(m)
	if !ok {
		return providers.Handover{Verdict: providers.MailRefused}, nil
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return providers.Handover{}, ctx.Err()
	}
	for {
		if err := ctx.Err(); err != nil {
			return providers.Handover{}, err
		}
		c := p.takeIdle()
		reused := c != nil
		if !reused {
			var err error
			if c, err = p.connect(ctx); err != nil {
				return notNow(err)
			}
		}
		h, err := c.hand(ctx, msg)
		p.giveBack(c)
		switch {
		case !errors.Is(err, errLost):
			return h, err
		case ctx.Err() != nil:
			return providers.Handover{}, ctx.Err()
		case !reused:
			// The server hangs up on this mail: the next one may do better.
			return providers.Handover{Verdict: providers.MailLater}, nil
		}
	}
}

// notNow makes an answer of an error that says no more than that the server has no time.
func notNow(err error) (providers.Handover, error) {
	var busy *busyError
	if errors.As(err, &busy) {
		return busy.refusal.handover(providers.MailLater), nil
	}
	return providers.Handover{}, err
}

// takeIdle is an open connection that nobody uses; nil: there is none.
func (p *pool) takeIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if time.Since(c.used) < p.to.patience.idle {
			return c
		}
		c.abort()
	}
	return nil
}

// giveBack keeps a connection for the next mail, or ends it.
func (p *pool) giveBack(c *conn) {
	c.used = time.Now()
	p.mu.Lock()
	keep := !c.broken && !p.closed
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.quit()
	}
}

// Close is Mailer's.
func (p *pool) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.quit()
	}
	return nil
}
