package scratchpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version that knows DROP DATABASE ... WITH (FORCE).
const oldest = 13

const installHint = "install Postgres 13 or newer (Debian: apt-get install postgresql; macOS: brew install " +
	"postgresql@17), or set " +
	binVariable + " to the directory that holds its postgres and initdb"

// errNoBinaries says that this machine has none, as far as the caller let us look. A download is the answer to it.
var errNoBinaries = errors.New("no Postgres binaries to use on this machine")

// install is one usable Postgres.
type install struct {
	bin     string // directory of postgres and initdb, links resolved
	version string // "15.18"
	major   int
}

// finder looks for the binaries of a server. A machine may hold those of a client alone, which are of no use here.
type finder struct {
	env   func(string) string
	globs []string // directories of binaries, the last place to look
	look  func(ctx context.Context, program string, args ...string) (string, error)
}

func usualPlaces() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/libexec/postgresql*",
		"/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
}

// find returns the first usable install. The error wraps errNoBinaries when a download may help, and is another when
// ANTHILL_PG_BIN names a directory that cannot be used: what was asked for by name is never replaced in silence.
func (f finder) find(ctx context.Context) (install, error) {
	switch named := f.env(binVariable); named {
	case "":
	case binDownload:
		return install{}, fmt.Errorf("%w: %s=%s passes over them", errNoBinaries, binVariable, binDownload)
	default:
		found, err := f.examine(ctx, named)
		if err != nil {
			return install{}, fmt.Errorf("%s is %s: %w; name the directory that holds postgres and initdb, or unset it to "+
				"have one looked for", binVariable, named, err)
		}
		return found, nil
	}

	var passedOver []string
	seen := map[string]bool{}
	for _, dir := range f.candidates(ctx) {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		found, err := f.examine(ctx, dir)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return install{}, ctx.Err()
		}
		if !errors.Is(err, os.ErrNotExist) {
			passedOver = append(passedOver, fmt.Sprintf("%s: %v", dir, err))
		}
	}
	err := fmt.Errorf("%w: looked at pg_config, PATH, %s", errNoBinaries, strings.Join(f.globs, ", "))
	if len(passedOver) > 0 {
		err = fmt.Errorf("%w; passed over %s", err, strings.Join(passedOver, "; "))
	}
	return install{}, err
}

func (f finder) candidates(ctx context.Context) []string {
	var dirs []string
	if program := f.onPath("pg_config"); program != "" {
		if said, err := f.look(ctx, program, "--bindir"); err == nil {
			dirs = append(dirs, strings.TrimSpace(said))
		}
	}
	if program := f.onPath("postgres"); program != "" {
		if resolved, err := filepath.EvalSymlinks(program); err == nil {
			dirs = append(dirs, filepath.Dir(resolved))
		}
	}
	for _, glob := range f.globs {
		found, err := filepath.Glob(glob)
		if err != nil {
			panic("scratchpg: bad pattern " + glob + ". This is a bug in Anthill.")
		}
		slices.SortFunc(found, func(a, b string) int { return compareNumbered(b, a) })
		dirs = append(dirs, found...)
	}
	return dirs
}

func (f finder) onPath(program string) string {
	for _, dir := range filepath.SplitList(f.env("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file := filepath.Join(dir, program); executable(file) == nil {
			return file
		}
	}
	return ""
}

// examine resolves the links of a directory's postgres, since that is where Postgres itself looks for its other files,
// and asks for its version.
func (f finder) examine(ctx context.Context, dir string) (install, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return install{}, err
	}
	server, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return install{}, fmt.Errorf("it holds no postgres: %w", err)
	}
	bin := filepath.Dir(server)
	for _, name := range []string{"postgres", "initdb"} {
		if err := executable(filepath.Join(bin, name)); err != nil {
			return install{}, fmt.Errorf("no %s to run: %w", name, err)
		}
	}
	said, err := f.look(ctx, server, "-V")
	if err != nil {
		return install{}, err
	}
	version, major, err := parseVersion(said)
	if err != nil {
		return install{}, err
	}
	if major < oldest {
		return install{}, fmt.Errorf("version %s is too old, %d is the oldest that works", version, oldest)
	}
	return install{bin: bin, version: version, major: major}, nil
}

// parseVersion reads the answer to `postgres -V`: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "postgres
// (PostgreSQL) 18beta1".
func parseVersion(said string) (version string, major int, err error) {
	match := regexp.MustCompile(`\(PostgreSQL\) (([0-9]+)[0-9A-Za-z.]*)`).FindStringSubmatch(said)
	if match == nil {
		return "", 0, fmt.Errorf("its postgres -V does not say a version: %q", said)
	}
	major, err = strconv.Atoi(match[2])
	return match[1], major, err
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is no program", file)
	}
	return nil
}

// compareNumbered orders paths with each run of digits taken as a number: postgresql/9 before postgresql/15.
func compareNumbered(a, b string) int {
	parts := regexp.MustCompile(`[0-9]+|[^0-9]+`)
	return slices.CompareFunc(parts.FindAllString(a, -1), parts.FindAllString(b, -1), func(x, y string) int {
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM == nil && errN == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(x, y)
	})
}
