package scratchidm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"anthill/internal/selfauthd"
	"anthill/internal/subprocess"
)

// operator is the service account that Anthill works as: its name and rights are those of the emulator's.
const operator = "operator_svc"

// grants are the groups whose member the operator is made, by the built-in account that may do it.
func grants() map[string][]string {
	return map[string][]string{
		"idm_admin": {"idm_people_admins", "idm_group_admins", "idm_account_policy_admins", "idm_oauth2_admins"},
		"admin":     {"idm_recycle_bin_admins"},
	}
}

// access is all that lets one in. It is what a kept directory remembers of its server.
type access struct {
	Port      int
	IDMAdmin  string // password of idm_admin, who is over persons, groups and service accounts
	Admin     string // password of admin, who is over the server
	ReadWrite string // tokens of the operator
	ReadOnly  string
}

// open sets the two built-in accounts' passwords and makes the operator, on a server that has nobody yet.
func (s *Server) open(ctx context.Context) (err error) {
	if s.access.IDMAdmin, err = s.recover(ctx, "idm_admin"); err != nil {
		return err
	}
	if s.access.Admin, err = s.recover(ctx, "admin"); err != nil {
		return err
	}
	tokens := map[string]string{}
	for name, password := range map[string]string{"idm_admin": s.access.IDMAdmin, "admin": s.access.Admin} {
		if tokens[name], err = s.client.login(ctx, name, password); err != nil {
			return fmt.Errorf("log in as %s: %w", name, err)
		}
	}
	return s.makeOperator(ctx, tokens)
}

// makeOperator makes the account with its rights and tokens. tokens are those of the built-in accounts, by name.
func (s *Server) makeOperator(ctx context.Context, tokens map[string]string) error {
	post := func(path, who string, in, out any) error {
		return s.client.call(ctx, http.MethodPost, path, tokens[who], in, out)
	}
	account := attributes{"name": {operator}, "displayname": {"Operator"}, "entry_managed_by": {"idm_admins"}}
	if err := post("/v1/service_account", "idm_admin", entry{account}, nil); err != nil {
		return err
	}
	for who, groups := range grants() {
		for _, g := range groups {
			if err := post("/v1/group/"+g+"/_attr/member", who, []string{operator}, nil); err != nil {
				return err
			}
		}
	}
	for label, token := range map[string]*string{"read-write": &s.access.ReadWrite, "read-only": &s.access.ReadOnly} {
		ask := map[string]any{"label": label, "expiry": nil, "read_write": label == "read-write"}
		if err := post("/v1/service_account/"+operator+"/_api_token", "idm_admin", ask, token); err != nil {
			return err
		}
	}
	return nil
}

// recover gives a built-in account a new password, by the server's own command, which reaches it by its socket.
func (s *Server) recover(ctx context.Context, account string) (password string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := s.command(ctx, "scripting", "-c", s.configFile(), "recover-account", account)
	said, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("recover-account %s: %w: %s", account, err, subprocess.Tail(append(said, exit.Stderr...)))
	} else if err != nil {
		return "", fmt.Errorf("recover-account %s: %w", account, err)
	}
	// Among lines of its log stands one of JSON.
	for line := range bytes.Lines(said) {
		var answer struct {
			Output string `json:"output"`
		}
		if json.Unmarshal(line, &answer) == nil && answer.Output != "" {
			return answer.Output, nil
		}
	}
	return "", fmt.Errorf("recover-account %s gave no password", account)
}

type attributes map[string][]string

type entry struct {
	Attrs attributes `json:"attrs"`
}

// Seed adds entries, in one call.
func (s *Server) Seed(persons []selfauthd.Person, groups []selfauthd.Group) error {
	if len(persons)+len(groups) == 0 {
		return nil
	}
	var list []entry
	for _, p := range persons {
		a := attributes{"class": {"object", "account", "person"}, "uuid": {p.ID.String()}, "name": {p.Name},
			"displayname": {p.Display}}
		if p.Mail != "" {
			a["mail"] = []string{p.Mail}
		}
		list = append(list, entry{a})
	}
	for _, g := range groups {
		list = append(list, entry{attributes{"class": {"object", "group"}, "uuid": {g.ID.String()}, "name": {g.Name}}})
	}
	entries := map[string]any{"entries": list}
	err := s.client.call(context.Background(), http.MethodPost, "/v1/raw/create", s.access.ReadWrite, entries, nil)
	if err != nil {
		return fmt.Errorf("seed the Self-auth server: %w", err)
	}
	return nil
}
