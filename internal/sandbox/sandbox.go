package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"anthill/internal/scratchidm"
	"anthill/internal/scratchpg"
	"anthill/internal/selfauthd"
)

// Options say what a sandbox holds; the zero value is the sample at the baseline.
type Options struct {
	Tenants, Users int               // both 0: the sample; else exactly so many are generated
	Seed           int64             // of the data
	Naming         string            // "self_auth" (the default) or "kanidm"
	Level          string            // "baseline" (the default) or "dual", as shipped
	SelfAuth       string            // Emulator (the default), Real or None
	Fresh          bool              // the bare schema without tenants, and a directory with built-in entries only
	Dir            string            // keeps database, directory, certificate and address; "": all is temporary
	Cost           string            // of the emulator's calls, as selfauthd.Options has it
	Faults         *selfauthd.Faults // of the emulator
	Log            func(string)      // gets a line for each noteworthy event; nil: nobody listens
}

// The kinds of Self-auth server.
const (
	Emulator = "emulator"
	Real     = "real" // where internal/scratchidm finds one
	None     = "none" // the SELF_AUTH_ variables are left alone
)

const database = "anthill"

// Sandbox is a running one.
type Sandbox struct {
	postgres *scratchpg.Server
	selfauth server // nil: none
	env      []string
	close    func() error
}

// server is a Self-auth server of either kind.
type server interface {
	URL() string
	CA() []byte
	Passwords() (idmAdmin, admin string)
	Operator() (readWrite, readOnly string)
	Kept() bool // it found what it had before
	Close() error
}

