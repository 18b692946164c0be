package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// identifiers are the names of resources in the files. The same thing gets the same name in each
// export: a name that is no identifier of Terraform's becomes one with a digest of the name, and
// only what still is the same gets a number.
type identifiers struct{ taken map[string]bool }

func newIdentifiers() *identifiers { return &identifiers{map[string]bool{}} }

const (
	longest      = 40 //bound:text an identifier made of a name, before its digest
	digestDigits = 8  // of 32 bits: enough for names that look alike
)

// of makes the identifier of what has a name and an id that is its alone.
func (i *identifiers) of(name, id string) string {
	out, same := identifier(name)
	if !same {
		out += "_" + digest(name)
	}
	if i.taken[out] {
		out += "_" + digest(id)
	}
	base := out
	for n := 2; i.taken[out]; n++ {
		out = base + "_" + strconv.Itoa(n)
	}
	i.taken[out] = true
	return out
}

// identifier is a name as Terraform takes it for a resource, and whether it is the name itself.
// Source: Terraform's language, "Identifiers"; only ASCII is used of what it allows.
func identifier(name string) (out string, same bool) {
	var b strings.Builder
	for _, r := range name {
		if b.Len() >= longest {
			break
		}
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	out = b.String()
	if out == "" || out[0] == '-' || out[0] >= '0' && out[0] <= '9' {
		out = "_" + out
	}
	return out, out == name
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digestDigits]
}

// fileNames are the names of files: there are file systems on which case makes no difference.
type fileNames struct{ times map[string]int }

// newFileNames looks at all names first: each of those that differ only in case gets a digest.
func newFileNames(identifiers []string) fileNames {
	f := fileNames{map[string]int{}}
	for _, name := range identifiers {
		f.times[strings.ToLower(name)]++
	}
	return f
}

func (f fileNames) of(identifier string) string {
	if f.times[strings.ToLower(identifier)] > 1 {
		return identifier + "_" + digest(identifier)
	}
	return identifier
}

// keys are the keys of a for_each: names that people read, which are unique once the id is added to
// those that are not.
type keys map[string]bool

func (k keys) of(name, id string) string {
	if k[name] {
		name += " (" + id + ")"
	}
	k[name] = true
	return name
}
