package selfauthd

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	recycleFor   = 7 * 24 * time.Hour
	tombstoneFor = 7 * 24 * time.Hour
)

// store is the directory. mu guards all of it.
type store struct {
	mu          sync.RWMutex
	domain      string
	now         func() time.Time
	seq         uint64
	byID        map[uuid.UUID]*entry // live
	byName      map[string]*entry
	byMail      map[string]*entry
	bin         map[uuid.UUID]*binned
	binRefs     map[uuid.UUID]bool      // groups and clients of the bin, and some that were there
	revived     map[uuid.UUID]bool      // live groups that were in the bin: members may not know of it (see wake)
	graves      map[uuid.UUID]time.Time // ids of the deleted, blocked until then
	clients     map[uuid.UUID]*entry
	managers    map[uuid.UUID]bool // ids that some entry has, or once had, as its manager
	byIntent    map[string]*entry
	persons     int
	journal     *journal // nil: the directory is in memory alone
	allPersons  *entry
	allAccounts *entry
}

// binned is a deleted entry.
type binned struct {
	e       *entry
	at      time.Time
	parents []uuid.UUID
}

// builtins are the groups of a fresh server, in the order of their creation: last digits of the id, name, members,
// manager, high privilege, description.
var builtins = []struct {
	id          uint16
	name        string
	members     []uint16
	managedBy   uint16
	high        bool
	description string
}{
	{0x19, "system_admins", []uint16{0x00}, 0x19, true, "Builtin System Administrators Group."},
	{0x01, "idm_admins", []uint16{0x18}, 0x01, true, "Builtin IDM Administrators Group."},
	{0x35, "idm_all_persons", nil, 0, false, "Builtin IDM dynamic group containing all persons."},
	{0x36, "idm_all_accounts", nil, 0, false, "Builtin IDM dynamic group containing all entries that can authenticate."},
	{0x20, "domain_admins", []uint16{0x19}, 0x19, true, "Builtin IDM Group for granting local domain administration " +
		"rights and trust administration rights."},
	{0x10, "idm_schema_admins", []uint16{0x19}, 0x19, true, "Builtin Schema Administration Group."},
	{0x11, "idm_access_control_admins", []uint16{0x19}, 0x19, true, "Builtin Access Control Administration Group."},
	{0x44, "idm_unix_admins", []uint16{0x01}, 0x01, true, "Builtin Unix Administration Group."},
	{0x53, "idm_unix_authentication_read", nil, 0x44, false,
		"Builtin IDM group allowing service accounts to read and authenticate unix users."},
	{0x42, "idm_recycle_bin_admins", []uint16{0x19}, 0x19, true, "Builtin Recycle Bin Administrators Group."},
	{0x41, "idm_service_desk", nil, 0x01, true, "Builtin Service Desk Group."},
	{0x27, "idm_oauth2_admins", []uint16{0x01}, 0x01, true, "Builtin Oauth2 Integration Administration Group."},
	{0x43, "idm_radius_service_admins", []uint16{0x01}, 0x01, true, "Builtin Radius Administration Group."},
	{0x47, "idm_account_policy_admins", []uint16{0x01}, 0x01, true, "Builtin Account Policy Administration Group."},
	{0x13, "idm_people_admins", []uint16{0x01}, 0x01, true, "Builtin People Administration Group."},
	{0x02, "idm_people_pii_read", nil, 0x01, true, "Builtin IDM Group for granting elevated people (personal data) " +
		"read permissions."},
	{0x45, "idm_people_on_boarding", nil, 0x01, true, "Builtin People On Boarding Group."},
	{0x46, "idm_service_account_admins", []uint16{0x01}, 0x01, true, "Builtin Service Account Administration Group."},
	{0x51, "idm_mail_service_admins", []uint16{0x01}, 0x01, true, "Builtin Mail Server Administration Group."},
	{0x15, "idm_group_admins", []uint16{0x01}, 0x01, true,
		"Builtin IDM Group for granting elevated group write and lifecycle permissions."},
	{0x07, "idm_radius_servers", nil, 0x43, true, "Builtin IDM Group for RADIUS server access delegation."},
	{0x52, "idm_mail_servers", nil, 0x51, false, "Builtin IDM Group for MAIL server access delegation."},
	{0x48, "idm_people_self_name_write", []uint16{0x35}, 0x01, false,
		"Builtin IDM Group denoting users that can write to their own name attributes."},
	{0x33, "idm_people_self_mail_write", nil, 0, false, "Builtin IDM Group for people accounts to update their own mail."},
	{0x49, "idm_client_certificate_admins", []uint16{0x01}, 0x01, true,
		"Builtin Client Certificate Administration Group."},
	{0x50, "idm_application_admins", []uint16{0x01}, 0x01, true, "Builtin Application Administration Group."},
	{0x54, "idm_message_admins", []uint16{0x01}, 0x01, true, "Builtin Message Administration Group."},
	{0x55, "idm_message_senders", nil, 0x54, true, "Builtin IDM Group for message senders to read and process " +
		"queued messages."},
	{0x56, "idm_oauth2_client_admins", []uint16{0x19}, 0x19, true, "Builtin Domain Trust Administration Group."},
	{0x57, "idm_oauth2_account_admins", []uint16{0x01}, 0x01, true, "Builtin Domain Trust Administration Group."},
	{0x1000, "idm_high_privilege", nil, 0x11, true, "Builtin IDM provided groups with high levels of access that " +
		"should be audited and limited in modification."},
	{0x38, "idm_ui_enable_experimental_features", nil, 0x01, false,
		"Members of this group will have access to experimental web UI features."},
	{0x39, "idm_account_mail_read", nil, 0x11, false, "Members of this group will have access to read the mail " +
		"attribute of all persons and service accounts."},
}

