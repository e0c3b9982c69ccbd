// Package pgtest gives the tests of any package a Postgres: one server for the package, one database for each test, as
// a copy of a template that takes tens of milliseconds. Nothing needs to be installed or running, see package
// scratchpg.
//
//	func TestMain(m *testing.M) { pgtest.Main(m, prepare) }
//
//	func TestX(t *testing.T) { conn, err := pgx.Connect(t.Context(), pgtest.Database(t)) ... }
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anthill/internal/scratchpg"
)

const template = "tpl"

// A test function takes nothing but its T, so what TestMain made has to be kept here. server is set once, before any
// test runs.
var (
	server *scratchpg.Server
	number atomic.Int64 // of the database that was made last
)

// Main is the body of a TestMain. It starts the server, has prepare fill the template at url (nil leaves it empty),
// runs the tests, stops the server, and exits the process with the status of the tests, or 1 with a line on standard
// error. prepare must leave no connection open.
func Main(m *testing.M, prepare func(ctx context.Context, url string) error) {
	os.Exit(Run(m, prepare))
}

// Run is Main for a TestMain that has more to do: it returns the status instead of exiting.
func Run(m *testing.M, prepare func(ctx context.Context, url string) error) int {
	// Without Postgres on this machine the server is started by this program, run again.
	if len(os.Args) > 1 && os.Args[1] == "__pg" {
		if err := scratchpg.Child(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			return 1 // it has told its parent
		}
		return 0
	}
	status, err := run(m, prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		status = max(status, 1)
	}
	return status
}

func run(m *testing.M, prepare func(ctx context.Context, url string) error) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	s, err := scratchpg.Start(ctx, scratchpg.Options{
		Env: environment,
		Log: func(line string) { fmt.Fprintln(os.Stderr, "pgtest:", line) },
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := s.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := s.CreateDatabase(ctx, template, ""); err != nil {
		return 1, err
	}
	if prepare != nil {
		if err := prepare(ctx, s.URL(template)); err != nil {
			return 1, fmt.Errorf("prepare the template: %w", err)
		}
	}
	server = s
	return m.Run(), nil
}

// environment is the environment, with temporary files in memory where there is enough of it: a database is some three
// hundred files, which a file system on a disk takes ten times as long to make.
func environment(name string) string {
	value := os.Getenv(name)
	if name == "TMPDIR" && value == "" {
		return inMemory()
	}
	return value
}

// Server returns the package's server. It panics where TestMain did not call Main.
func Server() *scratchpg.Server {
	if server == nil {
		panic("pgtest: no server; the package's TestMain must call pgtest.Main")
	}
	return server
}

// Database makes a copy of the template for one test and returns its URL. It goes, with whoever is still connected,
// when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	return copyOf(t, template)
}

// filled is a database that several tests want alike.
type filled struct {
	mu     sync.Mutex
	wanted int    // times
	name   string // of their template; "": none yet
}

var fillings sync.Map // *filled, by key

// Filled makes a copy of the template that fill has filled, for one test, and returns its URL. fill does the same for the
// same key, and leaves no connection open: what two tests want is kept for the others.
func Filled(t testing.TB, key string, fill func(ctx context.Context, url string) error) string {
	t.Helper()
	kept, _ := fillings.LoadOrStore(key, &filled{})
	f := kept.(*filled)
	if name := f.template(t, fill); name != "" {
		return copyOf(t, name)
	}
	url := Database(t)
	if err := fill(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// template is the name of the filled template, which the second test makes; "" for the first one.
func (f *filled) template(t testing.TB, fill func(ctx context.Context, url string) error) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wanted++; f.wanted == 1 || f.name != "" {
		return f.name
	}
	name := fmt.Sprintf("%s%d", template, number.Add(1))
	err := Server().CreateDatabase(t.Context(), name, template)
	if err == nil {
		err = fill(t.Context(), Server().URL(name))
	}
	if err != nil {
		t.Fatal(err)
	}
	f.name = name
	return name
}

func copyOf(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", number.Add(1))
	if err := Server().CreateDatabase(t.Context(), name, from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// t.Context() has ended here.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := Server().DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return Server().URL(name)
}
