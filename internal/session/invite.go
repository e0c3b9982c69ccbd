package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones of profiles, whatever the machine has

	"github.com/google/uuid"

	"anthill/config"
	"anthill/internal/apply"
	"anthill/internal/letter"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/providers/mail"
	"anthill/providers/postgres"
	"anthill/state"
)

// Invite says which mails a plan is of.
type Invite struct {
	Wave     string // only to users moved under it; "": any
	User     string // only to this one, by id or address, also once more; "": whoever is due something
	Doubtful bool   // also to those of whom nobody knows whether they have their invitation
}

// Invite plans the mails that are due to users who are moved, and nothing else. As Plan; the plan is of kind invite.
//
// Of one user the account need not see all that a plan needs (Settings.Less): then the plan goes by that one's person alone.
func (s *Session) Invite(ctx context.Context, r Request, i Invite) (_ *Plan, err error) {
	if s.away != nil {
		return nil, s.away
	}
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	of := planner.InviteInput{Wave: i.Wave, Doubtful: i.Doubtful}
	if i.User != "" {
		row, err := s.userNamed(ctx, i.User)
		if err != nil {
			return nil, err
		}
		of.User = row.ID
		if err := s.mayAskAgain(ctx, of.User, r.AsOf); err != nil {
			return nil, err
		}
	}
	tenants, err := in.Database.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	cfg, diags := s.evaluate(tenants, in.State)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	kinds := append(declaredKinds(cfg), recordedKinds(in.State)...)
	if of.User != uuid.Nil {
		err = s.narrow(ctx, &in, s.store.At(snapshot.ID()), of.User, kinds)
	} else {
		err = s.maySee(kinds)
	}
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(mailingsOf(cfg)); err != nil {
		return nil, err
	}
	letters := []state.LetterKind{state.LetterInvitation, state.LetterAnnouncement}
	none := func(l state.LetterKind) bool { return mailingOf(cfg, i.Wave, l) == nil }
	if !slices.ContainsFunc(letters, func(l state.LetterKind) bool { return !none(l) }) && planner.Declares(cfg, i.Wave) {
		return nil, &UserError{"no wave" + named(i.Wave) + " has an invitation or an announcement: there is nothing to be sent"}
	}
	in.Config = cfg
	of.Input = in
	w := planfile.NewWriter("")
	defer func() { err = errors.Join(err, w.Close()) }()
	made, moreDiags, err := planner.Invite(ctx, of, w)
	if err != nil {
		return nil, err
	}
	return s.save(w, made, append(diags, moreDiags...), r.Out)
}

// UserError is that a word names no user, or several.
type UserError struct{ Text string }

func (e *UserError) Error() string { return e.Text }

// userNamed is the row that a word names: by id, or by address.
func (s *Session) userNamed(ctx context.Context, word string) (*providers.UserRow, error) {
	var rows []providers.UserRow
	id, err := uuid.Parse(word)
	if err == nil {
		rows, err = s.postgres.Fetch(ctx, []uuid.UUID{id})
	} else {
		rows, err = s.postgres.ByMail(ctx, word)
	}
	if err != nil {
		return nil, err
	}
	var live []*providers.UserRow
	for i := range rows {
		if !rows[i].Deleted {
			live = append(live, &rows[i])
		}
	}
	switch len(live) {
	case 0:
		return nil, &UserError{"there is no such user: one is named by id or by e-mail address"}
	case 1:
		return live[0], nil
	}
	var ids []string
	for _, r := range live {
		ids = append(ids, r.ID.String())
	}
	return nil, &UserError{fmt.Sprintf("%d users have this address; name the one that is meant by id: %s", len(ids), strings.Join(ids, ", "))}
}

// mayAskAgain refuses to write to a user, or to show a code, more often in a day than helps. Somebody else may ask at the same moment:
// whoever records it counts once more.
func (s *Session) mayAskAgain(ctx context.Context, user uuid.UUID, now time.Time) error {
	n, err := s.store.AskedLately(ctx, user, now)
	if err == nil && n >= state.MostAsked {
		err = askedEnough(user, n)
	}
	return err
}

