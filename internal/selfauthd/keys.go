package selfauthd

import (
	"cmp"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// What the keys of a client are for.
const (
	useES256 = "jws_es256"
	useRS256 = "jws_rs256"
	useJWE   = "jwe_a128gcm"
)

// clientKey is a key of a client, or of the server itself.
type clientKey struct {
	ID      string `json:"id"`
	Usage   string `json:"usage"`
	From    int64  `json:"from"` // unix seconds; the newest that counts already is used
	Revoked bool   `json:"revoked,omitempty"`
	Key     []byte `json:"key"` // PKCS 8, or 16 bytes for encryption
	signer  *keySigner
}

// keySigner holds a private key once it has been read: reading one takes longer than signing with it.
type keySigner struct {
	once sync.Once
	key  crypto.Signer
}

func newKey(usage string, from int64) clientKey {
	var id [6]byte
	rand.Read(id[:])
	k := clientKey{ID: hex.EncodeToString(id[:]), Usage: usage, From: from, signer: &keySigner{}}
	var private any
	var err error
	switch usage {
	case useES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case useRS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		k.Key = make([]byte, 16)
		rand.Read(k.Key)
		return k
	}
	if err == nil {
		k.Key, err = x509.MarshalPKCS8PrivateKey(private)
	}
	if err != nil {
		panic(err) // no randomness: nothing works
	}
	return k
}

func (k *clientKey) status() string {
	if k.Revoked {
		return "revoked"
	}
	return "valid"
}

// private reads the key of a signature.
func (k *clientKey) private() crypto.Signer {
	k.signer.once.Do(func() {
		key, err := x509.ParsePKCS8PrivateKey(k.Key)
		if err != nil {
			panic(err) // it was made here
		}
		k.signer.key, _ = key.(crypto.Signer)
	})
	return k.signer.key
}

func (c *clientPart) sortedKeys() []clientKey {
	return slices.SortedFunc(slices.Values(c.keys), func(a, b clientKey) int { return cmp.Compare(a.ID, b.ID) })
}

// current is the newest key of a usage that counts already.
func (c *clientPart) current(usage string, now int64) *clientKey {
	var best *clientKey
	for i := range c.keys {
		if k := &c.keys[i]; k.Usage == usage && !k.Revoked && k.From <= now && (best == nil || k.From >= best.From) {
			best = k
		}
	}
	return best
}

func (c *clientPart) key(id string) *clientKey {
	for i := range c.keys {
		if c.keys[i].ID == id && !c.keys[i].Revoked {
			return &c.keys[i]
		}
	}
	return nil
}

// rotate adds a key of each usage that there is.
func rotate(keys []clientKey, from int64) []clientKey {
	for _, usage := range []string{useES256, useRS256, useJWE} {
		if slices.ContainsFunc(keys, func(k clientKey) bool { return k.Usage == usage }) {
			keys = append(keys, newKey(usage, from))
		}
	}
	return keys
}

// revoke ends a key; where it was the only one in use, another takes its place.
func (s *store) revoke(keys []clientKey, id string) ([]clientKey, *fault) {
	i := slices.IndexFunc(keys, func(k clientKey) bool { return k.ID == id })
	if i < 0 {
		return keys, internal("kp0026keyobjectnosuchkey")
	}
	keys[i].Revoked = true
	if keys[i].From == 0 || !slices.ContainsFunc(keys, func(k clientKey) bool {
		return k.Usage == keys[i].Usage &&
			!k.Revoked
	}) {
		keys = append(keys, newKey(keys[i].Usage, 0))
	}
	return keys, nil
}

// sign makes a compact JWS.
func (k *clientKey) sign(typ string, payload any) string {
	header := map[string]string{"alg": "ES256", "kid": k.ID}
	if k.Usage == useRS256 {
		header["alg"] = "RS256"
	}
	if typ != "" {
		header["typ"] = typ
	}
	text := b64.EncodeToString(mustMarshal(header)) + "." + b64.EncodeToString(mustMarshal(payload))
	sum := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch key := k.private().(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, sum[:]); err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	if err != nil {
		panic(err) // no randomness: nothing works
	}
	return text + "." + b64.EncodeToString(signature)
}

// verify returns the payload of a JWS that the key has signed.
func (k *clientKey) verify(token string) (payload []byte, ok bool) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 {
		return nil, false
	}
	signature, err := b64.DecodeString(token[cut+1:])
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256([]byte(token[:cut]))
	switch key := k.private().Public().(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		ok = len(signature) == 64 && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]),
			new(big.Int).SetBytes(signature[32:]))
	}
	if !ok {
		return nil, false
	}
	_, body, _ := strings.Cut(token[:cut], ".")
	payload, err = b64.DecodeString(body)
	return payload, err == nil
}

