package iam

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gatehouse-id/gatehouse/center"
)

// revocationName is how the inline policy is called that refuses what was revoked.
const revocationName = "GatehouseRevokedSessions"

// denial is a policy that denies everything to the credentials that were issued to somebody before
// a moment. The source identity stays with a session also when it goes on to another role, so that
// CloudTrail names the person there; what it does there, only that role can deny. Source: IAM user
// guide, "Revoke IAM role temporary security credentials", and AWS re:Post on sts:SourceIdentity.
func denial(revoked []center.RoleRevocation) (string, error) {
	names := map[time.Time][]string{}
	var moments []time.Time // in the order in which they come, which is that of the users
	for _, r := range revoked {
		if names[r.Before] == nil {
			moments = append(moments, r.Before)
		}
		names[r.Before] = append(names[r.Before], r.Name)
	}
	var statements []object
	for _, before := range moments {
		statements = append(statements, object{
			"Effect":   "Deny",
			"Action":   "*",
			"Resource": "*",
			"Condition": object{
				"StringEquals": object{"sts:SourceIdentity": names[before]},
				"DateLessThan": object{"aws:TokenIssueTime": before.UTC().Format("2006-01-02T15:04:05.000Z")},
			},
		})
	}
	document, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
	return string(document), err
}

// Revoke implements center.RoleKeeper.
func (k *Keeper) Revoke(ctx context.Context, r center.AccountRole) error {
	client := k.Client(r.AccountID)
	if len(r.Revoked) > 0 {
		document, err := denial(r.Revoked)
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
func deny(ctx context.Context, client *iam.Client, name string, want *role) error {
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

func putDenial(ctx context.Context, client *iam.Client, name, document string) error {
	_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName:       &name,
		PolicyName:     aws.String(revocationName),
		PolicyDocument: &document,
	})
	return err
}
