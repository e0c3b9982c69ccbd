package sandbox

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/selfauthd"
)

// TestAKeptDirectoryIsFoundAgain stops and starts a sandbox on a folder: what was added to the Self-auth directory is there,
// the sample is not added again, and commands get the same address, tokens and passwords.
func TestAKeptDirectoryIsFoundAgain(t *testing.T) {
	t.Parallel()
	// Not t.TempDir: where root runs the tests, Postgres runs as somebody else, who must get in.
	dir, err := os.MkdirTemp("", "sandbox-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Seed: 1}
	first, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { first.Close() })
	if err := first.selfauth.Seed([]selfauthd.Person{{ID: uuid.New(), Name: "somebody.else", Display: "Somebody Else"}}, nil); err != nil {
		t.Fatal(err)
	}
	persons, groups := first.selfauth.Counts()
	want := selfAuthEnv(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Close() })
	if p, g := second.selfauth.Counts(); p != persons || g != groups {
		t.Errorf("%d persons and %d groups, were %d and %d", p, g, persons, groups)
	}
	if got := selfAuthEnv(second); !slices.Equal(got, want) {
		t.Errorf("environment %v, was %v", got, want)
	}
}

func selfAuthEnv(s *Sandbox) []string {
	return slices.DeleteFunc(slices.Clone(s.Env()), func(v string) bool { return !strings.HasPrefix(v, "SELF_AUTH_") })
}
