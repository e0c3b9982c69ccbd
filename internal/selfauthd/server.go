package selfauthd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// DefaultDomain is that of a server that is not told another; certificates are made for it.
const DefaultDomain = "idm.example.test"

const (
	defaultVersion = "1.10.5"
	maxBody        = 2 << 20
	writerWait     = 5 * time.Second
)

// Options are the choices of Start; the zero value is a good default.
type Options struct {
	Addr    string           // "" = a free port of 127.0.0.1
	Domain  string           // "" = idm.example.test
	Version string           // "" = 1.10.5
	Now     func() time.Time // nil = time.Now
	// Certificate, Key and CA are PEM, as NewCertificate makes them; empty: new ones.
	Certificate, Key, CA []byte
	// Intercept sees every request first; true: it has answered.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
	// Faults are what goes wrong; nil: nothing.
	Faults *Faults
	// Cost makes calls take as long as they do on a real server: "real"; "" = as fast as it goes.
	Cost string
	// Sleep is how faults and costs take their time; nil = time.Sleep. A test passes one that moves its clock.
	Sleep func(time.Duration)
	// Dir keeps the directory in a folder and finds it there again, tokens, keys and passwords included; "" = in memory.
	Dir string
	// Deliver gets the links that a real server would send by mail, and the address; nil: nobody does. It is called while
	// the directory is held.
	Deliver func(mail, link string)
	// After is called when a request has had its effect and before it is answered; true drops the connection.
	After func(r *http.Request) bool
}

// Server is a running emulator. Its methods may be called concurrently.
type Server struct {
	o       Options
	store   *store
	url     string
	ca      []byte
	http    *http.Server
	routes  []route
	writer  chan struct{} // one writer
	keys    keyring
	logins  logins
	updates map[uuid.UUID]*update // of credentials, under way
	tokens  [2]string             // of Operator; the store's lock guards them
	kept    bool                  // the directory was found in Options.Dir
	count   atomic.Uint64
	served  chan error
	close   func() error
}

// Start serves on loopback until Close.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Domain == "" {
		o.Domain = DefaultDomain
	}
	if o.Version == "" {
		o.Version = defaultVersion
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = time.Sleep
	}
	if o.Cost != "" && o.Cost != costReal {
		return nil, fmt.Errorf("cost %q: it is %q or nothing", o.Cost, costReal)
	}
	if len(o.Certificate) == 0 {
		var err error
		if o.Certificate, o.Key, o.CA, err = NewCertificate(); err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
	}
	cert, err := pair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, ca: o.CA, writer: make(chan struct{}, 1), served: make(chan error, 1),
		url: fmt.Sprintf("https://localhost:%d", l.Addr().(*net.TCPAddr).Port)}
	s.keys, s.logins, s.updates = newKeyring(), newLogins(), map[uuid.UUID]*update{}
	s.store = newStore(o.Domain, o.Now, password(), password())
	if o.Dir != "" {
		if s.kept, err = s.keep(o.Dir); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	s.routes = s.table()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}
	s.close = sync.OnceValue(s.end)
	go func() { s.served <- s.http.ServeTLS(l, "", "") }()
	return s, nil
}

func password() string {
	var b [18]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// URL is the server's address.
func (s *Server) URL() string { return s.url }

// CA is the PEM of the authority that clients must trust.
func (s *Server) CA() []byte { return s.ca }

// Passwords are those of the two built-in accounts.
func (s *Server) Passwords() (idmAdmin, admin string) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return s.passwords()
}

func (s *Server) passwords() (idmAdmin, admin string) {
	return s.store.byID[system(0x18)].cred.plain, s.store.byID[system(0)].cred.plain
}

// Kept says whether the directory was found in Options.Dir.
func (s *Server) Kept() bool { return s.kept }

// Close ends all connections. It is safe to call twice.
func (s *Server) Close() error { return s.close() }

