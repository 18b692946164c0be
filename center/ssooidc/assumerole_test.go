package ssooidc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	admintypes "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

const contextProvider = "arn:aws:iam::aws:contextProvider/IdentityCenter"

// assuming is a center with an application that acts for ada, who has a role.
type assuming struct {
	*applications
	issuer *issuer
	wiki   *string
	role   string // its ARN
	sts    *sts.Client
}

func newAssuming(t *testing.T) assuming {
	t.Helper()
	a, i := newApplications(t), newIssuer(t)
	s := assuming{applications: a, issuer: i, sts: sts.NewFromConfig(a.as(center.RoleAdministrator))}
	s.wiki = a.application("wiki", takes(a.trusts(i, "idp", "email", "emails.value"), "wiki"))
	a.Assigned(a.ada, "222233334444", "Reader")
	a.must(a.Store.View(background, func(r center.Reader) error {
		role, err := r.RoleOf(a.ada.ID, "222233334444", "Reader")
		s.role = "arn:aws:iam::222233334444:role/aws-reserved/sso.amazonaws.com/" + role.RoleName
		return err
	}))
	return s
}

// context is an identity context of ada for the application.
func (s assuming) context() string {
	s.t.Helper()
	return *s.tokens(bearer(s.wiki, s.issuer.token(nil))).AwsAdditionalDetails.IdentityContext
}

func (s assuming) input(assertion string) *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{
		RoleArn: &s.role, RoleSessionName: aws.String("ada-at-work"),
		ProvidedContexts: []ststypes.ProvidedContext{
			{ProviderArn: aws.String(contextProvider), ContextAssertion: &assertion},
		},
	}
}

// identity asks who the bearer of credentials is.
func (s assuming) identity(c *ststypes.Credentials) (*sts.GetCallerIdentityOutput, error) {
	return sts.New(sts.Options{
		Region: s.Instance.Region, BaseEndpoint: &s.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken,
		),
	}).GetCallerIdentity(background, &sts.GetCallerIdentityInput{})
}

// refused checks the code of an error, and a text of its message.
func (s assuming) refused(what string, err error, code, text string) {
	s.t.Helper()
	var wire smithy.APIError
	if !errors.As(err, &wire) || wire.ErrorCode() != code || !strings.Contains(wire.ErrorMessage(), text) {
		s.t.Errorf("%s: %v, want %s with %q", what, err, code, text)
	}
}

