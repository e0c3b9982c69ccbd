package report

import (
	"regexp"
	"strings"
	"sync"

	"anthill/state"
)

// figureRef is a figure of a wave in a condition's text.
var figureRef = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`wave\.([a-z]+)`) })

// comparison is a comparison in a condition's text.
var comparison = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` (>=|<=|==|!=|<|>) `) })

// filled is a condition with the figures behind their names. Where all that it asks is whether something has come to be
// enough, it reads as so much of so much.
func (v *voice) filled(f state.Finding) string {
	figures := map[string]string{}
	for _, one := range f.Arg(state.KeyFigures).Findings {
		figures[one.Text(state.KeyName)] = count(one.Count)
		if one.Code == state.CodeFigureUnknown {
			figures[one.Text(state.KeyName)] = "?"
		}
	}
	text := f.Text(state.KeyCondition)
	if all := comparison().FindAllString(text, -1); len(all) == 1 && strings.HasPrefix(all[0], " >") {
		text = strings.Replace(text, all[0], " of ", 1)
	}
	return v.escape(figureRef().ReplaceAllStringFunc(text, func(ref string) string {
		return ref + " " + figures[strings.TrimPrefix(ref, "wave.")]
	}))
}

// inZone is a moment, and beside it what the clock of a window's zone shows then.
func (v *voice) inZone(f state.Finding) string {
	at := f.Arg(state.KeyAt).Time
	zone, err := state.LoadZone(f.Text(state.KeyZone))
	if err != nil {
		return stamp(at)
	}
	local := at.In(zone)
	if _, offset := local.Zone(); offset == 0 {
		return stamp(at)
	}
	return stamp(at) + " (" + local.Format("Mon 15:04") + " in " + v.escape(zone.String()) + ")"
}

// unconfirmed says which tenants a gate waits for, and how one is confirmed.
func (v *voice) unconfirmed(f state.Finding) string {
	slugs := f.Arg(state.KeyTenants).List
	if len(slugs) == 0 {
		return "" // no finding of ours
	}
	who := strings.Join(each(slugs[:min(len(slugs), listedTenants)], v.escape), ", ")
	if rest := len(slugs) - listedTenants; rest > 0 {
		who += " and " + of(int64(rest), "other tenant", "other tenants")
	}
	wants, confirm := "", []string{"wave", "confirm", "-tenant", slugs[0]}
	if condition := f.Text(state.KeyCondition); condition != "" {
		wants, confirm = ", where it wants "+v.escape(condition), append(confirm, "-value", "NUMBER")
	}
	confirm = append(confirm, state.WholeWave(f.Subject.Name), f.Text(state.KeyGate))
	return of(f.Count, "user waits", "users wait") + " for " + who + wants + " (" + v.command(confirm...) + ")"
}
