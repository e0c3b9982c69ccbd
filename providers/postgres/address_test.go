package postgres

import (
	"net/url"
	"strings"
	"testing"

	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// TestMisread: an address of which a part of the password would count as the host is refused, and nothing of it is shown. What
// is encoded, or stands where it may, is none.
func TestMisread(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://app:Hunter@2secretTail@db.invalid:5432/app",
		"postgres://app:a@b@secretTail@db.invalid/app",
		"postgres://app:x@secretTail/y@db.invalid/app",
		"postgres://app:12/secretTail@db.invalid/app",
		"postgres://app:12?password=secretTail@db.invalid/app",
		"postgres://db.invalid?user=app&password=a@secretTail/app",
		"postgres://db.invalid:5432?user=app&password=a@secretTail",
		"postgres://app:p@ss#secretTail/app",
		"postgres://app:p@ss?password=secretTail@db.invalid/app",
		"postgres://app:12@db.invalid/app?password=secretTail",
		"postgres://app:100%secretTail@db.invalid/app",
		"postgres://app:secretTail%@db.invalid/app",
		"host=db.invalid password='it's secretTail' dbname=app",
		"host=db.invalid password='secretTail dbname=app",
		"host=db.invalid user=app password=secretTail' dbname='app",
		"host=se(cretTail) user=app",
		"postgresql://app:secret Tail@db.invalid/app",
		"postgres://app:secretTail\n@db.invalid/app",
		"postgres://app:pw:secretTail@db.invalid:5432x/app",
		"postgres://app:%zzsecretTail@db.invalid/app",
		"host=db.invalid user=app password=my secretTail dbname=app",
		"postgres://app@secretTail:x@db.invalid",
		"POSTGRES://app:secretTail@db.invalid/app?sslmode=disable",
		"postgresql+asyncpg://app:secretTail@db.invalid/app?ssl=require",
		"jdbc:postgresql://db.invalid/app?user=app&password=secretTail",
		"postgres://app:12/x?secret=Tail@db.invalid/app",
		"postgres://app:p@secretTail?x=y@db.invalid",
		"postgres://app:p@secretTail/x?sslmode=disable&x=y@db.invalid",
		"\"postgres://app:secretTail@db.invalid/app?sslmode=disable\"",
		"\ufeffpostgres://app:secretTail@db.invalid/app?sslmode=disable",
		"postgres:app:secretTail@db.invalid/app?sslmode=disable",
		"postgres_x://app:secretTail@db.invalid/app?sslmode=disable",
		"app:secretTail@db.invalid/app?sslmode=disable",
	} {
		_, err := Open(t.Context(), Options{URL: address, Naming: "self_auth"})
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Tail") ||
			state.ErrorKindOf(err) != state.ErrorMissing {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{
		"postgres://app:a%40b%2Fc%3Fd%23e%20f@db.invalid:5432/app?sslmode=verify-full",
		"postgres://db.invalid/app?user=me@corp&application_name=a/b",
		"postgres:///app?host=/run/postgresql&user=app",
		"postgres://app@db.invalid,db2.invalid:5433/app?target_session_attrs=read-write",
		"postgres://app:x@[::1]:5432/app",
		"host=/run/postgresql dbname=app password='a@b/c#d e'",
		"host=h user=u password=a://b dbname=d",
		" host = h user=u",
		"postgres://app:x@db.invalid/app?sslmode=verify-full&sslrootcert=/run/credentials/anthill@1.service/ca.pem",
		"postgres://db.invalid/app?user=app&password=a@b/c&application_name=ci@runner/42",
		"postgres://%2Frun%2Fpostgresql/app",
		"postgres://h1,h2,h3/app?port=1,2,3&target_session_attrs=primary",
		"postgres://app:12?x@db.invalid/app",
		"postgres://app:12#x@db.invalid/app",
		"postgres://app:a,b?#:c@db.invalid/app",
		"postgresql://",
		"",
	} {
		if c, known := misread(address); c != "" || !known {
			t.Errorf("%s: %q", address, c)
		}
	}
}

// TestSettingNotKnown: what the server does not know as the name of a setting, or its value, may be a part of the password, and is
// not shown.
func TestSettingNotKnown(t *testing.T) {
	t.Parallel()
	address := pgtest.Database(t)
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := parsed.Query()
	words := "host=" + q.Get("host") + " port=" + q.Get("port") + " user=" + parsed.User.Username() + " dbname=" + strings.TrimPrefix(parsed.Path, "/")
	for _, address := range []string{
		address + "&password=my&secretTail=x",
		words + " password=my secretTail=x",
		words + " password=my secret-Tail=x",
		words + " password=my timezone=secretTail",
		words + " password=my role=secretTail",
		words + " password=my work_mem=secretTail",
		address + "&password=my&DateStyle=secretTail",
		address + "&password=my&options=-c%20secretTail",
		address + "&password=my&options=-c%20lock_timeout%3DsecretTail",
		words + " password=my postgres://app:secretTail@db.invalid/app?sslmode=disable",
	} {
		_, err := Open(t.Context(), Options{URL: address, Naming: "self_auth"})
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Tail") ||
			state.ErrorKindOf(err) != state.ErrorMissing {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestAddressOfAFile: an address that was read from a file ends in a newline.
func TestAddressOfAFile(t *testing.T) {
	t.Parallel()
	p, err := Open(t.Context(), Options{URL: pgtest.Database(t) + "\n", Naming: "self_auth"})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}
