package selfauthd

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// domainToASCII writes a domain as a URL does. It stands for UTS 46 without its tables: letters are folded, compatible ones
// replaced, and labels with others than those of ASCII written in Punycode. What it takes and the real server does not are labels
// that mix directions of writing; the other way round, joiners and Cherokee.
func domainToASCII(domain string) (string, bool) {
	if !utf8.ValidString(domain) {
		return "", false
	}
	domain = foldDomain(domain)
	if domain == "" {
		return "", false
	}
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		code, encoded := strings.CutPrefix(label, "xn--")
		if encoded {
			decoded, ok := decodePunycode(code)
			if !ok || isASCII(decoded) || foldDomain(decoded) != decoded || !validLabel(decoded) {
				return "", false
			}
		} else if !isASCII(label) {
			if !validLabel(label) {
				return "", false
			}
			labels[i] = "xn--" + encodePunycode(label)
		}
	}
	return strings.Join(labels, "."), true
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c >= utf8.RuneSelf })
}

func foldDomain(text string) string {
	text = strings.Map(func(c rune) rune {
		switch c {
		case 0xad, 0x200b, 0x2060, 0xfeff, 0x34f, 0xfe0f: // seen by nobody
			return -1
		case 0x3002, 0xff61:
			return '.'
		}
		return c
	}, text)
	return norm.NFKC.String(strings.ToLower(norm.NFKC.String(text)))
}

func validLabel(label string) bool {
	first, _ := utf8.DecodeRuneInString(label)
	return !unicode.Is(unicode.M, first) && !strings.ContainsFunc(label, func(c rune) bool { return !unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.S, unicode.P) })
}

// Punycode (RFC 3492).
const (
	punyBase, punyMin, punyMax = 36, 1, 26
	punySkew, punyDamp         = 38, 700
	punyDigits                 = "abcdefghijklmnopqrstuvwxyz0123456789"
)

func punyAdapt(delta, points int, first bool) int {
	if delta /= 2; first {
		delta = delta * 2 / punyDamp
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyMin)*punyMax/2; k += punyBase {
		delta /= punyBase - punyMin
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}

func punyThreshold(k, bias int) int { return min(max(k-bias, punyMin), punyMax) }

func decodePunycode(code string) (string, bool) {
	var out []rune
	if cut := strings.LastIndex(code, "-"); cut >= 0 {
		out, code = []rune(code[:cut]), code[cut+1:]
	}
	n, i, bias := utf8.RuneSelf, 0, 72
	for code != "" {
		before, weight := i, 1
		for k := punyBase; ; k += punyBase {
			if code == "" {
				return "", false
			}
			digit := strings.IndexByte(punyDigits, code[0])
			if code = code[1:]; digit < 0 || weight > 1<<31 {
				return "", false
			}
			i += digit * weight
			t := punyThreshold(k, bias)
			if digit < t {
				break
			}
			weight *= punyBase - t
		}
		bias = punyAdapt(i-before, len(out)+1, before == 0)
		n += i / (len(out) + 1)
		i %= len(out) + 1
		if n > unicode.MaxRune || 0xd800 <= n && n < 0xe000 {
			return "", false
		}
		out = slices.Insert(out, i, rune(n))
		i++
	}
	return string(out), true
}

func encodePunycode(label string) string {
	runes := []rune(label)
	var out []byte
	for _, c := range runes {
		if c < utf8.RuneSelf {
			out = append(out, byte(c))
		}
	}
	done := len(out)
	basic := done
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(utf8.RuneSelf), 0, 72
	for done < len(runes) {
		next := rune(unicode.MaxRune)
		for _, c := range runes {
			if c >= n {
				next = min(next, c)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, c := range runes {
			if c < n {
				delta++
			}
			if c != n {
				continue
			}
			q := delta
			for k := punyBase; ; k += punyBase {
				t := punyThreshold(k, bias)
				if q < t {
					break
				}
				out = append(out, punyDigits[t+(q-t)%(punyBase-t)])
				q = (q - t) / (punyBase - t)
			}
			out = append(out, punyDigits[q])
			bias = punyAdapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return string(out)
}
