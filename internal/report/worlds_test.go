package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// worlds are plans of all kinds that a reviewer meets.
func worlds() map[string]*made {
	return map[string]*made{
		"adopted": adopted(), "drift": drifted(), "empty": emptied(), "first": firstRollout(), "follow": followed(), "guard": guarded(),
		"held": held(), "isolation": mixed(), "lockout": lockedOut(), "mails": inviting(), "nameless": withoutTenant(), "nothing": nothing(),
		"rename": renamed(), "rollback": rollback(), "schema": schemaOnly(), "skipped": allSkipped(), "steps": stepped(), "thousand": thousand(),
	}
}

// forms are how a plan is shown, by the ending of the golden file.
func forms() map[string]func(*bytes.Buffer, *planfile.File) error {
	return map[string]func(*bytes.Buffer, *planfile.File) error{
		"txt": func(b *bytes.Buffer, f *planfile.File) error {
			return Plan(b, f, Options{Unicode: true, PlanFile: "p.plan"})
		},
		"md": func(b *bytes.Buffer, f *planfile.File) error {
			return Markdown(b, f, nil, nil, MarkdownOptions{PlanFile: "p.plan"})
		},
		"html": func(b *bytes.Buffer, f *planfile.File) error {
			err := HTML(b, f, nil, nil, HTMLOptions{PlanFile: "p.plan"})
			body := bodyOf(b.String())
			b.Reset()
			b.WriteString(body)
			return err
		},
		"json": func(b *bytes.Buffer, f *planfile.File) error { return PlanJSON(b, f, nil, nil) },
		"stat": func(b *bytes.Buffer, f *planfile.File) error { return Stat(b, f) },
	}
}

