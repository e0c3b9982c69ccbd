package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/internal/letter"
	"anthill/state"
)

// TestInvitation: what a wave says of its mails, with the template from its file, and what stands there by default.
func TestInvitation(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	template := "Subject: Hello\n\nHello {{.Name}}, until {{.PasswordUntil}}.\n"
	for name, c := range map[string]struct {
		text     string
		want     Invitation
		reminder *Reminder
	}{
		"least": {`invitation { from = "noreply@anthill.example" }`,
			Invitation{Template: string(letter.DefaultSource()), From: "<noreply@anthill.example>", Link: state.LinkCode}, nil},
		"all": {`invitation {
			template = "invite.md"
			subject = "Welcome, {{.Name}}"
			from = "Anthill <noreply@anthill.example>"
			reply_to = "help@anthill.example"
			support = "the desk, floor 2"
			guide_url = "https://anthill.example/guide"
			link = "recover"
			rate = 30
		}
		reminder {
			after = "3d"
			every = "7d"
		}`, Invitation{Template: template, Subject: "Welcome, {{.Name}}", From: `"Anthill" <noreply@anthill.example>`,
			ReplyTo: "<help@anthill.example>", Support: "the desk, floor 2", GuideURL: "https://anthill.example/guide",
			Link: state.LinkRecover, Rate: 30}, &Reminder{After: 3 * day, Every: 7 * day, AtMost: 3}},
		"one reminder": {"invitation { from = \"a@b.example\" }\n reminder { after = \"12h\" }",
			Invitation{Template: string(letter.DefaultSource()), From: "<a@b.example>", Link: state.LinkCode},
			&Reminder{After: 12 * time.Hour, AtMost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, diags := evaluate(t, map[string]string{"invite.md": template, "main.anthill.hcl": `
				auth_policy "dual" {
					method = "dual"
					password_until = "2027-03-01"
				}
				provider "mail" {
					url = "smtp://mail.example"
					ca_file = "ca.pem"
					domain_rate = 5
				}
				wave "a" {
					auth_policy = auth_policy.dual
					users { all = true }
					` + c.text + `
				}`}, Vars{}, sampleData())
			if diags.HasErrors() {
				t.Fatal(plainDiags(diags))
			}
			c.want.PasswordUntil = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
			w := cfg.Waves[0]
			places := cmp.Options{cmpopts.IgnoreFields(Invitation{}, "Pos", "name"), cmpopts.IgnoreFields(Reminder{}, "Pos")}
			if diff := cmp.Diff(c.want, *w.Invitation, places); diff != "" {
				t.Errorf("invitation (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.reminder, w.Reminder, places); diff != "" {
				t.Errorf("reminder (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(MailSettings{URL: "smtp://mail.example", CAFile: "ca.pem", DomainRate: 5}, cfg.Settings.Mail); diff != "" {
				t.Errorf("mail (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTemplates: a template that cannot be written to everybody is told with its file and line, or with what is missing.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ template, more, says string }{
		"no such field":                   {"Subject: S\n\nHello\n{{.Nickname}}\n", "", "invite.md:4: Invalid template: "},
		"not closed":                      {"Subject: S\n\n{{if .Code}}x\n", "", "invite.md:"},
		"no subject":                      {"Hello {{.Name}}\n", "", "has no subject"},
		"a subject is given":              {"Hello {{.Name}}\n", `subject = "S"`, ""},
		"a subject that is wrong":         {"Hello {{.Name}}\n", `subject = "{{.Nickname}}"`, `The argument "subject" in an invitation block`},
		"a date that nobody has promised": {"Subject: S\n\nUntil {{.PasswordUntil}}\n", "", "there is no password_until of the policy under which they are moved"},
		"nobody to ask":                   {"Subject: S\n\nAsk {{.Support}}\n", "", "there is no support in the block"},
		"somebody to ask":                 {"Subject: S\n\nAsk {{.Support}}\n", `support = "desk"`, ""},
		"a code for everybody":            {"Subject: S\n\nEnter `{{.Code}}`\n", "", "who has a credential in Self-auth already has none"},
		"a code for who gets one":         {"Subject: S\n\n{{if .Code}}Enter `{{.Code}}`{{else}}Log in{{end}}\n", "", ""},
		"a code that is not sent":         {"Subject: S\n\nEnter `{{.Code}}`\n", `link = "login"`, `there is none of where link is "login"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := evaluate(t, map[string]string{"invite.md": c.template, "policy.anthill.hcl": policyFile, "main.anthill.hcl": `
				wave "a" {
					auth_policy = auth_policy.dual
					users { all = true }
					invitation {
						from = "a@b.example"
						template = "invite.md"
						` + c.more + `
					}
				}`}, Vars{}, sampleData())
			got := plainDiags(diags)
			if c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("it says %q, want %q", got, c.says)
			}
		})
	}
}

// TestAnnouncement: what a wave says of the mail that announces it. The day until which passwords work is that of the policy under which
// its users are moved, or were. No letter may write what it does not have for each of them.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args, template string
		raises         bool
		want           *Announcement
		says           string
	}{
		"to users": {`to = "users"`, "Subject: S\n\nUntil {{.PasswordUntil}}\n", false, &Announcement{}, ""},
		"to administrators": {`to = "tenant_admins"
			reply_to = "b@c.example"
			rate = 5`, "Subject: S\n\nHello {{.Name}}\n", false, &Announcement{ToAdmins: true, Letter: Invitation{ReplyTo: "<b@c.example>", Rate: 5}}, ""},
		"that passwords end": {`to = "users"`, "Subject: S\n\nUntil {{.PasswordUntil}}\n", true, &Announcement{}, ""},
		"with a code":        {`to = "users"`, "Subject: S\n\nEnter `{{.Code}}`\n", false, nil, "which an announcement does not have"},
		"with the login name, which there is not yet": {`to = "users"`, "Subject: S\n\nYou are {{.LoginName}}\n", true, nil, "which an announcement does not have"},
		"with the login name, where there is one":     {`to = "users"`, "Subject: S\n\n{{if .LoginName}}You are {{.LoginName}}{{end}}\n", true, &Announcement{}, ""},
		"no subject":    {`to = "users"`, "Hello {{.Name}}\n", false, nil, "has no subject"},
		"to nobody":     {``, "Subject: S\n\nx\n", false, nil, `announcement needs the argument "to"`},
		"to all":        {`to = "everybody"`, "Subject: S\n\nx\n", false, nil, `"users" or "tenant_admins" is needed`},
		"with a way in": {"to = \"users\"\nlink = \"code\"", "Subject: S\n\nx\n", false, nil, `link`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := "dual"
			if c.raises {
				policy = "alone"
			}
			cfg, diags := evaluate(t, map[string]string{"soon.md": c.template, "main.anthill.hcl": `
				auth_policy "dual" {
					method = "dual"
					password_until = "2027-03-01"
				}
				auth_policy "alone" {
					method = "self_auth"
					from = auth_policy.dual
				}
				wave "a" {
					auth_policy = auth_policy.` + policy + `
					users { all = true }
					announcement {
						before = "72h"
						template = "soon.md"
						from = "a@b.example"
						` + c.args + `
					}
				}`}, Vars{}, sampleData())
			if got := plainDiags(diags); c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Fatalf("it says %q, want %q", got, c.says)
			}
			if c.want == nil {
				return
			}
			l := &c.want.Letter
			c.want.Before, l.Template, l.From, l.Link = 72*time.Hour, c.template, "<a@b.example>", state.LinkNone
			l.PasswordUntil = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
			if diff := cmp.Diff(c.want, cfg.Waves[0].Announcement, cmpopts.IgnoreFields(Invitation{}, "Pos", "name")); diff != "" {
				t.Errorf("announcement (-want +got):\n%s", diff)
			}
		})
	}
}
