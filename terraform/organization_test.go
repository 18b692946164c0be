package terraform_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// hostile is a text with what means something to Terraform, to shells, to editors and to comments.
const hostile = "a \"b\" 'c' \\d ${e} %{f} $${g} */ // # <<EOT\nh\ti é < & >"

// strange is the name of a group, as hostile as the API takes it.
const strange = "Ops\n\r\t} resource \"x\" ${a} %{b} $${c} */ <<EOT ' /GROUP/ \\ 日本 e\u0301"

// organization is a center with one of everything that sso-admin and identitystore keep.
type organization struct {
	*centertest.Server

	t        *testing.T
	ctx      context.Context
	cfg      aws.Config
	key      center.OpenedKey
	admin    *ssoadmin.Client
	store    *identitystore.Client
	instance *string
	storeID  *string
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newOrganization(t *testing.T) *organization {
	t.Helper()
	s := centertest.Serve(t)
	o := &organization{Server: s, t: t, ctx: context.Background()}
	key, err := s.CreateAccessKey(o.ctx, audit.SystemActor, "terraform", center.RoleAdministrator)
	o.key = must(t, key, err)
	o.cfg = aws.Config{Region: s.Instance.Region, BaseEndpoint: &s.URL}
	o.cfg.Credentials = credentials.NewStaticCredentialsProvider(
		key.ID, key.SecretAccessKey.Reveal(), "",
	)
	o.admin, o.store = ssoadmin.NewFromConfig(o.cfg), identitystore.NewFromConfig(o.cfg)
	o.instance, o.storeID = &s.Instance.ARN, &s.Instance.IdentityStoreID
	return o
}

const production, odd = "111122223333", "222233334444"

func (o *organization) accounts() {
	o.t.Helper()
	if err := errors.Join(
		o.PutAccount(o.ctx, audit.SystemActor, center.Account{ID: production, Name: "Production"}),
		o.PutAccount(o.ctx, audit.SystemActor, center.Account{ID: odd, Name: "Odd\u2028resource \"x\" {} ${y}"}),
	); err != nil {
		o.t.Fatal(err)
	}
}

// fill makes one of everything, with hostile names.
func (o *organization) fill() {
	t := o.t
	t.Helper()
	o.accounts()
	ada := o.user("ada@example.com", nil)
	full := o.user(`o'neil"${x}+%{y}@example.com`, func(in *identitystore.CreateUserInput) {
		in.DisplayName = aws.String(strings.ReplaceAll(hostile, "\n", " "))
		in.NickName, in.ProfileUrl = aws.String("N\"${n}"), aws.String("https://example.com/${p}?a=%{b}")
		in.Title, in.UserType = aws.String("Tïtle */ \\"), aws.String("Employee")
		in.Locale, in.PreferredLanguage = aws.String("en"), aws.String("en-GB")
		in.Timezone = aws.String("Europe/London")
		in.Name.MiddleName, in.Name.Formatted = aws.String("M"), aws.String("F ${f}")
		in.Name.HonorificPrefix, in.Name.HonorificSuffix = aws.String("Lady"), aws.String("FRS")
		in.Emails = []idtypes.Email{
			{Value: aws.String("o.neil+x@example.com"), Type: aws.String("work"), Primary: true},
		}
		in.PhoneNumbers = []idtypes.PhoneNumber{{Value: aws.String("+44 20 7946 0000"), Type: aws.String("home")}}
		in.Addresses = []idtypes.Address{{
			StreetAddress: aws.String("12 St James's\nSquare"), Locality: aws.String("London"),
			Region: aws.String("England"), PostalCode: aws.String("SW1Y 4JH"), Country: aws.String("GB"),
			Formatted: aws.String("12 ${x}"), Type: aws.String("work"), Primary: true,
		}}
	})
	provisioned, err := o.CreateUser(o.ctx, audit.SystemActor, center.User{
		UserName: "scim${u}@example.com", DisplayName: "S", ExternalID: "entra-1", Active: true,
		Name: center.PersonName{GivenName: "S", FamilyName: "C"},
	})
	must(t, provisioned, err)
	ours, same := o.group("Ops", "They ${run} it\n\"all\""), o.group(strange, "")
	theirs, err := o.CreateGroup(
		o.ctx, audit.SystemActor, center.Group{DisplayName: "Engineers \"${e}\"", ExternalID: "entra-2"},
	)
	must(t, theirs, err)
	for _, m := range []struct{ group, user string }{
		{ours, ada}, {ours, string(provisioned.ID)}, {same, full}, {string(theirs.ID), string(provisioned.ID)},
	} {
		out, err := o.store.CreateGroupMembership(o.ctx, &identitystore.CreateGroupMembershipInput{
			IdentityStoreId: o.storeID, GroupId: &m.group, MemberId: &idtypes.MemberIdMemberUserId{Value: m.user},
		})
		must(t, out, err)
	}
	o.accessControl()
	sets := o.permissionSets()
	for _, a := range []struct {
		set, account, id string
		kind             types.PrincipalType
	}{
		{sets[0], production, ours, types.PrincipalTypeGroup},
		{sets[0], production, string(theirs.ID), types.PrincipalTypeGroup},
		{sets[0], odd, same, types.PrincipalTypeGroup},
		{sets[1], odd, string(provisioned.ID), types.PrincipalTypeUser},
		{sets[2], odd, full, types.PrincipalTypeUser},
	} {
		out, err := o.admin.CreateAccountAssignment(o.ctx, &ssoadmin.CreateAccountAssignmentInput{
			InstanceArn: o.instance, PermissionSetArn: &a.set, PrincipalId: &a.id, PrincipalType: a.kind,
			TargetId: &a.account, TargetType: types.TargetTypeAwsAccount,
		})
		must(t, out, err)
	}
	o.applications(ours, full, string(theirs.ID))
	saml, err := o.CreateApplication(o.ctx, audit.SystemActor, center.Application{ // as the console makes it
		ProviderARN: "arn:aws:sso::aws:applicationProvider/custom-saml", Name: "SAML \"${s}\"", Enabled: true,
	}, "")
	must(t, saml, err)
	if err := o.SetUserActive(o.ctx, audit.SystemActor, center.UserID(full), false); err != nil {
		t.Fatal(err)
	}
}

func (o *organization) user(name string, change func(*identitystore.CreateUserInput)) string {
	o.t.Helper()
	in := &identitystore.CreateUserInput{
		IdentityStoreId: o.storeID, UserName: &name, DisplayName: aws.String("Ada"),
		Name: &idtypes.Name{GivenName: aws.String("Ada"), FamilyName: aws.String("L")},
	}
	if change != nil {
		change(in)
	}
	out, err := o.store.CreateUser(o.ctx, in)
	return *must(o.t, out, err).UserId
}

func (o *organization) group(name, description string) string {
	o.t.Helper()
	in := &identitystore.CreateGroupInput{IdentityStoreId: o.storeID, DisplayName: &name}
	if description != "" {
		in.Description = &description
	}
	out, err := o.store.CreateGroup(o.ctx, in)
	return *must(o.t, out, err).GroupId
}

func (o *organization) accessControl() {
	o.t.Helper()
	out, err := o.admin.CreateInstanceAccessControlAttributeConfiguration(
		o.ctx, &ssoadmin.CreateInstanceAccessControlAttributeConfigurationInput{
			InstanceArn: o.instance,
			InstanceAccessControlAttributeConfiguration: &types.InstanceAccessControlAttributeConfiguration{
				AccessControlAttributes: []types.AccessControlAttribute{
					{Key: aws.String("cost"), Value: &types.AccessControlAttributeValue{
						Source: []string{"${path:enterprise.costCenter}"},
					}},
					{Key: aws.String("country"), Value: &types.AccessControlAttributeValue{
						Source: []string{`${path:addresses[type eq "work"].country}`},
					}},
				},
			},
		},
	)
	must(o.t, out, err)
}

const userPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Own", "Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::b/${aws:username}/*",
     "Condition": {"StringLike": {"aws:PrincipalTag/%{x}": "a<b>&c é", "n": ["*"]},
                   "Bool": {"aws:SecureTransport": "true"}}}
  ]
}`

// permissionSets makes them, and returns the ARNs.
func (o *organization) permissionSets() (arns []string) {
	t := o.t
	t.Helper()
	tags := []types.Tag{
		{Key: aws.String("team\u2028x"), Value: aws.String("a\u2029b @=+")},
		{Key: aws.String("empty"), Value: aws.String("")},
	}
	for _, p := range []ssoadmin.CreatePermissionSetInput{
		{
			Name: aws.String("Operator"), Description: aws.String(hostile), SessionDuration: aws.String("PT12H"),
			RelayState: aws.String("https://console.aws.amazon.com/s3/home?region=us-east-1#x=%7B"), Tags: tags,
		},
		{Name: aws.String("operator-of_everything.at,one=+@2")}, {Name: aws.String("2024-admins")},
		{Name: aws.String(strings.Repeat("x", 32))}, {Name: aws.String("OPERATOR_X")}, {Name: aws.String("operator_x")},
	} {
		if *p.Name == "operator-of_everything.at,one=+@2" {
			p.Name = aws.String("operator.at,one=+@2")
		}
		p.InstanceArn = o.instance
		out, err := o.admin.CreatePermissionSet(o.ctx, &p)
		arns = append(arns, *must(t, out, err).PermissionSet.PermissionSetArn)
	}
	for _, policy := range []string{
		"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/job-function/Billing",
	} {
		out, err := o.admin.AttachManagedPolicyToPermissionSet(o.ctx, &ssoadmin.AttachManagedPolicyToPermissionSetInput{
			InstanceArn: o.instance, PermissionSetArn: &arns[0], ManagedPolicyArn: &policy,
		})
		must(t, out, err)
	}
	for name, path := range map[string]string{"Own+Policy=.@-_": "/", "Own": "/own/team/", "With,Comma": "/"} {
		out, err := o.admin.AttachCustomerManagedPolicyReferenceToPermissionSet(
			o.ctx, &ssoadmin.AttachCustomerManagedPolicyReferenceToPermissionSetInput{
				InstanceArn: o.instance, PermissionSetArn: &arns[0],
				CustomerManagedPolicyReference: &types.CustomerManagedPolicyReference{
					Name: &name, Path: &path,
				},
			},
		)
		must(t, out, err)
	}
	for _, set := range arns[:2] {
		out, err := o.admin.PutInlinePolicyToPermissionSet(o.ctx, &ssoadmin.PutInlinePolicyToPermissionSetInput{
			InstanceArn: o.instance, PermissionSetArn: &set, InlinePolicy: aws.String(userPolicy),
		})
		must(t, out, err)
	}
	for i, b := range []types.PermissionsBoundary{
		{ManagedPolicyArn: aws.String("arn:aws:iam::aws:policy/PowerUserAccess")},
		{CustomerManagedPolicyReference: &types.CustomerManagedPolicyReference{
			Name: aws.String("Own"), Path: aws.String("/own/"),
		}},
	} {
		out, err := o.admin.PutPermissionsBoundaryToPermissionSet(
			o.ctx, &ssoadmin.PutPermissionsBoundaryToPermissionSetInput{
				InstanceArn: o.instance, PermissionSetArn: &arns[i], PermissionsBoundary: &b,
			},
		)
		must(t, out, err)
	}
	return arns
}

// applications makes them, with the same name twice, and a trusted token issuer.
func (o *organization) applications(group, user, provisioned string) {
	t := o.t
	t.Helper()
	provider := aws.String("arn:aws:sso::aws:applicationProvider/custom")
	var arns []string
	for _, a := range []ssoadmin.CreateApplicationInput{
		{
			Name: aws.String("Wiki ${w} \"1\""), Description: aws.String("Pages */ %{p}"),
			Status: types.ApplicationStatusDisabled,
			PortalOptions: &types.PortalOptions{
				Visibility: types.ApplicationVisibilityEnabled,
				SignInOptions: &types.SignInOptions{
					Origin: types.SignInOriginApplication, ApplicationUrl: aws.String(
						"https://wiki.example.com/?a=%7Bb%7D",
					),
				},
			},
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("t\u2028 u")}},
		},
		{Name: aws.String("Wiki ${w} \"1\"")},
		{
			Name:          aws.String("Hidden"),
			PortalOptions: &types.PortalOptions{Visibility: types.ApplicationVisibilityDisabled},
		},
		{Name: aws.String("Here"), PortalOptions: &types.PortalOptions{
			Visibility: types.ApplicationVisibilityDisabled, SignInOptions: &types.SignInOptions{
				Origin: types.SignInOriginIdentityCenter,
			},
		}},
	} {
		a.InstanceArn, a.ApplicationProviderArn = o.instance, provider
		out, err := o.admin.CreateApplication(o.ctx, &a)
		arns = append(arns, *must(t, out, err).ApplicationArn)
	}
	for i, p := range []struct {
		id   string
		kind types.PrincipalType
	}{{group, types.PrincipalTypeGroup}, {user, types.PrincipalTypeUser}, {provisioned, types.PrincipalTypeGroup}} {
		out, err := o.admin.CreateApplicationAssignment(o.ctx, &ssoadmin.CreateApplicationAssignmentInput{
			ApplicationArn: &arns[i%2], PrincipalId: &p.id, PrincipalType: p.kind,
		})
		must(t, out, err)
	}
	put, err := o.admin.PutApplicationAssignmentConfiguration(
		o.ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{
			ApplicationArn: &arns[1], AssignmentRequired: aws.Bool(false),
		},
	)
	must(t, put, err)
	scoped, err := o.admin.PutApplicationAccessScope(o.ctx, &ssoadmin.PutApplicationAccessScopeInput{
		ApplicationArn: &arns[0], Scope: aws.String("sso:account:access"),
		AuthorizedTargets: []string{arns[0], arns[1]},
	})
	must(t, scoped, err)
	issuer, err := o.admin.CreateTrustedTokenIssuer(o.ctx, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: o.instance, Name: aws.String("corp.issuer-2+x=,@"),
		TrustedTokenIssuerType: types.TrustedTokenIssuerTypeOidcJwt,
		Tags:                   []types.Tag{{Key: aws.String("team"), Value: aws.String("t")}},
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{
			Value: types.OidcJwtConfiguration{
				ClaimAttributePath: aws.String("email"), IdentityStoreAttributePath: aws.String("emails.value"),
				IssuerUrl: aws.String(
					"https://issuer.example.com/a",
				), JwksRetrievalOption: types.JwksRetrievalOptionOpenIdDiscovery,
			},
		},
	})
	must(t, issuer, err)
}
