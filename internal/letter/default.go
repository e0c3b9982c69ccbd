package letter

import _ "embed"

//go:embed default.md
var defaultSource []byte

// DefaultSource is the template of whoever has none of their own, as it is shown to be copied. The caller may change
// it.
func DefaultSource() []byte { return append([]byte(nil), defaultSource...) }

// Default is that template, parsed.
func Default() *Template {
	t, err := Parse("default.md", defaultSource)
	if err != nil {
		panic(err)
	}
	return t
}
