package selfauthd

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// request is one call being answered.
type request struct {
	s      *Server
	store  *store
	w      http.ResponseWriter
	r      *http.Request
	route  *route
	vars   []string
	body   []byte
	work   work
	caller *caller

	refused *fault // whoever asks is; a body that can be read ends with it
}

// fault is an error as the server tells it.
type fault struct {
	status int
	body   any    // JSON
	text   string // plain text instead, of the layer below the API
	json   bool   // typed as JSON
}

func internal(word string) *fault { return &fault{status: http.StatusInternalServerError, body: word} }

var (
	notAuthenticated = &fault{status: http.StatusUnauthorized, body: "notauthenticated"}
	sessionExpired   = &fault{status: http.StatusUnauthorized, body: "sessionexpired"}
	accessDenied     = &fault{status: http.StatusForbidden, body: "accessdenied"}
	noMatching       = &fault{status: http.StatusNotFound, body: "nomatchingentries"}
	emptyRequest     = &fault{status: http.StatusBadRequest, body: "emptyrequest"}
	resourceLimit    = internal("resourcelimit")
)

func plugin(name, text string) *fault {
	return &fault{status: http.StatusInternalServerError, body: map[string]any{"plugin": map[string]string{name: text}}}
}

var unresolved = plugin("referentialintegrity", "Uuid referenced not found in database")

func invalidAttribute(text string) *fault {
	return &fault{status: http.StatusBadRequest, body: map[string]string{"invalidattribute": text}}
}

func invalidName(attr string) *fault {
	return &fault{status: http.StatusBadRequest, body: map[string]string{"invalidattributename": attr}}
}

func violation(kind string, value any) *fault {
	return &fault{status: http.StatusBadRequest, body: map[string]any{"schemaviolation": map[string]any{kind: value}}}
}

// bareViolation is a violation that has no more to say.
func bareViolation(kind string) *fault {
	return &fault{status: http.StatusBadRequest, body: map[string]string{"schemaviolation": kind}}
}

func badSyntax(attr string) *fault { return violation("invalidattributesyntax", attr) }

// conflict is the body of uniqueness errors, which alone is typed as JSON.
func conflict(attrs []string) *fault {
	return &fault{status: http.StatusConflict, json: true,
		body: map[string]any{"error": "Attribute uniqueness error", "conflicting_attributes": attrs}}
}

func (q *request) readBody() *fault {
	b, err := io.ReadAll(http.MaxBytesReader(q.w, q.r.Body, maxBody))
	if err != nil {
		return &fault{status: http.StatusRequestEntityTooLarge,
			text: "Failed to buffer the request body: length limit exceeded"}
	}
	q.body = b
	return nil
}

// hasBody says whether an optional body was given: without a content type there is none.
func (q *request) hasBody() bool { return q.r.Header.Get("Content-Type") != "" }

// decode reads the body as JSON of a shape; required says what of it must be there.
func (q *request) decode(v any, required func() string) *fault {
	kind, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type"))
	isJSON := kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
	if err != nil || !isJSON {
		return &fault{status: http.StatusUnsupportedMediaType, text: "Expected request with `Content-Type: application/json`"}
	}
	var shape *json.UnmarshalTypeError
	var own *shapeError
	err = decodeStrictly(q.body, v)
	switch {
	case errors.As(err, &shape):
		return wrongShape(shape.Error())
	case errors.As(err, &own):
		return wrongShape(own.text)
	case err != nil:
		return &fault{status: http.StatusBadRequest, text: "Failed to parse the request body as JSON: " + err.Error()}
	}
	if required != nil {
		if lacks := required(); lacks != "" {
			return wrongShape("missing field `" + lacks + "`")
		}
	}
	return q.refused
}

// shapeError is JSON of another shape than wanted, found by a decoder of ours.
type shapeError struct{ text string }

func (e *shapeError) Error() string { return e.text }

func wrongShape(text string) *fault {
	return &fault{status: http.StatusUnprocessableEntity,
		text: "Failed to deserialize the JSON body into the target type: " + text}
}

// attrsBody is the body of creates and patches.
func (q *request) attrsBody() (map[string][]string, *fault) {
	var in struct {
		Attrs map[string]words `json:"attrs"`
	}
	err := q.decode(&in, func() string {
		if in.Attrs == nil {
			return "attrs"
		}
		return ""
	})
	return lowerKeys(in.Attrs), err
}

func lowerKeys(attrs map[string]words) map[string][]string {
	out := make(map[string][]string, len(attrs))
	for k, v := range attrs {
		out[strings.ToLower(k)] = v
	}
	return out
}

func (q *request) listBody() ([]string, *fault) {
	var list words
	err := q.decode(&list, nil)
	return list, err
}

// streamed says that an answer was written already.
type streamed struct{}

func (q *request) answer(value any, err *fault) {
	if _, done := value.(streamed); done {
		return
	}
	if p, ok := value.(plain); ok && err == nil {
		q.write(p)
		return
	}
	h := q.w.Header()
	status := http.StatusOK
	if err != nil {
		if status = err.status; status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", "Bearer")
		}
		value = err.body
		h.Set("Content-Type", "text/plain; charset=utf-8")
		if err.text != "" {
			q.w.WriteHeader(status)
			_, _ = io.WriteString(q.w, err.text)
			return
		}
	}
	if err == nil || err.json {
		h.Set("Content-Type", "application/json")
	}
	q.w.WriteHeader(status)
	_, _ = q.w.Write(mustMarshal(value))
}
