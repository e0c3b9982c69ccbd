package postgres

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// modes are the driver's ways to ask, some of which it offers for poolers.
func modes() []string {
	return []string{"", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}
}

// TestPooler refuses a pooler that gives each transaction another session, before a setting has reached the session of
// somebody else, however it picks the next one; one that keeps a session for each connection is as good as the server.
func TestPooler(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]pgtest.Pooling{
		"one session":                    {Sessions: 1},
		"last used":                      {Sessions: 3},
		"longest rested of two":          {Sessions: 2, Rested: true},
		"longest rested of three":        {Sessions: 3, Rested: true},
		"longest rested of four":         {Sessions: 4, Rested: true},
		"statements":                     {Sessions: 2, Statements: true},
		"numbers told":                   {Sessions: 3, Tells: true},
		"numbers told, one session":      {Sessions: 1, Tells: true},
		"numbers told, rested of two":    {Sessions: 2, Rested: true, Tells: true},
		"numbers told, rested of three":  {Sessions: 3, Rested: true, Tells: true},
		"sessions of their own":          {},
		"sessions of their own, as told": {Tells: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.Database(t)
			if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
				t.Fatal(err)
			}
			b := pgtest.StartPooler(t, at, how)
			for _, mode := range modes() {
				p, err := Open(t.Context(), Options{URL: b.URL + modeIn(mode), Naming: "self_auth", Application: "anthill test"})
				if how.Sessions == 0 {
					if err != nil {
						t.Fatal(err)
					}
					reads(t, p, 5)
					p.Close()
					continue
				}
				if state.ErrorKindOf(err) != state.ErrorMissing || !strings.Contains(err.Error(), "pool_mode = session") {
					t.Fatal(mode, err)
				}
			}
			for _, is := range b.Show("show row_security") {
				if is != "on" {
					t.Error("a setting reached a session of others")
				}
			}
		})
	}
}

func modeIn(mode string) string {
	if mode == "" {
		return ""
	}
	return "&default_query_exec_mode=" + mode
}

// reads fails where not all users are read with their ids and names.
func reads(t *testing.T, p *Provider, want int) {
	t.Helper()
	if _, err := p.Inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	for u, err := range s.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; u.Email == "" || u.Role == "" || u.Tenant == u.ID {
			t.Errorf("%+v", u)
		}
	}
	if tenants, err := s.Tenants(t.Context()); n != want || err != nil || len(tenants) == 0 {
		t.Errorf("%d users, %d tenants: %v", n, len(tenants), err)
	}
}

// TestOptionsOfTheDriver: what an address says of the driver keeps nobody from reading rows.
func TestOptionsOfTheDriver(t *testing.T) {
	t.Parallel()
	at := pgtest.Database(t)
	if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
		t.Fatal(err)
	}
	list := []string{
		"statement_cache_capacity=0", "description_cache_capacity=0&default_query_exec_mode=cache_describe", "statement_cache_capacity=1",
		"statement_cache_capacity=-1", "pool_max_conns=1", "pool_max_conns=100&pool_min_conns=100", "pool_min_conns=-1", "pool_min_idle_conns=50",
		"pool_max_conn_lifetime=1ns", "pool_max_conn_idle_time=1ns&pool_health_check_period=1ns", "pool_max_conn_lifetime_jitter=1h",
		"pool_ping_timeout=1ns", "pool_health_check_period=-1s",
	}
	for _, mode := range modes()[1:] {
		list = append(list, "default_query_exec_mode="+mode)
	}
	for _, options := range list {
		p, err := Open(t.Context(), Options{URL: at + "&" + options, Naming: "self_auth"})
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		reads(t, p, 5)
		p.Close()
	}
}

// TestPgbouncer is the same with the pooler that most have, where it is installed.
func TestPgbouncer(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip(err)
	}
	at := pgtest.Database(t)
	if err := sandbox.Load(t.Context(), at, sandbox.Options{Tenants: 2, Users: 5}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"transaction", "statement", "session"} {
		for _, robin := range []string{"0", "1"} {
			t.Run(mode+robin, func(t *testing.T) {
				t.Parallel()
				pooled := startPgbouncer(t, program, at, "pool_mode = "+mode, "server_round_robin = "+robin)
				for _, how := range modes() {
					p, err := Open(t.Context(), Options{URL: pooled + modeIn(how), Naming: "self_auth", Application: "anthill test"})
					switch {
					case mode == "session" && err != nil:
						t.Fatal(err)
					case mode == "session":
						reads(t, p, 5)
						p.Close()
					case state.ErrorKindOf(err) != state.ErrorMissing || !strings.Contains(err.Error(), "pool_mode = session"):
						t.Fatal(how, err)
					}
				}
			})
		}
	}
	t.Run("says", func(t *testing.T) {
		t.Parallel()
		pooled := startPgbouncer(t, program, at, "pool_mode = session", "default_pool_size = 1", "query_wait_timeout = 1")
		for address, want := range map[string]string{
			pooled:                         "no session of the server left",
			pooled + "&search_path=public": `does not pass on the option "search_path" of DATABASE_URL`,
			strings.Replace(pooled, "/pooled", "/elsewhere", 1): "the pooler there knows no such database: database elsewhere",
			strings.Replace(pooled, "anthill@", "nobody@", 1):   "or the pooler there does not know it",
		} {
			if _, err := Open(t.Context(), Options{URL: address, Naming: "self_auth"}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", address, err, want)
			}
		}
	})
}

// startPgbouncer starts one before a database, which ends with the test, and returns its URL.
func startPgbouncer(t *testing.T, program, at string, settings ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, _, err := parse(at)
	if err != nil {
		t.Fatal(err)
	}
	// It listens on a socket in a directory of its own, so no port is taken from another test.
	lines := append([]string{
		"[databases]",
		fmt.Sprintf("pooled = host=%s port=%d dbname=%s user=%s", c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.Database, c.ConnConfig.User),
		"[pgbouncer]", "listen_port = 6432", "unix_socket_dir = " + dir, "auth_type = trust",
		"auth_file = " + filepath.Join(dir, "users"), "logfile = " + filepath.Join(dir, "log"),
	}, settings...)
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte("\"anthill\" \"\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ini")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Geteuid() == 0 { // it does not run as root
		at := slices.IndexFunc([]string{"postgres", "nobody"}, func(name string) bool { _, err := user.Lookup(name); return err == nil })
		args = append([]string{"-u", []string{"postgres", "nobody"}[max(at, 0)]}, args...)
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up, gone := make(chan bool), make(chan bool)
	go func() {
		defer close(gone)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "process up") {
				close(up)
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
		_ = cmd.Wait()
	})
	select {
	case <-up:
	case <-gone:
		t.Fatal("pgbouncer has ended")
	}
	return "postgres://anthill@/pooled?port=6432&host=" + dir
}
