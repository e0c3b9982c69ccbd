package selfauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// errTaken is the cause of a refused id: of a live entry or of a deleted one, which only a look can tell.
var errTaken = errors.New("the id is in use")

// errUnseen is the cause where the entry that a call is about is absent or hidden, not one that it names as a member.
var errUnseen = errors.New("no such entry is shown")

// errNoCall is the cause of a refused bulk call that the server, or what stands before it, does not have at all.
var errNoCall = errors.New("no such call")

// errNobodyMay is the cause where a call that needs no token is refused before it is asked who makes it.
var errNobodyMay = errors.New("nobody may")

func missingCall(err error) bool { return errors.Is(err, errNoCall) }

// burnt is the error of an id that is in use, once nothing live is found to have it.
func burnt(err error) error {
	var e *state.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Kind = state.ErrorBurnt
	c.Reason = "the id belongs to a deleted entry, which Self-auth remembers for up to 14 days"
	return &c
}

const (
	cureFile = "Put the API token of Anthill's service account there, and nothing else, or take token_file away " +
		"and set SELF_AUTH_ADMIN_TOKEN."
	cureURL   = "Check SELF_AUTH_URL."
	cureToken = "Make a new API token for Anthill's service account and set SELF_AUTH_ADMIN_TOKEN to it."
)

// refusal turns an answer other than 200 into an error, by its body (docs/selfauth-facts.md F4): the status alone says
// little.
func (c *conn) refusal(k call, resp *http.Response, text []byte) *failure {
	// The order matters: codes come before the statuses that they share with others (many a refusal is a 500), and what
	// only Self-auth can have said before what may come from something in between.
	code, isJSON := codeOf(text)
	f := &failure{err: &state.Error{Side: side, Doing: k.doing, Request: requestID(resp.Header)}}
	e := f.err
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || code == "notauthenticated" || code == "sessionexpired":
		e.Kind, e.Cure, e.Reason = state.ErrorUnauthenticated, cureToken, c.whyNotIn(code)
	case status == http.StatusForbidden && isJSON || code == "accessdenied" || code == "systemprotectedobject" ||
		code == "notauthorised": // of credentials (F51)
		e.Kind = state.ErrorDenied
		e.Reason, e.Cure = c.whyDenied(k)
	case code == "nomatchingentries":
		e.Kind, e.Reason = state.ErrorNotFound, "Self-auth has no such entry, or does not show it to this token"
		e.Err = errUnseen
	case code == "databaselockacquisitiontimeout":
		e.Kind, e.Reason = state.ErrorTransient, "Self-auth is busy with other writes"
		e.Cure = again(k)
		f.tries = transientTries
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		e.Kind, e.Reason = state.ErrorTransient, fmt.Sprintf("Self-auth takes no requests at the moment (status %d)",
			status)
		e.Cure = again(k)
		f.tries, f.after = transientTries, c.retryAfter(resp.Header.Get("Retry-After"))
	case status == http.StatusRequestEntityTooLarge:
		e.Kind, e.Reason = state.ErrorRefused, "it is more than Self-auth takes in one request"
	case 300 <= status && status < 400:
		e.Kind, e.Reason = state.ErrorUnreachable,
			"the server answers with a redirect, which Anthill does not follow since the token would go along"
		e.Cure = "Set SELF_AUTH_URL to the address of the Self-auth server itself."
	case status == http.StatusRequestTimeout || status >= 502:
		e.Kind, e.Reason, e.Cure = state.ErrorUnreachable,
			fmt.Sprintf("no answer came from Self-auth (status %d)%s", status, unknown(k)), again(k)
		f.tries = readTries(k)
	// Some put a proxy before the server that lets no bulk calls through: those are done one by one then (errNoCall).
	case strings.HasPrefix(k.path, "/v1/raw/") && (status == http.StatusNotFound ||
		status == http.StatusMethodNotAllowed || status == http.StatusForbidden):
		e.Kind, e.Reason, e.Err = state.ErrorUnreachable,
			fmt.Sprintf("there is no call %s at this address (status %d)", k.path, status), errNoCall
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		e.Kind, e.Reason, e.Cure = state.ErrorUnreachable,
			fmt.Sprintf("there is no Self-auth server of version 1.8 or later at this address (status %d)", status),
			cureURL
	case k.nobody && status == http.StatusBadRequest && len(text) == 0:
		e.Kind, e.Reason, e.Err = state.ErrorRefused, "Self-auth refuses it, whoever asks", errNobodyMay
	case isJSON:
		e.Kind, e.Reason, e.Err = c.whyRefused(code, text)
		if e.Kind == state.ErrorInternal && code == "resourcelimit" {
			e.Cure = "Use an API token of a service account: a person's session may read 1024 entries only."
		}
	case status >= 500:
		e.Kind, e.Reason, e.Cure = state.ErrorUnreachable,
			fmt.Sprintf("the answer is not Self-auth's (status %d)%s", status, unknown(k)), again(k)
	default:
		e.Kind, e.Reason = state.ErrorInternal, fmt.Sprintf("Self-auth answers with status %d: %s", status,
			c.clean(firstWords(text)))
	}
	return f
}

