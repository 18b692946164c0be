package sts

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// contextProvider is whose contexts identify people. Source: user guide, "Identity-enhanced IAM
// role sessions".
const contextProvider = "arn:aws:iam::aws:contextProvider/IdentityCenter"

// defaultDuration is how long a session lasts whose caller does not say; chained is the longest
// that is opened with the credentials of another role. Source: API reference, AssumeRole.
const (
	defaultDuration = time.Hour //bound:none what a caller gets that names none
	chained         = time.Hour //bound:life the session of a role that another role's session opens
)

// roleARN reads the ARN of a permission set's role. Its path is AWS's, or that of the sandbox,
// which has none. Source: user guide, "Referencing permission sets in resource policies".
var roleARN = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?)?([\w+=,.@-]{1,64})$`,
	)
})

type assumeRoleInput struct {
	RoleArn, RoleSessionName string
	DurationSeconds          int
	ExternalID               string `json:"ExternalId"`
	MinimumSessionTokenSize  int
	Policy                   string
	PolicyArns               []struct {
		Arn string `json:"arn"`
	}
	ProvidedContexts        []struct{ ProviderArn, ContextAssertion string }
	SerialNumber, TokenCode string
	SourceIdentity          string
	Tags                    []struct{ Key, Value string }
	TransitiveTagKeys       []string
}

type assumedRole struct {
	XMLName         xml.Name `xml:"AssumeRoleResult" json:"-"`
	AssumedRoleUser struct {
		AssumedRoleID string `xml:"AssumedRoleId" json:"AssumedRoleId"`
		Arn           string
	}
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	SessionTokenSize        int
	SessionTokenUtilization int
	SourceIdentity          string `xml:",omitempty" json:",omitempty"`
}

func (h *Handler) assumeRole(ctx context.Context, who awsapi.Caller, in assumeRoleInput) (any, error) {
	parts := roleARN().FindStringSubmatch(in.RoleArn)
	if parts == nil {
		if strings.HasPrefix(in.RoleArn, "arn:") && strings.Contains(in.RoleArn, ":role/") {
			return nil, denied(who, "sts:AssumeRole", in.RoleArn, "")
		}
		return nil, &awsapi.Error{Code: "ValidationError", Message: in.RoleArn + " is invalid"}
	}
	// the instance opens the role, which AWS's STS is asked for at an address of its own
	if err := h.Center.AdmitFrom(ctx, center.NetworkOfInstance, who.Address); err != nil {
		return nil, answer(err)
	}
	duration := defaultDuration
	if in.DurationSeconds != 0 {
		duration = time.Duration(in.DurationSeconds) * time.Second
	}
	if err := in.check(who, duration); err != nil {
		return nil, err
	}
	if h.Sandbox == nil {
		return nil, denied(who, "sts:AssumeRole", in.RoleArn,
			" because the roles of this center are in AWS, whose STS opens them")
	}
	if len(in.ProvidedContexts) == 0 {
		return nil, denied(who, "sts:AssumeRole", in.RoleArn, " because the role trusts this center only: people open "+
			"it in the portal, and applications by passing an identity context in ProvidedContexts")
	}
	request, err := h.Center.AssumeRole(
		ctx, awsdoor.Actor(who), center.Signatory{
			ARN:        who.ARN,
			AccountID:  who.AccountID,
			Everything: who.Role == string(center.RoleAdministrator),
		},
		center.RoleAssumption{
			Account:  parts[1],
			RoleName: parts[2],
			Context:  in.ProvidedContexts[0].ContextAssertion,
			Duration: duration,
		},
	)
	if err != nil {
		err = in.answer(who, err)
		if wire := new(awsapi.Error); errors.As(err, &wire) {
			wire.Noted = true
		}
		return nil, err
	}
	as := broker.Assumption{
		SessionName:    in.RoleSessionName,
		SourceIdentity: in.SourceIdentity,
		Tags:           request.Tags,
		MinimumSize:    in.MinimumSessionTokenSize,
	}
	for _, t := range in.Tags { // which the caller's own override
		as.Tags = slices.DeleteFunc(as.Tags, func(had center.Tag) bool { return strings.EqualFold(had.Key, t.Key) })
		as.Tags = append(as.Tags, center.Tag{Key: t.Key, Value: t.Value})
	}
	session, credentials, err := h.Sandbox.Assume(request, as)
	if err != nil {
		return nil, err
	}
	if len(credentials.SessionToken) > maxTokenSize {
		return nil, &awsapi.Error{Code: "PackedPolicyTooLarge", Message: "The tags of the session take more space " +
			"than a session token has"}
	}
	out := assumedRole{SourceIdentity: in.SourceIdentity, SessionTokenSize: len(credentials.SessionToken)}
	out.SessionTokenUtilization = out.SessionTokenSize * 100 / maxTokenSize
	out.AssumedRoleUser.Arn, out.AssumedRoleUser.AssumedRoleID = session.ARN(), session.ID()
	out.Credentials.AccessKeyID = credentials.AccessKeyID
	out.Credentials.SecretAccessKey = credentials.SecretAccessKey.Reveal()
	out.Credentials.SessionToken = credentials.SessionToken.Reveal()
	out.Credentials.Expiration = credentials.Expiration.UTC().Format(time.RFC3339)
	return out, nil
}

// check refuses what no role would take.
func (in assumeRoleInput) check(who awsapi.Caller, duration time.Duration) error {
	bad := func(code, message string) error { return &awsapi.Error{Code: code, Message: message} }
	if who.Role == "" && duration > chained { // signed with the credentials of a role
		return bad("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles "+
			"assumed by role chaining")
	}
	if in.SerialNumber != "" || in.TokenCode != "" { // access keys have no devices here
		return &awsapi.Error{
			Code:   "AccessDenied",
			Status: http.StatusForbidden,
			Message: "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial " +
				"number is valid and associated with this user.",
		}
	}
	if in.Policy != "" && !json.Valid([]byte(in.Policy)) {
		return bad("MalformedPolicyDocument", "This policy contains invalid Json")
	}
	var keys []string
	for _, t := range in.Tags {
		key := strings.ToLower(t.Key)
		if strings.HasPrefix(key, "aws:") {
			return bad("InvalidParameterValue", "Tag keys that begin with aws: are reserved")
		}
		if slices.Contains(keys, key) {
			return bad("InvalidParameterValue",
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		keys = append(keys, key)
	}
	for _, key := range in.TransitiveTagKeys {
		if !slices.Contains(keys, strings.ToLower(key)) {
			return bad("InvalidParameterValue",
				"The specified transitive tag key must be included in the requested tags.")
		}
	}
	if len(in.ProvidedContexts) > 1 {
		return bad("ValidationError",
			"A session carries one context assertion: the identity context or the audit context")
	}
	for _, c := range in.ProvidedContexts {
		if c.ProviderArn != contextProvider || c.ContextAssertion == "" {
			return bad("ValidationError",
				"ProvidedContexts needs the ProviderArn "+contextProvider+" and a ContextAssertion")
		}
	}
	return nil
}

// answer maps a refusal of the center.
func (in assumeRoleInput) answer(who awsapi.Caller, err error) error {
	switch refusal.CodeOf(err) {
	case center.ContextInvalid:
		return &awsapi.Error{
			Code: "ExpiredTokenException",
			Message: "The context assertion is expired or is not valid. Get a new one by CreateTokenWithIAM and " +
				"then retry the request.",
		}
	case center.SessionTooLong:
		return &awsapi.Error{
			Code:    "ValidationError",
			Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		}
	case center.RoleNotAssumable, center.RoleNotAssigned, center.AccountSuspended, center.NotAllowed:
		return denied(who, "sts:AssumeRole", in.RoleArn, "")
	}
	return answer(err)
}

// denied is AWS's sentence for who may not do something.
func denied(who awsapi.Caller, action, resource, why string) error {
	return &awsapi.Error{
		Code:    "AccessDenied",
		Status:  http.StatusForbidden,
		Message: "User: " + who.ARN + " is not authorized to perform: " + action + " on resource: " + resource + why,
	}
}

// answer maps what has no words of its own. Source: API reference, common errors.
func answer(err error) error {
	switch refusal.KindOf(err) {
	case refusal.Unavailable, refusal.Conflict:
		return &awsapi.Error{
			Code:    "ServiceUnavailable",
			Status:  http.StatusServiceUnavailable,
			Message: "The request has failed due to a temporary failure of the server.",
		}
	case refusal.Denied:
		return &awsapi.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: err.Error()}
	}
	return err
}
