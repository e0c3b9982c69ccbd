package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// voice turns facts into words for one form of report. Each form has its own way to make texts from outside safe and
// to write a command; all words that a voice makes are safe for its form.
type voice struct {
	escape  func(string) string         // makes a text from outside safe for the form
	command func(args ...string) string // writes a command of anthill, its arguments not escaped yet
	ticks   string                      // stands around a command within a sentence
	most    int                         // how much of a list stands in a sentence; 0: all
	groups  map[uuid.UUID]string        // names of groups, for values that hold their ids
}

// inline writes a command within a sentence.
func (v *voice) inline(args ...string) string { return v.ticks + v.command(args...) + v.ticks }

// few is a list of n that stands in a sentence; what is left out is counted.
func (v *voice) few(n int, of func(int) string) []string {
	shown := n
	if v.most > 0 && n > v.most+1 {
		shown = v.most
	}
	list := make([]string, shown, shown+1)
	for i := range list {
		list[i] = of(i)
	}
	if shown < n {
		list = append(list, "and "+count(int64(n-shown))+" more")
	}
	return list
}

// fewOf is few of a list that is said already, and fewNames of texts from outside.
func (v *voice) fewOf(list []string) []string {
	return v.few(len(list), func(i int) string { return list[i] })
}

func (v *voice) fewNames(list []string) []string {
	return v.few(len(list), func(i int) string { return v.escape(list[i]) })
}

// names are texts from outside, one after the other.
func (v *voice) names(list []string) string { return strings.Join(v.fewNames(list), ", ") }

// withWave puts the wave in front that something is said of; "": it is of none.
func withWave(wave, said string) string {
	if wave == "" {
		return said
	}
	return "wave " + wave + ": " + said
}

