package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// url checks an absolute URL and writes it as Self-auth keeps it (the WHATWG's URL standard, tried on 1.10.5): otherwise the plan
// after an apply would not be empty. What would be written in a way that is not plain to see is refused.
func (r reader) url(name, text string) string {
	u, err := url.Parse(text)
	web := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	switch {
	case err != nil || !u.IsAbs():
		r.wrong(name, "%q is no absolute URL", text)
		return text
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		r.wrong(name, "%q has spaces or letters beside those of ASCII: write them with percent signs, and a host with \"xn--\"", text)
		return text
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		r.wrong(name, "%q is a plain http URL, which would show codes to the network; http is for loopback only", text)
		return text
	case u.Hostname() == "" && (web || u.Host != ""):
		r.wrong(name, "%q names no host", text)
		return text
	case strings.Contains(text, "#"):
		r.wrong(name, "%q has a fragment, which a redirect cannot have", text)
		return text
	case u.User != nil || strings.ContainsAny(text, `'"<>\^{|}*`+"`") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		r.wrong(name, "%q is not written plainly: no user, no dots or quotes that a browser would take out", text)
		return text
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss", "ftp"}, u.Scheme):
		r.wrong(name, "%q is no place to send anybody to", text)
		return text
	}
	if why := portProblem(u); why != "" {
		r.wrong(name, "%q %s", text, why)
		return text
	}
	if why := hostProblem(u, web); why != "" {
		r.wrong(name, "%q %s", text, why)
		return text
	}
	if !web { // only the scheme is written in another way
		return u.Scheme + text[len(u.Scheme):]
	}
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// portProblem says what is wrong with the port of a URL; empty: nothing.
func portProblem(u *url.URL) string {
	port := u.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case strings.HasSuffix(u.Host, ":"):
		return `has a ":" without a port: leave it out`
	case port != "" && err != nil:
		return "has the port " + port + ", and the highest is 65535"
	case port != "" && port != strconv.FormatUint(n, 10):
		return "has a port with a 0 before it, which a browser takes out: write " + strconv.FormatUint(n, 10)
	}
	return ""
}

var (
	hostForm   = regexp.MustCompile(`^[0-9A-Za-z._-]+$`)
	numberForm = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)
)

// hostProblem says what is wrong with the host of a URL; empty: nothing. That of an address on the web is a domain, or an
// address in the one form in which browsers write it.
func hostProblem(u *url.URL, web bool) string {
	host := strings.ToLower(u.Hostname())
	if strings.HasPrefix(u.Host, "[") {
		ip, err := netip.ParseAddr(host)
		switch {
		case err != nil || !ip.Is6():
			return "has no IPv6 address in its brackets"
		case ip.Zone() != "":
			return "names a network interface, which means nothing to others: leave out what begins with %25"
		case ip.Is4In6():
			return "has an IPv4 address in the form of IPv6: write " + ip.Unmap().String()
		case ip.String() != host || !web && host != u.Hostname():
			return "has an IPv6 address that browsers write in another way: write [" + ip.String() + "]"
		}
		return ""
	}
	if u.Host != "" && !hostForm.MatchString(host) {
		return `has a host of other characters than letters, digits, "-", "_" and ".": write it as DNS has it, with "xn--" if need be`
	}
	if !web {
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if numberForm.MatchString(labels[len(labels)-1]) {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is4() {
			return "has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1"
		}
	}
	for _, label := range labels {
		if code, encoded := strings.CutPrefix(label, "xn--"); encoded && !isEncoded(code) {
			return "has " + label + ` in its host, which stands for no word: "xn--" begins what a program has encoded`
		}
	}
	return ""
}

// isEncoded says whether a label of a domain, without its "xn--", is the Punycode (RFC 3492) of a word in the form in which
// domains have words: not of ASCII alone, in small letters, without compatible ones.
func isEncoded(code string) bool {
	const (
		base, least, most, skew = 36, 1, 26, 38
		digits                  = "abcdefghijklmnopqrstuvwxyz0123456789"
	)
	var word []rune
	if cut := strings.LastIndex(code, "-"); cut >= 0 {
		word, code = []rune(code[:cut]), code[cut+1:]
	}
	if code == "" {
		return false
	}
	next, at, bias, damp := utf8.RuneSelf, 0, 72, 700
	for code != "" {
		before, weight := at, 1
		for k := base; ; k += base {
			if code == "" {
				return false
			}
			digit := strings.IndexByte(digits, code[0])
			if code = code[1:]; digit < 0 || weight > 1<<31 {
				return false
			}
			at += digit * weight
			threshold := min(max(k-bias, least), most)
			if digit < threshold {
				break
			}
			weight *= base - threshold
		}
		size := len(word) + 1
		delta := (at - before) / damp
		damp = 2
		delta += delta / size
		for bias = 0; delta > (base-least)*most/2; bias += base {
			delta /= base - least
		}
		bias += (base - least + 1) * delta / (delta + skew)
		next, at = next+at/size, at%size
		c := rune(min(next, unicode.MaxRune)) // which is no letter
		if !unicode.IsGraphic(c) && !unicode.Is(unicode.Join_Control, c) || unicode.In(c, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return false
		}
		word = slices.Insert(word, at, c)
		at++
	}
	return !unicode.Is(unicode.M, word[0]) && norm.NFKC.String(strings.ToLower(string(word))) == string(word)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
