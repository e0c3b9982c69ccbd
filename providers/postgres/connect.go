package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

// This file says why there is no connection, in our words: the server's own may repeat what it was sent.

// hosts are where a connection is tried, each once.
func hosts(c *pgx.ConnConfig) []pgconn.FallbackConfig { return hostsOf(&c.Config) }

func hostsOf(c *pgconn.Config) []pgconn.FallbackConfig {
	list := []pgconn.FallbackConfig{{Host: c.Host, Port: c.Port}}
	for _, f := range c.Fallbacks {
		host := pgconn.FallbackConfig{Host: f.Host, Port: f.Port}
		if !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// where names the hosts, for people.
func where(c *pgconn.Config) string {
	var list []string
	for _, h := range hostsOf(c) {
		list = append(list, hostOf(h.Host, h.Port))
	}
	return strings.Join(list, ", ")
}

// plain reports whether a name can be shown. A regular expression of as many letters took 5 ms of every start of the program.
func plain(name string) bool {
	for i, r := range name {
		letter := r == '_' || unicode.IsLetter(r)
		if !letter && (i == 0 || !unicode.IsNumber(r) && !strings.ContainsRune(".$-", r)) {
			return false
		}
	}
	n := utf8.RuneCountInString(name)
	return 0 < n && n <= 63 && utf8.ValidString(name)
}

func named(what, name string) string {
	if plain(name) {
		return what + " " + name
	}
	return "the " + what
}

const (
	codeProtocol = "08P01" // what poolers say, of whatever
	codeUnknown  = "42704" // no such setting
	codeReads    = "25006" // a transaction that only reads
)

// unconnected is the error of a connection that was not made to any of the hosts.
func unconnected(c *pgconn.Config, err error) *state.Error {
	e := &state.Error{Kind: state.ErrorUnreachable, Side: side, Doing: "connect to " + where(c)}
	tries := leaves(err)
	for _, reason := range []func(*pgconn.Config, error) (state.ErrorKind, string, string){answered, untrusted, unheard} {
		// The last one says most: without TLS comes after with it.
		for _, try := range slices.Backward(tries) {
			var kind state.ErrorKind
			if kind, e.Reason, e.Cure = reason(c, try); kind != state.ErrorInvalid {
				e.Kind = kind
				return e
			}
		}
	}
	e.Reason, e.Cure = "the connection was not made", "Check DATABASE_URL, and that the server runs and lets this machine in."
	return e
}

// leaves are the errors of which one is made, of each try.
func leaves(err error) (list []error) {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			for _, inner := range joined.Unwrap() {
				list = append(list, leaves(inner)...)
			}
			return list
		}
	}
	return []error{err}
}

// answered is why a server, or a pooler, does not let us in.
func answered(c *pgconn.Config, err error) (kind state.ErrorKind, reason, cure string) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return state.ErrorInvalid, "", ""
	}
	role, database := named("role", c.User), named("database", c.Database)
	switch {
	case pg.Code == "28P01" && c.Password == "":
		return state.ErrorUnauthenticated, "the server wants a password for " + role + ", and there is none",
			"It is looked for in DATABASE_URL, PGPASSWORD, and ~/.pgpass or the file that PGPASSFILE names."
	case pg.Code == "28P01":
		return state.ErrorUnauthenticated, "wrong password for " + role + ", or there is no such role",
			"Check the role and the password in DATABASE_URL, PGPASSWORD or ~/.pgpass; in a URL special characters are percent-encoded."
	case pg.Code == "28000" && pg.Routine == "InitializeSessionUserId":
		return state.ErrorUnauthenticated, "there is no such role, or it may not log in: " + role,
			"Check the role in DATABASE_URL. As a superuser, \\du lists the roles; a role logs in where it has LOGIN."
	case pg.Code == "28000" && pg.Routine == "ClientAuthentication" && strings.Contains(pg.Message, "certificate"):
		return state.ErrorUnauthenticated, "the server wants a certificate of " + role, "sslcert and sslkey in DATABASE_URL, or PGSSLCERT and " +
			"PGSSLKEY, name its files."
	case pg.Code == "28000" && pg.Routine == "ClientAuthentication":
		cure := "An administrator of the server adds a line for role, database and this machine's address to pg_hba.conf, and reloads it."
		if !tried(c, true) {
			cure = "It may want TLS: sslmode=require, or better verify-full. Else an administrator adds a line for role, database and this " +
				"machine's address to pg_hba.conf, and reloads it."
		}
		return state.ErrorUnauthenticated, "pg_hba.conf of the server does not let in " + role + " to " + database + " from this machine", cure
	case strings.HasPrefix(pg.Code, "28"):
		return state.ErrorUnauthenticated, "the server does not take " + role + " for who it says it is",
			"The way in that pg_hba.conf asks for (peer, ident, cert, ...) does not fit this role: check the role in DATABASE_URL."
	case pg.Code == "3D000":
		return state.ErrorUnreachable, "there is no such database: " + database, "Check the database's name in DATABASE_URL."
	case pg.Code == codeDenied:
		return state.ErrorDenied, role + " may not connect to " + database,
			"As the database's owner:\n\n    GRANT CONNECT ON DATABASE " + pgx.Identifier{shownName(c.Database, "NAME")}.Sanitize() +
				" TO " + pgx.Identifier{shownName(c.User, "ROLE")}.Sanitize() + ";"
	case pg.Code == "55000":
		return state.ErrorUnreachable, database + " lets nobody in", "Its ALLOW_CONNECTIONS is false: check the database's name in DATABASE_URL."
	case pg.Code == "53300":
		return state.ErrorUnreachable, "the server has no connection left, or none for this role or database",
			fmt.Sprintf("Anthill takes up to %d. See pg_stat_activity for who has them; max_connections, and the limits of role and database, "+
				"say how many there are.", maxConns+2)
	case pg.Code == "57P03":
		return state.ErrorUnreachable, "the server is starting, stopping or recovering, and lets nobody in yet", "Try again in a moment."
	case strings.HasPrefix(pg.Code, "57P"):
		return state.ErrorUnreachable, "the server ended the connection", "It was stopped, or somebody ended the session. Try again."
	case pg.Code == codeProtocol || strings.HasPrefix(pg.Code, "08"):
		return pooled(c, pg)
	}
	return state.ErrorUnreachable, "the server refuses the connection (SQLSTATE " + pg.Code + ")",
		"The server's log says why, at the time of this."
}

