package main

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"anthill/examples"
	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/internal/selfauthd"
)

// TestScripts runs testdata/script: whole command lines in processes of their own, each script in a world of its own.
// `exits N COMMAND...` demands an exit status; the command `unchanged` proves that nothing was changed.
func TestScripts(t *testing.T) {
	t.Parallel()
	scram := scramAddress(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			w := newWorld(t, sandbox.Options{}, emulator(t))
			bare := pgtest.Database(t)
			foreign := filepath.Join(w.dir, "other-ca.pem")
			other, err := selfauthd.Start(selfauthd.Options{})
			if err != nil {
				return err
			}
			e.Defer(func() { other.Close() })
			if err := os.WriteFile(foreign, other.CA(), 0o600); err != nil {
				return err
			}
			for _, files := range []fs.FS{examples.Quickstart, examples.Login} {
				if err := os.CopyFS(filepath.Join(e.WorkDir, "examples"), files); err != nil {
					return err
				}
			}
			for k, v := range w.env {
				e.Setenv(k, v)
			}
			e.Setenv("BARE_URL", bare)
			e.Setenv("OTHER_CA", foreign)
			e.Setenv("SCRAM_URL", scram)
			e.Values["before"] = w.fingerprint()
			e.Values["world"] = w
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"unchanged": unchanged,
			"sql":       runSQL,
			"hold-lock": holdLock,
			"spoil":     spoil,
		},
	})
}

// exits runs a command and demands its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if status != want {
		ts.Fatalf("exit status %d, want %d", status, want)
	}
}

// unchanged demands that the application's tables are as they were and that no state was made.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value("world").(*world)
	if neg || len(args) > 0 {
		ts.Fatalf("usage: unchanged")
	}
	if ts.Value("before").(sandbox.Fingerprint) != w.fingerprint() {
		ts.Fatalf("rows were changed")
	}
	if n := w.number("select count(*) from pg_namespace where nspname = 'anthill_state'"); n != 0 {
		ts.Fatalf("a state was made")
	}
	if n := len(w.directory().persons); n != 0 {
		ts.Fatalf("%d persons were made", n)
	}
}

// runSQL changes the application's rows.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	ts.Value("world").(*world).exec(args[0])
}

// holdLock keeps the lock of the target until the script ends, as another apply would.
func holdLock(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value("world").(*world)
	lock := w.lock("ana@laptop")
	ts.Defer(lock)
}

// spoil writes FILE.cut, without its end, and FILE.damaged, with one bit in its middle turned.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spoil FILE")
	}
	whole := []byte(ts.ReadFile(args[0]))
	name := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(name+".cut", whole[:len(whole)-40], 0o600))
	whole[len(whole)/2] ^= 4
	ts.Check(os.WriteFile(name+".damaged", whole, 0o600))
}

// scramAddress returns the URL of a role that must give a password, over TCP: a loopback port that leads to the
// server's socket, where the role is asked for it.
func scramAddress(t *testing.T) string {
	t.Helper()
	base := pgtest.Server().URL("postgres")
	c, err := pgx.Connect(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var hba string
	if err := c.QueryRow(t.Context(), "select current_setting('hba_file')").Scan(&hba); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, append([]byte("local all scram_role scram-sha-256\n"), rules...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"set password_encryption = 'scram-sha-256'", "create role scram_role login superuser password 'right horse'", "select pg_reload_conf()"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return "postgres://scram_role:wrong-horse@" + relay(t, filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port"))) + "/postgres?sslmode=disable"
}

// relay listens on loopback and passes everything on to a socket.
func relay(t *testing.T, socket string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				in.Close()
				return
			}
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	return l.Addr().String()
}
