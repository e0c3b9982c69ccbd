package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"anthill/internal/person"
	"anthill/internal/sandbox"
)

// demoClient is the client of examples/quickstart, without its secret.
var demoClient = person.Client{
	ID: "app", Redirect: "https://app.example.com/oauth/callback",
	Scopes: []string{"openid", "profile", "email", "groups", "groups_name"},
}

// mailFolder is where the configuration of examples/quickstart has mails written to, beside it.
const mailFolder = "mails"

// guest is one of those whom the demo takes the whole way.
type guest struct {
	sandbox.Guest
	name       string // for logging in to Self-auth
	credential person.Credential
}

// letIn takes three invited users from their mail to the application.
func (d *demo) letIn(ctx context.Context) ([]guest, error) {
	d.tell("Three of them get in: an admin and a user of acme, and a user of globex. Each reads the mail, sets a password and an\n" +
		"# authenticator with its one-time code, and logs in to the application through Self-auth.")
	app, idm, err := d.sides()
	if err != nil {
		return nil, err
	}
	defer idm.Close()
	client := demoClient
	if client.Secret, err = idm.Secret(ctx, d.variable("SELF_AUTH_ADMIN_TOKEN"), client.ID); err != nil {
		return nil, fmt.Errorf("read the client's secret: %w", err)
	}
	var guests []guest
	fmt.Fprintf(d.stdout, "\n  in the folder %s:\n", filepath.Join(d.folder, mailFolder))
	for _, of := range []struct{ tenant, role string }{{"acme", "admin"}, {"acme", "user"}, {"globex", "user"}} {
		g, err := app.Invited(ctx, of.tenant, of.role)
		if err != nil {
			return nil, err
		}
		in, err := d.enrol(ctx, idm, g)
		if err != nil {
			return nil, fmt.Errorf("enrol the %s of %s: %w", of.role, of.tenant, err)
		}
		guests = append(guests, in)
	}
	fmt.Fprintln(d.stdout)
	table := newTable(d, "login name", "tenant", "role", "found by")
	for _, g := range guests {
		p, err := comeIn(ctx, app, idm, client, g)
		if err != nil {
			return nil, fmt.Errorf("log in as %s: %w", g.name, err)
		}
		table.row(g.name, p.Tenant, p.Role, "group "+p.Group)
	}
	return guests, table.end()
}

// enrol reads a guest's mail and does what it says.
func (d *demo) enrol(ctx context.Context, idm *person.Server, g sandbox.Guest) (guest, error) {
	mails, err := person.Mails(filepath.Join(d.folder, mailFolder))
	if err != nil {
		return guest{}, err
	}
	i := slices.IndexFunc(mails, func(m person.Mail) bool { return m.To == g.Email })
	if i < 0 {
		return guest{}, errors.New("there is no mail")
	}
	m := mails[i]
	code, name, ok := m.Invitation()
	if !ok {
		return guest{}, fmt.Errorf("the mail %s has no code and login name", m.File)
	}
	credential, err := idm.Enrol(ctx, code)
	if err != nil {
		return guest{}, err
	}
	if _, err := idm.Enrol(ctx, code); !denied(err) {
		return guest{}, errors.New("the code can be used again")
	}
	fmt.Fprintf(d.stdout, "  %s\n    to %s: %q\n    login name %s, code %s-... (used, and good no more)\n",
		m.File, g.Email, m.Subject, name, code[:min(5, len(code))])
	return guest{g, name, credential}, nil
}

// comeIn is one login through Self-auth, from the login page to what the application says.
func comeIn(ctx context.Context, app *sandbox.Application, idm *person.Server, client person.Client, g guest) (p sandbox.Place, err error) {
	session, err := idm.LogIn(ctx, g.name, g.credential)
	if err != nil {
		return p, err
	}
	wish := person.NewWish()
	code, err := idm.Authorise(ctx, session, client, wish)
	if err != nil {
		return p, err
	}
	claims, err := idm.Redeem(ctx, code, client, wish)
	if err != nil {
		return p, err
	}
	id, err := uuid.Parse(claims.Subject)
	if err != nil {
		return p, fmt.Errorf("read the subject: %w", err)
	}
	return app.ByGroups(ctx, id, claims.Groups)
}

// keepOut tries the same logins again, after the rollback, and the passwords of before.
func (d *demo) keepOut(ctx context.Context, guests []guest) error {
	d.tell("The same three again: Self-auth lets nobody in, and the application takes the passwords of before.")
	app, idm, err := d.sides()
	if err != nil {
		return err
	}
	defer idm.Close()
	fmt.Fprintln(d.stdout)
	table := newTable(d, "login name", "through Self-auth", "by password", "tenant", "role", "method")
	for _, g := range guests {
		_, err := idm.LogIn(ctx, g.name, g.credential)
		var no *person.Denied
		switch {
		case err == nil:
			return fmt.Errorf("%s gets in through Self-auth after the rollback", g.name)
		case !errors.As(err, &no):
			return err
		}
		p, err := app.ByPassword(ctx, g.Email, sandbox.Password)
		if err != nil {
			return fmt.Errorf("log in by password after the rollback: %w", err)
		}
		if p.Tenant != g.Tenant || p.Role != g.Role || p.Method != "password" {
			return fmt.Errorf("%s is let in as %s of %s, method %s", g.Email, p.Role, p.Tenant, p.Method)
		}
		table.row(g.name, "denied: "+no.Reason, "let in", p.Tenant, p.Role, p.Method)
	}
	return table.end()
}

// sides are the application, and Self-auth as people see it.
func (d *demo) sides() (*sandbox.Application, *person.Server, error) {
	app, err := sandbox.NewApplication(d.variable("DATABASE_URL"), d.naming)
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(d.variable("SELF_AUTH_CA_FILE"))
	if err != nil {
		return nil, nil, err
	}
	idm, err := person.At(d.variable("SELF_AUTH_URL"), ca)
	return app, idm, err
}

func denied(err error) bool {
	var no *person.Denied
	return errors.As(err, &no)
}

// table is a table of the narration.
type table struct{ w *tabwriter.Writer }

func newTable(d *demo, head ...string) table {
	t := table{tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintf(t.w, "  %s\n", strings.Join(cells, "\t")) }

func (t table) end() error { return t.w.Flush() }
