package report

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestCommandPasted has a shell take commands apart again.
func TestCommandPasted(t *testing.T) {
	t.Parallel()
	words := []string{"apply", "pilot.plan", "my plan.plan", "it's", "", "$HOME", "`id`", `a\b"c`, "naïve", "-x", "#1", "~",
		"two\nlines", "bell\a 100% 'of it'", "\u202etxt", "\xff"}
	line := Command(Options{Chdir: "a b/c"}, words...)
	if strings.ContainsAny(line, "\n\a\u202e") {
		t.Errorf("not for a terminal: %q", line)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `anthill() { printf '%s\0' "$@"; }; `+line).Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if want := append([]string{"-chdir", "a b/c"}, words...); !slices.Equal(got, want) {
		t.Errorf("%s\nis %q\nnot %q", line, got, want)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"anthill plan":                            Command(Options{}, "plan"),
		"anthill -chdir conf apply 'my plan'":     Command(Options{Chdir: "conf"}, "apply", "my plan"),
		"anthill rollback -run 2026-12-07-1":      Command(Options{}, "rollback", "-run", "2026-12-07-1"),
		"do:\n\n    anthill -chdir conf apply\n":  Commands(Options{Chdir: "conf"}, "do:\n\n    anthill apply\n"),
		"do:\n\n    anthill apply\n":              Commands(Options{}, "do:\n\n    anthill apply\n"),
		"see:\n\n    anthill plan -h":             Commands(Options{Chdir: "conf"}, "see:\n\n    anthill plan -h"),
		"or:\n\n    anthill -chdir=DIR plan":      Commands(Options{Chdir: "conf"}, "or:\n\n    anthill -chdir=DIR plan"),
		"anthill apply stands in this line alone": Commands(Options{Chdir: "conf"}, "anthill apply stands in this line alone"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestCommandsStandInOneLine: what is to be pasted is not broken, however narrow the screen is.
func TestCommandsStandInOneLine(t *testing.T) {
	t.Parallel()
	s := shown(t, pilot(), Options{Width: 40, Chdir: "my config"})
	want := "anthill -chdir 'my config' wave confirm everyone support"
	if !strings.Contains(s, want) || strings.Contains(s, bound) {
		t.Errorf("no line holds %s:\n%s", want, s)
	}
}