// TestAnIdentityContextOpensARole: the session has the caller's name, tags and size, proves itself,
// and ends with the person or with the assignment.
func TestAnIdentityContextOpensARole(t *testing.T) {
	t.Parallel()
	s := newAssuming(t)
	claims := claimsOf(t, s.tokens(bearer(s.wiki, s.issuer.token(nil))).IdToken)
	forAudit, _ := claims["sts:audit_context"].(string)
	identity := s.context()
	for what, assertion := range map[string]string{"identity": identity, "audit": forAudit} {
		in := s.input(assertion)
		in.DurationSeconds, in.ExternalId = aws.Int32(900), aws.String("x/1")
		in.SourceIdentity = aws.String("ada")
		in.Tags = []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}
		in.TransitiveTagKeys, in.MinimumSessionTokenSize = []string{"Team"}, aws.Int32(2000)
		in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[]}`)
		out, err := s.sts.AssumeRole(background, in)
		s.must(err)
		if left := time.Until(*out.Credentials.Expiration); left > 15*time.Minute || left < 14*time.Minute ||
			*out.SourceIdentity != "ada" || len(*out.Credentials.SessionToken) < 2000 || len(assertion) > 2048 ||
			int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) {
			t.Errorf("%s: %v, %d bytes, %+v", what, left, len(*out.Credentials.SessionToken), out)
		}
		who, err := s.identity(out.Credentials)
		s.must(err)
		if *who.Account != "222233334444" || *who.Arn != *out.AssumedRoleUser.Arn ||
			*who.UserId != *out.AssumedRoleUser.AssumedRoleId || !strings.HasSuffix(*who.Arn, "/ada-at-work") {
			t.Errorf("%s: %+v, the role was %+v", what, who, out.AssumedRoleUser)
		}
		if e := s.LastEvent(); e.Action != "AssumeRole" || !strings.HasSuffix(e.Subject, "/ada") {
			t.Errorf("%s: the event is %+v", what, e)
		}
	}
	out, err := s.sts.AssumeRole(background, s.input(identity))
	s.must(err)
	s.setActive(false)
	_, err = s.identity(out.Credentials)
	s.refused("the session of somebody who is disabled", err, "InvalidClientTokenId", "invalid")
	_, err = s.sts.AssumeRole(background, s.input(identity))
	s.refused("a context of somebody who is disabled", err, "ExpiredTokenException", "not valid")
	s.setActive(true)
	again := s.context()
	out, err = s.sts.AssumeRole(background, s.input(again))
	s.must(err)
	_, err = s.identity(out.Credentials)
	s.must(err)
	assignments, err := s.Assignments(background, center.AssignmentQuery{})
	s.must(err)
	_, err = s.DeleteAssignment(background, audit.SystemActor, assignments[0])
	s.must(err)
	_, err = s.identity(out.Credentials)
	s.refused("the session of a role that is taken away", err, "ExpiredToken", "expired")
	_, err = s.sts.AssumeRole(background, s.input(again))
	s.refused("a role that is taken away", err, "AccessDenied", "sts:AssumeRole")
	s.must(s.DeleteUser(background, audit.SystemActor, s.ada.ID))
	_, err = s.identity(out.Credentials)
	s.refused("the session of somebody who is gone", err, "ExpiredToken", "expired")
	_, err = s.sts.AssumeRole(background, s.input(again))
	s.refused("a context of somebody who is gone", err, "ExpiredTokenException", "not valid")
}

// TestTheAWSCLIHasAnAssumedRole: Debian's CLI does not know contexts yet, but what they open, and
// how its own requests are refused.
func TestTheAWSCLIHasAnAssumedRole(t *testing.T) {
	t.Parallel()
	s := newAssuming(t)
	key, err := s.as(center.RoleAdministrator).Credentials.Retrieve(background)
	s.must(err)
	cli := centertest.NewAWSCLI(t, s.URL, s.Instance.Region, key.AccessKeyID, key.SecretAccessKey)
	cli.Fails("(AccessDenied)", "sts", "assume-role", "--role-arn", s.role, "--role-session-name", "cli")
	cli.Fails("sts:GetSessionToken", "sts", "get-session-token")
	out, err := s.sts.AssumeRole(background, s.input(s.context()))
	s.must(err)
	of := out.Credentials
	cli = centertest.NewAWSCLI(t, s.URL, s.Instance.Region, *of.AccessKeyId, *of.SecretAccessKey)
	cli.Env = append(cli.Env, "AWS_SESSION_TOKEN="+*of.SessionToken)
	var who struct{ Arn string }
	cli.Run(&who, "sts", "get-caller-identity")
	if who.Arn != *out.AssumedRoleUser.Arn {
		t.Errorf("the CLI is %s", who.Arn)
	}
}

// TestWhatAssumeRoleRefuses: bounds of the model, AWS's own sentences, and who may not.
func TestWhatAssumeRoleRefuses(t *testing.T) {
	t.Parallel()
	s := newAssuming(t)
	good := s.context()
	for what, c := range map[string]struct {
		change     func(*sts.AssumeRoleInput)
		code, text string
	}{
		"no context": {func(in *sts.AssumeRoleInput) { in.ProvidedContexts = nil }, "AccessDenied",
			"is not authorized to perform: sts:AssumeRole on resource: " + s.role},
		"a forged context": {func(in *sts.AssumeRoleInput) {
			in.ProvidedContexts[0].ContextAssertion = aws.String(good[:len(good)-4] + "AAAA")
		}, "ExpiredTokenException", "not valid"},
		"another provider": {func(in *sts.AssumeRoleInput) {
			in.ProvidedContexts[0].ProviderArn = aws.String("arn:aws:iam::aws:contextProvider/Other")
		}, "ValidationError", "contextProvider/IdentityCenter"},
		"two contexts": {func(in *sts.AssumeRoleInput) {
			in.ProvidedContexts = append(in.ProvidedContexts, in.ProvidedContexts[0])
		}, "ValidationError", "one context assertion"},
		"a short name": {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a") },
			"ValidationError", "Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length " +
				"greater than or equal to 2"},
		"a name with a space": {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") },
			"ValidationError", `regular expression pattern: [\w+=,.@-]*`},
		"fourteen minutes": {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(840) },
			"ValidationError", "Value '840' at 'durationSeconds' failed to satisfy constraint: Member must have " +
				"value greater than or equal to 900"},
		"two hours": {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"a tag without a key": {func(in *sts.AssumeRoleInput) {
			in.Tags = []ststypes.Tag{{Key: aws.String(""), Value: aws.String("x")}}
		}, "ValidationError", "tags.1.member.key"},
		"tags that differ in case": {func(in *sts.AssumeRoleInput) {
			in.Tags = []ststypes.Tag{
				{Key: aws.String("a"), Value: aws.String("x")}, {Key: aws.String("A"), Value: aws.String("y")},
			}
		}, "InvalidParameterValue", "Duplicate tag keys found"},
		"a transitive tag that is none": {func(in *sts.AssumeRoleInput) {
			in.TransitiveTagKeys = []string{"b"}
		}, "InvalidParameterValue", "must be included in the requested tags"},
		"an MFA code": {func(in *sts.AssumeRoleInput) {
			in.SerialNumber, in.TokenCode = aws.String("GAHT12345678"), aws.String("123456")
		}, "AccessDenied", "MultiFactorAuthentication failed"},
		"a policy that is none": {func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{") },
			"MalformedPolicyDocument", "invalid Json"},
		"an external id": {func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("a b") }, "ValidationError",
			"externalId"},
		"a source identity": {func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("aws:x") },
			"ValidationError", "sourceIdentity"},
		"no role": {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("not-an-arn-but-long-enough") },
			"ValidationError", "not-an-arn-but-long-enough is invalid"},
		"a role of nobody's": {func(in *sts.AssumeRoleInput) {
			in.RoleArn = aws.String("arn:aws:iam::222233334444:role/Deploy")
		}, "AccessDenied", "role/Deploy"},
		"a role with another suffix": {func(in *sts.AssumeRoleInput) {
			in.RoleArn = aws.String(s.role[:len(s.role)-16] + "0123456789abcdef")
		}, "AccessDenied", "sts:AssumeRole"},
		"the role in another account": {func(in *sts.AssumeRoleInput) {
			in.RoleArn = aws.String(strings.Replace(s.role, "222233334444", "333344445555", 1))
		}, "AccessDenied", "sts:AssumeRole"},
		"tags that fill a token": {func(in *sts.AssumeRoleInput) {
			for i := range 40 {
				in.Tags = append(in.Tags, ststypes.Tag{
					Key: aws.String(strings.Repeat("k", i+1)), Value: aws.String(strings.Repeat("v", 200)),
				})
			}
		}, "PackedPolicyTooLarge", "session token"},
	} {
		in := s.input(good)
		c.change(in)
		_, err := s.sts.AssumeRole(background, in)
		s.refused(what, err, c.code, c.text)
	}
	readers := sts.NewFromConfig(s.as(center.RoleReadOnly))
	_, err := readers.AssumeRole(background, s.input(good))
	s.refused("a key that only reads", err, "AccessDenied", "sts:AssumeRole")
	s.letEverybodyOpenAccounts()
	_, err = readers.AssumeRole(background, s.input(good))
	s.refused("a context from before the scope", err, "AccessDenied", "sts:AssumeRole")
	_, err = readers.AssumeRole(background, s.input(s.context()))
	s.must(err) // the application could open the role by sso GetRoleCredentials
	_, err = s.admin.UpdateApplication(background, &ssoadmin.UpdateApplicationInput{
		ApplicationArn: s.wiki, Status: admintypes.ApplicationStatusDisabled,
	})
	s.must(err)
	_, err = s.sts.AssumeRole(background, s.input(good))
	events, e2 := s.Events(background, center.EventQuery{Limit: 2})
	if e2 != nil || events[0].Code != center.ContextInvalid.String() || events[1].Action == events[0].Action {
		t.Errorf("a refusal left the events %+v, %v", events, e2)
	}
	s.refused("a context of an application that is disabled", err, "ExpiredTokenException", "not valid")
}

// letEverybodyOpenAccounts gives the application the scope of accounts, and names everybody in its
// actor policy.
func (s assuming) letEverybodyOpenAccounts() {
	s.t.Helper()
	s.policy(s.wiki, map[string]any{
		"Effect": "Allow", "Principal": "*", "Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*",
	})
	s.scope(s.wiki, "sso:account:access")
}