func askedEnough(user uuid.UUID, mails int) error {
	return &UserError{fmt.Sprintf("user %s had %d mails in the last 24 hours, codes that were shown included, and more would not help: look "+
		"at what became of them, or have somebody talk to the person", user, mails)}
}

// post is how mails go out.
func (s *Session) post() apply.Post {
	return apply.Post{Open: s.openMail, Enrolment: s.selfauth.Enrolment(), MessageID: mail.MessageID, Sender: mail.BounceAddress,
		Waits: s.settings.MailWaits}
}

// openMail connects the mailer that is configured.
func (s *Session) openMail(ctx context.Context) (providers.Mailer, error) {
	env := s.settings.Env
	o := mail.Settings{URL: s.mail.URL, CAFile: s.file(s.mail.CAFile), Directory: s.file(s.mail.Directory), PerMinute: int(s.mail.DomainRate)}
	if o.Directory == "" {
		if o.URL == "" {
			o.URL = env("MAIL_URL")
		}
		if o.CAFile == "" {
			o.CAFile = env("MAIL_CA_FILE")
		}
		o.Password = env("MAIL_PASSWORD")
		if o.URL == "" {
			return nil, fmt.Errorf("%s must be told how mails go out: set MAIL_URL (smtp://user@host:587, the password in MAIL_PASSWORD) or "+
				"write provider \"mail\" { url = ... }. To look at mails instead of sending them:\n\n    provider \"mail\" {\n"+
				"      directory = \"mails\"\n    }", "Anthill")
		}
	}
	return mail.Open(ctx, o)
}

// mayWrite refuses to put one-time codes into files where Self-auth is not on this machine: whoever can read them has the accounts.
func (s *Session) mayWrite(list []plan.Mailing) error {
	if s.mail.Directory == "" || isLoopback(s.selfauth.Origin()) {
		return nil
	}
	for _, m := range list {
		if m.Link == state.LinkCode {
			return fmt.Errorf("wave %q invites by one-time codes (link = \"code\"), and provider \"mail\" writes mails to a directory: whoever "+
				"reads that would have the accounts. That is for a Self-auth server on this machine alone. Send them (url, or MAIL_URL), "+
				"or choose another link", m.Wave)
		}
	}
	return nil
}

func isLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// mailingsOf are the ways in that waves of a configuration invite by.
func mailingsOf(c *config.Config) (list []plan.Mailing) {
	for _, w := range c.Waves {
		if w.Invitation != nil {
			list = append(list, plan.Mailing{Wave: w.Name, Link: w.Invitation.Link})
		}
	}
	return list
}

// Preview is a letter as a user would get it, with a stand-in for the code.
type Preview struct {
	letter.Letter
	From, To string
	Wave     string
	Link     state.MailLink
}

// standIn stands where a letter has its code.
const standIn = "xxxxx-xxxxx-xxxxx-xxxxx"

