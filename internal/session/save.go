package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// Plan is a plan that was just made, or that a run keeps, ready to be shown and carried out.
type Plan struct {
	*planfile.File
	Warnings Diagnostics // about the configuration; the List is empty where there are none

	remove string // when closed; "" nothing
}

// Close gives back what the plan holds; one that was not saved is gone.
func (p *Plan) Close() error {
	err := p.File.Close()
	if p.remove != "" {
		err = errors.Join(err, os.Remove(p.remove))
	}
	return err
}

// save writes the plan that was made, unless diagnostics say that there is none.
func (s *Session) save(w *planfile.Writer, made *plan.Plan, diags hcl.Diagnostics, out string) (*Plan, error) {
	diags = s.module.Locate(diags)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	saved, err := write(w, made, out)
	if err != nil {
		return nil, fmt.Errorf("save plan: %w", err)
	}
	saved.Warnings = Diagnostics{append(slices.Clone(s.warnings), diags...), s.module.Files()}
	return saved, nil
}

// place is where a plan is saved, "" where nobody asked for a file: behind symbolic links, where nothing is yet or a
// file that may be replaced. Whatever else stands there (a device, a pipe) would be lost by putting a file in its place.
func place(out string) (string, error) {
	if out == "" {
		return "", nil
	}
	at, err := filepath.EvalSymlinks(out)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(out); err == nil {
			return "", notOrdinary(out) // a pipe of this process, by way of /dev/stdout
		}
		if _, err := os.Lstat(out); err == nil {
			return "", fmt.Errorf("%s is a link to a file that is not there; name the file to save the plan to", out)
		}
		if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
			return "", fmt.Errorf("there is no directory %s to save the plan in", filepath.Dir(out))
		}
		return out, nil
	}
	if err != nil {
		return "", err
	}
	switch info, err := os.Stat(at); {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a directory; name the file to save the plan to", out)
	case !info.Mode().IsRegular():
		return "", notOrdinary(out)
	}
	return at, nil
}

func notOrdinary(out string) error {
	return fmt.Errorf("%s is no ordinary file, and a plan is saved in no other; name the file to save the plan to", out)
}

// write writes a plan file and opens it. It is written beside its place and moved there, so that a half-written one is
// never found.
func write(w *planfile.Writer, made *plan.Plan, out string) (*Plan, error) {
	out, err := place(out)
	if err != nil {
		return nil, err
	}
	where := ""
	if out != "" {
		where = filepath.Dir(out)
	}
	// Beside its place, and not in the system's directory for such files: renaming works only within a file system.
	f, err := os.CreateTemp(where, ".anthill-*.plan")
	if err != nil {
		return nil, err
	}
	_, err = w.Finish(f, made)
	// It must be there after a crash, if its name is.
	if err == nil && out != "" {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && out != "" {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	if out == "" {
		return openTemporary(f.Name())
	}
	r, err := planfile.Open(out)
	if err != nil {
		return nil, err
	}
	return &Plan{File: r}, nil
}

// openTemporary opens a plan file that is this process's alone. It is unlinked at once where the system allows it, so
// that nothing is left behind even after kill -9; elsewhere Close removes it.
func openTemporary(path string) (*Plan, error) {
	r, err := planfile.Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	temporary := &Plan{File: r}
	if os.Remove(path) != nil {
		temporary.remove = path
	}
	return temporary, nil
}
