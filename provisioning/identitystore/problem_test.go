package identitystore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/scim"
)

const store = "d-1234567890"

// open opens a store whose service answers as a test wants.
func open(t *testing.T, answer http.HandlerFunc, keys aws.CredentialsProvider) (*identitystore.Target, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return identitystore.Open(t.Context(), identitystore.Config{
		SDK:     aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: keys},
		StoreID: store,
	})
}

var someKeys = credentials.NewStaticCredentialsProvider("AKIA", "secret", "")

// TestWhatAWSAnswersIsToldToTheEngine: what may pass is sent again, what is refused waits, and what
// concerns everything ends the cycle with what to do.
func TestWhatAWSAnswersIsToldToTheEngine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code, members string
		status        int // on the wire
		want          int // in SCIM's words; 0: the credentials are at fault
		wait          time.Duration
		says          string
	}{
		"throttled":        {"ThrottlingException", `,"RetryAfterSeconds":7`, 400, 429, 7 * time.Second, "slow"},
		"another throttle": {"TooManyRequestsException", "", 429, 429, 0, "slow"},
		"taken":            {"ConflictException", `,"Reason":"UNIQUENESS_CONSTRAINT_VIOLATION"`, 400, 409, 0, "slow"},
		"invalid":          {"ValidationException", "", 400, 400, 0, "slow"},
		"a full store":     {"ServiceQuotaExceededException", "", 400, 400, 0, "slow"},
		"nobody":           {"ResourceNotFoundException", `,"ResourceType":"USER"`, 400, 404, 0, "slow"},
		"out of order":     {"InternalServerException", `,"RetryAfterSeconds":2`, 500, 500, 2 * time.Second, "slow"},
		"another store": {
			"ResourceNotFoundException", `,"ResourceType":"IDENTITY_STORE"`, 400, 0, 0, "check the id and the Region",
		},
		"denied":        {"AccessDeniedException", "", 400, 0, 0, "slow"},
		"expired":       {"ExpiredTokenException", "", 400, 0, 0, "slow"},
		"unknown key":   {"UnrecognizedClientException", "", 400, 0, 0, "slow"},
		"KMS denied":    {"AccessDeniedException", `,"Reason":"KMS_ACCESS_DENIED"`, 400, 0, 0, "kms:Decrypt"},
		"KMS disabled":  {"ValidationException", `,"Reason":"KMS_DISABLED"`, 400, 0, 0, "kms:Decrypt"},
		"KMS throttled": {"ThrottlingException", `,"Reason":"KMS_THROTTLING"`, 400, 429, 0, "slow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amzn-Errortype", c.code)
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				w.WriteHeader(c.status)
				_, _ = fmt.Fprintf(w, `{"__type":%q,"Message":"slow"%s}`, c.code, c.members)
			}, someKeys)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q in it", err, c.says)
			}
			refused, p := new(provisioning.CredentialsError), new(scim.Problem)
			if got := errors.As(err, &refused); got != (c.want == 0) {
				t.Fatalf("it ends the cycle: %v: %v", got, err)
			}
			if c.want > 0 && (!errors.As(err, &p) || p.Status != c.want || p.RetryAfter != c.wait) {
				t.Errorf("%+v (%v), want status %d after %s", p, err, c.want, c.wait)
			}
		})
	}
}

// TestWhoDoesNotAnswerAndWhoHasNoCredentials: whether a request may have arrived is told apart, and
// so is that none could be signed.
func TestWhoDoesNotAnswerAndWhoHasNoCredentials(t *testing.T) {
	t.Parallel()
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	_, err := open(t, cut, someKeys)
	silent := new(scim.Unanswered)
	if !errors.As(err, &silent) || !silent.Sent {
		t.Errorf("a connection that was cut: %v", err)
	}
	nowhere := "http://127.0.0.1:1"
	_, err = identitystore.Open(t.Context(), identitystore.Config{
		SDK: aws.Config{Region: "us-east-1", BaseEndpoint: &nowhere, Credentials: someKeys}, StoreID: store,
	})
	if silent = new(scim.Unanswered); !errors.As(err, &silent) || silent.Sent {
		t.Errorf("no connection: %v", err)
	}
	_, err = open(t, cut, aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("the SSO session has expired")
	}))
	refused := new(provisioning.CredentialsError)
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "the SSO session has expired") {
		t.Errorf("no credentials: %v", err)
	}
}

func TestAPlaceIsAStoreAndItsRegion(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"identitystore:d-1234567890@eu-central-1":                          "d-1234567890 eu-central-1",
		"identitystore:d-1234567890":                                       "d-1234567890 ",
		"identitystore:00000000-0000-0000-0000-000000000000@us-gov-west-1": "-000000000000 us-gov-west-1",
		"identitystore:":                           "is not an identity store",
		"identitystore:ssoins-1234567890abcdef":    "is not an identity store",
		"identitystore:d-1234567890@":              "is not the name of a Region",
		"identitystore:d-1234567890@here":          "is not the name of a Region",
		"identitystore:d-1234567890@eu-central-1/": "is not the name of a Region",
	} {
		store, region, err := identitystore.ParsePlace(address)
		got := store + " " + region
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestEachOperationKeepsToItsRate: requests of one operation are spread, those of another do not
// wait for them.
func TestEachOperationKeepsToItsRate(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"Users":[],"Groups":[]}`))
	}))
	t.Cleanup(server.Close)
	x, err := identitystore.Open(t.Context(), identitystore.Config{
		SDK:     aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: someKeys},
		StoreID: store, Rate: 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 10 {
		for _, kind := range []provisioning.Kind{provisioning.User, provisioning.Group} {
			if _, err := x.Page(t.Context(), kind, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if took := time.Since(began); took < 9*time.Second/50 {
		t.Errorf("ten requests of an operation took %s, sooner than its rate allows", took)
	}
}
