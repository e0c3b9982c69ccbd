package planner

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// Input is all that a plan is made from.
type Input struct {
	Config         *config.Config
	State          *state.State
	Recorded       func(context.Context) iter.Seq2[state.User, error] // state.Store.Users
	OpenUsers      func(context.Context) iter.Seq2[uuid.UUID, error]  // all users of the plan of the open run; nil when none is open
	Database       providers.Database
	Directory      providers.Directory
	Inspection     providers.Inspection
	Target         state.Target
	AsOf           time.Time // at which dates and soaks are judged
	Future         bool      // AsOf lies after the clock
	Allowed        []Allowance
	Version        string                                // of Anthill
	SelfAuthServer string                                // version, for the reader
	Temp           string                                // directory for the spool; "" = the system's
	Progress       func(stage string, done, total int64) // may be nil; called about every 10,000 users
}

// Make makes the plan of one configuration. User changes go to sink, the rest is returned. Diagnostics with an
// error mean that there is no plan; err is a failure to read.
func Make(ctx context.Context, in Input, sink Sink) (*Plan, hcl.Diagnostics, error) {
	w, mappings, err := newWorld(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	steps, diags := schemaSteps(in)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	violations := w.mappedGroups(mappings)

	s, err := newSpool(in.Temp)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	if err := w.readOpenUsers(ctx); err != nil {
		return nil, nil, err
	}
	if err := w.join(ctx, s); err != nil {
		return nil, nil, err
	}
	violations = append(violations, w.foreignMembers()...)
	violations = append(violations, w.sharedLinks()...)
	objects := w.planObjects(mappings)
	violations = append(violations, objects.violations...)
	w.links = nil
	w.adminGroups = map[uuid.UUID]bool{}
	for _, m := range mappings {
		w.adminGroups[m.Group] = m.Role == state.RoleAdmin
	}
	for _, c := range objects.changes {
		if c.Kind == state.KindGroup && c.After != nil {
			w.adminGroups[c.After.ID] = c.After.Role() == state.RoleAdmin
		}
	}
	diags = append(diags, objects.diags...)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	for _, g := range in.Config.Groups {
		w.dir.names = append(w.dir.names, w.dir.hash(g.Name))
	}
	for _, c := range in.Config.Clients {
		w.dir.names = append(w.dir.names, w.dir.hash(c.Name))
	}
	slices.Sort(w.dir.names)

	slices.SortFunc(w.claimed, compareID)
	d := newDecision(w, sink)
	d.scopes = w.scopeChanges(objects)
	if err := s.read(d.user); err != nil {
		return nil, nil, err
	}
	diags = append(diags, d.problems(objects)...)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	p, err := d.plan(steps, objects, violations)
	return p, diags, err
}

// newWorld reads all but the streams of users.
func newWorld(ctx context.Context, in Input) (*world, []providers.Mapping, error) {
	w := &world{in: in, lineage: Lineage(in.State, in.Target), foreign: map[[2]int]int64{},
		excludeMail: map[string]bool{}, excludeID: map[uuid.UUID]bool{}}
	var err error
	if w.dir, w.groupIDs, err = readDirectory(ctx, in.Directory); err != nil {
		return nil, nil, err
	}
	rows, err := in.Database.Tenants(ctx)
	if err != nil {
		return nil, nil, err
	}
	w.tenants = make([]tenant, len(rows))
	for i, r := range rows {
		w.tenants[i].Tenant = r
	}
	slices.SortFunc(w.tenants, func(a, b tenant) int { return compareID(a.ID, b.ID) })
	if w.liveClients, err = in.Directory.Clients(ctx); err != nil {
		return nil, nil, err
	}
	if in.Config != nil {
		w.layTenants(in.Config.Tenants)
	}
	mappings, err := in.Database.Mappings(ctx)
	if err != nil {
		return nil, nil, err
	}
	if c := in.Config; c != nil {
		w.namer = Namer{Name: c.Identity.Name, Display: c.Identity.Display}
		for _, m := range c.Exclude.Emails {
			w.excludeMail[strings.ToLower(m)] = true
		}
		for _, id := range c.Exclude.UserIDs {
			w.excludeID[id] = true
		}
		prepareSelectors(w.tenants, c.Waves)
	}
	return w, mappings, nil
}

// Lineage is the state's lineage, or the first one of the target.
func Lineage(s *state.State, t state.Target) uuid.UUID {
	if s.Exists {
		return s.Lineage
	}
	return t.FirstLineage()
}

func (w *world) readOpenUsers(ctx context.Context) error {
	if w.in.OpenUsers == nil {
		return nil
	}
	for id, err := range w.in.OpenUsers(ctx) {
		if err != nil {
			return err
		}
		w.openUsers = append(w.openUsers, id)
	}
	slices.SortFunc(w.openUsers, compareID)
	return nil
}

// foreignMembers blocks the tenants between which isolation does not hold, and says so.
func (w *world) foreignMembers() (violations []string) {
	for pair, n := range w.foreign {
		a, b := &w.tenants[pair[0]], &w.tenants[pair[1]]
		a.blocked, b.blocked = true, true
		violations = append(violations, fmt.Sprintf("%d users of tenant %s are members of groups of tenant %s", n, a.Slug, b.Slug))
	}
	slices.Sort(violations)
	return violations
}

// schemaSteps says which steps of the schema the plan holds.
func schemaSteps(in Input) ([]providers.SchemaStep, hcl.Diagnostics) {
	i := in.Inspection
	switch {
	case i.Level == providers.LevelDual:
		return nil, nil
	case i.Level == providers.LevelBetween && in.OpenUsers == nil:
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Half-made schema", Detail: fmt.Sprintf(
			"The database is neither at the baseline nor at the dual schema.\nThere already:\n  %s\nMissing:\n  %s\nFinishing a schema that somebody else began is not in this version: make the missing parts by hand, or take away those that are there. Nothing has been changed.",
			strings.Join(i.Present, "\n  "), strings.Join(i.Absent, "\n  "))}}
	case in.Config.Schema != nil:
		return i.Steps, nil
	case len(in.Config.Waves) > 0:
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Schema not ready for waves",
			Detail: "The database is at the baseline schema, and waves need the columns of the dual one. Add to the configuration:\n\n    schema {\n      level = \"dual\"\n    }"}}
	}
	return nil, nil
}

