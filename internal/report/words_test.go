package report

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/planner/plan"
	"anthill/state"
)

var declared sync.Map // what constants has read, by file and type

// constants are the values of the constants of a type in a file, as its source has them.
func constants(t *testing.T, file, typ string) (list []string) {
	t.Helper()
	if kept, ok := declared.Load(file + typ); ok {
		return slices.Clone(kept.([]string))
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typ {
				continue
			}
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, value)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has no constants of type %s", file, typ)
	}
	declared.Store(file+typ, slices.Clone(list))
	return list
}

func codes(t *testing.T) []string { return constants(t, "../../state/codes.go", "Code") }

func text100() *voice { return newPage(nil, Options{}).voice() }

// full is a finding of a code that has every argument there is, all texts of which are one and the same.
func full(t *testing.T, code, text string) state.Finding {
	t.Helper()
	f := state.About(state.Code(code), state.Subject{Kind: state.SubjectClient, Name: text}).Times(3)
	for _, k := range constants(t, "../../state/codes.go", "Key") {
		value := state.Value{Text: text}
		f.Args = append(f.Args, state.Arg{
			Key: state.Key(k), Text: text, Time: asOf, Span: 36 * time.Hour, List: []string{text}, Value: &value,
			Findings: []state.Finding{state.About(state.CodeWaitsFor, state.OfWave(text))},
		})
	}
	return f
}

func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	for _, code := range codes(t) {
		if s := text100().say(full(t, code, "x")); s == code || s == "" || strings.HasSuffix(s, ".") {
			t.Errorf("code %s has no words in words.go, or ends with a full stop: %q", code, s)
		}
		_ = text100().say(state.Found(state.Code(code))) // an old or rewritten file may lack arguments: no panic
	}
	for _, r := range plan.SkipReasons() {
		if skipped(r) == r.String() && !slices.Contains([]plan.SkipReason{plan.SkipInactive, plan.SkipSuspended}, r) {
			t.Errorf("skip reason %s has no words", r)
		}
	}
	if s := text100().say(state.Found("of_tomorrow\x1b")); s != `of_tomorrow\u001b` {
		t.Errorf("an unknown code is said as %q", s)
	}
}

// TestEveryFigureHasWords: what is counted of users is a line of the table, or is one of those that JSON alone has.
func TestEveryFigureHasWords(t *testing.T) {
	t.Parallel()
	all := constants(t, "../../planner/plan/figures.go", "Figure")
	for a := state.PersonCreate; !strings.HasPrefix(a.String(), "invalid"); a++ {
		all = append(all, string(plan.FigureOf(a)))
	}
	for _, s := range (&state.Effect{}).Switches() {
		all = append(all, s.Name)
	}
	for m := state.MethodPassword; !strings.HasPrefix(m.String(), "invalid"); m++ {
		all = append(all, string(plan.FigureTo(m)))
	}
	for _, name := range all {
		labelled := slices.ContainsFunc(figures(), func(f figure) bool { return string(f.Figure) == name })
		if labelled == slices.Contains([]string{"suffix", "complete", "removed", "leavers",
			"keeps_login", "person_as_it_is", "stays_moved", "row_back"}, name) {
			t.Errorf("figure %s: in the table: %v", name, labelled)
		}
	}
}

// TestWordsAreEscapedOnce: whatever comes from outside goes through the escaper of the form, once, and a command
// through its own way to write commands.
func TestWordsAreEscapedOnce(t *testing.T) {
	t.Parallel()
	v := &voice{
		escape:  strings.NewReplacer("<", "{lt}", "{", "{open}").Replace,
		command: func(args ...string) string { return strings.ReplaceAll(strings.Join(args, " "), "<", "{lt}") },
	}
	for _, code := range codes(t) {
		if s := v.say(full(t, code, "<b>")); escapedWrong(s) || strings.Contains(s, "anthill ") {
			t.Errorf("%s: %q", code, s)
		}
	}
	for _, k := range state.Kinds() {
		for _, s := range v.object(hostileObject(k, "<b>"), nil, false) {
			if escapedWrong(s) {
				t.Errorf("%s: %q", k.Kind, s)
			}
		}
	}
}

func escapedWrong(s string) bool { return strings.Contains(s, "<") || strings.Contains(s, "{open}") }

