package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// base is the time at which the sample's world begins; everything in it is so much later.
var base = time.Date(2025, 6, 2, 8, 0, 0, 0, time.UTC)

// tenantRow is a row of tenants.
type tenantRow struct {
	id         uuid.UUID
	name, slug string
	plan       string
	status     string
	deleted    bool
}

// userRow is a row of users.
type userRow struct {
	id       uuid.UUID
	tenant   uuid.UUID
	email    string
	noHash   bool // only at the dual level
	system   bool // a placeholder for a hash
	verified bool
	name     *string
	role     string
	status   string
	deleted  bool
	link     uuid.UUID
	created  time.Time
}

// source makes ids, hashes and choices from a seed.
type source struct {
	*rand.Rand
	n uint64
}

func newSource(seed int64) *source {
	return &source{Rand: rand.New(rand.NewPCG(uint64(seed), 0x616e7468696c6c))}
}

// id is a version 7 UUID: later ones sort behind earlier ones, as the application makes them.
func (s *source) id() uuid.UUID {
	s.n++
	var id uuid.UUID
	millis := uint64(base.UnixMilli()) + s.n*37
	binary.BigEndian.PutUint64(id[:8], millis<<16|0x7000|s.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], s.Uint64()&(1<<62-1)|1<<63)
	return id
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// hash looks like a bcrypt hash of cost 12; it is of no password.
func (s *source) hash() string {
	var raw [53]byte
	for i := 0; i < len(raw); i += 10 {
		bits := s.Uint64()
		for j := i; j < min(i+10, len(raw)); j++ {
			raw[j] = bcryptAlphabet[bits&63]
			bits >>= 6
		}
	}
	return "$2b$12$" + string(raw[:])
}

func (s *source) pick(list []string) string { return list[s.IntN(len(list))] }

// chance is true in so many of a thousand cases.
func (s *source) chance(perMille int) bool { return s.IntN(1000) < perMille }

func text(s string) *string { return &s }

func token(s *source) string {
	var b [32]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], s.Uint64())
	}
	return hex.EncodeToString(b[:])
}
