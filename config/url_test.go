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
	n := &node{
		spec: &Block{Type: "oauth2_client", Arguments: []Argument{{Name: "redirect_urls"}}}, args: hcl.Attributes{},
	}
	url = e.reader(n, scope{}).url("redirect_urls", text)
	if len(e.diags) > 0 {
		_, why, _ = strings.Cut(e.diags[0].Detail, "block: ")
		return "", why
	}
	return url, ""
}

// newer are letters that the real server treats by younger tables of Unicode than those of golang.org/x/net.
var newer = map[string]bool{"https://ẞ.example/x": true, "https://Ⴀ.example/x": true}

// TestURLsAreWrittenAsTheyAreKept: what is taken is written as a real server (1.10.5) kept it, and nothing is taken
// that it refused.
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
		if newer[*asked[0]] {
			continue
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
		"https://app.example.com/cb":     "https://app.example.com/cb",
		"HTTPS://APP.Example.com:443":    "https://app.example.com/",
		"https://app.example.com:8443?x": "https://app.example.com:8443/?x",
		"http://localhost:80/cb":         "http://localhost/cb",
		"http://[::1]:3000/cb":           "http://[::1]:3000/cb",
		"https://app.example.com:0/cb":   "https://app.example.com:0/cb",
		"https://app.example.com:99999/cb": "Self-auth would refuse %q: The input's port is outside the range " +
			"[0-65535].",
		"https://app.example.com:0443/cb": `Self-auth would keep %q as "https://app.example.com/cb": write it so.`,
		"https://app.example.com:/cb2":    `Self-auth would keep %q as "https://app.example.com/cb2": write it so.`,
		"https://:443/cb": "Self-auth would refuse %q: The input has a special scheme, but does " +
			"not contain a host.",
		"https://[2001:DB8::1]/cb":          "https://[2001:db8::1]/cb",
		"https://[0:0:0:0:0:0:0:1]:8443/cb": `Self-auth would keep %q as "https://[::1]:8443/cb": write it so.`,
		"https://[::ffff:1.2.3.4]/cb":       `Self-auth would keep %q as "https://[::ffff:102:304]/cb": write it so.`,
		"https://1.2.3.4./cb":               `Self-auth would keep %q as "https://1.2.3.4/cb": write it so.`,
		"https://0x7f.0.0.1/cb":             `Self-auth would keep %q as "https://127.0.0.1/cb": write it so.`,
		"https://256.1.1.1/cb": "Self-auth would refuse %q: An IPv4 address contains a part that is " +
			"greater than 255.",
		"https://app.01.example.com/cb": "https://app.01.example.com/cb",
		"http://127.1/cb":               `Self-auth would keep %q as "http://127.0.0.1/cb": write it so.`,
		"http://app.example.com/cb": "%q is a plain http URL, which would show codes to the network; http is " +
			"for loopback only.",
		"https://XN--BCHER-KVA.example/x": "https://xn--bcher-kva.example/x",
		"https://xn--zzzz99/cb": "Self-auth would refuse %q: Unicode ToASCII records an error or returns " +
			"the empty string.",
		"https://hé.example.com/x":      `Self-auth would keep %q as "https://xn--h-bga.example.com/x": write it so.`,
		"https://h%C3%A9.example.com/x": `Self-auth would keep %q as "https://xn--h-bga.example.com/x": write it so.`,
		"https://a_b.example./x":        "https://a_b.example./x",
		"https:/ex.com/cb":              `Self-auth would keep %q as "https://ex.com/cb": write it so.`,
		"https:ex.com/cb":               `Self-auth would keep %q as "https://ex.com/cb": write it so.`,
		"https://ana@ex.com/cb":         "%q names a user, which is no part of a redirect.",
		"https://@ex.com/cb":            `Self-auth would keep %q as "https://ex.com/cb": write it so.`,
		"https://ex.com\\cb":            `Self-auth would keep %q as "https://ex.com/cb": write it so.`,
		"https://ex.com?":               "https://ex.com/?",
		"https://ex.com/cb#":            "%q has a fragment, which a redirect cannot have.",
		"https://ex.com//cb//":          "https://ex.com//cb//",
		"https://ex.com/%2e%2e/cb":      `Self-auth would keep %q as "https://ex.com/cb": write it so.`,
		"https://ex.com/a\tb":           `Self-auth would keep %q as "https://ex.com/ab": write it so.`,
		"https://ex.com/%7euser/a%20b":  "https://ex.com/%7euser/a%20b",
		"https://ex.com/a b":            `Self-auth would keep %q as "https://ex.com/a%20b": write it so.`,
		"https://ex.com/é":              `Self-auth would keep %q as "https://ex.com/%C3%A9": write it so.`,
		"https://ex.com/?a'b":           `Self-auth would keep %q as "https://ex.com/?a%27b": write it so.`,
		"https://ex.com/a[b]":           "https://ex.com/a[b]",
		"app:/x":                        "app:/x",
		"app:x":                         "app:x",
		"App://Host/X":                  "app://Host/X",
		"com.example.app:/cb":           "com.example.app:/cb",
		"app://h:080/":                  `Self-auth would keep %q as "app://h:80/": write it so.`,
		"app://h/%2e%2e/x":              `Self-auth would keep %q as "app://h/x": write it so.`,
		"ws://h/":                       "%q is no place to send anybody to.",
		"javascript:alert(1)":           "%q is no place to send anybody to.",
		"urn:ietf:wg:oauth:2.0:oob":     "urn:ietf:wg:oauth:2.0:oob",
		"not a url":                     "%q is no absolute URL, as https://app.example.com/callback is one.",
		"":                              "%q is no absolute URL, as https://app.example.com/callback is one.",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, why := readURL(text)
			if why != "" {
				got, want = why, strings.Replace(want, "%q", strconv.Quote(text), 1)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
