package selfauthd

import "github.com/nlnwa/whatwg-url/url"

// parseURL puts a URL into the form in which it is kept, that of the WHATWG's standard; false: it is none.
func parseURL(value string) (string, bool) {
	u, err := url.Parse(value)
	if err != nil {
		return "", false
	}
	return u.Href(false), true
}
