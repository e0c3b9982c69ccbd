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

// Diff writes what two plans do differently, for whoever has approved the old one.
func Diff(w io.Writer, old, new *planfile.File, d *planfile.Diff, o Options, files [2]string) error {
	p := newDiffPage(w, old, new, d, o)
	for i, f := range []*planfile.File{old, new} {
		side := [2]string{"Old", "New"}[i]
		p.line("%s      %s as of %s%s%s", side, p.bold(f.ID().Short()), stamp(f.Context().AsOf), p.dot(), Escape(files[i]))
	}
	if !alikeTargets(old, new) {
		p.gap()
		p.line("%s", p.bold("The plans are for different targets."))
	}
	p.diff()
	if !d.Same {
		p.who(files[0], files[1])
	}
	return p.flush()
}

// Since writes what a plan does otherwise than an older one, behind the plan itself.
func Since(w io.Writer, old, new *planfile.File, d *planfile.Diff, o Options, file string) error {
	p := newDiffPage(w, old, new, d, o)
	p.gap()
	p.line("%s %s (%s)", p.bold("Since the plan"), p.bold(old.ID().Short()), Escape(file))
	p.diff()
	if !d.Same && o.PlanFile != "" {
		p.who(file, o.PlanFile)
	}
	return p.flush()
}

// who tells the command that says of whom the plans do not do the same.
func (p *diffPage) who(old, new string) {
	p.gap()
	p.line("Who it is, one a line:")
	p.gap()
	p.line("    %s", p.command("diff", "-users", old, new))
}

// diffPage is the comparison of two plans as text.
type diffPage struct {
	*page
	*planfile.Diff
	old, new *view
}

func newDiffPage(w io.Writer, old, new *planfile.File, d *planfile.Diff, o Options) diffPage {
	return diffPage{newPage(w, o), d, newView(old), newView(new)}
}

func alikeTargets(old, new *planfile.File) bool { return old.Effects().Target == new.Effects().Target }

// diff is the verdict, then what differs, in the order in which a plan is read.
func (p *diffPage) diff() {
	p.gap()
	if p.Same {
		p.para(p.bold("Both plans do the same") + ": they have one plan ID, and an approval of the one is one of the other.")
		return
	}
	p.para(p.bold("The plans do not do the same") + ": an approval of the old one is none of the new one.")
	p.gap()
	p.counts("users", p.Users)
	p.counts("objects", p.Objects)
	if len(p.Users) == 0 && len(p.Objects) == 0 {
		p.line("  neither changes a user or an object")
	}
	p.tenants()
	p.objects()
	p.rest()
}

// counts says how many of a sort there are, by what became of them.
func (p *diffPage) counts(what string, n planfile.DiffCounts) {
	var all int64
	for _, k := range n {
		all += k
	}
	if all == 0 {
		return
	}
	s := fmt.Sprintf("%s: %s new, %s gone, %s otherwise, %s the same", what, count(n[planfile.DiffNew]),
		count(n[planfile.DiffGone]), count(n[planfile.DiffChanged]), count(n[planfile.DiffSame]+n[planfile.DiffRebased]))
	if r := n[planfile.DiffRebased]; r > 0 {
		s += " (of " + plural(r, "one", count(r)) + " of these the row has changed since)"
	}
	p.para(s)
}

const listedDiffs = 12

// tenants is a table of waves and tenants in which something differs, most first.
func (p *diffPage) tenants() {
	differ := func(t planfile.TenantDiff) int64 {
		return t.Users[planfile.DiffNew] + t.Users[planfile.DiffGone] + t.Users[planfile.DiffChanged] +
			t.Users[planfile.DiffRebased]
	}
	list := slices.DeleteFunc(slices.Clone(p.Tenants), func(t planfile.TenantDiff) bool { return differ(t) == 0 })
	slices.SortStableFunc(list, func(a, b planfile.TenantDiff) int { return cmp.Compare(differ(b), differ(a)) })
	if len(list) == 0 {
		return
	}
	rows := [][]string{{"", "", "new", "gone", "otherwise", "row changed", "same"}}
	for i, t := range list {
		if i == listedDiffs && len(list) > listedDiffs+1 {
			break
		}
		row := []string{sortOf(t.Kind, t.Wave), cmp.Or(short(Escape(t.Tenant.Slug), 32), "(tenant gone)")}
		for _, k := range []planfile.DiffKind{planfile.DiffNew, planfile.DiffGone, planfile.DiffChanged,
			planfile.DiffRebased, planfile.DiffSame} {
			row = append(row, count(t.Users[k]))
		}
		rows = append(rows, row)
	}
	p.gap()
	p.line("%s", p.bold("Users"))
	p.table(2, []bool{false, false, true, true, true, true, true}, rows)
	if rest := len(list) + 1 - len(rows); rest > 0 {
		p.line("  and %s more", of(int64(rest), "tenant", "tenants"))
	}
}

