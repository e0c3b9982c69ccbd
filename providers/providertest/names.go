package providertest

import (
	"strings"

	"github.com/google/uuid"
)

// Templates of identity.name.
const (
	byTenant   = "${user.tenant_slug}.${user.email_local}" // the default
	byLocal    = "${user.email_local}"
	byFullName = "${user.full_name}"
	byMail     = "${user.email}"
	byUserID   = "${user.user_id}"
	byNumber   = "${parseint(user.full_name, 10)}" // fails where that is no number
)

// Name is a user, and the name of the person that moving it makes. The planner's test proves that a plan makes it; Run
// proves that a server takes it.
type Name struct {
	Case     string // what it shows, each once; the user's id follows from it
	Template string // of identity.name; users of one template are in one plan
	Tenant   string // slug
	Mail     string // address of the row
	FullName string
	Person   string // name of the person; "" where the user is skipped
	Skip     string // why it is, by the code of planner.SkipReason
	Display  string // display name, where it is neither FullName nor, as that is empty, the address's local part
	Keeps    bool   // there is a person for the user already, and it keeps its name, Person
}

// User is the id of the row. A suffix of Person is the beginning of its SHA-256.
func (n Name) User() uuid.UUID {
	return uuid.NewSHA1(uuid.MustParse("6f1d3a54-9d0b-4c0e-8f5e-0d6a3b1c2e4f"), []byte(n.Case))
}

// Shown is the person's display name.
func (n Name) Shown() string {
	local, _, _ := strings.Cut(n.Mail, "@")
	switch {
	case n.Display != "":
		return n.Display
	case n.FullName != "":
		return n.FullName
	}
	return local
}

