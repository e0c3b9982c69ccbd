package selfauthd

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// TestURLs puts URLs as a real server (1.10.5) did: each line of the file is a redirect URL and how it was kept, or null where it
// was refused. Landing URLs were answered in the same way.
func TestURLs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../providers/providertest/testdata/urls.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	if len(lines) < 800 {
		t.Errorf("only %d URLs", len(lines))
	}
	for _, line := range lines {
		var asked [2]*string
		if err := json.Unmarshal(line, &asked); err != nil {
			t.Fatal(err)
		}
		switch *asked[0] {
		case "https://ẞ.example/x", "https://Ⴀ.example/x": // the real server has younger tables of Unicode than golang.org/x/net
			continue
		case "file:///C|/x": // the letter of a drive is left as it is there
			continue
		}
		got, ok := parseURL(*asked[0])
		switch want := asked[1]; {
		case want == nil && ok:
			t.Errorf("%q: kept as %q, want a refusal", *asked[0], got)
		case want != nil && !ok:
			t.Errorf("%q: refused, want %q", *asked[0], *want)
		case want != nil && got != *want:
			t.Errorf("%q: kept as %q, want %q", *asked[0], got, *want)
		}
	}
}
