// Package keypool lends RSA keys to what lives for the time of a test. To make one takes a
// twentieth of a second of the processor, which was a third of all that tests of tenants took.
//
// It imports nothing of ours.
package keypool

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

// bits are those of the keys that Entra ID signs with.
const bits = 2048

// Pool lends keys. The zero value is ready.
type Pool struct {
	mu   sync.Mutex
	free []*rsa.PrivateKey
}

// Shared is the one that all tests of a process borrow from.
var Shared Pool

// Lend returns a function that hands out RSA-2048 keys. Nobody else has one of them until the
// function that it gives to atEnd is called, as testing.TB.Cleanup calls it.
func (p *Pool) Lend(atEnd func(func())) func() (*rsa.PrivateKey, error) {
	var lent []*rsa.PrivateKey
	ended := false
	atEnd(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, lent...)
		lent, ended = nil, true
	})
	return func() (*rsa.PrivateKey, error) {
		key, err := p.take()
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if !ended { // else it is nobody's any more
			lent = append(lent, key)
		}
		return key, nil
	}
}

// take takes the key that has been free for the longest time, or makes one.
func (p *Pool) take() (*rsa.PrivateKey, error) {
	p.mu.Lock()
	if len(p.free) > 0 {
		defer p.mu.Unlock()
		key := p.free[0]
		p.free = p.free[1:]
		return key, nil
	}
	p.mu.Unlock()
	return rsa.GenerateKey(rand.Reader, bits)
}
