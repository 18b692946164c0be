package iam

import (
	"context"
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gatehouse-id/gatehouse/center"
)

// Inspect implements center.RoleKeeper.
func (k *Keeper) Inspect(ctx context.Context, arn string) (center.ExistingRole, error) {
	account := strings.Split(arn, ":")[4]
	name := center.NameOfRole(arn)
	of := center.AccountRole{AccountID: account, Name: name}
	statement, err := json.Marshal(k.Trust.policy(k.providerARN(account))["Statement"])
	if err != nil {
		return center.ExistingRole{}, err
	}
	role := center.ExistingRole{Statement: string(statement)}
	out, err := k.Client(account).GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isMissing(err) || err == nil && aws.ToString(out.Role.Arn) != arn { // another path
		return role, nil
	}
	if err != nil {
		return role, asRefusal(err, of)
	}
	role.There = true
	role.Longest = time.Duration(aws.ToInt32(out.Role.MaxSessionDuration)) * time.Second
	if role.Longest == 0 {
		role.Longest = time.Hour // IAM's default, which it may leave out
	}
	is, err := url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument))
	role.Trusts = err == nil && trusts(is, string(statement))
	if !role.Trusts {
		return role, nil
	}
	return role, asRefusal(k.keepProvider(ctx, k.Client(account), account), of)
}

// trustStatement is a statement of a trust policy, as far as it matters who may do what. Conditions
// are not weighed: IAM does, when the role is opened.
type trustStatement struct {
	Effect    string
	Principal map[string]center.PolicyTexts
	Action    center.PolicyTexts
}

// trusts says whether a trust policy allows everything that the wanted statements do.
func trusts(policy, wanted string) bool {
	var document struct{ Statement json.RawMessage }
	var is, want []trustStatement
	if json.Unmarshal([]byte(policy), &document) != nil || json.Unmarshal([]byte(wanted), &want) != nil {
		return false
	}
	if json.Unmarshal(document.Statement, &is) != nil {
		var one trustStatement
		if json.Unmarshal(document.Statement, &one) != nil {
			return false
		}
		is = []trustStatement{one}
	}
	for _, w := range want {
		for kind, who := range w.Principal {
			for _, action := range w.Action {
				if !allowsTo(is, kind, who[0], action) {
					return false
				}
			}
		}
	}
	return true
}

// allowsTo says whether a principal may do something by one of the statements. That of an account
// stands for everybody in it who is allowed to there.
func allowsTo(is []trustStatement, kind, who, action string) bool {
	covers := func(pattern string) bool {
		ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(action))
		return err == nil && ok
	}
	own := func(named string) bool {
		if named == who || named == "*" {
			return true
		}
		parts := strings.Split(who, ":")
		return kind == "AWS" && len(parts) > 4 &&
			(named == parts[4] || named == strings.Join(parts[:5], ":")+":root")
	}
	return slices.ContainsFunc(is, func(s trustStatement) bool {
		return s.Effect == "Allow" && slices.ContainsFunc(s.Principal[kind], own) &&
			slices.ContainsFunc(s.Action, covers)
	})
}
