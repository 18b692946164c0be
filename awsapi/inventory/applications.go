package inventory

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// Applications lists the applications.
func (r *Reader) Applications(ctx context.Context) Pages[types.Application] {
	return pages(ctx, "the applications", "",
		func(ctx context.Context, next *string) ([]types.Application, *string, error) {
			out, err := r.admin.ListApplications(ctx, &ssoadmin.ListApplicationsInput{
				InstanceArn: &r.InstanceARN, MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.Applications, out.NextToken, nil
		})
}

// ApplicationAssignments lists who has an application.
func (r *Reader) ApplicationAssignments(ctx context.Context, arn string) Pages[types.ApplicationAssignment] {
	return pages(ctx, "who has an application", "",
		func(ctx context.Context, next *string) ([]types.ApplicationAssignment, *string, error) {
			out, err := r.admin.ListApplicationAssignments(ctx, &ssoadmin.ListApplicationAssignmentsInput{
				ApplicationArn: &arn, MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.ApplicationAssignments, out.NextToken, nil
		})
}

// AssignmentRequired says whether people need an assignment to an application.
func (r *Reader) AssignmentRequired(ctx context.Context, arn string) (bool, error) {
	out, err := r.admin.GetApplicationAssignmentConfiguration(ctx,
		&ssoadmin.GetApplicationAssignmentConfigurationInput{ApplicationArn: &arn})
	if err != nil {
		return false, unread(ctx, "the settings of an application", err)
	}
	return aws.ToBool(out.AssignmentRequired), nil
}

// Grants lists the grants of an application.
func (r *Reader) Grants(ctx context.Context, arn string) Pages[types.GrantItem] {
	return pages(ctx, "the grants of an application", "",
		func(ctx context.Context, next *string) ([]types.GrantItem, *string, error) {
			out, err := r.admin.ListApplicationGrants(ctx, &ssoadmin.ListApplicationGrantsInput{
				ApplicationArn: &arn, NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.Grants, out.NextToken, nil
		})
}

// AuthenticationMethods lists how an application signs its requests.
func (r *Reader) AuthenticationMethods(ctx context.Context, arn string) Pages[types.AuthenticationMethodItem] {
	return pages(ctx, "the authentication methods of an application", "",
		func(ctx context.Context, next *string) ([]types.AuthenticationMethodItem, *string, error) {
			out, err := r.admin.ListApplicationAuthenticationMethods(ctx,
				&ssoadmin.ListApplicationAuthenticationMethodsInput{ApplicationArn: &arn, NextToken: next})
			if err != nil {
				return nil, nil, err
			}
			return out.AuthenticationMethods, out.NextToken, nil
		})
}

// AccessScopes lists the scopes that an application may ask for.
func (r *Reader) AccessScopes(ctx context.Context, arn string) Pages[types.ScopeDetails] {
	return pages(ctx, "the access scopes of an application", "",
		func(ctx context.Context, next *string) ([]types.ScopeDetails, *string, error) {
			out, err := r.admin.ListApplicationAccessScopes(ctx, &ssoadmin.ListApplicationAccessScopesInput{
				ApplicationArn: &arn, NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.Scopes, out.NextToken, nil
		})
}

// BackgroundSessions says whether people may have background sessions with an application.
func (r *Reader) BackgroundSessions(
	ctx context.Context, arn string,
) (types.UserBackgroundSessionApplicationStatus, error) {
	out, err := r.admin.GetApplicationSessionConfiguration(ctx,
		&ssoadmin.GetApplicationSessionConfigurationInput{ApplicationArn: &arn})
	if err != nil {
		return "", unread(ctx, "the session settings of an application", err)
	}
	return out.UserBackgroundSessionApplicationStatus, nil
}

// TokenIssuers lists the trusted token issuers. The list has their names; describe each for more.
func (r *Reader) TokenIssuers(ctx context.Context) Pages[types.TrustedTokenIssuerMetadata] {
	return pages(ctx, "the trusted token issuers", "",
		func(ctx context.Context, next *string) ([]types.TrustedTokenIssuerMetadata, *string, error) {
			out, err := r.admin.ListTrustedTokenIssuers(ctx, &ssoadmin.ListTrustedTokenIssuersInput{
				InstanceArn: &r.InstanceARN, NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.TrustedTokenIssuers, out.NextToken, nil
		})
}

// TokenIssuer describes a trusted token issuer.
func (r *Reader) TokenIssuer(ctx context.Context, arn string) (*ssoadmin.DescribeTrustedTokenIssuerOutput, error) {
	out, err := r.admin.DescribeTrustedTokenIssuer(ctx,
		&ssoadmin.DescribeTrustedTokenIssuerInput{TrustedTokenIssuerArn: &arn})
	if err != nil {
		return nil, unread(ctx, "a trusted token issuer", err)
	}
	return out, nil
}