var anonymous = uuid.MustParse("00000000-0000-0000-0000-ffffffffffff")

func newStore(domain string, now func() time.Time, idmAdmin, admin string) *store {
	s := &store{domain: domain, now: now}
	s.clear()
	for _, a := range []struct {
		id                                   uuid.UUID
		name, display, description, password string
	}{
		{system(0), "admin", "System Administrator", "Builtin System Admin account.", admin},
		{system(0x18), "idm_admin", "IDM Administrator", "Builtin IDM Admin account.", idmAdmin},
		{anonymous, "anonymous", "Anonymous", "Anonymous access account.", ""},
	} {
		e := &entry{id: a.id, kind: builtinAccount, builtin: true, name: a.name, display: a.display,
			description: a.description,
			account:     &accountPart{tokens: map[uuid.UUID]apiToken{}}}
		if a.password != "" {
			e.cred = &credPart{primary: newPrimary(a.password, true), plain: a.password}
		}
		s.add(e)
	}
	s.byID[anonymous].managedBy = system(0x01)
	for _, b := range builtins {
		e := &entry{id: system(b.id), kind: group, builtin: true, dynamic: b.id == 0x35 || b.id == 0x36, name: b.name,
			description: b.description,
			group:       &groupPart{members: map[uuid.UUID]*entry{}}}
		if b.managedBy != 0 {
			e.managedBy = system(b.managedBy)
		}
		s.add(e)
	}
	s.allPersons, s.allAccounts = s.byID[system(0x35)], s.byID[system(0x36)]
	s.allPersons.policy, s.allPersons.more = true, map[string][]string{"credential_type_minimum": {"mfa"}}
	s.allAccounts.policy, s.allAccounts.more = true, map[string][]string{"authsession_expiry": {"86400"},
		"privilege_expiry": {"600"}}
	high := s.byID[system(idmHighPrivilege)]
	for _, b := range builtins {
		for _, m := range b.members {
			s.join(s.byID[system(b.id)], s.byID[system(m)])
		}
		if b.high {
			s.join(high, s.byID[system(b.id)])
		}
	}
	s.join(s.byID[system(0x53)], s.byID[anonymous])
	return s
}

// clear makes a store hold nothing at all, not even what a fresh server has.
func (s *store) clear() {
	s.byID, s.clients = map[uuid.UUID]*entry{}, map[uuid.UUID]*entry{}
	s.byName, s.byMail, s.byIntent = map[string]*entry{}, map[string]*entry{}, map[string]*entry{}
	s.managers, s.binRefs, s.revived = map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	s.bin, s.graves = map[uuid.UUID]*binned{}, map[uuid.UUID]time.Time{}
}

// become takes over the content of a store that nobody else uses.
func (s *store) become(o *store) {
	s.seq, s.byID, s.byName, s.byMail = o.seq, o.byID, o.byName, o.byMail
	s.bin, s.graves, s.clients, s.byIntent = o.bin, o.graves, o.clients, o.byIntent
	s.managers, s.binRefs, s.revived = o.managers, o.binRefs, o.revived
	s.persons, s.allPersons, s.allAccounts = o.persons, o.allPersons, o.allAccounts
}