// say says a finding in words, without a full stop. One whose code has no words here is said by its code.
func (v *voice) say(f state.Finding) string {
	n := f.Count
	name := v.escape(f.Subject.Name)
	text := func(k state.Key) string { return v.escape(f.Text(k)) }
	list := func(k state.Key) []string { return v.fewNames(f.Arg(k).List) }
	span := func() string { return days(f.Arg(state.KeySpan).Span) }
	moment := func(k state.Key) string { return stamp(f.Arg(k).Time) }
	why := func(between string) string { return v.sayAll(f.Arg(state.KeyWhy).Findings, between) }
	it := func(one, many string) string { return plural(n, one, many) }

	switch f.Code {
	// Tenant isolation.
	case state.CodeGroupShared:
		return "group " + name + " is mapped to more than one tenant: " + strings.Join(list(state.KeyTenants), ", ")
	case state.CodeGroupHoldsBuiltin:
		return "group " + name + " of tenant " + text(state.KeyTenant) + " has Self-auth's own " + text(state.KeyBuiltin) +
			" as a member: everyone in that group belongs to the tenant as well"
	case state.CodeGroupInsideBuiltin:
		return "group " + name + " of tenant " + text(state.KeyTenant) + " is a member of Self-auth's own " +
			text(state.KeyBuiltin) + ": everyone in it has the rights of that group"
	case state.CodeForeignMembers:
		return users(n) + " of tenant " + name + it(" is a member", " are members") + " of groups of tenant " +
			text(state.KeyOther)
	case state.CodePersonShared:
		return "rows of tenants " + name + " and " + text(state.KeyOther) + " are linked to one person"
	case state.CodeAdoptMapped:
		return "group " + name + " cannot be taken over for tenant " + text(state.KeyTenant) + ": it is mapped to tenant " +
			text(state.KeyOther)
	case state.CodeAdoptMembers:
		return "group " + name + " cannot be taken over for tenant " + text(state.KeyTenant) + ": users of tenant " +
			text(state.KeyOther) + " are members of it"

	case state.CodeGroupHidden:
		return "group " + name + enclosed(" (tenant ", text(state.KeyTenant)) + " is hidden: Self-auth protects it and does " +
			"not show this token who is in it. Nothing is concluded; take the group out of idm_high_privilege, or out of " +
			"Self-auth's own group that it was put into"

	// Objects that are left as they are.
	case state.CodeHiddenStays:
		return name + ": Self-auth does not show this token who is in it"
	case state.CodeObjectPaused:
		return name + ": taken back by run " + text(state.KeyRun) + ", paused until one of its waves is resumed"
	case state.CodeTenantAway:
		return name + ": its tenant is " + text(state.KeyStatus)
	case state.CodeNotInData:
		return name + ": the data of its for_each no longer names it, so it is kept"
	case state.CodePolicyGroupAway:
		return name + ": its group " + text(state.KeyGroup) + " is not there at present"
	case state.CodePolicyGroupStays:
		return name + ": its group is kept, and so is the policy"
	case state.CodeRowDeleted:
		return name + ": the application has deleted its row"

	// Changed outside Anthill.
	case state.CodeSetBack:
		return name + ": " + v.drift(f) + ": set back"
	case state.CodeSlugFollowed:
		return "tenant " + name + " was called " + text(state.KeyWas) + " before: " + text(state.KeyFrom) + " follows as " +
			text(state.KeyTo)
	case state.CodeDriftLink:
		return of(n, "moved user carries", "moved users carry") + " a link other than the one recorded, or none: " +
			asItIs(n)
	case state.CodeDriftPerson:
		return of(n, "moved user's person is", "moved users' persons are") + " gone from Self-auth: " + asItIs(n)
	case state.CodeDriftExpired:
		return of(n, "moved user's person was", "moved users' persons were") + " expired in Self-auth: " + asItIs(n)
	case state.CodeDriftMethod:
		return of(n, "moved user's row was", "moved users' rows were") + " set back to logging in by password: " + asItIs(n)
	case state.CodeDriftRow:
		return of(n, "moved user has", "moved users have") + " no row any more"
	case state.CodeDriftEnabled:
		return of(n, "moved user's person", "moved users' persons") + " that Anthill had expired " + it("was", "were") +
			" enabled in Self-auth"
	case state.CodeDriftLeft:
		return "group " + name + ": " + of(n, "member whom Anthill added was", "members whom Anthill added were") + " taken out"
	case state.CodeDriftAdded:
		return "group " + name + ": " + of(n, "member was", "members were") + " put in by somebody else"
	case state.CodeDriftChanged:
		return name + ": " + v.drift(f)
	case state.CodeDriftGone:
		return name + " is gone"
	case state.CodeDriftBack:
		return name + " was deleted by Anthill and is there again"
	case state.CodeDriftMapping:
		role := "the role " + text(state.KeyRole)
		if f.Text(state.KeyRole) == "" {
			role = "an unknown role"
		}
		return name + ": a mapping row that Anthill did not write gives " + text(state.KeyName) + " " + role + " in tenant " +
			text(state.KeyTenant)
	case state.CodeDriftMail:
		return of(n, "moved user's person has", "moved users' persons have") + " another address in Self-auth than " +
			it("its row", "their rows") + ", where one of both was changed since the last apply: the next one writes " +
			it("that of the row", "those of the rows")
	case state.CodeDriftEarly:
		return of(n, "moved user's person", "moved users' persons") + " cannot log in through Self-auth yet: somebody has " +
			"made " + it("it", "them") + " valid only from a time that lies ahead: " + asItIs(n)
	case state.CodeDriftPartGone:
		return name + ": " + text(state.KeyWrote) + " is gone"
	case state.CodeDriftPart:
		return name + ": " + text(state.KeyWrote) + " is by now " + text(state.KeyLive)
	case state.CodeDriftDual:
		return of(n, "row that logs in through Self-auth alone was", "rows that log in through Self-auth alone were") + " set back to " +
			"dual, so that the password works again: the application does that at each login through Self-auth while a row has a " +
			"hash; " + asItIs(n)
	case state.CodeStrangers:
		return "group " + name + " has " + strangers(n) + ": left as " + it("it is", "they are")

	// Links that somebody has made by hand.
	case state.CodeLinkBadUser:
		return "no id of a user stands there"
	case state.CodeLinkBadPerson:
		return "no id of a person stands there"
	case state.CodeLinkUserTwice:
		return "this user stands in another line too"
	case state.CodeLinkPersonTwice:
		return "this person stands in another line too"
	case state.CodeLinkNoUser:
		return "users has no such row, or it is deleted"
	case state.CodeLinkNoPerson:
		return "Self-auth has no such person (service accounts are none)"
	case state.CodeLinkGroup:
		return "this is a group, and no person"
	case state.CodeLinkOtherPerson:
		return "the row is linked to another person"
	case state.CodeLinkHasPerson:
		return "Anthill has made a person for this user, and a plan goes on with that one"
	case state.CodeLinkOtherRow:
		return "this person belongs to another user: its row is linked to it, or Anthill has made it for that one"
	case state.CodeLinksAlready:
		return of(n, "named link is there already, and its user is moved", "named links are there already, and their users are moved")
	case state.CodeLinksMoved:
		return "by " + of(n, "named link this plan moves its user", "named links this plan moves their users")
	case state.CodeLinksWait:
		return of(n, "named link waits: its wave does", "named links wait: their waves do") + " not move " + it("its user", "these users") +
			" now; name " + it("it", "them") + " again then"
	case state.CodeLinksSkipped:
		return of(n, "user of a named link is", "users of named links are") + " not moved, for a reason among those above"
	case state.CodeLinksNowhere:
		return of(n, "user of a named link is", "users of named links are") + " selected by no wave"
	case state.CodeLinksOtherMail:
		return of(n, "named person has another address than its row, or none", "named persons have other addresses than their rows, or none") + ": " +
			strings.Join(list(state.KeyUsers), ", ")

	// Notes of a plan.
	case state.CodeNameHeld:
		return name + ": the name " + text(state.KeyName) + " belongs to an entry of Self-auth that is not Anthill's " +
			"(adopt = true takes over a group): tenant " + text(state.KeyTenant) +
			" is left alone, except for users who are no longer active"
	case state.CodeOrderWrong:
		return "group " + name + " of tenant " + text(state.KeyTenant) + " is older than one that should come before it: " +
			"tokens list groups in the order of their creation, and the application takes the first that is mapped"
	case state.CodeVersionUntried:
		return "Self-auth " + text(state.KeyVersion) +
			" is not one of the versions that Anthill was made for (1.8 to 1.11): try it on a copy first"
	case state.CodeUnverified:
		return count(n) + " of the users to be moved never confirmed their address, and Self-auth will vouch for it to " +
			`every client (identity.unverified = "skip" leaves them)`
	case state.CodeUnselected:
		return users(n) + " moved under wave " + name + it(" is", " are") +
			" no longer selected by any wave and " + it("stays", "stay") + " moved. To take them back:  " +
			v.command("rollback", "-wave", f.Subject.Name)
	case state.CodeWishIdle:
		return "this plan does not go by what is wished of wave " + name + ": " + v.wish(f) + " (" +
			v.command(withdraw(state.Wish{Wave: f.Subject.Name, Kind: state.WishKind(f.Text(state.KeyKind))})...) + ")"
	case state.CodeWishMet:
		if state.WishKind(f.Text(state.KeyKind)) == state.WishAccept {
			return "wave " + name + " counts as moved however many of its " + users(n) + " fail: " + v.wish(f)
		}
		return "wave " + name + ": " + v.wish(f)
	case state.CodeAsleepHeld:
		return users(n) + " moved under wave " + name + it(" is", " are") + " asleep in Self-auth, though " + it("the row is", "their rows are") +
			" active: nothing is given there while it is paused, or while " + it("the user is", "they are") + " excluded, blocked, or in a group that cannot be seen"
	case state.CodeTargetRows:
		return of(n, "moved user has", "moved users have") + " no row here, of " + count(f.Arg(state.KeyPopulation).Number)
	case state.CodeTargetPersons:
		return of(n, "moved user has", "moved users have") + " no person in this Self-auth, of " + count(f.Arg(state.KeyPopulation).Number)
	case state.CodeTargetObjects:
		return of(n, "object that is recorded is", "objects that are recorded are") + " not here, of " + count(f.Arg(state.KeyPopulation).Number)
	case state.CodeTargetCopied:
		return "what is recorded was copied or moved with the database: database " + text(state.KeyWrote) + " of system " + text(state.KeyWith) +
			" must not be applied to any more, as both would change the same persons"
	case state.CodeTargetDomain:
		return "Self-auth is " + text(state.KeyLive) + " now, and was " + text(state.KeyWrote) + ": a passkey belongs to the domain that it was made " +
			"for, so whoever has no other credential needs a new one (" + v.command("invite", "-user", "USER") + ")"
	case state.CodeTargetOrigin:
		return "Self-auth is reached at " + text(state.KeyLive) + " now, and was at " + text(state.KeyWrote) + ": applications need the new issuer, " +
			"and links in mails that were sent lead to the old address"
	case state.CodeForgotten:
		return of(n, "user of these runs was forgotten since and cannot be taken back: its row is gone",
			"users of these runs were forgotten since and cannot be taken back: their rows are gone") + ", and nothing is kept of " + it("it", "them")
	case state.CodeStaysAwake:
		return it("1 person whom the run woke stays", count(n)+" persons whom the run woke stay") + " enabled: " +
			it("its user stays moved, and the row is", "their users stay moved, and their rows are") + " active"
	case state.CodePauseUndeclared:
		one, where := pause{f.Subject.Name, f.Text(state.KeyTenant)}, ""
		if one.tenant != "" {
			where = " for " + text(state.KeyTenant)
		}
		return "wave " + name + ", which is no longer declared, is still paused" + where + ": " + v.pausedBy(f) +
			". Who moved under it gains nothing until:  " + v.command(one.resume()...)
	// Mails.
	case state.CodeCodesLive:
		return of(n, "user who is", "users who are") + " taken back " + it("was", "were") + " sent a one-time code less than a day ago, and " + it("has", "have") + " no credential yet: until it ends it can still " +
			"set one, which lets nobody in as long as the person is expired"
	case state.CodeEnrolledBefore:
		return of(n, "user to be moved has", "users to be moved have") + " a credential in Self-auth already, and can log in there at once"
	case state.CodeMailsLate:
		return "wave " + name + ": " + of(n, "user who was", "users who were") + " moved before " + it("is", "are") + " invited now"
	case state.CodeMailsUntold:
		return "wave " + name + " starts, and " + of(n, "mail", "mails") + " that should have announced it before " + it("was", "were") +
			" not sent. To send " + it("it", "them") + " first:  " + v.command("invite", "-wave", f.Subject.Name)
	case state.CodeMailsShort:
		return "wave " + name + ": " + of(n, "mail announces", "mails announce") + " it with less than half of the time before its start that the " +
			"configuration gives"
	case state.CodeAnnouncedEarly:
		return "wave " + name + " is announced now to " + of(n, "user", "users") + ", for " + moment(state.KeyAt) + "; it may be later: " + why(", ")
	case state.CodeAnnouncedNever:
		return "wave " + name + " is not announced to " + of(n, "user", "users") + " by a plan, as its start has no date (" + why(", ") +
			"). Give it one (start.at), or announce it when you know:  " + v.command("invite", "-wave", f.Subject.Name)
	case state.CodeMailsAgain:
		return "wave " + name + ": " + of(n, "user who was", "users who were") + " invited when moved before, and taken back since, " +
			it("is", "are") + " invited once more"
	case state.CodeMailsUnverified:
		return "wave " + name + ": " + of(n, "code goes to an address", "codes go to addresses") + " that nobody has ever confirmed: whoever reads " +
			it("that mailbox", "those mailboxes") + " gets " + it("the account", "the accounts")
	case state.CodeMailRefused:
		return withWave(name, of(n, "user is", "users are")+" not written to, as an earlier mail could not be delivered. Once the "+
			"address is right:  "+v.command("invite", "-user", "USER"))
	case state.CodeMailDoubtful:
		return "wave " + name + ": of " + of(n, "user", "users") + " nobody knows whether " + it("the invitation was", "their invitations were") +
			" sent (" + v.command("invite", "-settle-doubtful") + ", or " + v.command("invite", "-resend-doubtful") + ")"
	case state.CodeMailNoLogin:
		return withWave(name, of(n, "user is", "users are")+" not written to, as "+it("it", "they")+" could not log in: excluded, blocked, "+
			"asleep, expired in Self-auth or linked to somebody else")
	case state.CodeMailUnseen:
		return withWave(name, of(n, "user is", "users are")+" not written to, as this token may not see who has a credential in Self-auth")
	case state.CodeMailPaused:
		return withWave(name, of(n, "user is", "users are")+" not written to while the wave is paused there")
	case state.CodeMailNoAddress:
		return withWave(name, of(n, "user has", "users have")+" no address to which a mail could be sent")
	case state.CodeMailNotDue:
		return "has what there is to be sent, or is in, or not active"
	case state.CodeMailNotMoved:
		return "is not moved under a wave that has an invitation"
	case state.CodeMailTakenBack:
		return "the user was taken back"
	case state.CodeMailGone:
		return "the row is gone, not active, or linked to somebody else by now"
	case state.CodeMailPerson:
		return "the person is gone from Self-auth, or cannot log in now"
	case state.CodeMailUnconfirmed:
		return "the address is not confirmed by now, and a code to such a one was not allowed"
	case state.CodeMailUnrendered:
		return "the template writes something that this user does not have"
	case state.CodeMailWindow:
		return "no working day of the wave's window lies in the day for which a code is good; a later apply sends it"
	case state.CodeMailEnough:
		return "the user had " + strconv.Itoa(state.MostAsked) + " mails in 24 hours already, codes that were shown included"
	case state.CodeMailReleased:
		return of(n, "person that Anthill has made gives", "persons that Anthill has made give") + " up an address, as another live user has it now and " +
			it("its own", "their own") + " does not: it is free before it is given, and no mail about one login reaches the other"
	case state.CodeMailAstray:
		return of(n, "address", "addresses") + " that another live user has now " + plural(n, "stays", "stay") + " with " +
			it("the person", "the persons") + " that " + it("has it", "have them") + ": Anthill has not made " + it("that one", "those") +
			", another row is linked to it, or persons do not follow their rows. Change " + it("it", "them") + " in Self-auth, or leave the users as they are"
	case state.CodeMailsKept:
		return of(n, "user does", "users do") + " not get the earlier address back: another user or person has it by now"
	case state.CodeMailStuck:
		return of(n, "moved user has", "moved users have") + " a new address that Self-auth refuses or somebody else has: " +
			it("the person keeps", "their persons keep") + " the old one"
	case state.CodeDiscoverySilent:
		return name + ": Self-auth has no discovery document at its issuer " + text(state.KeyLive) +
			": an application cannot find out how to log in through it"
	case state.CodeIssuerOther:
		return name + ": its issuer is " + text(state.KeyLive) + ", not " + text(state.KeyWrote) + " as the address of " +
			"Self-auth that is configured here would have it: an application that is set up with the other one refuses its tokens"
	case state.CodeAlgorithmOther:
		return name + ": its tokens are signed with " + strings.Join(list(state.KeyLive), ", ") + ", and it is to be " +
			text(state.KeyWrote)
	case state.CodeNoChallenge:
		return name + ": Self-auth does not tell applications that it takes PKCE, though it demands it of this client"
	case state.CodeRedirectRefused:
		return name + ": Self-auth sends no login to " + strings.Join(list(state.KeyURLs), ", ") + ", though the client has " +
			plural(int64(len(f.Arg(state.KeyURLs).List)), "this redirect URL", "these redirect URLs")
	case state.CodeLetInNowhere:
		return "tenant " + name + ": " + of(n, "user to be moved is", "users to be moved are") + " in no group that a client lets in: " +
			it("it gets", "they get") + " a login at Self-auth and cannot come in to an application by it. Add their group to a scope_map"
	case state.CodeInNoWave:
		return of(n, "live user is", "live users are") + " selected by no wave"
	case state.CodeGroupless:
		return of(n, "user joins", "users join") + " no group: the application would not know their tenant when they come " +
			"in through Self-auth"
	case state.CodeCompletesOnLink:
		return name + " writes the time of completion when users are linked, before they have logged in through Self-auth; " +
			"they count as completed only when they have"
	case state.CodeAllowanceUnused:
		return fmt.Sprintf("-allow %s=%d was not needed: the plan has no such hazard of that count",
			text(state.KeyHazard), n)
	case state.CodeAllowExpired:
		return name + " allows nothing any more: it has expired at " + moment(state.KeyUntil)
	case state.CodeAllowOther:
		return name + " allows a count of " + count(f.Arg(state.KeyLimit).Number) + ", and this plan has " + count(n) +
			": another count is another plan"
	case state.CodePolicyWeaker:
		return instances(name, n) + " demands less than before: " + strings.Join(v.fewOf(each(f.Arg(state.KeyAttributes).List, v.label)), ", ")
	case state.CodePolicyNoEffect:
		return instances(name, n) + ": its " + v.label(f.Text(state.KeyAttribute)) + " has no effect: everybody is in " + text(state.KeyGroup) +
			", whose policy is at least as strict, and the strictest holds"
	case state.CodeMappingDead:
		return "tenant " + text(state.KeyTenant) + " has a mapping row (" + text(state.KeyRole) + ") of group " + name +
			", which is gone from Self-auth: nobody comes in by it, and a group that is made under that name gets the role"
	case state.CodeMappingName:
		return "tenant " + text(state.KeyTenant) + " has a mapping row of group " + name + ", which Self-auth calls " +
			text(state.KeyName) + ": the application looks for the name in the row, and finds no tenant for its members"
	case state.CodeMappingRoles:
		return "tenant " + text(state.KeyTenant) + " has mapping rows of group " + name + " with several roles (" +
			strings.Join(list(state.KeyRoles), ", ") + "): which of them the application takes nobody can say"
	case state.CodeRolesUnnamed:
		return of(n, "user to be moved has a role", "users to be moved have roles") + " that no group of the tenant names (" +
			why(", ") + "), and " + it("joins", "join") + " only the groups that are for all"
	case state.CodeRoleUnnamed:
		return text(state.KeyRole) + " " + count(n)
	case state.CodeClientStays:
		return "client " + name + " stays: " + of(n, "user who stays moved logs", "users who stay moved log") +
			" in through it"
	case state.CodeTenantRowStays:
		return "tenant " + name + " has " + users(n) + " by now: its row stays"
	case state.CodeClientTypeBack:
		return "client " + name + " becomes " + text(state.KeyType) + " again: the one that is deleted for it takes its " +
			"secret and its tokens with it, so logins fail until the application has those of the other"
	case state.CodeClientNewSecret:
		return "client " + name + " is made again with a new id and a new secret: the deleted one is not in the recycle " +
			"bin any more, or the account may not see it there"
	case state.CodeMinimumRaised:
		return instances(name, n) + " asks more of a credential than before: Self-auth looks at that when a credential is next changed, so nobody " +
			"is locked out by it, and those who have a weaker one keep it until then"
	case state.CodeDualAgain:
		return of(n, "user who is", "users who are") + " to log in through Self-auth alone still " + it("has a password hash", "have password hashes") +
			": at the next login through Self-auth the application sets such a row back to dual, and the password works again"
	case state.CodeNoWayIn:
		return of(n, "live user", "live users") + " can log in neither now nor after this plan (" + why("; ") + ")"
	case state.CodeToolLater, state.CodeToolStops, state.CodeFilesLater, state.CodeFilesStop, state.CodeFileFails, state.CodeFilesUnread,
		state.CodeTableUnread, state.CodeExtras, state.CodeExtrasMissing:
		return v.ownMigrations(f)
	case state.CodeSchemaStays:
		return "the schema stays at dual (-schema takes it back)"
	case state.CodeConflicts:
		return inConflict(n)
	case state.CodeRowBackOpen:
		return of(n, "user", "users") + " to whom rollback -postgres-only gave the password back " + it("has", "have") + " the other half open: " +
			it("the person is", "the persons are") + " still to expire or to leave groups, which is done by a plan of all, or by a rollback of the " +
			"runs that moved " + it("the user", "them")
	case state.CodeRowBackLinked:
		return of(n, "user", "users") + " to whom rollback -postgres-only gave the password back " + it("has", "have") +
			" logged in through Self-auth since, so " + it("its row is", "their rows are") + " linked again: " +
			v.inline("rollback", "-wave", f.Subject.Name) + " takes " + it("it", "them") + " back, with all others whom that wave has moved"

	// What a hazard is made of.
	case state.CodeOverLimit:
		return v.over("max_users_changed_percent", f) + ". Narrow the wave, or allow it for this plan"
	case state.CodeOverRemoved:
		return v.over("max_removed_percent", f) + ". These users lose a link, a membership or their person. Find out " +
			"why before you allow it"
	case state.CodeBrakeLoosened:
		return "wave " + name + " starts, with " + users(n) + ", because the configuration was edited since the last run. " +
			"By what that had it is held: " + why(", ")
	case state.CodeBrakeWished:
		return "wave " + name + " starts, with " + users(n) + ", because of what was wished. Without that it is held: " + why(", ")
	case state.CodeRowsGone:
		all := f.Arg(state.KeyPopulation).Number
		return fmt.Sprintf("%s of %s moved users of tenant %s (%s) have no row any more, and their persons would expire",
			count(n), count(all), name, percent(n, all)) +
			". Make sure that the rows are really gone, and not only missing from this database"
	case state.CodeLastAdmin:
		left := f.Arg(state.KeyLeft).Number
		return "tenant " + name + " loses " + of(n, "administrator", "administrators") + " and keeps " +
			plural(left, "one", noneOr(left)) + " who can log in through Self-auth" +
			fmt.Sprintf(" (keep_admins = %d)", f.Arg(state.KeyLimit).Number)
	case state.CodeAdopts:
		return of(n, "person who was in Self-auth before is", "persons who were in Self-auth before are") + " taken over for users who are to be moved, by a " +
			`verified address (identity.adopt = "mail") or because a file names them: whoever logs in as such a person becomes that user`
	case state.CodeScopeLost:
		return v.client(f) + ": " + of(n, "moved user loses", "moved users lose") + " a scope that its scope_map gives " +
			"them now. A client refuses them if it asks for a scope that none of them has"
	case state.CodeLesser:
		return "tenant " + name + ": " + of(n, "user comes", "users come") + " in by group " + text(state.KeyGroup) +
			" and so with less than the role of another group of theirs, which is younger: tokens list groups in the order of " +
			"their creation, and the application takes the first that is mapped. Delete " + text(state.KeyGroup) + " in Self-auth: " +
			"the next plan makes it anew, and everybody joins it"
	case state.CodeWeakened:
		return name + " does without what protects a login: " + strings.Join(v.weaknesses(f), ", ")
	case state.CodeMappedAdmin:
		return name + " is mapped as admin from now on: its " + of(n, "member becomes admin", "members become admins") +
			" of the tenant"
	case state.CodeAdminByMapping:
		return "tenant " + name + ": " + of(n, "user becomes admin", "users become admins") + " by a group that they are in " +
			"already and that was mapped to nobody"
	case state.CodeMappedLess:
		return name + " is mapped as " + text(state.KeyRole) + " and no longer as admin: its " + of(n, "member comes", "members come") +
			" in with less"
	case state.CodeNameless:
		return v.client(f) + ": " + of(n, "user comes", "users come") + " in with tokens that name groups with the domain, " +
			"or by their ids, and the mapping rows have the names alone: the application finds no tenant. Add groups_name to " +
			"the scopes of the scope_map, and let the application ask for it (requested_scopes says what it asks for)"
	case state.CodeLoginRefused:
		return v.client(f) + ": " + of(n, "user is", "users are") + " refused when they log in: the application asks for " +
			strings.Join(list(state.KeyScopes), ", ") + " (requested_scopes), and its scope_map gives them no such scope. Self-auth " +
			"refuses the whole login then. Add it to the scope_map of a group that they are in, or let the application ask for less; " +
			"a sup_scope_map lets nobody in"
	case state.CodeHomeLost:
		return of(n, "moved user leaves", "moved users leave") + " the last group that is mapped to their tenant: the " +
			"application would not know where they belong when they come in through Self-auth"
	case state.CodeNoFallback:
		return of(n, "of these users has", "of these users have") + " no password to fall back on, and could not log in at all"
	case state.CodeLockedOut:
		return "tenant " + name + ": " + of(n, "user", "users") + " could no longer log in: " + why(", ")
	case state.CodeScopeGap:
		return name + ": members of groups that go are refused until they are in the new groups and the client has " +
			"those in its scope_map. To avoid that, add the new groups in one plan and take the old ones away in the next"
	case state.CodeGroupRenamed:
		return "group " + name + " becomes " + text(state.KeyName) + ": its " + of(n, "member meets", "members meet") +
			" the old name in tokens already issued, and the application finds groups by name"
	case state.CodeClientRemade:
		return "client " + name + " is made again: its secret and every token of it end, and logins to it fail until the " +
			"application has the new one"
	case state.CodeClientRenamed:
		return "client " + name + " becomes " + text(state.KeyName) + ": its id and its issuer change, so logins fail " +
			"until the application has them, and every token of it ends"
	case state.CodeRedirectsGo:
		return name + ": logins that lead to " + strings.Join(list(state.KeyURLs), ", ") + " are refused"
	case state.CodeClientGoes:
		return "client " + name + " goes: nobody logs in to the application through it any more, and after seven days " +
			"nobody can bring it back"
	case state.CodeForeignScope:
		return "group " + name + " goes, and client " + text(state.KeyClient) + ", which is not Anthill's, lets its " +
			"members in through it"
	case state.CodeTenantSuspended:
		return "tenant " + name + " becomes " + text(state.KeyStatus) + ": its " + users(n) + " can no longer work"
	case state.CodeTenantBack:
		return "tenant " + name + " becomes " + text(state.KeyStatus) + " again: its " + users(n) + " can no longer work"
	case state.CodeClientLetsLess:
		return "client " + name + " no longer lets in " + of(n, "user who stays moved", "users who stay moved")
	case state.CodePersonsDeleted:
		return of(n, "person is", "persons are") + " deleted from Self-auth with the credentials that they have enrolled; " +
			"after seven days nobody can bring them back"

	// What keeps users from logging in, and how many where that is known.
	case state.CodeBarTenant:
		return "tenant suspended or cancelled" + howMany(n)
	case state.CodeBarLink:
		return "no usable password and no person in Self-auth" + howMany(n)
	case state.CodeBarPerson:
		return "no usable password and a person who is gone from Self-auth" + howMany(n)
	case state.CodeBarExpired:
		return "no usable password and an expired person" + howMany(n)
	case state.CodeBarCredential:
		return "no usable password and no credential in Self-auth" + howMany(n)
	case state.CodeBarGroup:
		return "no usable password and no group that is mapped to the tenant" + howMany(n)
	case state.CodeBarScope:
		return "no usable password and no client that lets their groups in" + howMany(n)

	// What else is said of an object's change.
	case state.CodeWasGone:
		return "the group that we had made is gone"
	case state.CodeTenantCalled:
		return "its tenant is called " + name + " now"
	case state.CodeOtherArguments:
		return "other arguments are ours now"
	case state.CodeNotOursNow:
		return "no longer ours"
	case state.CodeMembersLose:
		return of(n, "member", "members")

	// Why a wave is held, soaking or paused.
	case state.CodeLeftOut:
		return "left out of this plan"
	case state.CodeWaitsFor:
		if reasons := why(", "); reasons != "" {
			return "waits for wave." + name + ": " + reasons
		}
		return "waits for wave." + name
	case state.CodeHeldItself:
		return "held itself"
	case state.CodePausedItself:
		return "paused"
	case state.CodeToMove:
		return count(n) + " to move"
	case state.CodeWaiting:
		return count(n) + " held back by a pause, or until they have enrolled"
	case state.CodeTenantsWait:
		return count(n) + " whose tenants have not confirmed"
	case state.CodeSoakNeeded:
		return span() + " of soak"
	case state.CodePasswordPromised:
		return "the password is promised until " + moment(state.KeyUntil)
	case state.CodePasswordOverdue:
		return name + ": password_until has passed (" + moment(state.KeyUntil) + "), and " + users(n) +
			" moved under it may log in by password still"
	case state.CodeStartsAt:
		return "starts at " + moment(state.KeyAt)
	case state.CodeSoaks:
		return span() + " of soak, until " + moment(state.KeyUntil)
	case state.CodeWidened:
		return "widened by " + users(n) + " whom an edit of its selection adds"
	case state.CodeWidenedWaits:
		return "widened by " + users(n) + ", who " + plural(n, "waits", "wait") + " until it is open again: " + why(", ")
	case state.CodeLateWait:
		return users(n) + plural(n, " is", " are") + " late, which is more than " + count(f.Arg(state.KeyLimit).Number) +
			" % of it, and " + plural(n, "waits", "wait") + " until it is open again: " + why(", ")
	case state.CodeAddedWait:
		return count(n) + " whom an edit adds to it"
	case state.CodeWindowOpen:
		if f.Arg(state.KeyAt).Time.IsZero() {
			return "its window is open"
		}
		return "its window is open until " + v.inZone(f)
	case state.CodeWindowShut:
		return "its window opens " + v.inZone(f) + enclosed(" (", text(state.KeyReason))
	case state.CodeWindowNever:
		return "its window does not open any more" + enclosed(" (", text(state.KeyReason))
	case state.CodeWindowWasShut:
		return "its window was shut at " + v.inZone(f)
	case state.CodeGateClosed:
		return `gate "` + text(state.KeyGate) + `" (` +
			v.command("wave", "confirm", f.Subject.Name, f.Text(state.KeyGate)) + ")"
	case state.CodeGateOpen:
		return `gate "` + text(state.KeyGate) + `" is open: ` + v.filled(f)
	case state.CodeGateValue:
		said := text(state.KeySaid)
		if said == "" {
			said = "no value"
		}
		return `gate "` + text(state.KeyGate) + `" was confirmed with ` + said + ", and wants " + text(state.KeyCondition) + " (" +
			v.command("wave", "confirm", "-value", "NUMBER", f.Subject.Name, f.Text(state.KeyGate)) + ")"
	case state.CodeGateShut:
		return `gate "` + text(state.KeyGate) + `": ` + v.filled(f)
	case state.CodeGateNoData:
		return `gate "` + text(state.KeyGate) + `" has no data, and waits for it: ` + v.filled(f)
	case state.CodeGateFailsNoData:
		return `gate "` + text(state.KeyGate) + `" fails, as it has no data: ` + v.filled(f)
	case state.CodeGateLater:
		return `gate "` + text(state.KeyGate) + `" (` + text(state.KeyCondition) + ", once its users are moved)"
	case state.CodeGateUnreadable:
		return `gate "` + text(state.KeyGate) + `", of which another version of Anthill has recorded the condition`
	case state.CodeTenantsUnconfirmed:
		return `gate "` + text(state.KeyGate) + `": ` + v.unconfirmed(f)
	case state.CodeFigure:
		return "wave." + text(state.KeyName) + " " + count(n)
	case state.CodeFigureUnknown:
		return "wave." + text(state.KeyName) + " ?"
	case state.CodeNoTenantConfirmed:
		return "no tenant has confirmed"
	case state.CodeWavePaused:
		return v.pausedBy(f) + " (" + v.command("wave", "resume", f.Subject.Name) + ")"
	case state.CodeTenantPaused:
		return name + " paused: " + v.pausedBy(f) + " (" +
			v.command("wave", "resume", "-tenant", f.Subject.Name, f.Text(state.KeyWave)) + ")"
	case state.CodeSelectsNobody:
		return "its selectors match no live user (allow_empty = true lets it pass)"
	case state.CodeNobodyToRaise:
		return "nobody whom its selectors match was moved under auth_policy " + text(state.KeyFrom) +
			" (allow_empty = true lets it pass)"
	case state.CodeAllSkipped:
		return it("the one user whom its selectors match is skipped",
			"all "+count(n)+" whom its selectors match are skipped") + " (allow_empty = true lets it pass)"

	// Why a rollback leaves a user.
	case state.CodeRowInactive:
		return "its row is not active, and undoing gives nobody a login"
	case state.CodeTenantHidden:
		return "who is in one of its tenant's groups cannot be seen"
	case state.CodeNotLinkedThen:
		return "its row was not linked to the person any more when it was taken back"
	case state.CodeBelongsElsewhere:
		return "its tenant or its role has changed since; once the wave goes on, the next plan moves it"
	case state.CodePersonDeletedSince:
		return "a later rollback has deleted its person; take that one back first"
	case state.CodePersonDeleted:
		return "its person was deleted; once the wave goes on, the next plan makes a new one"
	case state.CodeGroupGone:
		return "a group that it was in is gone; once the wave goes on, the next plan moves it"
	case state.CodeLinkedElsewhere:
		return "linked to another person since"
	case state.CodeNoPassword:
		return "has no password to go back to"
	case state.CodeNoPasswordThen:
		return "could not log in by a password before either: its row said Self-auth alone"
	case state.CodeEnrolled:
		return "has no password to go back to, and has enrolled a credential in Self-auth"

	// Why a run left a user, an object or a wave.
	case state.CodeRecordGone:
		return "its journal record is gone"
	case state.CodeRowAgain:
		return "there is a row again"
	case state.CodeRowGone:
		return "deleted after the plan"
	case state.CodeRowChanged:
		return "its row changed after the plan"
	case state.CodeMailedSince:
		return "its row, or what it was sent, changed after the plan"
	case state.CodePausedSince:
		return "wave " + name + " was paused after the plan"
	case state.CodePauseMet:
		where := ""
		if tenant := f.Text(state.KeyTenant); tenant != "" {
			where = " for " + v.escape(tenant)
		}
		return "wave " + name + " is paused" + where + " since this run began, " + v.pausedBy(f) + ": it gives nobody more there"
	case state.CodeWishGone:
		return "wave " + name + " stays as it is: what was wished of it, " + wishes(state.WishKind(f.Text(state.KeyKind))) +
			", was withdrawn after the plan"
	case state.CodeWavePausedSince:
		return "wave " + name + " was paused after the plan, and stays as it is"
	case state.CodeChangedInFlight:
		return "its row changed meanwhile"
	case state.CodeRunClosed:
		return "the run was closed while this user was in flight"
	case state.CodeRefusal:
		return text(state.KeySaid) + enclosed(" (request ", text(state.KeyRequest))
	case state.CodeNoName:
		return "no name can be made from the row"
	case state.CodeHolderChanged:
		return "the person to be taken over no longer holds the address, is gone, is expired, or is somebody else's by now"
	case state.CodeKeptOtherwise:
		return v.kept(f)
	case state.CodeGroupNotMade:
		return "a group of the tenant could not be made: " + why(". ")
	case state.CodeCannotLogIn:
		return "has no credential in Self-auth any more, or has expired there: the password stays a way to log in"
	case state.CodeNotLetIn:
		return "no client lets it in through Self-auth any more: the password stays a way to log in"
	case state.CodePersonExpired:
		return "somebody else has expired its person in Self-auth"
	case state.CodeRuleNotChanged:
		return "who belongs in a group of the tenant was not changed as planned: " + why(". ")
	case state.CodeNeededStill:
		return "it stays for " + users(n) + " who could not be taken back, and goes with them when that is tried again"
	case state.CodeUsersInside:
		return "it stays for " + users(n) + " who " + plural(n, "is", "are") + " still in a group that goes, and in no other: plan again"
	case state.CodeRecordChanged:
		return "what is recorded of it changed after the plan"
	case state.CodeAppeared:
		return "it is there now and was not when the plan was made"
	case state.CodeDisappeared:
		return "it is gone, and was there when the plan was made"
	case state.CodeAttributeChanged:
		return "its " + v.label(f.Text(state.KeyAttribute)) + " changed after the plan"
	case state.CodeGroupBack:
		return "group " + name + " is there again, and was gone when the plan was made"
	case state.CodeNotPutBack:
		return "what was done of it could not be put back: " + why(". ")
	case state.CodeObjectLeft:
		return name + ": " + why(". ")
	case state.CodeWaveNotStarted:
		return "wave " + name + " was not started: not everybody in wave " + text(state.KeyAfter) + " was moved"
	case state.CodeWaveAfterNotDone:
		return "wave " + name + " was not started: wave " + text(state.KeyAfter) + " is not done"
	case state.CodeWaveGateShut:
		return "wave " + name + " was not started: " + why(", ")
	case state.CodeWaveNotDone:
		return "wave " + name + " was moved, and is not done yet: " + why(", ")
	case state.CodeWaveNotWidened:
		return "nobody more of wave " + name + " was moved: " + why(", ")
	case state.CodeWaveWindow:
		return users(n) + " of wave " + name + " " + plural(n, "was", "were") + " not moved: " + why(", ")
	case state.CodeWaveOvertaken:
		return "wave " + name + " stays as it is: another apply has recorded what holds waves back since this plan was made"
	case state.CodeLinkTaken:
		return "another row is linked to the person already" + enclosed(" (", text(state.KeyRule))
	case state.CodeTriggerRefuses:
		return "a trigger of the application refuses the row" + enclosed(" (", text(state.KeyRule))
	case state.CodeRowHeld:
		return "another session of the database holds the row locked"
	case state.CodeTableHeld:
		return "another session of the database holds the table of users, or what a trigger of it wants, locked"
	case state.CodeWaits, state.CodeSessionHolds, state.CodeSessionHidden, state.CodePreparedHolds, state.CodeLockedBy:
		return v.sayWait(f)
	case state.CodeRowKept:
		return "a trigger or a rule of the database undoes what is written to the row"
	case state.CodeRuleBroken:
		return "the database refuses the row" + enclosed(" (", text(state.KeyRule))
	case state.CodeNoBulkCall:
		return "Self-auth does not accept " + text(state.KeyPath) + " from this token: persons are written one by one, " +
			"which is much slower"
	case state.CodeMarkerStrangers:
		return of(n, "person", "persons") + " that somebody put into Anthill's marker group meanwhile " +
			it("was", "were") + " expired or enabled together with those that this run is about; look at " +
			strings.Join(list(state.KeyPersons), ", ")

	// Steps of the schema.
	case state.CodeColumnNullable:
		return nullable(list(state.KeyColumns))
	case state.CodeColumnsAdded:
		s := "new columns " + strings.Join(list(state.KeyColumns), ", ")
		if more := list(state.KeyNullable); len(more) > 0 {
			s += "; " + nullable(more)
		}
		return s
	case state.CodeMethodFilled:
		return text(state.KeyColumn) + " of rows that are linked already: " + text(state.KeyWith) + " with a password, " +
			text(state.KeyWithout) + " without"
	case state.CodeIndexMade:
		return "index " + text(state.KeyIndex)
	case state.CodeCheckMade:
		return "check of the three values of " + text(state.KeyColumn)
	}
	if s := v.schemaBack(f); s != "" {
		return s
	}
	return v.escape(string(f.Code))
}

