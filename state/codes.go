package state

// The codes of findings. Behind each stands its subject, then its arguments and what it counts. The words for them are
// in internal/report, which has a test that every code has some.
const (
	// Tenant isolation that does not hold (L40).
	CodeGroupShared        Code = "group_shared"         // group; tenants: mapped to more than one
	CodeGroupHoldsBuiltin  Code = "group_holds_builtin"  // group; tenant, builtin: a member of it
	CodeGroupInsideBuiltin Code = "group_inside_builtin" // group; tenant, builtin: it is a member of that
	CodeForeignMembers     Code = "foreign_members"      // tenant; other: whose groups count users of the first are in
	CodePersonShared       Code = "person_shared"        // tenant; other: rows of both are linked to one person
	CodeAdoptMapped        Code = "adopt_mapped"         // group; tenant, other: it is mapped to the other
	CodeAdoptMembers       Code = "adopt_members"        // group; tenant, other: users of the other are in it
	CodeGroupHidden        Code = "group_hidden"         // group; tenant: who is in it cannot be seen

	// Objects that are left as they are.
	CodeObjectPaused     Code = "object_paused"      // address; run: that took it back
	CodeTenantAway       Code = "tenant_away"        // address; status: of its tenant
	CodeNotInData        Code = "not_in_data"        // address: its for_each no longer names it (L31)
	CodePolicyGroupAway  Code = "policy_group_away"  // address; group: the address of a group that is not there
	CodePolicyGroupStays Code = "policy_group_stays" // address
	CodeRowDeleted       Code = "row_deleted"        // address: the application has deleted the tenant's row
	CodeHiddenStays      Code = "hidden_stays"       // address: of a group whose members cannot be seen

	// Changed outside Anthill.
	CodeSetBack       Code = "set_back"        // address; attribute, wrote, live
	CodeSlugFollowed  Code = "slug_followed"   // tenant; was: its slug, from, to: addresses
	CodeDriftLink     Code = "drift_link"      // count moved users
	CodeDriftPerson   Code = "drift_person"    // count moved users
	CodeDriftExpired  Code = "drift_expired"   // count moved users
	CodeDriftMethod   Code = "drift_method"    // count moved users
	CodeDriftRow      Code = "drift_row"       // count moved users
	CodeDriftEnabled  Code = "drift_enabled"   // count moved users
	CodeDriftLeft     Code = "drift_left"      // group; count memberships
	CodeDriftAdded    Code = "drift_added"     // group; count members
	CodeDriftChanged  Code = "drift_changed"   // address; attribute, wrote, live
	CodeDriftGone     Code = "drift_gone"      // address
	CodeDriftBack     Code = "drift_back"      // address
	CodeDriftMapping  Code = "drift_mapping"   // address: of a group; tenant, role, name: of a mapping row that is not ours
	CodeDriftMail     Code = "drift_mail"      // count moved users
	CodeDriftEarly    Code = "drift_early"     // count moved users: from when the person is valid lies ahead
	CodeDriftPart     Code = "drift_part"      // address: of a schema step; wrote, live: a part of what it makes, as SQL has it
	CodeDriftPartGone Code = "drift_part_gone" // address: of a schema step; wrote
	CodeStrangers     Code = "strangers"       // group; count members who do not belong in it

	// Links that somebody has made by hand: why a line cannot be used, and what becomes of the others.
	CodeLinkBadUser     Code = "link_bad_user"     // no id of a user stands there
	CodeLinkBadPerson   Code = "link_bad_person"   // no id of a person stands there
	CodeLinkUserTwice   Code = "link_user_twice"   // the user stands in another line too
	CodeLinkPersonTwice Code = "link_person_twice" // the person stands in another line too
	CodeLinkNoUser      Code = "link_no_user"      // there is no such row, or it is deleted
	CodeLinkNoPerson    Code = "link_no_person"    // Self-auth has no such person
	CodeLinkGroup       Code = "link_group"        // it is a group
	CodeLinkOtherPerson Code = "link_other_person" // the row is linked to another person
	CodeLinkHasPerson   Code = "link_has_person"   // Anthill has made a person for the user
	CodeLinkOtherRow    Code = "link_other_row"    // the person belongs to another user
	CodeLinksAlready    Code = "links_already"     // count: are linked and moved
	CodeLinksMoved      Code = "links_moved"       // count: are moved by the plan
	CodeLinksWait       Code = "links_wait"        // count: their waves do not move them now
	CodeLinksSkipped    Code = "links_skipped"     // count: are not moved for a reason of their own
	CodeLinksNowhere    Code = "links_nowhere"     // count: no wave selects them
	CodeLinksOtherMail  Code = "links_other_mail"  // count: the person's address is not the row's; users: the first of them

	// The state bound to another target: what follows from the new names.
	CodeTargetCopied Code = "target_copied" // wrote, with: database and system identifier so far
	CodeTargetDomain Code = "target_domain" // wrote, live: domain of Self-auth
	CodeTargetOrigin Code = "target_origin" // wrote, live: address of Self-auth

	// Notes of a plan.
	CodeNameHeld        Code = "name_held"         // address; name, tenant
	CodeOrderWrong      Code = "order_wrong"       // group; tenant: older than one that should come before it (L36)
	CodeVersionUntried  Code = "version_untried"   // version: of Self-auth
	CodeUnverified      Code = "unverified"        // count users
	CodeUnselected      Code = "unselected"        // wave; count users: moved under it, and selected by none
	CodeWishIdle        Code = "wish_idle"         // wave; kind, by, at, reason: a wish that the plan does not go by
	CodePauseUndeclared Code = "pause_undeclared"  // wave: not declared any more; tenant: its slug, none: all of it; whose: as of wave_paused
	CodeAsleepHeld      Code = "asleep_held"       // wave; count users: moved under it, asleep, and not woken while it is paused, or they are blocked or excluded
	CodeForgotten       Code = "forgotten"         // count users: of the runs of a rollback, who were forgotten
	CodeStaysAwake      Code = "stays_awake"       // count users: of a rollback of the run that woke them
	CodeCodesLive       Code = "codes_live"        // of a rollback: count users who may still use a one-time code
	CodeEnrolledBefore  Code = "enrolled_before"   // count users to be moved whose persons have a credential already
	CodeMailStuck       Code = "mail_stuck"        // count users
	CodeMailReleased    Code = "mail_released"     // count persons of ours that give up an address that another user has now
	CodeMailAstray      Code = "mail_astray"       // count addresses that other users have now, and that persons keep
	CodeMailsKept       Code = "mails_kept"        // rollback; count users whose earlier address another has by now
	CodeDiscoverySilent Code = "discovery_silent"  // address: of a client; live: its issuer, where no document is found
	CodeIssuerOther     Code = "issuer_other"      // address: of a client; live, wrote: its issuer, and what it should be
	CodeAlgorithmOther  Code = "algorithm_other"   // address: of a client; live: algorithms, wrote: that it should sign with
	CodeNoChallenge     Code = "no_challenge"      // address: of a client: it tells applications nothing of PKCE
	CodeRedirectRefused Code = "redirect_refused"  // address: of a client; urls: its redirect URLs to which no login is sent
	CodeInNoWave        Code = "in_no_wave"        // count users
	CodeLetInNowhere    Code = "let_in_nowhere"    // tenant; count users to be moved whom no client lets in
	CodeGroupless       Code = "groupless"         // count users
	CodeCompletesOnLink Code = "completes_on_link" // address: of the auth_policy
	CodePasswordOverdue Code = "password_overdue"  // address: of an auth_policy; until; count users who have the password still
	CodeAllowanceUnused Code = "allowance_unused"  // hazard; count
	CodeAllowExpired    Code = "allow_expired"     // address: of the allow block; until
	CodeAllowOther      Code = "allow_other_count" // address: of the allow block; limit: what it allows; count: of the hazard
	CodePolicyWeaker    Code = "policy_weaker"     // address; attributes: that demand less than before
	CodePolicyNoEffect  Code = "policy_no_effect"  // address; attribute; group: that everybody is in and that demands as much
	CodeMappingDead     Code = "mapping_dead"      // group: by its mapping row, and not there; tenant, role
	CodeMappingName     Code = "mapping_name"      // group: by its mapping row; tenant, name: what the group is called
	CodeMappingRoles    Code = "mapping_roles"     // group; tenant, roles: of rows with one name
	CodeAdminByMapping  Code = "admin_by_mapping"  // tenant; count users: in a group that was mapped to nobody and is one of admins now
	CodeRolesUnnamed    Code = "roles_unnamed"     // why: findings of role_unnamed; count users
	CodeRoleUnnamed     Code = "role_unnamed"      // in why; role: that no group names; count users
	CodeClientStays     Code = "client_stays"      // client; count users log in through it
	CodeTenantRowStays  Code = "tenant_row_stays"  // tenant; count users
	CodeClientTypeBack  Code = "client_type_back"  // client; type
	CodeClientNewSecret Code = "client_new_secret" // client
	CodeMinimumRaised   Code = "minimum_raised"    // address: of an account policy that asks more of a credential
	CodeDriftDual       Code = "drift_dual"        // count users
	CodeDualAgain       Code = "dual_again"        // count users
	CodeNoWayIn         Code = "no_way_in"         // why: bars, each with its count; count users who cannot log in as it is
	CodeSchemaStays     Code = "schema_stays"
	CodeConflicts       Code = "conflicts"       // count users
	CodeRowBackOpen     Code = "row_back_open"   // count users whose row alone was taken back: the person is as it was
	CodeRowBackLinked   Code = "row_back_linked" // subject: wave; count of such users whose row is linked again by a login since

	// What a hazard is made of.
	CodeTargetRows      Code = "target_rows"      // count moved users without a row; population: moved users
	CodeTargetPersons   Code = "target_persons"   // count moved users without a person; population: moved users
	CodeTargetObjects   Code = "target_objects"   // count recorded objects that are not there; population: of them
	CodeOverLimit       Code = "over_limit"       // limit: percent; population; count users, and strangers of them
	CodeOverRemoved     Code = "over_removed"     // limit: percent; population; count users, and strangers of them
	CodeWishMet         Code = "wish_met"         // wave; kind, by, at, reason: a wish that the plan goes by; count users whom it is about
	CodeBrakeWished     Code = "brake_wished"     // wave; why: what holds it but for what somebody wished of it, or of another; count users
	CodeBrakeLoosened   Code = "brake_loosened"   // wave; why: what holds it by the brakes of the last run; count users
	CodeRowsGone        Code = "rows_gone"        // tenant; population: moved users of it; count users
	CodeLastAdmin       Code = "last_admin"       // tenant; left, limit: administrators; count those who are taken away
	CodeAdopts          Code = "adopts"           // count persons
	CodeLesser          Code = "lesser"           // tenant; group: by which they come in; count users with a stronger role
	CodeWeakened        Code = "weakened"         // address; attributes: names, and new hosts; count
	CodeMappedAdmin     Code = "mapped_admin"     // address; count members
	CodeMappedLess      Code = "mapped_less"      // address; role; count members
	CodeNameless        Code = "nameless"         // client; count users: tokens without a name of a group as mapping rows have it
	CodeLoginRefused    Code = "login_refused"    // client; scopes: that it asks for and that they are not given; count users
	CodeScopeLost       Code = "scope_lost"       // address or client; count users
	CodeHomeLost        Code = "home_lost"        // count users
	CodeNoFallback      Code = "no_fallback"      // count users: counted for a loss, and no password lets them in
	CodeLockedOut       Code = "locked_out"       // tenant; why: a bar; count users
	CodeScopeGap        Code = "scope_gap"        // address: of a client; count members
	CodeGroupRenamed    Code = "group_renamed"    // group; name: the new one; count members
	CodeClientRemade    Code = "client_remade"    // client
	CodeClientRenamed   Code = "client_renamed"   // client; name: the new one
	CodeRedirectsGo     Code = "redirects_go"     // address; urls; count
	CodeClientGoes      Code = "client_goes"      // client
	CodeForeignScope    Code = "foreign_scope"    // group; client: not ours, lets its members in; count
	CodeTenantSuspended Code = "tenant_suspended" // tenant; status; count users
	CodeTenantBack      Code = "tenant_back"      // tenant; status; count users: by a rollback
	CodeClientLetsLess  Code = "client_lets_less" // client; count users
	CodePersonsDeleted  Code = "persons_deleted"  // count persons

	// What keeps a user from logging in. All but the first are of users whom no password lets in.
	CodeBarTenant     Code = "bar_tenant"     // is suspended or cancelled
	CodeBarLink       Code = "bar_link"       // none
	CodeBarPerson     Code = "bar_person"     // is gone from Self-auth
	CodeBarExpired    Code = "bar_expired"    // is the person
	CodeBarCredential Code = "bar_credential" // none in Self-auth
	CodeBarGroup      Code = "bar_group"      // none that is mapped to the tenant
	CodeBarScope      Code = "bar_scope"      // no client gives one

	// What else is said of an object's change than its values.
	CodeWasGone        Code = "was_gone"        // the group that we had made is gone
	CodeTenantCalled   Code = "tenant_called"   // tenant: its slug now
	CodeOtherArguments Code = "other_arguments" // others are ours now
	CodeNotOursNow     Code = "not_ours_now"
	CodeMembersLose    Code = "members_lose" // count members of a group that goes

	// Why a wave is held, soaking or paused (L14, L15, L17, L23).
	CodeLeftOut          Code = "left_out"          // the wave is not part of the plan
	CodeWaitsFor         Code = "waits_for"         // wave: the one before; why: findings
	CodeHeldItself       Code = "held_itself"       // in why
	CodePausedItself     Code = "paused_itself"     // in why
	CodeToMove           Code = "to_move"           // in why; count users
	CodeWaiting          Code = "waiting"           // in why; count users wait for a pause
	CodeTenantsWait      Code = "tenants_wait"      // in why; count users whose tenants have not confirmed
	CodeSoakNeeded       Code = "soak_needed"       // in why; span
	CodeStartsAt         Code = "starts_at"         // at
	CodePasswordPromised Code = "password_promised" // until: by the policy under which those were moved whom it raises
	CodeSoaks            Code = "soaks"             // span, until
	CodeWindowOpen       Code = "window_open"       // wave; at: when it is shut, zone
	CodeWindowShut       Code = "window_shut"       // wave; at: when it opens, zone; reason: of the freeze that it is in
	CodeWindowNever      Code = "window_never"      // wave; reason: it does not open any more, as far as is looked ahead
	CodeWindowWasShut    Code = "window_was_shut"   // wave; at: when it is open now, and shut by what is recorded; zone
	CodeWidened          Code = "widened"           // wave; count users whom an edit of its selection adds, and who are moved
	CodeWidenedWaits     Code = "widened_waits"     // wave; why: gates that must be open again; count users whom it adds
	CodeLateWait         Code = "late_wait"         // wave; why: as of widened_waits; limit: percent of it; count users who are late
	CodeAddedWait        Code = "added_wait"        // in why; count users whom an edit of a selection adds
	CodeGateClosed       Code = "gate_closed"       // wave; gate: a manual one
	CodeGateOpen         Code = "gate_open"         // wave; gate, condition, figures: it holds
	CodeGateValue        Code = "gate_value"        // wave; gate, condition, said: what it was confirmed with, which does not fulfil it
	CodeGateShut         Code = "gate_shut"         // wave; gate, condition, figures: it does not hold
	CodeGateNoData       Code = "gate_no_data"      // wave; gate, condition, figures: nothing says whether it holds
	CodeGateFailsNoData  Code = "gate_fails_no_data"
	CodeGateLater        Code = "gate_later"      // wave; gate, condition: sampled when those are moved who are due
	CodeGateUnreadable   Code = "gate_unreadable" // wave; gate: its recorded condition is of another version
	CodeFigure           Code = "figure"          // in figures; name; count
	CodeFigureUnknown    Code = "figure_unknown"  // in figures; name
	// wave; gate, tenants: slugs; condition: of what is measured, if it goes by that; count users wait until each of them has opened it
	CodeTenantsUnconfirmed Code = "tenants_unconfirmed"
	CodeNoTenantConfirmed  Code = "no_tenant_confirmed" // so that nobody would be moved
	CodeWavePaused         Code = "wave_paused"         // wave; run of the rollback, or by a person, at and reason
	CodeTenantPaused       Code = "tenant_paused"       // tenant; wave, whose: as of wave_paused
	CodeSelectsNobody      Code = "selects_nobody"      // wave
	CodeNobodyToRaise      Code = "nobody_to_raise"     // wave; from: the policy under which nobody was moved whom it selects
	CodeAllSkipped         Code = "all_skipped"         // wave; count users

	// Why a rollback leaves a user.
	CodeRowInactive        Code = "row_inactive"      // and undoing gives nobody a login
	CodeNotLinkedThen      Code = "not_linked_then"   // when it was taken back, its row was not linked to the person
	CodeBelongsElsewhere   Code = "belongs_elsewhere" // tenant or role has changed
	CodeTenantHidden       Code = "tenant_hidden"     // who is in one of its tenant's groups cannot be seen
	CodePersonDeleted      Code = "person_deleted"
	CodePersonDeletedSince Code = "person_deleted_since" // by a later rollback
	CodeGroupGone          Code = "group_gone"
	CodeLinkedElsewhere    Code = "linked_elsewhere"
	CodeNoPassword         Code = "no_password"
	CodeNoPasswordThen     Code = "no_password_then" // its row let no password in before either
	CodeEnrolled           Code = "enrolled"         // no password, and a credential in Self-auth

	// Why a run left a user or an object, or a wave.
	CodeRecordGone       Code = "record_gone"
	CodeRowAgain         Code = "row_again"
	CodeRowGone          Code = "row_gone"
	CodeRowChanged       Code = "row_changed"
	CodeMailedSince      Code = "mailed_since"        // the row, or what is known of the mails that the user was sent
	CodePausedSince      Code = "paused_since"        // wave
	CodePauseMet         Code = "pause_met"           // wave; tenant: its slug, none: all of it; whose: as of wave_paused
	CodeWishGone         Code = "wish_gone"           // wave; kind of the wish that was withdrawn after the plan
	CodeWavePausedSince  Code = "wave_paused_since"   // wave: as a whole, after the plan
	CodeChangedInFlight  Code = "changed_in_flight"   // after the intent
	CodeRunClosed        Code = "run_closed"          // while the user was in flight
	CodeRefusal          Code = "refusal"             // side, kind, said: the error's words, request
	CodeGroupNotMade     Code = "group_not_made"      // why
	CodePersonExpired    Code = "person_expired"      // by somebody else
	CodeCannotLogIn      Code = "cannot_log_in"       // through Self-auth, which was to be the only way
	CodeNotLetIn         Code = "not_let_in"          // by any client, through Self-auth, which was to be the only way
	CodeRuleNotChanged   Code = "rule_not_changed"    // why
	CodeNeededStill      Code = "needed_still"        // count users who could not be taken back
	CodeUsersInside      Code = "users_inside"        // count users whose last mapped group goes
	CodeRecordChanged    Code = "record_changed"      // what is recorded of an object
	CodeAppeared         Code = "appeared"            // since the plan
	CodeDisappeared      Code = "disappeared"         // since the plan
	CodeAttributeChanged Code = "attribute_changed"   // attribute
	CodeGroupBack        Code = "group_back"          // group: gone when the plan was made
	CodeNotPutBack       Code = "not_put_back"        // why: what was done of a change stands
	CodeObjectLeft       Code = "object_left"         // address; why
	CodeWaveNotStarted   Code = "wave_not_started"    // wave; after
	CodeWaveAfterNotDone Code = "wave_after_not_done" // wave; after: one that a gate keeps from being done, or started
	CodeWaveGateShut     Code = "wave_gate_shut"      // wave; why: a gate of its start has shut since the plan
	CodeWaveNotWidened   Code = "wave_not_widened"    // wave; why: gates of a wave that is widened that have shut since the plan
	CodeWaveNotDone      Code = "wave_not_done"       // wave; why: a gate of its finish has shut since the plan
	CodeWaveWindow       Code = "wave_window"         // wave; why: how its window stands; count users who were not tried
	CodeWaveOvertaken    Code = "wave_overtaken"      // wave: another plan has recorded since what holds waves back
	CodeLinkTaken        Code = "link_taken"          // rule: another row is linked to the person
	CodeTriggerRefuses   Code = "trigger_refuses"     // rule: what a trigger of the application raises
	CodeRuleBroken       Code = "rule_broken"         // rule: of the database
	CodeRowHeld          Code = "row_held"            // by another session, for longer than it was waited for
	CodeTableHeld        Code = "table_held"          // users: locked as a whole by another session
	CodeRowKept          Code = "row_kept"            // what was written is not there: a trigger or a rule undoes it
	CodeNoName           Code = "no_name"             // none can be made from the row
	CodeHolderChanged    Code = "holder_changed"      // the person to be taken over has another address, or is expired
	CodeKeptOtherwise    Code = "kept_otherwise"      // attribute, wrote, live: another value than it was given
	CodeNoBulkCall       Code = "no_bulk_call"        // path: persons are written one by one
	CodeMarkerStrangers  Code = "marker_strangers"    // persons: some of them; count persons expired or enabled with others

	// Why a mail is not sent, to users of a wave in a plan, or was not. In a plan: wave; count users.
	CodeMailNotDue    Code = "mail_not_due"    // in no plan: the user has what there is to be sent, or is in, or not active
	CodeMailNotMoved  Code = "mail_not_moved"  // in no plan: under no wave that writes to its users
	CodeMailRefused   Code = "mail_refused"    // an earlier one could not be delivered
	CodeMailDoubtful  Code = "mail_doubtful"   // nobody knows whether they have theirs
	CodeMailNoLogin   Code = "mail_no_login"   // they could not log in: excluded, blocked, asleep, or linked otherwise
	CodeMailUnseen    Code = "mail_unseen"     // it cannot be seen who has a credential
	CodeMailPaused    Code = "mail_paused"     // the wave, or their tenant in it, is paused
	CodeMailNoAddress Code = "mail_no_address" // the row has no address to which a mail could be sent
	CodeMailTakenBack Code = "mail_taken_back" // the user was taken back
	CodeMailGone      Code = "mail_gone"       // the row is gone, not active, or linked otherwise by now
	CodeMailPerson    Code = "mail_person"     // the person is gone from Self-auth, or has expired
	// the address is not confirmed by now, and that was not allowed
	CodeMailUnconfirmed Code = "mail_unconfirmed"
	CodeMailUnrendered  Code = "mail_unrendered" // no text could be made for the user
	CodeMailEnough      Code = "mail_enough"     // somebody asked for it, and the user had MostAsked
	CodeMailWindow      Code = "mail_window"     // no working day of the wave's window lies in the time for which a code would be good

	// What is noted of announcements.
	CodeAnnouncedEarly Code = "announced_early" // wave; at: the earliest moment of its start; why: what may make it later; count whom it is announced to
	CodeAnnouncedNever Code = "announced_never" // wave; why: what its start hangs on, of which there is no date; count whom it is not announced to

	// What hazards of mails are made of.
	CodeMailsLate       Code = "mails_late"       // wave; count users who were moved before
	CodeMailsShort      Code = "mails_short"      // wave; count whom it is announced to with less than half the time that it should be
	CodeMailsUntold     Code = "mails_untold"     // wave; count whom it should have been announced to and is not, as it starts
	CodeMailsAgain      Code = "mails_again"      // wave; count users who were invited when they were moved earlier
	CodeMailsUnverified Code = "mails_unverified" // wave; count users

	// Steps of the schema.
	CodeColumnNullable Code = "column_nullable" // columns
	CodeColumnsAdded   Code = "columns_added"   // columns, nullable: columns that become so
	CodeMethodFilled   Code = "method_filled"   // column, with, without: values
	CodeIndexMade      Code = "index_made"      // index
	CodeCheckMade      Code = "check_made"      // column

	// Steps of the schema that are taken back, and what keeps them.
	CodeColumnsGo       Code = "columns_go"       // columns, required: columns that must hold a value again
	CodeColumnsRequired Code = "columns_required" // columns
	CodeIndexGoes       Code = "index_goes"       // index
	CodeCheckGoes       Code = "check_goes"       // column
	CodeColumnsDropped  Code = "columns_dropped"  // why: column_goes; count columns and values: what a hazard is made of
	CodeColumnGoes      Code = "column_goes"      // column; count values
	CodeUsersNeed       Code = "users_need"       // table; rows: some of them; count rows that need the columns
	CodeSessionsNeed    Code = "sessions_need"    // table; rows: some of them; count rows that need the columns
	CodeColumnsUsed     Code = "columns_used"     // objects: of the database, that depend on the columns
	CodeValuesBack      Code = "values_back"      // run: that took the columns back; what they held comes back

	// The application's own migrations, and what steps of the schema make. Later: the plan makes it; stop: it is there by now. table and name
	// (of the tool), version: the last that was run, columns: that fail them; files: that make them as the application was shipped.
	CodeToolLater     Code = "tool_later"
	CodeToolStops     Code = "tool_stops"
	CodeFilesLater    Code = "files_later"    // as of tool_later, and from: the folder; why: file_fails; statements
	CodeFilesStop     Code = "files_stop"     // as of files_later
	CodeFileFails     Code = "file_fails"     // in why; name; objects: that are there
	CodeFilesUnread   Code = "files_unread"   // files; from: the folder; count
	CodeExtras        Code = "extras"         // objects, columns: that have no comment; statements: what the application's migrations make besides
	CodeExtrasMissing Code = "extras_missing" // as of extras, where the columns are there
	CodeTableUnread   Code = "table_unread"   // table, role: that may not read it; said: why it cannot be read otherwise; statements

	// What this process waits for, and who has it. query is there only where it was asked for.
	CodeWaits         Code = "waits"          // kind (WaitOn...), table, index: that is being built; span; why: who; count of them
	CodeSessionHolds  Code = "session_holds"  // session, application, role, span: of its transaction, status, query
	CodeSessionHidden Code = "session_hidden" // session, application, role, to: the role from which the rest is hidden
	CodePreparedHolds Code = "prepared_holds" // a prepared transaction: there is no session
	CodeLockedBy      Code = "locked_by"      // session, from: its address, by, at: who has the lock on the target, since when
)

