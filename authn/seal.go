package authn

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a value that must be kept in plain text, but never shown: it prints as [hidden].
type Secret string

// String hides the secret from logs and formatted output.
func (Secret) String() string { return "[hidden]" }

// LogValue hides the secret from structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[hidden]") }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Sealer encrypts the secrets that a store must be able to read back, with AES-256-GCM under the
// master key.
type Sealer struct {
	aead cipher.AEAD
	mac  []byte // the key of MAC
}

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32 //bound:none a format, not a bound

// NewSealer makes a sealer from a 32-byte master key.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != MasterKeySize {
		return nil, fmt.Errorf("the master key has %d bytes, want %d", len(key), MasterKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	mac, err := hkdf.Expand(sha256.New, key, "gatehouse mac", sha256.Size) // a key that seals nothing
	return &Sealer{aead, mac}, err
}

// MAC is what only who has the master key can make of data, for one purpose: HMAC-SHA256 (RFC 2104)
// under a key of its own.
func (s *Sealer) MAC(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, s.mac)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

// Seal encrypts plain. purpose is bound to the result: it opens only for the same purpose, so that
// a sealed value cannot be moved to another place of the database.
func (s *Sealer) Seal(purpose string, plain []byte) string {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(purpose)))
}

// ErrSealed is returned for a value that this master key did not seal for this purpose.
var ErrSealed = errors.New("a sealed value cannot be opened: it is damaged, or was sealed with another master key")

// Open decrypts what Seal made for the same purpose, or fails with ErrSealed.
func (s *Sealer) Open(purpose, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return nil, ErrSealed
	}
	plain, err := s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
