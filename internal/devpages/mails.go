package devpages

import (
	"net/http"
	"slices"

	"anthill/internal/person"
)

// mostMails are listed, the newest.
const mostMails = 500

func (s *Server) showMails(w http.ResponseWriter, _ *http.Request) {
	list, err := person.Mails(s.o.Mails)
	if err != nil {
		s.show(w, http.StatusOK, "message", "The mails cannot be read: "+err.Error()+".")
		return
	}
	s.show(w, http.StatusOK, "mails", map[string]any{
		"Folder": s.o.Mails, "Count": len(list), "List": list[:min(len(list), mostMails)], "Most": mostMails,
	})
}

func (s *Server) showMail(w http.ResponseWriter, r *http.Request) {
	list, err := person.Mails(s.o.Mails)
	if err != nil {
		s.show(w, http.StatusOK, "message", "The mails cannot be read: "+err.Error()+".")
		return
	}
	i := slices.IndexFunc(list, func(m person.Mail) bool { return m.File == r.PathValue("file") })
	if i < 0 {
		s.show(w, http.StatusNotFound, "message", "There is no such mail.")
		return
	}
	s.show(w, http.StatusOK, "mail", list[i])
}
