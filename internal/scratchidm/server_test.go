package scratchidm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/selfauthd"
)

// TestMain lets the test binary be run again as a parent that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "__parent" {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.run, s.process.PID())
		select {}
	}
	os.Exit(m.Run())
}

func with(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// program makes something that can be run.
func program(t *testing.T, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFind(t *testing.T) {
	t.Parallel()
	home, bin := t.TempDir(), t.TempDir()
	cache := filepath.Join(home, ".cache", "kanidmd")
	program(t, cache, "1.9.12", "kanidmd")
	newest := program(t, cache, "1.10.5", "kanidmd")
	onPath, named := program(t, bin, "kanidmd"), program(t, t.TempDir(), "other")
	if err := os.Mkdir(filepath.Join(cache, "1.11.0"), 0o700); err != nil { // nothing in it
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"named":      {map[string]string{Variable: named, "PATH": bin, "HOME": home}, named},
		"on PATH":    {map[string]string{"PATH": "relative:/nowhere:" + bin, "HOME": home}, onPath},
		"the newest": {map[string]string{"PATH": "/nowhere", "HOME": home}, newest},
	} {
		if got, err := Find(with(c.env)); got != c.want || err != nil {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}

	_, err := Find(with(map[string]string{"HOME": bin}))
	if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), Variable) {
		t.Errorf("where there is none: %v", err)
	}
	_, err = Find(with(map[string]string{Variable: filepath.Join(bin, "none"), "PATH": bin, "HOME": home}))
	if errors.Is(err, ErrNone) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a named one that is not there: %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	tree, bin := t.TempDir(), t.TempDir()
	built := program(t, tree, "target", "release", "kanidmd")
	linked := filepath.Join(bin, "kanidmd")
	if err := os.Symlink(built, linked); err != nil {
		t.Fatal(err)
	}
	check := func(of, want string) {
		t.Helper()
		if want != "" {
			if err := os.MkdirAll(want, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if got := pages(of); got != want {
			t.Errorf("pages of %s are in %q, want %q", of, got, want)
		}
	}
	check(linked, "")
	check(linked, filepath.Join(tree, "server", "core", "static"))
	check(built, filepath.Join(tree, "target", "release", "static")) // beside it comes first
}

// TestServer starts real ones, where this machine has the program.
func TestServer(t *testing.T) {
	t.Parallel()
	if _, err := Find(os.Getenv); errors.Is(err, ErrNone) {
		t.Logf("only that it can be found is proved: %v", err)
		return
	}
	t.Run("real kept", testKept)
	t.Run("real parent killed", testParentKilled)
}

func started(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// testKept fills a kept server, kills it, closes it, and finds everything again each time.
func testKept(t *testing.T) {
	t.Parallel()
	o := Options{Dir: filepath.Join(t.TempDir(), "kept")}
	s := started(t, o)
	person := selfauthd.Person{ID: uuid.New(), Name: "somebody.else", Display: "Somebody Else", Mail: "somebody@corp.test"}
	group := selfauthd.Group{ID: uuid.New(), Name: "some_group"}
	if err := s.Seed([]selfauthd.Person{person}, []selfauthd.Group{group}); err != nil {
		t.Fatal(err)
	}
	check := func(s *Server) {
		t.Helper()
		_, readOnly := s.Operator()
		for path, want := range map[string]string{"person/" + person.ID.String(): person.Name, "group/" + group.ID.String(): group.Name} {
			var e entry
			err := s.client.call(t.Context(), http.MethodGet, "/v1/"+path, readOnly, nil, &e)
			if got := e.Attrs["name"]; err != nil || !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %v, %v; want %v", path, got, err, want)
			}
		}
	}
	check(s)
	if err := errors.Join(s.Kill(), s.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	check(s)
	url, run := s.URL(), s.run
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	gone(t, run)
	again := started(t, o)
	if again.URL() != url || !again.Kept() || s.Kept() {
		t.Errorf("%s, kept %v; was %s, kept %v", again.URL(), again.Kept(), url, s.Kept())
	}
	check(again)
}

// testParentKilled: neither the server nor its files outlive a parent that could do nothing about it.
func testParentKilled(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "__parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(err, cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	var dir string
	var pid int
	if _, err := fmt.Sscan(line, &dir, &pid); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	gone(t, dir) // the watcher removes it once the server has ended
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

// gone waits until a directory is no more, for as long as cleaning up may take.
func gone(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s is still there", dir)
		}
	}
}
