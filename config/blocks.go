package config

import "sync"

// Block describes one kind of block of the language.
type Block struct {
	Type      string // the keyword: "group"
	Kind      string // the first label where it chooses among kinds: "postgres" of provider; "" where it does not
	Label     string // what the free label stands for, "NAME"; "" where there is none
	Once      bool   // at most one: of all files at the top, of the surrounding block otherwise
	Required  bool   // at least one in the surrounding block
	Free      bool   // takes arguments of any name (locals)
	Later     bool   // known, but not in this version; nothing else is described then
	Text      string // one line for people
	Arguments []Argument
	Blocks    []Block // nested ones
}

// Argument describes one argument of a block.
type Argument struct {
	Name     string
	Type     ArgumentType
	OneOf    []string // the values allowed; nil: any of the type
	Refers   string   // of a Reference or References: the type of block
	Default  string   // as written in a file; "" where there is none, or where Text says what happens
	Required bool
	NotNull  bool // null is an error, elsewhere it means "not given"
	Secret   bool // never shown
	Later    bool // known, but not in this version
	Text     string
}

// ArgumentType says which values an argument takes.
type ArgumentType uint8

// The types of arguments.
const (
	_             ArgumentType = iota
	String                     // text
	Number                     // number
	Count                      // whole number, 0 or more
	Percent                    // number from 0 to 100
	Bool                       // true or false
	Strings                    // list or set of texts; their order means nothing
	Duration                   // 90s, 15m, 8h, 7d
	Time                       // RFC 3339
	Date                       // a day, or RFC 3339
	Reference                  // a block, by its address: wave.internal
	References                 // a list of such
	UserText                   // a template over user
	Instances                  // map, or set of texts: one instance of the block for each
	TypeExpr                   // a type constraint: set(string)
	Address                    // address of an instance: group.admins["acme"]
	Groups                     // groups: group.users, group.users["acme"], or a list of such
	JSON                       // a value that is kept as JSON
	Any                        // anything
	ConditionExpr              // true or false, over the figures of a wave
	Percents                   // list of numbers above 0, up to 100
	Names                      // map of logical names to those of the database
)

