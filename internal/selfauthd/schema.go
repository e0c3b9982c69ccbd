package selfauthd

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/regex"
)

// syntax is what the values of an attribute are.
type syntax uint8

const (
	unknownSyntax syntax = iota
	text
	iname
	spnText
	boolean
	number
	moment
	address
	reference
	identifier
	link
	credentialType
	authorities
	scopeMap
	claimMap
	secret
	credential
	session
	hexKey
	sshKey
	audit
	other
)

// attribute is a rule of the schema, as far as callers here name attributes.
type attribute struct {
	syntax syntax
	// equal and present say whether an index answers for the attribute, with a value and without; a raw search that
	// stands on an attribute without one is refused.
	equal, present bool
	class          string // that an entry must be of, of attributes kept in entry.more
	multi          bool
	kept           bool // in entry.more
}

func kept(s syntax, class string) attribute { return attribute{syntax: s, class: class, kept: true} }

const (
	classPolicy = "account_policy"
	classClient = "oauth2_resource_server"
	classBasic  = "oauth2_resource_server_basic"
	classPublic = "oauth2_resource_server_public"
)

var schema = map[string]attribute{
	"account_expire":     {syntax: moment},
	"account_valid_from": {syntax: moment},
	"class":              {syntax: iname, equal: true, present: true, multi: true},
	"description":        {syntax: text},
	"directmemberof":     {syntax: reference, equal: true, present: true, multi: true},
	"displayname":        {syntax: text, equal: true, present: true},
	"dynmember":          {syntax: reference, equal: true, present: true, multi: true},
	"entry_managed_by":   {syntax: reference, equal: true, present: true},
	"gidnumber":          {syntax: number, equal: true, present: true},
	"legalname":          {syntax: text, equal: true, present: true},
	"mail":               {syntax: address, equal: true, multi: true},
	"member":             {syntax: reference, equal: true, present: true, multi: true},
	"memberof":           {syntax: reference, equal: true, present: true, multi: true},
	"name":               {syntax: iname, equal: true, present: true},
	"spn":                {syntax: spnText, equal: true, present: true},
	"uuid":               {syntax: identifier, equal: true, present: true},

	"acp_enable":                     {syntax: boolean},
	"api_token_session":              {syntax: session, equal: true},
	"attested_passkeys":              {syntax: credential},
	"credential_update_intent_token": {syntax: other, equal: true},
	"grant_ui_hint":                  {syntax: other},
	"last_modified_cid":              {syntax: other},
	"loginshell":                     {syntax: text},
	"name_history":                   {syntax: audit},
	"nsaccountlock":                  {syntax: text},
	"oauth2_session":                 {syntax: session, equal: true},
	"passkeys":                       {syntax: credential},
	"password_import":                {syntax: text},
	"primary_credential":             {syntax: credential, equal: true},
	"pwd_changed_time":               {syntax: moment},
	"radius_secret":                  {syntax: secret},
	"ssh_publickey":                  {syntax: sshKey},
	"unix_password":                  {syntax: credential, equal: true},
	"user_auth_token_session":        {syntax: session, equal: true, multi: true},

	"allow_primary_cred_fallback":  kept(boolean, classPolicy),
	"auth_password_minimum_length": kept(number, classPolicy),
	"authsession_expiry":           kept(number, classPolicy),
	"credential_type_minimum":      kept(credentialType, classPolicy),
	"limit_search_max_filter_test": kept(number, classPolicy),
	"limit_search_max_results":     kept(number, classPolicy),
	"privilege_expiry":             kept(number, classPolicy),
	"webauthn_attestation_ca_list": kept(authorities, classPolicy),

	"key_action_revoke":       {syntax: hexKey, class: classClient},
	"key_action_rotate":       {syntax: moment, class: classClient},
	"key_internal_data":       {syntax: other, multi: true},
	"oauth2_rs_basic_secret":  {syntax: secret, class: classBasic},
	"oauth2_rs_claim_map":     {syntax: claimMap, equal: true, multi: true},
	"oauth2_rs_scope_map":     {syntax: scopeMap, equal: true, multi: true},
	"oauth2_rs_sup_scope_map": {syntax: scopeMap, equal: true, multi: true},

	"oauth2_allow_insecure_client_disable_pkce": kept(boolean, classBasic),
	"oauth2_allow_localhost_redirect":           kept(boolean, classPublic),
	"oauth2_consent_prompt_enable":              kept(boolean, classClient),
	"oauth2_jwt_legacy_crypto_enable":           kept(boolean, classClient),
	"oauth2_prefer_short_username":              kept(boolean, classClient),
	"oauth2_refresh_token_expiry":               kept(number, classClient),
	"oauth2_rs_origin":                          {syntax: link, class: classClient, kept: true, multi: true},
	"oauth2_rs_origin_landing":                  kept(link, classClient),
	"oauth2_strict_redirect_uri":                kept(boolean, classClient),
}

// keptAttributes are those of entry.more, in the order in which the server looks at them.
var keptAttributes = []string{"authsession_expiry", "auth_password_minimum_length", "credential_type_minimum",
	"limit_search_max_results", "limit_search_max_filter_test",
	"privilege_expiry", "webauthn_attestation_ca_list", "allow_primary_cred_fallback",
	"oauth2_allow_insecure_client_disable_pkce", "oauth2_allow_localhost_redirect", "oauth2_consent_prompt_enable",
	"oauth2_jwt_legacy_crypto_enable", "oauth2_prefer_short_username",
	"oauth2_refresh_token_expiry", "oauth2_rs_origin", "oauth2_rs_origin_landing", "oauth2_strict_redirect_uri"}