func newDecision(w *world, sink Sink) *decision {
	c := w.in.Config
	d := &decision{world: w, sink: sink, waves: c.Waves, before: reachability(c.Waves), policies: map[string]config.Policy{},
		segment: make([]int, len(c.Waves)), follow: -1, tallies: make([]rollout.Tally, len(c.Waves)), views: make([]waveFigures, len(c.Waves)),
		followed: effects{}, first: map[uint64]bool{}, unordered: map[[2]int]int64{}, skipped: map[SkipReason]int64{}, unselected: map[string]int64{}, members: make([]int64, len(w.groupIDs)), pauses: map[pauseKey]bool{}, moved: map[string]int64{}, lastGroup: map[uuid.UUID]int64{}, lostScope: map[string]int64{}, adopting: map[uuid.UUID]bool{}}
	for i := range d.segment {
		d.segment[i] = -1
		d.views[i].due = effects{}
	}
	for _, p := range c.Policies {
		d.policies[p.Name] = p
	}
	for _, p := range w.in.State.Pauses {
		d.pauses[pauseKey{p.Wave, p.Tenant}] = true
	}
	d.dupName, d.dupMail = duplicates(w.names), duplicates(w.mails)
	return d
}

// problems are what makes a plan impossible once all users are seen.
func (d *decision) problems(objects *objectPlan) (diags hcl.Diagnostics) {
	for _, s := range d.overlap() {
		diags = diags.Append(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Waves in no order",
			Detail: s + " Which of them moves a user must not depend on file order: give one `start { after = [...] }`, or narrow it."})
	}
	for _, name := range slices.Sorted(maps.Keys(d.moved)) {
		if _, declared := d.policies[name]; !declared {
			diags = diags.Append(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Policy in use removed",
				Detail: fmt.Sprintf("%d users have moved under auth_policy %q, which no configuration declares any more. Declare it again; forgetting a policy in use is not in this version.", d.moved[name], name)})
		}
	}
	for _, c := range objects.changes {
		if c.Kind != state.KindGroup || c.Action != Delete {
			continue
		}
		if name := c.Before.Attributes["name"]; d.lastGroup[c.Before.ID] > 0 {
			diags = diags.Append(fail("Group still needed", "%s (group %q) is declared no more, and %d moved users have no other group that is mapped to their tenant: without it the application would not know where they belong. Declare another group for them first, or take them back with a rollback.", c.Address, name, d.lastGroup[c.Before.ID]))
		}
	}
	if len(d.deleting) > 0 {
		for _, client := range slices.Sorted(maps.Keys(d.lostScope)) {
			if !strings.HasPrefix(client, string(state.KindClient)+".") {
				continue // not declared: it cannot be mended here, and is a hazard
			}
			diags = diags.Append(fail("Group still needed", "A group is declared no more, and without it %d moved users would be refused by %s: no other group of theirs has its scopes. Add one to its scope_map first.", d.lostScope[client], client))
		}
	}
	if d.in.Config.Identity.SharedEmail == "error" && d.shared > 0 {
		diags = diags.Append(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Shared e-mail addresses",
			Detail: fmt.Sprintf("%d users to be moved share their address with another live user, and identity has shared_email = \"error\". Self-auth takes an address once. Change the addresses, or choose \"skip\" or \"first_tenant\".", d.shared)})
	}
	return diags
}