// TestWorlds: each world in each form, as it was read by somebody who had to decide.
func TestWorlds(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.MkdirAll(filepath.Join("testdata", "worlds"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, m := range worlds() {
		f := m.save(t)
		for ending, form := range forms() {
			if name == "thousand" && (ending == "json" || ending == "html") {
				continue // a megabyte of what others have
			}
			var b bytes.Buffer
			if err := form(&b, f); err != nil {
				t.Fatal(name, ending, err)
			}
			compare := goldenList
			if ending == "txt" {
				compare = golden
			}
			compare(t, filepath.Join("worlds", name+"."+ending), stable(f, b.String()))
		}
	}
}

func emptied() *made {
	m := newMade(state.RunApply)
	m.Effects.Tenants, m.Effects.Groups = nil, nil
	m.Context.Population = plan.Population{}
	m.Context.Waves = []plan.WaveView{{Name: "everyone", State: plan.WaveHeld,
		Reasons: []state.Finding{state.About(state.CodeSelectsNobody, state.OfWave("everyone"))}}}
	return m
}

// firstRollout is the plan of a new installation.
func firstRollout() *made {
	m := newMade(state.RunApply)
	m.Context.Population = plan.Population{Live: 412}
	m.Effects.Schema = []string{"users.password_hash.nullable", "users.columns", "index.users.method"}
	m.Context.Schema = []state.Finding{
		state.Found(state.CodeColumnNullable, state.List(state.KeyColumns, "users.password_hash")),
		state.Found(state.CodeColumnsAdded, state.List(state.KeyColumns, "users.self_auth_user_id", "users.auth_method")),
		state.Found(state.CodeIndexMade, state.Text(state.KeyIndex, "idx_users_auth_method")),
	}
	for _, t := range []plan.Tenant{{ID: acme, Slug: "acme"}, {ID: globex, Slug: "globex"}} {
		m.group(t.ID, t.Slug, "admins")
		m.group(t.ID, t.Slug, "users")
	}
	m.Effects.Waves = []plan.WaveEffect{{Name: "internal", Starts: true, Moved: true, Done: true}}
	const dual = state.MethodDual
	m.change(3, plan.SegmentMove, "internal", m.moving(acme, dual, false, acmeAdmins, acmeUsers))
	m.change(35, plan.SegmentMove, "internal", m.moving(acme, dual, false, acmeUsers))
	m.Context.Waves = []plan.WaveView{
		{Name: "internal", State: plan.WaveStarts, Matched: 38, Due: 38},
		{Name: "everyone", State: plan.WaveHeld, Matched: 370, Due: 370, Skipped: 4,
			NotMoved: []plan.Skipped{{Reason: plan.SkipShared, Count: 3}, {Reason: plan.SkipSuspended, Count: 1}},
			Reasons: []state.Finding{state.About(state.CodeWaitsFor, state.OfWave("internal"), state.Because(state.KeyWhy,
				state.Found(state.CodeToMove).Times(38), state.Found(state.CodeSoakNeeded, state.Span(state.KeySpan, 7*24*time.Hour))))}},
	}
	m.Context.Notes = []state.Finding{state.Found(state.CodeUnverified).Times(5)}
	m.Context.Cost = plan.Cost{Calls: 9, Transactions: 3, WriteSeconds: 0.4}
	return m
}

// inviting is a plan that writes to those whom it moves, to some who were moved before, and to some once more; with a subject that
// somebody has tried to make something of.
func inviting() *made {
	m := newMade(state.RunApply)
	m.Context.Population = plan.Population{Live: 412, Moved: 100}
	m.Effects.Waves = []plan.WaveEffect{{Name: "pilot", Starts: true, Moved: true}}
	letter := plan.Letter{Kind: state.LetterInvitation, Link: state.LinkCode, Round: 1}
	move := m.moving(acme, state.MethodDual, false, acmeUsers)
	move.After.Standing, move.After.Wave, move.Letter = state.Moved, "pilot", letter
	m.change(30, plan.SegmentMove, "pilot", move)
	move.Letter.Unverified = true
	m.change(2, plan.SegmentMove, "pilot", move)
	mail := func(users int, l plan.Letter) {
		m.change(users, plan.SegmentMail, "pilot", plan.Shape{
			Tenant: globex, Ground: plan.Ground{Relies: providers.ReliesMail, Linked: true, Unrecorded: true}, Letter: l,
			After: state.UserState{Standing: state.Moved, Wave: "pilot"},
		})
	}
	mail(7, letter)
	mail(1, plan.Letter{Kind: state.LetterInvitation, Link: state.LinkLogin, Round: 2, Again: true})
	mail(12, plan.Letter{Kind: state.LetterReminder, Link: state.LinkCode, Round: 1})
	mail(3, plan.Letter{Kind: state.LetterReminder, Link: state.LinkCode, Round: 2})
	text := "Subject: S\n\nHello {{.Name}}\n"
	m.Effects.Mailings = []plan.Mailing{{Wave: "pilot", Link: state.LinkCode, From: `"Anthill" <noreply@anthill.example>`,
		Subject: "Your <b>new</b> login | `now`", Text: text, Template: plan.TemplateDigest(text)}}
	m.Effects.Raise(plan.SendsMail, 7, state.About(state.CodeMailsLate, state.OfWave("pilot")).Times(7))
	m.Effects.Raise(plan.SendsMail, 1, state.About(state.CodeMailsAgain, state.OfWave("pilot")).Times(1))
	m.Effects.Raise(plan.LinkToUnverified, 2, state.About(state.CodeMailsUnverified, state.OfWave("pilot")).Times(2))
	m.Effects.Allow([]plan.Allowance{{Code: plan.SendsMail, Count: 8}, {Code: plan.LinkToUnverified, Count: 2}})
	m.Context.Waves = []plan.WaveView{{Name: "pilot", State: plan.WaveStarts, Matched: 132, Moved: 100, Due: 32}}
	m.Context.Notes = []state.Finding{
		state.About(state.CodeMailRefused, state.OfWave("pilot")).Times(1), state.About(state.CodeMailDoubtful, state.OfWave("pilot")).Times(3),
		state.About(state.CodeMailNoAddress, state.OfWave("pilot")).Times(2), state.About(state.CodeMailPaused, state.OfWave("pilot")).Times(4),
		state.About(state.CodeMailNoLogin, state.OfWave("pilot")).Times(1),
	}
	return m
}

func held() *made {
	m := nothing()
	m.Context.Waves = []plan.WaveView{
		{Name: "internal", State: plan.WaveSoaking, Since: asOf.AddDate(0, 0, -2), Until: asOf.AddDate(0, 0, 5), Matched: 38, Moved: 38,
			Reasons: []state.Finding{state.Found(state.CodeSoaks, state.Span(state.KeySpan, 7*24*time.Hour), state.At(state.KeyUntil, asOf.AddDate(0, 0, 5)))}},
		{Name: "pilot", State: plan.WavePaused, Matched: 258, Moved: 100, Due: 158, Waiting: 158, Reasons: []state.Finding{
			state.About(state.CodeWavePaused, state.OfWave("pilot"), state.Text(state.KeyRun, "2026-12-06-1"))}},
		{Name: "dated", State: plan.WaveHeld, Until: asOf.AddDate(0, 1, 0), Matched: 12, Due: 12, Reasons: []state.Finding{
			state.Found(state.CodeStartsAt, state.At(state.KeyAt, asOf.AddDate(0, 1, 0)))}},
		{Name: "everyone", State: plan.WaveHeld, Due: 11754, Reasons: []state.Finding{
			state.About(state.CodeWaitsFor, state.OfWave("pilot"), state.Because(state.KeyWhy, state.Found(state.CodePausedItself))),
			state.About(state.CodeGateClosed, state.OfWave("everyone"), state.Text(state.KeyGate, "support"))}},
		{Name: "later", State: plan.WaveDisabled},
	}
	return m
}

// stepped is a plan that moves a step of one wave of two with steps.
func stepped() *made {
	m := newMade(state.RunApply)
	m.Context.Population = plan.Population{Live: 12204, Moved: 628}
	m.Effects.Waves = []plan.WaveEffect{{Name: "everyone[25]", Starts: true, Moved: true}}
	move := m.moving(acme, state.MethodDual, false, acmeUsers)
	m.change(2350, plan.SegmentMove, "everyone[25]", move)
	one := func(name string, s plan.WaveState, matched, moved int64, reasons ...state.Finding) plan.WaveView {
		enrolled := moved / 2
		w := plan.WaveView{Name: name, State: s, Matched: matched, Moved: moved, Due: matched - moved, Reasons: reasons,
			Figures: state.WaveFigures{Selected: matched, Moved: moved, Invited: moved, Enrolled: &enrolled, Completed: moved / 4}}
		if s == plan.WaveDone {
			w.Since = asOf.AddDate(0, 0, -9)
		}
		return w
	}
	waits := func(name string) state.Finding {
		return state.About(state.CodeWaitsFor, state.OfWave(name), state.Because(state.KeyWhy, state.Found(state.CodeToMove).Times(2350)))
	}
	m.Context.Waves = []plan.WaveView{
		one("pilot", plan.WaveDone, 40, 40), one("everyone[5]", plan.WaveDone, 588, 588), one("everyone[25]", plan.WaveStarts, 2350, 0),
		one("everyone[100]", plan.WaveHeld, 8816, 0, waits("everyone[25]")), one("retire[50]", plan.WaveHeld, 60, 0, waits("everyone[100]")),
		one("retire[100]", plan.WaveHeld, 61, 0, waits("retire[50]")),
	}
	return m
}

func guarded() *made {
	m := firstRollout()
	m.change(180, plan.SegmentMove, "internal", m.moving(globex, state.MethodDual, false, globexUsers))
	m.Effects.Raise(plan.OverLimit, 218, state.Found(state.CodeOverLimit, state.Real(state.KeyLimit, 30),
		state.Number(state.KeyPopulation, 412)).Times(218))
	return m
}

func lockedOut() *made {
	m := pilot()
	m.Effects.Raise(plan.LocksOut, 3, state.About(state.CodeScopeLost, state.Of("oauth2_client.app")).Times(3))
	m.Effects.Raise(plan.LocksOut, 17, state.Found(state.CodeHomeLost).Times(17))
	m.Effects.Raise(plan.LocksOut, 0, state.Found(state.CodeNoFallback).Times(2))
	out := func(tenant string, n int64, bar state.Code) {
		m.Effects.Raise(plan.LocksOut, n, state.About(state.CodeLockedOut, state.OfTenant(tenant),
			state.Because(state.KeyWhy, state.Found(bar))).Times(n))
	}
	out("acme", 16, state.CodeBarGroup)
	out("globex", 1, state.CodeBarScope)
	without := []state.Finding{state.Found(state.CodeBarTenant).Times(1204), state.Found(state.CodeBarLink).Times(1),
		state.Found(state.CodeBarPerson).Times(2), state.Found(state.CodeBarExpired).Times(3), state.Found(state.CodeBarCredential).Times(40)}
	m.Context.Notes = append(m.Context.Notes, state.Found(state.CodeNoWayIn, state.Because(state.KeyWhy, without...)).Times(1250),
		state.About(state.CodeMinimumRaised, state.Of("account_policy.admins")), state.Found(state.CodeDualAgain).Times(2))
	m.Context.Outside = append(m.Context.Outside, state.Found(state.CodeDriftDual).Times(7))
	m.Context.Waves[1].NotMoved = append(m.Context.Waves[1].NotMoved, plan.Skipped{Reason: plan.SkipNotEnrolled, Count: 30},
		plan.Skipped{Reason: plan.SkipFollows, Count: 4})
	m.Context.Waves[1].Waiting += 34
	return m
}

// mixed is a world in which tenants share what they must not.
func mixed() *made {
	m := pilot()
	m.Context.Isolation.Violations = []state.Finding{
		state.About(state.CodeGroupShared, state.OfGroup("legacy_users"), state.List(state.KeyTenants, "hooli", "initech")),
		state.About(state.CodeForeignMembers, state.OfTenant("umbrella"), state.Text(state.KeyOther, "acme")).Times(4),
		state.About(state.CodePersonShared, state.OfTenant("hooli"), state.Text(state.KeyOther, "umbrella")),
	}
	m.Context.Waves[1].NotMoved = append(m.Context.Waves[1].NotMoved, plan.Skipped{Reason: plan.SkipTenantBlocked, Count: 61})
	m.Context.Waves[1].Skipped += 61
	return m
}

func withoutTenant() *made {
	m := pilot()
	m.Effects.Raise(plan.LoginRefused, 12, state.About(state.CodeLoginRefused, state.Of("oauth2_client.portal"),
		state.List(state.KeyScopes, "email", "offline_access")).Times(12))
	m.Effects.Raise(plan.LoginWithoutTenant, 410, state.About(state.CodeNameless, state.Of("oauth2_client.app")).Times(410))
	m.Context.Notes = append(m.Context.Notes, state.About(state.CodeLetInNowhere, state.OfTenant("globex")).Times(7),
		state.About(state.CodeRedirectRefused, state.Of("oauth2_client.app"), state.List(state.KeyURLs, "https://app.example.com/cb")))
	return m
}

// renamed changes the name of a group that has members, and the slug by which it is addressed.
func renamed() *made {
	m := nothing()
	m.Context.Population = plan.Population{Live: 12204, Moved: 9000}
	before := state.Object{
		Address: `group.users["globex"]`, Kind: state.KindGroup, ID: state.GroupID(uuid.Nil, globexUsersAt, 1), Generation: 1, Tenant: globex,
		TenantSlug: "globex", Attributes: state.Attributes{state.AttrName: state.TextValue("tenant_globex_users")},
	}
	after := before
	after.Address = `group.members["globex"]`
	after.Attributes = state.Attributes{state.AttrName: state.TextValue("tenant_globex_members")}
	m.Effects.Objects = []plan.ObjectChange{{Address: after.Address, From: before.Address, Kind: state.KindGroup, Action: state.ActionUpdate,
		Before: &before, After: &after, Was: before.Attributes, Will: after.Attributes}}
	m.Context.Objects.Where = map[state.Address]plan.Place{after.Address: {File: "groups.anthill.hcl", Line: 12}}
	m.Effects.Raise(plan.LoginGap, 152, state.About(state.CodeGroupRenamed, state.OfGroup("tenant_globex_users"),
		state.Text(state.KeyName, "tenant_globex_members")).Times(152))
	return m
}

func allSkipped() *made {
	m := nothing()
	m.Context.Waves = []plan.WaveView{{Name: "pilot", State: plan.WaveStarts, Matched: 40, Skipped: 40, NotMoved: []plan.Skipped{
		{Reason: plan.SkipNoEmail, Count: 21}, {Reason: plan.SkipEmailTaken, Count: 11}, {Reason: plan.SkipUnverified, Count: 8}},
		Reasons: []state.Finding{state.About(state.CodeAllSkipped, state.OfWave("pilot")).Times(40)}}}
	for range 21 {
		m.skipped = append(m.skipped, plan.SkipNoEmail)
	}
	return m
}

func schemaOnly() *made {
	m := nothing()
	m.Effects.Schema, m.Context.Schema = firstRollout().Effects.Schema, firstRollout().Context.Schema
	return m
}

func drifted() *made {
	m := nothing()
	m.Context.Population = plan.Population{Live: 12204, Moved: 9000}
	m.Context.Outside = []state.Finding{
		state.About(state.CodeSlugFollowed, state.OfTenant("initrode"), state.Text(state.KeyWas, "initech"),
			state.Text(state.KeyFrom, `group.users["initech"]`), state.Text(state.KeyTo, `group.users["initrode"]`)),
		state.Found(state.CodeDriftLink).Times(2), state.Found(state.CodeDriftPerson).Times(1), state.Found(state.CodeDriftExpired).Times(7),
		state.Found(state.CodeDriftMethod).Times(31), state.About(state.CodeStrangers, state.OfGroup("tenant_acme_admins")).Times(2),
	}
	return m
}

// followed has users whose rows changed, and persons who lose what their rows no longer ask for.
func followed() *made {
	m := nothing()
	m.Context.Population = plan.Population{Live: 12204, Moved: 9000}
	moved := state.UserState{Standing: state.Moved, Wave: "pilot"}
	m.change(3, plan.SegmentFollow, "", plan.Shape{Tenant: acme, Join: m.table.Set(acmeAdmins), After: moved})
	m.change(2, plan.SegmentFollow, "", plan.Shape{Tenant: acme, Leave: m.table.Set(acmeAdmins), After: moved})
	m.change(5, plan.SegmentFollow, "", plan.Shape{Tenant: globex, Effect: state.Effect{Act: state.PersonExpire}, After: moved})
	m.change(1, plan.SegmentFollow, "", plan.Shape{Tenant: globex, Effect: state.Effect{Act: state.PersonEnable}, Join: m.table.Set(globexUsers), After: moved})
	m.change(8, plan.SegmentFollow, "", plan.Shape{Tenant: acme, Effect: state.Effect{Mail: true}, After: moved})
	return m
}

// adopted takes over persons whom Self-auth has.
func adopted() *made {
	m := newMade(state.RunApply)
	m.Effects.Waves = []plan.WaveEffect{{Name: "pilot", Starts: true, Moved: true}}
	s := m.moving(acme, state.MethodDual, false, acmeUsers)
	m.change(20, plan.SegmentMove, "pilot", s)
	s.Effect.Act = state.PersonAdopt
	m.change(14, plan.SegmentMove, "pilot", s)
	m.Context.Waves = []plan.WaveView{{Name: "pilot", State: plan.WaveStarts, Matched: 34, Due: 34}}
	m.Effects.Raise(plan.AdoptsPerson, 14, state.Found(state.CodeAdopts).Times(14))
	m.Effects.Allow([]plan.Allowance{{Code: plan.AdoptsPerson, Count: 14}})
	m.Context.Cost = plan.Cost{Calls: 4, Transactions: 1, Run: "2026-12-06-1", Rate: 480, Seconds: 0.1}
	return m
}

func thousand() *made { return many(1000) }

// many is a plan of so many tenants, a multiple of ten.
func many(tenants int) *made {
	m, users := newMade(state.RunApply), int64(tenants)*11/2
	m.Context.Population = plan.Population{Live: 90000, Moved: 12}
	m.Effects.Waves = []plan.WaveEffect{{Name: "everyone", Starts: true, Moved: true}}
	m.Context.Waves = []plan.WaveView{{Name: "everyone", State: plan.WaveStarts, Matched: users, Due: users}}
	for i := range tenants {
		id, slug := uuid.UUID{3, byte(i >> 8), byte(i)}, fmt.Sprintf("tenant-%04d", i)
		m.Effects.Tenants = append(m.Effects.Tenants, plan.Tenant{ID: id, Slug: slug})
		m.change(1+i%10, plan.SegmentMove, "everyone", m.moving(id, state.MethodDual, false))
		m.group(id, slug, "users")
	}
	m.Context.Cost = plan.Cost{Calls: 120, Transactions: 11, WriteSeconds: 40}
	return m
}

// TestWorldsAreDecided: the first screen of each world says how many users change, who loses a login, what must be allowed.
func TestWorldsAreDecided(t *testing.T) {
	t.Parallel()
	for name, m := range worlds() {
		f := m.save(t)
		for ending, form := range forms() {
			var b bytes.Buffer
			if err := form(&b, f); err != nil {
				t.Fatal(err)
			}
			for _, h := range f.Effects().Hazards {
				if ending != "json" && !f.Effects().Allows(h) && !strings.Contains(b.String(), string(h.Code)) {
					t.Errorf("%s.%s does not name the hazard %s", name, ending, h.Code)
				}
			}
		}
	}
}

// TestWorldsFit: on a terminal of 80 columns no line is wider than that but what is to be pasted or compared whole.
func TestWorldsFit(t *testing.T) {
	t.Parallel()
	for name, m := range worlds() {
		f := m.save(t)
		for _, width := range []int{80, 100} {
			var b bytes.Buffer
			if err := Plan(&b, f, Options{Width: width, PlanFile: "p.plan"}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				whole := strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "     ") || strings.HasPrefix(line, "Plan ID") ||
					strings.HasPrefix(line, "Seal")
				if n := cells(strings.TrimRight(line, "\n")); n > width && !whole {
					t.Errorf("%s at %d columns: a line of %d: %s", name, width, n, line)
				}
			}
		}
	}
}
