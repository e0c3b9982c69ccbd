package config

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// readURL is what becomes of a redirect URL, or why it is refused.
func readURL(text string) (url, why string) {
	e := &evaluator{}
	n := &node{spec: &Block{Type: "oauth2_client", Arguments: []Argument{{Name: "redirect_urls"}}}, args: hcl.Attributes{}}
	url = e.reader(n, scope{}).url("redirect_urls", text)
	if len(e.diags) > 0 {
		_, why, _ = strings.Cut(e.diags[0].Detail, "block: ")
		return "", why
	}
	return url, ""
}

// TestURLsAreWrittenAsTheyAreKept: what is taken is written as a real server (1.10.5) kept it, and nothing is taken that it refused.
func TestURLsAreWrittenAsTheyAreKept(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../providers/providertest/testdata/urls.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for line := range bytes.Lines(b) {
		var asked [2]*string
		if err := json.Unmarshal(line, &asked); err != nil {
			t.Fatal(err)
		}
		got, why := readURL(*asked[0])
		if why != "" {
			continue
		}
		taken++
		if *asked[0] == "https://xn--ab-m1t.example/x" {
			continue // a joiner, right in some words only: that is left to the server
		}
		if want := asked[1]; want == nil {
			t.Errorf("%q is taken, and the server refused it", *asked[0])
		} else if got != *want {
			t.Errorf("%q is written %q, and the server kept %q", *asked[0], got, *want)
		}
	}
	if taken < 400 {
		t.Errorf("only %d URLs are taken", taken)
	}
}