// touch notes that an entry has changed: whoever changes one says so.
func (s *store) touch(e *entry) {
	s.mark(e)
	if len(s.revived) > 0 {
		s.wake(e, false)
		s.note(op{Do: opWake, ID: e.id})
	}
}

// mark notes that an entry has changed only by forgetting another that was deleted.
func (s *store) mark(e *entry) {
	e.changed = s.now().Unix()
	if s.journal != nil {
		s.journal.dirty[e] = true
	}
}

// add makes an entry that has been checked.
func (s *store) add(e *entry) {
	s.seq++
	e.seq = s.seq
	s.touch(e)
	s.byID[e.id] = e
	s.index(e)
}

func (s *store) index(e *entry) {
	if e.name != "" {
		s.byName[e.name] = e
	}
	for _, m := range e.mails {
		s.byMail[m] = e
	}
	switch e.kind {
	case client:
		s.clients[e.id] = e
	case person:
		s.persons++
	}
	if e.managedBy != uuid.Nil {
		s.managers[e.managedBy] = true
	}
	s.indexIntents(e)
}

func (s *store) indexIntents(e *entry) {
	if e.cred == nil {
		return
	}
	for token := range e.cred.intents {
		s.byIntent[token] = e
	}
}

func (s *store) unindex(e *entry) {
	delete(s.byName, e.name)
	for _, m := range e.mails {
		delete(s.byMail, m)
	}
	switch e.kind {
	case client:
		delete(s.clients, e.id)
	case person:
		s.persons--
	}
}

// join makes an entry a member of a group.
func (s *store) join(g, member *entry) {
	if s.link(g, member) {
		s.note(op{Do: opJoin, ID: g.id, Others: []uuid.UUID{member.id}})
	}
}

// leave ends a membership.
func (s *store) leave(g, member *entry) {
	if s.unlink(g, member) {
		s.note(op{Do: opLeave, ID: g.id, Others: []uuid.UUID{member.id}})
	}
}

func (s *store) link(g, member *entry) bool {
	if _, in := g.group.members[member.id]; in {
		return false
	}
	g.group.members[member.id] = member
	member.parents = append(member.parents, g)
	member.wasMember = true
	s.wake(member, true)
	return true
}

func (s *store) unlink(g, member *entry) bool {
	if _, in := g.group.members[member.id]; !in {
		return false
	}
	delete(g.group.members, member.id)
	member.parents = slices.DeleteFunc(member.parents, func(p *entry) bool { return p == g })
	s.wake(member, true)
	return true
}

// wake tells an entry of the revived groups that it is a member of. The real server forgets to when it revives a group,
// and works the memberships of an entry out again only when it changes, or when those of a group change that it knows
// it is in.
func (s *store) wake(e *entry, changed bool) {
	if len(s.revived) > 0 {
		s.wakeBelow(e, changed, map[*entry]bool{})
	}
}

func (s *store) wakeBelow(e *entry, changed bool, seen map[*entry]bool) {
	if seen[e] {
		return
	}
	seen[e] = true
	for id := range s.revived {
		if g := s.byID[id]; g.group.members[e.id] != nil && !slices.Contains(e.parents, g) {
			e.parents = append(e.parents, g)
			changed = true
		}
	}
	if !changed || e.group == nil {
		return
	}
	for _, m := range e.group.members {
		s.wakeBelow(m, true, seen)
	}
}

// discard puts a live entry into the recycle bin. Whatever refers to it forgets it, also what is in the bin already.
func (s *store) discard(e *entry, at time.Time) {
	for _, c := range s.clients {
		if c.client.maps(e.id) {
			c.client = c.client.without(e.id)
			s.mark(c)
		}
	}
	if s.managers[e.id] {
		for _, managed := range s.byID {
			if managed.managedBy == e.id {
				managed.managedBy = uuid.Nil
				s.mark(managed)
			}
		}
	}
	s.forgetInBin(e)
	delete(s.revived, e.id)
	b := &binned{e: e, at: at}
	for _, p := range e.parents {
		b.parents = append(b.parents, p.id)
		delete(p.group.members, e.id)
	}
	slices.SortFunc(b.parents, compareIDs)
	e.parents = nil
	for id := range s.revived {
		delete(s.byID[id].group.members, e.id)
	}
	s.unindex(e)
	delete(s.byID, e.id)
	if e.group != nil {
		for _, m := range e.group.members {
			before := len(m.parents)
			m.parents = slices.DeleteFunc(m.parents, func(p *entry) bool { return p == e })
			s.wake(m, len(m.parents) < before)
		}
	}
	e.recycled = true
	s.throw(b)
	s.note(op{Do: opBin, ID: e.id, At: at.UnixNano()})
}