func shownName(name, instead string) string {
	if plain(name) {
		return name
	}
	return instead
}

// tried reports whether a try was with TLS, or without.
func tried(c *pgconn.Config, secure bool) bool {
	for _, f := range c.Fallbacks {
		if (f.TLSConfig != nil) == secure {
			return true
		}
	}
	return (c.TLSConfig != nil) == secure
}

// pooled is what a pooler says: all its errors have one code, and its words are English.
func pooled(c *pgconn.Config, pg *pgconn.PgError) (kind state.ErrorKind, reason, cure string) {
	const look = "Its log says more. What a pooler must be for Anthill is in docs/connections.md."
	switch {
	case strings.Contains(pg.Message, "unsupported startup parameter"):
		return state.ErrorMissing, "the pooler there passes on no settings, and DATABASE_URL has one",
			"Have the role or the database set it (ALTER ROLE ... SET search_path = ...), or put the server's own address into DATABASE_URL."
	case strings.Contains(pg.Message, "no such database"), strings.Contains(pg.Message, "does not exist"):
		return state.ErrorUnreachable, "the pooler there knows no such database: " + named("database", c.Database),
			"Check the database's name in DATABASE_URL, and the pooler's list of databases."
	case strings.Contains(pg.Message, "no such user"), strings.Contains(pg.Message, "authentication failed"), strings.Contains(pg.Message, "password"):
		return state.ErrorUnauthenticated, "wrong password for " + named("role", c.User) + ", or the pooler there does not know it",
			"Check the role and the password in DATABASE_URL, and the pooler's list of users."
	case strings.Contains(pg.Message, "timeout"):
		return state.ErrorUnreachable, "the pooler there has no session of the server left for us", poolSize + " " + look
	case strings.Contains(pg.Message, "pooling mode"):
		return state.ErrorMissing, sharing, curePooling
	case strings.Contains(pg.Message, "SSL required"), strings.Contains(pg.Message, "TLS required"):
		return state.ErrorUnreachable, "the pooler there wants TLS", "Put sslmode=require, or better verify-full, into DATABASE_URL."
	case strings.Contains(pg.Message, "too many"), strings.Contains(pg.Message, "no more connections"):
		return state.ErrorUnreachable, "the pooler there takes no more connections", poolSize + " " + look
	}
	return state.ErrorUnreachable, "a server or pooler refuses the connection, or cannot reach the server behind it (SQLSTATE " + pg.Code + ")", look
}

// What is wrong with a pooler that keeps no session for a connection.
const (
	sharing     = "a pooler answers there that gives each transaction another session of the server"
	curePooling = "Neither settings nor the lock on the target would hold. Put the server's own address into DATABASE_URL, or " +
		"that of a pool of sessions (pgbouncer: pool_mode = session)."
)

var poolSize = fmt.Sprintf("Anthill takes up to %d at a time.", maxConns+2)

