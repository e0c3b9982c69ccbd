// Package examples holds runnable configurations. Each folder is one, with its README; all are run as tests, and the
// program carries quickstart for `anthill demo`.
package examples

import "embed"

// Quickstart is the configuration that `anthill demo` runs, in the folder quickstart.
//
//go:embed quickstart/*.anthill.hcl
var Quickstart embed.FS

// Login is a configuration with all kinds of objects, in the folder login.
//
//go:embed login/*.anthill.hcl
var Login embed.FS

// SeedCalendar is a whole migration with its dates, in the folder seed-calendar.
//
//go:embed seed-calendar/*.anthill.hcl seed-calendar/*.md
var SeedCalendar embed.FS
