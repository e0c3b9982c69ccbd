package scratchidm

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
	"time"
)

const (
	sessionHeader = "X-Kanidm-Auth-Session-Id"
	versionHeader = "X-Kanidm-Version" // in all answers but those of /status
)

// client makes the few calls that set a server up. It tries nothing twice.
type client struct {
	http *http.Client
	url  string
}

func newClient(url string, ca []byte) *client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &client{url: url, http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// call is one request with a token ("": none) and wants 200. in nil sends no body; out nil drops the answer.
func (c *client) call(ctx context.Context, method, path, token string, in, out any) error {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	_, err := c.send(ctx, method, path, header, in, out)
	return err
}

func (c *client) send(ctx context.Context, method, path string, header http.Header, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %.200q", method, path, resp.StatusCode, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	return resp.Header, nil
}

// login is that of a built-in account by its password, and returns a token that may write.
func (c *client) login(ctx context.Context, name, password string) (token string, err error) {
	begun, err := c.send(ctx, http.MethodPost, "/v1/auth", http.Header{},
		step("init2", map[string]any{"username": name, "issue": "token", "privileged": true}), nil)
	if err != nil {
		return "", err
	}
	session := http.Header{sessionHeader: {begun.Get(sessionHeader)}}
	_, err = c.send(ctx, http.MethodPost, "/v1/auth", session, step("begin", "password"), nil)
	if err != nil {
		return "", err
	}
	var answer struct {
		State struct {
			Success string `json:"success"`
		} `json:"state"`
	}
	credential := step("cred", map[string]string{"password": password})
	_, err = c.send(ctx, http.MethodPost, "/v1/auth", session, credential, &answer)
	if err == nil && answer.State.Success == "" {
		err = errors.New("the server gave no token")
	}
	return answer.State.Success, err
}

func step(name string, value any) any { return map[string]any{"step": map[string]any{name: value}} }

// version is that of the server.
func (c *client) version(ctx context.Context, token string) (string, error) {
	asker := http.Header{"Authorization": {"Bearer " + token}}
	header, err := c.send(ctx, http.MethodGet, "/v1/self", asker, nil, nil)
	return header.Get(versionHeader), err
}