// Preview makes the letter that a user would get, an invitation or an announcement: who is moved the invitation of its wave, and
// otherwise that of the wave that is named, or of the first that has one. No code is made.
func (s *Session) Preview(ctx context.Context, user, wave string, letter state.LetterKind) (*Preview, error) {
	row, err := s.userNamed(ctx, user)
	if err != nil {
		return nil, err
	}
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return nil, err
	}
	tenants, err := s.tenantRows(ctx)
	if err != nil {
		return nil, err
	}
	cfg, diags := s.evaluate(tenants, st)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	recorded, err := s.store.UsersByID(ctx, []uuid.UUID{row.ID})
	if err != nil {
		return nil, err
	}
	is, known := recorded[row.ID]
	moved := known && is.Standing == state.Moved
	announces := letter == state.LetterAnnouncement
	if wave == "" && moved && !announces {
		wave = is.Wave
	}
	m := mailingOf(cfg, wave, letter)
	if m == nil {
		return nil, &UserError{"no wave" + named(wave) + " has an " + string(letter) + ": there is nothing to be shown"}
	}
	p := &Preview{From: m.From, To: row.Email, Wave: m.Wave, Link: m.Link}
	login := ""
	if moved {
		persons, err := s.selfauth.Accounts().Lookup(ctx, []uuid.UUID{is.Person})
		if err != nil {
			return nil, err
		}
		if len(persons) > 0 {
			login = persons[0].Name
		}
		can, err := s.selfauth.Accounts().CanLogIn(ctx, []uuid.UUID{is.Person})
		if err != nil {
			return nil, err
		}
		if _, enrolled := can[is.Person]; enrolled && (p.Link != state.LinkNone || announces) {
			p.Link = state.LinkLogin
		}
	}
	tenant := ""
	for _, t := range tenants {
		if t.ID == row.Tenant {
			tenant = t.Name
			if login == "" && !announces { // an announcement names nobody who is not there yet
				n := plan.Namer{Name: cfg.Identity.Name, Display: cfg.Identity.Display}
				login, _, _ = n.Person(row.User, t.Slug, false)
			}
		}
	}
	locale, err := s.postgres.Locale(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	d := apply.LetterData(m, *row, login, tenant, p.Link, s.selfauth.Enrolment().Pages(), locale)
	if p.Link == state.LinkCode {
		d.Code, d.CodeEnds = standIn, s.settings.Now().Add(providers.MostLife)
	}
	t, err := apply.Letter(m)
	if err != nil {
		return nil, err
	}
	p.Letter, err = t.Render(d)
	return p, err
}

func named(wave string) string {
	if wave == "" {
		return ""
	}
	return " that is called " + wave
}

// mailingOf is how the wave of a name writes to its users by invitations, or announces itself, or with "" the first one that does so; nil:
// none does. All steps of a wave do alike, also those that are no longer there.
func mailingOf(c *config.Config, wave string, letter state.LetterKind) *plan.Mailing {
	for _, w := range c.Waves {
		var m plan.Mailing
		switch {
		case wave != "" && state.WholeWave(w.Name) != state.WholeWave(wave):
			continue
		case letter == state.LetterAnnouncement && w.Announcement != nil:
			m = planner.Announcing(w)
		case letter == state.LetterInvitation && w.Invitation != nil:
			m = planner.Mailing(w)
		default:
			continue
		}
		return &m
	}
	return nil
}

// tenantRows are the live tenants.
func (s *Session) tenantRows(ctx context.Context) ([]providers.Tenant, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return snapshot.Tenants(ctx)
}

// Tried is what became of a mail that was sent to try the way.
type Tried struct {
	From     string
	To       string
	Handover providers.Handover
	Sender   []mail.SenderFact // what receivers find about the domain of From
}

const senderTime = 5 * time.Second // in which DNS must answer

