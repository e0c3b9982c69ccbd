package selfauth

import (
	"os"
	"path/filepath"
	"testing"

	"anthill/internal/selfauthd"
)

// emulator starts the emulator as one of the servers.
func emulator(t *testing.T) server {
	t.Helper()
	d, err := selfauthd.Start(selfauthd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, d.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := server{name: "emulator", url: d.URL(), caFile: file}
	s.rw, s.ro = d.Operator()
	s.idmAdmin, s.admin = d.Passwords()
	return s
}
