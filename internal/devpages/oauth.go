package devpages

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"

	"anthill/internal/person"
)

const (
	wishCookie = "login"
	wishFor    = 10 * time.Minute
	mostWishes = 100
)

// wishes are the logins under way, by what the browser's cookie holds. Safe for concurrent use.
type wishes struct {
	mu   sync.Mutex
	by   map[string]person.Wish
	keys []string // in the order of their beginning
}

func newWishes() *wishes { return &wishes{by: map[string]person.Wish{}} }

// begin keeps a new one; of more than a hundred the oldest is forgotten.
func (w *wishes) begin() (key string, wish person.Wish) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, wish = rand.Text(), person.NewWish()
	w.by[key], w.keys = wish, append(w.keys, key)
	if len(w.keys) > mostWishes {
		delete(w.by, w.keys[0])
		w.keys = w.keys[1:]
	}
	return key, wish
}

// take gives one out, once.
func (w *wishes) take(key string) (person.Wish, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish, ok := w.by[key]
	delete(w.by, key)
	return wish, ok
}

// bySelfAuth sends the browser to Self-auth.
func (s *Server) bySelfAuth(w http.ResponseWriter, r *http.Request) {
	if s.o.SelfAuth == nil {
		s.login(w, "There is no Self-auth server.")
		return
	}
	if _, err := s.secret(r.Context()); err != nil {
		s.login(w, sentence(err.Error()))
		return
	}
	key, wish := s.wishes.begin()
	s.keep(w, key, int(wishFor.Seconds()))
	http.Redirect(w, r, s.o.SelfAuth.Address(s.client(""), wish), http.StatusSeeOther)
}

func (s *Server) keep(w http.ResponseWriter, key string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: wishCookie, Value: key, Path: "/oauth/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// callback is where Self-auth sends the browser back to.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var wish person.Wish
	ok := false
	if c, err := r.Cookie(wishCookie); err == nil {
		wish, ok = s.wishes.take(c.Value)
	}
	s.keep(w, "", -1)
	switch {
	case s.o.SelfAuth == nil || !ok || query.Get("state") != wish.State:
		s.login(w, "This login was not begun here, or has ended. Begin again.")
		return
	case query.Get("error") != "":
		s.login(w, fmt.Sprintf("Self-auth does not let you in: %s.", query.Get("error")))
		return
	}
	if err := s.enter(w, r, query.Get("code"), wish); err != nil {
		s.refuse(w, err)
	}
}

// enter redeems the code and shows as what the application lets the person in.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, code string, wish person.Wish) error {
	secret, err := s.secret(r.Context())
	if err != nil {
		return err
	}
	claims, err := s.o.SelfAuth.Redeem(r.Context(), code, s.client(secret), wish)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(claims.Subject)
	if err != nil {
		return fmt.Errorf("read the subject of the id token: %w", err)
	}
	p, err := s.o.App.ByGroups(r.Context(), id, claims.Groups)
	if err != nil {
		return err
	}
	s.show(w, http.StatusOK, "in", letIn{claims.Name, "Self-auth", p})
	return nil
}

// sentence is an error as one.
func sentence(text string) string {
	first := []rune(text)
	first[0] = unicode.ToUpper(first[0])
	return strings.TrimSuffix(string(first), ".") + "."
}
