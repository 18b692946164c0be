package refusal

import (
	"context"
	"errors"
)

// A trial asks a rule whether it would refuse, before a person is asked whether they are sure. The
// rule runs as it always does, up to the first thing that it writes: rules look before they write.
// Stores see to that.

type trialKey struct{}

// trial is how a change is only tried.
type trial uint8

const (
	really trial = iota
	tried
	glanced
)

// errTrial is what ends a change that was only tried.
var errTrial = errors.New("a trial ends here, before anything is written")

// Try says whether a deed would be refused, and why. A deed is one change: of a second one it would
// ask what that does without the first. A refusal is recorded as always.
func Try(ctx context.Context, deed func(context.Context) error) error { return tried.of(ctx, deed) }

// Glance is Try for a look at each of several. No refusal is recorded: of what is asked about one
// thing a log has one line, and not one for each of a list.
func Glance(ctx context.Context, deed func(context.Context) error) error {
	return glanced.of(ctx, deed)
}

// Glanced says whether a refusal is only looked for, so that it is not recorded.
func Glanced(ctx context.Context) bool { return ctx.Value(trialKey{}) == glanced }

func (t trial) of(ctx context.Context, deed func(context.Context) error) error {
	if err := deed(context.WithValue(ctx, trialKey{}, t)); !Tried(err) {
		return err
	}
	return nil
}

// Really is the context of what is written although it is part of a trial: the record of a refusal.
func Really(ctx context.Context) context.Context { return context.WithValue(ctx, trialKey{}, really) }

// EndOf is what ends a change instead of its first write, if it is only tried; nil: it is not.
func EndOf(ctx context.Context) error {
	if t, _ := ctx.Value(trialKey{}).(trial); t != really {
		return errTrial
	}
	return nil
}

// Tried says whether a change was only tried, and not refused.
func Tried(err error) bool { return errors.Is(err, errTrial) && CodeOf(err) == None }
