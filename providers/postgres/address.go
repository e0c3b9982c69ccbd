package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/internal/regex"
	"anthill/state"
)

// An address that is badly written has parts of the password in other places: where it is taken apart, and where the server
// answers to what came of it. So nothing of one is shown that could be such a part.

var (
	scheme = regex.Lazy(`^[A-Za-z][A-Za-z0-9+.:-]*://`)
	// A key of key=value. What the server calls the name of a setting has dots besides.
	keyword = regex.Lazy(`^\s*[A-Za-z_][A-Za-z0-9_.]*\s*=`)
	// What a query looks like: a host, or a role, in front of it is no longer one.
	queryLike = regex.Lazy(`\?[A-Za-z_]+=`)
	hostLike  = regex.Lazy(`^(/.*|[\pL\pN_.:%-]+)$`)
	notCoded  = regex.Lazy(`%($|[^0-9A-Fa-f]|.$|.[^0-9A-Fa-f])`)
)

// holdsAt are the settings whose values may well hold an @ that is not percent-encoded, such as the path of a certificate.
var holdsAt = map[string]bool{
	"application_name": true, "dbname": true, "host": true, "krbspn": true, "krbsrvname": true, "options": true, "passfile": true,
	"password": true, "search_path": true, "service": true, "servicefile": true, "sslcert": true, "sslkey": true,
	"sslpassword": true, "sslrootcert": true, "user": true,
}

// isURL reports whether an address is a URL of Postgres, and not key=value.
func isURL(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// misread finds in the address of a database the character of a password, or role, that would end it as it is not
// percent-encoded: the rest would count as the host, which messages name. "": there is none. known is false for what is neither a
// URL of Postgres nor begins as key=value: all of it would count as the name of a setting.
func misread(address string) (character string, known bool) {
	found := scheme().FindString(address)
	if found == "" {
		// What is not a key later on ends the reading.
		return "", strings.TrimSpace(address) == "" || keyword().MatchString(address)
	}
	if !isURL(address) {
		return "", false
	}
	rest := strings.TrimPrefix(address, found)
	switch {
	case strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return " ", true
	case notCoded().MatchString(rest):
		return "%", true
	}
	// As the driver has it, and libpq: only a slash keeps an @ from ending the password.
	login, behind := "", rest
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		login, behind = rest[:i], rest[i+1:]
	}
	authority, path := behind, ""
	if i := strings.IndexAny(behind, "/?"); i >= 0 {
		authority, path = behind[:i], behind[i:]
	}
	path, query, _ := strings.Cut(path, "?")
	stray := strings.Contains(authority+path, "@") || hostIn(query)
	switch {
	case stray && login == "":
		return "/", true
	case stray:
		return "@", true
	}
	if role, _, _ := strings.Cut(login, ":"); queryLike().MatchString(login) || strings.Contains(role, "?") {
		return "?", true
	}
	return "", true
}

// hostIn reports whether a query is what follows a question mark in a password, with the host behind it.
func hostIn(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if strings.Contains(key, "@") || strings.Contains(value, "@") && !holdsAt[key] {
			return true
		}
	}
	return false
}

const readingAddress = "read the database's URL"

// mistake is the error of an address that no connection can be made with.
func mistake(reason, cure string) *state.Error {
	return &state.Error{Kind: state.ErrorMissing, Side: side, Doing: readingAddress, Reason: reason, Cure: cure}
}

