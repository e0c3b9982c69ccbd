package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// answerPatience bounds one call; the server itself gives up after 300 s.
const answerPatience = 330 * time.Second

// client is a bare client: it sends, and wants 200. It tries nothing twice.
type client struct {
	http  *http.Client
	url   string
	token string
}

func newClient(url, token string, roots *x509.CertPool) *client {
	return &client{http: &http.Client{Transport: transport(roots), Timeout: answerPatience}, url: url, token: token}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// transport is set up as Anthill's client sets up its own.
func transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     20 * time.Second, // shorter than the server's
		MaxIdleConnsPerHost: 4,
		ReadBufferSize:      64 << 10,
		WriteBufferSize:     64 << 10,
		DisableCompression:  true,
	}
}

// entry is an entry as /v1 and raw calls write it.
type entry struct {
	Attrs map[string][]string `json:"attrs"`
}

// call does one request and returns its answer; a nil body sends none. ctx ends it between calls only: a server goes on
// with a write that nobody waits for, and what comes of it would escape the cleaning up.
func (c *client) call(
	ctx context.Context, method, path string, body any,
) (answer []byte, header http.Header, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, c.url+path, content)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s %s: %d %.200q", method, path, resp.StatusCode, answer)
	}
	return answer, resp.Header, nil
}

func (c *client) send(ctx context.Context, method, path string, body any) error {
	_, _, err := c.call(ctx, method, path, body)
	return err
}

// version asks the server which one it is.
func (c *client) version(ctx context.Context) (string, error) {
	_, header, err := c.call(ctx, http.MethodGet, "/v1/self", nil)
	return header.Get("X-KANIDM-VERSION"), err
}

// ids lists the entries of a class.
func (c *client) ids(ctx context.Context, class string) (map[uuid.UUID]bool, error) {
	filter := url.PathEscape(`class eq "` + class + `"`)
	text, _, err := c.call(ctx, http.MethodGet, "/scim/v1/Entry?filter="+filter+"&attributes=name", nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Resources []struct {
			ID uuid.UUID `json:"id"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("list the entries of class %s: %w", class, err)
	}
	ids := make(map[uuid.UUID]bool, len(list.Resources))
	for _, r := range list.Resources {
		ids[r.ID] = true
	}
	return ids, nil
}

// group makes a group.
func (c *client) group(ctx context.Context, id uuid.UUID, name string, members []uuid.UUID) error {
	e := entry{map[string][]string{"uuid": {id.String()}, "name": {name}}}
	if len(members) > 0 {
		e.Attrs["member"] = texts(members)
	}
	return c.send(ctx, http.MethodPost, "/v1/group", e)
}

func (c *client) deleteGroup(ctx context.Context, id uuid.UUID) error {
	return c.send(ctx, http.MethodDelete, "/v1/group/"+id.String(), nil)
}

// addMembers is POST of one or more members.
func (c *client) addMembers(ctx context.Context, group uuid.UUID, members []uuid.UUID) error {
	return c.send(ctx, http.MethodPost, "/v1/group/"+group.String()+"/_attr/member", texts(members))
}

// marked does one raw call on many persons: they are made members of a marker group, which its filter names.
func (c *client) marked(ctx context.Context, path string, ids []uuid.UUID, more map[string]any) error {
	marker := uuid.New()
	if err := c.group(ctx, marker, "bench-marker-"+marker.String()[:8], ids); err != nil {
		return err
	}
	eq := func(attribute, value string) any { return map[string]any{"eq": []string{attribute, value}} }
	body := map[string]any{"filter": map[string]any{"and": []any{eq("class", "person"), eq("memberof", marker.String())}}}
	for k, v := range more {
		body[k] = v
	}
	err := c.send(ctx, http.MethodPost, path, body)
	return errors.Join(err, c.deleteGroup(ctx, marker))
}

func texts(ids []uuid.UUID) []string {
	t := make([]string, len(ids))
	for i, id := range ids {
		t[i] = id.String()
	}
	return t
}

// isAbsent says that an answer of a single entry is that there is none.
func isAbsent(answer []byte) bool { return strings.TrimSpace(string(answer)) == "null" }
