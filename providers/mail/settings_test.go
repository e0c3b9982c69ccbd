package mail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/mailtest"
	"anthill/state"
)

// TestSettings: what is refused of the settings, in words that hold no password.
func TestSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings Settings
		says     string
	}{
		"nothing":               {Settings{}, "one of url (MAIL_URL) and directory is needed"},
		"both":                  {Settings{URL: "smtp://a", Directory: "b"}, "one of url (MAIL_URL) and directory is needed"},
		"a password in the url": {Settings{URL: "smtp://robot:s3cret@mx.example.com"}, "put that into MAIL_PASSWORD"},
		"an empty one":          {Settings{URL: "smtp://robot:@mx.example.com"}, "put that into MAIL_PASSWORD"},
		"no url":                {Settings{URL: "smtp://robot:s3c%ret@mx.example.com"}, "the url cannot be read"},
		"a port that is none":   {Settings{URL: "smtp://mx.example.com:s3cret"}, "the url cannot be read"},
		"port 0":                {Settings{URL: "smtp://mx.example.com:0"}, "the url's port is none"},
		"another scheme":        {Settings{URL: "https://mx.example.com/s3cret"}, "smtp://user@host:587"},
		"no scheme":             {Settings{URL: "mx.example.com"}, "smtp://user@host:587"},
		"no host":               {Settings{URL: "smtp://"}, "names no host"},
		"a path":                {Settings{URL: "smtp://mx.example.com/s3cret"}, "behind host and port"},
		"a query":               {Settings{URL: "smtp://mx.example.com?password=s3cret"}, "behind host and port"},
		"a user alone":          {Settings{URL: "smtp://robot@mx.example.com"}, "set MAIL_PASSWORD"},
		"a password alone":      {Settings{URL: "smtp://mx.example.com", Password: "s3cret"}, "and no user"},
		"a line break":          {Settings{URL: "smtp://r@mx.example.com", Password: "s3cret\r\n"}, "a control character"},
		"no such file":          {Settings{URL: "smtp://mx.example.com", CAFile: file + "x"}, "no such file or directory"},
		"no certificates":       {Settings{URL: "smtp://mx.example.com", CAFile: file}, "holds none in PEM form"},
		"a negative rate":       {Settings{Directory: "x", PerMinute: -1}, "below zero"},
		"a file as directory":   {Settings{Directory: file}, "not a directory"},
		"an open directory":     {Settings{Directory: open}, "chmod go-w"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), c.settings)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3c") {
				t.Errorf("%v, want one that says %q", err, c.says)
			}
			if kind := state.ErrorKindOf(err); kind != state.ErrorMissing && name != "a file as directory" {
				t.Errorf("kind %v", kind)
			}
		})
	}
}

// TestSettled: how a server is reached by its URL.
func TestSettled(t *testing.T) {
	t.Parallel()
	for url, c := range map[string]struct {
		settings Settings
		want     server
	}{
		"smtp://mx.example.com":               {Settings{}, server{host: "mx.example.com", port: "587"}},
		"smtps://mx.example.com/":             {Settings{}, server{host: "mx.example.com", port: "465", implicit: true}},
		"smtp://robot@a.example@h.example:25": {Settings{Password: "p"}, server{host: "h.example", port: "25", user: "robot@a.example", password: "p"}},
		"smtp://r%40a@h.example":              {Settings{Password: "p"}, server{host: "h.example", port: "587", user: "r@a", password: "p"}},
		"smtp://127.0.0.1:2525":               {Settings{}, server{host: "127.0.0.1", port: "2525", plain: true}},
		"smtp://[::1]:25":                     {Settings{}, server{host: "::1", port: "25", plain: true}},
		"smtp://localhost:25":                 {Settings{CAFile: "any"}, server{host: "localhost", port: "25"}},
		"smtps://localhost":                   {Settings{}, server{host: "localhost", port: "465", implicit: true}},
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			c.settings.URL = url
			if c.settings.CAFile != "" {
				c.settings.CAFile = mailtest.CAFile(t)
			}
			got, err := settle(c.settings)
			got.patience, got.roots = patience{}, nil
			if err != nil || got != c.want {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}
