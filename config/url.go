package config

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	urlerrors "github.com/nlnwa/whatwg-url/errors"
	"github.com/nlnwa/whatwg-url/url"
)

// url checks an absolute URL and writes it as Self-auth keeps it, by the WHATWG's URL standard (tried on 1.10.5):
// otherwise the plan after an apply would not be empty. What is written in another way than plain to see is refused.
func (r reader) url(name, text string) string {
	u, err := url.Parse(text)
	if err != nil {
		var why *urlerrors.ValidationError
		if errors.As(err, &why) && why.Type() != urlerrors.MissingSchemeNonRelativeURL {
			r.wrong(name, "Self-auth would refuse %q: %s", text, why.Type())
		} else {
			r.wrong(name, "%q is no absolute URL, as https://app.example.com/callback is one", text)
		}
		return text
	}
	kept, scheme := u.Href(false), u.Scheme()
	switch {
	case scheme == "http" && !loopbackHost(u.Hostname()):
		r.wrong(name, "%q is a plain http URL, which would show codes to the network; http is for loopback only", text)
	case strings.Contains(text, "#"):
		r.wrong(name, "%q has a fragment, which a redirect cannot have", text)
	case u.Username() != "" || u.Password() != "":
		r.wrong(name, "%q names a user, which is no part of a redirect", text)
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss", "ftp"},
		scheme):
		r.wrong(name, "%q is no place to send anybody to", text)
	case kept != text && kept != plainly(u, text):
		r.wrong(name, "Self-auth would keep %q as %q: write it so", text, kept)
	default:
		return kept
	}
	return text
}

// plainly is a URL as it is kept where it differs in nothing but what everybody knows to be the same: the case of
// scheme and host, the port that goes with the scheme, and an empty path.
func plainly(u *url.Url, text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if scheme != "http" && scheme != "https" {
		return scheme + ":" + rest
	}
	rest, slashes := strings.CutPrefix(rest, "//")
	if !slashes {
		return text
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, path := strings.ToLower(rest[:end]), rest[end:]
	if u.Port() == "" {
		host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + "://" + host + path
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