// TryMail sends a letter of a wave, or of the first that has one, to an address of one's own, with stand-ins for all that is a
// user's, and looks up what receivers will find about the sender. Nothing is recorded.
func (s *Session) TryMail(ctx context.Context, to, wave string, letter state.LetterKind) (*Tried, error) {
	address, err := netmail.ParseAddress(to)
	if err != nil {
		return nil, &UserError{"a mail can be sent to an address like ana@example.com, and not to " + to}
	}
	cfg, err := s.configured(ctx)
	if err != nil {
		return nil, err
	}
	m := mailingOf(cfg, wave, letter)
	if m == nil {
		return nil, &UserError{"no wave" + named(wave) + " has an " + string(letter) + ": there is nothing to be sent"}
	}
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, err
	}
	row := providers.UserRow{User: providers.User{Email: address.Address, FullName: "Ana Example", Role: "user"}}
	d := apply.LetterData(m, row, "ana.example", "Example", m.Link, s.selfauth.Enrolment().Pages(), providers.Locale{})
	if m.Link == state.LinkCode {
		d.Code, d.CodeEnds = standIn, s.settings.Now().Add(providers.MostLife)
	}
	t, err := apply.Letter(m)
	if err != nil {
		return nil, err
	}
	l, err := t.Render(d)
	if err != nil {
		return nil, err
	}
	mailer, err := s.openMail(ctx)
	if err != nil {
		return nil, err
	}
	defer mailer.Close()
	id := uuid.NewString()
	tried := &Tried{From: m.From, To: address.Address}
	tried.Handover, err = mailer.Send(ctx, providers.Mail{
		ID: mail.MessageID(*from, id), Sender: mail.BounceAddress(*from, id), From: *from, To: *address, Subject: "[Test] " + l.Subject,
		Text: l.Text, HTML: l.HTML, Date: s.settings.Now(),
	})
	if err != nil {
		return nil, err
	}
	if s.mail.Directory == "" {
		ctx, cancel := context.WithTimeout(ctx, senderTime)
		defer cancel()
		tried.Sender = mail.CheckSender(ctx, net.DefaultResolver, *from)
	}
	return tried, nil
}

// configured is the configuration over the live tenants.
func (s *Session) configured(ctx context.Context) (*config.Config, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return nil, err
	}
	tenants, err := s.tenantRows(ctx)
	if err != nil {
		return nil, err
	}
	cfg, diags := s.evaluate(tenants, st)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	return cfg, nil
}

// Shown is a one-time code that was made to be shown once, and how it is used.
type Shown struct {
	User  uuid.UUID
	Login string
	Code  providers.Code
	Page  string
}

// Print makes a one-time code for a user, for whoever helps on the telephone, and records who had it, and why. allowed may
// name "enrolled", whose credential the code would replace, and "admin", who administers a tenant.
func (s *Session) Print(ctx context.Context, user, reason string, allowed []string) (_ *Shown, err error) {
	if s.away != nil {
		return nil, s.away
	}
	// Before anything is recorded of it.
	if err := s.mayMakeCodes(); err != nil {
		return nil, err
	}
	rights, err := s.store.ToShow(ctx)
	if err == nil {
		err = s.postgres.Has(ctx, "support", rights)
	}
	if err != nil {
		return nil, err
	}
	row, err := s.userNamed(ctx, user)
	if err != nil {
		return nil, err
	}
	// No run is in its way, nor in that of one: a code more changes nothing of what a run goes by.
	s.selfauth.SetConfirm(nil)
	defer s.selfauth.SetConfirm(noConfirm)
	return s.print(ctx, row, reason, allowed)
}

