// Package pgtest gives tests a database each: one throw-away server a package, databases cloned from a template.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"anthill/internal/scratchpg"
)

var (
	server *scratchpg.Server
	number atomic.Int64
)

// Main is called from TestMain: it starts the server, makes the template with prepare (which may be nil), runs the
// tests, stops the server and exits.
func Main(m *testing.M, prepare func(ctx context.Context, url string) error) {
	os.Exit(run(m, prepare))
}

func run(m *testing.M, prepare func(ctx context.Context, url string) error) int {
	ctx := context.Background()
	var err error
	if server, err = scratchpg.Start(ctx, scratchpg.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	if err := server.CreateDatabase(ctx, "tpl", ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if prepare != nil {
		if err := prepare(ctx, server.URL("tpl")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// Server is the package's server.
func Server() *scratchpg.Server { return server }

// Database clones the template and returns the copy's URL; it is dropped with the test.
func Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", number.Add(1))
	if err := server.CreateDatabase(context.Background(), name, "tpl"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return server.URL(name)
}
