package scratchidm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"anthill/internal/selfauthd"
)

// makeDirectories makes them, and reads what a kept one remembers. One that remembers nothing is of a start that was
// killed: it may lack what it is to hold.
func (s *Server) makeDirectories(keep string) (err error) {
	if s.run, err = os.MkdirTemp(s.env("TMPDIR"), "anthill-idm-"); err != nil {
		return err
	}
	if err := s.linkPages(); err != nil {
		return err
	}
	if s.data = s.run; keep == "" {
		return nil
	}
	if s.data, err = filepath.Abs(keep); err != nil {
		return err
	}
	text, err := os.ReadFile(s.keptFile())
	if errors.Is(err, os.ErrNotExist) {
		return errors.Join(os.RemoveAll(s.data), os.MkdirAll(s.data, 0o700))
	} else if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.access); err != nil {
		return fmt.Errorf("read %s: %w", s.keptFile(), err)
	}
	s.kept = true
	s.ca, err = os.ReadFile(s.CAFile())
	return err
}

// linkPages puts the files where builds look for them, seen from the working directory: static, or ../core/static.
func (s *Server) linkPages() error {
	static := pages(s.program)
	s.pages = static != ""
	for _, dir := range []string{s.workDir(), filepath.Join(s.run, "core")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if s.pages {
			if err := os.Symlink(static, filepath.Join(dir, "static")); err != nil {
				return err
			}
		}
	}
	return nil
}

// configuration is that of the server. Quoted as Go does, a path is a string of TOML.
func (s *Server) configuration() string {
	role := "WriteReplica"
	if !s.pages {
		role = "WriteReplicaNoUI"
	}
	return fmt.Sprintf(`version = "2"
bindaddress = "127.0.0.1:%[1]d"
domain = "%[2]s"
origin = "https://%[2]s:%[1]d"
db_path = %[3]q
tls_chain = %[4]q
tls_key = %[5]q
adminbindpath = %[6]q
role = %[7]q
`, s.access.Port, selfauthd.DefaultDomain, filepath.Join(s.data, "kanidm.db"), s.chainFile(), s.keyFile(),
		filepath.Join(s.run, "admin.sock"), role)
}

func (s *Server) workDir() string    { return filepath.Join(s.run, "daemon") }
func (s *Server) pidFile() string    { return filepath.Join(s.run, "pid") }
func (s *Server) configFile() string { return filepath.Join(s.run, "server.toml") }
func (s *Server) keptFile() string   { return filepath.Join(s.data, "kept.json") }
func (s *Server) chainFile() string  { return filepath.Join(s.data, "chain.pem") }
func (s *Server) keyFile() string    { return filepath.Join(s.data, "key.pem") }
