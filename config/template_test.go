package config

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestTemplateRenders(t *testing.T) {
	t.Parallel()
	user := UserVars{
		TenantSlug: "acme", Email: "Ann.Lee@acme.example", EmailLocal: "Ann.Lee", FullName: "Ann Lee",
		Role: "admin", UserID: uuid.UUID{1},
	}
	for name, test := range map[string]struct{ source, want string }{
		"the default":                 {"${user.tenant_slug}.${user.email_local}", "acme.Ann.Lee"},
		"one reference":               {"${user.user_id}", "01000000-0000-0000-0000-000000000000"},
		"text alone":                  {"somebody", "somebody"},
		"an escaped opening":          {"$${user.role} %%{if}", "${user.role} %{if}"},
		"a dollar before a reference": {`${"$"}${user.role}`, "$admin"},
		"a number":                    {"${1}-${user.role}", "1-admin"},
		"a quoted template":           {`${"a-${user.role}"}`, "a-admin"},
		"a function":                  {"${lower(user.full_name)}", "ann lee"},
		"a condition":                 {`${user.role == "admin" ? "a" : "u"}-${user.tenant_slug}`, "a-acme"},
		"a directive": {
			`%{ if user.full_name != "" }${user.full_name}%{ else }${user.email}%{ endif }`, "Ann Lee",
		},
		"slug":                {"${slug(user.email, 20)}", "ann.lee-acme-b02f39"},
		"a decomposed letter": {"e\u0301${user.role}", "\u00e9admin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tpl, err := ParseTemplate(test.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Render(user)
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if tpl.Source() != test.source || tpl.IsZero() {
				t.Errorf("source %q, zero %v", tpl.Source(), tpl.IsZero())
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ source, want string }{
		"syntax":            {"${user.", "parse template: "},
		"another root":      {"${var.x}", `check template: "var" is not known in a template`},
		"no such attribute": {"${user.mail}", `check template: user has no attribute "mail", only email, email_local,`},
		"no such function":  {"${lowr(user.role)}", `check template: there is no function "lowr"`},
		"no text":           {"${user}", "check template: the result is an object, a text is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseTemplate(test.source)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s...", err, test.want)
			}
		})
	}
}

func TestTemplateErrorsHideValues(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("${parseint(user.email, 10)}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpl.Render(UserVars{Email: "secret@acme.example"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestZeroTemplate(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("")
	if err != nil || !tpl.IsZero() || tpl.Source() != "" {
		t.Errorf("got %+v, %v", tpl, err)
	}
}

func BenchmarkTemplate(b *testing.B) {
	for name, source := range map[string]string{
		"fast": "${user.tenant_slug}.${user.email_local}", "slow": "${lower(user.tenant_slug)}.${user.email_local}",
	} {
		tpl, err := ParseTemplate(source)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := tpl.Render(UserVars{TenantSlug: "acme", EmailLocal: "ann.lee"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