// plan puts the decisions together.
func (d *decision) plan(steps []providers.SchemaStep, objects *objectPlan, violations []string) (*Plan, error) {
	in := d.in
	d.expel(objects)
	p := &Plan{Kind: state.RunApply, Target: in.Target, Lineage: d.lineage, Schema: steps, Objects: objects.changes,
		Identity: Identity{Name: in.Config.Identity.Name.Source(), Display: in.Config.Identity.Display.Source()}}
	verdicts := d.judge()
	if err := d.addWaves(p, verdicts); err != nil {
		return nil, err
	}
	a := &p.Analysis
	a.Version, a.AsOf, a.Future = in.Version, in.AsOf.UTC(), in.Future
	a.PostgresServer, a.SelfAuthServer = in.Inspection.Version, in.SelfAuthServer
	if r := in.State.OpenRun(); r != nil {
		a.OpenRun = r.ID
	}
	a.LastRun, a.LastCounts = LastRun(in.State)
	a.Live, a.AlreadyMoved, a.Unchanged = d.live, d.counts.moved, objects.unchanged
	a.Groups, a.Memberships, a.Violations = len(d.dir.groups), d.dir.links, violations
	a.Dormant, a.Outside, a.Where = objects.dormant, append(objects.outside, d.outsideNotes()...), objects.where
	a.Texts = map[state.Address][]string{}
	for _, o := range p.Objects {
		a.Texts[o.Address] = o.Text
	}
	a.Follow = d.tenantEffects(d.followed)
	for _, f := range a.Follow {
		a.Changed += f.Users
		a.Lose += f.Expire
	}
	for r := SkipExcluded; r < skipEnd; r++ {
		if n := d.skipped[r]; n > 0 {
			a.NotMoved = append(a.NotMoved, Skipped{Reason: r, Count: n})
		}
	}
	a.Notes = append(objects.notes, d.notes()...)
	cost(p, len(d.dir.persons))
	p.Allowed, p.Hazards = judgeHazards(in.Allowed, together(slices.Concat(d.guards(a.Changed), objects.hazards, d.hazards())))
	a.Notes = append(a.Notes, unusedAllowances(p.Allowed, p.Hazards)...)
	return p, nil
}

// LastRun is the latest run that is recorded, and how far it has come if it is open; "" where there is none.
func LastRun(st *state.State) (string, *state.Counts) {
	if len(st.Runs) == 0 {
		return "", nil
	}
	last := st.Runs[len(st.Runs)-1]
	if last.Open {
		return last.ID, &last.Counts
	}
	return last.ID, nil
}

func (d *decision) judge() []rollout.Verdict {
	in := rollout.Input{Waves: d.waves, Recorded: map[string]state.Wave{}, Digests: map[string]state.Digest{}, Tallies: d.tallies,
		Confirmations: d.in.State.Confirmations, Pauses: d.in.State.Pauses, AsOf: d.in.AsOf,
		Slug: func(id uuid.UUID) string {
			if i := d.tenantIndex(id); i >= 0 {
				return d.tenants[i].Slug
			}
			return id.String()
		}}
	for _, w := range d.in.State.Waves {
		in.Recorded[w.Name] = w
	}
	for _, w := range d.waves {
		in.Digests[w.Name] = selectionDigest(w)
	}
	return rollout.Judge(in)
}

