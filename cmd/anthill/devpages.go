package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"anthill/internal/devpages"
	"anthill/internal/person"
	"anthill/internal/sandbox"
)

// devPages starts the pages of dev on a sandbox; mails is the folder to list. env tells a configuration's variable app_url
// where the application is. Call end.
func devPages(env []string, o sandbox.Options, mails string) (pages *devpages.Server, more []string, end func() error, err error) {
	get := func(name string) string {
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
	d := devpages.Options{Mails: mails, Token: get("SELF_AUTH_ADMIN_TOKEN")}
	if d.App, err = sandbox.NewApplication(get("DATABASE_URL"), o.Naming); err != nil {
		return nil, nil, nil, err
	}
	if o.Tenants == 0 && o.Users == 0 && !o.Fresh {
		d.Password = sandbox.Password
	}
	if file := get("SELF_AUTH_CA_FILE"); file != "" {
		ca, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, nil, err
		}
		if d.SelfAuth, err = person.At(get("SELF_AUTH_URL"), ca); err != nil {
			return nil, nil, nil, err
		}
	}
	// A kept sandbox keeps the address as well: the client in Self-auth names it.
	kept := ""
	if o.Dir != "" {
		kept = filepath.Join(o.Dir, "application.addr")
		if b, err := os.ReadFile(kept); err == nil {
			d.Addr = string(b)
		}
	}
	if pages, err = devpages.Start(d); err != nil {
		return nil, nil, nil, err
	}
	end = func() error {
		if d.SelfAuth != nil {
			d.SelfAuth.Close()
		}
		return pages.Close()
	}
	if kept != "" {
		if err := os.WriteFile(kept, []byte(pages.Addr()), 0o600); err != nil {
			return nil, nil, nil, errors.Join(err, end())
		}
	}
	return pages, []string{"ANTHILL_VAR_app_url=" + pages.URL()}, end, nil
}
