package devpages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net"
	"net/http"
	"sync"
	"time"

	"anthill/internal/person"
	"anthill/internal/sandbox"
)

// Options say what the pages are about.
type Options struct {
	Addr     string // of this machine; "" or one that is taken: any free port
	Mails    string // the folder of .eml files; it need not be there
	App      *sandbox.Application
	Password string         // of the users, to be shown; "": not known
	SelfAuth *person.Server // nil: there is none
	Token    string         // an operator's, who may read the client's secret
}

// Server serves the pages.
type Server struct {
	o      Options
	addr   string
	server *http.Server
	ended  chan struct{}
	wishes *wishes
}

// Start begins to serve. Close the server.
func Start(o Options) (*Server, error) {
	l, err := listen(o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, addr: l.Addr().String(), ended: make(chan struct{}), wishes: newWishes()}
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(l) // ends with Close
	}()
	return s, nil
}

func listen(addr string) (net.Listener, error) {
	if addr != "" {
		if l, err := net.Listen("tcp", addr); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// Addr is where the pages are: host and port.
func (s *Server) Addr() string { return s.addr }

// URL is the application's; the mails are at /mails below it.
func (s *Server) URL() string { return "http://" + s.addr }

// Close ends all of it.
func (s *Server) Close() error {
	err := s.server.Close()
	<-s.ended
	return err
}

// client is the application as the configuration of examples/quickstart has it.
func (s *Server) client(secret string) person.Client {
	return person.Client{
		ID: "app", Secret: secret, Redirect: s.URL() + "/oauth/callback",
		Scopes: []string{"openid", "profile", "email", "groups", "groups_name"},
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showLogin)
	mux.HandleFunc("POST /login/password", s.byPassword)
	mux.HandleFunc("POST /login/self-auth", s.bySelfAuth)
	mux.HandleFunc("GET /oauth/callback", s.callback)
	mux.HandleFunc("GET /mails", s.showMails)
	mux.HandleFunc("GET /mails/{file}", s.showMail)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.show(w, http.StatusNotFound, "message", "There is no such page.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash()+"'; frame-ancestors 'none'; base-uri 'none'")
		switch {
		case r.Host != s.addr:
			// The mails hold codes: a name of somebody else's that leads here must not read them.
			s.show(w, http.StatusForbidden, "message", "These pages are at "+s.URL()+" alone.")
			return
		case http.NewCrossOriginProtection().Check(r) != nil:
			s.show(w, http.StatusForbidden, "message", "Another site has sent this form.")
			return
		}
		const most = 64 << 10
		r.Body = http.MaxBytesReader(w, r.Body, most)
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) showLogin(w http.ResponseWriter, _ *http.Request) { s.login(w, "") }

// login shows the two ways in; problem is why the last one failed, or "".
func (s *Server) login(w http.ResponseWriter, problem string) {
	s.show(w, http.StatusOK, "login", map[string]any{
		"Problem": problem, "Password": s.o.Password, "SelfAuth": s.o.SelfAuth != nil,
	})
}

// letIn is what the page of a login that worked shows.
type letIn struct {
	Who, Way string
	sandbox.Place
}

func (s *Server) byPassword(w http.ResponseWriter, r *http.Request) {
	email := r.PostFormValue("email")
	p, err := s.o.App.ByPassword(r.Context(), email, r.PostFormValue("password"))
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.show(w, http.StatusOK, "in", letIn{email, "password", p})
}

// refuse says why somebody is not let in.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var no *person.Denied
	if errors.Is(err, sandbox.ErrNotAllowed) || errors.As(err, &no) {
		s.login(w, sentence(err.Error()))
		return
	}
	s.login(w, "That did not work: "+err.Error()+".")
}

func (s *Server) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // the templates are ours
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that went away is told nothing
}

// styleHash lets the one style of the pages through the policy, and no other.
func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return style },
		"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).Parse(texts))
})

// secret is that of the client, which is there once a configuration with it was applied.
func (s *Server) secret(ctx context.Context) (string, error) {
	secret, err := s.o.SelfAuth.Secret(ctx, s.o.Token, "app")
	var no *person.Denied
	if errors.As(err, &no) {
		err = errors.New("Self-auth knows no client \"app\" yet: apply a configuration with an oauth2_client of that name, whose " +
			"redirect_urls name " + s.URL() + "/oauth/callback (examples/quickstart)")
	}
	return secret, err
}
