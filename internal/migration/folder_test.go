package migration

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder makes a folder of files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRead: the migrations of a folder in their order, each by the names that its tool may have noted; ways back, hidden files and what
// is no file are left out, and what is no SQL, or too long, is said to be unread.
func TestRead(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"20250110000015_b.sql": "alter table users add a int", "20250110000009_a.up.sql": "select 1", "20250110000009_a.down.sql": "drop table users",
		"V1_10__x.sql": "select 1", "V1_9__y.sql": "select 1", "U1_9__y.sql": "drop table users", "notes.txt": "alter", ".hidden.sql": "alter",
		"2024-01-31-120000_make/up.sql": "select 1", "2024-01-31-120000_make/down.sql": "select 1", "20240201000000_init/migration.sql": "select 1",
		".git/x.sql": "select 1", "3_bin.sql": "alter table users add a int;\x00", "4_long.sql": strings.Repeat(" ", maxFile+1), "seed.sql": "select 1",
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "5_pipe.sql"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "6_zero.sql")); err != nil {
		t.Fatal(err)
	}
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names, unread []string
	keys := map[string][]string{}
	for _, f := range files {
		names, keys[f.Name] = append(names, f.Name), f.Keys
		if f.Unread {
			unread = append(unread, f.Name)
		}
	}
	want := []string{"V1_9__y.sql", "V1_10__x.sql", "3_bin.sql", "4_long.sql", "2024-01-31-120000_make/up.sql", "20240201000000_init/migration.sql",
		"20250110000009_a.up.sql", "20250110000015_b.sql", "seed.sql"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3_bin.sql", "4_long.sql"}, unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	for name, key := range map[string]string{"V1_9__y.sql": "1.9", "2024-01-31-120000_make/up.sql": "20240131120000", "20240201000000_init/migration.sql": "20240201000000_init",
		"20250110000009_a.up.sql": "20250110000009", "seed.sql": "seed"} {
		if !slices.Contains(keys[name], key) {
			t.Errorf("%s is noted as %q, not among %q", name, key, keys[name])
		}
	}
}

// TestNoFolder: what cannot be read, or holds more than migrations do, is an error without the path.
func TestNoFolder(t *testing.T) {
	t.Parallel()
	many := t.TempDir()
	for i := range maxFiles + 1 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprintf("%d_x.sql", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range map[string]string{"absent": filepath.Join(many, "absent"), "a file": filepath.Join(many, "1_x.sql"), "too many": many} {
		files, err := Read(dir)
		if err == nil || strings.Contains(err.Error(), many) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

// TestCompare: versions are compared by their numbers.
func TestCompare(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "0", "1", "01.2", "1.10", "2", "10", "20250110000015", "20250110000016", "a2", "a10", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := Compare(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
}

// TestNoted: the statement has version, description and checksum as sqlx notes them, whatever the file is called; there is none for what
// sqlx does not take for a migration.
func TestNoted(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"0020_it's_a_x.up.sql": "select 1", "V1__x.sql": "select 1", "sub/3_x.sql": "select 1", "99999999999999999999_x.sql": ""})
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		if s := f.Noted(`"app"."_sqlx_migrations"`); s != "" {
			got = append(got, s)
		}
	}
	sum := sha512.Sum384([]byte("select 1"))
	want := []string{fmt.Sprintf(`INSERT INTO "app"."_sqlx_migrations" (version, description, success, checksum, execution_time) VALUES (20, 'it''s a x', true, '\x%x', 0);`, sum)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f := (&File{Name: "1_x.sql", Title: "x"}); f.Noted("t") != "" {
		t.Error("a file that was not read has a checksum")
	}
	if bytes.Equal(sum[:], make([]byte, len(sum))) {
		t.Error("no checksum")
	}
}

// TestWaysBack: a file that takes another one back is no migration, however its tool calls the two; without that other one it is.
func TestWaysBack(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"1_a-up.sql": "", "1_a-down.sql": "", "2_b_up.sql": "", "2_b_down.sql": "", "3_c.do.sql": "", "3_c.undo.sql": "", "4_d.sql": "", "4_d.rollback.sql": "",
		"up/5_e.sql": "", "down/5_e.sql": "", "6_count_down.sql": "", "7_calm-down.sql": "", "down/8_f.sql": "", "9_x.down.sql": "",
	})
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	want := []string{"1_a-up.sql", "2_b_up.sql", "3_c.do.sql", "4_d.sql", "up/5_e.sql", "6_count_down.sql", "7_calm-down.sql", "down/8_f.sql"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestManySteps: a folder that was made to fill the memory is refused, whether its steps stand in one file or in many.
func TestManySteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ files, steps int }{"in one file": {1, 250_000}, "in many": {250, 1000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for i := range c.files {
				files[fmt.Sprintf("%d_x.sql", i)] = "drop table a" + strings.Repeat(",a", c.steps-1)
			}
			if _, err := Read(folder(t, files)); err == nil || !strings.Contains(err.Error(), "200000") {
				t.Errorf("it says: %v", err)
			}
		})
	}
}