// addWaves adds the waves' effects and views, and drops the changes of those that do not move.
func (d *decision) addWaves(p *Plan, verdicts []rollout.Verdict) error {
	for i, w := range d.waves {
		v, t, f := verdicts[i], d.tallies[i], &d.views[i]
		view := WaveView{Name: w.Name, Policy: w.Policy, State: waveStates[v.State], Since: v.Since, Until: v.Until, Reasons: v.Reasons,
			Matched: f.matched, Moved: f.moved, Due: t.Due, Waiting: f.waiting, Skipped: f.skipped, Moves: v.Moves && t.Due > 0,
			Tenants: d.tenantEffects(f.due)}
		if v.State == rollout.Done {
			view.Late = t.Due
		}
		p.Analysis.Waves = append(p.Analysis.Waves, view)
		if !v.Moves {
			if d.segment[i] >= 0 {
				if err := d.sink.Drop(d.segment[i]); err != nil {
					return err
				}
			}
			continue
		}
		p.Waves = append(p.Waves, WaveEffect{Name: w.Name, Digest: selectionDigest(w), After: startsAfter(d.waves, w, v.State), MaxFailures: w.MaxFailures,
			Starts: v.State == rollout.Starting, RestartSoak: v.RestartSoak && t.Due > 0, Moved: v.MovedAfter, Done: v.DoneAfter})
		for _, e := range view.Tenants {
			p.Analysis.Changed += e.Users
			p.Analysis.Gain += e.Create + e.Enable + e.Adopt
		}
	}
	return nil
}

var waveStates = map[rollout.State]WaveState{
	rollout.Disabled: Disabled, rollout.Held: Held, rollout.Starting: Starting, rollout.Running: Running,
	rollout.Soaking: Soaking, rollout.Done: DoneWave, rollout.Paused: Paused,
}

// startsAfter are the waves that must be through before w starts; one that runs already waits for nobody.
func startsAfter(waves []config.Wave, w config.Wave, s rollout.State) []string {
	if s != rollout.Starting {
		return nil
	}
	return enabledAfter(waves, w)
}

