package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

var kim, kims, groupOfKim = uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}

// explained is kim of acme, who was moved under the pilot, has a password, and has enrolled.
func explained() *plan.Explained {
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	row := providers.UserRow{User: providers.User{ID: kim, Email: "kim@x.example", FullName: "Kim K", Role: "user", Status: "active", Verified: true,
		HasPassword: true, CanPassword: true, Link: kims, Method: state.MethodDual, Synced: at}}
	rec := state.User{User: kim, Person: kims, Synced: at, Run: "2026-12-07-1", UserState: state.UserState{Standing: state.Moved, Wave: "pilot",
		Policy: "dual", Generation: 1, MadePerson: true, WroteLink: true}}
	return &plan.Explained{
		User: kim, AsOf: at.Add(time.Hour), Row: &row, Tenant: providers.Tenant{ID: uuid.UUID{9}, Slug: "acme", Status: "active"},
		Recorded: &rec, Person: kims, Roles: map[uuid.UUID]state.Role{groupOfKim: state.RoleMember},
		Sight: &providers.Sight{Person: &providers.Person{ID: kims, Name: "acme.kim"}, Mails: true, InGroups: true, Enrols: true, Enrolled: true,
			Groups: []providers.Joined{{ID: groupOfKim, Name: "tenant_acme_users"}}},
		Asked: &plan.Asked{Selected: []string{"pilot"}, Views: map[string]plan.WaveView{"pilot": {Name: "pilot", State: plan.WaveRunning}}},
		Touched: []plan.Touched{{Run: state.RunInfo{ID: "2026-12-07-1", Kind: state.RunApply, Started: at}, Join: []string{"tenant_acme_users"},
			Record: state.Record{Run: "2026-12-07-1", Settled: true, Verdict: state.Done, Intent: state.Intent{User: kim, Person: kims, Wave: "pilot",
				Effect: state.Effect{Act: state.PersonCreate, Link: true, Method: state.MethodDual}}}}},
	}
}

// unmoved takes back that kim was moved.
func unmoved(e *plan.Explained) {
	e.Row.Link, e.Row.Method, e.Recorded, e.Person, e.Sight, e.Touched = uuid.Nil, state.MethodPassword, nil, uuid.Nil, nil, nil
}

