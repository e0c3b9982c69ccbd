package letter

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// ada is whom most letters here are for.
func ada(link string) Data {
	berlin := time.FixedZone("CET", 3600)
	d := Data{
		Name: "Ada Lovelace", LoginName: "acme.ada", Tenant: "Acme Ltd", Role: "admin", Link: link,
		LoginURL: "https://idm.example.com/ui/login", GuideURL: "https://docs.anthill.example/self-auth",
		Support: "support@anthill.example", Sender: "Anthill Team", Zone: berlin,
		PasswordUntil: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
	}
	switch link {
	case "code":
		d.PageURL = "https://idm.example.com/ui/reset"
		d.Code = "abcde-fghij-klmno-pqrst"
		d.CodeEnds = time.Date(2026, 12, 8, 16, 30, 0, 0, time.UTC)
	case "recover":
		d.RecoverURL = "https://idm.example.com/ui/recover"
	}
	return d
}

// TestDefault: the letters that people get who have no template of their own. The files are read as they would read
// them.
func TestDefault(t *testing.T) {
	t.Parallel()
	with := func(link string, change func(*Data)) Data {
		d := ada(link)
		change(&d)
		return d
	}
	for name, d := range map[string]Data{
		"code": ada("code"), "recover": ada("recover"), "login": ada("login"), "none": ada("none"),
		"bare": {Name: "ada", LoginName: "acme.ada", Link: "code", PageURL: "https://idm.example.com/ui/reset",
			Code: "abcde-fghij", CodeEnds: time.Date(2026, 12, 8, 16, 30, 0, 0, time.UTC)},
		"figures": with("code", func(d *Data) {
			d.Language, d.RecoverURL = "de", "https://idm.example.com/ui/recover"
		}),
		"hebrew": with("login", func(d *Data) { d.Name, d.Tenant = "עדה לאבלייס", "Acme \u202eevil\u202c" }),
		"emoji":  with("none", func(d *Data) { d.Name = "Ada 👩‍💻 O'Neill" }),
		"signs": with("code", func(d *Data) {
			d.Name = `[Ada](javascript:alert(1)) <script>alert("x")</script> *_` + "`" + `# &amp; \*`
			d.Tenant = "1. A\r\n\r\n# B\x00<img src=x>"
		}),
		"long": with("login", func(d *Data) { d.Name = strings.Repeat("Ada-Maria ", 20) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := Default().Render(d)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", "Subject: "+l.Subject+"\n\n"+l.Text)
			golden(t, name+".html", l.HTML)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
