//go:build !linux

package pgtest

// inMemory is "": no directory in memory is known here.
func inMemory() string { return "" }
