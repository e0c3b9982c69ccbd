package person

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// totp is the code of an authenticator (RFC 6238), as Self-auth sets them up: SHA-256, 30 seconds, 6 digits.
func totp(secret []byte, at time.Time) uint32 {
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(at.Unix()/30))
	h := hmac.New(sha256.New, secret)
	h.Write(count[:])
	sum := h.Sum(nil)
	from := sum[len(sum)-1] & 15
	return binary.BigEndian.Uint32(sum[from:]) & (1<<31 - 1) % 1_000_000
}
