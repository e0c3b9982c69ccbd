package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain lets the test binary be run again as what the benchmark runs itself as.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "__") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestCompare measures one program beside itself, on few users, twice.
func TestCompare(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "anthill")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "anthill/cmd/anthill")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var out bytes.Buffer
	if err := bench(t.Context(), []string{"-users", "20", "-rounds", "2", program, program}, &out); err != nil {
		t.Fatal(err)
	}
	// Only the form: figures are the machine's, and random ids do not deflate alike.
	figures := `( +[0-9.]+ s){2} +[0-9.]+( +[0-9.]+ MiB){2} +[0-9.]+ *\n`
	want := `^20 users in 1 tenants, medians of 2 rounds; OLD is \S+, NEW is \S+\n\n +OLD .*\n`
	for _, p := range parts() {
		want += " *" + p.name + figures
	}
	want += `\nplan file, bytes a user: OLD [0-9.]+, NEW [0-9.]+, NEW/OLD (0.99|1.0[01])\n$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Fatalf("it prints\n%swant\n%s", out.String(), want)
	}
}

func TestBenchArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		nil,
		{"one", "two", "three"},
		{"-users", "5", "one"},
		{"-users", "0", "one", "two"},
		{"-rounds", "0", "one", "two"},
	} {
		if err := bench(t.Context(), args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "wants") {
			t.Errorf("bench %q: %v, want what it wants", args, err)
		}
	}
}