func (t ArgumentType) String() string {
	names := [...]string{
		"", "string", "number", "whole number", "percentage", "bool", "set of strings", "duration", "time", "date", "reference",
		"list of references", "template over user", "map or set of strings", "type", "address", "groups", "object",
		"any", "condition over wave", "list of percentages", "map of names",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return ""
}

// Blocks describes the whole language, in the order in which documentation would present it. The slice is the
// caller's.
func Blocks() []Block { return language() }

var blocks = sync.OnceValue(language)

func language() []Block {
	later := func(kind, text string, names ...string) []Block {
		var list []Block
		for _, n := range names {
			list = append(list, Block{Type: n, Kind: kind, Later: true, Text: text})
		}
		return list
	}
	list := []Block{
		anthillBlock(), variableBlock(),
		{Type: "locals", Free: true, Text: "Names for values, as local.NAME."},
		postgresBlock(), selfauthBlock(), mailBlock(),
		{
			Type: "schema", Once: true, Text: "The schema that the application's database shall have.",
			Arguments: []Argument{
				{
					Name: "level", Type: String, OneOf: []string{"dual"}, Required: true,
					Text: "Which schema. dual has the columns of both ways to log in.",
				},
				{
					Name: "required_for_new_users_from", Type: Date,
					Text: "From then on nobody new should log in by password; status lists who does.",
				},
				{
					Name: "migrations", Type: String,
					Text: "The folder with the application's own migrations, relative to the configuration: plans say which of them would fail " +
						"on what Anthill makes.",
				},
				{
					Name: "migration_tables", Type: Strings, NotNull: true,
					Text: "Tables in which a tool notes the application's migrations, where they have other names than the known tools give " +
						"them. It may refer to variables and locals only.",
				}},
		},
		tenantBlock(), tenantsBlock(), groupBlock(), clientBlock(), accountBlock(), policyBlock(), identityBlock(),
		{
			Type: "exclude", Once: true, Text: "Users that are never moved: service accounts.",
			Arguments: []Argument{
				{Name: "emails", Type: Strings, Text: "By address; upper and lower case are the same."},
				{Name: "user_ids", Type: Strings, Text: "By users.user_id."}},
		},
		waveBlock(), gateBlock(), guardBlock(), allowBlock()}
	list = append(list, later("group", "A group that exists in Self-auth.", "data")...)
	list = append(list, later("users", "Counts of users.", "data")...)
	list = append(list, later("", "Takes the password columns away.", "cleanup")...)
	list = append(list, Block{
		Type: "moved", Text: "Tells that what was declared under one address is declared under another.",
		Arguments: []Argument{
			{Name: "from", Type: Address, Required: true, Text: "The address before."},
			{Name: "to", Type: Address, Required: true, Text: "The address now."}},
	})
	return append(list, later("", "Tells what became of an address.", "removed", "import")...)
}

func laterArguments(names ...string) []Argument {
	var list []Argument
	for _, n := range names {
		list = append(list, Argument{Name: n, Later: true})
	}
	return list
}

func laterBlocks(names ...string) []Block {
	var list []Block
	for _, n := range names {
		list = append(list, Block{Type: n, Later: true})
	}
	return list
}

func anthillBlock() Block {
	return Block{
		Type: "anthill", Once: true, Text: "What concerns the whole configuration.",
		Arguments: []Argument{
			{
				Name: "required_version", Type: String,
				Text: "Versions of Anthill that may read this configuration: \">= 0.1\".",
			},
			{Name: "environment", Type: String, Default: `"default"`, Text: "The state belongs to one environment."},
		},
		Blocks: []Block{
			{
				Type: "state", Kind: "postgres", Once: true, Text: "Keeps the state in the application's database.",
				Arguments: []Argument{
					{
						Name: "schema", Type: String, Default: `"anthill_state"`,
						Text: "The schema, made where it is not there.",
					}},
			},
			{Type: "state", Kind: "file", Later: true, Text: "Keeps the state in a folder."},
			{Type: "encryption", Later: true, Text: "Encrypts the state."},
		},
	}
}

func variableBlock() Block {
	return Block{
		Type: "variable", Label: "NAME", Text: "A value that is given from outside, as var.NAME.",
		Arguments: append([]Argument{
			{Name: "type", Type: TypeExpr, Default: "any", Text: "What the value must be."},
			{Name: "default", Type: Any, Text: "The value when none is given; without it one must be."},
			{Name: "description", Type: String, Text: "For people."},
		}, laterArguments("sensitive", "nullable", "ephemeral")...),
		Blocks: laterBlocks("validation"),
	}
}

func postgresBlock() Block {
	return Block{
		Type: "provider",
		Kind: "postgres",
		Once: true,
		Text: "The application's database. Its values may refer to variables and locals only.",
		Arguments: []Argument{
			{Name: "url", Type: String, Secret: true, Text: "Defaults to the environment's DATABASE_URL."},
			{
				Name: "naming", Type: String, OneOf: []string{"self_auth", "kanidm"}, Default: `"self_auth"`,
				Text: "Names of tables, columns and values.",
			},
			{
				Name: "names", Type: Names, NotNull: true,
				Text: "What is called otherwise in the database, by logical names: users of a table, \"users.email\" of a column, " +
					"\"values.dual\" of a value.",
			},
		},
	}
}

func selfauthBlock() Block {
	return Block{
		Type: "provider", Kind: "selfauth", Once: true,
		Text: "The Self-auth server. Its values may refer to variables and locals only.",
		Arguments: []Argument{
			{Name: "url", Type: String, Secret: true, Text: "Defaults to the environment's SELF_AUTH_URL."},
			{
				Name: "ca_file", Type: String,
				Text: "Certificates to trust, relative to the configuration; defaults to the environment's " +
					"SELF_AUTH_CA_FILE.",
			},
			{
				Name: "token_file", Type: String,
				Text: "File that holds the token, readable for its owner alone, relative to the configuration; " +
					"defaults to the environment's SELF_AUTH_ADMIN_TOKEN.",
			},
			{
				Name: "max_write_time", Type: Duration, Default: `"1s"`,
				Text: "How long one write may keep the server's other writes waiting; batches adapt to it.",
			},
		},
	}
}

func mailBlock() Block {
	return Block{
		Type: "provider", Kind: "mail", Once: true,
		Text: "How mails to users go out. Its values may refer to variables and locals only.",
		Arguments: []Argument{
			{
				Name: "url", Type: String, Secret: true,
				Text: "smtp://USER@HOST or smtps://; defaults to the environment's MAIL_URL. The password is in MAIL_PASSWORD.",
			},
			{
				Name: "ca_file", Type: String,
				Text: "Certificates to trust, relative to the configuration; defaults to the environment's MAIL_CA_FILE.",
			},
			{
				Name: "directory", Type: String,
				Text: "Instead: a file for each mail in this directory, relative to the configuration. With one-time codes only " +
					"where Self-auth is on this machine.",
			},
			{
				Name: "domain_rate", Type: Count, Default: "0",
				Text: "Mails a minute to the addresses of one domain; 0 is any number.",
			},
		},
	}
}

func invitationBlock() Block {
	template := Argument{
		Name: "template", Type: String,
		Text: "File with the text, relative to the configuration; Anthill's own when not given.",
	}
	link := Argument{
		Name: "link", Type: String, OneOf: []string{"code", "recover", "login", "none"}, Default: `"code"`,
		Text: "The way in: a one-time code that ends after a day, the server's page for a lost credential, its login, or none. " +
			"Who has a credential always gets the login.",
	}
	return Block{
		Type: "invitation", Once: true, Text: "The mail by which users learn how to come in, once they are moved.",
		Arguments: append([]Argument{template}, append(letterArguments(), link)...),
	}
}

func announcementBlock() Block {
	return Block{
		Type: "announcement", Once: true, Text: "The mail that says, before the wave starts, that it will. It has no code.",
		Arguments: append([]Argument{
			{
				Name: "to", Type: String, Required: true, OneOf: []string{"users", "tenant_admins"},
				Text: "To the users of the wave, or to the administrators of their tenants.",
			},
			{Name: "before", Type: Duration, Required: true, Text: "So long before the wave may start, as far as dates say."},
			{Name: "template", Type: String, Required: true, Text: "File with the text, relative to the configuration."},
		}, letterArguments()...),
	}
}

// letterArguments are those of every mail.
func letterArguments() []Argument {
	return []Argument{
		{Name: "subject", Type: String, Text: "Defaults to that of the template."},
		{Name: "from", Type: String, Required: true, Text: "Whom it is from: \"Anthill <noreply@anthill.example>\"."},
		{Name: "reply_to", Type: String, Text: "Where answers go."},
		{Name: "support", Type: String, Text: "Where people find help: an address, or a page."},
		{Name: "guide_url", Type: String, Text: "A page that explains how to come in."},
		{Name: "rate", Type: Count, Default: "0", Text: "Mails a minute; 0 is as fast as they are taken."},
	}
}

func reminderBlock() Block {
	return Block{
		Type: "reminder", Once: true, Text: "The invitation once more, for those who have not enrolled in Self-auth since.",
		Arguments: []Argument{
			{Name: "after", Type: Duration, Required: true, Text: "So long after the invitation."},
			{Name: "every", Type: Duration, Text: "And again so long after the last one."},
			{Name: "at_most", Type: Count, Text: "How many; defaults to 1, or 3 with every."},
		},
	}
}

func tenantsBlock() Block {
	return Block{
		Type: "data", Kind: "tenants", Label: "NAME",
		Text: "Live tenants, as data.tenants.NAME: a map by slug of id, slug, name, plan, status. All that is " +
			"given must hold.",
		Arguments: append([]Argument{
			{
				Name: "status", Type: Strings, NotNull: true, OneOf: []string{"active", "suspended", "cancelled"},
				Text: "By status; any when not given.",
			},
			{Name: "plans", Type: Strings, NotNull: true, Text: "By plan; any when not given."},
			{Name: "slugs", Type: Strings, NotNull: true, Text: "By slug; any when not given."},
		}, laterArguments("where", "params", "for_each")...),
	}
}

func groupBlock() Block {
	members := []Argument{
		{Name: "all", Type: Bool, NotNull: true, Default: "false", Text: "All moved users of the tenant."},
		{Name: "roles", Type: Strings, NotNull: true, Text: "Those with one of these users.role."},
		{
			Name: "manage", Type: String, OneOf: []string{"additive", "full"}, Default: `"additive"`,
			Text: "additive: only memberships that Anthill added are ever removed. full: members who are no moved " +
				"users of the tenant leave.",
		},
	}
	return Block{
		Type: "group", Label: "NAME", Text: "A group in Self-auth and the row that maps it to a tenant and a role.",
		Arguments: []Argument{
			{Name: "for_each", Type: Instances, Text: "One group for each element: each.key and each.value."},
			{Name: "tenant", Type: String, Required: true, Text: "Slug of the tenant."},
			{Name: "name", Type: String, Required: true, Text: "Name in Self-auth; slug() makes one from any text."},
			{
				Name: "role", Type: String, Required: true, OneOf: []string{"admin", "member", "viewer"},
				Text: "What its members are for the application.",
			},
			{Name: "description", Type: String, Text: "Description in Self-auth."},
			{
				Name: "adopt", Type: Bool, Default: "false",
				Text: "Take over a group with the name that is there already; it is never deleted.",
			},
		},
		Blocks: append([]Block{{
			Type: "members", Once: true, Text: "Which moved users of the tenant belong in it; nobody without it.",
			Arguments: members,
		}},
			laterBlocks("lifecycle")...),
	}
}

func tenantBlock() Block {
	return Block{
		Type: "tenant", Label: "NAME",
		Text: "A row of tenants. Only what is given is Anthill's; the row is never deleted.",
		Arguments: []Argument{
			{Name: "for_each", Type: Instances, Text: "One tenant for each element: each.key and each.value."},
			{Name: "slug", Type: String, Text: "The row's slug; the label, or the key of for_each, when not given."},
			{Name: "name", Type: String, Required: true, Text: "The tenant's name."},
			{
				Name: "plan", Type: String, OneOf: []string{"free", "starter", "professional", "enterprise"},
				Text: "The tenant's plan.",
			},
			{
				Name: "status", Type: String, OneOf: []string{"active", "suspended", "cancelled"},
				Text: "The tenant's status.",
			},
			{Name: "settings", Type: JSON, Text: "The tenant's settings, an object."},
			{Name: "adopt", Type: Bool, Default: "false", Text: "Take over a row with the slug that is there already."},
		},
		Blocks: laterBlocks("lifecycle"),
	}
}

func clientBlock() Block {
	scopes := func(name, text string) Block {
		return Block{
			Type: name, Text: text,
			Arguments: []Argument{
				{Name: "groups", Type: Groups, Required: true, Text: "Whose members get the scopes."},
				{Name: "scopes", Type: Strings, Required: true, NotNull: true, Text: "The scopes."}},
		}
	}
	return Block{
		Type: "oauth2_client", Label: "NAME",
		Text: "A client of Self-auth's login (OAuth2, OpenID Connect). Its secret is never read.",
		Arguments: []Argument{
			{Name: "for_each", Type: Instances, Text: "One client for each element: each.key and each.value."},
			{Name: "name", Type: String, Text: "The client id; the label when not given."},
			{
				Name: "type", Type: String, OneOf: []string{"confidential", "public"}, Default: `"confidential"`,
				Text: "Whether it has a secret. A change makes the client anew.",
			},
			{Name: "display_name", Type: String, Required: true, Text: "Name for people."},
			{Name: "landing_url", Type: String, Required: true, Text: "Where the application is."},
			{
				Name: "redirect_urls", Type: Strings, Required: true, NotNull: true,
				Text: "Where logins may lead to, exactly.",
			},
			{
				Name: "pkce", Type: Bool, Default: "true",
				Text: "Whether PKCE is demanded. Only a confidential client can do without.",
			},
			{
				Name: "prefer_short_names", Type: Bool, Default: "false",
				Text: "preferred_username is the name without the domain.",
			},
			{
				Name: "legacy_crypto", Type: Bool, Default: "false",
				Text: "Tokens are signed with RS256 instead of ES256.",
			},
			{
				Name: "strict_redirects", Type: Bool, Default: "true",
				Text: "Whether redirect URLs must match exactly. Servers demand it.",
			},
			{
				Name: "requested_scopes", Type: Strings,
				Text: "What the application asks for, for checks of the plan; null: all that it is given.",
			},
			{
				Name: "adopt", Type: Bool, Default: "false",
				Text: "Take over a client with the name that is there already; it is never deleted.",
			},
		},
		Blocks: append([]Block{scopes("scope_map", "Scopes for the members of groups; who is in none is refused."),
			scopes("sup_scope_map", "Scopes that the members of groups get besides."),
			{
				Type: "claim_map", Text: "Values of a claim for the members of groups.",
				Arguments: []Argument{
					{Name: "claim", Type: String, Required: true, Text: "The claim's name."},
					{Name: "groups", Type: Groups, Required: true, Text: "Whose members get the values."},
					{Name: "values", Type: Strings, Required: true, NotNull: true, Text: "The values."},
					{
						Name: "join", Type: String, OneOf: []string{"array", "csv", "ssv"}, Default: `"array"`,
						Text: "How several values are put together.",
					}},
			},
		}, laterBlocks("lifecycle")...),
	}
}

func accountBlock() Block {
	return Block{
		Type: "account_policy", Label: "NAME",
		Text: "Self-auth's own policy for the members of groups. The strongest of all that reach an account holds.",
		Arguments: []Argument{
			{Name: "groups", Type: Groups, Required: true, Text: "The groups that it is set on."},
			{
				Name: "credential_minimum", Type: String,
				OneOf: []string{"any", "external", "mfa", "passkey", "attested_passkey"},
				Text:  "The weakest credential that may be enrolled.",
			},
			{Name: "session_expiry", Type: Duration, Text: "How long a login lasts."},
			{
				Name: "privilege_expiry", Type: Duration,
				Text: "How long a session may write after logging in again; at most 1h.",
			},
			{Name: "password_minimum_length", Type: Count, Text: "Characters of a password."},
			{Name: "attestation_ca_list", Type: JSON, Text: "Authorities of passkeys, as Self-auth writes them."},
			{Name: "search_max_results", Type: Count, Text: "Entries that a search may return."},
			{Name: "search_max_filter_test", Type: Count, Text: "Entries that a search may test."},
			{
				Name: "primary_cred_fallback", Type: Bool,
				Text: "Whether a POSIX login may fall back on the primary credential.",
			},
		},
		Blocks: laterBlocks("lifecycle"),
	}
}

func policyBlock() Block {
	return Block{
		Type: "auth_policy", Label: "NAME", Text: "What a wave does to a user's way of logging in.",
		Arguments: append([]Argument{
			{
				Name:     "method",
				Type:     String,
				Required: true,
				OneOf:    []string{"dual", "self_auth"},
				Text:     "Which ways to log in. dual is password and Self-auth, self_auth is Self-auth alone.",
			},
			{
				Name: "from", Type: Reference, Refers: "auth_policy",
				Text: "The policy under which users were moved whom this one raises. self_auth needs it.",
			},
			{
				Name: "complete_on", Type: String, OneOf: []string{"first_login", "link"}, Default: `"first_login"`,
				Text: "When migration_completed_at is written. link: when the row is linked; who counts as completed has logged in all the same.",
			},
			{
				Name: "password_until", Type: Date,
				Text: "Until then the password stays a way to log in: no wave raises who was moved under this policy.",
			},
		}, laterArguments("for_each")...),
		Blocks: laterBlocks("lifecycle"),
	}
}

func identityBlock() Block {
	return Block{
		Type: "identity", Once: true, Text: "How a user becomes a person.",
		Arguments: []Argument{
			{
				Name: "name", Type: UserText, Default: `"` + defaultName + `"`,
				Text: "The person's name, cleaned to what Self-auth takes.",
			},
			{Name: "display_name", Type: UserText, Text: "Defaults to the full name, else the address's local part."},
			{
				Name: "shared_email", Type: String, OneOf: []string{"skip", "error", "first_tenant"},
				Default: `"skip"`, Text: "What to do with live users that share an address.",
			},
			{
				Name: "unverified", Type: String, OneOf: []string{"allow", "skip"}, Default: `"allow"`,
				Text: "What to do with unverified addresses.",
			},
			{
				Name: "adopt", Type: String, OneOf: []string{"none", "mail"}, Default: `"none"`,
				Text: "mail: a person who holds the user's verified address already is taken over.",
			},
			{
				Name: "follow", Type: Strings, OneOf: []string{"mail", "status"}, Default: `["mail", "status"]`,
				Text: "What of the person is kept in step with the row after the move.",
			},
			{
				Name: "mail", Type: String, OneOf: []string{"required", "omit"}, Default: `"required"`,
				Text: "omit: who shares an address, has none, or one that Self-auth refuses, becomes a person without it.",
			},
		},
	}
}

func waveBlock() Block {
	users := Block{
		Type: "users", Required: true,
		Text: "Users of the wave: all that one block says must hold, one block of several suffices.",
		Arguments: append([]Argument{
			{Name: "all", Type: Bool, NotNull: true, Default: "false", Text: "Everybody else."},
			{Name: "tenants", Type: Strings, NotNull: true, Text: "Slugs; an empty set selects nobody."},
			{Name: "roles", Type: Strings, NotNull: true, Text: "Values of users.role; an empty set selects nobody."},
			{
				Name: "percent", Type: Percent, NotNull: true,
				Text: "A share, by the user's id: the same users in every wave.",
			},
		}, laterArguments("where", "params")...),
	}
	gates := Argument{Name: "gates", Type: References, Refers: "gate", Text: "All must be open."}
	return Block{
		Type: "wave", Label: "NAME", Text: "Users that are moved together.",
		Arguments: append([]Argument{
			{
				Name: "auth_policy", Type: Reference, Refers: "auth_policy", Required: true,
				Text: "What happens to them.",
			},
			{
				Name: "enabled", Type: Bool, Default: "true",
				Text: "A disabled wave claims nobody and stands for its own predecessors.",
			},
			{
				Name: "max_failures", Type: Count, Default: "0",
				Text: "So many users may fail before the wave counts as not moved.",
			},
			{
				Name: "allow_empty", Type: Bool, Default: "false",
				Text: "Whether a wave that matches nobody opens the next one.",
			},
			{
				Name: "steps", Type: Percents,
				Text: "Rising percentages, the last one 100: the wave is so many waves in a row, each with its finish.",
			},
			{
				Name: "late", Type: String, OneOf: []string{"join", "ignore"}, Default: `"join"`,
				Text: "Whether users who match when the wave is done are moved by the next apply, or left.",
			},
		}, laterArguments("for_each")...),
		Blocks: append([]Block{users,
			{
				Type: "start", Once: true, Text: "When the wave may start: all must hold.",
				Arguments: []Argument{
					{Name: "after", Type: References, Refers: "wave", Text: "Waves that must be done."},
					{Name: "at", Type: Time, Text: "Not before."}, gates},
			},
			{
				Type: "finish", Once: true, Text: "When the wave, its users moved, is done: all must hold.",
				Arguments: []Argument{
					{Name: "soak", Type: Duration, Text: "So long after the last run that moved somebody."}, gates},
			},
			windowBlock(), invitationBlock(), reminderBlock(), announcementBlock(),
		}, laterBlocks("lifecycle")...),
	}
}

func windowBlock() Block {
	return Block{
		Type: "window", Once: true, Text: "When an apply may move users of the wave, by the clock on the wall; all else goes on at any time.",
		Arguments: []Argument{
			{
				Name: "days", Type: Strings, NotNull: true,
				Text: "mon, tue, wed, thu, fri, sat, sun, or a span of them like mon-fri; all when not given.",
			},
			{Name: "from", Type: String, Default: `"00:00"`, Text: "When it opens on such a day."},
			{
				Name: "to", Type: String, Default: `"24:00"`,
				Text: "When it is shut. Before from: on the day after, so that 22:00 to 04:00 belongs to the day on which it begins.",
			},
			{Name: "zone", Type: String, Default: `"UTC"`, Text: "Whose clock: a zone of the IANA database."},
		},
		Blocks: []Block{{
			Type: "except", Text: "A freeze, in which it stays shut.",
			Arguments: []Argument{
				{
					Name: "from", Type: String, Required: true,
					Text: "The first day, in the window's zone, or a time as in RFC 3339.",
				},
				{Name: "to", Type: String, Required: true, Text: "The last day, or the time at which it is over."},
				{Name: "reason", Type: String, Required: true, Text: "Why, for whoever reads the plan."},
			},
		}},
	}
}

func gateBlock() Block {
	return Block{
		Type: "gate", Label: "NAME", Text: "A check that waves wait for.",
		Arguments: append([]Argument{
			{Name: "manual", Type: Bool, Text: "Opened by hand, with `anthill wave confirm`: true."},
			{
				Name: "condition", Type: ConditionExpr,
				Text: "Opened by the figures of the wave that uses it: wave.completed >= 0.5 * wave.moved. With manual: what the value " +
					"that it is confirmed with must fulfil: result.value >= 4.5.",
			},
			{
				Name: "per", Type: String, OneOf: []string{"wave", "tenant"}, Default: `"wave"`,
				Text: "tenant: with manual, each tenant of the wave is confirmed by itself, and the others wait.",
			},
			{
				Name: "no_data", Type: String, OneOf: []string{"wait", "fail", "pass"}, Default: `"wait"`,
				Text: "What a condition is that has no data, as it divides by zero or a figure is not known.",
			},
		}, laterArguments("sql", "params", "for_each")...),
		Blocks: laterBlocks("http", "file", "lifecycle"),
	}
}

func guardBlock() Block {
	return Block{
		Type: "guard", Once: true, Text: "Brakes.",
		Arguments: []Argument{
			{Name: "max_users_changed_percent", Type: Percent, Default: "30", Text: "Of the live users, in one plan."},
			{
				Name: "max_removed_percent", Type: Percent, Default: "5",
				Text: "Of the live users, in one plan: those who lose a link, a membership or a person that is not expired.",
			},
			{
				Name: "min_population", Type: Count, Default: "20",
				Text: "With fewer live users percentages do not bite.",
			},
			{
				Name: "keep_admins", Type: Count, Default: "1",
				Text: "Administrators of a tenant who can still log in after a plan that takes one away.",
			},
		},
	}
}

func allowBlock() Block {
	return Block{
		Type: "allow", Label: "CODE",
		Text: "Allows a hazard of plans that are made from the configuration, until a moment. A rollback has -allow alone.",
		Arguments: []Argument{
			{Name: "count", Type: Count, Text: "Of exactly this count; of any when not given."},
			{Name: "reason", Type: String, Required: true, Text: "Why, for whoever reads the plan."},
			{
				Name: "until", Type: Time, Required: true,
				Text: "From then on it allows nothing, and plans that rest on it are refused.",
			},
		},
	}
}