// enabledAfter are the waves that must be through before w starts; a disabled one stands for its own.
func enabledAfter(waves []config.Wave, w config.Wave) (names []string) {
	for _, a := range w.After {
		i := slices.IndexFunc(waves, func(x config.Wave) bool { return x.Name == a })
		switch {
		case i < 0:
		case waves[i].Enabled:
			names = append(names, a)
		default:
			names = append(names, enabledAfter(waves, waves[i])...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (d *decision) outsideNotes() (s []string) {
	if n := d.drift.link; n > 0 {
		s = append(s, fmt.Sprintf("%d moved users carry another link than the one recorded, or none: left as they are", n))
	}
	if n := d.drift.person; n > 0 {
		s = append(s, fmt.Sprintf("%d moved users' persons are gone from Self-auth: left as they are", n))
	}
	if n := d.drift.expired; n > 0 {
		s = append(s, fmt.Sprintf("%d moved users' persons were expired in Self-auth: left as they are", n))
	}
	if n := d.drift.method; n > 0 {
		s = append(s, fmt.Sprintf("%d moved users' rows were set back to logging in by password: left as they are", n))
	}
	return append(s, d.strangers()...)
}

// strangers finds members of our groups who are no users that belong there (L33): they are shown and left, or leave where
// the group is managed in full.
func (d *decision) strangers() (s []string) {
	for i := range d.tenants {
		for _, g := range d.tenants[i].groups {
			live, there := d.dir.groups[g.id]
			if !there || g.members.Full {
				continue
			}
			if n := d.dir.counts[live.index] - d.members[live.index]; n > 0 {
				s = append(s, fmt.Sprintf("group %s has %d members who do not belong in it: left as they are", live.name, n))
			}
		}
	}
	return s
}

// expel adds to the changes of groups that are managed in full the members who do not belong in them.
func (d *decision) expel(objects *objectPlan) {
	full := map[uint32]*wantedGroup{}
	for i := range d.tenants {
		for k := range d.tenants[i].groups {
			g := &d.tenants[i].groups[k]
			if live, there := d.dir.groups[g.id]; there && g.members.Full {
				full[live.index] = g
			}
		}
	}
	if len(full) == 0 {
		return
	}
	strangers := map[*wantedGroup][]uuid.UUID{}
	for _, m := range d.dir.members {
		if g := full[m.group]; g != nil && !m.known && !m.nested {
			strangers[g] = append(strangers[g], m.person)
		}
	}
	for i := range d.tenants {
		for k := range d.tenants[i].groups {
			if g := &d.tenants[i].groups[k]; len(strangers[g]) > 0 {
				objects.expel(g, d.world, strangers[g])
			}
		}
	}
}

// unusedAllowances says which -allow met no hazard of its count.
func unusedAllowances(allowed []Allowance, hazards []Hazard) (s []string) {
	for _, a := range allowed {
		if !slices.ContainsFunc(hazards, func(h Hazard) bool { return h.Code == a.Code && h.Count == a.Count }) {
			s = append(s, fmt.Sprintf("-allow %s=%d was not needed: the plan has no such hazard of that count", a.Code, a.Count))
		}
	}
	return s
}

func (d *decision) notes() (s []string) {
	if v := d.in.SelfAuthServer; v != "" && !triedVersion(v) {
		s = append(s, fmt.Sprintf("Self-auth %s is none of the versions that Anthill was made for (1.8 to 1.11): try it on a copy first", v))
	}
	if n := d.counts.unverified; n > 0 {
		s = append(s, fmt.Sprintf("%d of the users to be moved never confirmed their address, and Self-auth will vouch for it to every client (identity.unverified = \"skip\" leaves them)", n))
	}
	for _, w := range slices.Sorted(maps.Keys(d.unselected)) {
		s = append(s, fmt.Sprintf("%d users moved under wave %s are selected by no wave any more: they stay moved. To take them back:  anthill rollback -wave %s", d.unselected[w], w, w))
	}
	if n := d.counts.mailStuck; n > 0 {
		s = append(s, fmt.Sprintf("%d moved users have a new address that Self-auth refuses or somebody else has: their persons keep the old one", n))
	}
	if n := d.counts.nowhere; n > 0 {
		s = append(s, fmt.Sprintf("%d live users are selected by no wave", n))
	}
	if n := d.counts.groupless; n > 0 {
		s = append(s, fmt.Sprintf("%d users join no group: the application would not know their tenant when they come in through Self-auth", n))
	}
	for _, p := range d.in.Config.Policies {
		if p.CompleteOnLink {
			s = append(s, fmt.Sprintf("auth_policy.%s counts users as completed when they are linked, not when they have logged in through Self-auth", p.Name))
		}
	}
	return s
}

// triedVersion says whether a server's version is one that Anthill was made for.
func triedVersion(v string) bool {
	var major, minor int
	_, err := fmt.Sscanf(v, "%d.%d", &major, &minor)
	return err == nil && major == 1 && minor >= 8 && minor <= 11
}

// cost estimates calls to Self-auth, what its writes take, and transactions on Postgres, for the reader. persons are those
// in the directory. The figures are those of a real server on two cores (docs/selfauth.md).
func cost(p *Plan, persons int) {
	const batch = 500
	a := &p.Analysis
	for _, o := range p.Objects {
		a.Calls++
		a.Transactions += 2
		if o.Kind == state.KindClient {
			a.Calls += int64(len(scopeGroups(o.Will)))
		}
	}
	var create, users, revive int64
	add := func(list []TenantEffect) {
		for _, t := range list {
			users += t.Users
			create += t.Create
			for _, n := range []int64{t.Join, t.Leave} {
				if n > 0 {
					a.Calls += 1 + min(t.Admins, 1)
				}
			}
			a.Calls += t.Mail + t.Revive // one by one
			revive += t.Revive
		}
	}
	for _, w := range a.Waves {
		if w.Moves {
			add(w.Tenants)
		}
	}
	add(a.Follow)
	batches := (users + batch - 1) / batch
	a.Calls += batches
	a.Transactions += 2*batches + int64(len(p.Schema))
	// A person costs half a millisecond, and a quarter of a microsecond for each that is there already.
	there := float64(persons)
	seconds := float64(create)*(0.0005+0.00000025*(there+float64(create)/2)) + 0.15*float64(revive)
	a.WriteSeconds = math.Round(seconds*10) / 10
}
