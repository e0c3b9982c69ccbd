package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const bounceUUID = "0190f0c2-7b1a-7c3e-9a51-2f6d0c9b7e11"

func TestBounceAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, id, want string }{
		"usual":       {"noreply@anthill.example", bounceUUID, "noreply+anthill=" + bounceUUID + "@anthill.example"},
		"a tag":       {"no+reply@anthill.example", "a1", "no+reply+anthill=a1@anthill.example"},
		"just fits":   {strings.Repeat("a", 19) + "@b.example", bounceUUID, strings.Repeat("a", 19) + "+anthill=" + bounceUUID + "@b.example"},
		"a long name": {strings.Repeat("a", 20) + "@b.example", bounceUUID, strings.Repeat("a", 20) + "@b.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := BounceAddress(mail.Address{Address: c.from}, c.id)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			id, has := BounceID(strings.ToUpper(got))
			if has != (got != c.from) || has && id != c.id {
				t.Errorf("the id that comes back is %q, %v", id, has)
			}
		})
	}
	for _, no := range []string{"", "a@b", "anthill=a1@b", "a+anthill=@b", "a+anthill=x/y@b", "a@b+anthill=a1", "a+anthill=a1"} {
		if id, has := BounceID(no); has {
			t.Errorf("%q holds %q", no, id)
		}
	}
}

// told is a bounce, or what is wrong, as a test names it.
func told(r io.Reader) (list []string) {
	for b, err := range Bounces(r) {
		if err != nil {
			list = append(list, err.Error())
			continue
		}
		list = append(list, fmt.Sprintf("line %d: %s %q final %v", b.Line, b.ID, b.Status, b.Final))
	}
	return list
}

func TestBounces(t *testing.T) {
	t.Parallel()
	report := func(file string) string {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":       {"", nil},
		"blank lines": {"\n \n\n", nil},
		"a list": {"# back on Monday\r\n\r\na1\r\nnoreply+anthill=a2@anthill.example 5.1.1 # gone\n<NOREPLY+ANTHILL=A3@anthill.example>\nA4", []string{
			`line 3: a1 "" final true`, `line 4: a2 "5.1.1" final true`, `line 5: a3 "" final true`, `line 6: a4 "" final true`,
		}},
		"a list with mistakes": {"a1\nada@acme.example\na1 550\na/b\n" + strings.Repeat("x", 9000) + "\na2\n", []string{
			`line 1: a1 "" final true`,
			"line 2: the address holds no id: it is none that a mail of ours came from",
			"line 3: a line is an id, or an address with one, and behind it no more than a status such as 5.1.1",
			"line 4: this is no id of a mail",
			"line 5: it is too long",
			`line 6: a2 "" final true`,
		}},
		"a report, by address":    {report("postfix.eml"), []string{`line 1: 0190f0c2 "5.1.1" final true`}},
		"a report, by Message-ID": {report("exchange.eml"), []string{`line 1: 0190f0c3 "5.1.10" final true`}},
		"a report in another mail, as base64": {"Content-Type: multipart/mixed; boundary=o\nTo: <n+anthill=a1@x.example>\n\n--o\n" +
			"Content-Type: text/plain\n\nby the list\n--o\nContent-Type: multipart/report; boundary=i\n\n--i\n" +
			"Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64\n\n" +
			base64.StdEncoding.EncodeToString([]byte("Reporting-MTA: dns; x\n\nAction: Failed\nStatus: 4.4.7\n")) +
			"\n--i--\n--o--\n", []string{`line 1: a1 "4.4.7" final true`}},
		"a delay":              {report("delayed.eml"), []string{`line 1: 0190f0c4 "4.4.1" final false`}},
		"somebody who is away": {report("away.eml"), []string{"line 1: the mail holds no delivery report"}},
		"of somebody else":     {strings.ReplaceAll(report("postfix.eml"), "0190f0c2", "Some_one"), []string{"line 1: the mail does not say which of ours came back"}},
		"an mbox": {"From MAILER-DAEMON Mon Dec  7 09:00:00 2026\n" + report("postfix.eml") + "\nFrom ada@acme.example Mon Dec  7 09:00:00 2026\n" +
			report("away.eml") + "\nFrom MAILER-DAEMON Mon Dec  7 09:00:00 2026\n" + report("exchange.eml"), []string{
			`line 1: 0190f0c2 "5.1.1" final true`, "line 57: the mail holds no delivery report", `line 70: 0190f0c3 "5.1.10" final true`,
		}},
		"no mail": {"From a\nFrom b\nx", []string{"line 1: this is no mail"}},
		"a report that never ends": {"Content-Type: multipart/report; boundary=b\nTo: <n+anthill=a1@x.example>\n\n" +
			strings.Repeat("--b\nContent-Type: message/delivery-status\n\nAction: failed\n\n", 100_000), []string{`line 1: a1 "" final true`}},
		"parts without a boundary": {"Content-Type: multipart/report\nTo: <n+anthill=a1@x.example>\n\n--\n\nAction: failed\n",
			[]string{"line 1: the mail holds no delivery report"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, told(strings.NewReader(c.text))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("who stops listening", func(t *testing.T) {
		t.Parallel()
		for range Bounces(strings.NewReader("a1\na2\n")) {
			break
		}
	})
	t.Run("a reader that fails", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("broken")
		for _, start := range []string{"", "a1\n", "To: <n+anthill=a1@x.example>\n"} {
			var last error
			for _, err := range Bounces(io.MultiReader(strings.NewReader(start), failing{broken})) {
				last = err
			}
			if !errors.Is(last, broken) {
				t.Errorf("behind %q: %v", start, last)
			}
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzBounces: whatever a file holds, it is read to its end, and no id is told that could not be one.
func FuzzBounces(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.eml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("a1 5.1.1\n# x\n")
	f.Fuzz(func(t *testing.T, text string) {
		for b, err := range Bounces(strings.NewReader(text)) {
			if err == nil && (!isID(b.ID) || b.Line < 1 || b.Status != "" && !statusForm().MatchString(b.Status)) {
				t.Errorf("%+v", b)
			}
		}
	})
}
