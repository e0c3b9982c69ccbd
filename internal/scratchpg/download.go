package scratchpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const defaultRepository = "https://repo1.maven.org/maven2"

// archive is one download that we vouch for.
type archive struct {
	Version string `json:"version"` // of the archive: "17.9.0"
	SHA256  string `json:"sha256"`  // of the whole .jar, lower-case hex
}

// pinned returns the archives by platform, in the repository's spelling. A platform that is missing gets none: what the
// repository itself says of a checksum proves nothing about the repository.
func pinned() map[string]archive {
	return map[string]archive{
		"linux-amd64": {Version: "17.9.0", SHA256: "57b8f1c7eedfbbe6dae6b8f6bf329223832866c845e9b83b79627b94215dd162"},
	}
}

// platform is this machine in the spelling of embedded-postgres, which asks for the archive by it.
func platform() string {
	arch := runtime.GOARCH
	if arch == "arm64" && (runtime.GOOS == "linux" || runtime.GOOS == "darwin") {
		arch += "v8"
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil && runtime.GOOS == "linux" {
		arch += "-alpine"
	}
	return runtime.GOOS + "-" + arch
}

// fetch returns the directory of the downloaded programs below cache, which exists, downloading them if they are not
// there yet. It must not run as root. It returns as soon as ctx ends, though the download may go on until the process
// ends.
func fetch(
	ctx context.Context, cache, repository string, pins map[string]archive, note func(string),
) (bin string, err error) {
	on := platform()
	wanted, known := pins[on]
	if !known {
		return "", fmt.Errorf("there is no Postgres to download for %s", on)
	}
	// The checksum is in the name, so another pin never meets the files of this one.
	kept := filepath.Join(cache, fmt.Sprintf("postgresql-%s-%s-%.12s", wanted.Version, on, wanted.SHA256))
	bin = filepath.Join(kept, "bin")
	if _, err := os.Stat(kept); err == nil {
		return bin, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}

	note(fmt.Sprintf("downloading Postgres %s for %s from %s to %s", wanted.Version, on, repository, cache))
	staging, err := os.MkdirTemp(cache, "unpacking-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	unpacked := filepath.Join(staging, "postgresql")
	result := make(chan error, 1)
	go func() { result <- download(staging, unpacked, repository, on, wanted) }()
	select {
	case err = <-result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("download Postgres %s: %w", wanted.Version, err)
	}
	// Complete or not there at all. Another process may have been faster; its files have the same checksum.
	if err := os.Rename(unpacked, kept); err != nil {
		if _, other := os.Stat(kept); other != nil {
			return "", err
		}
	}
	return bin, nil
}

// download has embedded-postgres fetch one archive and unpack it to the directory unpacked, and start nothing.
func download(staging, unpacked, repository, on string, wanted archive) error {
	pin, err := newPinServer(repository, on, wanted)
	if err != nil {
		return err
	}
	defer pin.close()

	// embedded-postgres has one call for download, initdb and start. It starts a server that outlives us if we are
	// killed, so what it unpacked is run by this package instead: a data directory that no system can have (its name
	// holds a zero byte) ends the call after the unpacking.
	const unpackedAll = "unable to clean up data directory"
	var said bytes.Buffer
	err = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(wanted.Version)).
		Port(pin.freePort).
		BinaryRepositoryURL(pin.url).
		CachePath(filepath.Join(staging, "archive")).
		BinariesPath(unpacked).
		RuntimePath(filepath.Join(staging, "runtime")).
		DataPath(filepath.Join(staging, "none\x00")).
		Logger(&said)).Start()
	switch {
	case err == nil:
		panic("scratchpg: embedded-postgres started a server in a directory that cannot exist. This is a bug in Anthill.")
	case strings.HasPrefix(err.Error(), unpackedAll):
		return nil
	case strings.Contains(err.Error(), "checksums do not match"):
		return fmt.Errorf("the archive from %s is not the one that this version of Anthill knows (SHA-256 %s); nothing "+
			"of it was kept or run", repository, wanted.SHA256)
	case strings.Contains(err.Error(), "no version found"):
		return fmt.Errorf("%s has no archive %s", repository, archivePath(on, wanted.Version))
	default:
		// It knows the pin server only.
		return errors.New(strings.ReplaceAll(err.Error(), pin.url, repository))
	}
}

func archivePath(on, version string) string {
	name := "embedded-postgres-binaries-" + on
	return fmt.Sprintf("/io/zonky/test/postgres/%s/%s/%s-%s.jar", name, version, name, version)
}

// pinServer stands between embedded-postgres and the repository. embedded-postgres believes the checksum that the
// repository serves, and goes on without one; here it gets ours, and is sent to the repository for the archive only. So
// it compares before it unpacks.
type pinServer struct {
	url      string
	freePort uint32 // a port that nothing listens on: embedded-postgres insists on one, and nothing will
	server   *http.Server
}

func newPinServer(repository, on string, wanted archive) (*pinServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	free, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on loopback: %w", err), listener.Close())
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	path := archivePath(on, wanted.Version)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, repository+path, http.StatusFound)
	})
	mux.HandleFunc("GET "+path+".sha256", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(wanted.SHA256)) // cut short it does not match
	})
	s := &pinServer{url: "http://" + listener.Addr().String(), freePort: uint32(port), server: &http.Server{Handler: mux}}
	go func() { _ = s.server.Serve(listener) }() // ends with close
	return s, nil
}

func (s *pinServer) close() { _ = s.server.Close() }