// TestURLs: what is written, or why it is refused.
func TestURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example.com/cb":        "https://app.example.com/cb",
		"HTTPS://APP.Example.com:443":       "https://app.example.com/",
		"https://app.example.com:8443?x":    "https://app.example.com:8443/?x",
		"http://localhost:80/cb":            "http://localhost/cb",
		"https://app.example.com:0/cb":      "https://app.example.com:0/cb",
		"https://app.example.com:65535/cb":  "https://app.example.com:65535/cb",
		"https://app.example.com:99999/cb":  "refused: it has the port 99999, and the highest is 65535.",
		"https://app.example.com:0443/cb":   "refused: it has a port with a 0 before it, which a browser takes out: write 443.",
		"http://localhost:00080/cb":         "refused: it has a port with a 0 before it, which a browser takes out: write 80.",
		"https://app.example.com:/cb2":      `refused: it has a ":" without a port: leave it out.`,
		"https://app.example.com:80a/cb":    "refused: it is no absolute URL.",
		"https://:443/cb":                   "refused: it names no host.",
		"https://[::1]:8443/cb":             "https://[::1]:8443/cb",
		"https://[2001:db8::1:0:0:1]/cb":    "https://[2001:db8::1:0:0:1]/cb",
		"https://[0:0:0:0:0:0:0:1]:8443/cb": "refused: it has an IPv6 address that browsers write in another way: write [::1].",
		"https://[::ffff:1.2.3.4]/cb":       "refused: it has an IPv4 address in the form of IPv6: write 1.2.3.4.",
		"https://[::1.2.3.4]/cb":            "refused: it has an IPv6 address that browsers write in another way: write [::102:304].",
		"https://[::1%25eth0]/cb":           "refused: it names a network interface, which means nothing to others: leave out what begins with %25.",
		"https://[2001:DB8::1]/cb":          "https://[2001:db8::1]/cb",
		"https://[1.2.3.4]/cb":              "refused: it is no absolute URL.",
		"https://[::g]/cb":                  "refused: it is no absolute URL.",
		"https://1.2.3.4/cb":                "https://1.2.3.4/cb",
		"https://1.2.3.4./cb":               "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://1.2.3/cb":                  "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://0x7f.0.0.1/cb":             "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://010.2.3.4/cb":              "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://256.1.1.1/cb":              "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://a.1/cb":                    "refused: it has a host that ends in a number and is no IPv4 address as browsers write it: four numbers up to 255, like 192.0.2.1.",
		"https://app.01.example.com/cb":     "https://app.01.example.com/cb",
		"http://127.1/cb":                   "refused: it is a plain http URL, which would show codes to the network; http is for loopback only.",
		"https://xn--h-bga.example.com/x":   "https://xn--h-bga.example.com/x",
		"https://XN--BCHER-KVA.example/x":   "https://xn--bcher-kva.example/x",
		"https://xn--zzzz99/cb":             `refused: it has xn--zzzz99 in its host, which stands for no word: "xn--" begins what a program has encoded.`,
		"https://xn--abc-/cb":               `refused: it has xn--abc- in its host, which stands for no word: "xn--" begins what a program has encoded.`,
		"https://xn--example/cb":            `refused: it has xn--example in its host, which stands for no word: "xn--" begins what a program has encoded.`,
		"https://h%C3%A9.example.com/x":     `refused: it has a host of other characters than letters, digits, "-", "_" and ".": write it as DNS has it, with "xn--" if need be.`,
		"https://hé.example.com/x":          `refused: it has spaces or letters beside those of ASCII: write them with percent signs, and a host with "xn--".`,
		"https://ab%41.example.com/x":       "refused: it is no absolute URL.",
		"https://a+b.example/x":             `refused: it has a host of other characters than letters, digits, "-", "_" and ".": write it as DNS has it, with "xn--" if need be.`,
		"https://a_b.example./x":            "https://a_b.example./x",
		"https:/ex.com/cb":                  "refused: it names no host.",
		"https:ex.com/cb":                   "refused: it names no host.",
		"https:///ex.com/cb":                "refused: it names no host.",
		"https://@ex.com/cb":                "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com\\cb":                "refused: it is no absolute URL.",
		"https://ex.com/?a\\b":              "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com?":                   "https://ex.com/?",
		"https://ex.com/cb?":                "https://ex.com/cb?",
		"https://ex.com/cb#":                "refused: it has a fragment, which a redirect cannot have.",
		"https://ex.com//cb//":              "https://ex.com//cb//",
		"https://ex.com/%2e%2e/cb":          "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com/a/.%2E":             "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com/a%2e/b":             "https://ex.com/a%2e/b",
		"https://ex.com/.../cb":             "https://ex.com/.../cb",
		"https://ex.com/a\tb":               "refused: it is no absolute URL.",
		"https://ex.com/%7euser/a%20b":      "https://ex.com/%7euser/a%20b",
		"https://ex.com/a b":                `refused: it has spaces or letters beside those of ASCII: write them with percent signs, and a host with "xn--".`,
		"https://ex.com/é":                  `refused: it has spaces or letters beside those of ASCII: write them with percent signs, and a host with "xn--".`,
		"https://ex.com/%c3%a9":             "https://ex.com/%c3%a9",
		"https://ex.com/%zz":                "refused: it is no absolute URL.",
		"https://ex.com/?a'b":               "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com/a\"b":               "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"https://ex.com/?a%27b":             "https://ex.com/?a%27b",
		"https://ex.com/a[b]":               "https://ex.com/a[b]",
		"app:/x":                            "app:/x",
		"app:x":                             "app:x",
		"app:///x":                          "app:///x",
		"App://Host/X":                      "app://Host/X",
		"com.example.app:/cb":               "com.example.app:/cb",
		"app://h:99999/":                    "refused: it has the port 99999, and the highest is 65535.",
		"app://h:080/":                      "refused: it has a port with a 0 before it, which a browser takes out: write 80.",
		"app://h:/":                         `refused: it has a ":" without a port: leave it out.`,
		"app://h:443/":                      "app://h:443/",
		"app://[0:0:0:0:0:0:0:1]/x":         "refused: it has an IPv6 address that browsers write in another way: write [::1].",
		"app://[2001:DB8::1]/x":             "refused: it has an IPv6 address that browsers write in another way: write [2001:db8::1].",
		"app://h%c3%a9/x":                   `refused: it has a host of other characters than letters, digits, "-", "_" and ".": write it as DNS has it, with "xn--" if need be.`,
		"app://1.2.3/x":                     "app://1.2.3/x",
		"app://h/%2e%2e/x":                  "refused: it is not written plainly: no user, no dots or quotes that a browser would take out.",
		"app:a/../b":                        "app:a/../b",
		"ws://h:80/":                        "refused: it is no place to send anybody to.",
		"ftp://h/":                          "refused: it is no place to send anybody to.",
		"1app:x":                            "refused: it is no absolute URL.",
		"urn:ietf:wg:oauth:2.0:oob":         "urn:ietf:wg:oauth:2.0:oob",
		"":                                  "refused: it is no absolute URL.",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, why := readURL(text)
			if why != "" {
				got = "refused: it " + strings.TrimPrefix(why, strconv.Quote(text)+" ")
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
