package selfauthd

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

func lower(s string) string { return strings.ToLower(s) }

var (
	iname = regexp.MustCompile(`^[a-z][a-z0-9-_.]{0,63}$`)
	// email is the pattern of HTML's input type email, as the WHATWG writes it down.
	email = regexp.MustCompile(`^[a-zA-Z0-9.!#$%&'*+/=?^_` + "`" + `{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
)

func validName(name string) bool {
	if !iname.MatchString(name) || name == "root" || name == "dn=token" {
		return false
	}
	_, err := uuid.Parse(name)
	return err != nil
}

// validText is the rule of utf8 strings: something, and no control characters.
func validText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, unicode.IsControl)
}

// knownAttributes are those of the schema as far as callers here name them.
var knownAttributes = append(slices.Clone(shown), "gidnumber", "last_modified_cid", "ssh_publickey", "loginshell", "primary_credential", "passkeys",
	"attested_passkeys", "password_import", "radius_secret", "oauth2_rs_origin", "authsession_expiry", "privilege_expiry", "auth_password_minimum_length",
	"credential_type_minimum", "webauthn_attestation_ca_list", "limit_search_max_results", "limit_search_max_filter_test", "allow_primary_cred_fallback",
	"grant_ui_hint", "unix_password", "acp_enable", "nsaccountlock")

func known(attr string) bool { return slices.Contains(knownAttributes, attr) }

// parse checks the syntax of a value as it comes in (selfauth-api 5.5).
func parse(attr, value string) *fault {
	switch attr {
	case "mail":
		if !email.MatchString(value) {
			return invalidAttribute("Invalid Email Address syntax")
		}
	case "account_expire", "account_valid_from":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return invalidAttribute("Invalid DateTime (rfc3339) syntax")
		}
	case "spn":
		return invalidAttribute("SPNs are generated and not able to be set.")
	case "uuid":
		if _, err := uuid.Parse(value); err != nil {
			return invalidAttribute("Invalid UUID syntax")
		}
	}
	return nil
}

// parseAll checks names and values of attributes, in a fixed order.
func parseAll(attrs map[string][]string) *fault {
	names := make([]string, 0, len(attrs))
	for a := range attrs {
		names = append(names, a)
	}
	slices.Sort(names)
	for _, a := range names {
		if !known(a) {
			return invalidName(a)
		}
		for _, v := range attrs[a] {
			if err := parse(a, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// ordered keeps the first address and sorts the rest.
func ordered(mails []string) []string {
	var out []string
	for _, m := range mails {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	if len(out) > 1 {
		slices.Sort(out[1:])
	}
	return out
}
