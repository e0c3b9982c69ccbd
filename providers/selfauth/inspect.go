package selfauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"anthill/providers"
)

// The built-in groups that give rights (docs/selfauth-facts.md F12). The right to read is tried on a running server:
// what reads a person's name, display name, address and expiry, and what reads groups with their members.
const (
	peopleAdmins  = "idm_people_admins"
	groupAdmins   = "idm_group_admins"
	policyAdmins  = "idm_account_policy_admins"
	clientAdmins  = "idm_oauth2_admins"
	recycleAdmins = "idm_recycle_bin_admins"
)

var (
	personReaders = [...]string{peopleAdmins, "idm_people_pii_read", "idm_account_mail_read"}
	// whether a person has a credential is seen by fewer
	credentialReaders = [...]string{peopleAdmins, "idm_service_desk", "idm_people_on_boarding"}
	groupReaders      = [...]string{groupAdmins, "idm_access_control_admins", "idm_unix_admins"}
)

// Whoami asks the server who the token's account is and what it may do. Before this, that something is absent means
// nothing: what an account may not read looks as if it were not there.
//
// Errors are *state.Error: Unauthenticated if the token has expired or is unknown, Unreachable if there is no
// Self-auth server at the address or its certificate is not trusted.
func (p *Provider) Whoami(ctx context.Context) (providers.Identity, error) { return p.conn.whoami(ctx) }

func (c *conn) whoami(ctx context.Context) (providers.Identity, error) {
	k := call{method: http.MethodGet, path: "/v1/self", doing: "identify the token"}
	var self struct {
		YouAre entry `json:"youare"`
	}
	id := providers.Identity{Writes: c.token.writes}
	err := c.read(ctx, k, func(in *body) error {
		id.Version = c.clean(in.version)
		if err := decodeWhole(in, &self); err != nil {
			return err
		}
		if _, domain, ok := strings.Cut(self.YouAre.first("spn"), "@"); !ok || domain == "" {
			return errors.New("it names no account")
		}
		return nil
	})
	if err != nil {
		return providers.Identity{}, err
	}
	// Rights are told by groups: the server has no call that says what an account may do.
	id.Account = printable(self.YouAre.first("spn"))
	_, id.Domain, _ = strings.Cut(id.Account, "@")
	in := map[string]bool{}
	for _, g := range self.YouAre.Attrs["memberof"] {
		id.Groups = append(id.Groups, printable(g))
		name, _, _ := strings.Cut(g, "@")
		in[name] = true
	}
	slices.Sort(id.Groups)
	id.Missing = lacking(in, peopleAdmins, groupAdmins)
	if !anyOf(in, personReaders[:]) {
		id.Unreadable = append(id.Unreadable, peopleAdmins)
	}
	if !anyOf(in, groupReaders[:]) {
		id.Unreadable = append(id.Unreadable, groupAdmins)
	}
	return id, nil
}

func lacking(in map[string]bool, names ...string) (missing []string) {
	for _, n := range names {
		if !in[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

func anyOf(in map[string]bool, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return in[n] })
}
