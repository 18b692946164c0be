// Package inventory reads what an instance of IAM Identity Center holds, at AWS or in a Gatehouse
// center, by the public APIs of sso-admin, identitystore and organizations, and keeps requests to
// the rates that AWS publishes. It changes nothing.
//
// Lists come in pages, with the token of the next: whoever is interrupted goes on where they were.
// Whoever wants all of it ranges over Each. What cannot be read is an Unread, which names the
// permission: a caller that needs everything stops there, another keeps it beside what it has.
//
// It imports nothing of ours.
package inventory

import (
	"context"
	"iter"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
)

// Reader reads an instance. Its methods may be called by several goroutines.
type Reader struct {
	// InstanceARN and StoreID are the instance's, and its identity store's. What only reads the
	// organization or the list of instances needs neither.
	InstanceARN, StoreID string

	store *identitystore.Client
	admin *ssoadmin.Client
	orgs  *organization
}

// Open makes a reader with somebody's credentials. Have the configuration paced with Rates.Pace,
// unless the other side is a center of one's own. Requests that fail for a while are sent again, if
// the configuration says nothing else.
func Open(cfg aws.Config) *Reader {
	if cfg = cfg.Copy(); cfg.Retryer == nil {
		cfg.Retryer = Retryer
	}
	if cfg.HTTPClient != nil {
		cfg.HTTPClient = Steady(cfg.HTTPClient)
	}
	return &Reader{
		store: identitystore.NewFromConfig(cfg),
		admin: ssoadmin.NewFromConfig(cfg),
		orgs:  organizationsAt(cfg),
	}
}

// Of is the same reader for one instance.
func (r *Reader) Of(instanceARN, storeID string) *Reader {
	of := *r
	of.InstanceARN, of.StoreID = instanceARN, storeID
	return &of
}

// Page is a part of a list, and the token of the next, which is empty at the end.
type Page[T any] struct {
	Items []T
	Next  string
}

// Pages are those of a list. An error, which is an Unread, is the last.
type Pages[T any] = iter.Seq2[Page[T], error]

// pageSize is how much a request asks for: as much as AWS gives.
const pageSize = 100 //bound:none what a request asks AWS for; AWS gives no more

// pages asks for one page after the other, beginning at the token from.
func pages[T any](
	ctx context.Context, what, from string, ask func(context.Context, *string) ([]T, *string, error),
) Pages[T] {
	return func(yield func(Page[T], error) bool) {
		for next := from; ; {
			var token *string
			if next != "" {
				token = &next
			}
			items, after, err := ask(ctx, token)
			if err != nil {
				yield(Page[T]{}, unread(ctx, what, err))
				return
			}
			page := Page[T]{Items: items, Next: aws.ToString(after)}
			if page.Next == next && next != "" { // it would never end
				yield(page, &Unread{What: what, Err: errSamePage})
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			next = page.Next
		}
	}
}

// Each goes through the items of all pages. An error is the last.
func Each[T any](list Pages[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range list {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// All collects the items of all pages: with an error, those before it.
func All[T any](list Pages[T]) (all []T, err error) {
	for page, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

// AtOnce is how many requests to one API are usefully under way together: at AWS's rates, each may
// take most of a second.
const AtOnce = 16 //bound:none requests under way together; AWS's rates are the bound

// Parallel calls do for every item of a list, several at a time. The first error, of the list or of
// do, ends it: whoever wants what can be had notes errors in do and returns nil.
func Parallel[T any](ctx context.Context, items iter.Seq2[T, error], do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan T)
	var workers sync.WaitGroup
	for range AtOnce {
		workers.Go(func() {
			for item := range queue {
				if err := do(ctx, item); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for item, err := range items {
		if err != nil {
			cancel(err)
			break
		}
		select {
		case queue <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}

// List is a slice as Parallel takes it.
func List[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