// TestExplained: in each place in which a user can stand, the ways to log in, the next step, and what the user is told.
func TestExplained(t *testing.T) {
	t.Parallel()
	const asBefore = "Log in with your e-mail address and your password, as before."
	for name, c := range map[string]struct {
		is                 func(*plan.Explained)
		password, selfAuth plan.Way
		next               plan.Next
		tell               string
	}{
		"enrolled":  {func(*plan.Explained) {}, plan.WayOpen, plan.WayOpen, plan.NextLogin, "Choose 'Login with Self-auth' on the login page. Your login name there is acme.kim"},
		"completed": {func(e *plan.Explained) { e.Asked.Completed = true }, plan.WayOpen, plan.WayOpen, plan.NextNothing, "Your password works as before, too."},
		"completed, as far as the row tells": {func(e *plan.Explained) { e.Asked, e.Row.Synced = nil, e.AsOf }, plan.WayOpen, plan.WayOpen, plan.NextNothing,
			"Your password works"},
		"raised": {func(e *plan.Explained) { e.Row.Method = state.MethodSelfAuth }, plan.WayRetired, plan.WayOpen, plan.NextLogin, "is no longer taken"},
		"not enrolled": {func(e *plan.Explained) { e.Sight.Enrolled = false }, plan.WayOpen, plan.WayNotEnrolled, plan.NextEnrol,
			asBefore + " You can also set up Self-auth now"},
		"no password, not enrolled": {func(e *plan.Explained) { e.Sight.Enrolled, e.Row.CanPassword = false, false }, plan.WayNoPassword, plan.WayNotEnrolled,
			plan.NextEnrol, "Before you can log in, Self-auth must be set up."},
		"expired": {func(e *plan.Explained) { e.Sight.Person.Expired = true }, plan.WayOpen, plan.WayExpired, plan.NextMend, asBefore + " Logging in through Self-auth does not work"},
		"early": {func(e *plan.Explained) { e.Sight.Person.Early, e.Row.CanPassword = true, false }, plan.WayNoPassword, plan.WayEarly, plan.NextMend,
			"You cannot log in at the moment, and the fault is not yours."},
		"in no group":    {func(e *plan.Explained) { e.Sight.Groups = nil }, plan.WayOpen, plan.WayNoGroup, plan.NextMend, asBefore},
		"person gone":    {func(e *plan.Explained) { e.Sight.Person = nil }, plan.WayOpen, plan.WayNoPerson, plan.NextMend, asBefore},
		"groups unseen":  {func(e *plan.Explained) { e.Sight.InGroups = false }, plan.WayOpen, plan.WayUnknown, plan.NextLook, asBefore + "\""},
		"not seen":       {func(e *plan.Explained) { e.Sight = nil }, plan.WayOpen, plan.WayUnknown, plan.NextLook, asBefore + "\""},
		"nothing to see": {func(e *plan.Explained) { e.Sight, e.Row.CanPassword = nil, false }, plan.WayNoPassword, plan.WayUnknown, plan.NextLook, "we look into it"},
		"row gone":       {func(e *plan.Explained) { e.Row = nil }, plan.WayNoRow, plan.WayNoRow, plan.NextGone, "There is no account of yours"},
		"row deleted":    {func(e *plan.Explained) { e.Row.Deleted = true }, plan.WayNoRow, plan.WayNoRow, plan.NextGone, "There is no account of yours"},
		"suspended":      {func(e *plan.Explained) { e.Row.Status = "suspended" }, plan.WayInactive, plan.WayInactive, plan.NextInactive, "Your account is not active"},
		"tenant away":    {func(e *plan.Explained) { e.Tenant.Status = "cancelled" }, plan.WayTenant, plan.WayTenant, plan.NextInactive, "Your account is not active"},
		"due": {func(e *plan.Explained) {
			unmoved(e)
			e.Asked.Changes = []plan.AskedChange{{Kind: plan.SegmentMove, Wave: "pilot"}}
		}, plan.WayOpen, plan.WayNotLinked, plan.NextApply, asBefore + " Nothing has changed for you"},
		"held": {func(e *plan.Explained) {
			unmoved(e)
			e.Asked.Changes = []plan.AskedChange{{Kind: plan.SegmentMove, Wave: "pilot", Waits: true}}
		}, plan.WayOpen, plan.WayNotLinked, plan.NextWait, asBefore},
		"paused":         {func(e *plan.Explained) { unmoved(e); skip(e, plan.SkipPaused) }, plan.WayOpen, plan.WayNotLinked, plan.NextWait, asBefore},
		"shared address": {func(e *plan.Explained) { unmoved(e); skip(e, plan.SkipShared) }, plan.WayOpen, plan.WayNotLinked, plan.NextSkipped, asBefore},
		"not known":      {func(e *plan.Explained) { unmoved(e); skip(e, plan.SkipLinkUnknown); e.Asked.Blind = true }, plan.WayOpen, plan.WayNotLinked, plan.NextLook, asBefore},
		"open run":       {func(e *plan.Explained) { unmoved(e); skip(e, plan.SkipOpenRun); e.OpenRun = "2026-12-07-2" }, plan.WayOpen, plan.WayNotLinked, plan.NextOpenRun, asBefore},
		"in no wave":     {func(e *plan.Explained) { unmoved(e); e.Asked.Selected = nil }, plan.WayOpen, plan.WayNotLinked, plan.NextNobody, asBefore},
		"no plan":        {func(e *plan.Explained) { unmoved(e); e.Asked = nil }, plan.WayOpen, plan.WayNotLinked, plan.NextLook, asBefore},
		"taken back": {func(e *plan.Explained) {
			rec := *e.Recorded
			unmoved(e)
			rec.Standing = state.RolledBack
			e.Recorded = &rec
			skip(e, plan.SkipPaused)
		}, plan.WayOpen, plan.WayNotLinked, plan.NextWait, "is switched off again"},
	} {
		e := explained()
		c.is(e)
		tell := strings.Join(tellUser(e), "\n")
		if e.ByPassword() != c.password || e.BySelfAuth() != c.selfAuth || e.Next() != c.next || !strings.Contains(tell, c.tell) {
			t.Errorf("%s: %s, %s, %s\n%s", name, e.ByPassword(), e.BySelfAuth(), e.Next(), tell)
		}
		// Whoever hears it knows nothing of how it works.
		for _, word := range []string{"wave", "row", "tenant", "linked", "apply", "person "} {
			if strings.Contains(tell, word) {
				t.Errorf("%s: the user is told of a %s: %s", name, word, tell)
			}
		}
		var out bytes.Buffer
		must(t, Explained(&out, e, Shown{}, Options{}))
		if strings.Contains(out.String(), "kim@") || strings.Contains(out.String(), "Kim K") {
			t.Errorf("%s: name or address:\n%s", name, &out)
		}
		if !strings.HasSuffix(out.String(), "\"\n") {
			t.Errorf("%s: what to tell does not stand last:\n%s", name, &out)
		}
		must(t, ExplainedJSON(&out, e))
	}
}

