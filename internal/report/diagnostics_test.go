package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestQuotedLinesAreMasked: a line of the configuration that is quoted brings nothing to the terminal but its letters,
// and the place that a diagnostic is about stays where it is.
func TestQuotedLinesAreMasked(t *testing.T) {
	t.Parallel()
	source := "wave \"a\x1b[31m\u202e\u009b\xff\u00e4\" {\r\n\tx = 1\n}\n"
	file, diags := hclsyntax.ParseConfig([]byte(source), "main.anthill.hcl", hcl.InitialPos)
	at := strings.Index(source, "x = 1")
	diags = append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Unknown argument", Detail: "None of that name.",
		Subject: &hcl.Range{
			Filename: "main.anthill.hcl", Start: hcl.Pos{Line: 2, Column: 2, Byte: at}, End: hcl.Pos{Line: 2, Column: 3, Byte: at + 1},
		},
		Context: &hcl.Range{
			Filename: "main.anthill.hcl", Start: hcl.Pos{Line: 1, Column: 1, Byte: 0}, End: hcl.Pos{Line: 2, Column: 3, Byte: at + 1},
		},
	})
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		files := map[string]*hcl.File{"main.anthill.hcl": file}
		if err := Diagnostics(&b, diags, files, Options{Width: 100, Color: colour}); err != nil {
			t.Fatal(err)
		}
		s := b.String()
		if strings.ContainsAny(s, "\u202e\u009b\r") || strings.Contains(s, "\x1b[31m\u202e") || strings.Contains(s, "a\x1b") ||
			!colour && strings.Contains(s, "\x1b") || !strings.Contains(s, "wave \"a?[31m???????ä?") && !strings.Contains(s, "ä") {
			t.Errorf("colour %t: %q", colour, s)
		}
	}
	if got := masked([]byte(source)); len(got) != len(source) {
		t.Errorf("%d bytes became %d", len(source), len(got))
	}
}
