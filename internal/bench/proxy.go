package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"anthill/internal/selfauthd"
)

// proxy stands before a Self-auth server and notes the writes. Every client of the benchmark goes through it, so that
// it costs each of them the same.
type proxy struct {
	account

	url    string
	ca     []byte // PEM of who signed its certificate
	http   *http.Server
	to     *http.Transport
	served chan error
}

// startProxy serves on loopback until close.
func startProxy(target string, roots *x509.CertPool) (*proxy, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	certPEM, keyPEM, ca, err := selfauthd.NewCertificate()
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{url: fmt.Sprintf("https://localhost:%d", l.Addr().(*net.TCPAddr).Port), ca: ca, to: transport(roots),
		served: make(chan error, 1)}
	quiet := log.New(io.Discard, "", 0) // who called is told by the answer
	p.http = &http.Server{
		Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: p,
			ErrorLog: quiet},
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute, ErrorLog: quiet,
	}
	go func() { p.served <- p.http.ServeTLS(l, "", "") }()
	return p, nil
}

// roots are what its clients trust.
func (p *proxy) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.ca) {
		return nil, errors.New("the proxy's own certificate cannot be read")
	}
	return pool, nil
}

func (p *proxy) close() error {
	err := p.http.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	p.to.CloseIdleConnections()
	return err
}

// RoundTrip passes a request on. A write is read whole before its clock starts: what is noted is the server's time.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if !isWrite(r.Method, r.URL.Path) {
		return p.to.RoundTrip(r)
	}
	var content []byte
	if r.Body != nil { // the proxy gives none where the request has none
		var err error
		if content, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.WithContext(r.Context()) // a copy: the caller's is not ours to change
		r.Body = io.NopCloser(bytes.NewReader(content))
	}
	began := time.Now()
	resp, err := p.to.RoundTrip(r)
	n := note{method: r.Method, path: r.URL.Path, took: time.Since(began)}
	if resp != nil {
		n.status = resp.StatusCode
	}
	if isCreate(r.Method, r.URL.Path) {
		n.body = content
	}
	p.add(n)
	return resp, err
}

// isWrite says whether a call is a write transaction of the server. A raw search and the steps of a login are sent by
// POST and write nothing of the directory.
func isWrite(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return path != "/v1/raw/search" && path != "/v1/auth"
}

func isCreate(method, path string) bool {
	return method == http.MethodPost && (path == "/v1/person" || path == "/v1/group" || path == "/v1/raw/create")
}

// note is one write.
type note struct {
	method, path string
	status       int // 0: there was no answer
	took         time.Duration
	body         []byte // of what creates entries; else nil
}

// account is the writes that went through, in the order in which they ended. It may be used concurrently.
type account struct {
	mu    sync.Mutex
	notes []note
}

func (a *account) add(n note) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes = append(a.notes, n)
}

// writes is how many there were: a mark for since.
func (a *account) writes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.notes)
}

// since returns the writes after a mark.
func (a *account) since(mark int) []note {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.notes[mark:len(a.notes):len(a.notes)]
}

// longest is the longest write after the first few, zero if there are no more.
func longest(notes []note, but int) (d time.Duration) {
	for i, n := range notes {
		if i >= but {
			d = max(d, n.took)
		}
	}
	return d
}

// created are the ids that were sent with creates which were done, or of which nobody knows as no answer came.
func created(notes []note) (persons, groups []uuid.UUID) {
	for _, n := range notes {
		if n.body == nil || n.status != 0 && n.status != http.StatusOK {
			continue
		}
		var one entry
		var many struct{ Entries []entry }
		if json.Unmarshal(n.body, &one) != nil || json.Unmarshal(n.body, &many) != nil {
			continue // nothing came of it
		}
		for _, e := range append(many.Entries, one) {
			id, err := uuid.Parse(strings.Join(e.Attrs["uuid"], ""))
			switch {
			case err != nil:
			case n.path == "/v1/group" || slices.Contains(e.Attrs["class"], "group"):
				groups = append(groups, id)
			default:
				persons = append(persons, id)
			}
		}
	}
	return persons, groups
}
