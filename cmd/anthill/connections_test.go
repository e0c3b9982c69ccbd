package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
)

// TestSharedSessions: a pooler that gives each transaction another session is refused by every command that connects, before the lock
// and before any effect, whatever the URL says of the driver.
func TestSharedSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-out", "p")
	before := w.stateText()
	for _, how := range []pgtest.Pooling{{Sessions: 2}, {Sessions: 2, Rested: true}, {Sessions: 1, Statements: true}} {
		b := pgtest.StartPooler(t, w.url, how)
		for _, mode := range []string{"", "&default_query_exec_mode=describe_exec", "&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=exec"} {
			w.env["DATABASE_URL"] = b.URL + mode
			for _, args := range [][]string{
				{"plan"}, {"apply", "-auto-approve"}, {"apply", "p"}, {"rollback", "-auto-approve"}, {"status"}, {"show", "-run", "2020-01-01-1"}, {"show", "-check", "p"}, {"explain", "nobody@example.org"},
				{"wave", "list"}, {"wave", "pause", "everyone", "-reason", "x"}, {"wave", "resume", "everyone"}, {"export", "users", "-out", "users.csv"},
				{"invite", "-print", "-yes", "-user", "nobody@example.org"}, {"state", "forget", "-reason", "x", "00000000-0000-4000-8000-000000000001"}, {"apply", "-close"},
			} {
				status, out, errs := w.try(args...)
				if status != exitError || !strings.Contains(errs, "pool_mode = session") || strings.Count(errs, "Error: ") != 1 || out != "" {
					t.Errorf("%v, %v, %s: exit status %d: %s%s", how, args, mode, status, out, errs)
				}
				if mode != "" && args[0] == "status" {
					break
				}
			}
		}
		for _, is := range b.Show("select current_setting('row_security') || ' ' || count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") {
			if is != "on 0" {
				t.Errorf("%v: a session of others has row_security and locks %s", how, is)
			}
		}
	}
	w.env["DATABASE_URL"] = w.url
	if w.stateText() != before {
		t.Error("the state is another")
	}
	// One that keeps a session for each connection does.
	w.env["DATABASE_URL"] = pgtest.StartPooler(t, w.url, pgtest.Pooling{}).URL
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "apply", "-auto-approve")
}

// The secret of every address in TestConnections: as it is, and with characters that mean something in an address.
const (
	tail       = "s3cretTail"
	hard       = "p@/#?%:' \\&=" + tail
	hardInURL  = "p%40%2F%23%3F%25%3A%27%20%5C%26%3D" + tail
	hardInKeys = `'p@/#?%:\' \\&=` + tail + `'`
)

// places are what stands in an address for the servers of TestConnections.
type places struct {
	w      *world
	dir    string // of files, HOME of processes
	values []string
}

