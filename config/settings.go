package config

import (
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"

	"anthill/internal/regex"
)

// Settings returns where the two sides are. It needs only variables and locals.
func (m *Module) Settings() (Settings, hcl.Diagnostics) {
	e := newEvaluator(m, nil)
	s := e.settings()
	return s, tidy(e.diags)
}

// Defaults are the settings of a configuration that says nothing.
func Defaults() Settings {
	s, _ := (&Module{}).Settings()
	return s
}

var schemaForm = regex.Lazy(`^[a-z_][a-z0-9_]{0,62}$`)

func (e *evaluator) settings() (s Settings) {
	static := scope{static: true}
	top := e.m.single("anthill", "")
	s.Environment, s.Unsettled = e.environment(top)
	store := e.reader(top.child("state"), static)
	var known bool
	if s.StateSchema, known = store.optionalText("schema"); known && (!schemaForm().MatchString(s.StateSchema) ||
		strings.HasPrefix(s.StateSchema, "pg_")) {
		store.wrong("schema",
			"a schema's name is needed (lower case letters, digits and \"_\", at most 63, not beginning with "+
				"\"pg_\"), not %q", s.StateSchema)
	}
	postgres := e.reader(e.m.single("provider", "postgres"), static)
	s.PostgresURL, s.Naming = postgres.nonEmpty("url"), postgres.text("naming")
	s.Names = postgres.names("names", s.Naming)
	s.MigrationTables = e.reader(e.m.single("schema", ""), static).tables("migration_tables")
	selfauth := e.reader(e.m.single("provider", "selfauth"), static)
	s.SelfAuthURL, s.CAFile, s.TokenFile = selfauth.nonEmpty("url"), selfauth.nonEmpty("ca_file"),
		selfauth.nonEmpty("token_file")
	if s.MaxWrite, known = selfauth.span("max_write_time"); known && (s.MaxWrite < time.Second ||
		s.MaxWrite > 4*time.Second) {
		selfauth.wrong("max_write_time",
			"a time from 1s to 4s is needed: other writes of the server fail when they have waited for 5 s")
	}
	mail := e.reader(e.m.single("provider", "mail"), static)
	s.Mail = MailSettings{URL: mail.nonEmpty("url"), CAFile: mail.nonEmpty("ca_file"), Directory: mail.nonEmpty("directory"),
		DomainRate: mail.count("domain_rate")}
	if s.Mail.URL != "" && s.Mail.Directory != "" {
		mail.wrong("directory", "mails go out by url or into a directory, not both")
	}
	return s
}

// environment is that of the target, or not settled where it depends on a variable without a value.
func (e *evaluator) environment(top *node) (name string, unsettled bool) {
	own := newEvaluator(e.m, nil)
	name = own.reader(top, scope{static: true}).nonEmpty("environment")
	if own.lacking {
		return "", true
	}
	e.diags = append(e.diags, own.diags...)
	return name, false
}

// checkVersion compares required_version, a literal, with the version of the program. Pre-releases count as the release
// that they lead to.
func (m *Module) checkVersion() (diags hcl.Diagnostics) {
	a := m.single("anthill", "").args["required_version"]
	if a == nil {
		return nil
	}
	v, moreDiags := newMeter(m.done).evaluate(a.Expr, nil)
	text, err := textOf(cleanValue(v, moreDiags))
	if err != nil {
		return diags.Append(problem(a.Expr.Range(), "Invalid value",
			"The argument \"required_version\" is a literal text like \">= 0.1\"."))
	}
	want, err := version.NewConstraint(text)
	if err != nil {
		return diags.Append(problem(a.Expr.Range(), "Invalid value",
			"The argument \"required_version\" is a list of conditions like \">= 0.1, < 2.0\", not %q.", text))
	}
	if m.level == "" {
		return nil
	}
	// A program that was built without a version accepts every configuration.
	if have, err := version.NewVersion(m.level); err == nil && !want.Check(have.Core()) {
		return diags.Append(problem(a.Expr.Range(), "Other version needed",
			"This configuration is for Anthill %s, and this is %s. Use a version that fits, or change required_version.",
			text, m.level))
	}
	return nil
}
