package aws

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/smithy-go"
)

func codeOf(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// actionIn finds what was not allowed. Source: "Troubleshoot access denied error messages" of the
// IAM user guide: User: … is not authorized to perform: service:action on resource: … because …
var actionIn = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`not authorized to perform: ([a-zA-Z0-9-]+:[a-zA-Z0-9*]+)`)
})

// policyIn names the kind of policy that denies, in the words of that page.
var policyIn = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`explicit deny in an? ([A-Za-z -]+?)(?: with| policy\b|\.|:|$)`)
})

// boundIn names a policy that would have to allow as well: an identity's own is not enough.
var boundIn = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`because no (session policy|permissions boundary|VPC endpoint policy) allows`)
})

// Explain says what an error of AWS's means, and what to do next.
func Explain(doing string, err error) error { return explain(doing, err) }

// explain says what AWS's refusal means and what to do next. Whatever was done before stays: the
// next run completes it.
func explain(doing string, err error) error {
	next := Remedy(err)
	if next == "" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %s (%w)", doing, next, err)
}

// Remedy is what an error of AWS's means and what to do next; "" where that is not known.
func Remedy(err error) (next string) {
	text := err.Error()
	var api smithy.APIError
	code, message := "", text
	if errors.As(err, &api) {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	switch {
	case strings.HasPrefix(code, "ExpiredToken"), code == "RequestExpired",
		strings.Contains(text, "token has expired"), strings.Contains(text, "InvalidGrantException"),
		strings.Contains(text, "cached SSO token"), strings.Contains(text, "SSO session has expired"),
		code == "UnauthorizedException" && strings.Contains(text, "get credentials"):
		next = "the AWS credentials have expired. Get new ones (such as with aws sso login) and run this again: what " +
			"was done is kept"
	case strings.HasPrefix(code, "AccessDenied"), strings.HasPrefix(code, "UnauthorizedAccess"):
		next = denied(message)
	case code == "UnrecognizedClientException", code == "InvalidClientTokenId":
		next = "AWS does not know the access key here: it was deleted, it is of another partition, or the Region is " +
			"not enabled in the account"
	case strings.Contains(message, "Signature expired"), strings.Contains(message, "Signature not yet current"):
		next = "this machine's clock is wrong by minutes: set it and run this again"
	case strings.Contains(message, "should be scoped to"):
		next = "this endpoint is of another Region: check the Region, and AWS_ENDPOINT_URL if it is set"
	case code == "SignatureDoesNotMatch", code == "InvalidSignatureException":
		next = "the secret of the access key is not right: set AWS_SECRET_ACCESS_KEY again"
	case strings.HasPrefix(code, "KMS"), strings.Contains(message, "kms:Decrypt"):
		next = "the instance has a customer managed key, and its policy does not let the caller use it: allow " +
			"kms:Decrypt with kms:ViaService"
	case strings.Contains(code, "Throttl"), code == "TooManyRequestsException":
		next = "AWS limits the requests and went on doing so: run this again in a few minutes"
	case code == "ServiceQuotaExceededException":
		next = "a quota of AWS's is reached: have it raised (Service Quotas, IAM Identity Center) or remove what is " +
			"not needed, then run this again: what was done is kept"
	case code == "ConflictException" && !strings.Contains(text, "CONCURRENT"):
		next = "another user or group at AWS has that name or value. Rename or delete one of the two, then run this " +
			"again"
	case code == "ConflictException":
		next = "somebody else changes the same there: run this again"
	case code == "ValidationException" && strings.Contains(text, "operation error identitystore: "):
		next = "AWS does not take a value (its message names it): correct it in the tenant, then run this again"
	case strings.Contains(text, "failed to get shared config profile"):
		next = "AWS_PROFILE names no profile of your AWS configuration (aws configure list-profiles has them)"
	case strings.Contains(text, "AssumeRoleTokenProvider"):
		next = "the profile's role asks for MFA, and nobody can type the code here: get a session first (such as " +
			"with aws configure export-credentials --profile NAME --format env) and run this again"
	case strings.Contains(text, "credential_process"):
		next = "the program that the profile names as credential_process has failed: run it by hand to see why"
	case strings.Contains(text, "failed to refresh cached credentials"), strings.Contains(text, "no EC2 IMDS role"):
		next = "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case strings.Contains(text, "no such host"):
		next = "the Region's API was not found: check the name of the Region"
	case strings.Contains(text, "deserialization failed"):
		next = "what answered is not AWS's API but something else, such as the page of a proxy: look at the proxy, " +
			"and at AWS_ENDPOINT_URL if it is set"
	}
	return next
}

// denied says which policy to change: a service control policy is not the caller's to give, and
// looks like a missing permission to who does not read on.
func denied(message string) string {
	action := "the operation"
	if m := actionIn().FindStringSubmatch(message); m != nil {
		action = m[1]
	}
	kind := ""
	if m := policyIn().FindStringSubmatch(message); m != nil {
		kind = strings.TrimSpace(m[1])
	}
	switch {
	case strings.Contains(message, "service control policy"):
		return "a service control policy (SCP) of the organization denies " + action +
			". No permission of the caller's changes that: have whoever manages the organization's policies make an " +
			"exception, or use the management account, which SCPs do not bind"
	case strings.Contains(message, "resource control policy"):
		return "a resource control policy (RCP) of the organization denies " + action +
			": have whoever manages the organization's policies make an exception"
	case kind != "":
		return "a policy (" + kind + ") denies " + action + ": take the deny away, or use another principal"
	}
	if m := boundIn().FindStringSubmatch(message); m != nil {
		return "the " + m[1] + " of these credentials does not allow " + action +
			": add it there too, or use other credentials or another network; a permission alone changes nothing"
	}
	return "the caller has no permission for " + action +
		": add it (gatehouse connect permissions prints the policy), and run this again"
}