// sortOf names the users of a sort of segment.
func sortOf(kind plan.SegmentKind, wave string) string {
	switch kind {
	case plan.SegmentFollow:
		return "moved before"
	case plan.SegmentWithdraw:
		return "not moved"
	case plan.SegmentRestore:
		return "taken back from " + Escape(wave)
	}
	return "wave." + Escape(wave)
}

var diffSigns = map[planfile.DiffKind]string{
	planfile.DiffNew: "new", planfile.DiffGone: "gone", planfile.DiffChanged: "otherwise",
	planfile.DiffRebased: "row changed", planfile.DiffSame: "same",
}

func (p *diffPage) objects() {
	if len(p.Schema)+len(p.Changes) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Objects"))
	for _, s := range p.Schema {
		p.line("  %-9s  %s", diffSigns[s.Kind], Escape(string(s.Address)))
	}
	shown, rest := alike{}, []plan.ObjectChange{}
	for _, c := range p.Changes {
		o := cmp.Or(c.New, c.Old)
		if len(p.Changes) > listedObjects+2 && shown.enough(*o, string(c.Kind)) {
			rest = append(rest, *o)
			continue
		}
		name := signs[o.Action] + " " + Escape(string(o.Address)) + "  "
		p.hang(fmt.Sprintf("  %-9s  ", diffSigns[c.Kind]), name+strings.Join(p.object(c), "; "))
	}
	if len(rest) > 0 {
		p.line("  and %s of %s like these (%s lists all)", count(int64(len(rest))), strings.Join(blocks(rest), ", "),
			p.command("diff", "-json", "OLD", "NEW"))
	}
}

// object says what a plan does with an object, or where both do something, what of it is not the same.
func (p *diffPage) object(c planfile.ObjectDiff) []string {
	a, b := p.old.speaks(p.voice()), p.new.speaks(p.voice())
	by := func(words *voice, v *view, o *plan.ObjectChange) []string {
		return words.object(*o, v.context.Objects.Said[o.Address], v.isRollback())
	}
	switch {
	case c.Old == nil:
		return by(b, p.new, c.New)
	case c.New == nil:
		return by(a, p.old, c.Old)
	case c.Old.Action == c.New.Action:
		if list := b.values(c.Old.Will, c.New.Will, c.New.Will.Sorted()...); len(list) > 0 {
			return list
		}
	}
	is, was := strings.Join(by(b, p.new, c.New), "; "), strings.Join(by(a, p.old, c.Old), "; ")
	if is == was {
		return []string{"what it relies on has changed"}
	}
	return []string{is, "was: " + signs[c.Old.Action] + " " + was}
}

// rest says what else differs: hazards, and what is under the plan ID besides.
func (p *diffPage) rest() {
	if len(p.Hazards)+len(p.Other) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Besides"))
	for _, h := range p.Hazards {
		p.line("  hazard %s: %s, was %s", Escape(string(h.Code)), noneOr(h.New), noneOr(h.Old))
	}
	for _, name := range p.Other {
		p.para(effectName(name))
	}
}

// effectName says what else of the effects differs, by its name in JSON.
func effectName(name string) string {
	switch name {
	case "kind":
		return "one is a rollback and the other is not"
	case "target":
		return "the target: servers, database or environment"
	case "lineage":
		return "the recorded state that they belong to"
	case "not_before":
		return "the time before which apply refuses the plan"
	case "after":
		return "the last run that the rollback knows"
	case "waves":
		return "what becomes of a wave as a whole: its selection, order or limit of failures, or whether it is done then"
	case "identity":
		return "how names of persons are made, or whether persons follow the status of their rows"
	case "undo":
		return "what the rollback takes back and leaves paused"
	case "allowed":
		return "what was allowed"
	case "hazards":
		return "what a hazard is made of"
	case "tenants":
		return "what a tenant is called"
	case "tables":
		return "tenants or groups that the plan names"
	case "groups":
		return "who belongs in a group, or what it is mapped as"
	}
	return Escape(name)
}