func newPlaces(t *testing.T, w *world) *places {
	t.Helper()
	p := &places{w: w, dir: t.TempDir()}
	direct, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	cert, authority := certificate(t)
	hostOf := func(how pgtest.Pooling) string {
		at, err := url.Parse(pgtest.StartPooler(t, w.url, how).URL)
		if err != nil {
			t.Fatal(err)
		}
		return at.Host
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	must(t, free.Close())
	plain, hardly, secure := hostOf(pgtest.Pooling{Password: tail}), hostOf(pgtest.Pooling{Password: hard}), hostOf(pgtest.Pooling{TLS: cert, Password: tail})
	_, plainPort, _ := net.SplitHostPort(plain)
	_, securePort, _ := net.SplitHostPort(secure)
	p.values = []string{
		"{sock}", direct.Query().Get("host"), "{db}", strings.TrimPrefix(direct.Path, "/"), "{plain}", plain, "{hard}", hardly, "{port}", plainPort,
		"{tls}", "localhost:" + securePort, "{tls-ip}", secure, "{closed}", closed, "{dir}", p.dir, "{ca}", filepath.Join(p.dir, "ca.pem"),
	}
	for name, text := range map[string]string{
		"ca.pem": string(authority), "none.pem": "nothing", "bad.conf": "no section\n", "pass": "127.0.0.1:" + plainPort + ":*:*:" + tail + "\n",
		"service.conf": p.fill("[there]\nhost=127.0.0.1\nport={port}\nuser=anthill\ndbname=pooled\npassword=" + tail +
			"\n[odd]\nhost=127.0.0.1\nport={port}\nuser=anthill\npassword=" + tail + "\nsslaccept=strict\n"),
	} {
		must(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	return p
}

func (p *places) fill(text string) string { return strings.NewReplacer(p.values...).Replace(text) }

// certificate is that of localhost, signed by itself.
func certificate(t *testing.T) (*tls.Config, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// connection is an address, what the environment says beside it, and what comes of it: with a status of 0 there is a plan, with another
// one message that says this.
type connection struct {
	address, env string // env as K=V K=V; not "": a process of its own
	status       int
	says         string
}

// TestConnections: however an address is written, there is a connection, or one message with the place and a cure; and the password
// is in none of what is said, in no plan and not in the state.
func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 5, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone)
	p := newPlaces(t, w)
	for _, c := range connections() {
		w.env["DATABASE_URL"] = p.fill(c.address)
		plan := filepath.Join(w.dir, "p")
		_ = os.Remove(plan) // there may be none
		var status int
		var out, errs string
		if c.env == "" {
			status, out, errs = w.try("plan", "-out", "p")
		} else {
			status, out, errs = w.alone(append(strings.Fields(p.fill(c.env)), "HOME="+p.dir), "plan", "-out", "p")
		}
		written, _ := os.ReadFile(plan)
		if status != c.status || !strings.Contains(errs, p.fill(c.says)) {
			t.Errorf("%s %s: exit status %d, want %d, %q:\n%s", c.env, c.address, status, c.status, p.fill(c.says), errs)
		}
		if c.status != 0 && (strings.Count(errs, "Error: ") != 1 || strings.Count(errs, "\n") < 2 || len(written) > 0) {
			t.Errorf("%s %s: not one message with a cure, and no plan:\n%s", c.env, c.address, errs)
		}
		for _, text := range []string{out, errs, string(written)} {
			if strings.Contains(text, tail) || strings.Contains(text, "s3cret") || strings.Contains(text, "etTail") {
				t.Errorf("%s %s: the secret is shown:\n%s", c.env, c.address, text)
			}
		}
	}
	for _, address := range []string{"postgres://anthill:" + hardInURL + "@{hard}/pooled?sslmode=disable", "host=127.0.0.1 port={port} user=anthill dbname=pooled password=" + tail} {
		w.env["DATABASE_URL"] = p.fill(address)
		out, errs := w.run(exitDone, "apply", "-auto-approve")
		back, backErrs := w.run(exitDone, "rollback", "-auto-approve")
		if text := out + errs + back + backErrs + w.stateText(); strings.Contains(text, tail) {
			t.Error("the secret is in what is said of a run, or in the state")
		}
	}
}

// alone runs anthill as a process of its own, with more in its environment.
func (w *world) alone(env []string, args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	cmd := w.command(args...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

const (
	notCoded   = "is not percent-encoded"
	notAString = "it is not a connection string"
	notShown   = "It is not shown here"
)

func connections() []connection {
	return []connection{
		// URLs.
		{"postgres://anthill@/{db}?host={sock}", "", 0, ""},
		{"postgresql://anthill@/{db}?host={sock}&port=5432&sslmode=disable", "", 0, ""},
		{"postgres://anthill:" + tail + "@{plain}/pooled", "", 0, ""},
		{"postgres://anthill:" + tail + "@{plain}/pooled\n", "", 0, ""},
		{"postgres://anthill:" + hardInURL + "@{hard}/pooled", "", 0, ""},
		{"postgres://{plain}/pooled?user=anthill&password=" + tail, "", 0, ""},
		{"postgres://anthill:" + tail + "@{plain}/pooled?connect_timeout=5&target_session_attrs=any&channel_binding=disable", "", 0, ""},
		{"postgres://anthill:" + tail + "@{closed},{plain}/pooled", "", 0, ""},
		{"postgres://anthill:" + tail + "@{plain},{closed}/pooled?target_session_attrs=read-write", "", 0, ""},
		{"postgres://anthill:" + tail + "@{plain}/pooled?default_query_exec_mode=simple_protocol&statement_cache_capacity=0", "", 0, ""},
		{"postgres://anthill@/{db}?host={sock}&application_name=" + tail, "", 0, ""},
		// Keywords.
		{"host={sock} dbname={db} user=anthill", "", 0, ""},
		{" host = {sock}  dbname = '{db}' user = 'anthill' ", "", 0, ""},
		{"host=127.0.0.1 port={port} user=anthill dbname=pooled password=" + tail, "", 0, ""},
		{"host=127.0.0.1 port={port} user=anthill dbname=pooled password='" + tail + "'", "", 0, ""},
		// The environment, files.
		{"postgres://anthill@{plain}/pooled", "PGPASSWORD=" + tail, 0, ""},
		{"postgres://anthill@{plain}/pooled", "PGPASSFILE={dir}/pass", 0, ""},
		{"postgres://anthill@{plain}/pooled?passfile={dir}/pass", "PGPASSWORD=", 0, ""},
		{"service=there", "PGSERVICEFILE={dir}/service.conf", 0, ""},
		{"postgres://?service=there&servicefile={dir}/service.conf", "", 0, ""},
		{"dbname={db}", "PGHOST={sock} PGUSER=anthill PGPASSWORD=" + tail, 0, ""},
		{"postgres://anthill@{plain}/pooled", "PGPASSWORD=x" + tail, 8, "wrong password for role anthill"},
		{"service=odd", "PGSERVICEFILE={dir}/service.conf", 1, `the option "sslaccept" of the service file is none of Postgres`},
		{"service=nowhere", "PGSERVICEFILE={dir}/service.conf", 1, `the service "nowhere" of DATABASE_URL is not in the service file`},
		{"dbname=x", "PGSERVICE=nowhere PGSERVICEFILE={dir}/service.conf", 1, "PGSERVICE"},
		{"service=there", "PGSERVICEFILE={dir}/none.conf", 1, "cannot be read"},
		{"service=there servicefile={dir}/bad.conf", "", 1, "cannot be read"},
		{"postgres://anthill:" + tail + "@{tls}/pooled?sslmode=verify-full", "PGSSLROOTCERT={dir}/nowhere.pem", 1, "the file that sslrootcert (PGSSLROOTCERT"},
		{"postgres://anthill:" + tail + "@{plain}/pooled", "PGTARGETSESSIONATTRS=" + tail, 1, "target_session_attrs (PGTARGETSESSIONATTRS"},
		// TLS.
		{"postgres://anthill:" + tail + "@{tls}/pooled?sslmode=verify-full&sslrootcert={ca}", "", 0, ""},
		{"postgres://anthill:" + tail + "@{tls-ip}/pooled?sslmode=verify-ca&sslrootcert={ca}", "", 0, ""},
		{"postgres://anthill:" + tail + "@{tls}/pooled?sslmode=require", "", 0, ""},
		{"postgres://anthill:" + tail + "@{tls}/pooled?ssl=true", "", 0, ""},
		{"postgres://anthill:" + tail + "@{tls}/pooled?sslmode=verify-full", "", 8, "signed by nobody whom we trust"},
		{"postgres://anthill:" + tail + "@{tls-ip}/pooled?sslmode=verify-full&sslrootcert={ca}", "", 8, "for another host"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslmode=require", "", 8, "the server offers none"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslmode=verify-full&sslrootcert={dir}/nowhere.pem", "", 1, "nowhere.pem (sslrootcert of DATABASE_URL) cannot be read: no such file"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslmode=verify-ca&sslrootcert={dir}/none.pem", "", 1, "holds no certificate"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslcert={ca}", "", 1, "of sslcert and sslkey there is only one"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslcert={ca}&sslkey={dir}/none.pem", "", 1, "(sslkey of DATABASE_URL) holds no key"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?sslmode=" + tail, "", 1, "the option sslmode of DATABASE_URL"},
		// Nobody there, or nobody who lets us in.
		{"postgres://anthill:" + tail + "@{closed}/pooled", "", 8, "connect to {closed}: nobody listens there"},
		{"postgres://anthill:" + tail + "@db.invalid/pooled", "", 8, "connect to db.invalid:5432: no such host is known"},
		{"postgres://anthill:" + tail + "@{closed},db.invalid/pooled", "", 8, "connect to {closed}, db.invalid:5432: "},
		{"postgres://anthill:x" + tail + "@{plain}/pooled", "", 8, "wrong password for role anthill"},
		{"postgres://anthill@{plain}/pooled", "", 8, "wants a password for role anthill, and there is none"},
		{"postgres://nobody:" + tail + "@/{db}?host={sock}", "", 8, "there is no such role, or it may not log in: role nobody"},
		{"postgres://anthill:" + tail + "@/nowhere?host={sock}", "", 8, "there is no such database: database nowhere"},
		{"postgres://anthill:" + tail + "@/{db}?host={sock}&port=1", "", 8, "there is no socket of a server"},
		{"postgres://anthill:" + tail + "@/{db}?host=/nowhere", "", 8, "connect to /nowhere: there is no socket of a server"},
		{"postgres://anthill@/{db}?host={sock}&target_session_attrs=standby", "", 8, "no server there is what target_session_attrs asks for"},
		// Options.
		{"postgres://anthill:" + tail + "@{plain}/pooled?schema=public", "", 1, `the option "schema" of DATABASE_URL is none of Postgres`},
		{"postgres://anthill:" + tail + "@{plain}/pooled?pgbouncer=true&connection_limit=1", "", 1, `the option "connection_limit" of DATABASE_URL`},
		{"postgres://anthill:" + tail + "@{plain}/pooled?statement-cache-capacity=0", "", 1, `the option "statement-cache-capacity" of DATABASE_URL`},
		{"host=127.0.0.1 port={port} keepalives=1 user=anthill password=" + tail, "", 1, `the option "keepalives" of DATABASE_URL`},
		{"host=127.0.0.1 port={port} user=anthill password=my sslaccept=" + tail, "", 8, "wrong password"},
		{"postgres://anthill:" + tail + "@/{db}?host={sock}&app_name=x", "", 1, `the option "app_name" of DATABASE_URL is no setting of Postgres`},
		{"postgres://anthill@/{db}?host={sock}&work_mem=" + tail, "", 1, `does not take the value of the option "work_mem" of DATABASE_URL`},
		{"postgres://anthill@/{db}?host={sock}&options=-c%20" + tail + "%3D1", "", 1, notShown},
		{"postgres://anthill@/{db}?host={sock}&options=-c%20role=" + tail, "", 1, notAString},
		{"postgres://anthill:" + tail + "@{plain}/pooled?default_query_exec_mode=" + tail, "", 1, "default_query_exec_mode of DATABASE_URL"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?pool_max_conns=" + tail, "", 1, "pool_max_conns of DATABASE_URL"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?connect_timeout=" + tail, "", 1, "connect_timeout of DATABASE_URL"},
		{"postgres://anthill:" + tail + "@{plain}/pooled?target_session_attrs=" + tail, "", 1, "target_session_attrs of DATABASE_URL"},
		// Written badly, with the secret in each part.
		{"postgres://anthill:my@" + tail + "@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:my/" + tail + "@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:12/" + tail + "@{plain}/pooled?sslmode=disable", "", 1, notCoded},
		{"postgres://anthill:my " + tail + "@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:100%" + tail + "@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:my?password=" + tail + "@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:my@host" + tail + "?x=1@{plain}/pooled", "", 1, notCoded},
		{"postgres://anthill:my@ho#st" + tail + "/pooled", "", 1, notShown},
		{"postgres://anthill:" + tail + "@{plain}/pooled?password=" + tail, "", 1, "two passwords"},
		{"host=127.0.0.1 password=" + tail + " password=" + tail, "", 1, "two passwords"},
		{"postgres://anthill@{plain}/pooled?password=my&" + tail + "=x", "", 8, "wrong password"},
		{"postgres://anthill@{plain}/pooled?password=my&" + tail, "", 1, notAString},
		{"postgres://anthill@/{db}?host={sock}&password=my&" + tail + "=x", "", 1, notShown},
		{"host={sock} dbname={db} user=anthill password=my " + tail + "=x", "", 1, notShown},
		{"host={sock} dbname={db} user=anthill password='my' work_mem=" + tail, "", 1, `the option "work_mem" of DATABASE_URL`},
		{"host={sock} dbname={db} user=anthill password=my " + tail, "", 1, notAString},
		{"host={sock} dbname={db} user=anthill password='my " + tail, "", 1, notAString},
		{"host={sock} dbname={db} user=anthill password='it's " + tail + "'", "", 1, notAString},
		{"host=ho(st" + tail + " user=anthill", "", 1, notShown},
		{"postgres://anthill:my:" + tail + "@127.0.0.1:54x32/pooled", "", 1, "what stands where a port belongs is none"},
		{"postgres://anthill@127.0.0.1:1" + tail + "/pooled", "", 1, "what stands where a port belongs is none"},
		{"postgres://anthill:" + tail + "@127.0.0.1:1,2/pooled?port=1,2,3", "", 1, "more ports than hosts"},
		{"postgres://[" + tail, "", 1, notAString},
		{"mysql://anthill:" + tail + "@127.0.0.1/pooled", "", 1, "begins neither as a URL of Postgres"},
		{"\"postgres://anthill:" + tail + "@127.0.0.1/pooled\"", "", 1, "begins neither as a URL of Postgres"},
		{"anthill:" + tail + "@127.0.0.1/pooled", "", 1, "begins neither as a URL of Postgres"},
		{tail, "", 1, "begins neither as a URL of Postgres"},
	}
}
