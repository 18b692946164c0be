package inventory

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	smithy "github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// What AWS answers a second. Sources: user guide of IAM Identity Center, "Quotas" (identitystore:
// each operation and store, sso-admin: all operations together); AWS Organizations, "Throttling
// limits" (its reads differ; this is the least); AWS CloudTrail, LookupEvents.
const (
	PerOperation     = 20 //bound:rate requests to an operation of identitystore, a second
	ofSSOAdmin       = 20 //bound:rate requests to sso-admin, a second
	ofOrganizations  = 8  //bound:rate requests to an operation of Organizations, a second
	ofLookupEvents   = 2  //bound:rate requests to CloudTrail, a second
	ownShare         = 0.95
	mostTries        = 8                //bound:wait times that a request to AWS is sent
	longestRetryWait = 20 * time.Second //bound:wait until a request to AWS is sent again
)

// Rates keep requests to what AWS answers. The zero value takes all of it but a little; whoever
// works there besides keeps that.
type Rates struct {
	// Share is the part of AWS's rates to take, at most 1; 0 is nearly all.
	Share float64
	// Each is the most for an operation of identitystore, instead of its share; 0 is the share.
	Each float64
	// Asked is told of each request, when it is its turn.
	Asked func(service, operation string)

	mu    sync.Mutex
	lanes map[string]*rate.Limiter
}

// limit is the lane of an operation, and how many requests it takes a second. What AWS publishes no
// rate for has no lane.
func limit(service, operation string) (lane string, perSecond float64) {
	switch service {
	case "identitystore":
		return service + "/" + operation, PerOperation
	case "SSO Admin":
		return service, ofSSOAdmin
	case "Organizations":
		return service + "/" + operation, ofOrganizations
	case "CloudTrail":
		return service + "/" + operation, ofLookupEvents
	}
	return "", 0
}

func (r *Rates) lane(service, operation string) *rate.Limiter {
	name, perSecond := limit(service, operation)
	if name == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[name]
	if l == nil {
		share := r.Share
		if share <= 0 || share > 1 {
			share = ownShare
		}
		perSecond *= share
		if r.Each > 0 && service == "identitystore" {
			perSecond = r.Each
		}
		l = rate.NewLimiter(rate.Limit(perSecond), 1)
		if r.lanes == nil {
			r.lanes = map[string]*rate.Limiter{}
		}
		r.lanes[name] = l
	}
	return l
}

// Pace is a configuration whose clients wait for their turn before each request, a repeated one
// too. All that it makes share the rates.
func (r *Rates) Pace(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	turn := smithy.FinalizeMiddlewareFunc("Turn", func(
		ctx context.Context, in smithy.FinalizeInput, next smithy.FinalizeHandler,
	) (smithy.FinalizeOutput, smithy.Metadata, error) {
		service, operation := middleware.GetServiceID(ctx), middleware.GetOperationName(ctx)
		if lane := r.lane(service, operation); lane != nil {
			if err := lane.Wait(ctx); err != nil {
				if cause := context.Cause(ctx); cause != nil {
					err = cause
				}
				return smithy.FinalizeOutput{}, smithy.Metadata{}, err
			}
		}
		if r.Asked != nil {
			r.Asked(service, operation)
		}
		return next.HandleFinalize(ctx, in)
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *smithy.Stack) error {
		// After Retry: each try waits. Before the signature: it would grow old.
		return stack.Finalize.Insert(turn, "Retry", smithy.After)
	})
	return cfg
}

// Steady is a client whose connections outlive an answer that comes at once, as on one machine: the
// SDK closes a request's body then, and what it says of a body that is closed is a failure for
// net/http, which closes the connection under the answer that is being read. Some requests in a
// hundred would be sent again.
func Steady(client aws.HTTPClient) aws.HTTPClient { return steady{client} }

type steady struct{ aws.HTTPClient }

// Do implements aws.HTTPClient.
func (s steady) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context())           // a copy
		r.Body = struct{ io.ReadCloser }{r.Body} // without WriteTo: a closed body has nothing more
	}
	return s.HTTPClient.Do(r)
}

// Retryer sends what AWS throttles or fails to answer again, after the time that it asks for.
func Retryer() aws.Retryer {
	return patient{retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = mostTries
		o.MaxBackoff = longestRetryWait
		o.RateLimiter = unlimited{} // the lanes are
	})}
}

// patient waits as long as an identity store asks for.
type patient struct{ *retry.Standard }

// RetryDelay implements aws.Retryer.
func (p patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	busy, internal := new(types.ThrottlingException), new(types.InternalServerException)
	var asked time.Duration
	switch {
	case errors.As(err, &busy):
		asked = time.Duration(busy.RetryAfterSeconds) * time.Second
	case errors.As(err, &internal):
		asked = time.Duration(internal.RetryAfterSeconds) * time.Second
	}
	own, err := p.Standard.RetryDelay(attempt, err)
	return max(own, min(asked, longestRetryWait)), err
}

// unlimited lets every failed request be sent again: how often is bounded, and how fast too.
type unlimited struct{}

// GetToken implements retry.RateLimiter.
func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return unlimited{}.release, nil
}

// AddTokens implements retry.RateLimiter.
func (unlimited) AddTokens(uint) error { return nil }

func (unlimited) release() error { return nil }
