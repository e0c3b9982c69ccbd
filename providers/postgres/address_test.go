package postgres

import (
	"strings"
	"testing"

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
		"postgres://app:12?secretTail@db.invalid/app",
		"postgres://app:12#secretTail@db.invalid/app",
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
		"",
	} {
		if c, known := misread(address); c != "" || !known {
			t.Errorf("%s: %q", address, c)
		}
	}
}
