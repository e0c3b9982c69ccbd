package migration

import (
	"cmp"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"anthill/internal/regex"
)

// What a folder may hold. Nobody writes a longer migration by hand, and nobody has more of them.
const (
	maxFile    = 1 << 20 // bytes of one; of a longer one is only known that it is there
	maxFiles   = 5000
	maxEntries = 20_000 // of the folder, whatever they are
	maxDepth   = 3      // folders in folders
	maxAll     = 64 << 20
	maxSteps   = 200_000 // of all files: a few letters make one, and each is kept
)

// File is one migration, as its tool would run it.
type File struct {
	Name   string   // its path in the folder, with slashes
	Keys   []string // what the tool may have noted it as, as Key has them
	Steps  []Step   // what it makes and takes away, in its order
	Unread bool     // it is too long, or no sound SQL: Steps are not known
	Title  string   // how sqlx describes it; "": sqlx would not run it
	sum    [sha512.Size384]byte
}

// Key is a version, or a name, as it is compared: numbers without leading zeros.
func Key(version string) string {
	if strings.Trim(version, "0123456789") != "" {
		return version
	}
	return cmp.Or(strings.TrimLeft(version, "0"), "0")
}

// Compare orders versions and names: numbers in them by their value.
func Compare(a, b string) int {
	for a != "" && b != "" {
		n, m := len(a)-len(strings.TrimLeft(a, "0123456789")), len(b)-len(strings.TrimLeft(b, "0123456789"))
		if n == 0 || m == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := Key(a[:n]), Key(b[:m])
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

// Read reads the files of a folder that end in .sql, and those of folders in it, but for the ways back (*.down.sql, down.sql, U1__*.sql, and
// what stands beside its way there: *-down.sql beside *-up.sql).
// They come in the order of their versions. An error is about the folder; it does not name it.
func Read(dir string) ([]File, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, bare(err)
	}
	if !info.IsDir() {
		return nil, errors.New("it is no folder")
	}
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	files, all, steps := make([]File, 0, len(names)), 0, 0
	for _, name := range names {
		f, size := readFile(dir, name)
		if all += size; all > maxAll {
			return nil, fmt.Errorf("its files have more than %d MB", maxAll>>20)
		}
		if steps += len(f.Steps); steps > maxSteps {
			return nil, fmt.Errorf("its files make and take away more than %d things", maxSteps)
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Or(Compare(a.order(), b.order()), cmp.Compare(a.Name, b.Name)) })
	return files, nil
}

// bare is an error without the path, which the caller names.
func bare(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// list are the paths of migrations in a folder.
func list(dir string) (names []string, err error) {
	entries := 0
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return bare(err)
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("it holds more than %d files", maxEntries)
		}
		hidden := strings.HasPrefix(path.Base(name), ".") && name != "."
		switch {
		case d.IsDir() && (hidden || strings.Count(name, "/") >= maxDepth):
			return fs.SkipDir
		case d.IsDir() || hidden || !strings.HasSuffix(name, ".sql") || wayBack(name):
			return nil
		}
		if !isFile(filepath.Join(dir, filepath.FromSlash(name))) {
			return nil
		}
		if names = append(names, name); len(names) > maxFiles {
			return fmt.Errorf("it holds more than %d migrations", maxFiles)
		}
		return nil
	})
	return forward(names), err
}

// backs are how tools call a way back, by what stands there instead in the name of the way there.
var backs = [][2]string{{"-down.sql", "-up.sql"}, {"_down.sql", "_up.sql"}, {".undo.sql", ".do.sql"}, {".rollback.sql", ".sql"}}

// forward leaves out the ways back that stand beside their ways there, in one folder or in down and up: alone, 6_count_down.sql is a
// migration like any other.
func forward(names []string) (list []string) {
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	for _, name := range names {
		back := false
		for _, b := range backs {
			if start, is := strings.CutSuffix(name, b[0]); is {
				back = back || there[start+b[1]]
			}
		}
		folder, base := path.Split(name)
		if start, is := strings.CutSuffix(folder, "down/"); is && (start == "" || strings.HasSuffix(start, "/")) {
			back = back || there[start+"up/"+base]
		}
		if !back {
			list = append(list, name)
		}
	}
	return list
}

var undoing = regex.Lazy(`^U[0-9._]+__`) // as Flyway and refinery call them

func wayBack(name string) bool {
	base := path.Base(name)
	return base == "down.sql" || strings.HasSuffix(base, ".down.sql") || undoing().MatchString(base)
}

// readFile reads a file, and says how long it is, as far as it was read.
func readFile(dir, name string) (f File, size int) {
	f = File{Name: name, Keys: keys(name), Title: title(name)}
	src, whole := content(filepath.Join(dir, filepath.FromSlash(name)))
	if f.Unread = !whole; f.Unread {
		return f, len(src)
	}
	f.sum = sha512.Sum384(src)
	var err error
	if f.Steps, err = Steps(string(src)); err != nil {
		f.Steps, f.Unread = nil, true
	}
	return f, len(src)
}

// content is that of a file; whole: all of it could be read.
func content(path string) (src []byte, whole bool) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	src, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	return src, err == nil && len(src) <= maxFile
}

// isFile reports whether a path leads to a file that can be read without waiting for somebody to write it.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// plain are names of files of which the folder has the name of the migration.
var plain = []string{"up.sql", "migration.sql"}

var versioned = regex.Lazy(`^[VB]?([0-9]+(?:[._-][0-9]+)*)_`)

// keys are what tools note of a file: its version, and its name with and without its ending.
func keys(name string) []string {
	base := path.Base(name)
	if slices.Contains(plain, base) {
		base = path.Base(path.Dir(name))
	}
	short := strings.TrimSuffix(strings.TrimSuffix(base, ".sql"), ".up")
	list := []string{short, base, name}
	m := versioned().FindStringSubmatch(short + "_")
	if m == nil {
		return unique(list)
	}
	version := m[1]
	parts := strings.FieldsFunc(version, func(r rune) bool { return r == '.' || r == '_' || r == '-' })
	for i, p := range parts {
		parts[i] = Key(p)
	}
	// 1_2 is 1.2 to Flyway, and 2024-01-31-120000 is one number to Diesel.
	list = append([]string{Key(version), strings.Join(parts, "."), Key(strings.ReplaceAll(version, "-", ""))}, list...)
	if first, _, two := strings.Cut(version, "_"); two && !strings.HasPrefix(short, "V") {
		list = append(list, Key(first)) // 20240131_01_x.sql has the version before the first _
	}
	return unique(list)
}

func unique(list []string) (kept []string) {
	for _, s := range list {
		if s != "" && s != "." && !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// order is what files are sorted by.
func (f *File) order() string { return f.Keys[0] }

// title describes a file as sqlx does: what stands behind the first _ of NUMBER_TEXT.sql. "": sqlx does not take it for a migration.
func title(name string) string {
	number, rest, ok := strings.Cut(name, "_")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" || strings.Contains(name, "/") || len(Key(number)) > 18 {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(rest, ".sql"), ".up"), "_", " ")
}

// Noted is the statement by which sqlx takes a file for one that it has run; "" where that cannot be said. table is in quotes.
func (f *File) Noted(table string) string {
	if f.Title == "" || f.sum == [sha512.Size384]byte{} {
		return ""
	}
	number, _, _ := strings.Cut(f.Name, "_")
	return fmt.Sprintf(`INSERT INTO %s (version, description, success, checksum, execution_time) VALUES (%s, '%s', true, '\x%x', 0);`,
		table, Key(number), strings.ReplaceAll(f.Title, "'", "''"), f.sum)
}