// What is waited for: a lock on a table, a row, transactions that are older than what is to be built or dropped, the lock on
// the target, and whatever else a lock can be on.
const (
	WaitOnTable        = "table"
	WaitOnRow          = "row"
	WaitOnTransactions = "transactions"
	WaitOnTarget       = "target"
	WaitOnOther        = "other"
)

// The keys of arguments. Which field of an Arg holds the value depends on the code.
const (
	KeyAttribute   Key = "attribute"
	KeyAfter       Key = "after"
	KeyApplication Key = "application"
	KeyAt          Key = "at"
	KeyBuiltin     Key = "builtin"
	KeyBy          Key = "by"
	KeyClient      Key = "client"
	KeyColumn      Key = "column"
	KeyColumns     Key = "columns"
	KeyCondition   Key = "condition"
	KeyFigures     Key = "figures"
	KeyFiles       Key = "files"
	KeyFrom        Key = "from"
	KeyGate        Key = "gate"
	KeyGroup       Key = "group"
	KeyHazard      Key = "hazard"
	KeyIndex       Key = "index"
	KeyKind        Key = "kind"
	KeyLeft        Key = "left"
	KeyLimit       Key = "limit"
	KeyLive        Key = "live"
	KeyName        Key = "name"
	KeyNullable    Key = "nullable"
	KeyOther       Key = "other"
	KeyObjects     Key = "objects"
	KeyQuery       Key = "query"
	KeyPath        Key = "path"
	KeyPersons     Key = "persons"
	KeyPopulation  Key = "population"
	KeyReason      Key = "reason"
	KeyRequest     Key = "request"
	KeyRequired    Key = "required"
	KeyRows        Key = "rows"
	KeyRule        Key = "rule"
	KeyRun         Key = "run"
	KeySaid        Key = "said"
	KeyScopes      Key = "scopes"
	KeySession     Key = "session"
	KeySide        Key = "side"
	KeySpan        Key = "span"
	KeyStatements  Key = "statements"
	KeyStatus      Key = "status"
	KeyStrangers   Key = "strangers"
	KeyTable       Key = "table"
	KeyTenant      Key = "tenant"
	KeyTenants     Key = "tenants"
	KeyTo          Key = "to"
	KeyType        Key = "type"
	KeyUntil       Key = "until"
	KeyURLs        Key = "urls"
	KeyUsers       Key = "users"
	KeyRole        Key = "role"
	KeyRoles       Key = "roles"
	KeyAttributes  Key = "attributes"
	KeyVersion     Key = "version"
	KeyWas         Key = "was"
	KeyWave        Key = "wave"
	KeyWhy         Key = "why"
	KeyWith        Key = "with"
	KeyWithout     Key = "without"
	KeyWrote       Key = "wrote"
	KeyZone        Key = "zone"
)
