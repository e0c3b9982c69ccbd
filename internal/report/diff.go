package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
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
	*contrast
}

func newDiffPage(w io.Writer, old, new *planfile.File, d *planfile.Diff, o Options) diffPage {
	p := newPage(w, o)
	return diffPage{p, compared(newView(old), newView(new), d, p.voice)}
}

// diff is the verdict, then what differs, in the order in which a plan is read.
func (p *diffPage) diff() {
	verdict, follows := p.verdict()
	p.gap()
	p.para(p.bold(verdict) + follows)
	if p.Same {
		return
	}
	p.gap()
	for _, s := range p.counts() {
		p.para(s)
	}
	p.tenants()
	p.objects()
	if rest := p.besides(); len(rest) > 0 {
		p.gap()
		p.line("%s", p.bold("Besides"))
		for _, s := range rest {
			p.para(s)
		}
	}
}

const listedDiffs = 12

func (p *diffPage) tenants() {
	list := p.differing()
	if len(list) == 0 {
		return
	}
	rows := [][]string{append([]string{"", ""}, diffColumns()...)}
	for i, t := range list {
		if i == listedDiffs && len(list) > listedDiffs+1 {
			break
		}
		slug := cmp.Or(short(Escape(t.Tenant.Slug), 32), "(tenant gone)")
		rows = append(rows, append([]string{p.new.words.sortOf(t.Kind, t.Wave), slug}, diffCells(t)...))
	}
	p.gap()
	p.line("%s", p.bold("Users"))
	p.table(2, []bool{false, false, true, true, true, true, true}, rows)
	if rest := len(list) + 1 - len(rows); rest > 0 {
		p.line("  and %s more", of(int64(rest), "tenant", "tenants"))
	}
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
		if len(p.Changes) > listedObjects+2 && shown.add(*o, string(c.Kind)) > listedAlike(*o) {
			rest = append(rest, *o)
			continue
		}
		name := signs[o.Action] + " " + Escape(string(o.Address)) + "  "
		p.hang(fmt.Sprintf("  %-9s  ", diffSigns[c.Kind]), name+strings.Join(p.object(c), "; "))
	}
	if len(rest) > 0 {
		p.line("  and %s of %s like these (%s lists all)", count(int64(len(rest))),
			strings.Join(p.new.words.blocks(rest), ", "), p.command("diff", "-json", "OLD", "NEW"))
	}
}

// DiffUsers lists the users of whom two plans do not do the same, one a line: what became of it, id, tenant, wave, what
// happens by the new plan and what by the old one.
func DiffUsers(w io.Writer, old, new *planfile.File, o Options) error {
	p := newPage(w, o)
	a, b := newView(old), newView(new)
	said := [2]*saying{sayings(a, p.voice()), sayings(b, p.voice())}
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
			was += " (" + said[0].words.sortOf(u.Old.Segment.Kind, u.Old.Segment.Wave) + ")"
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

func sayings(v *view, words *voice) *saying {
	return &saying{v.effects, v.speaks(words), v.effects.Slugs(), map[*plan.Shape]string{}}
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
