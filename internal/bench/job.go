package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

const (
	warmUp        = 10 // writes that are not looked at for the longest one
	adminInterval = 100 * time.Millisecond
)

// job measures Anthill itself: plan, apply, plan again, rollback. The program is what users run, in processes of its
// own. With company another administrator writes during apply.
func job(ctx context.Context, program string, w *world, t *target, p *proxy, company bool) (f *jobFigures, err error) {
	dir, err := os.MkdirTemp("", "anthill-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ca := filepath.Join(dir, "ca.pem")
	main := filepath.Join(dir, "main.anthill.hcl")
	err = errors.Join(os.WriteFile(ca, p.ca, 0o600), os.WriteFile(main, []byte(configuration), 0o600))
	if err != nil {
		return nil, err
	}
	env := append(w.box.Env(), "SELF_AUTH_URL="+p.url, "SELF_AUTH_CA_FILE="+ca, "SELF_AUTH_ADMIN_TOKEN="+t.token)
	anthill := func(args ...string) (float64, error) {
		u, err := command(ctx, program, dir, env, args...)
		return u.Seconds, err
	}

	f = &jobFigures{}
	if f.PlanSeconds, err = anthill("plan", "-out", planFile); err != nil {
		return nil, err
	}
	mark := p.writes()
	var other *administrator
	if company {
		if other, err = startAdministrator(ctx, t); err != nil {
			return nil, err
		}
	}
	f.ApplySeconds, err = anthill("apply", planFile)
	if company {
		f.Other = other.stop()
	}
	if err = errors.Join(err, f.Other.err); err != nil {
		return nil, err
	}
	notes := p.since(mark)
	f.Writes, f.LongestMS = len(notes), milliseconds(longest(notes, warmUp))
	if f.Users, err = linked(ctx, databaseURL(w.box)); err != nil {
		return nil, err
	}
	if f.Users != len(w.users) {
		return nil, fmt.Errorf("apply linked %d of %d users: the figures would be of another job", f.Users, len(w.users))
	}
	// With the flag, anything to do is an exit status that is an error here.
	if f.AgainSeconds, err = anthill("plan", "-detailed-exitcode"); err != nil {
		return nil, err
	}
	mark = p.writes()
	if f.RollbackSeconds, err = anthill("rollback", "-auto-approve"); err != nil {
		return nil, err
	}
	f.RollbackWrites = len(p.since(mark))
	if n, err := linked(ctx, databaseURL(w.box)); err != nil || n != 0 {
		return nil, errors.Join(err, fmt.Errorf("rollback left %d users linked", n))
	}
	return f, nil
}

// administrator is somebody else at work on the same server, past the proxy: it writes to a group of its own.
type administrator struct {
	client *client
	group  uuid.UUID
	ended  chan struct{}
	seen   chan otherFigures
}

func startAdministrator(ctx context.Context, t *target) (*administrator, error) {
	a := &administrator{client: newClient(t.url, t.token, t.roots), group: uuid.New(), ended: make(chan struct{}),
		seen: make(chan otherFigures, 1)}
	if err := a.client.group(ctx, a.group, "bench-other-"+a.group.String()[:8], nil); err != nil {
		a.client.close()
		return nil, err
	}
	go func() { a.seen <- a.work(context.WithoutCancel(ctx)) }()
	return a, nil
}

// work writes at every tick, whether the writes before are answered or not, as administrators do not wait for each
// other.
func (a *administrator) work(ctx context.Context) (f otherFigures) {
	tick := time.NewTicker(adminInterval)
	defer tick.Stop()
	type answer struct {
		waited time.Duration
		err    error
	}
	answers := make(chan answer, 1000)
	for open := true; open; {
		select {
		case <-a.ended:
			open = false
			continue
		case <-tick.C:
		}
		f.Writes++
		go func(n int) {
			began := time.Now()
			written := entry{map[string][]string{"description": {fmt.Sprint("write ", n)}}}
			err := a.client.send(ctx, http.MethodPatch, "/v1/group/"+a.group.String(), written)
			answers <- answer{time.Since(began), err}
		}(f.Writes)
	}
	for range f.Writes {
		got := <-answers
		if got.err != nil {
			f.Failed++
		}
		f.LongestMS = max(f.LongestMS, milliseconds(got.waited))
	}
	return f
}

// stop ends the work when the write in hand is done, and takes the group away.
func (a *administrator) stop() otherFigures {
	close(a.ended)
	f := <-a.seen
	ctx, cancel := context.WithTimeout(context.Background(), cleanPatience)
	defer cancel()
	if err := a.client.deleteGroup(ctx, a.group); err != nil {
		f.err = fmt.Errorf("delete the other administrator's group: %w", err)
	}
	a.client.close()
	return f
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
