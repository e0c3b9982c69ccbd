package config

// Template makes a string from a user.
type Template struct {
	render func(UserVars) (string, error)
	source string
}

// Render renders.
func (t Template) Render(v UserVars) (string, error) { return t.render(v) }

// IsZero says whether there is none.
func (t Template) IsZero() bool { return t.render == nil }

// Source is the text from which ParseTemplate makes the same template.
func (t Template) Source() string { return t.source }

// ParseTemplate makes a template from its Source; the zero Template from "".
func ParseTemplate(source string) (Template, error) { panic("being written") }
