package scratchpg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
)

const (
	superuser   = "anthill"
	socketPort  = "5432" // names the socket file, nothing listens on it
	binVariable = "ANTHILL_PG_BIN"
	binDownload = "download" // value of binVariable: pass over the binaries of the machine
)

// Options are the choices of Start. The zero value is a good default.
type Options struct {
	// Dir keeps the data directory and the socket directory below it; a second Start there finds the same databases.
	// Where its path is too long for a socket (103 bytes), the socket lies in a temporary directory of its own. ""
	// means a new temporary directory that Stop removes.
	Dir string
	// Env looks up ANTHILL_PG_BIN, PATH, TMPDIR, HOME and, for a download, the proxy and certificate variables. nil
	// means os.Getenv. ANTHILL_PG_BIN is the one directory to take postgres and initdb from, or the word "download":
	// use no binaries of this machine.
	Env func(string) string
	// Log gets one plain line for each noteworthy event: which binaries and user, the beginning of a download. nil
	// means nobody listens. It is called by Start only, never after Start has returned.
	Log func(string)
	// Self is the program that answers `__pg` by calling Child. "" means the running one.
	Self string
	// Repository is the base URL of the Maven repository to download from. "" means Maven Central.
	Repository string
	// Cache keeps downloaded binaries, in a subdirectory for each user. "" means /var/cache/anthill as root, else
	// anthill in the user's cache directory.
	Cache string
}

// Server is a running Postgres. Its methods may be called concurrently.
type Server struct {
	base        url.URL // without a database
	description string
	bin         string
	stop        func() error
}

// Start finds or downloads Postgres, starts a server and returns once it answers queries. ctx bounds the start only,
// not the server's life.
//
// On error nothing runs and no temporary directory is left. Each error says what to do.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	// Without this, a program that does not know `__pg` would start itself without end.
	if os.Getenv(childVariable) != "" {
		return nil, errors.New("start a throw-away Postgres: this program was run again to download Postgres and " +
			"started one more; its main (in tests: TestMain) must answer " + childCommand + " with scratchpg.Child")
	}
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	who, err := chooseAccount()
	if err != nil {
		return nil, fmt.Errorf("start a throw-away Postgres: %w", err)
	}
	s, err := start(ctx, o, who)
	if err != nil {
		return nil, fmt.Errorf("start a throw-away Postgres: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options, who account) (_ *Server, err error) {
	f := finder{env: o.Env, globs: usualPlaces(), look: who.look}
	found, missing := f.find(ctx)
	if missing != nil && !errors.Is(missing, errNoBinaries) {
		return nil, missing
	}

	h, err := openHome(o.Dir, o.Env, who)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()

	s := &Server{}
	var serving stopper
	if missing == nil {
		p, err := runPostgres(ctx, h, found, who, childEnv(o.Env, h.run))
		if err != nil {
			return nil, err
		}
		serving, s.base, s.bin = p, p.base, found.bin
		s.description = fmt.Sprintf("PostgreSQL %s from %s, as user %s", found.version, found.bin, who.name)
	} else {
		if o.Env(binVariable) != binDownload {
			o.Log("no Postgres found on this machine, using a downloaded one")
		}
		c, err := runChild(ctx, h, o, who)
		if err != nil {
			return nil, fmt.Errorf("%w (%w); %s", err, missing, installHint)
		}
		serving, s.base, s.bin = c, c.base, c.bin
		s.description = fmt.Sprintf("PostgreSQL %s from %s (downloaded), as user %s", c.version, c.bin, who.name)
	}
	s.stop = sync.OnceValue(func() error { return errors.Join(serving.stop(), h.close()) })
	o.Log(s.description)
	return s, nil
}

// stopper is a running Postgres or the process that runs one.
type stopper interface{ stop() error }

// URL returns the address of a database for pgx and for psql, by socket, as the server's superuser. It holds no secret.
func (s *Server) URL(database string) string { return withDatabase(s.base, database) }

// Describe returns version, origin and user in one line without a full stop: "PostgreSQL 15.18 from
// /usr/lib/postgresql/15/bin, as user postgres".
func (s *Server) Describe() string { return s.description }

// Stop ends all connections and the server, then removes what was temporary. Later calls return what the first
// returned. It reports a server that had ended by itself, too.
func (s *Server) Stop() error {
	if err := s.stop(); err != nil {
		return fmt.Errorf("stop the throw-away Postgres: %w", err)
	}
	return nil
}

// socketURL is the address of a server whose socket lies in dir. The port is spelled out because PGPORT would change
// it.
func socketURL(dir string) url.URL {
	q := url.Values{"host": {dir}, "port": {socketPort}, "sslmode": {"disable"}}
	return url.URL{Scheme: "postgres", User: url.User(superuser), RawQuery: q.Encode()}
}

func withDatabase(base url.URL, database string) string {
	// Spelled by hand: with an empty host url.URL would leave out the slashes that libpq wants.
	return base.Scheme + "://" + base.User.String() + "@/" + url.PathEscape(database) + "?" + base.RawQuery
}

// childEnv is all that a program of Postgres gets to know: PGDATA, PGPORT or a foreign locale would change what it
// does.
func childEnv(env func(string) string, home string) []string {
	path := env("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	return []string{"LC_ALL=C", "TZ=UTC", "HOME=" + home, "PATH=" + path}
}