// attributeNames are all attributes, by name.
var attributeNames = attributesWhere(func(attribute) bool { return true })

func attributesWhere(which func(attribute) bool) (list []string) {
	for name, a := range schema {
		if which(a) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func known(attr string) bool { return schema[attr].syntax != unknownSyntax }

// credentialTypes are those of account policies, weakest first.
var credentialTypes = []string{"any", "external", "mfa", "passkey", "attested_passkey", "attested_residentkey",
	"invalid"}

var hexDigits = regex.Lazy(`^[0-9a-f]+$`)

// parse checks the syntax of a value as it comes in, and returns it as it is kept (docs/selfauth-facts.md F16).
func parse(attr, value string) (string, *fault) {
	switch schema[attr].syntax {
	case address:
		if !email().MatchString(value) {
			return "", invalidAttribute("Invalid Email Address syntax")
		}
	case moment:
		value = strings.Replace(strings.ToUpper(value), " ", "T", 1)
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return "", invalidAttribute("Invalid DateTime (rfc3339) syntax")
		}
		return t.UTC().Format(time.RFC3339Nano), nil
	case spnText:
		return "", invalidAttribute("SPNs are generated and not able to be set.")
	case boolean:
		if value != "true" && value != "false" {
			return "", invalidAttribute("Invalid boolean syntax")
		}
	case number:
		n, err := strconv.ParseUint(strings.TrimPrefix(value, "+"), 10, 32)
		if err != nil {
			return "", invalidAttribute("Invalid uint32 syntax")
		}
		return strconv.FormatUint(n, 10), nil
	case credentialType:
		if !slices.Contains(credentialTypes, value) {
			return "", invalidAttribute("Invalid CredentialType syntax")
		}
	case authorities:
		list, ok := parseAuthorities(value)
		if !ok {
			return "", invalidAttribute("Invalid Webauthn Attestation CA List")
		}
		return list.text(), nil
	case audit:
		return "", invalidAttribute("Audit logs are generated and not able to be set.")
	case link:
		u, ok := parseURL(value)
		if !ok {
			return "", invalidAttribute("Invalid Url (whatwg/url) syntax")
		}
		return u, nil
	case scopeMap:
		return "", invalidAttribute("Oauth Scope Maps can not be supplied through modification - please use the IDM api")
	case claimMap:
		return "", invalidAttribute("Oauth Claim Maps can not be supplied through modification - please use the IDM api")
	case secret:
		return "", invalidAttribute("Radius secrets can not be supplied through modification - please use the IDM api")
	case credential:
		return "", invalidAttribute("Credentials can not be supplied through modification - please use the IDM api")
	case sshKey:
		return "", invalidAttribute("SSH public keys can not be supplied through modification - please use the IDM api")
	case hexKey:
		if !hexDigits().MatchString(value) {
			return "", invalidAttribute("Invalid hex string syntax")
		}
	}
	return value, nil
}

// parseSought checks a value that a raw filter looks for, or a change removes.
func parseSought(attr, value string) *fault {
	switch schema[attr].syntax {
	case spnText:
		if !strings.Contains(value, "@") {
			return invalidAttribute("Invalid spn syntax")
		}
	case credentialType:
		if !slices.Contains(credentialTypes, value) {
			return invalidAttribute("Invalid credentialtype syntax")
		}
	case hexKey:
		if !hexDigits().MatchString(value) {
			return invalidAttribute("Invalid syntax, expected hex string")
		}
	case moment, boolean, number, link:
		_, err := parse(attr, value)
		return err
	}
	_, err := uuid.Parse(value)
	if text := soughtTexts[attr]; text != "" && err != nil {
		return invalidAttribute(text)
	}
	return nil
}

// soughtTexts refuse what cannot be a value of attributes that are never written by hand.
var soughtTexts = map[string]string{
	"attested_passkeys":            "Invalid AttestedPasskey UUID syntax",
	"grant_ui_hint":                "Invalid uihint syntax",
	"key_internal_data":            "Invalid syntax, expected hex string",
	"last_modified_cid":            "Invalid cid syntax",
	"passkeys":                     "Invalid Passkey UUID syntax",
	"webauthn_attestation_ca_list": "Invalid - unable to query attestation CA list",
}

// parseAll checks names and values of attributes, in a fixed order, and puts values into the form in which they are
// kept. Last comes the name of an attribute that has no values.
func parseAll(attrs map[string][]string) (last *fault) {
	names := make([]string, 0, len(attrs))
	for a := range attrs {
		names = append(names, a)
	}
	slices.Sort(names)
	for _, a := range names {
		switch {
		case known(a):
		case len(attrs[a]) > 0:
			return invalidName(a)
		case last == nil:
			last = violation("invalidattribute", a)
		}
		for i, v := range attrs[a] {
			parsed, err := parse(a, v)
			if err != nil {
				return err
			}
			if parsed != v {
				attrs[a] = slices.Clone(attrs[a])
				attrs[a][i] = parsed
			}
		}
	}
	return last
}
