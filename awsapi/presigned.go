package awsapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ofSignature are the parameters of a signature in a query, and the headers that SDKs move there.
// Source: "Create a signed AWS API request", query string parameters, in the IAM user guide.
var ofSignature = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
	"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-User-Agent",
}

// maxExpires is the longest life that a presigned URL may ask for.
const maxExpires = 7 * 24 * time.Hour //bound:life what a presigned AWS request may ask for

// verifyQuery checks the signature of a request of the query protocol, which stands in its headers
// or in its query. It fails with an *Error.
func (v *Verifier) verifyQuery(r *http.Request, body []byte, s QueryService) (Caller, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Caller{}, incomplete("The query string contains a syntax error")
	}
	region := v.Region
	if s.Global != "" && strings.EqualFold(r.Host, s.Global) {
		region = "us-east-1"
	}
	presigned := slices.ContainsFunc(ofSignature, func(name string) bool { return len(query[name]) > 0 })
	var c claim
	if presigned {
		c, err = v.claimOfQuery(r, query, s.SigningName, region)
	} else {
		c, err = v.claimOfHeaders(r, s.SigningName, region)
	}
	if err != nil {
		return c.of, err
	}
	return v.prove(c, r, body)
}

// claimOfQuery is the claim of a presigned URL. STS lets one be used for fifteen minutes after its
// date, whatever X-Amz-Expires says, and so does this: clients of EKS say 60 and keep it for
// fourteen minutes. Source: aws-iam-authenticator, pkg/token.
func (v *Verifier) claimOfQuery(r *http.Request, query url.Values, service, region string) (claim, error) {
	for _, name := range ofSignature {
		if len(query[name]) > 1 {
			return claim{}, incomplete("The request has more than one " + name + " parameter")
		}
		if len(r.Header.Values(name)) > 0 && name != "X-Amz-User-Agent" && name != "X-Amz-Content-Sha256" {
			return claim{}, incomplete("The request is signed in its query, and has a header " + name + " too")
		}
	}
	switch {
	case len(r.Header.Values("Authorization")) > 0:
		return claim{}, incomplete("The request has an Authorization header and a signature in its query; use one")
	case query.Get("X-Amz-Algorithm") != algorithm:
		return claim{}, incomplete("AWS query-string parameters must include X-Amz-Algorithm, which is " + algorithm)
	}
	if expires := query.Get("X-Amz-Expires"); expires != "" {
		n, err := strconv.ParseUint(expires, 10, 32)
		if err != nil || time.Duration(n)*time.Second > maxExpires {
			return claim{}, incomplete("X-Amz-Expires must be a number of seconds, at most a week")
		}
	}
	a, err := newAuthorization(
		query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"),
	)
	if err != nil {
		return claim{}, err
	}
	c := claim{authorization: a, inQuery: true, of: Caller{AccessKeyID: a.key}}
	c.stamp, c.token = query.Get("X-Amz-Date"), query.Get("X-Amz-Security-Token")
	return v.check(c, r, service, region)
}
