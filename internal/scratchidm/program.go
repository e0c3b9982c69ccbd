package scratchidm

import (
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"slices"
)

// Variable names the one server to use.
const Variable = "ANTHILL_KANIDMD"

const programName = "kanidmd"

// ErrNone says that this machine has no Self-auth server. The error that wraps it says what to do.
var ErrNone = errors.New("there is no kanidmd on this machine")

// Find returns the path of the server's program: the one that ANTHILL_KANIDMD names, else the first on PATH, else that
// of the newest version below HOME/.cache/kanidmd. It is not run. env looks up those variables.
//
// The error wraps ErrNone where there is none. A program that was asked for by name and cannot be used is another
// error: it is never replaced in silence.
func Find(env func(string) string) (string, error) {
	if named := env(Variable); named != "" {
		path, err := filepath.Abs(named)
		if err == nil {
			err = executable(path)
		}
		if err != nil {
			return "", fmt.Errorf("%s is %s: %w; name a kanidmd, or unset it to have one looked for", Variable, named, err)
		}
		return path, nil
	}
	cache := filepath.Join(env("HOME"), ".cache", programName)
	for _, path := range slices.Concat(onPath(env("PATH")), cached(cache)) {
		if executable(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: set %s to one (Kanidm 1.8 or later), put it on PATH, or into %s/VERSION/",
		ErrNone, Variable, cache)
}

func onPath(list string) (paths []string) {
	for _, dir := range filepath.SplitList(list) {
		if filepath.IsAbs(dir) {
			paths = append(paths, filepath.Join(dir, programName))
		}
	}
	return paths
}

// cached are those in folders that are called as their version, the newest first.
func cached(dir string) (paths []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // most machines have no such folder
	}
	// Go's versions are numbered as Kanidm's are: 1.9.3 before 1.10.0.
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return version.Compare("go"+b.Name(), "go"+a.Name()) })
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name(), programName))
	}
	return paths
}

// pages returns the folder with the files of a program's pages for browsers: `static` beside it, or that of the source
// tree in whose target folder it was built. "" where there is neither.
func pages(program string) string {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	dir := filepath.Dir(program)
	tree := filepath.Join(dir, "..", "..")
	for _, static := range []string{filepath.Join(dir, "static"), filepath.Join(tree, "server", "core", "static")} {
		if info, err := os.Stat(static); err == nil && info.IsDir() {
			return static
		}
	}
	return ""
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is no program", path)
	}
	return nil
}