// parse takes an address apart. *state.Error of kind Missing where it cannot be used, by what it says or by what is said
// beside it, in the environment or a service file.
func parse(address string) (*pgxpool.Config, written, error) {
	if trimmed := strings.TrimSpace(address); scheme().MatchString(trimmed) {
		address = trimmed // a line of a file ends in a newline
	}
	character, known := misread(address)
	switch {
	case !known:
		return nil, nil, mistake("it begins neither as a URL of Postgres nor as key=value",
			"DATABASE_URL begins with postgres:// or postgresql://, in small letters, without a driver's name and without quotes around it.")
	case character != "":
		return nil, nil, mistake(
			fmt.Sprintf("a character of its password or role is not percent-encoded: %q is %%%02X", character, character),
			"Nothing of it is shown here, as what comes behind that would count as the host.")
	}
	w := optionsOf(address)
	if w.passwords() > 1 {
		return nil, w, mistake("it has two passwords", "Leave one in DATABASE_URL. A password that holds @, & or a blank is one where "+
			"these are percent-encoded, or in key=value where it stands in single quotes.")
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, w, w.unusable(address, err)
	}
	c := config.ConnConfig
	for _, host := range hosts(c) {
		if !hostLike().MatchString(host.Host) {
			return nil, w, mistake("what stands where a host belongs is none",
				"It is not shown here, as it may be a part of a password: in a URL a password is percent-encoded, in key=value it stands in single quotes.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.RuntimeParams)) {
		if cure := foreign(name); cure != "" && !w.doubtful(name) {
			return nil, w, mistake(fmt.Sprintf("the option %q%s is none of Postgres", name, w.place(name)), cure)
		}
	}
	ours(config)
	return config, w, nil
}

// ours sets what an address may say of the driver, and what is not the address's affair: rows are read in binary form, and the
// connections that a run needs are neither fewer nor given up between two statements.
func ours(config *pgxpool.Config) {
	c := config.ConnConfig
	delete(c.RuntimeParams, "client_encoding") // which is ours to set, and which not every database knows
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = cachedStatements, cachedStatements
	config.MaxConns, config.MinConns, config.MinIdleConns = maxConns, 0, 0
	config.MaxConnLifetime, config.MaxConnLifetimeJitter, config.MaxConnIdleTime = time.Hour, 0, time.Hour
	config.HealthCheckPeriod, config.PingTimeout = time.Minute, 0
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
}

// option is a setting as an address has it.
type option struct {
	name, value string
	doubtful    bool // it may be a part of the password: it follows one that is not quoted
}

// written are the options of an address in their order. A URL's are those of its query, and its password.
type written []option

func (w written) find(name string) (option, bool) {
	for _, o := range w {
		if o.name == name {
			return o, true
		}
	}
	return option{}, false
}

// doubtful reports whether the name of an option may be a part of the password.
func (w written) doubtful(name string) bool {
	o, _ := w.find(name)
	return o.doubtful
}

func (w written) passwords() (n int) {
	for _, o := range w {
		if o.name == "password" {
			n++
		}
	}
	return n
}

// optionsOf takes an address apart as far as it goes.
func optionsOf(address string) written {
	if isURL(address) {
		return optionsOfURL(address)
	}
	return optionsOfKeywords(address)
}

func optionsOfURL(address string) (w written) {
	rest := address[strings.Index(address, "://")+len("://"):]
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		if _, password, _ := strings.Cut(rest[:i], ":"); password != "" {
			w = append(w, option{name: "password"})
		}
		rest = rest[i+1:]
	}
	_, query, _ := strings.Cut(rest, "?")
	doubt := false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = decoded(name); name == "" {
			continue
		}
		w = append(w, option{name, decoded(value), doubt})
		doubt = doubt || secret(name)
	}
	return w
}

// optionsOfKeywords reads key=value as libpq does: a value ends at a blank, or at a single quote where it begins with one.
func optionsOfKeywords(address string) (w written) {
	const blanks = " \t\n\r\v\f"
	doubt := false
	for rest := address; ; {
		name, value, found := strings.Cut(rest, "=")
		if !found {
			return w
		}
		name = strings.Trim(name, blanks)
		value, quoted := strings.CutPrefix(strings.TrimLeft(value, blanks), "'")
		ends := blanks
		if quoted {
			ends = "'"
		}
		end := 0
		for end < len(value) && strings.IndexByte(ends, value[end]) < 0 {
			if value[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(value))
		w = append(w, option{name, value[:end], doubt})
		if rest = value[end:]; quoted && rest != "" {
			rest = rest[1:]
		}
		// What directly follows a quote may be the rest of a password that holds one.
		doubt = doubt || secret(name) && (!quoted || rest != "" && strings.IndexByte(blanks, rest[0]) < 0)
	}
}

func secret(name string) bool { return name == "password" || name == "sslpassword" }

// decoded is a part of a URL without its percent-encoding; what is not encoded well stays.
func decoded(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
