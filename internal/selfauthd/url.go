package selfauthd

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// URLs are kept in the form of the WHATWG's URL standard, as the real server's library writes it.

// specialPorts are the default ports of the schemes that have a host always.
var specialPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}

var (
	urlForm  = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.\-]*):([^?#]*)(\?[^#]*)?(#.*)?$`)
	portForm = regexp.MustCompile(`^(.*?)(?::([0-9]*))?$`) // what is no port stays in the host, where a colon is none of its characters
)

// Characters that are written with a percent sign in parts of a URL, beside controls and what is not ASCII.
const (
	inPath     = " \"<>`{}"
	inQuery    = " \"<>"
	inFragment = " \"<>`"
	inUser     = inPath + "/:;=@[\\]^|"
	inNoHost   = "\x00\t\n\r #/:<>?@[\\]^|"
)

// parseURL puts a URL into the form in which it is kept; false: it is none.
func parseURL(value string) (string, bool) {
	value = strings.TrimFunc(value, func(c rune) bool { return c <= ' ' })
	value = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(value)
	parts := urlForm.FindStringSubmatch(value)
	if parts == nil {
		return "", false
	}
	scheme, rest, query, fragment := strings.ToLower(parts[1]), parts[2], parts[3], escape(parts[4], inFragment)
	port, special := specialPorts[scheme]
	if special || scheme == "file" {
		rest = strings.ReplaceAll(rest, `\`, "/")
		query = escape(query, inQuery+"'")
	} else {
		query = escape(query, inQuery)
	}
	switch {
	case special:
		rest = "//" + strings.TrimLeft(rest, "/")
	case scheme == "file" && !strings.HasPrefix(rest, "//"):
		rest = "///" + strings.TrimPrefix(rest, "/")
	case !strings.HasPrefix(rest, "/"): // nothing is known of what stands behind such a scheme
		return scheme + ":" + escape(rest, "") + query + fragment, true
	}
	authority, path, hasAuthority := "", rest, strings.HasPrefix(rest, "//")
	if hasAuthority {
		authority, path = rest[2:], ""
		if i := strings.Index(authority, "/"); i >= 0 {
			authority, path = authority[:i], authority[i:]
		}
		var ok bool
		if authority, ok = parseAuthority(authority, special, port); !ok {
			return "", false
		}
		if scheme == "file" && authority == "localhost" {
			authority = ""
		}
		authority = "//" + authority
	}
	if path = plainPath(path); path == "" && (special || scheme == "file") {
		path = "/"
	}
	if !hasAuthority && strings.HasPrefix(path, "//") {
		path = "/." + path // it would be read as an authority
	}
	return scheme + ":" + authority + path + query + fragment, true
}

func parseAuthority(text string, special bool, standard string) (string, bool) {
	user := ""
	at := strings.LastIndex(text, "@")
	if at >= 0 {
		name, password, _ := strings.Cut(text[:at], ":")
		user = escape(name, inUser)
		if password != "" {
			user += ":" + escape(password, inUser)
		}
		if user != "" {
			user += "@"
		}
		text = text[at+1:]
	}
	parts := portForm.FindStringSubmatch(text)
	host, ok := parseHost(parts[1], special)
	if !ok || host == "" && (special || at >= 0 || text != "") {
		return "", false
	}
	port := ""
	if parts[2] != "" {
		n, err := strconv.ParseUint(parts[2], 10, 16)
		if err != nil {
			return "", false
		}
		if port = strconv.FormatUint(n, 10); port == standard {
			port = ""
		}
	}
	if port != "" {
		port = ":" + port
	}
	return user + host + port, true
}

func parseHost(host string, special bool) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		return "[" + writeIPv6(ip.As16()) + "]", true
	}
	if !special {
		return escape(host, ""), !strings.ContainsAny(host, inNoHost)
	}
	host, ok := domainToASCII(unescape(host))
	if !ok || strings.ContainsAny(host, inNoHost+"%") || strings.ContainsFunc(host, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", false
	}
	if endsInNumber(host) {
		return parseIPv4(host)
	}
	return host, true
}

// writeIPv6 differs from netip in addresses that hold one of IPv4, which it writes as such.
func writeIPv6(ip [16]byte) string {
	group := func(i int) string { return fmt.Sprintf("%x", int(ip[2*i])<<8|int(ip[2*i+1])) }
	start, length := 0, 1 // of the first longest run of zeros; one alone is not shortened
	for i := range 8 {
		n := 0
		for i+n < 8 && group(i+n) == "0" {
			n++
		}
		if n > length {
			start, length = i, n
		}
	}
	groups := func(from, to int) string {
		var list []string
		for i := from; i < to; i++ {
			list = append(list, group(i))
		}
		return strings.Join(list, ":")
	}
	if length == 1 {
		return groups(0, 8)
	}
	return groups(0, start) + "::" + groups(start+length, 8)
}

var numberForm = regexp.MustCompile(`^([0-9]+|0[xX][0-9a-fA-F]*)$`)

func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	return numberForm.MatchString(host[strings.LastIndex(host, ".")+1:])
}

// parseIPv4 reads up to four numbers, also octal and hexadecimal ones; the last one fills what the others leave.
func parseIPv4(host string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return "", false
	}
	var ip uint64
	for i, p := range parts {
		base := 10
		if len(p) > 1 && p[0] == '0' {
			if base, p = 8, p[1:]; p[0] == 'x' {
				base, p = 16, "0"+p[1:]
			}
		}
		n, err := strconv.ParseUint(p, base, 32)
		limit := uint64(256)
		if i == len(parts)-1 {
			limit = 1 << (8 * (5 - len(parts)))
		}
		if err != nil || n >= limit {
			return "", false
		}
		if i == len(parts)-1 {
			ip += n
		} else {
			ip += n << (8 * (3 - i))
		}
	}
	return fmt.Sprintf("%d.%d.%d.%d", ip>>24, ip>>16&255, ip>>8&255, ip&255), true
}

// plainPath takes the segments "." and ".." out of a path, in each way of writing them.
func plainPath(path string) string {
	if path == "" {
		return ""
	}
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		dots := strings.ReplaceAll(strings.ToLower(s), "%2e", ".")
		last := i == len(segments)-1
		switch dots {
		case "..":
			out = out[:max(0, len(out)-1)]
		case ".":
		default:
			out = append(out, escape(s, inPath))
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// escape writes some characters with a percent sign: those given, controls and what is not ASCII.
func escape(text, which string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(which, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var escapeForm = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

func unescape(text string) string {
	return escapeForm.ReplaceAllStringFunc(text, func(e string) string {
		n, _ := strconv.ParseUint(e[1:], 16, 8) // the form is right
		return string([]byte{byte(n)})
	})
}
