package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// call is an operation of IAM.
type call[In, Out any] = func(context.Context, *In, ...func(*iam.Options)) (*Out, error)

// Operations are what is called of IAM in an account. They are functions, and not the SDK's client:
// templates find methods by their names, so that the linker keeps every method of a type that one
// could meet, and the client has 160 more, which are 2 MiB.
type Operations struct {
	GetRole                call[iam.GetRoleInput, iam.GetRoleOutput]
	CreateRole             call[iam.CreateRoleInput, iam.CreateRoleOutput]
	UpdateRole             call[iam.UpdateRoleInput, iam.UpdateRoleOutput]
	DeleteRole             call[iam.DeleteRoleInput, iam.DeleteRoleOutput]
	UpdateAssumeRolePolicy call[iam.UpdateAssumeRolePolicyInput, iam.UpdateAssumeRolePolicyOutput]

	PutRolePermissionsBoundary    call[iam.PutRolePermissionsBoundaryInput, iam.PutRolePermissionsBoundaryOutput]
	DeleteRolePermissionsBoundary call[iam.DeleteRolePermissionsBoundaryInput, iam.DeleteRolePermissionsBoundaryOutput]

	ListAttachedRolePolicies call[iam.ListAttachedRolePoliciesInput, iam.ListAttachedRolePoliciesOutput]
	AttachRolePolicy         call[iam.AttachRolePolicyInput, iam.AttachRolePolicyOutput]
	DetachRolePolicy         call[iam.DetachRolePolicyInput, iam.DetachRolePolicyOutput]

	ListRolePolicies call[iam.ListRolePoliciesInput, iam.ListRolePoliciesOutput]
	GetRolePolicy    call[iam.GetRolePolicyInput, iam.GetRolePolicyOutput]
	PutRolePolicy    call[iam.PutRolePolicyInput, iam.PutRolePolicyOutput]
	DeleteRolePolicy call[iam.DeleteRolePolicyInput, iam.DeleteRolePolicyOutput]

	GetSAMLProvider    call[iam.GetSAMLProviderInput, iam.GetSAMLProviderOutput]
	CreateSAMLProvider call[iam.CreateSAMLProviderInput, iam.CreateSAMLProviderOutput]
	UpdateSAMLProvider call[iam.UpdateSAMLProviderInput, iam.UpdateSAMLProviderOutput]
	DeleteSAMLProvider call[iam.DeleteSAMLProviderInput, iam.DeleteSAMLProviderOutput]
}

// operations are those of a client.
func operations(client *iam.Client) *Operations {
	return &Operations{
		GetRole:                       client.GetRole,
		CreateRole:                    client.CreateRole,
		UpdateRole:                    client.UpdateRole,
		DeleteRole:                    client.DeleteRole,
		UpdateAssumeRolePolicy:        client.UpdateAssumeRolePolicy,
		PutRolePermissionsBoundary:    client.PutRolePermissionsBoundary,
		DeleteRolePermissionsBoundary: client.DeleteRolePermissionsBoundary,
		ListAttachedRolePolicies:      client.ListAttachedRolePolicies,
		AttachRolePolicy:              client.AttachRolePolicy,
		DetachRolePolicy:              client.DetachRolePolicy,
		ListRolePolicies:              client.ListRolePolicies,
		GetRolePolicy:                 client.GetRolePolicy,
		PutRolePolicy:                 client.PutRolePolicy,
		DeleteRolePolicy:              client.DeleteRolePolicy,
		GetSAMLProvider:               client.GetSAMLProvider,
		CreateSAMLProvider:            client.CreateSAMLProvider,
		UpdateSAMLProvider:            client.UpdateSAMLProvider,
		DeleteSAMLProvider:            client.DeleteSAMLProvider,
	}
}

// attachedLister is ListAttachedRolePolicies as the SDK's pages want it.
type attachedLister call[iam.ListAttachedRolePoliciesInput, iam.ListAttachedRolePoliciesOutput]

// ListAttachedRolePolicies implements iam.ListAttachedRolePoliciesAPIClient.
func (l attachedLister) ListAttachedRolePolicies(
	ctx context.Context, in *iam.ListAttachedRolePoliciesInput, options ...func(*iam.Options),
) (*iam.ListAttachedRolePoliciesOutput, error) {
	return l(ctx, in, options...)
}

// inlineLister is ListRolePolicies as the SDK's pages want it.
type inlineLister call[iam.ListRolePoliciesInput, iam.ListRolePoliciesOutput]

// ListRolePolicies implements iam.ListRolePoliciesAPIClient.
func (l inlineLister) ListRolePolicies(
	ctx context.Context, in *iam.ListRolePoliciesInput, options ...func(*iam.Options),
) (*iam.ListRolePoliciesOutput, error) {
	return l(ctx, in, options...)
}