// reasons say why a wave stands as it does, and its pauses.
func (v *voice) reasons(w plan.WaveView) []string {
	return v.few(len(w.Reasons), func(i int) string {
		if w.Reasons[i].Code == state.CodeWavePaused && w.State != plan.WavePaused {
			return "paused: " + v.say(w.Reasons[i]) // the wave's state does not say it
		}
		return v.say(w.Reasons[i])
	})
}

// wishes say what somebody may wish of a wave.
func wishes(k state.WishKind) string {
	switch k {
	case state.WishStart:
		return "that its start date is skipped"
	case state.WishSoak:
		return "that the rest of its soak is skipped"
	case state.WishAccept:
		return "that its failures are accepted"
	}
	return "something that this version does not know"
}

// wish says what somebody wishes of a wave, when and why.
func (v *voice) wish(f state.Finding) string {
	return wishes(state.WishKind(f.Text(state.KeyKind))) + ", " + v.pausedBy(f)
}

// pausedBy says whose a pause is: a rollback's, or a person's with when and why.
func (v *voice) pausedBy(f state.Finding) string {
	if run := f.Text(state.KeyRun); run != "" {
		return "rolled back by run " + v.escape(run)
	}
	s := "by " + v.escape(f.Text(state.KeyBy)) + " on " + stamp(f.Arg(state.KeyAt).Time)
	if why := f.Text(state.KeyReason); why != "" {
		s += ": " + v.escape(why)
	}
	return s
}

