package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Chosen says which users of a plan are listed; the zero value: all.
type Chosen struct {
	Tenant string // slug; "": of every tenant
	Wave   string // "": of every wave, and of none
	Admins bool   // only those in a group that is mapped as admin, before or after
}

// NotInPlanError says that a plan changes, or leaves, nobody of a tenant or wave that was asked for.
type NotInPlanError struct {
	What, Name string
	There      []string // those that the plan has, at most a few
}

func (e *NotInPlanError) Error() string {
	s := fmt.Sprintf("no such user is in the plan: %s %q", e.What, e.Name)
	if len(e.There) > 0 {
		s += "; it has " + strings.Join(e.There, ", ")
	}
	return s
}

// userLine is what is listed of a user whom a plan changes.
type userLine struct {
	User    uuid.UUID        `json:"user"`
	Tenant  plan.Tenant      `json:"tenant"`
	Kind    plan.SegmentKind `json:"kind"`
	Wave    string           `json:"wave,omitempty"`
	Effect  state.Effect     `json:"effect"`
	RowGone bool             `json:"row_gone,omitempty"`
	Join    []string         `json:"join"`  // names of groups
	Leave   []string         `json:"leave"` // names of groups
	// Whether it is in a group that is mapped as admin, as far as the plan has to do with that.
	AdminBefore bool `json:"admin_before"`
	AdminAfter  bool `json:"admin_after"`

	Undo plan.UndoKind `json:"undo"`

	said  string
	makes bool // a person, who is not there yet
}

// Users lists the users whom a plan changes, one a line: id, tenant, wave, what is looked up (nil: nothing), what happens and
// why.
func Users(w io.Writer, f *planfile.File, o Options, of Chosen, look *Lookup) error {
	p := newPage(w, o)
	v := newView(f)
	words := v.speaks(p.voice())
	tenant, wave := v.widths()
	list := listing{p: p, look: look}
	err := eachUser(f, of, words, func(l *userLine) error {
		head := fmt.Sprintf("%s  %s  %s", l.User, padded(cmp.Or(Escape(l.Tenant.Slug), "-"), tenant), padded(cmp.Or(Escape(l.Wave), "-"), wave))
		return list.add(listedUser{l.User, head, l.said, l.makes, l.Effect.Suffix})
	})
	if err == nil {
		err = list.flush()
	}
	if err != nil {
		return err
	}
	return p.flush()
}

// UsersJSON lists the same as JSON, one object a line.
func UsersJSON(w io.Writer, f *planfile.File, of Chosen) error {
	p := newPage(w, Options{})
	lines := json.NewEncoder(visible{p.w})
	err := eachUser(f, of, newView(f).speaks(p.voice()), func(l *userLine) error { return lines.Encode(l) })
	if err != nil {
		return err
	}
	return p.flush()
}

// widths are those of the columns for tenants and waves.
func (v *view) widths() (tenant, wave int) {
	for _, t := range v.effects.Tenants {
		tenant = max(tenant, cells(Escape(t.Slug)))
	}
	for _, s := range v.effects.Segments {
		wave = max(wave, cells(Escape(s.Wave)))
	}
	const most = 32
	return min(max(tenant, 1), most), min(max(wave, 1), most)
}

func padded(s string, width int) string { return s + strings.Repeat(" ", max(0, width-cells(s))) }

