package tenant

import (
	"context"
	"strconv"
	"time"
)

// askedPurpose is what the moments are sealed for at which people were asked to sign in again.
const askedPurpose = "asked/"

// SealAsked remembers, in a text that only this tenant can make, that a person is asked now to sign
// in again for a request. It is in the address that the browser comes back to. Sessions begin by
// the same clock, at whatever node.
func (t *Tenant) SealAsked(ctx context.Context, request string) (sealed string, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		now, err := t.clock(r)
		sealed = t.Sealer.Seal(askedPurpose+request, strconv.AppendInt(nil, now.UnixMilli(), 10))
		return err
	})
	return sealed, err
}

// AskedAt is when the person was asked to sign in again for a request; zero: not yet, or for
// another one.
func (t *Tenant) AskedAt(request, sealed string) time.Time {
	data, err := t.Sealer.Open(askedPurpose+request, sealed)
	if err != nil {
		return time.Time{}
	}
	milliseconds, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}
