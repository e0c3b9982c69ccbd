package scratchpg

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary be run again as the download's child, and as a parent that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "__pg" {
		if err := child(os.Args[2:], os.Stdin, os.Stdout, testPins()); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "__parent" {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.URL("postgres"))
		select {}
	}
	os.Exit(m.Run())
}

func started(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func ask(t *testing.T, s *Server, database, sql string) (answer string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// socketDir is where the server's socket lies.
func socketDir(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("host")
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

func TestStartAndStopLeaveNothing(t *testing.T) {
	t.Parallel()
	var said []string
	s := started(t, Options{Log: func(l string) { said = append(said, l) }})
	if err := s.CreateDatabase(t.Context(), `odd "name`, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateDatabase(t.Context(), "copy", `odd "name`); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "copy", "select current_database()"); got != "copy" {
		t.Errorf("database %q", got)
	}
	if err := s.RenameDatabase(t.Context(), "copy", "other"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{"other": true, "copy": false} {
		if there, err := s.HasDatabase(t.Context(), name); err != nil || there != want {
			t.Errorf("%s: there %v, %v", name, there, err)
		}
	}
	if err := s.DropDatabase(t.Context(), "other"); err != nil {
		t.Error(err)
	}
	if err := s.DropDatabase(t.Context(), "other"); err == nil {
		t.Error("dropped twice")
	}
	if len(said) == 0 || said[len(said)-1] != s.Describe() || !strings.Contains(s.Describe(), "PostgreSQL") {
		t.Errorf("it does not say which programs were chosen: %q", said)
	}
	dir := socketDir(t, s.URL("postgres"))
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", dir)
	}
}

func TestKilledParentTakesTheServerAlong(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "__parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "postgres://") {
		t.Fatalf("the parent said %q", lines.Text())
	}
	dir := filepath.Dir(socketDir(t, lines.Text()))
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	gone(t, dir)
}

func TestKeptDirectory(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "anthill-keep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var systems []string
	for range 2 {
		s := started(t, Options{Dir: dir})
		systems = append(systems, ask(t, s, "postgres", "select system_identifier::text from pg_control_system()"))
		if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") {
			t.Errorf("a second one in the same directory: %v", err)
		}
		ask(t, s, "postgres", "select 'the first one is well'")
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if systems[0] != systems[1] {
		t.Errorf("another server: %v", systems)
	}
	other := started(t, Options{})
	if got := ask(t, other, "postgres", "select system_identifier::text from pg_control_system()"); got == systems[0] {
		t.Error("two servers have one identity")
	}
}

func with(vars map[string]string) func(string) string {
	return func(k string) string {
		if v, ok := vars[k]; ok {
			return v
		}
		return os.Getenv(k)
	}
}

func TestNamedBinariesThatAreNotThere(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Env: with(map[string]string{binVariable: "/nonexistent"})})
	if err == nil || !strings.Contains(err.Error(), "ANTHILL_PG_BIN is /nonexistent") {
		t.Errorf("error %v", err)
	}
}

// fakeInstall makes a directory that looks like a Postgres of a version.
func fakeInstall(t *testing.T, root, version string) string {
	t.Helper()
	bin := filepath.Join(root, version, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho 'postgres (PostgreSQL) "+version+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func TestFinderTakesTheNewest(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, v := range []string{"9.6", "13.2", "15.1"} {
		fakeInstall(t, root, v)
	}
	if err := os.Remove(filepath.Join(fakeInstall(t, root, "18.0"), "initdb")); err != nil { // a client alone
		t.Fatal(err)
	}
	look := func(ctx context.Context, program string, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		return string(out), err
	}
	f := finder{env: func(string) string { return "" }, globs: []string{filepath.Join(root, "*", "bin")}, look: look}
	found, err := f.find(t.Context())
	if err != nil || found.version != "15.1" || found.major != 15 {
		t.Errorf("found %+v, %v", found, err)
	}
	if err := os.RemoveAll(filepath.Join(root, "13.2")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "15.1")); err != nil {
		t.Fatal(err)
	}
	if found, err := f.find(t.Context()); err == nil {
		t.Errorf("found %+v, which is too old or a client alone", found)
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	type result struct {
		Version string
		Major   int
		Fails   bool
	}
	for said, want := range map[string]result{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": {"15.18", 15, false},
		"postgres (PostgreSQL) 18beta1":                        {"18beta1", 18, false},
		"something else":                                       {"", 0, true},
	} {
		v, m, err := parseVersion(said)
		if diff := cmp.Diff(want, result{v, m, err != nil}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", said, diff)
		}
	}
}

// testVersion is the version of the archive that the tests make.
const testVersion = "99.9.0"

// testPins vouches for what the environment names, where a test tells its child so; else for what the program does: on a
// machine without Postgres all tests download it.
func testPins() map[string]archive {
	if pin := os.Getenv("SSL_CERT_DIR"); len(pin) == 2*sha256.Size {
		return map[string]archive{platform(): {Version: testVersion, SHA256: pin}}
	}
	return pinned()
}

// testArchive packs the machine's own programs as the repository would: a jar with a tar archive in it, compressed by xz.
func testArchive(t *testing.T) []byte {
	t.Helper()
	bin := started(t, Options{}).bin
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The programs look for their other files beside where they lie, so these only lead to them.
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", filepath.Join(bin, name))
		if err := os.WriteFile(filepath.Join(dir, "bin", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	packed := filepath.Join(t.TempDir(), "pg.txz")
	if out, err := exec.CommandContext(t.Context(), "tar", "-C", dir, "-cJf", packed, "bin").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres-" + platform() + ".txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

// TestDownload runs the download against a mirror on loopback, with the machine's own binaries passed over: what is not
// the pinned archive is not used, and what is, runs.
func TestDownload(t *testing.T) {
	t.Parallel()
	good := testArchive(t)
	sum := sha256.Sum256(good)
	pin := hex.EncodeToString(sum[:])
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		wants string // of the error; "": it works
	}{
		"the archive":     {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(good) }, ""},
		"another archive": {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(append([]byte("x"), good...)) }, "is not the one that this version of Anthill knows"},
		"none":            {http.NotFound, "has no archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mirror := httptest.NewServer(test.serve)
			t.Cleanup(mirror.Close)
			cache, err := os.MkdirTemp("/tmp", "anthill-cache-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(cache) })
			if err := os.Chmod(cache, 0o755); err != nil {
				t.Fatal(err)
			}
			// SSL_CERT_DIR is one of the few variables that the child gets; the tests need it for nothing else.
			o := Options{Repository: mirror.URL, Cache: cache, Env: with(map[string]string{binVariable: binDownload, "SSL_CERT_DIR": pin})}
			s, err := Start(t.Context(), o)
			if test.wants != "" {
				if err == nil || !strings.Contains(err.Error(), test.wants) || !strings.Contains(err.Error(), "install Postgres") {
					t.Errorf("error %v", err)
				}
				left, globErr := filepath.Glob(filepath.Join(cache, "*", "*"))
				if globErr != nil || len(left) > 0 {
					t.Errorf("the cache holds %v, %v", left, globErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(t, s, "postgres", "select 'up'"); got != "up" || !strings.Contains(s.Describe(), "downloaded") {
				t.Errorf("%q from %s", got, s.Describe())
			}
			dir := socketDir(t, s.URL("postgres"))
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			gone(t, dir)
			mirror.Close() // the second start needs it no more
			again := started(t, o)
			if got := ask(t, again, "postgres", "select 'up'"); got != "up" {
				t.Errorf("from the cache: %q", got)
			}
		})
	}
}
