// Package docs holds the documents that the program itself shows.
package docs

import _ "embed"

// Hazards is docs/hazards.md: a section for each code.
//
//go:embed hazards.md
var Hazards string