// jwk is the public part of a key.
func (k *clientKey) jwk() map[string]string {
	switch key := k.private().Public().(type) {
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "n": b64.EncodeToString(key.N.Bytes()),
			"e": b64.EncodeToString(big.NewInt(int64(key.E)).Bytes()), "alg": "RS256", "use": "sig", "kid": k.ID}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err) // a key of ours
		}
		return map[string]string{"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(point[1:33]),
			"y": b64.EncodeToString(point[33:]), "alg": "ES256", "use": "sig", "kid": k.ID}
	}
	return nil
}

// tokenHead are the parts of a token's header that are looked at.
type tokenHead struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Typ string `json:"typ"`
}

func headOf(token string) (h tokenHead) {
	first, _, _ := strings.Cut(token, ".")
	b, err := b64.DecodeString(first)
	if err != nil || json.Unmarshal(b, &h) != nil {
		return tokenHead{}
	}
	return h
}

// seal encrypts a value as a compact JWE, A128KW with A128GCM (RFC 7516).
func (k *clientKey) seal(value any) string {
	head := b64.EncodeToString(mustMarshal(map[string]string{"alg": "A128KW", "enc": "A128GCM", "kid": k.ID}))
	var content [16]byte
	var nonce [12]byte
	rand.Read(content[:])
	rand.Read(nonce[:])
	sealed := gcm(content[:]).Seal(nil, nonce[:], mustMarshal(value), []byte(head))
	text, tag := sealed[:len(sealed)-16], sealed[len(sealed)-16:]
	parts := []string{head}
	for _, p := range [][]byte{wrap(k.Key, content[:]), nonce[:], text, tag} {
		parts = append(parts, b64.EncodeToString(p))
	}
	return strings.Join(parts, ".")
}

// open decrypts what seal made.
func (k *clientKey) open(token string, value any) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 5 {
		return false
	}
	var raw [5][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = b64.DecodeString(p); err != nil {
			return false
		}
	}
	content, ok := unwrap(k.Key, raw[1])
	if !ok || len(raw[2]) != 12 {
		return false
	}
	text, err := gcm(content).Open(nil, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
	return err == nil && json.Unmarshal(text, value) == nil
}

func gcm(key []byte) cipher.AEAD {
	a, err := cipher.NewGCM(block(key))
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return a
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // keys are of 16 bytes
	}
	return b
}

const wrapCheck = 0xa6a6a6a6a6a6a6a6

// wrap and unwrap are AES key wrap (RFC 3394) of 16 bytes.
func wrap(key, content []byte) []byte {
	b, out := block(key), append(make([]byte, 8), content...)
	binary.BigEndian.PutUint64(out, wrapCheck)
	var buf [16]byte
	for t := range uint64(12) {
		i := 8 + 8*(t%2)
		copy(buf[:8], out)
		copy(buf[8:], out[i:i+8])
		b.Encrypt(buf[:], buf[:])
		binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(buf[:8])^(t+1))
		copy(out[i:], buf[8:])
	}
	return out
}

func unwrap(key, wrapped []byte) ([]byte, bool) {
	if len(wrapped) != 24 {
		return nil, false
	}
	b, out := block(key), slices.Clone(wrapped)
	var buf [16]byte
	for t := uint64(12); t > 0; t-- {
		i := 8 + 8*((t-1)%2)
		binary.BigEndian.PutUint64(buf[:8], binary.BigEndian.Uint64(out)^t)
		copy(buf[8:], out[i:i+8])
		b.Decrypt(buf[:], buf[:])
		copy(out, buf[:8])
		copy(out[i:], buf[8:])
	}
	return out[8:], binary.BigEndian.Uint64(out) == wrapCheck
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values
	}
	return b
}