// hostileObject is an update of an object all of whose values are a text.
func hostileObject(k state.KindSpec, text string) plan.ObjectChange {
	c := plan.ObjectChange{
		Address: state.Address(string(k.Kind) + "." + text), From: state.Address(text), Kind: k.Kind, Action: state.ActionAdopt,
		Was: state.Attributes{}, Will: state.Attributes{},
		After: &state.Object{Kind: k.Kind, Attributes: state.Attributes{
			state.AttrName: state.TextValue(text), state.AttrSlug: state.TextValue(text),
		}},
	}
	grant := state.Grant{Claim: text, Join: text, Values: []string{text}}
	long := strings.Repeat(text, min(90, 1+9000/len(text))) // a text that is long itself would make megabytes
	for _, a := range k.Attributes {
		c.Will[a.Name] = map[state.Form]state.Value{
			state.FormText:    state.TextValue(text),
			state.FormJSON:    state.TextValue("[" + long),
			state.FormList:    state.ListValue([]string{text}),
			state.FormGrants:  state.GrantsValue([]state.Grant{grant}),
			state.FormMapping: state.MappingValue(state.RoleAdmin, text),
			state.FormMembers: state.MembersValue([]uuid.UUID{{1}}),
		}[a.Form]
		c.Was[a.Name] = map[state.Form]state.Value{
			state.FormText:   state.TextValue(text + "was"),
			state.FormList:   state.ListValue([]string{text + "was"}),
			state.FormGrants: state.GrantsValue([]state.Grant{{Claim: text, Values: []string{text + "was"}}}),
		}[a.Form]
	}
	return c
}

