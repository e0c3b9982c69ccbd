package report

import (
	"io"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics writes diagnostics with the lines of the files that they are about.
func Diagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, o Options) error {
	if len(diags) == 0 {
		return nil
	}
	p := newPage(w, o)
	clean := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Summary = Escape(c.Summary)
		c.Detail = escapeLines(c.Detail)
		clean[i] = &c
	}
	if err := hcl.NewDiagnosticTextWriter(p.w, files, uint(p.o.Width), o.Color).WriteDiagnostics(clean); err != nil {
		return err
	}
	return p.flush()
}