// throw puts an entry into the bin.
func (s *store) throw(b *binned) {
	s.bin[b.e.id] = b
	if b.e.group != nil || b.e.client != nil {
		s.binRefs[b.e.id] = true
	}
}

// forgetInBin makes what is in the bin forget an entry that goes there too.
func (s *store) forgetInBin(e *entry) {
	if e.group != nil || s.managers[e.id] {
		for _, b := range s.bin {
			b.parents = slices.DeleteFunc(b.parents, func(id uuid.UUID) bool { return id == e.id })
			if b.e.managedBy == e.id {
				b.e.managedBy = uuid.Nil
			}
		}
	}
	for id := range s.binRefs {
		switch b := s.bin[id]; {
		case b == nil:
			delete(s.binRefs, id)
		case b.e.client != nil:
			b.e.client = b.e.client.without(e.id)
		default:
			delete(b.e.group.members, e.id)
		}
	}
}

// restore takes an entry out of the recycle bin, with its memberships as far as those groups are there. Members of a
// group come back with it, and do not know of it yet.
func (s *store) restore(b *binned) {
	e := b.e
	s.note(op{Do: opRevive, ID: e.id})
	delete(s.bin, e.id)
	e.recycled = false
	s.byID[e.id] = e
	s.index(e)
	if e.group != nil {
		maps.DeleteFunc(e.group.members, func(id uuid.UUID, _ *entry) bool { return s.byID[id] == nil })
		s.revived[e.id] = true
	}
	for _, id := range b.parents {
		if g := s.byID[id]; g != nil {
			s.link(g, e)
			s.wake(g, false)
		}
	}
	if e.group != nil {
		return
	}
	// The dynamic groups of all accounts have changed, and with them whoever is in those.
	for id := range s.revived {
		_, asleep := s.byID[id].knowing()
		for _, m := range asleep {
			if m.group == nil {
				m.parents = append(m.parents, s.byID[id])
			}
		}
		if !slices.ContainsFunc(asleep, func(m *entry) bool { return m.group != nil }) {
			delete(s.revived, id)
		}
	}
}

// purge forgets what has been deleted for long enough.
func (s *store) purge() {
	now := s.now()
	for id, b := range s.bin {
		if now.Sub(b.at) > recycleFor {
			delete(s.bin, id)
			s.graves[id] = now.Add(tombstoneFor)
		}
	}
	for id, until := range s.graves {
		if now.After(until) {
			delete(s.graves, id)
		}
	}
}

// used says whether an id is taken, also by a deleted entry.
func (s *store) used(id uuid.UUID) bool {
	_, binned := s.bin[id]
	_, buried := s.graves[id]
	return s.byID[id] != nil || binned || buried
}

// resolve finds an entry by uuid, spn or name.
func (s *store) resolve(ref string) *entry {
	if id, err := uuid.Parse(ref); err == nil && len(ref) == 36 {
		return s.byID[id]
	}
	name := lower(ref)
	if cut := len(name) - len(s.domain) - 1; cut > 0 && name[cut:] == "@"+s.domain {
		name = name[:cut]
	}
	return s.byName[name]
}

// noEntry is the id of what is not there, one of the reserved range.
var noEntry = uuid.MustParse("00000000-0000-0000-0000-fffffffffffe")

// identified is the id that a value of the attribute uuid means: in any way of writing it, or by a name.
func (s *store) identified(value string) uuid.UUID {
	if id, err := uuid.Parse(value); err == nil {
		return id
	}
	if e := s.resolve(value); e != nil {
		return e.id
	}
	return noEntry
}

// live returns entries of some kinds in the order of their creation.
func (s *store) live(which func(*entry) bool) []*entry {
	var list []*entry
	for _, e := range s.byID {
		if which(e) {
			list = append(list, e)
		}
	}
	inOrder(list)
	return list
}

func inOrder(list []*entry) {
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
}
