package scratchpg

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary be run again as the download's child, and as a parent that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "__pg" {
		if err := Child(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "__parent" {
		s, err := Start(context.Background(), Options{Dir: os.Args[2]})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.URL("postgres"))
		select {}
	}
	os.Exit(m.Run())
}

func query(t *testing.T, url, sql string) (out string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStartAndStopLeaveNothing(t *testing.T) {
	t.Parallel()
	var said []string
	s, err := Start(t.Context(), Options{Log: func(l string) { said = append(said, l) }})
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.URL("postgres"), "select 'up'"); got != "up" {
		t.Errorf("query: %q", got)
	}
	if err := s.CreateDatabase(t.Context(), `odd "name`, ""); err != nil {
		t.Error(err)
	}
	if err := s.CreateDatabase(t.Context(), "copy", `odd "name`); err != nil {
		t.Error(err)
	}
	if err := s.DropDatabase(t.Context(), "copy"); err != nil {
		t.Error(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "PostgreSQL") {
		t.Errorf("log %q does not say which programs were chosen", said)
	}
	pid := serverPID(t, s.dir)
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is still there", pid)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("directory %s is still there", s.dir)
	}
}

func serverPID(t *testing.T, dir string) (pid int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestKilledParentTakesTheServerAlong(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "anthill-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(os.Args[0], "__parent", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := readLine(t.Context(), out); err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("parent said %q, %v", line, err)
	}
	pid := serverPID(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(20 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("server %d outlives its parent", pid)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

// alive says whether a process runs; one that has ended and waits for init to collect it does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestKeptDirectory(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "anthill-keep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	system := ""
	for i := range 2 {
		s, err := Start(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		got := query(t, s.URL("postgres"), "select system_identifier::text from pg_control_system()")
		if i == 1 && got != system {
			t.Errorf("another server: %s, was %s", got, system)
		}
		system = got
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadBinaries(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Env: func(k string) string {
		if k == "ANTHILL_PG_BIN" {
			return "/nonexistent"
		}
		return ""
	}})
	if err == nil || !strings.Contains(err.Error(), "ANTHILL_PG_BIN is /nonexistent") {
		t.Errorf("error %v does not name the variable", err)
	}
}

// TestDownload runs the download against a mirror on loopback: whatever is not the pinned archive must not be used.
func TestDownload(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]http.HandlerFunc{
		"another archive": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "not what was pinned") },
		"not there":       http.NotFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mirror := httptest.NewServer(serve)
			t.Cleanup(mirror.Close)
			cache, err := os.MkdirTemp("/tmp", "anthill-cache-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(cache) })
			_, err = Start(t.Context(), Options{Repository: mirror.URL, Cache: cache, Env: func(k string) string {
				if k == "ANTHILL_PG_BIN" {
					return "download"
				}
				return ""
			}})
			if err == nil || !strings.Contains(err.Error(), mirror.URL) || !strings.Contains(err.Error(), "Install PostgreSQL") {
				t.Errorf("error %v names neither the place nor the cure", err)
			}
			if entries, _ := os.ReadDir(cache); len(entries) != 0 {
				t.Errorf("the cache holds %v", entries)
			}
		})
	}
}
