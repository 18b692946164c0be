package inventory

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
)

// call is an operation of AWS Organizations.
type call[In, Out any] = func(context.Context, *In, ...func(*organizations.Options)) (*Out, error)

// organization is what is called of AWS Organizations. They are functions, and not the SDK's
// client: templates find methods by their names, so that the linker keeps every method of a type
// that one could meet, and the client has 57 more.
type organization struct {
	DescribeOrganization call[
		organizations.DescribeOrganizationInput,
		organizations.DescribeOrganizationOutput,
	]
	ListAccounts call[
		organizations.ListAccountsInput,
		organizations.ListAccountsOutput,
	]
	ListRoots                        call[organizations.ListRootsInput, organizations.ListRootsOutput]
	ListOrganizationalUnitsForParent call[
		organizations.ListOrganizationalUnitsForParentInput,
		organizations.ListOrganizationalUnitsForParentOutput,
	]
	ListAccountsForParent call[
		organizations.ListAccountsForParentInput,
		organizations.ListAccountsForParentOutput,
	]
	ListDelegatedAdministrators call[
		organizations.ListDelegatedAdministratorsInput,
		organizations.ListDelegatedAdministratorsOutput,
	]
}

func organizationsAt(cfg aws.Config) *organization {
	client := organizations.NewFromConfig(cfg)
	return &organization{
		DescribeOrganization:             client.DescribeOrganization,
		ListAccounts:                     client.ListAccounts,
		ListRoots:                        client.ListRoots,
		ListOrganizationalUnitsForParent: client.ListOrganizationalUnitsForParent,
		ListAccountsForParent:            client.ListAccountsForParent,
		ListDelegatedAdministrators:      client.ListDelegatedAdministrators,
	}
}

// Organization describes the organization of the caller's account.
func (r *Reader) Organization(ctx context.Context) (types.Organization, error) {
	out, err := r.orgs.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err == nil && out.Organization == nil {
		err = errNothing
	}
	if err != nil {
		return types.Organization{}, unread(ctx, "the organization", err)
	}
	return *out.Organization, nil
}

// Accounts lists the accounts of the organization.
func (r *Reader) Accounts(ctx context.Context) Pages[types.Account] {
	return pages(ctx, "the accounts", "", func(ctx context.Context, next *string) ([]types.Account, *string, error) {
		out, err := r.orgs.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: next})
		if err != nil {
			return nil, nil, err
		}
		return out.Accounts, out.NextToken, nil
	})
}

// Roots lists the roots of the organization.
func (r *Reader) Roots(ctx context.Context) Pages[types.Root] {
	return pages(ctx, "the roots of the organization", "",
		func(ctx context.Context, next *string) ([]types.Root, *string, error) {
			out, err := r.orgs.ListRoots(ctx, &organizations.ListRootsInput{NextToken: next})
			if err != nil {
				return nil, nil, err
			}
			return out.Roots, out.NextToken, nil
		})
}

// Units lists the organizational units below a root or a unit.
func (r *Reader) Units(ctx context.Context, parent string) Pages[types.OrganizationalUnit] {
	return pages(ctx, "the organizational units", "",
		func(ctx context.Context, next *string) ([]types.OrganizationalUnit, *string, error) {
			out, err := r.orgs.ListOrganizationalUnitsForParent(ctx,
				&organizations.ListOrganizationalUnitsForParentInput{ParentId: &parent, NextToken: next})
			if err != nil {
				return nil, nil, err
			}
			return out.OrganizationalUnits, out.NextToken, nil
		})
}

// AccountsIn lists the accounts that are in a root or a unit.
func (r *Reader) AccountsIn(ctx context.Context, parent string) Pages[types.Account] {
	return pages(ctx, "the accounts of a unit", "",
		func(ctx context.Context, next *string) ([]types.Account, *string, error) {
			out, err := r.orgs.ListAccountsForParent(ctx,
				&organizations.ListAccountsForParentInput{ParentId: &parent, NextToken: next})
			if err != nil {
				return nil, nil, err
			}
			return out.Accounts, out.NextToken, nil
		})
}

// DelegatedAdministrators lists the accounts that administer IAM Identity Center for the
// organization. Only they and the management account may ask.
func (r *Reader) DelegatedAdministrators(ctx context.Context) Pages[types.DelegatedAdministrator] {
	principal := "sso.amazonaws.com"
	return pages(ctx, "the delegated administrators", "",
		func(ctx context.Context, next *string) ([]types.DelegatedAdministrator, *string, error) {
			out, err := r.orgs.ListDelegatedAdministrators(ctx, &organizations.ListDelegatedAdministratorsInput{
				ServicePrincipal: &principal, NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.DelegatedAdministrators, out.NextToken, nil
		})
}
