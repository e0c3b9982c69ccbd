package config

import (
	"path/filepath"
	"slices"
	"strings"

	"anthill/internal/migration"
)

// migrations reads the application's own migrations in the folder that an argument names; none: it is not given, or wrong.
func (r reader) migrations(name string) (folder string, files []migration.File) {
	folder = r.nonEmpty(name)
	if folder == "" {
		return "", nil
	}
	path := folder
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.e.m.dir, path)
	}
	files, err := migration.Read(path)
	switch {
	case err != nil:
		r.wrong(name, "the folder %s cannot be read: %s", folder, err)
	case len(files) == 0:
		r.wrong(name, "the folder %s holds no *.sql file, and no other migrations can be read", folder)
	}
	return folder, files
}

// tables reads names of tables, each with or without its schema.
func (r reader) tables(name string) []string {
	list, _ := r.strings(name)
	for _, s := range list {
		parts := strings.Split(s, ".")
		if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool { return physicalProblem(name, p) != "" }) {
			r.wrong(name, "a table's name is needed, alone or behind its schema and a dot, not %q", s)
			return nil
		}
	}
	return list
}