// TestHostileTextIsEscaped: every text of a plan file may be an attacker's.
func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	hostile := "a\x1b[31mred\u202egnp\r\n\x00" + string([]byte{0xff})
	m := pilot()
	for _, k := range state.Kinds() {
		m.Effects.Objects = append(m.Effects.Objects, hostileObject(k, hostile))
	}
	for _, c := range codes(t) {
		m.Context.Notes = append(m.Context.Notes, full(t, c, hostile))
	}
	m.Context.Notes = m.Context.Notes[len(m.Context.Notes)-listedRemarks:]
	infect(reflect.ValueOf(&m.Effects.Target).Elem(), hostile)
	infect(reflect.ValueOf(&m.Effects.Tenants).Elem(), hostile)
	infect(reflect.ValueOf(&m.Effects.Groups).Elem(), hostile)
	infect(reflect.ValueOf(&m.Basis).Elem(), hostile)
	infect(reflect.ValueOf(&m.Context).Elem(), hostile)
	m.Effects.Raise(plan.EndsSessions, 1, state.About(state.CodeClientGoes, state.OfClient(hostile)))
	f := m.save(t)
	var b bytes.Buffer
	if err := Plan(&b, f, Options{PlanFile: hostile, Chdir: hostile}); err != nil {
		t.Fatal(err)
	}
	diags := hcl.Diagnostics{{Severity: hcl.DiagError, Summary: hostile, Detail: hostile}}
	if err := Diagnostics(&b, diags, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b", "\u202e", "\r", "\xff", "\x00"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q comes through", bad)
		}
	}
	if !strings.Contains(b.String(), `\u001b[31mred\u202egnp`) {
		t.Errorf("it is not shown either:\n%s", b.String())
	}
	for in, want := range map[string]string{
		"plain Ünï 🐜": "plain Ünï 🐜", "tab\t": `tab\u0009`, "": "", "\uFFFD": "\uFFFD",
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

// infect sets all texts, but for codes and states.
func infect(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type().PkgPath() == "" {
			v.SetString(text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && v.Type() != reflect.TypeFor[time.Time]() {
				infect(f, text)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			infect(v.Index(i), text)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	about, wave, text := state.About, state.OfWave("a wave"), state.Text
	why := func(f state.Finding) state.Arg { return state.Because(state.KeyWhy, f) }
	v := text100()
	v.groups = map[uuid.UUID]string{acmeUsers: "tenant_acme_users"}
	acmeGets := func(scopes ...string) state.Value {
		return state.GrantsValue([]state.Grant{{Group: acmeUsers, Values: scopes}})
	}
	for _, c := range []struct {
		want string
		of   state.Finding
	}{
		{"waits for wave.a wave: 410 to move, 14d of soak", about(state.CodeWaitsFor, wave, state.Because(state.KeyWhy,
			state.Found(state.CodeToMove).Times(410),
			state.Found(state.CodeSoakNeeded, state.Span(state.KeySpan, 14*24*time.Hour))))},
		{`gate "support" (anthill wave confirm 'a wave' support)`,
			about(state.CodeGateClosed, wave, state.Text(state.KeyGate, "support"))},
		{"acme paused: rolled back by run r (anthill wave resume -tenant acme pilot)",
			about(state.CodeTenantPaused, state.OfTenant("acme"), text(state.KeyWave, "pilot"), text(state.KeyRun, "r"))},
		{"acme paused: by ana@host on 2026-12-07 09:00 UTC: phones (anthill wave resume -tenant acme pilot)",
			about(state.CodeTenantPaused, state.OfTenant("acme"), text(state.KeyWave, "pilot"), text(state.KeyBy, "ana@host"),
				state.At(state.KeyAt, asOf), text(state.KeyReason, "phones"))},
		{"by ana@host on 2026-12-07 09:00 UTC (anthill wave resume 'a wave')",
			about(state.CodeWavePaused, wave, text(state.KeyBy, "ana@host"), state.At(state.KeyAt, asOf))},
		{"wave a wave is paused for acme since this run began, by ana@host on 2026-12-07 09:00 UTC: it gives nobody more there",
			about(state.CodePauseMet, wave, text(state.KeyBy, "ana@host"), state.At(state.KeyAt, asOf), text(state.KeyTenant, "acme"))},
		{"wave a wave, which is no longer declared, is still paused: rolled back by run r. Who moved under it gains nothing " +
			"until:  anthill wave resume 'a wave'", about(state.CodePauseUndeclared, wave, text(state.KeyRun, "r"))},
		{"wave a wave, which is no longer declared, is still paused for acme: rolled back by run r. Who moved under it gains " +
			"nothing until:  anthill wave resume -tenant acme 'a wave'",
			about(state.CodePauseUndeclared, wave, text(state.KeyRun, "r"), text(state.KeyTenant, "acme"))},
		{"tenant acme: 1 user comes in by group g and so with less than the role of another group of theirs, which is younger: " +
			"tokens list groups in the order of their creation, and the application takes the first that is mapped. Delete g " +
			"in Self-auth: the next plan makes it anew, and everybody joins it",
			state.About(state.CodeLesser, state.OfTenant("acme"), text(state.KeyGroup, "g")).Times(1)},
		{"a.b does without what protects a login: no PKCE, so that a code which is caught can be used, tokens signed with " +
			"RS256, redirect URLs need not match exactly, logins may lead to a.example, where they did not before",
			state.About(state.CodeWeakened, state.Of("a.b"), state.List(state.KeyAttributes, "pkce", "legacy_crypto", "strict_redirects", "a.example"))},
		{"7d of soak, until 2026-12-07 09:00 UTC",
			state.Found(state.CodeSoaks, state.Span(state.KeySpan, 7*24*time.Hour), state.At(state.KeyUntil, asOf))},
		{"its window opens 2026-12-07 09:00 UTC (Mon 10:00 in Europe/Berlin) (audit)", about(state.CodeWindowShut, wave, state.At(state.KeyAt, asOf),
			text(state.KeyZone, "Europe/Berlin"), text(state.KeyReason, "audit"))},
		{"its window opens 2026-12-07 09:00 UTC", about(state.CodeWindowShut, wave, state.At(state.KeyAt, asOf), text(state.KeyZone, "UTC"))},
		{"its window is open", about(state.CodeWindowOpen, wave)},
		{"its window does not open any more (for good)", about(state.CodeWindowNever, wave, text(state.KeyReason, "for good"))},
		{"2 users of wave a wave were not moved: its window is open until 2026-12-07 09:00 UTC", about(state.CodeWaveWindow, wave,
			why(about(state.CodeWindowOpen, wave, state.At(state.KeyAt, asOf), text(state.KeyZone, "UTC")))).Times(2)},
		{`widened by 1 user, who waits until it is open again: gate "g" (anthill wave confirm 'a wave' g)`, about(state.CodeWidenedWaits, wave,
			why(about(state.CodeGateClosed, wave, text(state.KeyGate, "g")))).Times(1)},
		{`3 users are late, which is more than 10 % of it, and wait until it is open again: gate "g" (anthill wave confirm 'a wave' g)`,
			about(state.CodeLateWait, wave, state.Number(state.KeyLimit, 10), why(about(state.CodeGateClosed, wave, text(state.KeyGate, "g")))).Times(3)},
		{"1 moved user's person is gone from Self-auth: left as it is", state.Found(state.CodeDriftPerson).Times(1)},
		{"2 moved users' persons are gone from Self-auth: left as they are", state.Found(state.CodeDriftPerson).Times(2)},
		{"max_users_changed_percent: 4,180 of 12,204 users = 34.3 %, limit 30 %. Narrow the wave, or allow it for this plan",
			state.Found(state.CodeOverLimit, state.Real(state.KeyLimit, 30),
				state.Number(state.KeyPopulation, 12204)).Times(4180)},
		{"max_removed_percent: 812 of 12,204 users = 6.7 %, limit 5 %, 12 members of groups managed in full included. These " +
			"users lose a link, a membership or their person. Find out why before you allow it",
			state.Found(state.CodeOverRemoved, state.Real(state.KeyLimit, 5), state.Number(state.KeyPopulation, 12204),
				state.Number(state.KeyStrangers, 12)).Times(812)},
		{"31 of 400 moved users of tenant acme (7.8 %) have no row any more, and their persons would expire. Make sure that " +
			"the rows are really gone, and not only missing from this database",
			about(state.CodeRowsGone, state.OfTenant("acme"), state.Number(state.KeyPopulation, 400)).Times(31)},
		{"tenant acme loses 1 administrator and keeps none who can log in through Self-auth (keep_admins = 1)",
			about(state.CodeLastAdmin, state.OfTenant("acme"), state.Number(state.KeyLimit, 1)).Times(1)},
		{"oauth2_client.app: redirect urls were changed (+ https://evil.example, - https://app.example): set back",
			about(state.CodeSetBack, state.Of("oauth2_client.app"), state.Text(state.KeyAttribute, "redirect_urls"),
				state.Holds(state.KeyWrote, state.ListValue([]string{"https://app.example"})),
				state.Holds(state.KeyLive, state.ListValue([]string{"https://evil.example"})))},
		{"oauth2_client.app: scope maps were changed ((email openid) -> (openid) for tenant_acme_users): set back",
			about(state.CodeSetBack, state.Of("oauth2_client.app"), state.Text(state.KeyAttribute, "scope_maps"),
				state.Holds(state.KeyWrote, acmeGets("email", "openid")), state.Holds(state.KeyLive, acmeGets("openid")))},
		{"group.g: mapping row was taken away: set back",
			about(state.CodeSetBack, state.Of("group.g"), state.Text(state.KeyAttribute, "mapping"),
				state.Holds(state.KeyWrote, state.MappingValue(state.RoleAdmin, "g")), state.Holds(state.KeyLive, state.Value{}))},
		{"group.g: what was done of it could not be put back: no (request 7)",
			about(state.CodeObjectLeft, state.Of("group.g"), why(state.Found(state.CodeNotPutBack,
				why(state.Found(state.CodeRefusal, text(state.KeySaid, "no"), text(state.KeyRequest, "7"))))))},
		{"Self-auth keeps its landing url as https://a.example/ and not as https://a.example: declare what it keeps",
			state.Found(state.CodeKeptOtherwise, text(state.KeyAttribute, "landing_url"),
				state.Holds(state.KeyWrote, state.TextValue("https://a.example")),
				state.Holds(state.KeyLive, state.TextValue("https://a.example/")))},
		{"new columns s.a, s.b; s.c and s.d become nullable", state.Found(state.CodeColumnsAdded,
			state.List(state.KeyColumns, "s.a", "s.b"), state.List(state.KeyNullable, "s.c", "s.d"))},
	} {
		if got := unbound(v.say(c.of)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.of.Code, got, c.want)
		}
	}
}
