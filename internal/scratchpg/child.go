package scratchpg

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// The download is one version, pinned by its checksum: the library compares with a sum that comes from the same place
// as the archive, and takes a missing one for agreement.
const downloadVersion = embedded.PostgresVersion("17.9.0")

// pinned are the SHA-256 sums of the archives, by platform.
var pinned = map[string]string{
	"linux-amd64": "57b8f1c7eedfbbe6dae6b8f6bf329223832866c845e9b83b79627b94215dd162",
}

// startDownloaded runs this very program again as the unprivileged user (embedded-postgres has no user setting), which
// downloads the programs, starts them and prints the URL. It ends when its standard input does, so also with us.
func (s *Server) startDownloaded(ctx context.Context, o Options, id *identity) error {
	if o.Self == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Self = self
	}
	self, err := s.reachableCopy(o.Self, id)
	if err != nil {
		return err
	}
	cache, err := cacheDir(o.Cache, id)
	if err != nil {
		return err
	}
	repository := o.Repository
	if repository == "" {
		repository = defaultRepository()
	}
	o.Log("no PostgreSQL programs on this machine: downloading version " + string(downloadVersion) + " (kept in " + cache + ")")
	cmd := exec.Command(self, "__pg", s.dir, cache, repository)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "HOME=" + s.dir, "PATH=/usr/bin:/bin"}
	for _, proxy := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"} {
		if v := o.Env(proxy); v != "" {
			cmd.Env = append(cmd.Env, proxy+"="+v)
		}
	}
	id.apply(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var log tail
	cmd.Stderr = &log
	ended, err := startLocked(cmd)
	if err != nil {
		return reach(err, filepath.Dir(self))
	}
	s.stop = func() error {
		_ = in.Close()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		return nil
	}
	line, err := readLine(ctx, out)
	if err != nil {
		_ = in.Close()
		<-ended
		return fmt.Errorf("the download did not work: %s\nInstall PostgreSQL 15 or newer (its server programs postgres and initdb), or set ANTHILL_PG_BIN to their directory", log.last())
	}
	if s.base, err = url.Parse(line); err != nil {
		return err
	}
	s.describe = fmt.Sprintf("PostgreSQL %s, downloaded to %s, as %s", downloadVersion, cache, id)
	return nil
}

// defaultRepository is where embedded-postgres itself downloads from. It keeps the address in its configuration, which
// has no getter.
func defaultRepository() string {
	return reflect.ValueOf(embedded.DefaultConfig()).FieldByName("binaryRepositoryURL").String()
}

func readLine(ctx context.Context, r io.Reader) (string, error) {
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(r).ReadString('\n')
		lines <- strings.TrimSpace(line)
	}()
	select {
	case line := <-lines:
		if line == "" {
			return "", io.ErrUnexpectedEOF
		}
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// reachableCopy copies our program into the server's directory for root: the other user may not be able to enter the
// one where it lies.
func (s *Server) reachableCopy(self string, id *identity) (string, error) {
	if id == nil {
		return self, nil
	}
	to := filepath.Join(s.dir, "anthill-child")
	in, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return "", err
	}
	return to, errors.Join(out.Close(), os.Chmod(to, 0o755))
}

func cacheDir(dir string, id *identity) (string, error) {
	if dir == "" {
		dir = "/var/cache/anthill"
		if id == nil {
			base, err := os.UserCacheDir()
			if err != nil {
				return "", err
			}
			dir = filepath.Join(base, "anthill")
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, id.own(dir)
}

// Child is the body of the hidden command `__pg DIR CACHE REPOSITORY`, run as an unprivileged user: it downloads the
// programs into CACHE unless they are there, checks their pinned sum, starts them with their data in DIR, prints the
// URL, and ends when stdin does.
func Child(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 3 {
		return errors.New("__pg wants a directory, a cache and a repository: it is not for people")
	}
	dir, cache, repository := args[0], args[1], args[2]
	if err := fetch(cache, repository); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	password := make([]byte, 16)
	if _, err := rand.Read(password); err != nil {
		return err
	}
	pass := hex.EncodeToString(password)
	pg := embedded.NewDatabase(embedded.DefaultConfig().Version(downloadVersion).Port(uint32(port)).
		Username("anthill").Password(pass).Database("anthill_scratch").
		CachePath(cache).RuntimePath(filepath.Join(dir, "run")).DataPath(filepath.Join(dir, "data")).
		BinaryRepositoryURL(repository).Logger(io.Discard).StartTimeout(startTimeout).
		StartParameters(map[string]string{"unix_socket_directories": dir, "listen_addresses": "127.0.0.1", "fsync": "off",
			"synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}))
	if err := pg.Start(); err != nil {
		return err
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword("anthill", pass), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/postgres", RawQuery: "sslmode=disable"}
	if _, err := fmt.Fprintln(stdout, u.String()); err != nil {
		return errors.Join(err, pg.Stop())
	}
	_, _ = io.Copy(io.Discard, stdin)
	return pg.Stop()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// archive is the name under which embedded-postgres looks for the programs in its cache.
func archive(cache string) string {
	return filepath.Join(cache, fmt.Sprintf("embedded-postgres-binaries-%s-%s.txz", platform(), downloadVersion))
}

func platform() string {
	arch := runtime.GOARCH
	if arch == "arm64" {
		arch = "arm64v8"
	}
	return runtime.GOOS + "-" + arch
}

// fetch downloads the archive (a jar) into the cache and compares it with the pinned sum before anything of it is
// unpacked. embedded-postgres then finds the archive in its cache.
func fetch(cache, repository string) error {
	if _, err := os.Stat(archive(cache)); err == nil {
		return nil
	}
	want, ok := pinned[platform()]
	if !ok {
		return fmt.Errorf("there is no download for %s", platform())
	}
	name := "embedded-postgres-binaries-" + platform()
	at := fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%s-%s.jar", strings.TrimSuffix(repository, "/"), name, downloadVersion, name, downloadVersion)
	resp, err := (&http.Client{Timeout: 10 * time.Minute}).Get(at)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", at, resp.Status)
	}
	jar, err := os.CreateTemp(cache, "download-*.jar")
	if err != nil {
		return err
	}
	defer os.Remove(jar.Name())
	defer jar.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(jar, sum), io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("the download from %s has SHA-256 %s, not the pinned %s: it was not used", at, got, want)
	}
	return unpack(jar, size, archive(cache))
}
