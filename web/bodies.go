package web

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

const (
	smallBody      = 32 << 10         //bound:body a request that needs no place for its body
	maxLargeBodies = 32               //bound:queue larger bodies that are received and worked on at once
	maxLargeOfOne  = 8                //bound:queue larger bodies of one address (IPv6: of one /64)
	largeTimeout   = 15 * time.Second //bound:wait the rest of a larger body, once it has a place
)

// places are what the larger bodies need, since a body is in memory while its request is answered.
// A request that finds none waits, as long as it may take.
type places struct {
	mu      sync.Mutex
	taken   int
	of      map[string]int
	changed chan struct{} // closed when a place has become free
}

// take waits for a place.
func (p *places) take(ctx context.Context, address string) error {
	for {
		p.mu.Lock()
		if p.of == nil {
			p.of, p.changed = map[string]int{}, make(chan struct{})
		}
		if p.taken < maxLargeBodies && p.of[address] < maxLargeOfOne {
			p.taken++
			p.of[address]++
			p.mu.Unlock()
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *places) free(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[address]--; p.of[address] == 0 {
		delete(p.of, address)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// body is the body of a request that may be a larger one.
type body struct {
	io.ReadCloser
	places  *places
	address string
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // the request's, which the body belongs to
	read    int
	placed  bool
}

// bounded gives a request its bounded body, unless it is small, and returns what to do at the end.
func (p *places) bounded(w http.ResponseWriter, r *http.Request, address string) (end func()) {
	if r.ContentLength >= 0 && r.ContentLength <= smallBody {
		return func() {}
	}
	b := &body{
		ReadCloser: r.Body,
		places:     p,
		address:    audit.Neighborhood(address),
		control:    http.NewResponseController(w),
		ctx:        r.Context(),
	}
	r.Body = b
	return func() {
		if b.placed {
			p.free(b.address)
		}
	}
}

// Read implements io.Reader. It hands out the small part at once, and waits for a place before the
// rest.
func (b *body) Read(to []byte) (int, error) {
	if !b.placed {
		if b.read >= smallBody {
			if err := b.places.take(b.ctx, b.address); err != nil {
				return 0, err
			}
			b.placed = true
			_ = b.control.SetReadDeadline(time.Now().Add(largeTimeout)) // a recorder in a test has none
		} else if len(to) > smallBody-b.read {
			to = to[:smallBody-b.read]
		}
	}
	n, err := b.ReadCloser.Read(to)
	b.read += n
	return n, err
}