// howMany is a count behind what it counts.
func howMany(n int64) string {
	if n == 0 {
		return ""
	}
	return ": " + count(n)
}

// weaknesses say what a client does without.
func (v *voice) weaknesses(f state.Finding) (list []string) {
	for _, a := range f.Arg(state.KeyAttributes).List {
		switch state.Attribute(a) {
		case state.AttrPKCE:
			list = append(list, "no PKCE, so that a code which is caught can be used")
		case state.AttrLegacyCrypto:
			list = append(list, "tokens signed with RS256")
		case state.AttrStrictRedirects:
			list = append(list, "redirect URLs need not match exactly")
		default:
			list = append(list, "logins may lead to "+v.escape(a)+", where they did not before")
		}
	}
	return list
}

// sayAll says findings one after the other.
func (v *voice) sayAll(list []state.Finding, between string) string {
	return strings.Join(v.sayFew(list), between)
}

// sayFew says findings, as many as stand in a sentence.
func (v *voice) sayFew(list []state.Finding) []string {
	return v.few(len(list), func(i int) string { return v.say(list[i]) })
}

// sayEach says findings one by one.
func (v *voice) sayEach(list []state.Finding) []string {
	said := make([]string, len(list))
	for i, f := range list {
		said[i] = v.say(f)
	}
	return said
}

