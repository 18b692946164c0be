package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

// Federation makes the responses by which AWS accounts that trust the center as a SAML provider
// open a role.
type Federation struct {
	Center   *center.Center
	URL      string // where browsers post them: AWS's sign-in endpoint
	Audience string // of the assertions; empty: AWS's
	RolePath string // of the roles in IAM: begins and ends with a slash
}

// SignInEndpoint is where browsers sign in to the AWS console, and the audience of the assertions.
// Source: IAM user guide, "Configure SAML assertions".
const SignInEndpoint = "https://signin.aws.amazon.com/saml"

// The attributes of the assertions. Source: IAM user guide, "Configure SAML assertions for the
// authentication response".
const attributes = "https://aws.amazon.com/SAML/Attributes/"

// responseLifetime is how long a response may be used. AWS takes those of the last five minutes.
const responseLifetime = 5 * time.Minute //bound:life a response with which roles are assumed

// The ARNs of the role and of the center as a SAML provider, in an account.
func (f Federation) roleARN(r center.RoleRequest) string {
	if r.ARN != "" {
		return r.ARN
	}
	return "arn:aws:iam::" + r.Account.ID + ":role" + f.RolePath + r.RoleName
}

func (f Federation) providerARN(r center.RoleRequest) string {
	return "arn:aws:iam::" + r.Account.ID + ":saml-provider/" + f.Center.SAMLProviderName()
}

// response makes a signed response, in base64.
func (f Federation) response(ctx context.Context, r center.RoleRequest) (authn.Secret, error) {
	key, err := f.Center.FederationSigner(ctx)
	if err != nil {
		return "", err
	}
	audience, now := f.Audience, f.Center.Now()
	if audience == "" {
		audience = SignInEndpoint
	}
	values := []saml.Attribute{
		{Name: attributes + "Role", Values: []string{f.roleARN(r) + "," + f.providerARN(r)}},
		{Name: attributes + "RoleSessionName", Values: []string{r.Name()}},
		{Name: attributes + "SessionDuration", Values: []string{strconv.Itoa(int(r.Duration.Seconds()))}},
		{Name: attributes + "SourceIdentity", Values: []string{r.Identity()}},
	}
	for _, t := range r.Tags {
		values = append(values, saml.Attribute{Name: attributes + "PrincipalTag:" + t.Key, Values: []string{t.Value}})
	}
	text, err := saml.Response(
		saml.Statement{
			Issuer:       f.Center.FederationEntityID(),
			Audience:     audience,
			ACSURL:       f.URL,
			NameID:       r.SessionName,
			NameIDFormat: saml.FormatPersistent,
			Attributes:   values,
			AuthnInstant: now,
			Now:          now,
			Validity:     responseLifetime,
		},
		saml.SigningKey(key),
	)
	return authn.Secret(base64.StdEncoding.EncodeToString(text)), err
}

// SignIn implements half of center.Broker, for every broker alike.
func (f Federation) SignIn(
	ctx context.Context, r center.RoleRequest, destination string,
) (center.ConsoleSignIn, error) {
	response, err := f.response(ctx, r)
	return center.ConsoleSignIn{URL: f.URL, Response: response, RelayState: destination}, err
}

// SAML opens roles by AssumeRoleWithSAML, with a response that the center signs itself: there is no
// long-term key of AWS anywhere.
type SAML struct {
	Federation
	STS *sts.Client // needs no credentials
}

// Credentials implements center.Broker.
func (b *SAML) Credentials(ctx context.Context, r center.RoleRequest) (center.RoleCredentials, error) {
	response, err := b.response(ctx, r)
	if err != nil {
		return center.RoleCredentials{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := b.STS.AssumeRoleWithSAML(
		ctx,
		&sts.AssumeRoleWithSAMLInput{
			RoleArn:      aws.String(b.roleARN(r)),
			PrincipalArn: aws.String(b.providerARN(r)),
			// #nosec G115 -- twelve hours at most
			SAMLAssertion:   aws.String(response.Reveal()),
			DurationSeconds: aws.Int32(int32(r.Duration.Seconds())),
		},
	)
	if err != nil {
		return center.RoleCredentials{}, asRefusal(err, b.roleARN(r))
	}
	return opened(out.Credentials), nil
}

// AssumeRole opens roles from a hub role: its credentials, which the machine has, may assume the
// roles in all accounts.
type AssumeRole struct {
	Federation // for the console, where accounts trust the center as a SAML provider too
	STS        *sts.Client
}

// Credentials implements center.Broker.
func (b *AssumeRole) Credentials(ctx context.Context, r center.RoleRequest) (center.RoleCredentials, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &sts.AssumeRoleInput{
		RoleArn:         aws.String(b.roleARN(r)),
		RoleSessionName: aws.String(r.Name()),
		SourceIdentity:  aws.String(r.Identity()),
		DurationSeconds: aws.Int32(int32(r.Duration.Seconds()))} // #nosec G115 -- twelve hours at most
	for _, t := range r.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	out, err := b.STS.AssumeRole(ctx, in)
	if err != nil {
		return center.RoleCredentials{}, asRefusal(err, *in.RoleArn)
	}
	return opened(out.Credentials), nil
}

// patience is how long a person waits for STS, retries included.
const patience = 15 * time.Second //bound:wait STS, retries included

func opened(c *types.Credentials) center.RoleCredentials {
	return center.RoleCredentials{
		AccessKeyID:     aws.ToString(c.AccessKeyId),
		SecretAccessKey: authn.Secret(aws.ToString(c.SecretAccessKey)),
		SessionToken:    authn.Secret(aws.ToString(c.SessionToken)),
		Expiration:      aws.ToTime(c.Expiration),
	}
}

// asRefusal gives what STS said the center's codes: it refused, or did not answer.
func asRefusal(err error, role string) error {
	var answer *smithyhttp.ResponseError
	var said smithy.APIError
	if errors.As(err, &said) && errors.As(err, &answer) && answer.HTTPStatusCode() < http.StatusInternalServerError &&
		answer.HTTPStatusCode() != http.StatusTooManyRequests {
		return &refusal.Error{
			Code:    center.BrokerRefused,
			Subject: role,
			Detail:  said.ErrorCode() + ": " + said.ErrorMessage(),
		}
	}
	return &refusal.Error{Code: center.BrokerUnavailable, Subject: role, Detail: err.Error()}
}
