package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
)

// flood does something many times at once, and returns what went wrong.
func flood(n int, do func() error) (failed []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := do(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	return failed
}

// TestTheLimitsOfAWS: beyond the published rates the SDK reads a ThrottlingException, after which
// it sends again by itself, and a SCIM client 429. Without the option nothing is throttled.
func TestTheLimitsOfAWS(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{true, false} {
		c := centertest.New(t, "http://127.0.0.1")
		at := httptest.NewServer(server.Handler(c, server.Config{AWSLimits: limited}))
		t.Cleanup(at.Close)
		key, err := c.CreateAccessKey(t.Context(), audit.SystemActor, "flood", center.RoleReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		list := func(tries int) func() error {
			client := ssoadmin.New(ssoadmin.Options{
				Region: "us-east-1", BaseEndpoint: &at.URL, RetryMaxAttempts: tries,
				Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
			})
			return func() error {
				_, err := client.ListPermissionSets(
					context.Background(), &ssoadmin.ListPermissionSetsInput{InstanceArn: aws.String(c.Instance.ARN)},
				)
				return err
			}
		}
		failed := flood(200, list(1))
		if (len(failed) > 0) != limited {
			t.Errorf("limited: %v; %d of 200 requests at once failed", limited, len(failed))
		}
		for _, err := range failed {
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ThrottlingException" {
				t.Fatalf("a request failed with %v", err)
			}
		}
		if failed := flood(5, list(20)); len(failed) > 0 {
			t.Errorf("the SDK does not send again what was throttled: %v", failed[0])
		}
		if !limited {
			continue
		}
		endpoint, token := centertest.Provisioned(t, c, center.ProfileAWS)
		endpoint = strings.Replace(endpoint, c.URL, at.URL, 1)
		ask := func(method, path, body string) func() error {
			return func() error { return scimOnce(endpoint, token, method, path, body) }
		}
		if failed := flood(300, ask(http.MethodGet, "/Users", "")); len(failed) == 0 {
			t.Error("none of 300 reads at once was throttled")
		} else if text := failed[0].Error(); !strings.HasPrefix(text, "429 after 1: ") ||
			!strings.Contains(text, `"status":"429"`) {
			t.Errorf("the answer is %s", text)
		}
		if err := ask(http.MethodGet, "/Groups", "")(); err != nil {
			t.Errorf("reads of another kind are throttled too: %v", err)
		}
		if failed := flood(200, ask(http.MethodPost, "/Groups", `{"displayName":"Crew"}`)); len(failed) == 0 {
			t.Error("none of 200 writes at once was throttled")
		}
	}
}

// scimOnce sends one request; a 429 is an error, with the wait and the body.
func scimOnce(endpoint, token, method, path, body string) error {
	req, err := http.NewRequestWithContext(context.Background(), method, endpoint+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusTooManyRequests {
		err = errors.New("429 after " + res.Header.Get("Retry-After") + ": " + string(data))
	}
	return err
}