// over says how far a plan is over a limit of the configuration's guard.
func (v *voice) over(limit string, f state.Finding) string {
	all := f.Arg(state.KeyPopulation).Number
	s := fmt.Sprintf("%s: %s of %s = %s, limit %g %%", limit, count(f.Count), users(all), percent(f.Count, all),
		f.Arg(state.KeyLimit).Real)
	if n := f.Arg(state.KeyStrangers).Number; n > 0 {
		s += ", " + of(n, "member of a group", "members of groups") + " managed in full included"
	}
	return s
}

// noneOr is a number in words where it is none.
func noneOr(n int64) string {
	if n == 0 {
		return "none"
	}
	return count(n)
}

// client is a client as a hazard is about it: by its address where it is declared, by its name otherwise.
func (v *voice) client(f state.Finding) string {
	if f.Subject.Kind == state.SubjectClient {
		return "client " + v.escape(f.Subject.Name)
	}
	return v.escape(f.Subject.Name)
}

func inConflict(n int64) string {
	return of(n, "user is in conflict and stays as it is", "users are in conflict and stay as they are")
}

func asItIs(n int64) string { return plural(n, "left as it is", "left as they are") }

// strangers counts members who are no users of the group's tenant and role.
func strangers(n int64) string {
	return of(n, "member who does not belong in it", "members who do not belong in it")
}

func nullable(columns []string) string {
	return strings.Join(columns, " and ") + plural(int64(len(columns)), " becomes nullable", " become nullable")
}

// enclosed puts a text in parentheses that are opened already; "" where there is none.
func enclosed(opening, s string) string {
	if s == "" {
		return ""
	}
	return opening + s + ")"
}

// instances names a block of which so many instances are meant, or the one that is.
func instances(name string, n int64) string {
	if n < 2 {
		return name
	}
	return name + " (" + count(n) + " of them)"
}
