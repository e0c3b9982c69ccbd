package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"anthill/state"
)

// variables are the options that the environment may say.
var variables = map[string]string{
	"application_name": "PGAPPNAME", "channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
	"database": "PGDATABASE", "host": "PGHOST", "max_protocol_version": "PGMAXPROTOCOLVERSION",
	"min_protocol_version": "PGMINPROTOCOLVERSION", "options": "PGOPTIONS", "passfile": "PGPASSFILE", "password": "PGPASSWORD",
	"port": "PGPORT", "require_auth": "PGREQUIREAUTH", "service": "PGSERVICE", "servicefile": "PGSERVICEFILE",
	"sslcert": "PGSSLCERT", "sslcertmode": "PGSSLCERTMODE", "sslkey": "PGSSLKEY", "sslmode": "PGSSLMODE",
	"sslnegotiation": "PGSSLNEGOTIATION", "sslpassword": "PGSSLPASSWORD", "sslrootcert": "PGSSLROOTCERT", "sslsni": "PGSSLSNI",
	"target_session_attrs": "PGTARGETSESSIONATTRS", "timezone": "PGTZ", "user": "PGUSER",
}

// place says where an option is from: an address, or else the environment or a service file.
func (w written) place(name string) string {
	if _, ok := w.find(name); ok {
		return " of DATABASE_URL"
	}
	if variable := variables[name]; variable != "" {
		return " (" + variable + ", or a service file)"
	}
	return " of the service file"
}

// What to do about an option that other drivers know, and Postgres does not.
const (
	cureRemove = "Other programs know it. Remove it."
	curePath   = "Other programs know it. The schema of the tables is named by search_path=NAME."
	curePooler = "Other programs know it, for poolers. Remove it; a pooler must keep a session for each connection (docs/connections.md)."
	cureTLS    = "Other programs know it. For TLS there are sslmode, sslrootcert, sslcert and sslkey, such as sslmode=verify-full."
	cureTime   = "Other programs know it. How long a connection may take is connect_timeout=SECONDS. Remove it."
	cureHost   = "Other programs know it. Servers are named by host and port, and which of several by target_session_attrs."
)

// foreign is the cure of an option that other drivers know, by their names; "": it is none of them. What nobody knows is the
// server's to refuse.
func foreign(name string) string {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)) {
	case "schema", "currentschema":
		return curePath
	case "pgbouncer", "supavisor", "pooler", "workaround", "preparethreshold", "preparedstatements", "disablepreparedbinaryresult",
		"preparedstatementcachequeries", "preparedstatementcachesize", "preferquerymode", "binarytransfer", "binaryparameters":
		return curePooler
	case "ssl", "sslaccept", "sslidentity", "sslcompression", "sslcrl", "sslcrldir", "sslminprotocolversion", "sslmaxprotocolversion",
		"sslfactory", "sslfactoryarg", "sslhostnameverifier", "sslpasswordcallback", "sslkeylogfile", "uselibpqcompat", "requiressl",
		"requirepeer", "gssencmode", "gsslib", "gssdelegation", "trustservercertificate", "sslca", "tls", "tlsmode":
		return cureTLS
	case "sockettimeout", "logintimeout", "commandtimeout", "pooltimeout", "timeout", "tcpusertimeout",
		"acquiretimeout", "cancelsignaltimeout":
		return cureTime
	case "hostaddr", "loadbalancehosts", "targetservertype", "hostrecheckseconds":
		return cureHost
	case "connectionlimit", "poolsize", "maxoverflow", "minpoolsize", "maxpoolsize", "maxconnections", "minconnections", "maxlifetime",
		"idletimeout", "statementcachesize", "keepalives", "keepalivesidle", "keepalivesinterval", "keepalivescount", "tcpkeepalive",
		"fallbackapplicationname", "replication", "authtype", "rewritebatchedinserts", "stringtype",
		"defaultrowfetchsize", "loglevel", "loggerlevel", "asyncfallback", "encoding", "charset", "driver", "asyncpg", "pooling",
		"maxconnectionlifetime", "singleusetransactions", "serversettings", "keepalive", "scramclientkey", "scramserverkey":
		return cureRemove
	case "statementcachecapacity":
		if strings.Contains(name, "-") { // with underscores it is our driver's
			return cureRemove
		}
	}
	return ""
}

// unusable is the error of an address that the driver cannot use. Of the driver's own text, which may repeat what it could not
// take apart, nothing is told.
func (w written) unusable(address string, err error) error {
	said := err.Error()
	if i := strings.LastIndex(said, "`: "); i >= 0 {
		said = said[i+len("`: "):]
	}
	switch {
	case strings.HasPrefix(said, "failed to parse as"):
		if isURL(address) {
			return mistake("it is not a connection string", "DATABASE_URL looks like "+
				"postgres://role:password@host:5432/database?sslmode=verify-full; special characters in a password are percent-encoded. "+
				"Options behind the question mark are key=value, with & between them; a = in a value is %3D.")
		}
		return mistake("it is not a connection string", "DATABASE_URL in key=value looks like host=... user=... password='...' dbname=...; "+
			`a value with blanks stands in single quotes, and \' and \\ are a quote and a backslash in it.`)
	case strings.HasPrefix(said, "failed to read service"):
		return w.noService(err)
	case strings.HasPrefix(said, "failed to configure TLS"):
		return w.noTLS(said, err)
	case strings.HasPrefix(said, "could not match"):
		return mistake("it names more ports than hosts, or fewer", "There is one port for all hosts, or one for each, in the same order.")
	case strings.HasPrefix(said, "invalid port"):
		return mistake("what stands where a port belongs is none", "It is not shown here, as it may be a part of a password: in a URL a "+
			"password is percent-encoded. A port is a number from 1 to 65535.")
	}
	for word := range strings.FieldsSeq(said) {
		word = strings.TrimSuffix(word, ":")
		if values := valuesOf[word]; values != "" {
			return w.wrong(word, "It is "+values+".")
		}
	}
	return mistake("an option of it has a value that the driver does not know", "Check the options of DATABASE_URL.")
}

