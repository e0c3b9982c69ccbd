package report

import (
	"io"

	"github.com/hashicorp/hcl/v2"
)

// diagnosticsJSON are the diagnostics of a configuration in the shape that `terraform validate -json` made known.
type diagnosticsJSON struct {
	FormatVersion string           `json:"format_version"`
	Valid         bool             `json:"valid"`
	Errors        int              `json:"error_count"`
	Warnings      int              `json:"warning_count"`
	Diagnostics   []diagnosticJSON `json:"diagnostics"`
}

type diagnosticJSON struct {
	Severity string     `json:"severity"` // "error" or "warning"
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail"`
	Range    *rangeJSON `json:"range,omitempty"` // absent where it is about no place in a file
}

type rangeJSON struct {
	Filename string  `json:"filename"`
	Start    posJSON `json:"start"`
	End      posJSON `json:"end"`
}

// posJSON is a place in a file: line and column count from 1, in characters, byte counts from 0.
type posJSON struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// DiagnosticsJSON writes what is wrong in a configuration for programs.
func DiagnosticsJSON(w io.Writer, diags hcl.Diagnostics) error {
	j := diagnosticsJSON{FormatVersion: FormatVersion, Valid: !diags.HasErrors(), Diagnostics: []diagnosticJSON{}}
	for _, d := range diags {
		severity, n := "error", &j.Errors
		if d.Severity == hcl.DiagWarning {
			severity, n = "warning", &j.Warnings
		}
		*n++
		j.Diagnostics = append(j.Diagnostics, diagnosticJSON{severity, d.Summary, d.Detail, placeOf(d.Subject)})
	}
	return writeJSON(w, j)
}

func placeOf(r *hcl.Range) *rangeJSON {
	if r == nil {
		return nil
	}
	at := func(p hcl.Pos) posJSON { return posJSON{p.Line, p.Column, p.Byte} }
	return &rangeJSON{r.Filename, at(r.Start), at(r.End)}
}
