package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestFormsWithoutPersonalData: no plan, no form of one, and nothing that is said while plans are made, shown, carried out
// and taken back, has an e-mail address, a name or a password hash of the sample data, in any spelling.
func TestFormsWithoutPersonalData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	said := map[string]string{}
	run := func(args ...string) {
		t.Helper()
		out, errs := w.run(exitDone, args...)
		said["anthill "+strings.Join(args, " ")] = out + errs
	}
	run("plan", "-out", "p")
	for _, file := range []string{"p", "back"} {
		if file == "back" {
			run("apply", "p")
			run("status", "-json")
			run("rollback", "-out", "back")
		}
		for _, form := range shownForms {
			run(append(append([]string{"show"}, form...), file)...)
		}
		said["the file "+file] = contents(t, filepath.Join(w.dir, file))
	}
	for _, form := range [][]string{nil, {"-json"}, {"-html"}} {
		run(append([]string{"show", "-run", w.runs()[0]}, form...)...)
	}
	run("apply", "back")
	private := w.private()
	for place, text := range said {
		if _, page, ok := strings.Cut(text, "</style>"); ok { // in which an @ is no address's
			text = page
		}
		text = strings.ToLower(text + html.UnescapeString(strings.ReplaceAll(text, "<!-- -->", "")))
		for _, s := range private {
			for _, spelling := range spellings(s) {
				if strings.Contains(text, spelling) {
					t.Errorf("%s has %q", place, spelling)
				}
			}
		}
		if at := strings.IndexByte(text, '@'); at >= 0 && !strings.Contains(place, "-json") && !strings.Contains(place, "-run") && !strings.Contains(place, "the file") {
			t.Errorf("%s has an address: %q", place, text[max(0, at-30):min(len(text), at+30)])
		}
	}
}

// shownForms are the flags of show for each form that a saved plan has.
var shownForms = [][]string{{"-no-color"}, {"-markdown"}, {"-html"}, {"-stat"}, {"-json"}, {"-users"}, {"-users", "-json"}, {"-skipped"}, {"-skipped", "-json"}}

// ownWords are local parts of sample addresses that are words of the forms as well.
var ownWords = []string{"system", "suspended", "inactive", "deleted", "linked"}

// private is what the rows of users say of people: addresses, their local parts, names and hashes, of six characters at
// least.
func (w *world) private() (list []string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(),
		"select coalesce(email, ''), split_part(coalesce(email, ''), '@', 1), coalesce(full_name, ''), coalesce(password_hash, '') from users")
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var texts [4]string
		if err := rows.Scan(&texts[0], &texts[1], &texts[2], &texts[3]); err != nil {
			w.t.Fatal(err)
		}
		for _, s := range texts {
			if s = strings.ToLower(s); len(s) >= 6 && !slices.Contains(ownWords, s) {
				list = append(list, s)
			}
		}
	}
	if err := rows.Err(); err != nil || len(list) < 150 {
		w.t.Fatalf("%d texts, %v", len(list), err)
	}
	return list
}

// spellings are the ways in which a text may stand within another one, in small letters.
func spellings(s string) []string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	list := []string{
		s, strings.Trim(string(quoted), `"`), url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), hex.EncodeToString([]byte(s)),
	}
	// The last characters of base64 depend on what follows.
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for skip := range 3 {
			if part := []byte(s)[min(skip, len(s)):]; len(part) >= 6 {
				list = append(list, e.EncodeToString(part[:len(part)/3*3]))
			}
		}
	}
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// contents are a plan file as it is, and with its sections inflated.
func contents(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	all.Write(b)
	_, rest, found := bytes.Cut(b, []byte("\n"))
	inflated := 0
	for found && len(rest) > 9 {
		n := int(binary.BigEndian.Uint64(rest[1:9]))
		if text, err := io.ReadAll(flate.NewReader(bytes.NewReader(rest[9 : 9+n]))); err == nil {
			all.Write(text)
			inflated++
		}
		rest = rest[9+n+32:]
	}
	if inflated < 4 {
		t.Fatalf("%s: %d sections could be inflated", file, inflated)
	}
	return all.String()
}