// Names are the cases, a new list for each caller. Persons that are made differ from each other in name and address.
func Names() (all []Name) {
	for _, part := range []struct {
		template string
		names    []Name
	}{
		{byTenant, []Name{
			{Case: "plain", Tenant: "acme", Mail: "kim@names.example", Person: "acme.kim"},
			{Case: "another tenant", Tenant: "globex", Mail: "kim2@names.example", Person: "globex.kim2"},
			{Case: "upper case", Tenant: "acme", Mail: "KIM.Lee@names.example", Person: "acme.kim.lee"},
			{Case: "plus", Tenant: "acme", Mail: "ola+news@names.example", Person: "acme.ola-news"},
			{Case: "two pluses in a row", Tenant: "acme", Mail: "ola++x@names.example", Person: "acme.ola-x"},
			{Case: "dots", Tenant: "acme", Mail: "a.b.c@names.example", Person: "acme.a.b.c"},
			{Case: "dot first", Tenant: "acme", Mail: ".ana@names.example", Person: "acme..ana"},
			{Case: "dot last", Tenant: "acme", Mail: "anna.@names.example", Person: "acme.anna"},
			{Case: "dots in a row", Tenant: "acme", Mail: "bo..bo@names.example", Person: "acme.bo..bo"},
			{Case: "underscore", Tenant: "acme", Mail: "under_score@names.example", Person: "acme.under_score"},
			{Case: "underscore last", Tenant: "acme", Mail: "tail_@names.example", Person: "acme.tail"},
			{Case: "hyphens in a row", Tenant: "acme", Mail: "x--y@names.example", Person: "acme.x-y"},
			{Case: "hyphen first", Tenant: "acme", Mail: "-dash@names.example", Person: "acme.-dash"},
			{Case: "apostrophe", Tenant: "acme", Mail: "o'brien@names.example", Person: "acme.o-brien"},
			{Case: "digits alone", Tenant: "acme", Mail: "007@names.example", Person: "acme.007"},
			{Case: "every sign that an address may have", Tenant: "acme", Mail: "!#$%&'*+/=?^_`{|}~-@names.example",
				Person: "acme-cb2ed0a5"},
			{Case: "a plus alone", Tenant: "acme", Mail: "+@names.example", Person: "acme-6a7bd07a"},
			{Case: "local part of 64", Tenant: "acme", Mail: strings.Repeat("l", 64) + "@names.example",
				Person: "acme." + strings.Repeat("l", 50) + "-99d9808e"},
			{Case: "local part of 300", Tenant: "acme", Mail: strings.Repeat("m", 300) + "@names.example",
				Person: "acme." + strings.Repeat("m", 50) + "-219054ac"},
			{Case: "59 letters behind the tenant fill a name", Tenant: "acme", Mail: strings.Repeat("n", 59) +
				"@names.example", Person: "acme." + strings.Repeat("n", 59)},
			{Case: "60 do not", Tenant: "acme", Mail: strings.Repeat("o", 60) + "@names.example", Person: "acme." +
				strings.Repeat("o", 50) + "-193fad04"},
			{Case: "a cut behind a dot", Tenant: "acme", Mail: strings.Repeat("p", 49) +
				".qqqqqqqqqqqqqqqqqqqq@names.example", Person: "acme." + strings.Repeat("p", 49) + "-62a72090"},
			{Case: "a slug with capitals and an accent", Tenant: "Café", Mail: "eve@names.example", Person: "cafe.eve"},
			{Case: "a slug of digits", Tenant: "42", Mail: "ute@names.example", Person: "u-42.ute"},
			{Case: "collision in one tenant: plus", Tenant: "acme", Mail: "jan+1@names.example",
				Person: "acme.jan-1-1c1c110b"},
			{Case: "collision in one tenant: hyphen", Tenant: "acme", Mail: "jan-1@names.example",
				Person: "acme.jan-1-81aeeced"},
			{Case: "collision in one tenant: slash", Tenant: "acme", Mail: "jan/1@names.example",
				Person: "acme.jan-1-a90fa668"},
			{Case: "collision across tenants, by a dot in the local part", Tenant: "acme",
				Mail: "eu.max@names.example", Person: "acme.eu.max-f4598c65"},
			{Case: "collision across tenants, by a dot in the slug", Tenant: "acme.eu", Mail: "max@names.example",
				Person: "acme.eu.max-7c2ea60b"},
			{Case: "collision with a user who is not moved", Tenant: "acme", Mail: "mia+x@names.example",
				Person: "acme.mia-x-edde0115"},
			{Case: "inactive, though its name counts", Tenant: "acme", Mail: "mia-x@names.example", Skip: "inactive"},
			{Case: "a deleted row's name is free", Tenant: "acme", Mail: "tom+x@names.example", Person: "acme.tom-x"},
			{Case: "collision with a group", Tenant: "acme", Mail: "staff@names.example",
				Person: "acme.staff-ae3cee0c"},
			{Case: "collision with a client", Tenant: "acme", Mail: "portal@names.example",
				Person: "acme.portal-fbe3839b"},
			{Case: "collision with a client that the plan makes", Tenant: "acme", Mail: "shop@names.example",
				Person: "acme.shop-ec476045"},
			{Case: "collision with a service account", Tenant: "acme", Mail: "robot@names.example",
				Person: "acme.robot-db914ace"},
			{Case: "collision with somebody else's person", Tenant: "acme", Mail: "lena@names.example",
				Person: "acme.lena-6e74b710"},
			{Case: "collision with an expired person", Tenant: "acme", Mail: "nina@names.example",
				Person: "acme.nina-3e502e8c"},
			{Case: "collision with a person of ours", Tenant: "acme", Mail: "rosa+x@names.example",
				Person: "acme.rosa-x-b74128b9"},
			{Case: "a person of ours, by its id", Tenant: "acme", Mail: "rosa-x@names.example", Person: "acme.rosa-x",
				Keeps: true},
			{Case: "linked to a person of ours", Tenant: "acme", Mail: "iris@names.example", Person: "acme.iris.old",
				Keeps: true},
			{Case: "linked to somebody else's person", Tenant: "acme", Mail: "olga@names.example", Person: "olga",
				Keeps: true},
			{Case: "a person with the address is taken over", Tenant: "acme", Mail: "vera@names.example",
				Person: "vera.v", Keeps: true},
			{Case: "taken over, whatever the address's case", Tenant: "acme", Mail: "Vera.W@names.example",
				Person: "vera.w", Keeps: true},
			{Case: "the same address, never verified", Tenant: "acme", Mail: "vera.x@names.example",
				Skip: "email_taken"},
			{Case: "two persons with the address, but for case", Tenant: "acme", Mail: "vera.z@names.example",
				Skip: "email_taken"},
			{Case: "linked to a person that is not there", Tenant: "acme", Mail: "gone@names.example",
				Skip: "link_unknown"},
			{Case: "suspended tenant", Tenant: "initech", Mail: "sus@names.example", Skip: "tenant_suspended"},
			// Addresses: those that Self-auth takes, and those that it does not.
			{Case: "no address", Tenant: "acme", Mail: "", Skip: "no_email"},
			{Case: "blanks alone", Tenant: "acme", Mail: "   ", Skip: "no_email"},
			{Case: "no at", Tenant: "acme", Mail: "mail-a.names.example", Skip: "email_refused"},
			{Case: "two ats", Tenant: "acme", Mail: "mail-b@@names.example", Skip: "email_refused"},
			{Case: "two ats apart", Tenant: "acme", Mail: "mail-c@x@names.example", Skip: "email_refused"},
			{Case: "nothing before the at", Tenant: "acme", Mail: "@names.example", Skip: "email_refused"},
			{Case: "nothing behind it", Tenant: "acme", Mail: "mail-d@", Skip: "email_refused"},
			{Case: "a blank inside", Tenant: "acme", Mail: "mail e@names.example", Skip: "email_refused"},
			{Case: "a blank in the domain", Tenant: "acme", Mail: "mail-f@names example", Skip: "email_refused"},
			{Case: "a blank first", Tenant: "acme", Mail: " mail-g@names.example", Skip: "email_refused"},
			{Case: "a line end last", Tenant: "acme", Mail: "mail-h@names.example\n", Skip: "email_refused"},
			{Case: "quoted local part", Tenant: "acme", Mail: "\"mail-i\"@names.example", Skip: "email_refused"},
			{Case: "unicode local part", Tenant: "acme", Mail: "mäil@names.example", Skip: "email_refused"},
			{Case: "unicode domain", Tenant: "acme", Mail: "mail-j@nämes.example", Skip: "email_refused"},
			{Case: "its punycode", Tenant: "acme", Mail: "mail-k@xn--nmes-loa.example", Person: "acme.mail-k"},
			{Case: "an address literal", Tenant: "acme", Mail: "mail-l@[192.0.2.1]", Skip: "email_refused"},
			{Case: "an address of digits", Tenant: "acme", Mail: "mail-m@192.0.2.1", Person: "acme.mail-m"},
			{Case: "underscore in the domain", Tenant: "acme", Mail: "mail-n@na_mes.example", Skip: "email_refused"},
			{Case: "no dot in the domain", Tenant: "acme", Mail: "mail-o@names", Person: "acme.mail-o"},
			{Case: "capitals in the domain", Tenant: "acme", Mail: "mail-p@NAMES.Example", Person: "acme.mail-p"},
			{Case: "label of 63", Tenant: "acme", Mail: "mail-q@" + strings.Repeat("d", 63) + ".example",
				Person: "acme.mail-q"},
			{Case: "label of 64", Tenant: "acme", Mail: "mail-r@" + strings.Repeat("d", 64) + ".example",
				Skip: "email_refused"},
			{Case: "domain of 329", Tenant: "acme",
				Mail: "mail-s@" + strings.Repeat("abcdefghij.", 29) + "example", Person: "acme.mail-s"},
			{Case: "dot behind the domain", Tenant: "acme", Mail: "mail-t@names.example.", Skip: "email_refused"},
			{Case: "dots in a row in the domain", Tenant: "acme", Mail: "mail-u@names..example", Skip: "email_refused"},
			{Case: "label that begins with a hyphen", Tenant: "acme", Mail: "mail-v@-names.example",
				Skip: "email_refused"},
			{Case: "label that ends with a hyphen", Tenant: "acme", Mail: "mail-w@names-.example",
				Skip: "email_refused"},
			{Case: "a comma", Tenant: "acme", Mail: "mail,x@names.example", Skip: "email_refused"},
			{Case: "a name before it", Tenant: "acme", Mail: "Mail <mail-y@names.example>", Skip: "email_refused"},
			{Case: "a scheme before it", Tenant: "acme", Mail: "mailto:mail-z@names.example", Skip: "email_refused"},
			{Case: "a blank of no width", Tenant: "acme", Mail: "mail\u200b@names.example", Skip: "email_refused"},
			{Case: "the same address twice: one tenant", Tenant: "acme", Mail: "twice@names.example",
				Skip: "shared_email"},
			{Case: "the same address twice: another tenant", Tenant: "globex", Mail: "twice@names.example",
				Skip: "shared_email"},
			{Case: "the same address but for case", Tenant: "acme", Mail: "Both@names.example", Skip: "shared_email"},
			{Case: "the same address in lower case", Tenant: "globex", Mail: "both@names.example",
				Skip: "shared_email"},
		}},
		{byLocal, []Name{
			{Case: "one letter", Tenant: "acme", Mail: "k@local.example", Person: "k"},
			{Case: "the letter that stands before digits", Tenant: "acme", Mail: "u@local.example", Person: "u"},
			{Case: "digit first", Tenant: "acme", Mail: "42kim@local.example", Person: "u-42kim"},
			{Case: "one digit", Tenant: "acme", Mail: "7@local.example", Person: "u-7"},
			{Case: "hyphen first, alone", Tenant: "acme", Mail: "-lone@local.example", Person: "lone"},
			{Case: "dot first, alone", Tenant: "acme", Mail: ".dora@local.example", Person: "dora"},
			{Case: "underscore first", Tenant: "acme", Mail: "_ed@local.example", Person: "ed"},
			{Case: "signs alone", Tenant: "acme", Mail: "+++@local.example", Person: "u-8a243bd9"},
			{Case: "root", Tenant: "acme", Mail: "root@local.example", Person: "root-61a26dc6"},
			{Case: "Root in capitals", Tenant: "acme", Mail: "ROOT@local2.example", Person: "root-7b25f129"},
			{Case: "root with a dot", Tenant: "acme", Mail: "root.@local.example", Person: "root-c0f42439"},
			{Case: "a word of the token's", Tenant: "acme", Mail: "dn=token@local.example", Person: "dn-token"},
			{Case: "a built-in account", Tenant: "acme", Mail: "idm_admin@local.example", Person: "idm_admin-53541222"},
			{Case: "the other", Tenant: "acme", Mail: "Admin@local.example", Person: "admin-1d44b822"},
			{Case: "nobody who logs in", Tenant: "acme", Mail: "anonymous@local.example", Person: "anonymous-cadf6a1b"},
			{Case: "a built-in group", Tenant: "acme", Mail: "idm_all_persons@local.example",
				Person: "idm_all_persons-b91535b3"},
			{Case: "a group of ours", Tenant: "acme", Mail: "tenant_acme_users@local.example",
				Person: "tenant_acme_users-af5695d9"},
			{Case: "not reserved: nobody", Tenant: "acme", Mail: "nobody@local.example", Person: "nobody"},
			{Case: "not reserved: null", Tenant: "acme", Mail: "null@local.example", Person: "null"},
			{Case: "not reserved: true", Tenant: "acme", Mail: "true@local.example", Person: "true"},
			{Case: "not reserved: self", Tenant: "acme", Mail: "self@local.example", Person: "self"},
			{Case: "not reserved: token", Tenant: "acme", Mail: "token@local.example", Person: "token"},
			{Case: "not reserved: system", Tenant: "acme", Mail: "system@local.example", Person: "system"},
			{Case: "not reserved: daemon", Tenant: "acme", Mail: "daemon@local.example", Person: "daemon"},
			{Case: "a UUID", Tenant: "acme", Mail: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11@local.example",
				Person: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-818e677e"},
			{Case: "a UUID in capitals", Tenant: "acme", Mail: "B0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11@local.example",
				Person: "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-fc1a74c7"},
			{Case: "a UUID without hyphens", Tenant: "acme", Mail: "c0eebc999c0b4ef8bb6d6bb9bd380a11@local.example",
				Person: "c0eebc999c0b4ef8bb6d6bb9bd380a11-cd0c0ec3"},
			{Case: "a UUID that a digit begins", Tenant: "acme",
				Mail:   "10eebc99-9c0b-4ef8-bb6d-6bb9bd380a11@local.example",
				Person: "u-10eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
			{Case: "a UUID short of a digit", Tenant: "acme",
				Mail:   "d0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1@local.example",
				Person: "d0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"},
			{Case: "a UUID between two letters", Tenant: "acme",
				Mail:   "xe0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11y@local.example",
				Person: "xe0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11y"},
			{Case: "64 letters", Tenant: "acme", Mail: strings.Repeat("r", 64) + "@local.example",
				Person: strings.Repeat("r", 64)},
			{Case: "65 letters", Tenant: "acme", Mail: strings.Repeat("s", 65) + "@local.example",
				Person: strings.Repeat("s", 55) + "-0fb54318"},
			{Case: "65 letters, and another end", Tenant: "acme", Mail: strings.Repeat("s", 64) + "t@local.example",
				Person: strings.Repeat("s", 55) + "-a4a1a288"},
			{Case: "64 letters and a plus", Tenant: "acme", Mail: strings.Repeat("v", 64) + "+@local.example",
				Person: strings.Repeat("v", 64)},
			{Case: "62 digits", Tenant: "acme", Mail: strings.Repeat("1", 62) + "@local.example", Person: "u-" +
				strings.Repeat("1", 62)},
			{Case: "63 digits", Tenant: "acme", Mail: strings.Repeat("2", 63) + "@local.example", Person: "u-" +
				strings.Repeat("2", 53) + "-f97c41ca"},
			{Case: "a cut behind a letter and a dot", Tenant: "acme", Mail: strings.Repeat("w", 54) +
				".xxxxxxxxxxxxxxxxxxxx@local.example", Person: strings.Repeat("w", 54) + "-03b79f84"},
			{Case: "a cut behind many signs", Tenant: "acme", Mail: "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" +
				strings.Repeat(".", 40) + "z@local.example", Person: "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy-ba2127c5"},
			{Case: "across tenants: first", Tenant: "acme", Mail: "max@local.example", Person: "max-5d25cf27"},
			{Case: "across tenants: second", Tenant: "globex", Mail: "max@local2.example", Person: "max-e01d55ff"},
			{Case: "across tenants: capitals", Tenant: "globex", Mail: "MAX@local3.example", Person: "max-bc1ce15b"},
		}},
		{byFullName, []Name{
			{Case: "accents", Tenant: "acme", Mail: "full-0@full.example", FullName: "Zoë Ångström",
				Person: "zoe-angstrom"},
			{Case: "accents that combine", Tenant: "acme", Mail: "full-1@full.example", FullName: "Chloe\u0308 Bright",
				Person: "chloe-bright"},
			{Case: "Polish", Tenant: "acme", Mail: "full-2@full.example", FullName: "Łukasz Żółć",
				Person: "lukasz-zolc"},
			{Case: "German", Tenant: "acme", Mail: "full-3@full.example", FullName: "Grete Weiß",
				Person: "grete-weiss"},
			{Case: "German capitals", Tenant: "acme", Mail: "full-4@full.example", FullName: "JOST GROẞ",
				Person: "jost-gross"},
			{Case: "French and Danish", Tenant: "acme", Mail: "full-5@full.example", FullName: "Æsa Œuvre-Ørsted",
				Person: "aesa-oeuvre-orsted"},
			{Case: "Icelandic", Tenant: "acme", Mail: "full-6@full.example", FullName: "Þór Ðan", Person: "thor-dan"},
			{Case: "Vietnamese", Tenant: "acme", Mail: "full-7@full.example", FullName: "Đặng Văn Ngữ",
				Person: "dang-van-ngu"},
			{Case: "Turkish", Tenant: "acme", Mail: "full-8@full.example", FullName: "Işıl İnce", Person: "isil-ince"},
			{Case: "Maltese and Sami", Tenant: "acme", Mail: "full-9@full.example", FullName: "Ħal Ŋo",
				Person: "hal-no"},
			{Case: "Cyrillic", Tenant: "acme", Mail: "full-10@full.example", FullName: "Иван Петров",
				Person: "u-32d7e032"},
			{Case: "Chinese", Tenant: "acme", Mail: "full-11@full.example", FullName: "李小龍", Person: "u-77aa82d9"},
			{Case: "Arabic", Tenant: "acme", Mail: "full-12@full.example", FullName: "علي", Person: "u-d4e8b945"},
			{Case: "two scripts", Tenant: "acme", Mail: "full-13@full.example", FullName: "Иван Smith",
				Person: "smith"},
			{Case: "wide letters", Tenant: "acme", Mail: "full-14@full.example", FullName: "Ａｄａ Ｌ", Person: "ada-l"},
			{Case: "a ligature", Tenant: "acme", Mail: "full-15@full.example", FullName: "ﬁona", Person: "fiona"},
			{Case: "letters of mathematics", Tenant: "acme", Mail: "full-16@full.example", FullName: "𝓚𝓲𝓶 𝐿",
				Person: "kim-l"},
			{Case: "a trade mark", Tenant: "acme", Mail: "full-17@full.example", FullName: "Acme™ Bot",
				Person: "acmetm-bot"},
			{Case: "a sign of two letters", Tenant: "acme", Mail: "full-18@full.example", FullName: "№ One",
				Person: "no-one"},
			{Case: "a Roman number", Tenant: "acme", Mail: "full-19@full.example", FullName: "Ⅷ King",
				Person: "viii-king"},
			{Case: "a raised digit first", Tenant: "acme", Mail: "full-20@full.example", FullName: "²nd Floor",
				Person: "u-2nd-floor"},
			{Case: "the Kelvin sign", Tenant: "acme", Mail: "full-21@full.example", FullName: "\u212aelvin",
				Person: "kelvin"},
			{Case: "a long s", Tenant: "acme", Mail: "full-22@full.example", FullName: "ſam", Person: "sam"},
			{Case: "a blank that does not break", Tenant: "acme", Mail: "full-23@full.example",
				FullName: "Jo\u00a0Ann", Person: "jo-ann"},
			{
				Case:     "a blank of no width inside",
				Tenant:   "acme",
				Mail:     "full-24@full.example",
				FullName: "Ma\u200bx Q",
				Person:   "ma-x-q",
				Display:  "Ma x Q",
			},
			{Case: "a hyphen that may show", Tenant: "acme", Mail: "full-25@full.example", FullName: "Hy\u00adphen",
				Person: "hy-phen"},
			{
				Case:     "letters turned round",
				Tenant:   "acme",
				Mail:     "full-26@full.example",
				FullName: "\u202eoreZ",
				Person:   "orez",
				Display:  "oreZ",
			},
			{Case: "an emoji", Tenant: "acme", Mail: "full-27@full.example", FullName: "😀 Joy", Person: "joy"},
			{
				Case:     "blanks around",
				Tenant:   "acme",
				Mail:     "full-28@full.example",
				FullName: "  Spaced   Out ",
				Person:   "spaced-out",
				Display:  "Spaced   Out",
			},
			{Case: "a tab and a line end", Tenant: "acme", Mail: "full-29@full.example", FullName: "Tab\tBy\nLine",
				Person: "tab-by-line", Display: "Tab By Line"},
			{Case: "a control character above ASCII", Tenant: "acme", Mail: "full-30@full.example",
				FullName: "Nel\u0085Son", Person: "nel-son", Display: "Nel Son"},
			{Case: "a line separator", Tenant: "acme", Mail: "full-31@full.example", FullName: "Ls\u2028Ps\u2029",
				Person: "ls-ps", Display: "Ls Ps"},
			{Case: "a curved apostrophe", Tenant: "acme", Mail: "full-32@full.example", FullName: "D’Arcy Ä",
				Person: "d-arcy-a"},
			{Case: "quotes and brackets", Tenant: "acme", Mail: "full-33@full.example",
				FullName: "<b>\"Ed\" & 'Al'</b>", Person: "b-ed-al-b"},
			{Case: "no full name", Tenant: "acme", Mail: "full-34@full.example", Person: "u-5846bc25"},
			{Case: "blanks for a full name", Tenant: "acme", Mail: "full-35@full.example", FullName: " \t ",
				Person: "u-be19d81c", Display: "full-35"},
			{Case: "a full name of 200", Tenant: "acme", Mail: "full-36@full.example",
				FullName: strings.Repeat("N", 200), Person: strings.Repeat("n", 55) + "-51a78f9e"},
			{Case: "a UUID for a full name", Tenant: "acme", Mail: "full-37@full.example",
				FullName: "A1EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
				Person:   "a1eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-b67383a3"},
			{Case: "same but for accents: with", Tenant: "acme", Mail: "full-38@full.example", FullName: "Renée Roy",
				Person: "renee-roy-862b09ce"},
			{Case: "same but for accents: without", Tenant: "globex", Mail: "full-39@full.example",
				FullName: "Renee Roy", Person: "renee-roy-bb4c5eb6"},
			{Case: "same but for a hyphen", Tenant: "globex", Mail: "full-40@full.example", FullName: "Renee-Roy",
				Person: "renee-roy-c5f1d9e5"},
		}},
		{byMail, []Name{
			{Case: "an address", Tenant: "acme", Mail: "kim@whole.example", Person: "kim-whole.example"},
			{Case: "an address with a plus", Tenant: "acme", Mail: "a+b@c.whole.example",
				Person: "a-b-c.whole.example-9c851113"},
			{Case: "one that looks the same then", Tenant: "globex", Mail: "a@b-c.whole.example",
				Person: "a-b-c.whole.example-76fa81a2"},
			{Case: "a digit first in an address", Tenant: "acme", Mail: "1a@whole.example",
				Person: "u-1a-whole.example"},
		}},
		{byUserID, []Name{
			{Case: "a user id", Tenant: "acme", Mail: "id@id.example",
				Person: "b920215e-a7f9-50af-8b94-30788a0afe00-14dc7bd6"},
			{Case: "another user id", Tenant: "acme", Mail: "id2@id.example",
				Person: "u-56d2d65e-f09f-51fe-91c1-c733608a7c1c"},
		}},
		{byNumber, []Name{
			{Case: "a number", Tenant: "acme", Mail: "r1@number.example", FullName: "42", Person: "u-42"},
			{Case: "no number", Tenant: "acme", Mail: "r2@number.example", FullName: "forty-two", Skip: "name"},
		}},
	} {
		for _, n := range part.names {
			n.Template = part.template
			all = append(all, n)
		}
	}
	return all
}
