// Package regex holds back regular expressions until they are used. Compiling all of the program's at its start took a
// millisecond and half a megabyte of every command, most of which need none of them.
package regex

import (
	"regexp"
	"sync"
)

// Lazy is a regular expression that is compiled when it is first asked for. A mistake in it panics then.
func Lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
