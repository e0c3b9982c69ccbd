package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
)

// TestExport: who can be moved is in the export and nobody else, each with the eight keys that people know; the same
// rows give the same bytes, as JSON and as CSV, in a file for its owner alone; and nothing is changed anywhere.
func TestExport(t *testing.T) {
	t.Parallel()
	for naming, linkKey := range map[string]string{"self_auth": "has_self-auth", "kanidm": "has_kanidm"} {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Naming: naming}, emulator(t))
			w.config(everyone)
			// Names that a spreadsheet would work out, and signs that quoting must survive.
			odd := []string{"=1+1", "+49 30", "-x", "@x", "'quoted", "a, \"b\"\nc", " lead", "Zoë; DROP", "＝1"}
			for i, name := range odd {
				w.exec("update users set full_name = $1 where user_id = (select user_id from users where email like '%@acme.example' "+
					"and status = 'active' and deleted_at is null order by user_id offset $2 limit 1)", name, i)
			}
			before := w.fingerprint()
			out, _ := w.run(exitDone, "export", "users", "-out", "a.json")
			if out != filepath.Join(w.dir, "a.json")+"\n" {
				t.Errorf("stdout: %q", out)
			}
			w.run(exitDone, "export", "users", "-out", "b.json")
			w.run(exitDone, "export", "users", "-out", "c.csv")
			piped, _ := w.run(exitDone, "export", "users", "-out", "-")
			a, b := w.file("a.json"), w.file("b.json")
			if a != b || a != piped {
				t.Error("the same rows give other bytes")
			}
			if info, err := os.Stat(filepath.Join(w.dir, "a.json")); err != nil || info.Mode() != 0o600 {
				t.Errorf("the file has mode %v, %v", info.Mode(), err)
			}
			var rows []map[string]any
			must(t, json.Unmarshal([]byte(a), &rows))
			keys := []string{"email", "full_name", linkKey, "role", "status", "tenant_id", "tenant_slug", "user_id"}
			var got []string
			for _, r := range rows {
				if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(r))); diff != "" {
					t.Fatalf("keys (-want +got):\n%s", diff)
				}
				if r[linkKey] != false || r["status"] != "active" {
					t.Errorf("%v is exported", r)
				}
				got = append(got, fmt.Sprint(r["tenant_id"], " ", r["user_id"], " ", r["email"]))
			}
			if diff := cmp.Diff(w.movable(), got); diff != "" {
				t.Errorf("who is exported, in order (-want +got):\n%s", diff)
			}
			compareCSV(t, w.file("c.csv"), rows, linkKey)
			if w.fingerprint() != before {
				t.Error("something was changed")
			}
			if n := w.number("select count(*) from pg_namespace where nspname = 'anthill_state'"); n != 0 {
				t.Error("a state was made")
			}
		})
	}
}

// movable are the users who can be moved, in the order of an export, by a query of the test's own.
func (w *world) movable() (list []string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), w.spell("select tenant_id::text || ' ' || user_id || ' ' || email from users u "+
		"join tenants t using (tenant_id) where u.deleted_at is null and t.deleted_at is null and u.status = 'active' and t.status = 'active' "+
		"and {idp}_user_id is null and email <> 'system@anthill.local' order by tenant_id, user_id"))
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		must(w.t, rows.Scan(&one))
		list = append(list, one)
	}
	must(w.t, rows.Err())
	if len(list) < 100 {
		w.t.Fatalf("only %d users can be moved", len(list))
	}
	return list
}

func (w *world) file(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	must(w.t, err)
	return string(b)
}

// compareCSV reads CSV as any program would, and wants the rows of the JSON; no cell is a formula.
func compareCSV(t *testing.T, text string, rows []map[string]any, linkKey string) {
	t.Helper()
	if strings.Count(text, "\r\n") != len(rows)+1 {
		t.Errorf("%d lines end with CR LF, want %d", strings.Count(text, "\r\n"), len(rows)+1)
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	want := []string{"user_id", "tenant_id", "tenant_slug", "email", "full_name", "role", "status", linkKey}
	if diff := cmp.Diff(want, records[0]); diff != "" || len(records) != len(rows)+1 {
		t.Fatalf("%d records; the first one (-want +got):\n%s", len(records), diff)
	}
	marked := 0
	for i, record := range records[1:] {
		for k, key := range records[0] {
			cell := record[k]
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r＝") {
				t.Errorf("a cell begins as a formula does: %q", cell)
			}
			rest, cut := strings.CutPrefix(cell, "'")
			if cut {
				marked++
			}
			value := rows[i][key]
			if value == nil {
				value = ""
			}
			if fmt.Sprint(value) != rest {
				t.Errorf("%s is %q in CSV and %q in JSON", key, cell, value)
			}
		}
	}
	if marked < 5 {
		t.Errorf("%d cells are marked; this test proves nothing", marked)
	}
}

// TestExportIsStopped: an export that fails in its middle leaves no file, and nothing half-written.
func TestExportIsStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	failed := errors.New("the disk is full")
	for name, write := range map[string]func(io.Writer) error{
		"fails": func(out io.Writer) error { _, err := io.WriteString(out, "half"); return errors.Join(err, failed) },
		"meanwhile": func(io.Writer) error {
			return errors.Join(os.WriteFile(path, []byte("theirs"), 0o600), nil)
		},
	} {
		err := newFile(path, write)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if b, _ := os.ReadFile(path); len(b) > 0 && string(b) != "theirs" {
			t.Errorf("%s: the file holds %q", name, b)
		}
		os.Remove(path)
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}

	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var said strings.Builder
	if st := w.program(&said, &said).run(ctx, []string{"anthill", "export", "users", "-out", "x"}); st == exitDone {
		t.Error("a stopped export is done")
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*x*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
