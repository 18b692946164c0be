package oversee

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

type object = map[string]any

// terraformOf is a plan for Terraform's AWS provider. Source: its documentation,
// aws_accountaccess_application and aws_accountaccess_entitlement; user guide of IAM, "Prepare IAM
// roles for account access manager".
func terraformOf(plan adminapi.Migration, region string) ([]byte, error) {
	users, groups := object{}, object{}
	entitlements := object{}
	const store, application = "tolist(data.aws_ssoadmin_instances.this.identity_store_ids)[0]",
		"aws_accountaccess_application.this.arn"
	names := map[string]string{} // of data sources, by principal
	for i, e := range plan.Entitlements {
		kind, attribute := "aws_identitystore_user", "UserName"
		member, sources := "user_id", users
		if e.PrincipalType == "GROUP" {
			kind, attribute = "aws_identitystore_group", "DisplayName"
			member, sources = "group_id", groups
		}
		name, known := names[e.PrincipalID]
		if !known {
			name = fmt.Sprintf("p%d", len(names)+1)
			names[e.PrincipalID] = name
			sources[name] = object{
				"identity_store_id": "${" + store + "}",
				"alternate_identifier": object{"unique_attribute": object{
					"attribute_path": attribute, "attribute_value": literal(e.PrincipalName),
				}},
			}
		}
		entitlements[fmt.Sprintf("e%d", i+1)] = object{
			"application_arn": "${" + application + "}",
			"entitlement": object{"principal_role": object{
				"role_arn": e.RoleArn,
				"principal": object{"identity_center": object{
					member: "${data." + kind + "." + name + "." + member + "}",
				}},
			}},
		}
	}
	roles := []string{}
	for _, r := range plan.Roles {
		roles = append(roles, r.RoleArn)
	}
	data := object{"aws_ssoadmin_instances": object{"this": object{}}, "aws_caller_identity": object{"this": object{}}}
	resources := object{"aws_accountaccess_application": object{"this": object{
		"identity_center_instance_arn": "${tolist(data.aws_ssoadmin_instances.this.arns)[0]}",
	}}}
	for kind, some := range map[string]object{"aws_identitystore_user": users, "aws_identitystore_group": groups} {
		if len(some) > 0 {
			data[kind] = some
		}
	}
	if len(entitlements) > 0 {
		resources["aws_accountaccess_entitlement"] = entitlements
	}
	return json.MarshalIndent(object{
		"provider": object{"aws": object{"region": region}},
		"data":     data,
		"resource": resources,
		"output": object{"trust_statement": object{
			"description": "What the trust policy of each of the roles needs: " + strings.Join(roles, ", "),
			"value":       trustAtAWS("${"+application+"}", "${data.aws_caller_identity.this.account_id}"),
		}},
	}, "", "  ")
}

// literal keeps Terraform from reading expressions in a text.
func literal(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "${", "$${"), "%{", "%%{")
}

// trustAtAWS is what the trust policy of a role needs at AWS. Source: user guide of IAM, "Prepare
// IAM roles for account access manager".
func trustAtAWS(application, account any) object {
	return object{
		"Effect":    "Allow",
		"Principal": object{"Service": "account-access.amazonaws.com"},
		"Action":    []string{"sts:AssumeRole", "sts:SetContext", "sts:TagSession"},
		"Condition": object{"StringEquals": object{
			"aws:SourceArn": application, "aws:SourceAccount": account,
		}},
	}
}

// What one template may have. Source: CloudFormation user guide, quotas.
const (
	maxResources  = 500 //bound:none AWS's, of one template
	maxParameters = 200 //bound:none AWS's, of one template
)

// cloudFormationOf is a plan for AWS as a template. CloudFormation finds nobody by name, so who is
// entitled is a parameter each. Source: its template reference, AWS::AccountAccess::Application and
// AWS::AccountAccess::Entitlement.
func cloudFormationOf(plan adminapi.Migration) ([]byte, error) {
	parameters := object{"InstanceArn": object{
		"Type": "String", "Description": "The instance of IAM Identity Center, as aws sso-admin list-instances says",
	}}
	resources := object{"Application": object{
		"Type": "AWS::AccountAccess::Application",
		"Properties": object{
			"IdentitySource": object{"IdentityCenter": object{"InstanceArn": object{"Ref": "InstanceArn"}}},
		},
	}}
	names := map[string]string{} // of parameters, by principal
	for i, e := range plan.Entitlements {
		kind, member := "User", "UserId"
		if e.PrincipalType == "GROUP" {
			kind, member = "Group", "GroupId"
		}
		name, known := names[e.PrincipalID]
		if !known {
			name = fmt.Sprintf("%s%d", kind, len(names)+1)
			names[e.PrincipalID] = name
			parameters[name] = object{
				"Type": "String", "Description": "ID at AWS of the " + strings.ToLower(kind) + " " + e.PrincipalName,
			}
		}
		resources[fmt.Sprintf("Entitlement%d", i+1)] = object{
			"Type": "AWS::AccountAccess::Entitlement",
			"Properties": object{
				"ApplicationArn": object{"Ref": "Application"},
				"Entitlement": object{"PrincipalRole": object{
					"RoleArn":   e.RoleArn,
					"Principal": object{"IdentityCenter": object{member: object{"Ref": name}}},
				}},
			},
		}
	}
	if len(resources) > maxResources || len(parameters) > maxParameters {
		return nil, errors.New("the plan is too large for one template of CloudFormation: name an account by --account")
	}
	statement, err := json.Marshal(trustAtAWS("${Application}", "${AWS::AccountId}"))
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Entitlements to existing roles, planned by gatehouse access migrate",
		"Parameters":               parameters,
		"Resources":                resources,
		"Outputs": object{"TrustStatement": object{
			"Description": "What the trust policy of each of the roles needs",
			"Value":       object{"Fn::Sub": string(statement)},
		}},
	}, "", "  ")
}
