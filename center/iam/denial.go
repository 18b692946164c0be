package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Denial is a policy that roles get which the center does not keep: in whatever accounts they are,
// one template has it for all.
type Denial struct {
	Policy string              // JSON
	Roles  map[string][]string // names, by account
}

// CloudFormation writes a template for all accounts: each stack adds the policy to the roles of its
// own account, so that it can be deployed as a stack set too. Deploying it needs CAPABILITY_IAM.
// Deleting the stack takes the policy back. Source: CloudFormation user guide, AWS::IAM::Policy.
func (d Denial) CloudFormation() ([]byte, error) {
	conditions, resources := object{}, object{}
	for _, account := range slices.Sorted(maps.Keys(d.Roles)) {
		in := "In" + account
		conditions[in] = object{"Fn::Equals": []any{object{"Ref": "AWS::AccountId"}, account}}
		resources["Denial"+account] = object{
			"Type":      "AWS::IAM::Policy",
			"Condition": in,
			"Properties": object{
				"PolicyName":     revocationName,
				"PolicyDocument": json.RawMessage(d.Policy),
				"Roles":          d.Roles[account],
			},
		}
	}
	return write(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Denies the sessions that were revoked, until the last of them has run out",
		"Conditions":               conditions,
		"Resources":                resources,
	})
}

// Terraform writes the same for Terraform's AWS provider, in its JSON syntax (.tf.json): each
// workspace adds the policy to the roles of the account whose credentials it has.
func (d Denial) Terraform() ([]byte, error) {
	return write(object{
		"locals": object{"gatehouse_revoked": d.Roles},
		"data":   object{"aws_caller_identity": object{"current": object{}}},
		"resource": object{"aws_iam_role_policy": object{"gatehouse_revoked": object{
			"for_each": "${toset(lookup(local.gatehouse_revoked, data.aws_caller_identity.current.account_id, []))}",
			"name":     revocationName,
			"role":     "${each.value}",
			"policy":   literal(d.Policy),
		}}},
	})
}

// Write writes the denial in a format: json is the policy alone.
func (d Denial) Write(format string) ([]byte, error) {
	switch format {
	case "json":
		return []byte(d.Policy + "\n"), nil
	case "cloudformation":
		return d.CloudFormation()
	case "terraform":
		return d.Terraform()
	}
	return nil, fmt.Errorf("there is no format %q", format)
}
