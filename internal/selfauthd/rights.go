package selfauthd

import "slices"

// The groups that give rights, by the last digits of their ids (selfauth-api 17).
const (
	idmPeoplePIIRead        = 0x02
	idmAccessControlAdmins  = 0x11
	idmPeopleAdmins         = 0x13
	idmGroupAdmins          = 0x15
	idmAccountMailRead      = 0x39
	idmServiceDesk          = 0x41
	idmRecycleBinAdmins     = 0x42
	idmUnixAdmins           = 0x44
	idmPeopleOnBoarding     = 0x45
	idmServiceAccountAdmins = 0x46
	idmHighPrivilege        = 0x1000
)

func all(string) bool { return true }

func none(string) bool { return false }

func some(attrs ...string) func(string) bool {
	return func(a string) bool { return slices.Contains(attrs, a) }
}

// sees returns which attributes of an entry a caller may read.
func (q *request) sees(e *entry) func(string) bool {
	c := q.caller
	switch e.kind {
	case person:
		return c.seesPerson()
	case group:
		return q.seesGroup(e)
	}
	if c.e == e || c.in(idmServiceAccountAdmins) || q.manages(e) {
		return all
	}
	return none
}

func (c *caller) seesPerson() func(string) bool {
	switch {
	case c.in(idmPeopleAdmins):
		return all
	case c.in(idmPeoplePIIRead):
		return some("class", "uuid", "name", "spn", "displayname", "legalname", "mail", "memberof", "directmemberof", "account_expire", "account_valid_from")
	case c.in(idmServiceDesk):
		return some("class", "uuid", "name", "spn", "displayname", "memberof", "directmemberof", "account_expire", "account_valid_from")
	case c.in(idmPeopleOnBoarding):
		return some("class", "uuid", "name", "spn", "account_expire", "account_valid_from")
	case c.in(idmAccountMailRead):
		return some("class", "uuid", "name", "spn", "displayname", "mail")
	}
	return none
}

func (q *request) seesGroup(e *entry) func(string) bool {
	c := q.caller
	switch {
	case c.in(idmAccessControlAdmins), q.manages(e):
		return all
	case c.in(idmGroupAdmins), c.in(idmUnixAdmins):
		if e.builtin && q.isHigh(e) {
			return some("class", "name", "uuid")
		}
		return all
	}
	return none
}

// manages says whether the caller is the manager of an entry, or in the group that is.
func (q *request) manages(e *entry) bool {
	m := q.store.manager(e)
	return m != nil && (q.caller.groups[m.id] || q.caller.e == m)
}

// isHigh says whether an entry is of high privilege.
func (q *request) isHigh(e *entry) bool {
	return e.id == system(idmHighPrivilege) || slices.ContainsFunc(q.store.memberOf(e), func(g *entry) bool { return g.id == system(idmHighPrivilege) })
}

// mayCreate returns which attributes a caller may give to a new entry; nil: it may not make one at all.
func (c *caller) mayCreate(k kind) func(string) bool {
	switch {
	case c.readOnly:
	case k == person && (c.in(idmPeopleAdmins) || c.in(idmPeopleOnBoarding)):
		return some("class", "uuid", "name", "displayname", "mail", "account_expire", "account_valid_from")
	case k == group && c.in(idmGroupAdmins):
		return some("class", "uuid", "name", "description", "mail", "member", "entry_managed_by")
	case k == serviceAccount && c.in(idmServiceAccountAdmins):
		return some("class", "uuid", "name", "displayname", "description", "mail", "entry_managed_by", "account_expire", "account_valid_from")
	}
	return nil
}

// mayChange returns which attributes of an entry a caller may change.
func (q *request) mayChange(e *entry) func(string) bool {
	c := q.caller
	if c.readOnly {
		return none
	}
	manages := q.manages(e)
	switch {
	case e.kind == person && c.in(idmPeopleAdmins):
		return some("name", "displayname", "legalname", "mail", "account_expire", "account_valid_from")
	case e.kind == group && e.dynamic && c.in(idmGroupAdmins):
		return some("member") // without effect: the rule makes the members
	case e.kind == group && e.builtin:
		if manages {
			return some("member")
		}
	case e.kind == group && c.in(idmGroupAdmins) && !q.isHigh(e):
		return some("name", "description", "mail", "member", "entry_managed_by")
	case e.kind == group && manages:
		return some("description", "member")
	case e.kind == serviceAccount && (manages || c.in(idmServiceAccountAdmins)):
		return some("name", "displayname", "description", "mail", "account_expire", "account_valid_from", "entry_managed_by")
	}
	return none
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
	}
	return c.in(idmServiceAccountAdmins)
}

// visible says whether a caller can find an entry at all.
func (q *request) visible(e *entry) bool {
	may := q.sees(e)
	return may("uuid") && may("name")
}
