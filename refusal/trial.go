package refusal

import (
	"context"
	"errors"
)

// A trial asks a rule whether it would refuse, before a person is asked whether they are sure. The
// rule runs as it always does, up to the first thing that it writes: rules look before they write.
// Stores see to that.

type trialKey struct{}

// errTrial is what ends a change that was only tried.
var errTrial = errors.New("a trial ends here, before anything is written")

// Try says whether a deed would be refused, and why. A deed is one change: of a second one it would
// ask what that does without the first. A refusal is recorded as always.
func Try(ctx context.Context, deed func(context.Context) error) error {
	if err := deed(context.WithValue(ctx, trialKey{}, true)); !Tried(err) {
		return err
	}
	return nil
}

// Really is the context of what is written although it is part of a trial: the record of a refusal.
func Really(ctx context.Context) context.Context { return context.WithValue(ctx, trialKey{}, false) }

// EndOf is what ends a change instead of its first write, if it is only tried; nil: it is not.
func EndOf(ctx context.Context) error {
	if trial, _ := ctx.Value(trialKey{}).(bool); trial {
		return errTrial
	}
	return nil
}

// Tried says whether a change was only tried, and not refused.
func Tried(err error) bool { return errors.Is(err, errTrial) && CodeOf(err) == None }