func (c *conn) whyNotIn(code string) string {
	switch {
	case !c.token.expires.IsZero() && !c.now().Before(c.token.expires):
		return "the token expired on " + c.token.expires.Format("2006-01-02 15:04:05 UTC")
	case code == "sessionexpired":
		return "the token has expired or was revoked, or its account has expired"
	}
	return "this server does not know the token"
}

func (c *conn) whyDenied(k call) (reason, cure string) {
	if k.writes && c.token.writes == providers.WriteNo {
		return "the token may read only",
			"Make a token that may write (read_write) and set SELF_AUTH_ADMIN_TOKEN to it."
	}
	reason = "Self-auth does not allow it to the account of this token"
	if k.right == "" {
		return reason, ""
	}
	cure = "The right comes with the built-in group " + k.right + ": add the account to it."
	if k.writes {
		cure += " Entries that Self-auth protects (its own groups, members of idm_high_privilege) may stay closed " +
			"to it."
	}
	return reason, cure
}

// whyRefused tells kinds of refusals by their code.
func (c *conn) whyRefused(code string, text []byte) (state.ErrorKind, string, error) {
	switch {
	case strings.HasPrefix(code, "attributeuniqueness") || strings.Contains(code, "conflicting_attributes") ||
		strings.HasPrefix(code, "plugin/attrunique"):
		return state.ErrorConflict, whatClashes(text), nil
	case code == "plugin/base/uuid duplicate found in database":
		return state.ErrorConflict, "the id exists already", errTaken
	case code == "plugin/base/uuid duplicate detected in request":
		return state.ErrorConflict, "the same id stands twice in one request", nil
	case strings.HasPrefix(code, "plugin/referentialintegrity"):
		return state.ErrorNotFound, "an entry that is to be a member does not exist in Self-auth", nil
	case strings.HasPrefix(code, "invalidattribute/") && strings.Contains(code, "email"):
		return state.ErrorRefused, "Self-auth refuses the e-mail address", nil
	case strings.HasPrefix(code, "schemaviolation/invalidattributesyntax/"):
		return state.ErrorRefused, "Self-auth refuses the " + word(code[strings.LastIndexByte(code, '/')+1:]), nil
	case strings.HasPrefix(code, "schemaviolation/missingmustattribute/"):
		return state.ErrorRefused, "the " + word(code[strings.LastIndexByte(code, '/')+1:]) + " is missing", nil
	case code == "valuedenyname":
		return state.ErrorRefused, "the name is on Self-auth's list of denied names", nil
	case code == "invalidentrystate":
		return state.ErrorRefused, "the name is missing", nil
	case code == "invalidvaluestate":
		return state.ErrorRefused, "Self-auth cannot show an entry that refers to a deleted one", errBroken
	case strings.HasPrefix(code, "schemaviolation/") || strings.HasPrefix(code, "invalidattribute/"):
		return state.ErrorRefused, "Self-auth refuses a value: " + c.clean(code), nil
	}
	return state.ErrorInternal, "Self-auth answers " + c.clean(code), nil
}