// valuesOf are the options whose values the driver checks.
var valuesOf = map[string]string{
	"sslcertmode":                   "disable, allow or require",
	"connect_timeout":               "a number of seconds",
	"target_session_attrs":          "any, read-write, read-only, primary, standby or prefer-standby",
	"min_protocol_version":          "3.0, 3.2 or latest, and not above max_protocol_version",
	"max_protocol_version":          "3.0, 3.2 or latest",
	"channel_binding":               "disable, prefer or require",
	"require_auth":                  "a list of password, md5, gss, sspi, scram-sha-256, oauth and none, or of these with ! before each",
	"statement_cache_capacity":      "a number; Anthill needs none here",
	"description_cache_capacity":    "a number; Anthill needs none here",
	"default_query_exec_mode":       "cache_statement, cache_describe, describe_exec, exec or simple_protocol; Anthill needs none here",
	"pool_max_conns":                "a number above 0; Anthill needs none here",
	"pool_min_conns":                "a number; Anthill needs none here",
	"pool_min_idle_conns":           "a number; Anthill needs none here",
	"pool_max_conn_lifetime":        "a time such as 1h; Anthill needs none here",
	"pool_max_conn_idle_time":       "a time such as 30m; Anthill needs none here",
	"pool_health_check_period":      "a time such as 1m; Anthill needs none here",
	"pool_max_conn_lifetime_jitter": "a time such as 1m; Anthill needs none here",
	"pool_ping_timeout":             "a time such as 5s; Anthill needs none here",
}

// wrong is the error of a value that an option does not take. The value is not shown.
func (w written) wrong(name, cure string) error {
	if w.doubtful(name) {
		return w.unshown()
	}
	return mistake(fmt.Sprintf("the option %s%s has a value that it does not take", name, w.place(name)), cure)
}

// unshown is the error of an option that may be a part of a password.
func (w written) unshown() *state.Error {
	return mistake("an option behind its password cannot be used", "It is not shown here, as it may be a part of the password: in key=value a "+
		"password stands in single quotes, in a URL it is percent-encoded.")
}

func (w written) noService(err error) error {
	name, doubtful := w.find("service")
	if w.doubtful("service") || w.doubtful("servicefile") {
		return w.unshown()
	}
	what := "the service"
	if doubtful && name.value != "" {
		what = fmt.Sprintf("the service %q", name.value)
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(inner.Error(), "unable to find service") {
		return mistake(fmt.Sprintf("%s%s is not in the service file", what, w.place("service")),
			"The file is ~/.pg_service.conf, or the one that PGSERVICEFILE or servicefile names. A service begins with [NAME] there.")
	}
	return mistake(fmt.Sprintf("the service file for %s%s cannot be read", what, w.place("service")),
		"The file is ~/.pg_service.conf, or the one that PGSERVICEFILE or servicefile names. Its lines are [NAME] and key=value.")
}

// noTLS is the error of files that TLS needs.
func (w written) noTLS(said string, err error) error {
	const mode = "sslmode"
	var name, what string
	switch {
	case strings.Contains(said, "unable to read CA file"):
		name, what = "sslrootcert", "cannot be read"
	case strings.Contains(said, "unable to add CA"), strings.Contains(said, "system certificate pool"):
		name, what = "sslrootcert", "holds no certificate"
	case strings.Contains(said, "are required"):
		return mistake("of sslcert and sslkey there is only one", "A certificate of a client needs its key: name both in DATABASE_URL, or in "+
			"PGSSLCERT and PGSSLKEY, or none.")
	case strings.Contains(said, "unable to read sslkey"):
		name, what = "sslkey", "cannot be read"
	case strings.Contains(said, "decode sslkey"):
		name, what = "sslkey", "holds no key"
	case strings.Contains(said, "unable to read cert"):
		name, what = "sslcert", "cannot be read"
	case strings.Contains(said, "unable to load cert"):
		name, what = "sslcert", "holds no certificate that fits the key"
	case strings.Contains(said, "sslpassword"), strings.Contains(said, "decrypt"):
		return mistake("the key in sslkey is encrypted, and sslpassword does not open it", "Name its password in sslpassword, or PGSSLPASSWORD.")
	default:
		return w.wrong(mode, "It is disable, allow, prefer, require, verify-ca or verify-full.")
	}
	if w.doubtful(name) {
		return w.unshown()
	}
	file := "the file that " + name + w.place(name) + " names"
	if o, ok := w.find(name); ok {
		file = fmt.Sprintf("%s (%s%s)", o.value, name, w.place(name))
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		what += ": " + errno.Error()
	} else if errors.Is(err, fs.ErrNotExist) {
		what += ": there is none"
	}
	return mistake(file+" "+what, "Check the path: it is seen from the directory that the command runs in.")
}
