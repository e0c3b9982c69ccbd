package main

import (
	"html"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestFormsWithoutPersonalData: no form of a plan has an e-mail address or a name of the sample data, written as it is or
// as a browser shows it.
func TestFormsWithoutPersonalData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	w.run(exitDone, "apply", "p")
	w.run(exitDone, "rollback", "-out", "back")
	rows, err := w.connect().Query(t.Context(), "select coalesce(email, ''), coalesce(full_name, '') from users")
	if err != nil {
		t.Fatal(err)
	}
	var private []string
	for rows.Next() {
		var email, name string
		if err := rows.Scan(&email, &name); err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{email, name} {
			if s = strings.ToLower(s); len(s) >= 6 && s != "system" { // which is a word of the forms
				private = append(private, s)
			}
		}
	}
	if err := rows.Err(); err != nil || len(private) < 100 {
		t.Fatalf("%d texts, %v", len(private), err)
	}
	for _, form := range []string{"-markdown", "-stat", "-json", "-no-color"} {
		for _, file := range []string{"p", "back"} {
			out, _ := w.run(exitDone, "show", form, file)
			text := strings.ToLower(out + html.UnescapeString(strings.ReplaceAll(out, "<!-- -->", "")))
			for _, s := range private {
				if strings.Contains(text, s) {
					t.Errorf("show %s %s has %q", form, file, s)
				}
			}
			if at := strings.IndexByte(text, '@'); at >= 0 && form != "-json" {
				t.Errorf("show %s %s has an address: %q", form, file, text[max(0, at-30):min(len(text), at+30)])
			}
		}
	}
}