// word is an attribute's name for people.
func word(attribute string) string {
	switch attribute {
	case "mail":
		return "e-mail address"
	case "displayname":
		return "display name"
	case "name", "description":
		return attribute
	}
	return "attribute " + firstWords([]byte(attribute))
}

// whatClashes reads which attributes of a refused entry are in use; the server names no values.
func whatClashes(text []byte) string {
	has := func(name string) bool { return strings.Contains(string(text), `"`+name+`"`) }
	switch name, mail := has("name") || has("spn"), has("mail"); {
	case name && mail:
		return "an entry with this name and one with this e-mail address exist already"
	case name:
		return "an entry with this name exists already"
	case mail:
		return "an entry with this e-mail address exists already"
	}
	return "an entry with this name or e-mail address exists already"
}

// codeOf flattens an error body, {"plugin":{"base":"X"}} to "plugin/base/x", and says whether it was JSON. The
// content type is no guide.
func codeOf(text []byte) (string, bool) {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return "", false
	}
	return strings.ToLower(flatten(v, 0)), true
}

func flatten(v any, depth int) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if depth > 4 || len(v) == 0 {
			return ""
		}
		return flatten(v[0], depth+1)
	case map[string]any:
		if depth > 4 || len(v) == 0 {
			return ""
		}
		var keys []string
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return keys[0] + "/" + flatten(v[keys[0]], depth+1)
	}
	return fmt.Sprintf("%T", v)
}

