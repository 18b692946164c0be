package awsapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var signedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func verifier() *Verifier {
	return &Verifier{Region: "us-east-1", Now: func() time.Time { return signedAt },
		Lookup: func(_ context.Context, id, token string) (Credential, error) {
			if id != "AKIATEST" {
				return Credential{}, &Error{Code: "UnrecognizedClientException"}
			}
			return Credential{"secret", Caller{AccessKeyID: id, Role: "administrator"}}, nil
		}}
}

// signed returns a request as the AWS SDK signs it.
func signed(t testing.TB, path string, body []byte, at time.Time, region, service string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+path, bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", "AWSIdentityStore.ListUsers")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	credentials := aws.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}
	if err := v4.NewSigner().SignHTTP(
		context.Background(), credentials, r, hashHex(body), service, region, at,
	); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerifyAcceptsWhatTheSDKSigns(t *testing.T) {
	for _, path := range []string{"/", "/a%20b/c", "/?x=1&a=b%20c&a=a", "/path/with/%E2%82%AC"} {
		body := []byte(`{"IdentityStoreId":"d-1234567890"}`)
		if _, err := verifier().Verify(
			signed(t, path, body, signedAt, "us-east-1", "identitystore"), body, "identitystore",
		); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	body := []byte(`{}`)
	good := func() *http.Request { return signed(t, "/", body, signedAt, "us-east-1", "identitystore") }
	for name, c := range map[string]struct {
		request func() *http.Request
		body    []byte
		code    string
	}{
		"no signature": {func() *http.Request {
			r := good()
			r.Header.Del("Authorization")
			return r
		}, body, "MissingAuthenticationTokenException"},
		"a bearer token": {func() *http.Request {
			r := good()
			r.Header.Set("Authorization", "Bearer x")
			return r
		}, body, "IncompleteSignatureException"},
		"another body": {good, []byte(`{"x":1}`), "InvalidSignatureException"},
		"another operation": {func() *http.Request {
			r := good()
			r.Header.Set("X-Amz-Target", "AWSIdentityStore.DeleteUser")
			return r
		}, body, "InvalidSignatureException"},
		"another host": {func() *http.Request {
			r := good()
			r.Host = "evil.example"
			return r
		}, body, "InvalidSignatureException"},
		"an unsigned header": {func() *http.Request {
			r := good()
			r.Header.Set("X-Amz-Extra", "1")
			return r
		}, body, "IncompleteSignatureException"},
		"another region": {func() *http.Request {
			return signed(t, "/", body, signedAt, "eu-west-1", "identitystore")
		}, body, "InvalidSignatureException"},
		"another service": {func() *http.Request {
			return signed(t, "/", body, signedAt, "us-east-1", "sso")
		}, body, "InvalidSignatureException"},
		"a stale signature": {func() *http.Request {
			return signed(t, "/", body, signedAt.Add(-16*time.Minute), "us-east-1", "identitystore")
		}, body, "InvalidSignatureException"},
		"a future signature": {func() *http.Request {
			return signed(t, "/", body, signedAt.Add(16*time.Minute), "us-east-1", "identitystore")
		}, body, "InvalidSignatureException"},
		"garbage": {func() *http.Request {
			r := good()
			r.Header.Set("Authorization", algorithm+" ,,=,")
			return r
		}, body, "IncompleteSignatureException"},
	} {
		_, err := verifier().Verify(c.request(), c.body, "identitystore")
		var wire *Error
		if !errors.As(err, &wire) || wire.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// TestASignatureSurvivesACDN: what CloudFront adds on the way is not signed, and steers nothing.
func TestASignatureSurvivesACDN(t *testing.T) {
	body := []byte(`{}`)
	for name, want := range map[string]bool{
		"X-Amz-Cf-Id": true, "X-Amzn-Trace-Id": true, "Via": true, "X-Amz-Cf-Identity": false, "X-Amz-User": false,
	} {
		r := signed(t, "/", body, signedAt, "us-east-1", "identitystore")
		r.Header.Set(name, "5ZxaxPOoKEPPe3gLsvAMMMdZzcl7GjVYrPFL2Yn88VWbwGLVtiTJFw==")
		if _, err := verifier().Verify(r, body, "identitystore"); (err == nil) != want {
			t.Errorf("%s on the way: %v", name, err)
		}
	}
}

// TestSessionTokens: temporary credentials come with a token that is signed, and that the look-up
// sees.
func TestSessionTokens(t *testing.T) {
	v := verifier()
	seen := ""
	v.Lookup = func(_ context.Context, id, token string) (Credential, error) {
		if seen = token; token != "the token" {
			return Credential{}, &Error{Code: "UnrecognizedClientException"}
		}
		return Credential{"secret", Caller{AccessKeyID: id}}, nil
	}
	body := []byte(`{}`)
	make1 := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", bytes.NewReader(body))
		credentials := aws.Credentials{AccessKeyID: "ASIATEST", SecretAccessKey: "secret", SessionToken: "the token"}
		if err := v4.NewSigner().SignHTTP(
			context.Background(), credentials, r, hashHex(body), "sso", "us-east-1", signedAt,
		); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if _, err := v.Verify(make1(), body, "sso"); err != nil || seen != "the token" {
		t.Errorf("good credentials: %v, the look-up saw %q", err, seen)
	}
	for name, change := range map[string]func(*http.Request){
		"another token": func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "another") },
		"no token":      func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") },
		"a token that is not signed": func(r *http.Request) {
			r.Header.Set(
				"Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-security-token", "", 1),
			)
		},
	} {
		r := make1()
		change(r)
		if _, err := v.Verify(r, body, "sso"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestAStaleSignatureIsNoUse sends the same signed request again, later and later.
func TestAStaleSignatureIsNoUse(t *testing.T) {
	v := verifier()
	body := []byte(`{}`)
	now := signedAt
	v.Now = func() time.Time { return now }
	for after, good := range map[time.Duration]bool{
		0:                             true,
		15 * time.Minute:              true,
		15*time.Minute + time.Second:  false,
		24 * time.Hour:                false,
		-15*time.Minute - time.Second: false,
	} {
		now = signedAt.Add(after)
		if _, err := v.Verify(signed(t, "/", body, signedAt, "us-east-1", "sso"), body, "sso"); (err == nil) != good {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add(
		"AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/sso/aws4_request, SignedHeaders=host;x-amz-date, " +
			"Signature=00",
	)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
		r.Header["Authorization"] = []string{header}
		r.Header.Set("X-Amz-Date", "20261123T120000Z")
		if _, err := verifier().Verify(r, nil, "sso"); err == nil {
			t.Fatalf("accepted %q", header)
		}
	})
}

func TestPageTokenBelongsToItsOperation(t *testing.T) {
	token := EncodeToken("ListUsers", "some-key")
	if key, err := DecodeToken("ListUsers", token); key != "some-key" || err != nil {
		t.Errorf("read back %q, %v", key, err)
	}
	for _, bad := range []string{token[1:], "!!", EncodeToken("ListGroups", "some-key")} {
		if _, err := DecodeToken("ListUsers", bad); err == nil {
			t.Errorf("accepted the token %q", bad)
		}
	}
}