func (s *Session) print(ctx context.Context, row *providers.UserRow, reason string, allowed []string) (*Shown, error) {
	recorded, err := s.store.UsersByID(ctx, []uuid.UUID{row.ID})
	if err != nil {
		return nil, err
	}
	is, known := recorded[row.ID]
	switch {
	case !known || is.Standing != state.Moved || row.Link != is.Person:
		return nil, &UserError{"user " + row.ID.String() + " is not moved: no code leads in"}
	case row.Status != "active" || row.Deleted || !row.TenantLive || is.Asleep:
		return nil, &UserError{"user " + row.ID.String() + ", or the tenant, is not active: no code leads in"}
	}
	why, err := s.barred(ctx, row, is.Wave)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return nil, &UserError{why}
	}
	if err := s.mayAskAgain(ctx, row.ID, s.settings.Now()); err != nil {
		return nil, err
	}
	seen, err := s.seesOne(ctx, is.Person)
	if err != nil {
		return nil, err
	}
	if p := seen.Person; p == nil || p.Expired || p.Early {
		return nil, &UserError{"the person of user " + row.ID.String() + " is gone from Self-auth, or cannot log in now"}
	}
	if seen.Enrolled && !slices.Contains(allowed, "enrolled") {
		return nil, &UserError{"user " + row.ID.String() + " has a credential in Self-auth already, which a code would replace. If that is " +
			"meant, and you know whom you talk to: -allow enrolled -reason TEXT"}
	}
	if (plan.Administers(row.Role) || strings.Contains(row.Role, "admin")) && !slices.Contains(allowed, "admin") {
		return nil, &UserError{"user " + row.ID.String() + " administers a tenant (role " + row.Role + "). If you know whom you talk to: " +
			"-allow admin -reason TEXT"}
	}
	// Before the code is there: what was made is never without a record.
	err = s.store.Shown(ctx, state.Mail{User: row.ID, Wave: is.Wave, Ended: s.settings.Now().UTC(), By: s.settings.Who, Reason: reason})
	if errors.Is(err, state.ErrAskedEnough) {
		return nil, askedEnough(row.ID, state.MostAsked)
	}
	if err != nil {
		return nil, err
	}
	e := s.selfauth.Enrolment()
	code, err := e.Mint(ctx, is.Person, time.Hour)
	if err != nil {
		return nil, err
	}
	return &Shown{User: row.ID, Login: seen.Person.Name, Code: code, Page: e.Pages().Reset}, nil
}

// Bounced records that mails came back, as a file of them says, and takes the time of invitation from the rows of their users.
func (s *Session) Bounced(ctx context.Context, path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read bounces: %w", err)
	}
	defer f.Close()
	list, err := bounces(f, s.settings.Now().UTC())
	if err != nil || len(list) == 0 {
		return 0, err
	}
	err = s.writing(ctx, postgres.Use{Invites: true}, func() error {
		back, err := s.store.Bounced(ctx, list)
		if err != nil {
			return err
		}
		n = len(back)
		return s.unnote(ctx, back)
	})
	return n, err
}

// unnote takes the time of invitation from the rows of users whose mails came back.
func (s *Session) unnote(ctx context.Context, back []state.Mail) error {
	var users []uuid.UUID
	for _, m := range back {
		users = append(users, m.User)
	}
	recorded, err := s.store.UsersByID(ctx, users)
	if err != nil {
		return err
	}
	var list []state.Invite
	for _, m := range back {
		if m.Letter == state.LetterInvitation {
			list = append(list, state.Invite{User: m.User, Person: recorded[m.User].Person, At: m.Ended})
		}
	}
	_, err = s.postgres.UnnoteInvites(ctx, list)
	return err
}

// SettleDoubtful records that the mails in doubt were sent, and counts them.
func (s *Session) SettleDoubtful(ctx context.Context) (n int64, err error) {
	err = s.writing(ctx, postgres.Use{Invites: true}, func() error {
		if n, err = s.store.SettleDoubtful(ctx, s.settings.Now().UTC()); err != nil {
			return err
		}
		var list []state.Invite
		for i, err := range s.store.Invites(ctx) {
			if err != nil {
				return err
			}
			list = append(list, i)
		}
		_, err := s.postgres.NoteInvites(ctx, list)
		return err
	})
	return n, err
}

// Doubtful are the mails of which nobody knows whether they were sent.
func (s *Session) Doubtful(ctx context.Context) ([]state.Mail, error) {
	return s.store.DoubtfulMails(ctx)
}

// bounces are the mails that a file says will not be delivered. What cannot be read of it is an error.
func bounces(r io.Reader, now time.Time) (list []state.MailOutcome, err error) {
	for b, err := range mail.Bounces(r) {
		if err != nil {
			return nil, fmt.Errorf("read bounces: %w. Nothing was changed", err)
		}
		id, err := uuid.Parse(b.ID)
		if err != nil || !b.Final {
			continue // no mail of ours, or only late
		}
		list = append(list, state.MailOutcome{ID: id, At: now, MailReply: state.MailReply{Enhanced: b.Status}})
	}
	return list, nil
}