func (s *Server) end() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if j := s.store.journal; j != nil {
		s.store.journal = nil
		err = errors.Join(err, j.file.Close())
	}
	return err
}

// Counts are the live persons and the groups that are not built in.
func (s *Server) Counts() (persons, groups int) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	for _, e := range s.store.byID {
		switch {
		case e.kind == person:
			persons++
		case e.kind == group && !e.builtin:
			groups++
		}
	}
	return persons, groups
}

// Person and Group are entries that were there before.
type (
	Person struct {
		ID                  uuid.UUID
		Name, Display, Mail string
	}
	Group struct {
		ID   uuid.UUID
		Name string
	}
)

// Seed adds entries.
func (s *Server) Seed(persons []Person, groups []Group) error {
	var list []*entry
	for _, p := range persons {
		e := &entry{id: p.ID, kind: person, name: p.Name, display: p.Display}
		if p.Mail != "" {
			e.mails = []string{p.Mail}
		}
		list = append(list, e)
	}
	for _, g := range groups {
		list = append(list, &entry{id: g.ID, kind: group, name: g.Name, group: &groupPart{members: map[uuid.UUID]*entry{}}})
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for _, e := range list {
		if err := s.store.checkNew(map[uuid.UUID]bool{}, e); err != nil {
			s.store.commit(line{})
			return fmt.Errorf("seed %s: %v", e.name, err.body)
		}
		s.store.add(e)
	}
	s.store.commit(line{})
	return nil
}

// Operator returns the read-write and the read-only token of the service account operator_svc, which has every right
// that Anthill needs. It is made on the first call.
func (s *Server) Operator() (readWrite, readOnly string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if s.tokens[0] == "" {
		e := &entry{id: uuid.New(), kind: serviceAccount, name: "operator_svc", display: "Operator",
			managedBy: system(0x01), account: &accountPart{tokens: map[uuid.UUID]apiToken{}}}
		s.store.add(e)
		for _, g := range []uint16{idmPeopleAdmins, idmGroupAdmins, idmAccountPolicyAdmins, idmOAuth2Admins,
			idmRecycleBinAdmins} {
			s.store.join(s.store.byID[system(g)], e)
		}
		for i, write := range []bool{true, false} {
			s.tokens[i] = s.issue(e, tokenRequest{Label: "operator", ReadWrite: write})
		}
		s.store.commit(line{Operator: s.tokens[:]})
	}
	return s.tokens[0], s.tokens[1]
}

// route is one call of the API.
type route struct {
	method string
	path   []string // "{}" stands for any part
	do     func(*request) (any, *fault)
	open   bool // no token needed
	writes bool
	aside  bool // it changes what no other write is about: the real server does it beside them
	pieces bool // it holds the directory for itself, again and again
}

func on(method, path string, do func(*request) (any, *fault)) route {
	return route{method: method, path: strings.Split(path, "/")[1:], do: do}
}

func (r route) public() route { r.open = true; return r }

func (r route) write() route { r.writes = true; return r }

func (r route) beside() route { r.aside = true; return r }

func (r route) piecewise() route { r.pieces = true; return r }

func (s *Server) table() []route {
	list := []route{
		on("GET", "/v1/auth/valid", func(*request) (any, *fault) { return nil, nil }),
		on("POST", "/v1/auth", (*request).auth).public().beside(),
		on("POST", "/v1/reauth", (*request).again).beside(),
		on("GET", "/v1/logout", (*request).logout).public().beside(),
		on("GET", "/v1/self", (*request).self),
		on("GET", "/v1/self/_uat", (*request).uat),
		on("GET", "/v1/self/_applinks", empty), on("GET", "/v1/domain", empty), on("GET", "/v1/system", empty),
		on("GET", "/v1/account/{}/_user_auth_token", (*request).listSessions),
		on("DELETE", "/v1/account/{}/_user_auth_token/{}", (*request).endSession).write(),
		on("GET", "/v1/recycle_bin", (*request).bin),
		on("GET", "/v1/recycle_bin/{}", (*request).binEntry),
		on("POST", "/v1/recycle_bin/{}/_revive", (*request).revive).write(),
		on("POST", "/v1/raw/search", (*request).rawSearch),
		on("POST", "/v1/raw/create", (*request).rawCreate).write(),
		on("POST", "/v1/raw/modify", (*request).rawModify).write(),
		on("POST", "/v1/raw/delete", (*request).rawDelete).write(),
		on("GET", "/scim/v1/Entry", (*request).scimList).piecewise(),
		on("GET", "/scim/v1/Entry/{}", (*request).scimEntry),
		on("GET", "/scim/v1/Person/{}", (*request).scimPerson),
		on("POST", "/v1/service_account/{}/_api_token", (*request).newToken).write(),
		on("GET", "/v1/service_account/{}/_api_token", (*request).listTokens),
		on("DELETE", "/v1/service_account/{}/_api_token/{}", (*request).dropToken).write(),
	}
	list = append(list, credentialRoutes()...)
	list = append(list, clientRoutes()...)
	for base, k := range map[string]kind{"/v1/person": person, "/v1/group": group} {
		list = append(list, on("GET", base+"/_search/{}", func(q *request) (any, *fault) { return q.find(k) }))
	}
	for base, k := range map[string]kind{"/v1/person": person, "/v1/group": group, "/v1/service_account": serviceAccount} {
		list = append(list,
			on("GET", base, func(q *request) (any, *fault) { return q.list(k) }),
			on("POST", base, func(q *request) (any, *fault) { return q.create(k) }).write(),
			on("GET", base+"/{}", func(q *request) (any, *fault) { return q.get(k) }),
			on("PATCH", base+"/{}", func(q *request) (any, *fault) { return q.patch(k) }).write(),
			on("DELETE", base+"/{}", func(q *request) (any, *fault) { return q.remove(k) }).write(),
			on("GET", base+"/{}/_attr/{}", func(q *request) (any, *fault) { return q.attr(k) }),
			on("PUT", base+"/{}/_attr/{}", func(q *request) (any, *fault) { return q.setAttr(k) }).write(),
			on("POST", base+"/{}/_attr/{}", func(q *request) (any, *fault) { return q.appendAttr(k) }).write(),
			on("DELETE", base+"/{}/_attr/{}", func(q *request) (any, *fault) { return q.deleteAttr(k) }).write())
	}
	return list
}

func credentialRoutes() []route {
	return []route{
		on("GET", "/v1/person/{}/_credential/_status", (*request).credentialStatus),
		on("GET", "/v1/service_account/{}/_credential/_status", (*request).credentialStatus),
		on("GET", "/v1/service_account/{}/_credential/_generate", (*request).generate).write(),
		on("GET", "/v1/person/{}/_credential/_update", (*request).openUpdate).write(),
		on("GET", "/v1/person/{}/_credential/_update_intent", (*request).mintIntent).write(),
		on("GET", "/v1/person/{}/_credential/_update_intent/{}", (*request).mintIntent).write(),
		on("POST", "/v1/person/{}/_credential/_update_intent_send", (*request).sendIntent).write(),
		on("POST", "/v1/credential/_exchange_intent", (*request).exchangeIntent).public().write(),
		on("POST", "/v1/credential/_status", (*request).updateStatus).public(),
		on("POST", "/v1/credential/_update", (*request).updateCall).public().beside(),
		on("POST", "/v1/credential/_commit", (*request).commitUpdate).public().write(),
		on("POST", "/v1/credential/_cancel", (*request).cancelUpdate).public().write(),
	}
}

func clientRoutes() []route {
	list := []route{
		on("GET", "/oauth2", func(q *request) (any, *fault) { return q.list(client) }),
		on("GET", "/v1/oauth2", func(q *request) (any, *fault) { return q.list(client) }),
		on("POST", "/v1/oauth2/_basic", func(q *request) (any, *fault) { return q.createClient(false) }).write(),
		on("POST", "/v1/oauth2/_public", func(q *request) (any, *fault) { return q.createClient(true) }).write(),
		on("GET", "/v1/oauth2/{}", func(q *request) (any, *fault) { return q.get(client) }),
		on("PATCH", "/v1/oauth2/{}", func(q *request) (any, *fault) { return q.patch(client) }).write(),
		on("DELETE", "/v1/oauth2/{}", func(q *request) (any, *fault) { return q.remove(client) }).write(),
		on("POST", "/v1/oauth2/{}/_attr/{}", func(q *request) (any, *fault) { return q.appendAttr(client) }).write(),
		on("DELETE", "/v1/oauth2/{}/_attr/{}", func(q *request) (any, *fault) { return q.deleteAttr(client) }).write(),
		on("GET", "/v1/oauth2/{}/_basic_secret", (*request).clientSecret),
		on("POST", "/v1/oauth2/{}/_claimmap/{}", (*request).joinClaim).write(),
		on("POST", "/v1/oauth2/{}/_claimmap/{}/{}", (*request).setClaim).write(),
		on("DELETE", "/v1/oauth2/{}/_claimmap/{}/{}", (*request).dropClaim).write(),

		on("GET", "/oauth2/authorise", (*request).authoriseByQuery).public().beside(),
		on("POST", "/oauth2/authorise", (*request).authorise).public().beside(),
		on("POST", "/oauth2/authorise/permit", (*request).permit).beside(),
		on("POST", "/oauth2/token", (*request).token).public().beside(),
		on("OPTIONS", "/oauth2/token", allowed).public(),
		on("POST", "/oauth2/token/introspect", (*request).introspect).public(),
		on("POST", "/oauth2/token/revoke", (*request).revokeToken).public().beside(),
		on("GET", "/.well-known/openid-configuration/oauth2/openid/{}", (*request).discovery).public(),
		on("GET", "/.well-known/oauth-authorization-server/oauth2/openid/{}", (*request).metadata).public(),
		on("GET", "/.well-known/webfinger/oauth2/openid/{}", (*request).webfinger).public(),
	}
	for path, do := range map[string]func(*request) (any, *fault){
		"/.well-known/openid-configuration":       (*request).discovery,
		"/.well-known/oauth-authorization-server": (*request).metadata,
		"/.well-known/webfinger":                  (*request).webfinger,
		"/public_key.jwk":                         (*request).publicKeys,
		"/userinfo":                               (*request).userinfo,
	} {
		list = append(list, on("GET", "/oauth2/openid/{}"+path, do).public(),
			on("OPTIONS", "/oauth2/openid/{}"+path, allowed).public())
	}
	list = append(list, on("POST", "/oauth2/openid/{}/userinfo", (*request).userinfo).public())
	for path, sup := range map[string]bool{"_scopemap": false, "_sup_scopemap": true} {
		list = append(list,
			on("POST", "/v1/oauth2/{}/"+path+"/{}", func(q *request) (any, *fault) { return q.setScopes(sup) }).write(),
			on("DELETE", "/v1/oauth2/{}/"+path+"/{}", func(q *request) (any, *fault) { return q.dropScopes(sup) }).write())
	}
	return list
}

func empty(*request) (any, *fault) { return []any{}, nil }

// match finds the route of a request. known says whether the path exists with another method.
func (s *Server) match(r *http.Request) (found *route, vars []string, known bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := strings.Split(r.URL.EscapedPath(), "/")[1:]
	for i := range s.routes {
		route := &s.routes[i]
		got, ok := route.vars(parts)
		if !ok {
			continue
		}
		if route.method == method {
			return route, got, true
		}
		known = true
	}
	return nil, nil, known
}

func (r *route) vars(parts []string) (vars []string, ok bool) {
	if len(parts) != len(r.path) {
		return nil, false
	}
	for i, p := range r.path {
		if p != "{}" {
			if p != parts[i] {
				return nil, false
			}
			continue
		}
		v, err := url.PathUnescape(parts[i])
		if err != nil || v == "" && i == len(parts)-1 || strings.HasPrefix(v, "_search") {
			return nil, false
		}
		vars = append(vars, v)
	}
	return vars, true
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.o.Intercept != nil && s.o.Intercept(w, r) {
		return
	}
	if strings.HasPrefix(r.URL.Path, pagesAt) {
		w.Header().Set("X-KANIDM-OPID", uuid.NewString())
		w.Header().Set("X-KANIDM-VERSION", s.o.Version)
		s.servePage(w, r)
		return
	}
	s.serveAPI(w, r)
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	opid := uuid.NewString()
	h.Set("X-KANIDM-OPID", opid)
	if r.URL.Path == "/status" && r.Method == http.MethodGet {
		h.Set("Content-Type", "application/json")
		fmt.Fprint(w, "true")
		return
	}
	route, vars, known := s.match(r)
	if route == nil && !known {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "Route not found")
		return
	}
	h.Set("X-KANIDM-VERSION", s.o.Version)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		h.Set("Cache-Control", "no-store, no-cache, max-age=0")
		h.Set("Pragma", "no-cache")
	}
	if route == nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	q := &request{s: s, store: s.store, w: w, r: r, vars: vars, route: route}
	f := s.o.Faults.draw(s.count.Add(1))
	value, err := q.faulty(f)
	if err == nil {
		drop := s.o.After != nil && s.o.After(r)
		if drop || f.dropAfter && route.writes {
			panic(http.ErrAbortHandler)
		}
	}
	q.answer(value, err)
}

