package planfile_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/planner/planfile"
)

// TestOutline: what a status reads of a stored plan is what the whole file says, and a file that is cut off or damaged there is no plan.
func TestOutline(t *testing.T) {
	t.Parallel()
	b, _ := moving().write(t)
	f := mustOpen(t, b)
	e, err := planfile.Begun(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Effects().Segments, e.Segments); diff != "" || len(e.Segments) == 0 {
		t.Errorf("segments (-whole +outline):\n%s", diff)
	}
	c, err := planfile.Reported(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Context(), c); diff != "" {
		t.Errorf("context (-whole +outline):\n%s", diff)
	}
	var form *planfile.FormatError
	for at := 0; at < len(b); at += 1 + len(b)/300 {
		for name, bad := range map[string][]byte{"cut": b[:at], "damaged": append(append(bytes.Clone(b[:at]), b[at]^1), b[at+1:]...)} {
			for what, read := range map[string]func() error{
				"effects": func() error { _, err := planfile.Begun(bytes.NewReader(bad)); return err },
				"context": func() error { _, err := planfile.Reported(bytes.NewReader(bad)); return err },
			} {
				if err := read(); err != nil && !errors.As(err, &form) {
					t.Fatalf("%s, %s at %d: %v", what, name, at, err)
				}
			}
		}
	}
	for _, bad := range [][]byte{nil, []byte("no plan"), b[:len(b)/2]} {
		if _, err := planfile.Reported(bytes.NewReader(bad)); !errors.As(err, &form) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := planfile.Begun(bytes.NewReader(b[:40])); !errors.As(err, &form) {
		t.Errorf("cut off: %v", err)
	}
}
