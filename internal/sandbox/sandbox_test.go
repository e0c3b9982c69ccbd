package sandbox

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/scratchidm/idmtest"
	"anthill/internal/selfauthd"
)

// TestAKeptDirectoryIsFoundAgain stops and starts a sandbox on a folder: what was added to the Self-auth directory is there,
// the sample is not added again, and commands get the same address, tokens and passwords.
func TestAKeptDirectoryIsFoundAgain(t *testing.T) {
	t.Parallel()
	o := Options{Dir: keptDir(t), Seed: 1}
	first := started(t, o)
	if err := emulator(first).Seed([]selfauthd.Person{{ID: uuid.New(), Name: "somebody.else", Display: "Somebody Else"}}, nil); err != nil {
		t.Fatal(err)
	}
	persons, groups := emulator(first).Counts()
	want := selfAuthEnv(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := started(t, o)
	if p, g := emulator(second).Counts(); p != persons || g != groups {
		t.Errorf("%d persons and %d groups, were %d and %d", p, g, persons, groups)
	}
	if got := selfAuthEnv(second); !slices.Equal(got, want) {
		t.Errorf("environment %v, was %v", got, want)
	}
}

// TestAKeptRealServerIsFoundAgain has a part only where there is one.
func TestAKeptRealServerIsFoundAgain(t *testing.T) {
	t.Parallel()
	if !idmtest.Here(t) {
		return
	}
	t.Run("real", func(t *testing.T) {
		o := Options{Dir: keptDir(t), Seed: 1, SelfAuth: Real}
		first := started(t, o)
		want := selfAuthEnv(first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := started(t, o)
		if got := selfAuthEnv(second); !slices.Equal(got, want) || len(got) != 6 || !second.selfauth.Kept() {
			t.Errorf("kept %v, environment %v, was %v", second.selfauth.Kept(), got, want)
		}
	})
}

// keptDir is not t.TempDir: where root runs the tests, Postgres runs as somebody else, who must get in.
func keptDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func started(t *testing.T, o Options) *Sandbox {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func selfAuthEnv(s *Sandbox) []string {
	return slices.DeleteFunc(slices.Clone(s.Env()), func(v string) bool { return !strings.HasPrefix(v, "SELF_AUTH_") })
}

func emulator(s *Sandbox) *selfauthd.Server { return s.selfauth.(*selfauthd.Server) }
