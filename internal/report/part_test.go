package report

import (
	"fmt"
	"strings"
	"testing"

	"anthill/planner/plan"
	"anthill/state"
)

// partly is a plan of a part, into which so many objects were pulled.
func partly(pulled int) *made {
	m := pilot()
	m.Effects.Waves[0].Starts, m.Effects.Waves[0].Moved = false, false
	m.Context.Waves[1].Left = 52
	m.Context.Part = &plan.Part{
		Targets: []plan.Target{{Kind: plan.TargetTenant, Name: "acme"}, {Kind: plan.TargetWave, Name: "pilot"}},
		Exclude: []plan.Target{{Kind: plan.TargetObject, Name: "oauth2_client.legacy"}},
		Pulled:  []plan.Pulled{{Address: "schema", By: state.OfTenant("acme")}},
		Left:    plan.Left{Users: 52, Objects: 3},
	}
	for i := range pulled {
		m.Context.Part.Pulled = append(m.Context.Part.Pulled, plan.Pulled{
			Address: state.Address(fmt.Sprintf("group.users[%q]", fmt.Sprint("tenant-", i))), By: state.Of("oauth2_client.app")})
	}
	return m
}

// looked is the plan of a drift check.
func looked(findings ...state.Finding) *made {
	m := newMade(state.RunApply)
	m.Context.Outside = findings
	m.Context.Drift = &plan.Drift{}
	for _, f := range findings {
		switch {
		case state.Address(f.Subject.Name).IsSchema():
			m.Context.Drift.Schema++
		case f.Subject.Kind == state.SubjectAddress:
			m.Context.Drift.Objects++
		case f.Subject.Kind == state.SubjectGroup:
			m.Context.Drift.Memberships += f.Count
		default:
			m.Context.Drift.Users += f.Count
		}
	}
	return m
}

// addedTo is the plan of a drift check that found what nobody has recorded: parts of the schema, rows, and how persons are.
func addedTo() *made {
	const check = "check (users.auth_method in ('dual', 'password', 'self-auth'))"
	row := func(tenant, role string) state.Finding {
		return state.About(state.CodeDriftMapping, state.Of(`group.users["acme"]`), state.Text(state.KeyTenant, tenant),
			state.Text(state.KeyRole, role), state.Text(state.KeyName, "tenant_acme_users"))
	}
	return looked(
		state.About(state.CodeDriftPartGone, state.Of("schema.users.columns"), state.Text(state.KeyWrote, "users.migration_invited_at")),
		state.About(state.CodeDriftPart, state.Of("schema.users.method.check"), state.Text(state.KeyWrote, check),
			state.Text(state.KeyLive, check+" not valid")),
		state.About(state.CodeDriftPart, state.Of("schema.users.columns"), state.Text(state.KeyWrote, "users.auth_method character varying(50)"),
			state.Text(state.KeyLive, "users.auth_method text")),
		row("globex", "viewer"), row("acme", ""),
		state.Found(state.CodeDriftEarly).Times(1), state.Found(state.CodeDriftMail).Times(3),
	)
}

// TestPartScreens: a plan of a part says so before anything else, and however much was pulled in it is counted and cut.
func TestPartScreens(t *testing.T) {
	t.Parallel()
	golden(t, "part.txt", shown(t, partly(1), unicode100))
	f := partly(1).save(t)
	goldenList(t, "markdown-part.md", stable(f, marked(t, f, nil, MarkdownOptions{PlanFile: "pilot.plan"})))
	if s := stable(f, stat(t, f)); !strings.HasPrefix(s, "plan <id> of a part: ") {
		t.Errorf("one line: %q", s)
	}
	many := shown(t, partly(1000), unicode100)
	if want := "and 993 more (anthill show -json pilot.plan)"; !strings.Contains(many, want) {
		t.Errorf("%q is not said of many", want)
	}
	for _, most := range []int{LeastMarkdown, 10000, MarkdownBytes} {
		s := marked(t, partly(1000).save(t), nil, MarkdownOptions{MaxBytes: most})
		if len(s) > most || !strings.Contains(s, "Part of the configuration") || !strings.Contains(s, "52 users") {
			t.Errorf("%d bytes of %d, or the part is not said:\n%s", len(s), most, s)
		}
	}
}

// TestDriftScreens: what a drift check found, and that it found nothing.
func TestDriftScreens(t *testing.T) {
	t.Parallel()
	found := looked(
		state.About(state.CodeDriftChanged, state.Of(`group.users["acme"]`), state.Text(state.KeyAttribute, "mapping"),
			state.Holds(state.KeyWrote, state.MappingValue(state.RoleMember, "tenant_acme_users")),
			state.Holds(state.KeyLive, state.Value{})),
		state.About(state.CodeDriftGone, state.Of("oauth2_client.app")),
		state.About(state.CodeDriftBack, state.Of(`group.users["old"]`)),
		state.Found(state.CodeDriftRow).Times(3),
		state.Found(state.CodeDriftEnabled).Times(1),
		state.About(state.CodeDriftLeft, state.OfGroup("tenant_acme_users")).Times(2),
		state.About(state.CodeDriftAdded, state.OfGroup("tenant_acme_admins")).Times(1),
	)
	golden(t, "drift.txt", shown(t, found, unicode100)+"\n"+shown(t, looked(), unicode100)+"\n"+shown(t, addedTo(), unicode100))
	if f := addedTo().save(t); !strings.HasSuffix(stat(t, f), "2 objects, 4 users, 0 memberships, 3 parts of the schema\n") {
		t.Errorf("one line: %q", stat(t, f))
	}
	f := found.save(t)
	if got, want := stable(f, stat(t, f)), "plan <id>: changed outside Anthill: 3 objects, 4 users, 3 memberships\n"; got != want {
		t.Errorf("one line: %q, want %q", got, want)
	}
	if f := looked().save(t); !strings.Contains(stat(t, f), "nothing changed outside Anthill") {
		t.Errorf("one line: %q", stat(t, f))
	}
}