// firstWords is a text answer up to its first colon or line end: behind a colon the server quotes values.
func firstWords(text []byte) string {
	s := string(text[:min(len(text), 200)])
	if i := strings.IndexAny(s, ":\n\r"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

// clean takes the token, addresses and control characters out of text that the other side made, and shortens it.
func (c *conn) clean(text string) string {
	for _, part := range append([]string{c.token.secret}, strings.Split(c.token.secret, ".")...) {
		// A shorter one is no secret, and may be part of any word.
		if len(part) >= 8 {
			text = strings.ReplaceAll(text, part, "(token)")
			text = strings.ReplaceAll(text, strings.ToLower(part), "(token)")
		}
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = "(address)"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > 200 {
		runes = append(runes[:200], '…')
	}
	return string(runes)
}

// requestID is the server's id of the request, if it is one.
func requestID(h http.Header) string {
	id, err := uuid.Parse(h.Get("X-KANIDM-OPID"))
	if err != nil {
		return ""
	}
	return id.String()
}

// unknown is what to add to the reason of a failed write that may have been done.
func unknown(k call) string {
	if k.writes {
		return "; whether it was done is not known"
	}
	return ""
}

// again is the cure of a call that may go well another time.
func again(k call) string {
	if k.writes {
		return "Run the same command again: it looks first at what was done."
	}
	return "Run the same command again."
}

// readTries: a lost read may be tried again, and a write that changes nothing the second time.
func readTries(k call) int {
	if k.writes && !k.twice {
		return 0
	}
	return connectionTries
}

// lost turns an error of the connection into one of kind Unreachable. A write is tried again only when no
// connection was made.
func (c *conn) lost(ctx context.Context, k call, err error) *failure {
	// The caller's own context ended: that is no failure of the server, and not to be tried again.
	cause := context.Cause(ctx)
	if cause != nil && !errors.Is(cause, errSlow) {
		return &failure{err: interrupted(ctx, k, strings.TrimPrefix(unknown(k), "; "))}
	}
	e := &state.Error{Kind: state.ErrorUnreachable, Side: side, Doing: k.doing}
	f := &failure{err: e}
	var (
		certificate *tls.CertificateVerificationError
		dns         *net.DNSError
		op          *net.OpError
	)
	switch {
	case errors.Is(cause, errSlow):
		e.Reason, e.Cure = "no answer came in time"+unknown(k), again(k)
	case errors.As(err, &certificate):
		e.Reason, e.Cure = whyUntrusted(certificate.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Reason, e.Cure = "the server at "+c.origin+" does not speak TLS", cureURL
	case errors.As(err, &dns):
		e.Reason, e.Cure = "the host of "+c.origin+" is not found", cureURL
		if dns.IsTemporary || dns.IsTimeout {
			f.tries = connectionTries
		}
	case errors.As(err, &op) && op.Op == "dial":
		e.Reason, e.Cure = "no connection to "+c.origin+": "+c.clean(op.Err.Error()),
			"Check that Self-auth runs, and SELF_AUTH_URL."
		f.tries = connectionTries
	default:
		e.Reason, e.Cure = "the connection to "+c.origin+" was lost ("+c.clean(inner(err).Error())+")"+unknown(k),
			again(k)
		f.tries = readTries(k)
	}
	return f
}

// inner is an error without the request's URL around it.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func whyUntrusted(err error) (reason, cure string) {
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &host):
		return "the server's certificate is for another host name",
			"Set SELF_AUTH_URL to a name that the certificate holds; if a private authority signed it, " +
				"SELF_AUTH_CA_FILE names its certificate."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate, or one above it, has expired or is not valid yet",
			"Renew the server's certificate, or check this machine's clock. SELF_AUTH_CA_FILE must hold the " +
				"authority's present certificate."
	}
	return "the server's certificate is not signed by an authority that is trusted here",
		"Set SELF_AUTH_CA_FILE to a PEM file with the certificate of the authority that signed it."
}

// interrupted is the error of a call that the caller's context ended; so errors.Is finds the context's error.
func interrupted(ctx context.Context, k call, what string) *state.Error {
	reason := "interrupted"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		reason = "the time given to it ran out"
	}
	if what != "" {
		reason += ": " + what
	}
	return &state.Error{Kind: state.ErrorUnreachable, Side: side, Doing: k.doing, Reason: reason, Err: ctx.Err()}
}

// unreadable is the error of an answer of status 200 that is not as it should be. A write counts as unknown: what
// answers so is not Self-auth.
func (c *conn) unreadable(k call, resp *http.Response, err error, handed bool) *failure {
	e := &state.Error{Kind: state.ErrorInternal, Side: side, Doing: k.doing, Request: requestID(resp.Header)}
	f := &failure{err: e}
	var (
		kind   *json.UnmarshalTypeError
		syntax *json.SyntaxError
	)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errCut):
		e.Kind, e.Reason, e.Cure = state.ErrorUnreachable, "the answer ended early"+unknown(k), again(k)
		if !handed {
			f.tries = readTries(k)
		}
		return f
	case errors.As(err, &kind):
		e.Reason = fmt.Sprintf("the answer holds a value of another type than Self-auth's (at byte %d)", kind.Offset)
	case errors.As(err, &syntax):
		e.Reason = fmt.Sprintf("the answer is not JSON (at byte %d)", syntax.Offset)
	default:
		e.Reason = "the answer cannot be used: " + c.clean(err.Error())
	}
	e.Cure = "Check that SELF_AUTH_URL is the address of a Self-auth server of version 1.8 or later, with nothing " +
		"in between that changes its answers."
	// Something in between has answered, or changed the answer. A write may have been done all the same.
	if k.writes || !fromSelfauth(resp.Header) {
		e.Kind = state.ErrorUnreachable
	}
	e.Reason += unknown(k)
	return f
}

// fromSelfauth says whether an answer has a header that only this server sets.
func fromSelfauth(h http.Header) bool { return h.Get("X-KANIDM-VERSION") != "" }
