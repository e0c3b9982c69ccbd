package selfauthd

import "slices"

// The groups that give rights, by the last digits of their ids (docs/selfauth-facts.md F12).
const (
	idmPeoplePIIRead        = 0x02
	idmAccessControlAdmins  = 0x11
	idmPeopleAdmins         = 0x13
	idmGroupAdmins          = 0x15
	idmOAuth2Admins         = 0x27
	idmSelfMailWrite        = 0x33
	idmAccountMailRead      = 0x39
	idmServiceDesk          = 0x41
	idmRecycleBinAdmins     = 0x42
	idmUnixAdmins           = 0x44
	idmPeopleOnBoarding     = 0x45
	idmServiceAccountAdmins = 0x46
	idmAccountPolicyAdmins  = 0x47
	idmSelfNameWrite        = 0x48
	idmHighPrivilege        = 0x1000
)

// rights say which attributes somebody may read or write; nil: none.
type rights map[string]bool

func (r rights) may(attr string) bool { return r[attr] }

func all(string) bool { return true }

func some(attrs ...string) rights {
	r := rights{}
	for _, a := range attrs {
		r[a] = true
	}
	return r
}

// and is what both together give.
func (r rights) and(more rights) rights {
	out := rights{}
	for a := range r {
		out[a] = true
	}
	for a := range more {
		out[a] = true
	}
	return out
}

func classAttributes(class string) rights {
	return some(attributesWhere(func(a attribute) bool { return a.class == class })...)
}

var (
	identity       = some("class", "uuid", "name")
	policyValues   = classAttributes(classPolicy)
	clientSwitches = classAttributes(classClient).and(classAttributes(classBasic)).and(classAttributes(classPublic))

	// What is to be seen of persons, by who asks.
	ownPerson = identity.and(some("spn", "displayname", "legalname", "mail", "memberof", "directmemberof",
		"account_expire", "account_valid_from",
		"primary_credential", "pwd_changed_time", "user_auth_token_session"))
	personForAdmins = identity.and(some("spn", "displayname", "legalname", "mail", "memberof", "directmemberof",
		"account_expire", "account_valid_from",
		"primary_credential", "passkeys", "attested_passkeys", "description"))
	personForPII = identity.and(some("spn", "displayname", "legalname", "mail", "memberof", "directmemberof",
		"account_expire", "account_valid_from"))
	personForDesk = identity.and(some("spn", "displayname", "memberof", "directmemberof", "account_expire",
		"account_valid_from", "primary_credential", "passkeys", "attested_passkeys"))
	personForBoard = identity.and(some("spn", "account_expire", "account_valid_from", "primary_credential",
		"passkeys", "attested_passkeys"))
	personForMail = identity.and(some("spn", "displayname", "mail", "memberof", "directmemberof", "account_expire",
		"account_valid_from"))
	groupForAdmins = identity.and(some("spn", "description", "mail", "member", "dynmember", "memberof",
		"directmemberof", "entry_managed_by"))
	groupForUnix    = groupForAdmins.without("entry_managed_by")
	groupForManager = identity.and(some("spn", "description", "member", "entry_managed_by"))
	groupForPolicy  = identity.and(policyValues)
	clientForAdmins = identity.and(some("spn", "displayname", "description", "key_internal_data",
		"oauth2_rs_scope_map", "oauth2_rs_sup_scope_map", "oauth2_rs_claim_map")).and(clientSwitches)
	builtinForOthers = identity.and(some("spn", "description"))
	accountForOthers = some("class", "uuid", "name", "spn", "displayname", "description", "mail", "account_expire",
		"account_valid_from", "entry_managed_by", "primary_credential")

	// What may be written, by what it is of.
	validity      = some("account_expire", "account_valid_from")
	personValues  = some("name", "displayname", "legalname", "mail").and(validity)
	newPerson     = identity.and(some("displayname", "mail")).and(validity)
	groupValues   = some("name", "description", "mail", "member", "entry_managed_by")
	newGroup      = groupValues.and(identity)
	serviceValues = some("name", "displayname", "mail", "entry_managed_by").and(validity)
	newService    = serviceValues.and(identity).and(some("description"))
	clientValues  = some("name", "displayname", "description", "oauth2_rs_scope_map", "oauth2_rs_sup_scope_map",
		"oauth2_rs_claim_map").and(clientSwitches)
	publicValues    = clientValues.without("oauth2_consent_prompt_enable") // a public client always asks
	newClientValues = some("class", "name", "displayname",
		"description").and(clientSwitches.without("oauth2_consent_prompt_enable", "key_action_rotate", "key_action_revoke"))
)

func (r rights) without(attrs ...string) rights {
	out := r.and(nil)
	for _, a := range attrs {
		delete(out, a)
	}
	return out
}

// sees returns which attributes of an entry a caller may read.
func (q *request) sees(e *entry) func(string) bool {
	c := q.caller
	switch e.kind {
	case person:
		return c.seesPerson(e).may
	case group:
		return q.seesGroup(e).may
	case client:
		if c.in(idmOAuth2Admins) {
			return clientForAdmins.may
		}
		return rights(nil).may
	}
	if c.e == e {
		return ownPerson.may
	}
	switch {
	case q.manages(e), e.kind == serviceAccount && c.in(idmServiceAccountAdmins):
		return accountForOthers.may
	case c.in(idmServiceAccountAdmins):
		return builtinForOthers.may
	}
	return rights(nil).may
}