// Start starts a Postgres of its own (each with its own identity), loads it, and unless told otherwise a Self-auth
// server beside it. On error nothing runs; without a program for a real server it wraps scratchidm.ErrNone.
func Start(ctx context.Context, o Options) (_ *Sandbox, err error) {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if _, err := namesOf(o.Naming); err != nil {
		return nil, err
	}
	if o.SelfAuth == Real { // before anything is started
		if _, err := scratchidm.Find(os.Getenv); err != nil {
			return nil, err
		}
	}
	dir, temporary := o.Dir, o.Dir == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "anthill-sandbox-"); err != nil {
			return nil, err
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Sandbox{}
	s.close = sync.OnceValue(func() error {
		var errs []error
		if s.selfauth != nil {
			errs = append(errs, s.selfauth.Close())
		}
		if s.postgres != nil {
			errs = append(errs, s.postgres.Stop())
		}
		if temporary {
			errs = append(errs, os.RemoveAll(dir))
		}
		return errors.Join(errs...)
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.startPostgres(ctx, o, dir); err != nil {
		return nil, err
	}
	switch o.SelfAuth {
	case None:
		return s, nil
	case Real:
		err = s.startReal(ctx, o, dir)
	default:
		err = s.startEmulator(o, dir)
	}
	if err != nil {
		return nil, err
	}
	return s, s.tellSelfAuth(o, dir)
}

// Env is the environment for commands: NAME=VALUE each.
func (s *Sandbox) Env() []string { return s.env }

// Close stops everything and removes what is temporary. It is safe to call twice.
func (s *Sandbox) Close() error { return s.close() }

func (s *Sandbox) startPostgres(ctx context.Context, o Options, dir string) (err error) {
	keep := ""
	if o.Dir != "" {
		keep = filepath.Join(dir, "postgres")
	}
	if s.postgres, err = scratchpg.Start(ctx, scratchpg.Options{Dir: keep, Log: o.Log}); err != nil {
		return err
	}
	url := s.postgres.URL(database)
	s.env = append(s.env, "DATABASE_URL="+url)
	there, err := s.postgres.HasDatabase(ctx, database)
	if err != nil || there {
		if there {
			o.Log("the database kept in " + dir + " is used as it is")
		}
		return err
	}
	return s.load(ctx, o)
}

// load fills a database under another name: one that a kill left half loaded is never taken for a kept one.
func (s *Sandbox) load(ctx context.Context, o Options) error {
	const loading = database + "_loading"
	if there, err := s.postgres.HasDatabase(ctx, loading); err != nil {
		return err
	} else if there {
		if err := s.postgres.DropDatabase(ctx, loading); err != nil {
			return err
		}
	}
	if err := s.postgres.CreateDatabase(ctx, loading, ""); err != nil {
		return err
	}
	if err := Load(ctx, s.postgres.URL(loading), o); err != nil {
		return err
	}
	return s.postgres.RenameDatabase(ctx, loading, database)
}

// kept is what a kept directory remembers of its emulator.
type kept struct {
	Addr                 string
	Certificate, Key, CA []byte
}

func (s *Sandbox) startEmulator(o Options, dir string) (err error) {
	file, keep := filepath.Join(dir, "selfauth.json"), ""
	if o.Dir != "" {
		keep = filepath.Join(dir, "selfauth")
	}
	var k kept
	if b, readErr := os.ReadFile(file); readErr == nil {
		if err := json.Unmarshal(b, &k); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
	} else if k.Certificate, k.Key, k.CA, err = selfauthd.NewCertificate(); err != nil {
		return err
	}
	if k.Addr == "" && keep != "" {
		// A directory without an address is of a start that was killed: it may lack what it is to hold.
		if err := os.RemoveAll(keep); err != nil {
			return err
		}
	}
	emulator, err := selfauthd.Start(selfauthd.Options{Addr: k.Addr, Certificate: k.Certificate, Key: k.Key, CA: k.CA,
		Dir:  keep,
		Cost: o.Cost, Faults: o.Faults})
	if err != nil && k.Addr != "" {
		return fmt.Errorf("start the Self-auth server where it was: %w", err)
	} else if err != nil {
		return err
	}
	s.selfauth = emulator
	if !emulator.Kept() {
		if err := seed(o, emulator.Seed); err != nil {
			return err
		}
	}
	if k.Addr == "" {
		k.Addr = net.JoinHostPort("127.0.0.1", portOf(emulator.URL()))
	}
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

func (s *Sandbox) startReal(ctx context.Context, o Options, dir string) error {
	keep := ""
	if o.Dir != "" {
		keep = filepath.Join(dir, "kanidm")
	}
	prepare := func(s *scratchidm.Server) error { return seed(o, s.Seed) }
	idm, err := scratchidm.Start(ctx, scratchidm.Options{Dir: keep, Log: o.Log, Prepare: prepare})
	if err != nil {
		return err
	}
	s.selfauth = idm
	return nil
}

// tellSelfAuth puts the server into the environment.
func (s *Sandbox) tellSelfAuth(o Options, dir string) error {
	if s.selfauth.Kept() {
		o.Log("the directory kept in " + dir + " is used as it is")
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, s.selfauth.CA(), 0o600); err != nil {
		return err
	}
	idmAdmin, admin := s.selfauth.Passwords()
	readWrite, readOnly := s.selfauth.Operator()
	s.env = append(s.env, "SELF_AUTH_URL="+s.selfauth.URL(), "SELF_AUTH_CA_FILE="+ca,
		"SELF_AUTH_ADMIN_TOKEN="+readWrite, "SELF_AUTH_READ_TOKEN="+readOnly,
		"SELF_AUTH_IDM_ADMIN_PASSWORD="+idmAdmin, "SELF_AUTH_ADMIN_PASSWORD="+admin)
	return nil
}

func portOf(url string) string {
	for i := len(url) - 1; i >= 0; i-- {
		if url[i] == ':' {
			return url[i+1:]
		}
	}
	return ""
}

// seed adds the entries that the sample's traps want to be there already.
func seed(o Options, add func([]selfauthd.Person, []selfauthd.Group) error) error {
	if o.Fresh || o.Tenants > 0 || o.Users > 0 {
		return nil
	}
	return add(Entries(o))
}

// Entries are those of the directory that the sample's traps want to be there already.
func Entries(o Options) (persons []selfauthd.Person, groups []selfauthd.Group) {
	sample := makeSample(o.Seed, o.Level == "dual")
	for _, p := range sample.persons {
		persons = append(persons, selfauthd.Person{ID: p.id, Name: p.name, Display: p.display, Mail: p.mail})
	}
	for _, g := range sample.groups {
		groups = append(groups, selfauthd.Group{ID: g.id, Name: g.name})
	}
	return persons, groups
}
