package mapping

import (
	"crypto/rand"
	"errors"
	"math/big"
	"strings"
)

// maxRandom is the longest random text. Source: RandomString.
const maxRandom = 256 //bound:text what RandomString makes

// The characters of random texts. Source: "Password must meet complexity requirements".
var randomKinds = [...]string{
	"0123456789", `'-!"#$%&()*,./:;?@[]^_{}|~+<=>` + "`", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz",
}

// randomString has at least so many of each kind of character; special ones only where some are
// wanted.
func randomString(a arguments) (Value, error) {
	var n [1 + len(randomKinds)]int
	for i := range n {
		var err error
		if n[i], err = a.number(i); err != nil {
			return nil, err
		}
	}
	avoid, err := a.value(len(n))
	if err != nil {
		return nil, err
	}
	sum, all := 0, ""
	var out []byte
	for i, kind := range randomKinds {
		least := n[i+1]
		if sum += min(max(least, 0), maxRandom+1); least < 0 || sum > n[0] || n[0] > maxRandom {
			return nil, errors.New("the length must be at most 256, and at least the sum of the minimums")
		}
		kind = strings.Map(func(r rune) rune {
			if strings.ContainsRune(avoid.Text(), r) {
				return -1
			}
			return r
		}, kind)
		if least > 0 || i != 1 && n[0] > 0 {
			all += kind
		}
		if least > 0 && kind == "" {
			return nil, errors.New("every character of a kind is to be avoided")
		}
		for range least {
			out = append(out, kind[below(len(kind))])
		}
	}
	if len(out) < n[0] && all == "" {
		return nil, errors.New("every character is to be avoided")
	}
	for len(out) < n[0] {
		out = append(out, all[below(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return One(string(out)), nil
}

// below is a random number, as hard to guess as a key: passwords are made so.
func below(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // it never fails
	}
	return int(i.Int64())
}
