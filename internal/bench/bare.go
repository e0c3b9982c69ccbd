package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// bulkBatch is how many persons Anthill makes in one call at most.
const bulkBatch = 500

// naive moves users as the scripts do that the application's document describes: each alone, four calls after one
// another, each call of a program of its own and so over a connection of its own (what starting programs takes is left
// out). Their groups are there before.
func naive(ctx context.Context, c *client, users []user) (*naiveFigures, error) {
	g := groupsOf(users)
	if err := g.make(ctx, c); err != nil {
		return nil, err
	}
	c.http.Transport.(*http.Transport).DisableKeepAlives = true
	began := time.Now()
	for _, u := range users {
		if err := naiveUser(ctx, c, u, g.users[u.tenant]); err != nil {
			return nil, fmt.Errorf("naive client: %w", err)
		}
	}
	return &naiveFigures{Users: len(users), Seconds: time.Since(began).Seconds()}, nil
}

func naiveUser(ctx context.Context, c *client, u user, group uuid.UUID) error {
	// The id is chosen so that it can be cleaned up by it; it makes no difference to the server.
	e := entry{map[string][]string{"uuid": {u.id.String()}, "name": {u.name}, "displayname": {u.display}}}
	if err := c.send(ctx, http.MethodPost, "/v1/person", e); err != nil {
		return err
	}
	mail := entry{map[string][]string{"mail": {u.mail}}}
	if err := c.send(ctx, http.MethodPatch, "/v1/person/"+u.name, mail); err != nil {
		return err
	}
	answer, _, err := c.call(ctx, http.MethodGet, "/v1/person/"+u.name, nil)
	if err != nil {
		return err
	}
	if isAbsent(answer) {
		return errors.New("a person that was just made is not there")
	}
	return c.addMembers(ctx, group, []uuid.UUID{u.id})
}

// bulk makes the calls that Anthill's client makes, and nothing else: no plan, no journal, no checks, no Postgres. Then
// it expires everybody by one marker group.
func bulk(ctx context.Context, c *client, p *proxy, users []user) (*bulkFigures, error) {
	f := &bulkFigures{Users: len(users)}
	g := groupsOf(users)
	began := time.Now()
	if err := g.make(ctx, c); err != nil {
		return nil, fmt.Errorf("bare bulk: %w", err)
	}
	f.GroupSeconds = time.Since(began).Seconds()
	for batch := range slices.Chunk(users, bulkBatch) {
		if err := bulkUsers(ctx, c, batch, g); err != nil {
			return nil, fmt.Errorf("bare bulk: %w", err)
		}
	}
	f.Seconds = time.Since(began).Seconds()
	notes := p.since(0)
	f.Writes, f.LongestMS = len(notes), milliseconds(longest(notes, 0))
	began = time.Now()
	if err := expire(ctx, c, users); err != nil {
		return nil, fmt.Errorf("bare expire: %w", err)
	}
	f.ExpireSeconds = time.Since(began).Seconds()
	return f, nil
}

func bulkUsers(ctx context.Context, c *client, batch []user, g groups) error {
	entries := make([]entry, len(batch))
	for i, u := range batch {
		entries[i].Attrs = map[string][]string{"class": {"object", "account", "person"}, "uuid": {u.id.String()},
			"name": {u.name}, "displayname": {u.display}, "mail": {u.mail}}
	}
	if err := c.send(ctx, http.MethodPost, "/v1/raw/create", map[string]any{"entries": entries}); err != nil {
		return err
	}
	for _, j := range g.joins(batch) {
		if err := c.addMembers(ctx, j.group, j.members); err != nil {
			return err
		}
	}
	return nil
}

func expire(ctx context.Context, c *client, users []user) error {
	ids := make([]uuid.UUID, len(users))
	for i, u := range users {
		ids[i] = u.id
	}
	mods := []any{map[string]any{"purged": "account_expire"},
		map[string]any{"present": []string{"account_expire", "1970-01-01T00:00:00+00:00"}}}
	return c.marked(ctx, "/v1/raw/modify", ids, map[string]any{"modlist": map[string]any{"mods": mods}})
}