// untrusted is why there is no TLS that we trust.
func untrusted(c *pgconn.Config, err error) (kind state.ErrorKind, reason, cure string) {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
		record    tls.RecordHeaderError
	)
	const named = "sslrootcert in DATABASE_URL, or PGSSLROOTCERT, names the file of the authority that signed it."
	switch {
	case errors.As(err, &authority):
		return state.ErrorUnreachable, "the server's certificate is signed by nobody whom we trust", named
	case errors.As(err, &name):
		return state.ErrorUnreachable, "the server's certificate is for another host",
			"Name the host in DATABASE_URL as the certificate does. sslmode=verify-ca does not compare the names."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return state.ErrorUnreachable, "the server's certificate has expired, or is not valid yet", "Renew it, and check the clocks of both machines."
	case errors.As(err, &invalid):
		return state.ErrorUnreachable, "the server's certificate is not valid", named
	case errors.As(err, &alert):
		return state.ErrorUnauthenticated, "the server refuses our TLS: " + alert.Error(), "It may want a certificate of ours: sslcert and sslkey."
	case errors.As(err, &record):
		return state.ErrorUnreachable, "what answers there speaks no TLS", "Check host and port in DATABASE_URL."
	case strings.Contains(err.Error(), "server refused TLS connection") && tried(c, false):
		return state.ErrorInvalid, "", ""
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return state.ErrorUnreachable, "sslmode asks for TLS, and the server offers none",
			"Turn it on there (ssl = on), or where the way to the server is safe in itself: sslmode=disable."
	case strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "tls error"):
		return state.ErrorUnreachable, "TLS with the server failed", "Check sslmode and sslrootcert in DATABASE_URL."
	}
	return state.ErrorInvalid, "", ""
}

// unheard is why no server has answered.
func unheard(c *pgconn.Config, err error) (kind state.ErrorKind, reason, cure string) {
	const there = "Check host and port in DATABASE_URL, and that the server runs and lets this machine in."
	var dns *net.DNSError
	var timeout net.Error
	u := state.ErrorUnreachable
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return u, "no such host is known", "Check the host in DATABASE_URL."
	case errors.As(err, &dns):
		return u, "the name of the host could not be looked up", "Check the host in DATABASE_URL, and the name server of this machine."
	case errors.Is(err, syscall.ECONNREFUSED):
		return u, "nobody listens there", there
	case errors.Is(err, os.ErrNotExist):
		return u, "there is no socket of a server", "Check the directory and the port in DATABASE_URL, and that the server runs."
	case errors.Is(err, os.ErrPermission):
		return u, "this user may not use the socket there", "Its directory, or the socket, is closed to the user who runs Anthill."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return u, fmt.Sprintf("no answer in %s", c.ConnectTimeout), there + " A firewall may be in the way. connect_timeout=SECONDS waits longer."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return u, "there is no way to the host from here", there
	case strings.Contains(err.Error(), "ValidateConnect"):
		return u, "no server there is what target_session_attrs asks for", "Name the server that is in DATABASE_URL, or change target_session_attrs."
	case strings.Contains(err.Error(), "unexpected EOF"), errors.Is(err, syscall.ECONNRESET), strings.Contains(err.Error(), "failed to receive message"):
		return u, "the connection was ended before the server answered", "Is it Postgres that listens there? " + there
	case strings.Contains(err.Error(), "SASL auth"), strings.Contains(err.Error(), "require_auth"), strings.Contains(err.Error(), "channel bind"),
		strings.Contains(err.Error(), "sslcertmode"):
		return state.ErrorUnauthenticated, "the server's way to check who we are is not what DATABASE_URL asks for, or not known here",
			"Check require_auth, channel_binding and sslcertmode in DATABASE_URL, and the line for this role in pg_hba.conf."
	}
	return state.ErrorInvalid, "", ""
}

// refused is the error of a first connection that was not made: unlike a later one, the address may be at fault.
func (w written) refused(c *pgconn.Config, err error) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &pg) && errors.As(err, &connect) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "42") && pg.Code != codeDenied ||
		pg.Code == "55P02"):
		return w.notTaken(c, pg)
	case errors.As(err, &pg) && strings.Contains(pg.Message, "unsupported startup parameter"):
		e := unconnected(c, err)
		if name := w.named(c, pg.Message); name != "" {
			e.Reason = fmt.Sprintf("the pooler there does not pass on the option %q of DATABASE_URL", name)
		}
		return e
	}
	return fail("connect to "+where(c), err)
}

// notTaken is the error of a setting that the server does not know, or of a value that it does not take.
func (w written) notTaken(c *pgconn.Config, pg *pgconn.PgError) error {
	e := &state.Error{Kind: state.ErrorMissing, Side: side, Doing: "connect to " + where(c)}
	name := w.named(c, pg.Message)
	place := w.place(name)
	switch {
	case name == "":
		e.Reason = "the server does not know a setting that DATABASE_URL names, or not its value"
		e.Cure = "It is not shown here, as it may be what follows a blank or an & in a password: in key=value a password stands in " +
			"single quotes, in a URL it is percent-encoded. Settings in options, or PGOPTIONS, are -c NAME=VALUE."
	case pg.Code == codeUnknown:
		e.Reason = fmt.Sprintf("the option %q%s is no setting of Postgres", name, place)
		e.Cure = "Other programs may know it. Remove it."
	default:
		e.Reason = fmt.Sprintf("the server does not take the value of the option %q%s", name, place)
		e.Cure = "The value is not shown here. pg_settings lists what there is."
	}
	return e
}

// named finds the option that a message of the server names, if that can be shown; "": none.
func (w written) named(c *pgconn.Config, message string) string {
	for name := range c.RuntimeParams {
		in := strings.Contains(message, `"`+name+`"`) || strings.HasSuffix(message, ": "+name)
		if in && name != "application_name" && !w.doubtful(name) {
			return name
		}
	}
	return ""
}