// serve reads the body, finds out who asks, and does it; a write waits for its turn first, and holds it while it lasts.
func (q *request) serve() (any, *fault) {
	if err := q.readBody(); err != nil {
		return nil, err
	}
	if !q.route.writes {
		value, err := q.perform()
		q.pay()
		return value, err
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), writerWait)
	defer cancel()
	select {
	case q.s.writer <- struct{}{}:
		defer func() { <-q.s.writer }()
	case <-ctx.Done():
		return nil, lockTimeout
	}
	value, err := q.perform()
	q.pay()
	return value, err
}

var lockTimeout = internal("databaselockacquisitiontimeout")

// perform does what is asked while the directory is held, all of it but for calls that do so piece by piece.
func (q *request) perform() (value any, err *fault) {
	switch {
	case q.route.writes || q.route.aside:
		q.store.mu.Lock()
		defer q.store.mu.Unlock()
		q.store.purge()
		defer func() {
			if err != nil {
				q.store.abort()
				return
			}
			q.store.commit(line{})
		}()
	case q.route.pieces:
		return q.asCaller(q.held(q.authenticate))
	default:
		q.store.mu.RLock()
		defer q.store.mu.RUnlock()
	}
	if q.route.open {
		return q.route.do(q)
	}
	return q.asCaller(q.authenticate())
}

// asCaller does what is asked for who asks. Who is refused hears first what is wrong with the body or the query: the
// layer below the API reads them.
func (q *request) asCaller(refused *fault) (any, *fault) {
	if refused == nil {
		return q.route.do(q)
	}
	if m := q.route.method; m == http.MethodPost || m == http.MethodPut || m == http.MethodPatch ||
		q.route.path[0] == "scim" {
		q.caller, q.refused = &caller{readOnly: true}, refused
		if _, err := q.route.do(q); err != nil && err.text != "" {
			return nil, err
		}
	}
	return nil, refused
}

// held reads while the directory is held.
func (q *request) held(read func() *fault) *fault {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	return read()
}