func (c *caller) seesPerson(e *entry) rights {
	var r rights
	switch {
	case c.in(idmPeopleAdmins):
		r = personForAdmins
	case c.in(idmPeoplePIIRead):
		r = personForPII
	case c.in(idmServiceDesk):
		r = personForDesk
	case c.in(idmPeopleOnBoarding):
		r = personForBoard
	case c.in(idmAccountMailRead):
		r = personForMail
	}
	if c.e == e {
		return ownPerson.and(r)
	}
	return r
}

func (q *request) seesGroup(e *entry) rights {
	c := q.caller
	var r rights
	high := q.isHigh(e)
	switch {
	case !high && c.in(idmGroupAdmins), (!high || !e.builtin) && c.in(idmUnixAdmins):
		r = groupForAdmins
	case c.in(idmAccessControlAdmins):
		r = groupForAdmins.without("mail")
	case c.in(idmUnixAdmins) && q.manages(e):
		r = groupForUnix.and(groupForManager)
	case c.in(idmUnixAdmins):
		r = groupForUnix
	case q.manages(e):
		r = groupForManager
	}
	switch {
	case !c.in(idmAccountPolicyAdmins):
		return r
	case r == nil:
		return groupForPolicy
	}
	return r.and(groupForPolicy)
}

// manages says whether the caller is the manager of an entry, or in the group that is.
func (q *request) manages(e *entry) bool {
	m := q.store.manager(e)
	return m != nil && (q.caller.groups[m.id] || q.caller.e == m)
}

// isHigh says whether an entry is of high privilege.
func (q *request) isHigh(e *entry) bool {
	if e.kind == group && len(e.parents) == 0 { // most are in none
		return e.id == system(idmHighPrivilege)
	}
	return e.id == system(idmHighPrivilege) || slices.ContainsFunc(q.store.memberOf(e),
		func(g *entry) bool { return g.id == system(idmHighPrivilege) })
}

// mayCreate returns which attributes a caller may give to a new entry; nil: it may not make one at all.
func (c *caller) mayCreate(k kind) rights {
	switch {
	case c.readOnly:
	case k == person && (c.in(idmPeopleAdmins) || c.in(idmPeopleOnBoarding)):
		return newPerson
	case k == group && c.in(idmGroupAdmins):
		return newGroup
	case k == serviceAccount && c.in(idmServiceAccountAdmins):
		return newService
	case k == client && c.in(idmOAuth2Admins):
		return newClientValues
	}
	return nil
}

// mayChange returns which attributes of an entry a caller may change.
func (q *request) mayChange(e *entry) func(string) bool {
	c := q.caller
	if c.readOnly {
		return rights(nil).may
	}
	manages := q.manages(e)
	switch e.kind {
	case person:
		return q.mayChangePerson(e).may
	case group:
		return q.mayChangeGroup(e, manages).may
	case client:
		switch {
		case c.in(idmOAuth2Admins) && e.client.public:
			return publicValues.may
		case c.in(idmOAuth2Admins):
			return clientValues.may
		}
	case serviceAccount:
		if manages || c.in(idmServiceAccountAdmins) {
			return serviceValues.may
		}
	}
	return rights(nil).may
}

func (q *request) mayChangePerson(e *entry) rights {
	c := q.caller
	var r rights
	switch {
	case c.in(idmPeopleAdmins):
		r = personValues
	case (c.in(idmServiceDesk) || c.in(idmPeopleOnBoarding)) && !q.isHigh(e):
		r = validity
	}
	if c.e == e && c.in(idmSelfNameWrite) {
		r = r.and(some("name", "displayname", "legalname"))
	}
	if c.e == e && c.in(idmSelfMailWrite) {
		r = r.and(some("mail"))
	}
	return r
}

// mayChangeGroup is about all attributes but the class, of which mayClass decides.
func (q *request) mayChangeGroup(e *entry, manages bool) rights {
	c := q.caller
	admin := c.in(idmGroupAdmins) && !q.isHigh(e)
	var r rights
	switch {
	case e.builtin && (admin || manages):
		// Of a dynamic group too, beside those that the rule makes members.
		r = some("member")
	case e.builtin:
	case admin:
		r = groupValues
	case manages:
		r = some("description", "member")
	}
	if c.in(idmAccountPolicyAdmins) && (!e.builtin || e.dynamic) {
		r = r.and(policyValues)
	}
	return r
}

// mayClass says whether a caller may change the classes of an entry like that: an account policy comes and goes,
// nothing else.
func (q *request) mayClass(e *entry, m mod) bool {
	onlyPolicy := !slices.ContainsFunc(slices.Concat(m.add, m.remove),
		func(class string) bool { return lower(class) != classPolicy })
	return !m.purge && onlyPolicy && e.kind == group && !e.builtin && !q.caller.readOnly &&
		q.caller.in(idmAccountPolicyAdmins)
}

func (q *request) mayDelete(e *entry) bool {
	c := q.caller
	if c.readOnly || e.builtin {
		return false
	}
	switch e.kind {
	case person:
		return c.in(idmPeopleAdmins)
	case group:
		return c.in(idmGroupAdmins) && !q.isHigh(e)
	case client:
		return c.in(idmOAuth2Admins)
	}
	return c.in(idmServiceAccountAdmins)
}

// visible says whether a caller can find an entry at all.
func (q *request) visible(e *entry) bool {
	may := q.sees(e)
	return may("uuid") && may("name")
}
