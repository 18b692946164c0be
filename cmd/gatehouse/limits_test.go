package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/smithy-go"
)

// TestServeWithTheLimitsOfAWS: with --aws-limits, AWS's own client meets a ThrottlingException.
func TestServeWithTheLimitsOfAWS(t *testing.T) {
	t.Parallel()
	s := startCommand(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--aws-limits")
	at := s.shown(t, `(http://127\.0\.0\.1:\d+)/console/`)
	client := ssoadmin.New(ssoadmin.Options{
		Region: "us-east-1", BaseEndpoint: &at, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			s.shown(t, `AWS_ACCESS_KEY_ID=(\S+)`), s.shown(t, `AWS_SECRET_ACCESS_KEY=(\S+)`), "",
		),
	})
	var throttled atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			_, err := client.ListInstances(context.Background(), &ssoadmin.ListInstancesInput{})
			if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "ThrottlingException" {
				throttled.Add(1)
			} else if err != nil {
				t.Errorf("a request failed with %v", err)
			}
		})
	}
	all.Wait()
	if throttled.Load() == 0 {
		t.Error("none of 200 requests at once was throttled")
	}
}