func skip(e *plan.Explained, why plan.SkipReason) {
	e.Asked.Skipped = []plan.SkippedUser{{User: kim, Wave: "pilot", Reason: why}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestExplainedIsSafe: what comes from outside does nothing to a terminal, nor to the shell that a command is pasted into.
func TestExplainedIsSafe(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[31m\u202e'; rm -rf ~ $(id)"
	e := explained()
	e.Row.Email, e.Row.FullName, e.Row.Role, e.Tenant.Slug, e.Sight.Person.Name, e.Sight.Enrolled = hostile, hostile, hostile, hostile, hostile, false
	e.Sight.Groups = append(e.Sight.Groups, providers.Joined{ID: uuid.UUID{7}, Name: hostile})
	e.Touched[0].Join, e.Asked.Selected = []string{hostile}, []string{hostile}
	e.Unseen = []plan.Unseen{{What: plan.AspectPlan, Why: errors.New(hostile + "\nsecond line")}}
	var out bytes.Buffer
	must(t, Explained(&out, e, Shown{Mail: true, Name: true}, Options{}))
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "second line") ||
		!strings.Contains(text, `create-reset-token "$(printf '\033`) {
		t.Errorf("%q", text)
	}
	out.Reset()
	must(t, ExplainedJSON(&out, e))
	if strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Errorf("%q", out.String())
	}
}

// TestExplainSchema: docs/explain.schema.json is what the types say, and what is written is valid by it. -update writes it anew.
func TestExplainSchema(t *testing.T) {
	t.Parallel()
	const file = "../../docs/explain.schema.json"
	s := &schemaMaker{defs: map[string]any{}, sources: sources(t)}
	root := s.of(reflect.TypeFor[explainedJSON]()).(map[string]any)
	doc := s.defs[strings.TrimPrefix(root["$ref"].(string), "#/$defs/")].(map[string]any)
	delete(s.defs, "report.explainedJSON")
	doc["$schema"], doc["title"], doc["$defs"] = "https://json-schema.org/draft/2020-12/schema", "One user of Anthill, explained, format version "+FormatVersion, s.defs
	text, err := json.MarshalIndent(doc, "", "  ")
	must(t, err)
	text = append(text, '\n')
	if *update {
		must(t, os.WriteFile(file, text, 0o644))
	}
	published, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(published), string(text)); diff != "" {
		t.Fatalf("docs/explain.schema.json is not what the types say (-published +types); -update writes it:\n%s", diff)
	}
	valid := compiled(t, published)
	skipped := explained()
	unmoved(skipped)
	skip(skipped, plan.SkipShared)
	skipped.Unseen = []plan.Unseen{{What: plan.AspectSelfAuth, Why: errors.New("away")}, {What: plan.AspectMails}}
	gone := explained()
	gone.Row, gone.Tenant, gone.Asked, gone.Sight = nil, providers.Tenant{}, nil, nil
	gone.Mails = mailsOfKim()
	for name, e := range map[string]*plan.Explained{"moved": explained(), "skipped": skipped, "gone": gone} {
		var out bytes.Buffer
		must(t, ExplainedJSON(&out, e))
		value, err := jsonschema.UnmarshalJSON(&out)
		if err == nil {
			err = valid.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if value, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"format_version": "1"}`)); err != nil || valid.Validate(value) == nil {
		t.Error("nothing at all is valid")
	}
}

// mailsOfKim are one of each sort.
func mailsOfKim() []state.Mail {
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	return []state.Mail{
		{ID: uuid.UUID{7}, User: kim, Wave: "pilot", Letter: state.LetterInvitation, Round: 1, Link: state.LinkCode, Run: "2026-12-07-1",
			Status: state.MailTaken, Past: true, Chosen: at, Ended: at.Add(time.Minute), MailReply: state.MailReply{Code: 250}},
		{ID: uuid.UUID{8}, User: kim, Wave: "pilot", Letter: state.LetterReminder, Round: 1, Link: state.LinkLogin, Status: state.MailRefused,
			Chosen: at.Add(time.Hour), Ended: at.Add(time.Hour), MailReply: state.MailReply{Code: 550, Enhanced: "5.1.1"}},
		{ID: uuid.UUID{9}, User: kim, Wave: "pilot", Letter: state.LetterInvitation, Round: 2, Link: state.LinkNone, Status: state.MailWithdrawn, Chosen: at.Add(2 * time.Hour),
			Why: state.CodeMailPaused},
		{ID: uuid.UUID{10}, User: kim, Wave: "pilot", Letter: state.LetterPrinted, Round: 1, Link: state.LinkCode, Status: state.MailTaken,
			Chosen: at.Add(3 * time.Hour), Ended: at.Add(3 * time.Hour), By: "ana@\x1b[31mdesk", Reason: "knows bo@x.example"},
	}
}

// TestExplainedMails: what the user was sent, when, and what became of it; who may be invited is sent another by one command.
func TestExplainedMails(t *testing.T) {
	t.Parallel()
	e := explained()
	e.Sight.Enrolled, e.Invites, e.Mails = false, true, mailsOfKim()
	var out bytes.Buffer
	must(t, Explained(&out, e, Shown{}, Options{Width: 200}))
	for _, want := range []string{
		"2026-12-07 09:01 UTC  an invitation with a one-time code: taken by the server; its user was taken back since",
		"2026-12-07 10:00 UTC  a reminder to the login: refused for good, or came back (the server answers 550 5.1.1)",
		"2026-12-07 11:00 UTC  an invitation: not sent after all (", "a one-time code was shown to ana@",
		"anthill invite -user " + kim.String(),
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, not := range []string{"kanidm", "@x.example", "\x1b"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q in\n%s", not, out.String())
		}
	}
}
