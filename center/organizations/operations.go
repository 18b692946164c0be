package organizations

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/organizations"
)

// call is an operation of AWS Organizations.
type call[In, Out any] = func(context.Context, *In, ...func(*organizations.Options)) (*Out, error)

// operations are what is called of AWS Organizations. They are functions, and not the SDK's client:
// templates find methods by their names, so that the linker keeps every method of a type that one
// could meet, and the client has 59 more.
type operations struct {
	roots    call[organizations.ListRootsInput, organizations.ListRootsOutput]
	accounts call[organizations.ListAccountsForParentInput, organizations.ListAccountsForParentOutput]
	units    call[organizations.ListOrganizationalUnitsForParentInput,
		organizations.ListOrganizationalUnitsForParentOutput]
	tags call[organizations.ListTagsForResourceInput, organizations.ListTagsForResourceOutput]
}

// ListRoots implements organizations.ListRootsAPIClient.
func (o *operations) ListRoots(
	ctx context.Context, in *organizations.ListRootsInput, options ...func(*organizations.Options),
) (*organizations.ListRootsOutput, error) {
	return o.roots(ctx, in, options...)
}

// ListAccountsForParent implements organizations.ListAccountsForParentAPIClient.
func (o *operations) ListAccountsForParent(
	ctx context.Context, in *organizations.ListAccountsForParentInput, options ...func(*organizations.Options),
) (*organizations.ListAccountsForParentOutput, error) {
	return o.accounts(ctx, in, options...)
}

// ListOrganizationalUnitsForParent implements the SDK's interface of that name.
func (o *operations) ListOrganizationalUnitsForParent(
	ctx context.Context, in *organizations.ListOrganizationalUnitsForParentInput,
	options ...func(*organizations.Options),
) (*organizations.ListOrganizationalUnitsForParentOutput, error) {
	return o.units(ctx, in, options...)
}

// ListTagsForResource implements organizations.ListTagsForResourceAPIClient.
func (o *operations) ListTagsForResource(
	ctx context.Context, in *organizations.ListTagsForResourceInput, options ...func(*organizations.Options),
) (*organizations.ListTagsForResourceOutput, error) {
	return o.tags(ctx, in, options...)
}
