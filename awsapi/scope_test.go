package awsapi

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// signedBy signs a request as it stands, with a scope and headers of the test's choice, so that
// only the rule under test can refuse it.
func signedBy(r *http.Request, body []byte, date, region, service, terminator, headers string) {
	key := []byte("AWS4" + "secret")
	for _, part := range []string{date, region, service, terminator} {
		key = mac(key, part)
	}
	scope := strings.Join([]string{date, region, service, terminator}, "/")
	toSign := strings.Join(
		[]string{
			algorithm,
			r.Header.Get("X-Amz-Date"),
			scope,
			hashHex(canonicalRequest(r, r.URL.Query(), body, strings.Split(headers, ";"))),
		},
		"\n",
	)
	const digits = "0123456789abcdef"
	signature := ""
	for _, b := range mac(key, toSign) {
		signature += string(digits[b>>4]) + string(digits[b&15])
	}
	r.Header.Set(
		"Authorization",
		algorithm+" Credential=AKIATEST/"+scope+", SignedHeaders="+headers+", Signature="+signature,
	)
}

// TestTheCredentialScopeIsExact: a scope whose date is no day makes a key that is good for longer
// than a day.
func TestTheCredentialScopeIsExact(t *testing.T) {
	t.Parallel()
	const headers = "host;x-amz-date;x-amz-target"
	body := []byte(`{}`)
	for name, c := range map[string]struct {
		date, region, service, terminator, headers string
		change                                     func(*http.Request)
		code, says                                 string
	}{
		"a good one": {"20261123", "us-east-1", "sso", "aws4_request", headers, nil, "", ""},
		"no day": {
			"", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"Date in Credential scope",
		},
		"a year": {
			"2026", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"'2026' != '20261123'",
		},
		"seven digits": {
			"2026112", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"Date in Credential scope",
		},
		"a day and an hour": {
			"20261123T12", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"Date in Credential scope",
		},
		"the whole time": {
			"20261123T120000Z", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"Date in Credential scope",
		},
		"the day before": {
			"20261122", "us-east-1", "sso", "aws4_request", headers, nil, "InvalidSignatureException",
			"Date in Credential scope",
		},
		"a part of the region": {
			"20261123", "us-east", "sso", "aws4_request", headers, nil, "InvalidSignatureException", "valid region",
		},
		"no region": {"20261123", "", "sso", "aws4_request", headers, nil, "InvalidSignatureException", "valid region"},
		"another terminator": {
			"20261123", "us-east-1", "sso", "aws4_requests", headers, nil, "IncompleteSignatureException",
			"aws4_request",
		},
		"host is not signed": {
			"20261123", "us-east-1", "sso", "aws4_request", "x-amz-date;x-amz-target", nil,
			"IncompleteSignatureException", "host",
		},
		"the target is not signed": {
			"20261123", "us-east-1", "sso", "aws4_request", "host;x-amz-date", nil, "IncompleteSignatureException",
			"x-amz-target",
		},
		"the time is not signed": {
			"20261123", "us-east-1", "sso", "aws4_request", "host;x-amz-target", nil, "IncompleteSignatureException",
			"x-amz-date",
		},
		"a header is signed twice": {
			"20261123", "us-east-1", "sso", "aws4_request", "host;host;x-amz-date;x-amz-target", nil,
			"IncompleteSignatureException", "sorted",
		},
		"a header in upper case": {
			"20261123", "us-east-1", "sso", "aws4_request", "Accept;host;x-amz-date;x-amz-target", nil,
			"IncompleteSignatureException", "sorted",
		},
		"fractions of a second": {"20261123", "us-east-1", "sso", "aws4_request", headers, func(r *http.Request) {
			r.Header.Set("X-Amz-Date", "20261123T120000.5Z")
		}, "IncompleteSignatureException", "X-Amz-Date"},
		"two times": {"20261123", "us-east-1", "sso", "aws4_request", headers, func(r *http.Request) {
			r.Header.Add("X-Amz-Date", "20261123T120001Z")
		}, "IncompleteSignatureException", "more than one"},
		"two operations": {"20261123", "us-east-1", "sso", "aws4_request", headers, func(r *http.Request) {
			r.Header.Add("X-Amz-Target", "X.DeleteUser")
		}, "IncompleteSignatureException", "more than one"},
		"no blank behind the name": {
			"20261123", "us-east-1", "sso", "aws4_request", headers, nil, "IncompleteSignatureException", "algorithm",
		},
		"two Authorization headers": {
			"20261123", "us-east-1", "sso", "aws4_request", headers, nil, "IncompleteSignatureException",
			"more than one",
		},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", bytes.NewReader(body))
		r.Header.Set("X-Amz-Target", "X.ListUsers")
		r.Header.Set("X-Amz-Date", signedAt.Format(amzDate))
		if c.change != nil {
			c.change(r)
		}
		signedBy(r, body, c.date, c.region, c.service, c.terminator, c.headers)
		switch header := r.Header.Get("Authorization"); name {
		case "two Authorization headers":
			r.Header.Add("Authorization", header)
		case "no blank behind the name":
			r.Header.Set("Authorization", strings.Replace(header, algorithm+" ", algorithm, 1))
		}
		_, err := verifier().Verify(r, body, "sso")
		var wire *Error
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.code != "" && (!errors.As(err, &wire) || wire.Code != c.code || !strings.Contains(wire.Message, c.says)):
			t.Errorf("%s: %v, want %s that says %q", name, err, c.code, c.says)
		}
	}
}