// DiffUsers lists the users of whom two plans do not do the same, one a line: what became of it, id, tenant, wave, what
// happens by the new plan and what by the old one.
func DiffUsers(w io.Writer, old, new *planfile.File, o Options) error {
	p := newPage(w, o)
	a, b := newView(old), newView(new)
	said := [2]*saying{sayings(a, p), sayings(b, p)}
	tenant, wave := a.widths()
	t, v := b.widths()
	tenant, wave = max(tenant, t), max(wave, v)
	_, err := planfile.Compare(old, new, func(u planfile.UserDiff) error {
		if u.Kind == planfile.DiffSame {
			return nil
		}
		at := u.Place()
		slug := cmp.Or(said[1].slugs[at.Shape.Tenant], said[0].slugs[at.Shape.Tenant], "-")
		p.line("%-11s  %s  %s  %s  %s", diffSigns[u.Kind], u.User, padded(Escape(slug), tenant),
			padded(cmp.Or(Escape(at.Segment.Wave), "-"), wave), whatDiffers(u, said))
		return nil
	})
	if err != nil {
		return err
	}
	return p.flush()
}

// whatDiffers says what happens to a user by the new plan, and where that is something else, by the old one.
func whatDiffers(u planfile.UserDiff, said [2]*saying) string {
	switch u.Kind {
	case planfile.DiffGone:
		return "was: " + said[0].of(u.Old)
	case planfile.DiffChanged:
		was := said[0].of(u.Old)
		if u.Old.Segment.Wave != u.New.Segment.Wave {
			was += " (" + sortOf(u.Old.Segment.Kind, u.Old.Segment.Wave) + ")"
		}
		return said[1].of(u.New) + " -- was: " + was
	}
	return said[1].of(u.New)
}

// saying says what a plan does to the users of its shapes, each once.
type saying struct {
	effects *plan.Effects
	words   *voice
	slugs   map[uuid.UUID]string
	said    map[*plan.Shape]string
}

func sayings(v *view, p *page) *saying {
	return &saying{v.effects, v.speaks(p.voice()), v.effects.Slugs(), map[*plan.Shape]string{}}
}

func (s *saying) of(at *planfile.Placed) string {
	text, known := s.said[at.Shape]
	if !known {
		text = s.words.userChange(s.effects, at.Segment.Kind, *at.Shape)
		s.said[at.Shape] = text
	}
	return text
}

// diffJSON is the comparison of two plans for programs.
type diffJSON struct {
	FormatVersion string  `json:"format_version"`
	Old           planRef `json:"old"`
	New           planRef `json:"new"`
	Target        bool    `json:"same_target"`
	*planfile.Diff
}

type planRef struct {
	PlanID state.Hash `json:"plan_id"`
	Seal   state.Hash `json:"seal"`
}

// DiffJSON writes what two plans do differently as JSON.
func DiffJSON(w io.Writer, old, new *planfile.File, d *planfile.Diff) error {
	return writeJSON(w, diffOf(old, new, d))
}

func diffOf(old, new *planfile.File, d *planfile.Diff) diffJSON {
	list := *d
	list.Tenants, list.Changes, list.Schema = listed(d.Tenants), listed(d.Changes), listed(d.Schema)
	list.Hazards, list.Other = listed(d.Hazards), listed(d.Other)
	return diffJSON{FormatVersion, refOf(old), refOf(new), alikeTargets(old, new), &list}
}

func refOf(f *planfile.File) planRef { return planRef{f.ID(), f.Seal()} }

// userDiff is a line of DiffUsersJSON. Old and New are as in UsersJSON; null: that plan does not change the user.
type userDiff struct {
	User uuid.UUID         `json:"user"`
	Diff planfile.DiffKind `json:"diff"`
	Old  *userLine         `json:"old"`
	New  *userLine         `json:"new"`
}

// DiffUsersJSON lists the users of whom two plans do not do the same as JSON, one object a line.
func DiffUsersJSON(w io.Writer, old, new *planfile.File) error {
	p := newPage(w, Options{})
	lines := json.NewEncoder(visible{p.w})
	sides := [2]*plan.Effects{old.Effects(), new.Effects()}
	slugs := [2]map[uuid.UUID]string{sides[0].Slugs(), sides[1].Slugs()}
	one := func(side int, at *planfile.Placed, user uuid.UUID) *userLine {
		if at == nil {
			return nil
		}
		l := lineOf(sides[side], at.Segment, *at.Shape)
		l.User, l.Tenant = user, plan.Tenant{ID: at.Shape.Tenant, Slug: slugs[side][at.Shape.Tenant]}
		return l
	}
	_, err := planfile.Compare(old, new, func(u planfile.UserDiff) error {
		if u.Kind == planfile.DiffSame {
			return nil
		}
		return lines.Encode(userDiff{u.User, u.Kind, one(0, u.Old, u.User), one(1, u.New, u.User)})
	})
	if err != nil {
		return err
	}
	return p.flush()
}
