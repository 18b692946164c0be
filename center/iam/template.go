package iam

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
)

// AccountRoles are what an AWS account must have in IAM: the center as a SAML provider, and the
// roles.
type AccountRoles struct {
	ProviderName string
	Metadata     string // of the center as an identity provider
	Trust        Trust
	Roles        []center.AccountRole
}

// Source: user guide, "Roles created by IAM Identity Center": every role allows twelve hours,
// whatever the permission set says.
const maxRoleSession = 43200 //bound:none a property of the roles, in seconds

// inlineName is how the inline policy of a permission set is called in the role.
const inlineName = "AwsSSOInlinePolicy"

// CloudFormation writes a template that makes them. Deploying it needs CAPABILITY_NAMED_IAM.
func (a AccountRoles) CloudFormation() ([]byte, error) {
	resources := object{
		"Provider": object{
			"Type":       "AWS::IAM::SAMLProvider",
			"Properties": object{"Name": a.ProviderName, "SamlMetadataDocument": a.Metadata},
		},
	}
	for i, r := range a.Roles {
		p := object{
			"RoleName":                 r.Name,
			"Path":                     a.Trust.Path,
			"MaxSessionDuration":       maxRoleSession,
			"AssumeRolePolicyDocument": a.Trust.policy(object{"Ref": "Provider"}),
		}
		if description(r) != "" {
			p["Description"] = description(r)
		}
		if len(r.Policies) > 0 {
			p["ManagedPolicyArns"] = r.Policies
		}
		if r.Boundary != "" {
			p["PermissionsBoundary"] = r.Boundary
		}
		if r.InlinePolicy != "" {
			p["Policies"] = []object{{"PolicyName": inlineName, "PolicyDocument": json.RawMessage(r.InlinePolicy)}}
		}
		resources[fmt.Sprintf("Role%d", i+1)] = object{"Type": "AWS::IAM::Role", "Properties": p}
	}
	return write(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Roles for " + a.ProviderName,
		"Resources":                resources,
	})
}

// Terraform writes the same for Terraform's AWS provider, in its JSON syntax (.tf.json).
func (a AccountRoles) Terraform() ([]byte, error) {
	roles := object{}
	attachments := object{}
	inline := object{}
	for i, r := range a.Roles {
		id := fmt.Sprintf("role_%d", i+1)
		trust, err := json.Marshal(a.Trust.policy("${aws_iam_saml_provider.gatehouse.arn}"))
		if err != nil {
			return nil, err
		}
		role := object{
			"name":                 r.Name,
			"path":                 a.Trust.Path,
			"max_session_duration": maxRoleSession,
			"assume_role_policy":   string(trust),
		}
		if description(r) != "" {
			role["description"] = literal(description(r))
		}
		if r.Boundary != "" {
			role["permissions_boundary"] = r.Boundary
		}
		roles[id] = role
		for k, arn := range r.Policies {
			attachments[fmt.Sprintf("%s_%d", id, k+1)] = object{
				"role":       "${aws_iam_role." + id + ".name}",
				"policy_arn": arn,
			}
		}
		if r.InlinePolicy != "" {
			inline[id] = object{
				"name":   inlineName,
				"role":   "${aws_iam_role." + id + ".name}",
				"policy": literal(r.InlinePolicy),
			}
		}
	}
	resources := object{
		"aws_iam_saml_provider": object{
			"gatehouse": object{"name": a.ProviderName, "saml_metadata_document": literal(a.Metadata)},
		},
	}
	for kind, all := range map[string]object{
		"aws_iam_role":                   roles,
		"aws_iam_role_policy_attachment": attachments,
		"aws_iam_role_policy":            inline,
	} {
		if len(all) > 0 {
			resources[kind] = all
		}
	}
	return write(object{"resource": resources})
}

// literal keeps Terraform from reading a text as a template: policies have variables of IAM's own
// in the same brackets.
func literal(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

func write(v object) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
