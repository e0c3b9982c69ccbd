package scratchpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// errNoBinaries says that no directory with both postgres and initdb was found.
var errNoBinaries = errors.New("no PostgreSQL server programs found")

// bases are the places where packages put the programs, one directory a version.
var bases = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
}

// find returns the first directory that holds both postgres and initdb: the one that is asked for, pg_config's, the
// one on the path, then the newest of those that packages use. A client-only install holds neither.
func find(env func(string) string) (string, error) {
	if dir := env("ANTHILL_PG_BIN"); dir == "download" {
		return "", errNoBinaries
	} else if dir != "" {
		if !holdsServer(dir) {
			return "", fmt.Errorf("ANTHILL_PG_BIN is %s, which holds no postgres and initdb: set it to the directory that does, or unset it", dir)
		}
		return dir, nil
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		if dir := strings.TrimSpace(string(out)); holdsServer(dir) {
			return dir, nil
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil && holdsServer(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}
	for _, base := range bases {
		dirs, _ := filepath.Glob(base)
		slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
		for _, dir := range dirs {
			if holdsServer(dir) {
				return dir, nil
			}
		}
	}
	return "", errNoBinaries
}

func holdsServer(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return dir != ""
}

// version is the first number of a path, so that 9 comes before 15.
func version(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}
