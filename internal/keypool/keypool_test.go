package keypool_test

import (
	"crypto/rsa"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/keypool"
)

// TestAKeyIsNobodyElsesUntilItsBorrowerEnds: who lives at the same time has other keys, and who
// comes later has those of who has ended.
func TestAKeyIsNobodyElsesUntilItsBorrowerEnds(t *testing.T) {
	var p keypool.Pool
	var end func()
	first := p.Lend(func(f func()) { end = f })
	second := p.Lend(func(func()) {})
	borrow := func(from func() (*rsa.PrivateKey, error)) *rsa.PrivateKey {
		key, err := from()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	a, b := borrow(first), borrow(first)
	c := borrow(second)
	if a.Equal(b) || a.Equal(c) || b.Equal(c) {
		t.Error("a key is lent twice")
	}
	end()
	late := borrow(first) // after its end
	if d := borrow(second); !late.Equal(a) || !d.Equal(b) {
		t.Error("a key that was given back is not lent again")
	}
	if e := borrow(second); e.Equal(a) || e.Equal(b) || e.Equal(c) {
		t.Error("a key is lent twice")
	}
}
