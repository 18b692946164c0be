package broker

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AccountRoles are what an AWS account must have in IAM: the center as a SAML provider, and the roles.
type AccountRoles struct {
	ProviderName string
	Metadata     string // of the center as an identity provider
	Path         string // of the roles; begins and ends with a slash
	Roles        []IAMRole
}

// IAMRole is one role.
type IAMRole struct {
	Name, Description string
	Policies          []string // ARNs
	Inline            string   // JSON, or empty
	Boundary          string   // an ARN, or empty
}

// Source: user guide, "Roles created by IAM Identity Center": every role allows twelve hours, whatever the permission set says.
const maxRoleSession = 43200

// inlineName is how the inline policy of a permission set is called in the role.
const inlineName = "AwsSSOInlinePolicy"

type object = map[string]any

// trust is the trust policy of the roles. provider is the provider's ARN, or an expression for it.
func (a AccountRoles) trust(provider any) object {
	return object{"Version": "2012-10-17", "Statement": []object{{
		"Effect": "Allow", "Principal": object{"Federated": provider}, "Action": []string{"sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"},
		"Condition": object{"StringEquals": object{"SAML:aud": SignInEndpoint}},
	}}}
}

// CloudFormation writes a template that makes them. Deploying it needs CAPABILITY_NAMED_IAM.
func (a AccountRoles) CloudFormation() ([]byte, error) {
	resources := object{"Provider": object{"Type": "AWS::IAM::SAMLProvider", "Properties": object{"Name": a.ProviderName, "SamlMetadataDocument": a.Metadata}}}
	for i, r := range a.Roles {
		p := object{"RoleName": r.Name, "Path": a.Path, "MaxSessionDuration": maxRoleSession, "AssumeRolePolicyDocument": a.trust(object{"Ref": "Provider"})}
		if r.Description != "" {
			p["Description"] = r.Description
		}
		if len(r.Policies) > 0 {
			p["ManagedPolicyArns"] = r.Policies
		}
		if r.Boundary != "" {
			p["PermissionsBoundary"] = r.Boundary
		}
		if r.Inline != "" {
			p["Policies"] = []object{{"PolicyName": inlineName, "PolicyDocument": json.RawMessage(r.Inline)}}
		}
		resources[fmt.Sprintf("Role%d", i+1)] = object{"Type": "AWS::IAM::Role", "Properties": p}
	}
	return write(object{"AWSTemplateFormatVersion": "2010-09-09", "Description": "Roles for " + a.ProviderName, "Resources": resources})
}

// Terraform writes the same for Terraform's AWS provider, in its JSON syntax (.tf.json).
func (a AccountRoles) Terraform() ([]byte, error) {
	roles, attachments, inline := object{}, object{}, object{}
	for i, r := range a.Roles {
		id := fmt.Sprintf("role_%d", i+1)
		trust, err := json.Marshal(a.trust("${aws_iam_saml_provider.gatehouse.arn}"))
		if err != nil {
			return nil, err
		}
		role := object{"name": r.Name, "path": a.Path, "max_session_duration": maxRoleSession, "assume_role_policy": string(trust)}
		if r.Description != "" {
			role["description"] = literal(r.Description)
		}
		if r.Boundary != "" {
			role["permissions_boundary"] = r.Boundary
		}
		roles[id] = role
		for k, arn := range r.Policies {
			attachments[fmt.Sprintf("%s_%d", id, k+1)] = object{"role": "${aws_iam_role." + id + ".name}", "policy_arn": arn}
		}
		if r.Inline != "" {
			inline[id] = object{"name": inlineName, "role": "${aws_iam_role." + id + ".name}", "policy": literal(r.Inline)}
		}
	}
	resources := object{"aws_iam_saml_provider": object{"gatehouse": object{"name": a.ProviderName, "saml_metadata_document": literal(a.Metadata)}}}
	for kind, all := range map[string]object{"aws_iam_role": roles, "aws_iam_role_policy_attachment": attachments, "aws_iam_role_policy": inline} {
		if len(all) > 0 {
			resources[kind] = all
		}
	}
	return write(object{"resource": resources})
}

// literal keeps Terraform from reading a text as a template: policies have variables of IAM's own in the same brackets.
func literal(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

func write(v object) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
