package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gatehouse-id/gatehouse/center"
)

// revocationName is how the inline policy is called that refuses what was revoked.
const revocationName = "GatehouseRevokedSessions"

// Revoke implements center.RoleKeeper.
func (k *Keeper) Revoke(ctx context.Context, r center.AccountRole) error {
	client := k.Client(r.AccountID)
	r.Name = center.NameOfRole(r.Name) // somebody else's role is named by its ARN
	if len(r.Revoked) > 0 {
		document, err := center.DenyRevoked(r.Revoked)
		if err != nil {
			return err
		}
		err = putDenial(ctx, client, r.Name, document)
		if isMissing(err) { // the role was removed by hand, and its credentials with it
			return nil
		}
		return asRefusal(err, r)
	}
	_, err := client.DeleteRolePolicy(
		ctx, &iam.DeleteRolePolicyInput{RoleName: &r.Name, PolicyName: aws.String(revocationName)},
	)
	if isMissing(err) { // the role or the policy: neither stands against anybody
		return nil
	}
	return asRefusal(err, r)
}

// deny puts what was revoked into a role before anything else is looked at: nobody waits for the
// rest of the work. A role that is not there yet has no credentials either.
func deny(ctx context.Context, client *Operations, name string, want *role) error {
	document, revoked := want.inline[revocationName]
	if !revoked {
		return nil
	}
	err := putDenial(ctx, client, name, document)
	if isMissing(err) {
		return nil
	}
	return err
}

func putDenial(ctx context.Context, client *Operations, name, document string) error {
	_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName:       &name,
		PolicyName:     aws.String(revocationName),
		PolicyDocument: &document,
	})
	return err
}