// eachUser hands over the lines of those who are chosen. The line is reused.
func eachUser(f *planfile.File, of Chosen, words *voice, each func(*userLine) error) error {
	e := f.Effects()
	if err := of.check(e); err != nil {
		return err
	}
	slugs := e.Slugs()
	for n, s := range e.Segments {
		if of.Wave != "" && !state.InWave(s.Wave, of.Wave) {
			continue
		}
		lines := make([]*userLine, len(f.Shapes(n)))
		for i, shape := range f.Shapes(n) {
			slug := slugs[shape.Tenant]
			l := lineOf(e, s, shape)
			if of.Tenant != "" && of.Tenant != slug || of.Admins && !l.AdminBefore && !l.AdminAfter {
				continue
			}
			l.Tenant = plan.Tenant{ID: shape.Tenant, Slug: slug}
			l.said = words.userChange(e, s.Kind, shape)
			lines[i] = l
		}
		for c, err := range f.Users(n, 0) {
			if err != nil {
				return err
			}
			if l := lines[c.Shape]; l != nil {
				l.User = c.User
				if err := each(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check refuses a tenant or a wave of which the plan changes nobody: it is mistyped, most likely.
func (of Chosen) check(e *plan.Effects) error {
	var tenants, waves []string
	for _, t := range e.Tenants {
		tenants = append(tenants, t.Slug)
	}
	for _, s := range e.Segments {
		for _, name := range []string{s.Wave, state.WholeWave(s.Wave)} {
			if name != "" && !slices.Contains(waves, name) {
				waves = append(waves, name)
			}
		}
	}
	if err := among("tenant", of.Tenant, tenants); err != nil {
		return err
	}
	return among("wave", of.Wave, waves)
}

func among(what, name string, there []string) error {
	if name == "" || slices.Contains(there, name) {
		return nil
	}
	const most = 8
	list := each(there, Escape)
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("%d more", len(there)-most))
	}
	return &NotInPlanError{What: what, Name: name, There: list}
}

func lineOf(e *plan.Effects, s plan.Segment, shape plan.Shape) *userLine {
	l := &userLine{Kind: s.Kind, Wave: s.Wave, Effect: shape.Effect, RowGone: shape.Ground.RowGone, Undo: shape.UndoKind(s.Kind)}
	l.Join, l.Leave = groupNames(e, shape.Join), groupNames(e, shape.Leave)
	l.AdminBefore, l.AdminAfter = e.Admin(shape)
	l.makes = shape.Effect.Act == state.PersonCreate && !shape.Ground.Made
	return l
}

func groupNames(e *plan.Effects, set plan.Set) []string {
	names := []string{}
	for _, g := range e.GroupsOf(set) {
		names = append(names, cmp.Or(g.Name, g.ID.String()))
	}
	return names
}

// userChange says what happens to the users of a shape, and why where that is not their wave.
func (v *voice) userChange(e *plan.Effects, kind plan.SegmentKind, s plan.Shape) string {
	f := plan.Figures{}
	e.Count(f, kind, plan.Counted{Shape: s, Users: 1})
	var parts []string
	for _, line := range figures() {
		if f[line.Figure] == 0 {
			continue
		}
		switch line.Figure {
		case plan.FigureUsers, plan.FigureAdmins, plan.FigureGainAdmin, plan.FigureLoseAdmin, plan.FigureRowGone:
		case plan.FigureJoin:
			parts = append(parts, "join "+v.names(groupNames(e, s.Join)))
		case plan.FigureLeave:
			parts = append(parts, "leave "+v.names(groupNames(e, s.Leave)))
		default:
			parts = append(parts, line.label)
		}
	}
	if l := s.Letter; !l.IsZero() {
		parts = append(parts, "is sent "+letterWords(l))
	}
	if len(parts) == 0 {
		parts = append(parts, "only what is recorded changes")
	}
	said := strings.Join(parts, "; ")
	if why := v.userReasons(e, kind, s); len(why) > 0 {
		said += " (" + strings.Join(why, "; ") + ")"
	}
	return said
}

// userReasons say what has changed about users who were moved before, as far as the effects tell.
func (v *voice) userReasons(e *plan.Effects, kind plan.SegmentKind, s plan.Shape) (why []string) {
	switch kind {
	case plan.SegmentWithdraw:
		return []string{"not moved, and got in all the same"}
	case plan.SegmentRelease:
		return []string{"another user has it now"}
	case plan.SegmentFollow:
	default:
		return nil
	}
	add := func(is bool, reason string) {
		if is && !slices.Contains(why, reason) {
			why = append(why, reason)
		}
	}
	add(s.Ground.RowGone, "its row is gone")
	expires := !s.Ground.RowGone && s.Effect.Act == state.PersonExpire
	add(expires && s.Ground.Linked, "its row or its tenant is not active")
	add(expires && !s.Ground.Linked, "its row is not active, and no longer linked to the person")
	add(s.Effect.Act == state.PersonEnable, "its row is active again")
	add(s.Effect.Mail, "its address changed")
	if s.Ground.RowGone || s.After.Asleep {
		return why
	}
	roles := func(g plan.Group) string { return oneOf(each(g.Members.Roles, v.escape)) }
	for _, g := range e.GroupsOf(s.Join) {
		add(len(g.Members.Roles) > 0, "its role is now "+roles(g))
	}
	gone := func(g plan.Group) bool {
		return slices.ContainsFunc(e.Objects, func(c plan.ObjectChange) bool {
			goes := c.Action == state.ActionDelete || c.Action == state.ActionForget
			return c.Kind == state.KindGroup && goes && c.Before != nil && c.Before.ID == g.ID
		})
	}
	for _, g := range e.GroupsOf(s.Leave) {
		if gone(g) {
			add(true, "group "+v.escape(cmp.Or(g.Name, g.ID.String()))+" goes")
			continue
		}
		add(g.Tenant != uuid.Nil && g.Tenant != s.Tenant, "it is in another tenant now")
		add(g.Tenant == s.Tenant && len(g.Members.Roles) > 0, "its role is no longer "+roles(g))
	}
	return why
}

func oneOf(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// Skipped lists the users who are not moved, one a line: id, tenant, wave, what is looked up (nil: nothing), and the reason.
func Skipped(w io.Writer, f *planfile.File, o Options, of Chosen, look *Lookup) error {
	p := newPage(w, o)
	tenant, wave := 1, 1
	tenants, waves := skippedOf(f)
	for _, t := range tenants {
		tenant = max(tenant, cells(Escape(t)))
	}
	for _, name := range waves {
		wave = max(wave, cells(Escape(name)))
	}
	list := listing{p: p, look: look}
	err := eachSkipped(f, of, func(s plan.SkippedUser) error {
		head := fmt.Sprintf("%s  %s  %s", s.User, padded(Escape(s.Tenant.Slug), min(tenant, 32)), padded(Escape(s.Wave), min(wave, 32)))
		return list.add(listedUser{user: s.User, head: head, tail: skipped(s.Reason)})
	})
	if err == nil {
		err = list.flush()
	}
	if err != nil {
		return err
	}
	return p.flush()
}

// SkippedJSON lists the same as JSON, one object a line.
func SkippedJSON(w io.Writer, f *planfile.File, of Chosen) error {
	p := newPage(w, Options{})
	lines := json.NewEncoder(visible{p.w})
	if err := eachSkipped(f, of, func(s plan.SkippedUser) error { return lines.Encode(s) }); err != nil {
		return err
	}
	return p.flush()
}

func skippedOf(f *planfile.File) (tenants, waves []string) {
	for _, t := range f.SkippedTenants() {
		tenants = append(tenants, t.Slug)
	}
	for _, w := range f.Context().Waves {
		if len(w.NotMoved) > 0 {
			waves = append(waves, w.Name)
		}
	}
	return tenants, waves
}

func eachSkipped(f *planfile.File, of Chosen, each func(plan.SkippedUser) error) error {
	tenants, waves := skippedOf(f)
	if err := among("tenant", of.Tenant, tenants); err != nil {
		return err
	}
	if err := among("wave", of.Wave, waves); err != nil {
		return err
	}
	for s, err := range f.Skipped() {
		if err == nil && (of.Tenant == "" || of.Tenant == s.Tenant.Slug) && (of.Wave == "" || state.InWave(s.Wave, of.Wave)) {
			err = each(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
