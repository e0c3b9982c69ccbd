package config

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"
)

// Validate checks all that can be checked without data: references, types, names of fixed groups, the order of waves.
func (m *Module) Validate() hcl.Diagnostics {
	if diags := m.Missing(); diags.HasErrors() {
		return diags
	}
	e := newEvaluator(m, nil)
	e.config()
	return tidy(e.diags)
}

// Evaluate works out the configuration, with what the live world says. The Config is nil where there are errors; it is
// the same for the same files in any order, but for Pos.
func (m *Module) Evaluate(d Data) (*Config, hcl.Diagnostics) {
	// A block of which for_each makes no instance is checked by Validate alone.
	if diags := m.Validate(); diags.HasErrors() {
		return nil, diags
	}
	e := newEvaluator(m, &d)
	c := e.config()
	diags := tidy(e.diags)
	if diags.HasErrors() {
		return nil, diags
	}
	c.Awake = e.awakeConfig()
	return c, diags
}

// awakeConfig is what is declared once every tenant is active.
func (e *evaluator) awakeConfig() (a Awake) {
	away := map[string]bool{}
	planned, _ := e.plannedTenants()
	for _, t := range planned {
		if !t.Deleted && t.Status != "active" {
			away[t.Slug] = true
		}
	}
	if len(away) == 0 {
		return a
	}
	awake := newEvaluator(e.m, e.data)
	awake.awake = true
	a.Groups = slices.DeleteFunc(awake.groups(), func(g Group) bool { return !away[g.Tenant] })
	if len(a.Groups) > 0 {
		a.Clients = awake.clients()
	}
	return a
}

// Waves are the waves as far as they can be told without data, and without variables that have no value; what else is wrong
// in them is among the diagnostics.
func (m *Module) Waves() ([]Wave, hcl.Diagnostics) {
	e := newEvaluator(m, nil)
	list := e.waves()
	return list, tidy(slices.DeleteFunc(e.diags, m.isLacking))
}

// Excluded works out who is never moved, and nothing else of the configuration: variables that this does not need may be
// without a value.
func (m *Module) Excluded(d Data) (Exclude, hcl.Diagnostics) {
	e := newEvaluator(m, &d)
	x := e.exclude()
	return x, tidy(e.diags)
}

// config works out the whole configuration; with mistakes in e.diags it is of no use.
func (e *evaluator) config() *Config {
	e.everyValue()
	c := &Config{
		Settings: e.settings(),
		Tenants:  e.tenantBlocks(),
		Groups:   e.groups(),
		Clients:  e.clients(),
		Accounts: e.accountPolicies(),
		Moved:    e.moves(),
		Policies: e.policies(),
		Identity: e.identity(),
		Exclude:  e.exclude(),
		Gates:    e.gates(),
		Waves:    e.waves(),
	}
	promise(c.Waves, c.Policies)
	// Which blocks take their instances from live data matters when an instance is missing: it may only be away (L31).
	for _, kind := range []string{"account_policy", "group", "oauth2_client", "tenant"} {
		for _, n := range e.m.all(kind) {
			c.Blocks = append(c.Blocks, n.address())
			if fromData(e.m, n) {
				c.DataBlocks = append(c.DataBlocks, n.address())
			}
		}
	}
	if n := e.m.single("schema", ""); n.written() {
		r := e.reader(n, scope{})
		c.Schema = &Schema{Level: r.text("level"), RequiredFrom: r.date("required_for_new_users_from"), Pos: posOf(n.at)}
		c.Schema.Folder, c.Schema.Migrations = r.migrations("migrations")
	}
	c.Guard, c.Allows = e.guard(), e.allows()
	return c
}

// everyValue works out all values, also those that nothing refers to: a mistake in one is reported all the same.
func (e *evaluator) everyValue() {
	for _, prefix := range []string{"local.", "data."} {
		for _, key := range e.m.names(prefix) {
			at, _ := e.m.place(key)
			e.lookup(key, hcl.Traversal{hcl.TraverseRoot{Name: key, SrcRange: at}}, scope{})
		}
	}
}

func (e *evaluator) identity() Identity {
	r := e.reader(e.m.single("identity", ""), scope{user: true})
	id := Identity{
		Name: r.template("name"), Display: r.template("display_name"), SharedEmail: r.text("shared_email"),
		Unverified: r.text("unverified"), AdoptMail: r.text("adopt") == "mail",
		OmitMail: r.text("mail") == "omit",
	}
	if id.OmitMail && id.SharedEmail != "skip" {
		r.wrong("mail", "with \"omit\" nobody who shares an address gets it: leave out shared_email = %q", id.SharedEmail)
	}
	follow, _ := r.strings("follow")
	id.FollowMail, id.FollowState = slices.Contains(follow, "mail"), slices.Contains(follow, "status")
	id.Text = id.Name.Source() + "\n" + id.Display.Source()
	return id
}

func (e *evaluator) exclude() (x Exclude) {
	r := e.reader(e.m.single("exclude", ""), scope{})
	emails, _ := r.strings("emails")
	for _, m := range emails {
		if !strings.Contains(m, "@") {
			r.wrong("emails", "%q is no e-mail address", m)
		}
		x.Emails = append(x.Emails, strings.ToLower(m))
	}
	slices.Sort(x.Emails)
	x.Emails = slices.Compact(x.Emails)
	ids, _ := r.strings("user_ids")
	for _, s := range ids {
		id, err := uuid.Parse(s)
		if err != nil {
			r.wrong("user_ids", "%q is no user's id, which has the form of a UUID", s)
			continue
		}
		x.UserIDs = append(x.UserIDs, id)
	}
	slices.SortFunc(x.UserIDs, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	x.UserIDs = slices.Compact(x.UserIDs)
	return x
}

// Has reports whether a user is excluded, by its id or by its address in whatever case.
func (x Exclude) Has(id uuid.UUID, email string) bool {
	if len(x.Emails) > 0 {
		if _, found := slices.BinarySearch(x.Emails, strings.ToLower(email)); found {
			return true
		}
	}
	_, found := slices.BinarySearchFunc(x.UserIDs, id, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return found
}
