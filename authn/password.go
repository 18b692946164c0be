// Package authn holds what both halves need to tell people and programs apart: password hashes,
// random secrets and their digests, sealing of secrets that must be read back, and the growing
// delay after wrong passwords.
//
// It stores nothing.
//
// It imports nothing of ours.
package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// The argon2id parameters of new hashes.
const (
	argonThreads = 1
	argonKeyLen  = 32
	saltLen      = 16
)

// hashCost is what a hash takes; memory is in KiB.
type hashCost struct{ time, memory uint32 }

// shipped is OWASP's first recommendation, 19 MiB and two passes.
var shipped = hashCost{time: 2, memory: 19 * 1024}

// cost is what a new hash takes.
var cost = shipped

// HashCheaply makes new hashes take a thousandth of the work, in this process, and the comparison
// with nobody's password too. It is for tests, which hash thousands of passwords. Nothing that is
// shipped may call it (a test of the house looks), so that it is not even linked in. Call it from
// init.
func HashCheaply() { cost.time, cost.memory = 1, 64 }

// HashAsShipped makes new hashes take what they take in the program, until what it returns is
// called. It is for tests of what many hashes at once do to others, which run by themselves: where
// hashes are cheap, they do nothing.
func HashAsShipped() (again func()) {
	was := cost
	cost = shipped
	return func() { cost = was }
}

// hashing bounds how many passwords are hashed at once, however many ask: the other processors are
// for everybody else. Places decides who is next.
var hashing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// What a hash has used is garbage of 19 MiB, of which the collector would let as much lie as all
// else takes: the attempts of strangers would double the memory. So it is collected after every
// hash, or every second one, where that takes a small part of the time of hashing: where the
// collector has little to read.
const (
	collectEach   = 8 << 20  //bound:none bytes that the collector reads; above, it collects after every second
	collectSecond = 16 << 20 //bound:none bytes that the collector reads; above, it collects when it likes
)

var hashed atomic.Uint32

// collect has the garbage of hashes collected where that is due and cheap.
func collect() {
	below := uint64(collectEach)
	if hashed.Add(1)%2 == 0 {
		below = collectSecond
	}
	read := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(read)
	if read[0].Value.Kind() == metrics.KindUint64 && read[0].Value.Uint64() < below {
		runtime.GC()
	}
}

// HashPassword returns the PHC string of an argon2id hash of password (RFC 9106).
func HashPassword(password string) string {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails: crypto/rand
	return phc(
		salt, argon(password, salt, cost.time, cost.memory, argonThreads, argonKeyLen), cost.time, cost.memory,
		argonThreads,
	)
}

func argon(password string, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
	hashing <- struct{}{}
	defer func() {
		collect()
		<-hashing
	}()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, keyLen)
}

func phc(salt, key []byte, time, memory uint32, threads uint8) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf(
		"$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, threads, b64.EncodeToString(salt),
		b64.EncodeToString(key),
	)
}

// absentHash is compared with when there is no user, so that the answer takes as long as for one
// who exists. It is of the size of a new hash, and of no password.
func absentHash() string {
	var nothing [argonKeyLen]byte
	return phc(nothing[:saltLen], nothing[:], cost.time, cost.memory, argonThreads)
}

// CheckPassword says whether password belongs to the PHC string hash. An empty hash never matches,
// but costs as much time as a real one, so that the duration tells nothing about whether a user
// exists.
func CheckPassword(hash, password string) bool {
	if hash == "" {
		checkPHC(absentHash(), password)
		return false
	}
	return checkPHC(hash, password)
}

func checkPHC(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var version int
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil || memory > 256*1024 ||
		time > 16 || threads == 0 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 || len(want) > maxHash {
		return false
	}
	got := argon(password, salt, time, memory, threads, uint32(len(want))) // #nosec G115 -- bounded above
	return subtle.ConstantTimeCompare(got, want) == 1
}

// maxHash bounds the hash of a stored password, in bytes.
const maxHash = 64 //bound:none of what the store holds

// NewSecret returns n random bytes as unpadded base64url text.
func NewSecret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

// NewHex returns n random bytes as lower-case hexadecimal text.
func NewHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// Digest is how a high-entropy secret that is only compared is stored: its SHA-256 in hexadecimal.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Equal compares two secrets in constant time.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
